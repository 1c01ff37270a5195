#!/usr/bin/env python3
"""check.py [WORK]: the pipeline at a tiny size, as a test. Examples are the same when made again and their answers stand where they say; a small
model learns 24 questions by heart; what is exported reads as what was trained; the shipped file reads as reference.json says."""

import json
import pathlib
import sys
import tempfile

import torch

from data import Examples, example
from export import export, exported
from model import Span, of_tensors
from tokens import Pieces
from train import collate, loss_of, measure, of_written, spans

HERE = pathlib.Path(__file__).parent


def check(what, holds):
    if not holds:
        raise SystemExit(f"check.py: {what}")


def main():
    work = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    torch.manual_seed(1)
    torch.set_flush_denormal(True)
    pieces = Pieces()
    for text in ("Ａ급 ㎎ 12,500 kWh/m³", "전자電子 café ½ ⚡", "", "  "):
        for t in pieces.of(text):
            check(f"a token of {text!r} lies outside of it", 0 <= t.start <= t.end <= len(text))
    rows, hidden = of_written()
    texts = {r["text"] for r in rows}
    check("a held-out passage is learnt from", not any(r["text"] in texts for r in hidden))
    stream = Examples(pieces, rows, [], "check")
    groups = [stream.group(i) for i in range(200)]
    again = Examples(pieces, rows, [], "check")
    check("examples differ when made again", groups == [again.group(i) for i in range(200)])
    made = [e for group in groups for e in group]
    share = sum(1 for group in groups if not group[0].start) / len(groups)
    check(f"{share:.2f} of the questions have no answer", 0.1 < share < 0.35)
    check("a second sentence answers too", not any(e.start for group in groups for e in group[1:]))
    for e in made:
        check("an answer is not in the sentence", not e.start or e.segments[e.start] == e.segments[e.end] == 2)
    groups = groups[:24]
    group = [e for g in groups for e in g]
    model = Span(pieces.tokenizer.get_vocab_size(), 256, hidden=96, layers=2, inner=192, dropout=0.0)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    ids, segments, starts, ends = collate(group)
    for _ in range(150):
        logits = model(ids, segments)
        loss = loss_of(logits, starts, ends, [len(g) for g in groups])
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if loss.item() < 0.05:
            break
    exact, _, first, silent, _ = measure(model, groups)
    check(f"24 questions are not learnt by heart: {exact:.2f} exact, {first:.2f} first, {silent:.2f} silent", min(exact, first, silent) > 0.9)
    export({name: t.numpy() for name, t in model.state_dict().items()}, work)
    differ = reads(work / "model.gguf", group) - logits.detach()
    check("the export reads otherwise", differ[logits > -1000].abs().mean() < 0.5)
    for r in json.loads((HERE / "reference.json").read_text(encoding="utf-8")):
        e = example(pieces, r["question"], r["above"], r["sentence"])
        check(f"tokens of {r['sentence']!r} differ from reference.json", e.ids == r["ids"])
        margin = spans(reads(HERE / "model.gguf", [e]))[0][0]
        check(f"the shipped weights differ from reference.json: {margin} {r['margin']}", abs(margin - r["margin"]) < 0.01)
    print(f"examples, {exact:.2f} of 24 questions learnt by heart, export and reference hold")


@torch.no_grad()
def reads(file, examples):
    """What an exported file makes of examples."""
    model = of_tensors({name: torch.tensor(t) for name, t in exported(file).items()}, dropout=0.0)
    return model.eval()(*collate(examples)[:2])


if __name__ == "__main__":
    main()
