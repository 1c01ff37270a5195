#!/usr/bin/env python3
"""dev.py OUT.json: the written questions that are never learnt from, as SQuAD 2.0, to choose the generator's thresholds on (`sectora eval answers --format squad`)."""

import json
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parent.parent / "reader"))
from written import of_written  # noqa: E402

_, rows = of_written()
data = []
for i, row in enumerate(rows):
    asked = [dict(id=f"{i}-{k}", question=q["q"], answers=[dict(text=q["a"], answer_start=row["text"].find(q["a"]))], is_impossible=False) for k, q in enumerate(row["questions"])]
    asked += [dict(id=f"{i}-absent-{k}", question=q, answers=[], is_impossible=True) for k, q in enumerate(row["absent"])]
    data.append(dict(title=row["heading"], paragraphs=[dict(context=row["text"], qas=asked)]))
pathlib.Path(sys.argv[1]).write_text(json.dumps(dict(version="v2.0", data=data), ensure_ascii=False), encoding="utf-8")
print(len(rows), "passages", sum(len(d["paragraphs"][0]["qas"]) for d in data), "questions")
