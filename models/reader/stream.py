"""Batches for training: examples made on the fly, sorted by length, padded at the end.

A batch is (tokens (B, T), rows (N,), targets (N,), weights (N,)): `rows` are the places, in the flattened batch, whose next token
is learnt. All tokens of an answer are learnt with weight 1; plain text, and a random share of what is read, with a small weight.
Example `i` of a seed is always the same, so a run can go on where it stopped.
"""

import random
import typing

import numpy

from bpe import END_OF_TEXT, TASK, USER
from reading import cloze, paired, selected
from tasks import example
from written import written

PROMPT_SHARE, PROMPT_WEIGHT = 0.1, 0.3
KINDS = ("invented", "cloze", "selected", "copied", "paired", "plain", "written")
INGREDIENTS = (*KINDS, "reading")  # the last: learning what is read beside what is answered
TEXTS_FOR = {"cloze": 9, "selected": 9, "paired": 9, "plain": 1, "written": 2}  # so many texts a language a kind needs (`paired`: pairs)


class Example(typing.NamedTuple):
    """Ids of what is read and of what is to be written, and what a written token counts in the loss."""

    read: list
    write: list
    weight: float = 1.0


def copied(rng, vocabulary):
    """Random tokens said twice: what a model must be able to do before it can quote."""
    first = [rng.randrange(270, vocabulary) for _ in range(rng.randint(8, 40))]
    start = rng.randrange(0, len(first) // 2)
    return Example([TASK, *first, USER, *first[start: start + 2]], first[start + 2:] + [END_OF_TEXT])


def plain(rng, texts, bpe, longest):
    """A run of real text as it stands, with its title where it is the beginning: language modelling."""
    title, text = rng.choice(texts)
    ids = bpe.encode(f"{title}\n{text}")
    start = rng.randrange(max(1, len(ids) - longest // 2))
    return Example([END_OF_TEXT], ids[start: start + longest - 1], PROMPT_WEIGHT)


class Stream:
    """`mix`: shares of the kinds of example (`KINDS`); `most`: passages at most; `sizes`: facts a passage.

    `without` names ingredients that are left out (`INGREDIENTS`): the others take their share, as they do of kinds for which there are no texts."""

    def __init__(self, bpe, texts, seed, without=(), rows=()):
        self.bpe, self.seed = bpe, seed
        self.reading = "reading" not in without
        self.texts = {language: [(r["title"], r["text"]) for r in texts if r["language"] == language] for language in ("ko", "en")}
        self.pairs = [((r["title"], r["text"]), tuple(r["english"])) for r in texts if "english" in r]
        self.all = [*self.texts["ko"], *self.texts["en"], *(english for _, english in self.pairs)]
        there = {"cloze": min(map(len, self.texts.values())), "paired": len(self.pairs), "plain": len(self.all)}
        there["selected"], there["written"] = there["cloze"], len(rows)
        self.rows = list(rows)
        self.kinds = [kind not in without and there.get(kind, 0) >= TEXTS_FOR.get(kind, 0) for kind in KINDS]

    def one(self, i, mix, most, sizes, longest):
        """Example `i`. Where a text gives none, or one too long, an invented one takes its place, or the next."""
        shares = [share if kind else 0 for share, kind in zip(mix, self.kinds)]
        if not any(shares):
            raise ValueError(f"nothing to learn from: of {dict(zip(KINDS, mix))} all is left out or has no texts")
        for attempt in range(1000):
            rng = random.Random(f"{self.seed}:{i}" + f":{attempt}" * bool(attempt))
            kind = "invented" if attempt and self.kinds[0] else rng.choices(KINDS, shares)[0]
            made = self._made(kind, rng, most if attempt < 2 else 1, sizes if not attempt else (1, 2), longest)
            if made and len(made.read) + len(made.write) <= longest:
                return made
        raise ValueError(f"no example of at most {longest} tokens was found for place {i}")

    def _made(self, kind, rng, most, sizes, longest):
        if kind == "copied":
            return copied(rng, len(self.bpe))
        if kind == "plain":
            return plain(rng, self.all, self.bpe, longest)
        passages, characters = max(2, min(most, 4)), 150 + 80 * most
        if kind == "invented":
            made = example(rng, most, sizes)
        elif kind == "written":
            made = written(rng, self.rows, most, characters)
        elif kind == "paired":
            made = paired(rng, self.pairs, passages, characters)
        else:
            make = cloze if kind == "cloze" else selected
            made = make(rng, self.texts[rng.choice(("ko", "en"))], passages, characters)
        return made and Example(*self.bpe.example(*made))

    def examples(self, start, count, stage):
        return [self.one(i, stage["mix"], stage["most"], tuple(stage["sizes"]), stage["longest"]) for i in range(start, start + count)]

    def prepared(self, start, count, stage, tokens):
        """Batches of about `tokens` tokens, in random order, of the examples from `start` on; and how long those are on average."""
        rng = random.Random(f"{self.seed}:{start}:batches")
        examples = sorted(self.examples(start, count, stage), key=length)
        groups, group = [], []
        for e in examples:
            if group and (len(group) + 1) * length(e) > tokens:
                groups.append(group)
                group = []
            group.append(e)
        groups.append(group)
        rng.shuffle(groups)
        share = PROMPT_SHARE if self.reading else 0
        return [collate(group, rng, share) for group in groups], sum(map(length, examples)) / count


def length(example):
    return len(example.read) + len(example.write)


def collate(group, rng, prompt_share=PROMPT_SHARE):
    longest = -(-max(map(length, group)) // 16) * 16
    tokens = numpy.full((len(group), longest), END_OF_TEXT, dtype=numpy.int64)
    rows, targets, weights = [], [], []
    for b, (read, write, weight) in enumerate(group):
        text = read + write
        tokens[b, : len(text)] = text
        learnt = [(t, PROMPT_WEIGHT) for t in range(len(read) - 1) if rng.random() < prompt_share]
        learnt += [(t, weight) for t in range(len(read) - 1, len(text) - 1)]
        for t, weight in learnt:
            rows.append(b * longest + t)
            targets.append(text[t + 1])
            weights.append(weight)
    return tokens, numpy.array(rows), numpy.array(targets), numpy.array(weights, dtype=numpy.float32)
