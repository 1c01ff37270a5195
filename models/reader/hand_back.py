#!/usr/bin/env python3
"""`hand_back.py RUN FOLDER`: the weights of a run in pieces of at most 16 MiB, its state and its log."""

import pathlib
import shutil
import sys

from weights import load, save_pieces

run, folder = map(pathlib.Path, sys.argv[1:3])
files = save_pieces(load(run), folder)
shutil.copy(run / "log.tsv", folder / "log.tsv")
for file in (*files, folder / "log.tsv"):
    print(file.name, file.stat().st_size)
    if file.stat().st_size > 16 << 20:
        raise SystemExit(f"{file} is larger than 16 MiB")
