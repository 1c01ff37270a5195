#!/usr/bin/env python3
"""What runs of train.py can do, next to each other: `measure.py RUN … [--texts TEXTS.jsonl] [--examples 200]` prints one row a run.

Nats a token of answers and share of answers written exactly (greedy), on fresh examples that no run learnt from (the same for all): invented ones of
two passages, real text and written questions that are kept back, random tokens said twice. With 95 % intervals (bootstrap over examples, 2,000 resamples, seed 1).
"""

import argparse
import pathlib

import numpy

from bpe import Bpe
from model import Reader, Sizes
from stream import KINDS, Stream
from train import HELD_OUT, of_texts, scores
from weights import load
from written import of_written


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
    _, hidden = of_texts(options.texts)
    _, rows = of_written()
    sets = {}
    for name in KINDS:
        stream = Stream(bpe, hidden, "measured", [kind for kind in KINDS if kind != name], rows)
        if any(stream.kinds):
            sets[name] = stream.examples(0, options.examples, HELD_OUT | dict(mix=[kind == name for kind in KINDS]))
    print("run\tparameters\ttokens\t" + "\t".join(f"{name}: nats\t{name}: exact" for name in sets))
    for run in options.runs:
        kept = load(run)
        model = Reader(Sizes(**kept["sizes"]))
        model.load_state_dict(kept["model"])
        model.eval()
        cells = [run.name, str(sum(p.numel() for p in model.parameters())), str(kept["state"]["tokens"])]
        for examples in sets.values():
            found, generator = numpy.array(scores(model, examples, "cpu"), dtype=float), numpy.random.default_rng(1)
            cells += [interval(found[:, 0], generator), interval(found[:, 1], generator)]
        print("\t".join(cells), flush=True)


if __name__ == "__main__":
    main()
