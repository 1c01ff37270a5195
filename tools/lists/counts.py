#!/usr/bin/env python3
"""Are lists complete? counts.py SECTORA DATA_DIR SECTOR RECORDS.jsonl INSTITUTION_FIELD YEAR_FIELD

Asks `What projects did X run?` (every third time so, else since 2015 or 2018) for 60 institutes of a file of records that is the whole index, and
compares the number in the answer with the rows of the file. Exit code 1 where one differs.
"""

import collections
import json
import random
import re
import statistics
import subprocess
import sys
import time

SINCE = (None, 2015, 2018)


def year(text):
    found = re.search(r"\b(19|20)\d\d\b", str(text))
    return int(found.group()) if found else None


def main():
    sectora, data, sector, records, institution, started = sys.argv[1:]
    years = collections.defaultdict(list)
    for line in open(records, encoding="utf-8"):
        row = json.loads(line)
        years[row[institution]].append(year(row[started]))
    names = sorted(years)
    random.Random(1).shuffle(names)
    wrong, seconds = 0, []
    for i, name in enumerate(names[:60]):
        since = SINCE[i % len(SINCE)]
        question = f"What projects did {name} run?" if since is None else f"What projects did {name} run since {since}?"
        expected = sum(since is None or (y is not None and y >= since) for y in years[name])
        begin = time.time()
        done = subprocess.run([sectora, "--data-dir", data, "--sector", sector, "--json", "ask", question], capture_output=True, text=True)
        seconds.append(time.time() - begin)
        told = re.match(r"Found in this index: (\d+) document", json.loads(done.stdout)["answer"])
        if (int(told.group(1)) if told else 0) != expected:
            wrong += 1
            print(f"{question} {expected}, told {told and told.group(1)}")
    print(f"{len(seconds) - wrong} of {len(seconds)} right, {statistics.median(seconds):.2f} s (median)")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
