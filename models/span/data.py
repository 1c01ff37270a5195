"""Examples for the span reader: a question, a heading, a sentence, and where in the sentence the answer is, if it is there.

`Examples(pieces, rows, texts, seed).one(i)` is example `i` of a seed, always the same. `rows` are the written questions of `../reader/written`,
`texts` openly licensed text of `../reader/gather.py`, whose own sentences are made into questions (`../reader/reading.py`).
In about two fifths of the examples the answer is not there: another sentence of the passage, the one most like the question, a question that the
passage does not answer, or a sentence of something else.
"""

import itertools
import pathlib
import random
import sys
import typing

sys.path.append(str(pathlib.Path(__file__).parent.parent / "reader"))
from reading import asked_en, asked_ko, language_of, sentences  # noqa: E402
from written import parts, renumbered  # noqa: E402

from tokens import BEGIN, NEXT  # noqa: E402

CLOZE = 0.25
LONGEST = 192  # tokens in all
WINDOW = 0.15  # of the prose: some sentences together, as a passage is read
QUESTION, HEADING, SENTENCE = 0, 1, 2


class Example(typing.NamedTuple):
    ids: list
    segments: list
    start: int  # place of the answer's first and last token; 0, 0 (the first token) where there is none
    end: int
    places: list  # characters of each token in its own text


def alike(a, b):
    """Pairs of characters that both have."""
    pairs = lambda s: {s[i: i + 2] for i in range(len(s) - 1)}
    return len(pairs(a) & pairs(b))


def example(pieces, question, heading, sentence, answer=None):
    """None where it is too long, or the answer is no run of tokens of the sentence."""
    ids, segments, places = [BEGIN], [QUESTION], [(0, 0)]
    for segment, text in ((QUESTION, question), (HEADING, heading), (SENTENCE, sentence)):
        first = len(ids)
        for t in pieces.of(text):
            ids.append(t.id), segments.append(segment), places.append((t.start, t.end))
        ids.append(NEXT), segments.append(min(segment, HEADING)), places.append((0, 0))
    if len(ids) > LONGEST:
        return None
    start = end = 0
    if answer is not None:
        at = sentence.find(answer)
        till = at + len(answer)
        inside = [i for i in range(first, len(ids) - 1) if places[i][0] < till and places[i][1] > at]
        # A token may hold a bracket before the answer, or the particle behind it.
        if at < 0 or not inside or at - places[inside[0]][0] > 1 or places[inside[-1]][1] - till > 2:
            return None
        start, end = inside[0], inside[-1]
    return Example(ids, segments, start, end, places)


def cells(row):
    return [c.strip() for c in row.strip().strip("|").split("|")]


def pieces_of(text):
    """Sentences; of a table its rows, each cell behind the name of its column (the first row's), as src/text/rows.rs reads them."""
    names, out = None, []
    for line in parts(text):
        if not line.startswith("|"):
            names = None
            out.append(line)
        elif names is None:
            names = cells(line)
        elif not set(line) <= set("|-: "):
            out.append("; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, cells(line)) if cell))
    return out


def shown(heading, before):
    """The heading, behind it the sentence before."""
    return f"{heading}\n{before}" if before else heading


class Examples:
    def __init__(self, pieces, rows, texts, seed):
        self.pieces, self.rows, self.seed = pieces, rows, seed
        # A passage is drawn as often as it has questions.
        self.shares = list(itertools.accumulate(len(r["questions"]) + len(r["absent"]) for r in rows))
        self.texts = {language: [(r["title"], r["text"]) for r in texts if r["language"] == language] for language in ("ko", "en")}

    def one(self, i):
        for attempt in range(1000):
            rng = random.Random(f"{self.seed}:{i}:{attempt}")
            made = self._cloze(rng) if self.texts["ko"] and rng.random() < CLOZE else self._written(rng)
            if made:
                return made
        raise ValueError(f"no example was found for place {i}")

    def _passage(self, rng):
        return rng.choices(self.rows, cum_weights=self.shares)[0]

    def _written(self, rng):
        row = self._passage(rng)
        change = renumbered(rng, row["text"]) if rng.random() < 0.5 else lambda s: s
        own = pieces_of(row["text"])
        form = rng.random()
        if form < 0.2:
            question = rng.choice(row["absent"])
            at, answer = max(range(len(own)), key=lambda i: alike(question, own[i])), None
        else:
            asked = rng.choice(row["questions"])
            question, answer = asked["q"], asked["a"]
            at = next((i for i, s in enumerate(own) if answer in s), None)
            if at is None:
                return None
            others = [i for i in range(len(own)) if answer not in own[i]]
            if form < 0.42:
                if form < 0.23 or not others:
                    row = self._passage(rng)
                    own = pieces_of(row["text"])
                    at = rng.randrange(len(own))
                elif form < 0.36:
                    at = max(others, key=lambda i: alike(question, own[i]))
                else:
                    at = rng.choice(others)
                if answer in own[at]:
                    return None
                answer = None
        prose = "|" not in row["text"]
        sentence, first = own[at], at
        if prose and rng.random() < WINDOW:
            first, last = max(0, at - rng.randint(0, 2)), at + rng.randint(0, 2)
            sentence = " ".join(own[first: last + 1])
            if answer is None and form >= 0.2 and asked["a"] in sentence:
                return None
        before = own[first - 1] if first and prose and rng.random() < 0.4 else ""
        return example(self.pieces, change(question), change(shown(row["heading"], before)), change(sentence), answer and change(answer))

    def _cloze(self, rng):
        title, text = rng.choice(self.texts[rng.choice(("ko", "en"))])
        own = sentences(text)
        at = rng.randrange(len(own)) if own else None
        if at is None or not 30 < len(own[at]) < 300:
            return None
        made = (asked_en if language_of(own[at]) == "en" else asked_ko)(rng, own[at])
        if not made or made[1] == own[at]:
            return None
        question, answer = made
        if rng.random() < 0.25:
            others = [i for i in range(len(own)) if answer not in own[i] and len(own[i]) > 20]
            if not others:
                return None
            at, answer = max(others, key=lambda i: alike(question, own[i])), None
        before = own[at - 1] if at and rng.random() < 0.4 else ""
        return example(self.pieces, question, shown(title, before[:200]), own[at], answer)
