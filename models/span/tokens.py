"""Text to tokens with their places, exactly as src/answer/span/tokens.rs does it.

Pieces are those of the encoder inside the program (`../embedded/pieces.txt`), digits one by one; marks, which that encoder drops, are tokens here
(`MARKS`; any other is `OTHER`), and so is a character that is no piece (`UNKNOWN`). A token: id, start and end in characters, whether a space or
the beginning of the text stands before it.
"""

import pathlib
import sys
import typing
import unicodedata

sys.path.append(str(pathlib.Path(__file__).parent.parent / "embedded"))
from pieces import Pieces, script  # noqa: E402

EMBEDDED = pathlib.Path(__file__).parent.parent / "embedded"
MARKS = ".,:;%()[]\"'/-~+=·°<>|&?!℃"
PIECES = 65_968
CLS, SEP, UNKNOWN, OTHER = PIECES, PIECES + 1, PIECES + 2, PIECES + 3
FIRST_MARK = PIECES + 4
ALL = FIRST_MARK + len(MARKS)


class Token(typing.NamedTuple):
    id: int
    start: int
    end: int
    apart: bool


def read_pieces():
    return Pieces((EMBEDDED / "pieces.txt").read_text(encoding="utf-8").splitlines())


def tokens(pieces, text):
    letters = [(c, i) for i, original in enumerate(text) for c in unicodedata.normalize("NFKC", original).lower()]
    found, at, apart = [], 0, True
    while at < len(letters):
        c, place = letters[at]
        kind = script(c)
        if c.isspace():
            apart, at = True, at + 1
            continue
        end = at + 1
        if kind in ("h", "l"):
            while end < len(letters) and script(letters[end][0]) == kind:
                end += 1
        if kind:
            run = "".join(c for c, _ in letters[at:end])
            start = at
            for length, id in cut(pieces, run):
                found.append(Token(UNKNOWN if id is None else id, letters[start][1], letters[start + length - 1][1] + 1, apart))
                start, apart = start + length, False
        else:
            found.append(Token(FIRST_MARK + MARKS.index(c) if c in MARKS else OTHER, place, place + 1, apart))
        apart, at = False, end
    return found


def cut(pieces, run):
    """Lengths and ids of the pieces of a run; a character that is none stands alone."""
    if run in pieces.ids:
        return [(len(run), pieces.ids[run])]
    ids, out, at = pieces.cut(run), [], 0
    for id in ids:
        name = pieces.names[id]
        while not run.startswith(name, at):
            out.append((1, None))
            at += 1
        out.append((len(name), id))
        at += len(name)
    return out + [(1, None)] * (len(run) - at)
