#!/usr/bin/env python3
"""check.py [WORK]: the pipeline at a tiny size, as a test. Examples are the same when made again and their answers stand where they say; a small
model learns 64 of them by heart; what is exported reads as what was trained; the shipped weights read as reference.json says."""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from data import Examples, example
from model import Span
from tokens import read_pieces, tokens
from train import collate, measure, of_written, spans

HERE = pathlib.Path(__file__).parent


def check(what, holds):
    if not holds:
        raise SystemExit(f"check.py: {what}")


def main():
    work = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    torch.manual_seed(1)
    pieces = read_pieces()
    digits = (pieces.ids["0"], pieces.ids["9"])
    for text in ("Ａ급 ㎎ 12,500 kWh/m³", "전자電子 café ½ ⚡", "", "  "):
        for t in tokens(pieces, text):
            check(f"a token of {text!r} has no place", 0 <= t.start < t.end <= len(text))
    rows, hidden = of_written()
    texts = [r["text"] for r in rows]
    check("a held-out passage is learnt from", not any(r["text"] in set(texts) for r in hidden))
    stream = Examples(pieces, rows, [], "check")
    made = [stream.one(i) for i in range(300)]
    check("examples differ when made again", made == [Examples(pieces, rows, [], "check").one(i) for i in range(300)])
    share = sum(1 for e in made if not e.start) / len(made)
    check(f"{share:.2f} of the examples have no answer", 0.2 < share < 0.5)
    for e in made:
        check("an answer is not in the sentence", not e.start or e.segments[e.start] == e.segments[e.end] == 2)
    group = made[:64]
    model = Span(sorted({i for e in group for i in e.ids if i})[:500], hidden=64, layers=2, heads=2, inner=128, dropout=0.0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    inputs, starts, ends = collate(group, digits)
    for _ in range(150):
        logits = model(*inputs)
        loss = F.cross_entropy(logits[:, :, 0], starts) + F.cross_entropy(logits[:, :, 1], ends)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    exact, _, silent = measure(model, group, digits)
    check(f"64 examples are not learnt by heart: {exact:.2f} exact, {silent:.2f} silent", exact > 0.9 and silent > 0.9)
    torch.save(dict(model=model.state_dict(), known=model.known, sizes=model.sizes), work / "model.pt")
    subprocess.run([sys.executable, HERE / "export.py", work / "model.pt", work / "weights.safetensors"], check=True)
    differ = reads(work / "weights.safetensors", model.sizes, inputs, digits) - logits.detach()
    check("the export reads otherwise", differ[logits > -1000].abs().max() < 0.2)
    for r in json.loads((HERE / "reference.json").read_text(encoding="utf-8")):
        e = example(pieces, r["question"], r["above"], r["sentence"])
        check(f"tokens of {r['sentence']!r} differ from reference.json", e.ids == r["ids"])
        logits = reads(HERE / "weights.safetensors", {}, collate([e], digits)[0], digits)
        margin = spans(logits)[0][0]
        check(f"the shipped weights differ from reference.json: {margin} {r['margin']}", abs(margin - r["margin"]) < 0.01)
    print(f"examples, {exact:.2f} of 64 learnt by heart, export and reference hold")


@torch.no_grad()
def reads(file, sizes, inputs, digits):
    """What the weights of an exported file make of a batch."""
    tensors = {name: t.float() if t.is_floating_point() else t for name, t in load_file(file).items()}
    model = Span(tensors.pop("known").tolist(), **sizes)
    model.load_state_dict(tensors)
    return model.eval()(*inputs)


if __name__ == "__main__":
    main()
