#!/usr/bin/env python3
"""Questions that write out what a document only abbreviates: our own question format from a record file.

    tools/abbreviated/make.py RECORDS.jsonl OUT.jsonl --id FIELD --title FIELD --text FIELD [--limit 150]

An abbreviation counts where some record explains it, `long form (LF)`, its letters being the first letters of the words. The question
is the long form and two words of the title of another record that has the abbreviation and not the long form; that record is the gold.
This favours what it measures by construction: how often it happens in practice it does not say. Only the standard library.
"""

import argparse
import json
import pathlib
import re

STOP = set("the and for with from into of in on to a an by at as is are its their new novel using towards toward".split())


def explained(texts):
    """Abbreviation -> long form, where all records agree."""
    found = {}
    for text in texts:
        for match in re.finditer(r"((?:[A-Za-z][A-Za-z-]* ){2,6})\(([A-Z]{2,6})\)", text):
            words, short = match.group(1).split(), match.group(2)
            if len(words) >= len(short):
                long = words[-len(short):]
                if "".join(w[0] for w in long).upper() == short:
                    found.setdefault(short, set()).add(" ".join(long).lower())
    return {short: forms.pop() for short, forms in found.items() if len(forms) == 1}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("records", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    for name in ("id", "title", "text"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--limit", type=int, default=150)
    options = parser.parse_args()
    lines = options.records.read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines if line.strip()]
    text = lambda r: f"{r[options.title]} {r[options.text]}"
    known = explained(text(r) for r in records)
    asked = []
    for record in records:
        body = text(record)
        for short, long in sorted(known.items()):
            if re.search(rf"\b{short}\b", body) and long not in body.lower():
                inside = set(long.split()) | {short.lower()} | STOP
                words = [w for w in re.findall(r"[A-Za-z]{5,}", record[options.title]) if w.lower() not in inside]
                if len(words) >= 2:
                    gold = f"{options.records.name}#{record[options.id]}"
                    question = f"{long} {words[0].lower()} {words[1].lower()}"
                    asked.append({"question": question, "gold": [{"document": gold}]})
                    break
    step = max(1, len(asked) // options.limit)
    with options.out.open("w", encoding="utf-8") as out:
        for i, row in enumerate(asked[::step][: options.limit]):
            row = {"id": f"a{i:03}", "language": "en", "type": "abbreviated", "answerable": True, **row}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
