"""Examples for the span reader: a question, a heading, a sentence, and where in the sentence the answer is, if it is there.

`Examples(pieces, rows, texts, seed).group(i)` is question `i` of a seed with two or three sentences, always the same: the one that answers it stands first,
behind it sentences like it that do not; or none answers. `rows` are the written questions of `../reader/written`,
`texts` openly licensed text of `../reader/gather.py`, whose own sentences are made into questions (`../reader/reading.py`).
"""

import collections
import itertools
import math
import pathlib
import random
import sys
import typing

sys.path.append(str(pathlib.Path(__file__).parent.parent / "reader"))
from reading import asked_en, asked_ko, language_of, sentences  # noqa: E402
from world import World  # noqa: E402
from written import parts, renumbered  # noqa: E402

from tokens import BEGIN, NEXT  # noqa: E402

CLOZE = 0.2  # of the questions: made of real text's own sentences
ABSENT = 0.2  # of the written questions
LONGEST = 192  # tokens in all
OTHER_WORDS = 2  # how often passages asked in other words (those with six questions without an answer) are drawn for once of the others
NEAREST = 5  # other passages that a sentence may be taken from
WINDOW = 0.1  # of the prose: some sentences together, as a passage is read
BEFORE = 0.7  # of the prose: the sentence before is shown, as the program always shows it
SECTIONS = {"ko": "결과;방법;목표;개요;요약;본문;논의;1. 개요;2. 방법;3. 결과;4. 성과".split(";"), "en": "Result;Method;Aim;Overview;Summary;Discussion;1. Introduction;2. Methods;3. Results".split(";")}
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


def headed(rng, row):
    """The heading as the program writes it: title > section | institution | year, as far as a document has them."""
    heading = row["heading"]
    if rng.random() < 0.4:
        heading += f" > {rng.choice(SECTIONS[row['lang']])}"
    if rng.random() < 0.4:
        heading += f" | {World(rng).organisation()[row['lang'] == 'en']}"
    return heading + (f" | {rng.randint(2008, 2026)}" if rng.random() < 0.4 else "")


def shown(heading, before):
    """The heading, behind it the sentence before."""
    return f"{heading}\n{before}" if before else heading


class Neighbours:
    """Passages that speak of nearly the same, by the tokens they share, the rare ones before all."""

    def __init__(self, pieces, rows):
        self.tokens = [{t.id for t in pieces.of(f"{r['heading']} {r['text']}")} for r in rows]
        self.having = collections.defaultdict(list)
        for i, tokens in enumerate(self.tokens):
            for t in tokens:
                self.having[t].append(i)
        self.known = {}

    def of(self, i):
        """The places of the nearest, the nearest first."""
        if i not in self.known:
            shared = collections.Counter()
            for t in sorted(self.tokens[i]):
                weight = math.log(len(self.tokens) / len(self.having[t]))
                # What every third passage has tells nothing and takes long.
                for j in self.having[t] if weight > 1 else ():
                    shared[j] += weight
            del shared[i]
            self.known[i] = [j for j, _ in sorted(shared.items(), key=lambda of: (-of[1], of[0]))[:NEAREST]]
        return self.known[i]


class Examples:
    def __init__(self, pieces, rows, texts, seed, cloze=CLOZE):
        self.pieces, self.rows, self.seed, self.cloze = pieces, rows, seed, cloze
        # A passage is drawn as often as it has questions.
        self.shares = list(itertools.accumulate((len(r["questions"]) + len(r["absent"])) * (OTHER_WORDS if len(r["absent"]) >= 6 else 1) for r in rows))
        self.neighbours = Neighbours(pieces, rows)
        self.texts = {language: [(r["title"], r["text"]) for r in texts if r["language"] == language] for language in ("ko", "en")}

    def group(self, i):
        for attempt in range(1000):
            rng = random.Random(f"{self.seed}:{i}:{attempt}")
            made = self._cloze(rng) if self.texts["ko"] and rng.random() < self.cloze else self._written(rng)
            if made and all(made):
                return made
        raise ValueError(f"no example was found for place {i}")

    def _written(self, rng):
        place = rng.choices(range(len(self.rows)), cum_weights=self.shares)[0]
        row = self.rows[place]
        change = renumbered(rng, row["text"]) if rng.random() < 0.5 else lambda s: s
        own = pieces_of(row["text"])
        if rng.random() < ABSENT:
            question, answer = rng.choice(row["absent"]), None
            said = question
        else:
            asked = rng.choice(row["questions"])
            question, answer = asked["q"], asked["a"]
            # The same was asked in other words or in the other language: sentences like any of them.
            said = " ".join(q["q"] for q in row["questions"] if q["a"] == answer)
        by_likeness = lambda sentences: sorted((i for i, s in enumerate(sentences) if not answer or answer not in s), key=lambda i: -alike(said, sentences[i]))
        rivals, group, heading = by_likeness(own), [], headed(rng, row)
        if answer:
            at = next((i for i, s in enumerate(own) if answer in s), None)
            if at is None:
                return None
            group.append(self._shown(rng, row, heading, own, at, question, answer, change))
        if rivals:
            first = rivals.pop(0 if rng.random() < 0.75 else rng.randrange(len(rivals)))
            group.append(self._shown(rng, row, heading, own, first, question, None, change, but=answer))
        near = rng.choice(self.neighbours.of(place) or [place])
        theirs = pieces_of(self.rows[near]["text"])
        others = by_likeness(theirs)
        if rivals and rng.random() < 0.4:
            group.append(self._shown(rng, row, heading, own, rng.choice(rivals), question, None, change, but=answer))
        elif others and near != place:
            group.append(self._shown(rng, self.rows[near], headed(rng, self.rows[near]), theirs, others[0], question, None, change, but=answer))
        return group

    def _shown(self, rng, row, heading, own, at, question, answer, change, but=None):
        """A sentence of a passage as it is shown, from time to time with what stands around it, unless that holds `but`."""
        prose = "|" not in row["text"]
        sentence, first = own[at], at
        if prose and rng.random() < WINDOW:
            first, last = max(0, at - rng.randint(0, 2)), at + rng.randint(0, 2)
            sentence = " ".join(own[first: last + 1])
            if but and but in sentence:
                sentence, first = own[at], at
        before = own[first - 1] if first and prose and rng.random() < BEFORE else ""
        return example(self.pieces, change(question), change(shown(heading, before)), change(sentence), answer and change(answer))

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
        of = lambda at, answer: example(self.pieces, question, shown(title, own[at - 1][:200] if at and rng.random() < BEFORE else ""), own[at], answer)
        others = [i for i in range(len(own)) if answer not in own[i] and 20 < len(own[i]) < 300]
        group = [] if others and rng.random() < 0.15 else [of(at, answer)]
        return group + [of(max(others, key=lambda i: alike(question, own[i])), None)] if others else group
