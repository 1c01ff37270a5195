#!/usr/bin/env python3
"""What runs of train.py can do, next to each other: `measure.py RUN … [--texts TEXTS.jsonl] [--examples 200]` prints one row a run.

Nats a token of answers and share of answers written exactly (greedy), on fresh examples that no run learnt from (the same for all): invented ones of
two passages, real text that `train.held_out` keeps back, random tokens said twice. With 95 % intervals (bootstrap over examples, 2,000 resamples, seed 1).
"""

import argparse
import pathlib
import random

import numpy
import torch
import torch.nn.functional as F

from bpe import Bpe
from model import Reader, Sizes
from stream import Stream, collate
from train import HELD_OUT, held_out, read_texts
from weights import load

SETS = {"invented": (1, 0, 0, 0), "cloze": (0, 1, 0, 0), "selected": (0, 0, 1, 0), "copied": (0, 0, 0, 1)}


@torch.no_grad()
def scores(model, examples):
    """Nats a token and whether the whole answer is the likeliest, one row an example: float (N, 2)."""
    rows = []
    for start in range(0, len(examples), 16):
        group = examples[start: start + 16]
        hidden = model(torch.from_numpy(collate(group, random.Random(0))[0]))
        for b, (read, write) in enumerate(group):
            said = model.head(hidden[b, len(read) - 1: len(read) - 1 + len(write)]).float()
            target = torch.tensor(write)
            rows.append((F.cross_entropy(said, target).item(), float(bool((said.argmax(-1) == target).all()))))
    return numpy.array(rows)


def interval(values, generator):
    means = values[generator.integers(0, len(values), (2000, len(values)))].mean(1)
    return f"{values.mean():.3f} ({numpy.quantile(means, 0.025):.3f}-{numpy.quantile(means, 0.975):.3f})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=pathlib.Path, nargs="+")
    parser.add_argument("--texts", type=pathlib.Path)
    parser.add_argument("--examples", type=int, default=200)
    options = parser.parse_args()
    bpe = Bpe()
    _, hidden = held_out(read_texts(options.texts))
    sets = {}
    for name, mix in SETS.items():
        if name in ("cloze", "selected") and len(hidden) <= 30:
            continue
        without = () if name == "invented" else ("invented",)  # no invented example in the place of one that failed
        sets[name] = Stream(bpe, hidden, "measured", without).examples(0, options.examples, HELD_OUT | dict(mix=mix))
    print("run\tparameters\ttokens\t" + "\t".join(f"{name}: nats\t{name}: exact" for name in sets))
    for run in options.runs:
        kept = load(run)
        model = Reader(Sizes(**kept["sizes"]))
        model.load_state_dict(kept["model"])
        model.eval()
        cells = [run.name, str(sum(p.numel() for p in model.parameters())), str(kept["state"]["tokens"])]
        for examples in sets.values():
            found, generator = scores(model, examples), numpy.random.default_rng(1)
            cells += [interval(found[:, 0], generator), interval(found[:, 1], generator)]
        print("\t".join(cells), flush=True)


if __name__ == "__main__":
    main()
