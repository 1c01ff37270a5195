#!/usr/bin/env python3
"""reference.py: writes reference.json, what PyTorch reads in examples with the shipped file; a test of src/embed/span.rs holds the program to it."""

import json
import pathlib

import torch

from data import example
from export import exported
from model import of_tensors
from tokens import Pieces
from train import collate, spans

HERE = pathlib.Path(__file__).parent
EXAMPLES = [
    ("Who opened the pilot line?", "Annual report", "The pilot line was opened by Hana Kovacs on 4 May 2021 in Lisbon."),
    ("시험선의 하루 담수 생산량은 얼마인가?", "해상 담수화 시험 > 결과", "시험선 파랑호는 하루 1,250㎥의 물을 만들었고 전력은 3.1 kWh/m³를 썼다."),
    ("파랑호를 지은 조선소는?", "해상 담수화 시험 > 결과", "시험선 파랑호는 하루 1,250㎥의 물을 만들었고 전력은 3.1 kWh/m³를 썼다."),
    ("Which salt was used at 320 ℃?", "용융염 재생", "분말을 320℃에서 질산리튬(LiNO₃) 용융물에 3시간 담갔다."),
    ("담당자는?", "ＮＣＭ８１１ 시험 — “가”", "담당: 서다온 / 문의 ☎ 02-1234 ⚡ Ωμ 电池."),
    ("Why did the membrane fail?", "", "The membrane failed because the seal had been swollen by cleaning agent."),
]

pieces = Pieces()
model = of_tensors({name: torch.tensor(t) for name, t in exported(HERE / "model.gguf").items()}, dropout=0.0).eval()
out = []
for question, above, sentence in EXAMPLES:
    e = example(pieces, question, above, sentence)
    with torch.no_grad():
        logits = model(*collate([e])[:2])
    margin, start, end = spans(logits)[0]
    words = sentence[e.places[start][0]: e.places[end][1]]
    scores = [[round(x, 4) for x in row] for row in logits[0, : len(e.ids)].tolist()]
    out.append(dict(question=question, above=above, sentence=sentence, ids=e.ids, scores=scores, words=words, margin=round(margin, 4)))
    print(words, "|", question, "|", round(margin, 2))
(HERE / "reference.json").write_text(json.dumps(out, ensure_ascii=False) + "\n")
