"""Questions that were written, not generated: `written/*.jsonl`, passages with six questions each, answered by a span of the passage.

    {"lang", "heading", "text", "questions": [{"q", "a", "lang"}], "absent": ["a question that the text does not answer"]}

`written(rng, rows, most, longest)` makes an example of one of them: its passage whole or cut to some of its sentences, as the program cuts
them, among parts of other passages; numbers may have gaps, as where the program leaves passages out. Figures change from one telling to
the next (in question, passage and answer alike), so that they cannot be learnt by heart.
"""

import json
import pathlib
import re

from phrasings import ABSTENTION
from reading import cited, held_out, prompt, sentences

FOLDER = pathlib.Path(__file__).parent / "written"
DIGITS = re.compile(r"\d+")
HIGHEST = 6  # passages that the program retrieves
JOINTS = {"ko": (" 그리고 ", " 또 "), "en": (" And ", " Also, ")}


def read_written(folder=FOLDER):
    """All rows, and in their order, so that the same `rng` draws the same."""
    return [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text(encoding="utf-8").splitlines() if line]


def of_written():
    """Written passages to learn from, and one in twenty that never is."""
    return held_out(read_written(), "text", 0.05)


def parts(text):
    """Lines of a table, or sentences."""
    lines = [line for line in text.split("\n") if line.strip()]
    return lines if len(lines) > 1 else sentences(text)


def renumbered(rng, text):
    """A function that changes the figures of `text` wherever they stand: as many digits, the larger stays the larger, days and years stay possible."""
    groups = {}
    for number in set(DIGITS.findall(text)):
        year = re.fullmatch(r"1[5-9]\d\d|20\d\d", number)
        low, high = (1500, 2100) if year else (10, 32) if len(number) == 2 and number <= "31" else (32 if len(number) == 2 else 10 ** (len(number) - 1), 10 ** len(number))
        if len(number) > 1 and number[0] != "0":
            groups.setdefault((low, high), []).append(number)
    table = {}
    for (low, high), old in groups.items():
        if (low, high) == (1500, 2100):
            shift = rng.randint(-9, 9)
            table |= {n: str(int(n) + shift) for n in old}
        elif len(old) <= high - low:
            new = sorted(rng.sample(range(low, high), len(old)))
            table |= {a: str(b) for a, b in zip(sorted(old), new)}
    return lambda s: DIGITS.sub(lambda m: table.get(m.group(), m.group()), s)


def written(rng, rows, most=3, longest=400):
    """(task, prompt, answer) or None where what was drawn does not fit."""
    row = rng.choice(rows)
    change = renumbered(rng, row["text"]) if rng.random() < 0.6 else lambda s: s
    own = [change(p) for p in parts(row["text"])]
    form = rng.random()
    asked = [rng.choice(row["questions"])]
    if form < 0.06:
        second = rng.choice(row["questions"])
        if second["q"] != asked[0]["q"] and second["lang"] == asked[0]["lang"]:
            asked.append(second)
    absent = 0.06 <= form < 0.13
    gone = 0.13 <= form < 0.16
    language = asked[0]["lang"]
    if absent:
        question = rng.choice(row["absent"])
        language = "ko" if re.search("[가-힣]", question) else "en"
    else:
        question = rng.choice(JOINTS[language]).join(a["q"] for a in asked)
    answers = [change(a["a"]) for a in asked]
    needed = {i for a in answers for i, p in enumerate(own) if a in p}
    if not all(any(a in p for p in own) for a in answers):
        return None  # an answer over two sentences
    # Whole, or what is left of it where the program has little room.
    share = rng.choice((0.15, 0.15, 0.4, 0.4, 1))
    body = ("\n" if share < 1 or "\n" in row["text"] else " ").join(p for i, p in enumerate(own) if i in needed or rng.random() < share)
    passages = [] if gone else [(row["heading"], body, True)]
    for _ in range(max(rng.randint(1, most), 1 + gone) - 1):
        other = rng.choice(rows)
        there = parts(other["text"])
        start, count = rng.randrange(len(there)), rng.randint(1, 3)
        body = "\n".join(there[start: start + count])
        if other is not row and len(body) <= longest and not any(a in body for a in answers):
            passages.append((other["heading"], body, False))
    if not passages:
        return None
    rng.shuffle(passages)
    numbers = sorted(rng.sample(range(1, HIGHEST + 1), len(passages))) if rng.random() < 0.5 else range(1, len(passages) + 1)
    shown = prompt(change(question), [(h, b) for h, b, _ in passages], numbers)
    if absent or gone:
        return f"answer {language}", shown, ABSTENTION[language]
    n = next(n for n, p in zip(numbers, passages) if p[2])
    return f"answer {language}", shown, " ".join(cited(a, n) for a in answers)
