"""Sectora's scores of pairs (rerankers, entailment models) against sentence-transformers' `CrossEncoder`.

Usage: pairs.py ENCODE_PROGRAM FOLDER... The first question in the texts stands beside every text that is not empty: as the
question of a reranker, as the premise of an entailment model (a folder with a label `entailment`). Prints the largest
difference of a score and, so that one sees that the comparison could fail, their spread. Fails above 1e-4.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from sentence_transformers import CrossEncoder

TOLERANCE = 1e-4
TEXTS = [t for t in json.loads((Path(__file__).parent / "texts.json").read_text()) if t.strip()]
QUESTION = next(t for t in TEXTS if t.endswith("?"))


def main():
    program, folders = sys.argv[1], sys.argv[2:]
    failed = not folders
    for folder in folders:
        model = CrossEncoder(folder, device="cpu")
        entailment = model.model.config.label2id.get("entailment")
        task = "rerank" if entailment is None else "entailment"
        theirs = model.predict([(QUESTION, t) for t in TEXTS], apply_softmax=entailment is not None, show_progress_bar=False)
        theirs = theirs if entailment is None else theirs[:, entailment]
        run = subprocess.run([program, folder, task], input=json.dumps([QUESTION, *TEXTS]), capture_output=True, text=True)
        if run.returncode:
            raise SystemExit(f"{folder}: {run.stderr}")
        ours = np.array(json.loads(run.stdout)["scores"])
        largest = np.abs(theirs - ours).max()
        failed |= not largest <= TOLERANCE
        print(f"{task:<10} {Path(folder).name:<8} {len(ours)} scores from {ours.min():.3f} to {ours.max():.3f}, "
              f"largest difference {largest:.2e}")
    raise SystemExit(failed)


main()
