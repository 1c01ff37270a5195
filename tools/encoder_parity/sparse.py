"""Sectora's learned token weights against the same formula in PyTorch, for every folder with a sparse head.

Usage: sparse.py ENCODE_PROGRAM FOLDER... The formula is that of M3-Embedding (https://arxiv.org/abs/2402.03216): relu of a linear
layer over the last hidden states, the largest where a token occurs more than once, without the tokenizer's special tokens; the
hidden states are transformers' own. Prints how many weights there are, their spread, and the largest difference. Fails above
1e-4 and where a weight above that is on one side only.
"""

import json
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

TOLERANCE = 1e-4
TEXTS = json.loads((Path(__file__).parent / "texts.json").read_text())


def head(folder):
    pickled = folder / "sparse_linear.pt"
    state = torch.load(pickled, weights_only=True) if pickled.is_file() else load_file(folder / "sparse_linear.safetensors")
    linear = torch.nn.Linear(state["weight"].shape[1], 1)
    linear.load_state_dict({name: value.float() for name, value in state.items()})
    return linear


@torch.no_grad()
def theirs(folder):
    tokenizer, model, linear = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder), head(folder)
    longest = json.loads((folder / "sentence_bert_config.json").read_text()).get("max_seq_length") or tokenizer.model_max_length
    special = set(tokenizer.all_special_ids)
    model.eval()
    for text in TEXTS:
        batch = tokenizer(text, truncation=True, max_length=longest, return_tensors="pt")
        weights = linear(model(**batch).last_hidden_state).relu()[0, :, 0]
        largest = {}
        for token, weight in zip(batch["input_ids"][0].tolist(), weights.tolist()):
            if token not in special and weight > 0:
                largest[token] = max(weight, largest.get(token, 0))
        yield largest


def main():
    program, folders = sys.argv[1], [Path(f) for f in sys.argv[2:]]
    failed = not folders
    for folder in folders:
        run = subprocess.run([program, str(folder), "learned"], input=json.dumps(TEXTS), capture_output=True, text=True)
        if run.returncode:
            raise SystemExit(f"{folder}: {run.stderr}")
        ours = [dict(zip(*weights)) if weights else {} for weights in json.loads(run.stdout)["weights"]]
        wanted = list(theirs(folder))
        pairs = [(a.get(token, 0), b.get(token, 0)) for a, b in zip(ours, wanted) for token in a.keys() | b.keys()]
        largest = max(abs(a - b) for a, b in pairs)
        values = torch.tensor([b for _, b in pairs])
        failed |= len(ours) != len(wanted) or not values.numel() or not largest <= TOLERANCE
        print(f"sparse     {folder.name:<16} {len(pairs)} weights of {len(wanted)} texts, {values.min():.3f} to {values.max():.3f}, "
              f"largest difference {largest:.2e}")
    raise SystemExit(failed)


main()
