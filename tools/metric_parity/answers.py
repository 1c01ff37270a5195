#!/usr/bin/env python3
"""answers.py ROWS.json squad|korquad: recomputes em, f1 and rouge_l of `sectora eval answers --rows --json`; exits 1 beyond 1e-6.

SQuAD's and KorQuAD's definitions are written down here a second time, from their official evaluation scripts; ROUGE-L is `rouge-score`'s.
"""

import collections
import json
import re
import string
import sys

from rouge_score import rouge_scorer


def squad(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def korquad(text):
    for mark in "'\"《》<>〈〉()‘’":
        text = text.replace(mark, " ")
    return " ".join("".join(c for c in text.lower() if c not in set(string.punctuation)).split())


def f1(a, b):
    if not a or not b:
        return float(a == b)
    same = sum((collections.Counter(a) & collections.Counter(b)).values())
    return 2 * same / (len(a) + len(b)) if same else 0.0


class Words:
    """The default tokenizer knows ASCII only; this one is it for every script."""

    @staticmethod
    def tokenize(text):
        return re.findall(r"[^\W_]+", text.lower())


def main():
    rows, form = json.load(open(sys.argv[1], encoding="utf-8"))["rows"], sys.argv[2]
    normalise = squad if form == "squad" else korquad
    pieces = (lambda t: normalise(t).split()) if form == "squad" else (lambda t: list("".join(normalise(t).split())))
    ours_words = rouge_scorer.RougeScorer(["rougeL"], tokenizer=Words())
    default = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    worst, ascii_only = collections.Counter(), 0
    for row in rows:
        said = "" if row["response"]["abstained"] else re.sub(r"\s*\[\d[\d, ]*\]", "", row["response"]["answer"])
        reference = row["reference"]
        expected = {"em": float(normalise(said) == normalise(reference)), "f1": f1(pieces(said), pieces(reference))}
        if reference:
            expected["rouge_l"] = ours_words.score(reference, said)["rougeL"].fmeasure
            if (said + reference).isascii() and "_" not in said + reference:
                ascii_only += 1
                assert abs(expected["rouge_l"] - default.score(reference, said)["rougeL"].fmeasure) < 1e-9
        for name, value in expected.items():
            if name in row["values"]:
                worst[name] = max(worst[name], abs(value - row["values"][name]))
    print(f"{len(rows)} answers ({ascii_only} also with rouge-score's own tokenizer); largest difference:", dict(worst))
    sys.exit(any(v > 1e-6 for v in worst.values()))


if __name__ == "__main__":
    main()
