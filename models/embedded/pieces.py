"""Text to pieces, exactly as src/embed/static_model.rs does it (pieces.txt: piece TAB score, the line number is the id).

NFKC and lower case; then runs of Hangul, of Latin letters, of ASCII digits (one piece a digit), every other letter alone, the rest dropped. A run that is a
piece is taken whole; another is cut by Viterbi into pieces of the highest summed score. A character that is no piece is dropped.
"""

import functools
import re
import unicodedata

LONGEST = 24  # characters of a piece
UNKNOWN = -40.0


RUN = re.compile(r"([가-힣]+)|([a-z\u00df-\u00f6\u00f8-\u024f]+)|([0-9])|([^\W\d_])")


def script(c):
    """h: Hangul, l: Latin, d: digit, o: another script's letter."""
    match = RUN.match(c)
    return "hldo"[match.lastindex - 1] if match else ""


def runs(text):
    return (match.group() for match in RUN.finditer(unicodedata.normalize("NFKC", text).lower()))


class Pieces:
    def __init__(self, lines):
        self.ids, self.scores, self.names = {}, [], []
        for i, line in enumerate(lines):
            name, score = line.rstrip("\n").split("\t")
            self.ids[name] = i
            self.names.append(name)
            self.scores.append(float(score))
        self.cut = functools.lru_cache(maxsize=1_000_000)(self.cut)

    def __len__(self):
        return len(self.names)

    def cut(self, run):
        if run in self.ids:
            return (self.ids[run],)
        best = [(0.0, 0, None)] + [(float("-inf"), 0, None)] * len(run)
        for end in range(1, len(run) + 1):
            for start in range(max(0, end - LONGEST), end):
                piece = self.ids.get(run[start:end])
                if piece is None and end - start > 1:
                    continue
                score = best[start][0] + (UNKNOWN if piece is None else self.scores[piece])
                if score > best[end][0]:
                    best[end] = (score, start, piece)
        found, at = [], len(run)
        while at:
            _, start, piece = best[at]
            if piece is not None:
                found.append(piece)
            at = start
        return tuple(reversed(found))

    def encode(self, text):
        return [piece for run in runs(text) for piece in self.cut(run)]
