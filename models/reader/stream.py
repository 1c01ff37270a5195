"""Batches for training: examples made on the fly, sorted by length, padded at the end.

A batch is (tokens (B, T), rows (N,), targets (N,), weights (N,)): `rows` are the places, in the flattened batch, whose next token
is learnt. All tokens of an answer are learnt with weight 1; of what is read a random share, with a small weight.
Example `i` of a seed is always the same, so a run can go on where it stopped.
"""

import random

import numpy

from bpe import END_OF_TEXT, TASK, USER
from reading import cloze, selected
from tasks import example

PROMPT_SHARE, PROMPT_WEIGHT = 0.1, 0.3
KINDS = ("invented", "cloze", "selected", "copied")
INGREDIENTS = (*KINDS, "reading")  # the last: learning what is read beside what is answered


def copied(rng, vocabulary):
    """Random tokens said twice: what a model must be able to do before it can quote."""
    first = [rng.randrange(270, vocabulary) for _ in range(rng.randint(8, 40))]
    start = rng.randrange(0, len(first) // 2)
    return [TASK, *first, USER, *first[start: start + 2]], first[start + 2:] + [END_OF_TEXT]


class Stream:
    """`mix`: shares of invented, cloze, selected, copied examples; `most`: passages at most; `sizes`: facts a passage.

    `without` names ingredients that are left out (`INGREDIENTS`): the others take their share."""

    def __init__(self, bpe, texts, seed, without=()):
        self.bpe, self.seed, self.without = bpe, seed, frozenset(without)
        self.texts = {language: [(r["title"], r["text"]) for r in texts if r["language"] == language] for language in ("ko", "en")}

    def one(self, i, mix, most, sizes, longest):
        rng = random.Random(f"{self.seed}:{i}")
        mix = [0 if kind in self.without else share for kind, share in zip(KINDS, mix)]
        kind = rng.choices(KINDS, mix)[0]
        if kind == "copied":
            return copied(rng, len(self.bpe))
        made = None
        if kind != "invented":
            texts = self.texts[rng.choice(("ko", "en"))]
            make = cloze if kind == "cloze" else selected
            for _ in range(5):
                made = made or (make(rng, texts, max(2, min(most, 4)), 150 + 80 * most) if len(texts) > 8 else None)
        # Where a text gives no example, or one too long, an invented one takes its place, if those are not left out.
        instead = mix if "invented" in self.without else (1, 0, 0, 0)
        if made is None and "invented" in self.without:
            return self.one(i + (1 << 40), instead, most, sizes, longest)
        read, write = self.bpe.example(*(made or example(rng, most, sizes)))
        return (read, write) if len(read) + len(write) <= longest else self.one(i + (1 << 40), instead, max(1, most - 1), (1, 2), longest)

    def examples(self, start, count, stage):
        return [self.one(i, stage["mix"], stage["most"], tuple(stage["sizes"]), stage["longest"]) for i in range(start, start + count)]

    def prepared(self, start, count, stage, tokens):
        """Batches of about `tokens` tokens, in random order, of the examples from `start` on; and how long those are on average."""
        rng = random.Random(f"{self.seed}:{start}:batches")
        examples = sorted(self.examples(start, count, stage), key=lambda e: len(e[0]) + len(e[1]))
        groups, group = [], []
        for e in examples:
            if group and (len(group) + 1) * (len(e[0]) + len(e[1])) > tokens:
                groups.append(group)
                group = []
            group.append(e)
        groups.append(group)
        rng.shuffle(groups)
        share = 0 if "reading" in self.without else PROMPT_SHARE
        return [collate(group, rng, share) for group in groups], sum(len(a) + len(b) for a, b in examples) / count


def collate(group, rng, prompt_share=PROMPT_SHARE):
    longest = -(-max(len(a) + len(b) for a, b in group) // 16) * 16
    tokens = numpy.full((len(group), longest), END_OF_TEXT, dtype=numpy.int64)
    rows, targets, weights = [], [], []
    for b, (read, write) in enumerate(group):
        text = read + write
        tokens[b, : len(text)] = text
        learnt = [(t, PROMPT_WEIGHT) for t in range(len(read) - 1) if rng.random() < prompt_share]
        learnt += [(t, 1.0) for t in range(len(read) - 1, len(text) - 1)]
        for t, weight in learnt:
            rows.append(b * longest + t)
            targets.append(text[t + 1])
            weights.append(weight)
    return tokens, numpy.array(rows), numpy.array(targets), numpy.array(weights, dtype=numpy.float32)
