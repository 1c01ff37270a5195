"""Korean particles by the final consonant of the word before them, and Latin spellings of Korean syllables.

A template is plain text with slots: `{name}` is filled as it stands, `{name:은}` is followed by the particle
that fits (은 or 는). Digits, Latin letters and units are read as they are spoken: `7` ends in ㄹ, `MPa` too.
"""

import re

PAIRS = {
    "은": ("은", "는"), "는": ("은", "는"), "이": ("이", "가"), "가": ("이", "가"), "을": ("을", "를"), "를": ("을", "를"),
    "과": ("과", "와"), "와": ("과", "와"), "으로": ("으로", "로"), "로": ("으로", "로"), "이다": ("이다", "다"),
    "이었다": ("이었다", "였다"), "였다": ("이었다", "였다"), "이며": ("이며", "며"), "이라고": ("이라고", "라고"),
    "이고": ("이고", "고"), "이나": ("이나", "나"), "이란": ("이란", "란"), "이었고": ("이었고", "였고"),
}
NONE, RIEUL, OTHER = 0, 8, 1
# Jongseong in which a spoken digit or letter ends: 0 none, 8 ㄹ, 1 another.
DIGITS = dict(zip("0123456789", (OTHER, RIEUL, NONE, OTHER, NONE, NONE, OTHER, RIEUL, RIEUL, NONE)))
LETTERS = {"l": RIEUL, "r": RIEUL, "m": OTHER, "n": OTHER}
UNITS = {"%": NONE, "℃": NONE, "°C": NONE, "MPa": RIEUL, "kPa": RIEUL, "kg": OTHER, "mg": OTHER, "g": OTHER, "mm": NONE, "nm": NONE,
         "µm": NONE, "kWh": NONE, "Wh/kg": OTHER, "mS/cm": NONE, "V": NONE, "mV": NONE, "ppm": OTHER, "dB": RIEUL, "Hz": NONE, "kHz": NONE,
         "ms": NONE, "kW": NONE, "L": NONE, "mL": NONE, "wt%": NONE, "vol%": NONE, "N": OTHER, "GPa": RIEUL, "rpm": OTHER, "m²": NONE}
INITIAL = "g kk n d tt r m b pp s ss  j jj ch k t p h".split(" ")
VOWEL = "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i".split(" ")
FINAL = ["", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l", "m", "p", "p", "t", "t", "ng", "t", "t", "k", "t", "p", "t"]


def final(word):
    """The final consonant of a word as spoken: 0 none, 8 ㄹ, otherwise another."""
    word = re.sub(r"\([^()]*\)$", "", word).rstrip(" .\"'”」")
    unit = re.search(r"[A-Za-z%°℃µ/²]+$", word)
    if unit and unit.group() in UNITS and unit.start() and word[: unit.start()].rstrip()[-1:].isdigit():
        return UNITS[unit.group()]
    last = word[-1:]
    if "가" <= last <= "힣":
        return (ord(last) - 0xAC00) % 28
    if last in DIGITS:
        return DIGITS[last]
    return LETTERS.get(last.lower(), NONE)


def particle(word, mark):
    """The form of a particle that fits after `word`."""
    closed, open_ = PAIRS[mark]
    end = final(word)
    if closed == "으로" and end == RIEUL:
        return open_
    return closed if end else open_


SLOT = re.compile(r"\{(\w+)(?::([가-힣]+))?\}")


def fill(template, values):
    """Fills the slots of a template of either language."""
    def one(match):
        word = values[match.group(1)]
        mark = match.group(2) or ""
        return word + (particle(word, mark) if mark in PAIRS else mark)
    return SLOT.sub(one, template)


def latin(word):
    """A Korean name in Latin letters, syllable by syllable (Revised Romanization without assimilation)."""
    out = ""
    for c in word:
        if "가" <= c <= "힣":
            n = ord(c) - 0xAC00
            out += INITIAL[n // 588] + VOWEL[n % 588 // 28] + FINAL[n % 28]
        else:
            out += c
    return out.capitalize()
