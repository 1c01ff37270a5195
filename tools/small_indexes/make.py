"""Small indexes of one field each, for fitting the verdicts of `overlap` (docs/verdicts.md).

make.py NSF.jsonl ERC.jsonl written.jsonl rewritten.jsonl OUT [documents]

Groups the projects that written.jsonl is about by likeness (six a group), gives each group the projects of NSF and ERC
nearest to them (70 documents in all, unless said otherwise; none that rewritten.jsonl is about), and writes OUT/N/nsf.jsonl, erc.jsonl and pairs.jsonl.
Only the standard library; likeness is the cosine of sqrt(tf) * idf over words of four letters and more.
"""

import json
import math
import pathlib
import re
import sys
from collections import Counter


def lines(path):
    return [json.loads(line) for line in open(path, encoding="utf-8") if line.strip()]


def main():
    nsf, erc, written, rewritten, out = sys.argv[1:6]
    size = int(sys.argv[6]) if len(sys.argv) > 6 else 70
    records = [("nsf", r, r["award_id"], r["title_clean"] + " " + (r["abstract"] or "")) for r in lines(nsf)]
    records += [("erc", r, r["project_acronym"], r["project"] + " " + (r["details_project"] or "")) for r in lines(erc)]
    words = [Counter(re.findall(r"[a-z]{4,}", text.lower())) for *_, text in records]
    frequency = Counter(w for c in words for w in c)
    vectors = []
    for counts in words:
        v = {w: math.sqrt(n) * math.log(len(records) / frequency[w]) for w, n in counts.items()}
        norm = math.sqrt(sum(x * x for x in v.values())) or 1.0
        vectors.append({w: x / norm for w, x in v.items()})

    def alike(a, b):
        a, b = sorted((vectors[a], vectors[b]), key=len)
        return sum(x * b.get(w, 0.0) for w, x in a.items())

    pairs = lines(written)
    tested = {p["prior"] for p in lines(rewritten)}
    place = {id_: i for i, (_, _, id_, _) in enumerate(records)}
    left = list(dict.fromkeys(p["prior"] for p in pairs))
    number = 0
    while left:
        seed = left.pop(0)
        near = sorted(left, key=lambda p: -alike(place[seed], place[p]))[:5]
        left = [p for p in left if p not in near]
        priors = [seed, *near]
        chosen = {place[p] for p in priors}
        ranked = [
            [i for i in sorted(range(len(records)), key=lambda i: -alike(place[p], i)) if records[i][2] not in tested]
            for p in priors
        ]
        depth = 0
        while len(chosen) < size:
            for order in ranked:
                if len(chosen) < size:
                    chosen.add(order[depth])
            depth += 1
        folder = pathlib.Path(out) / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        parts = {"nsf": [], "erc": [], "pairs": [p for p in pairs if p["prior"] in priors]}
        for i in sorted(chosen):
            parts[records[i][0]].append(records[i][1])
        for name, rows in parts.items():
            text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
            (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
        number += 1


main()
