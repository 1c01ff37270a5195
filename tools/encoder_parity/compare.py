"""Sectora's vectors against sentence-transformers' for every folder in a directory and both sides.

Usage: compare.py ENCODE_PROGRAM FOLDER... Prints, per folder and side, the smallest cosine between the two programs'
vectors of one text, the largest difference of a component, and, so that one sees that the comparison could fail, the
median cosine between different texts. Fails below 0.9999.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

THRESHOLD = 0.9999
TEXTS = json.loads((Path(__file__).parent / "texts.json").read_text())


def theirs(folder, side):
    # A folder in a form that PyTorch's libraries do not read says beside which the same weights lie.
    reference = Path(folder) / "reference"
    folder = Path(folder).parent / reference.read_text() if reference.is_file() else folder
    model = SentenceTransformer(str(folder), device="cpu")
    if model.tokenizer.pad_token is None:
        model.tokenizer.pad_token = model.tokenizer.eos_token
    name = Path(folder).name.split("-")
    if "e5" in name and not any(model.prompts.values()):
        model.prompts = {"query": "query: ", "document": "passage: "}
    encode = model.encode_query if side == "query" else model.encode_document
    return encode(TEXTS, batch_size=8, show_progress_bar=False).astype(np.float64)


def ours(program, folder, side):
    run = subprocess.run([program, str(folder), side], input=json.dumps(TEXTS), capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"{folder}: {run.stderr}")
    out = json.loads(run.stdout)
    return np.array(out["vectors"], dtype=np.float64), out["cut"]


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def main():
    program, folders = sys.argv[1], sys.argv[2:]
    failed = not folders
    print(f"{'folder':<24} {'side':<9} {'dim':>4} {'cut':>4} {'smallest cosine':>16} {'largest diff.':>14} {'other texts':>12}")
    for folder in folders:
        for side in ("query", "document"):
            a, (b, cut) = theirs(folder, side), ours(program, folder, side)
            if a.shape != b.shape:
                raise SystemExit(f"{folder}: shapes {a.shape} and {b.shape}")
            cosine = (unit(a) * unit(b)).sum(1)
            # The empty text of a model whose padding token has the zero embedding: zero in both programs.
            cosine[(a == 0).all(1) & (b == 0).all(1)] = 1
            between = (unit(a) @ unit(a).T)[np.triu_indices(len(a), 1)]
            worst = cosine.min()
            failed |= not worst >= THRESHOLD
            print(f"{Path(folder).name:<24} {side:<9} {a.shape[1]:>4} {cut:>4} {worst:>16.8f} {np.abs(a - b).max():>14.2e} "
                  f"{np.median(between):>12.3f}")
    print(f"threshold {THRESHOLD}: {'FAILED' if failed else 'passed'}")
    raise SystemExit(failed)


main()
