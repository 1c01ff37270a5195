#!/usr/bin/env python3
"""Writes src/text/hanja.txt: the Korean reading of each Chinese character that has one.

    make.py Unihan_Readings.txt[.bz2] > ../../src/text/hanja.txt

Unihan_Readings.txt is part of the Unicode Character Database (Debian package unicode-data). A character with several
readings gets the one taught at school, else one that KS X 1001 lists, else the first.
"""

import bz2
import collections
import sys

opened = bz2.open(sys.argv[1], "rt", encoding="utf-8") if sys.argv[1].endswith(".bz2") else open(sys.argv[1], encoding="utf-8")
of = collections.defaultdict(list)
for line in opened:
    if "\tkHangul\t" in line:
        code, _, values = line.rstrip("\n").split("\t")
        readings = [value.split(":") for value in values.split(" ")]
        best = max(readings, key=lambda r: ("E" in r[1], "0" in r[1]))
        of[best[0]].append(chr(int(code[2:], 16)))
for reading in sorted(of):
    print(reading + "".join(sorted(of[reading])))
