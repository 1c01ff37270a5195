"""Weights in pieces small enough to be handed back by a lent machine, and how to read them again.

`save_pieces` writes 8-bit weights (Q8_0: 32 weights share an f16 scale; norms stay f32) as FOLDER/weights.0.npz, … of at most
`most` bytes, and FOLDER/state.json with sizes and progress. `load` reads such a folder or a run with a checkpoint.pt. What comes back
from pieces quantizes to the same bytes again, so export.py loses nothing by them.
"""

import json
import pathlib

import numpy
import torch

BLOCK = 32
MOST = 15 << 20


def quantize(values):
    """float (rows, columns) -> int8 of the same shape, f16 scales (rows, columns / 32)."""
    blocks = values.float().numpy().reshape(values.shape[0], -1, BLOCK)
    scales = (numpy.abs(blocks).max(-1) / 127).astype(numpy.float16)
    exact = scales.astype(numpy.float32)[..., None]
    whole = numpy.divide(blocks, exact, out=numpy.zeros_like(blocks), where=exact > 0)
    return numpy.clip(numpy.round(whole), -127, 127).astype(numpy.int8).reshape(values.shape), scales


def dequantize(whole, scales):
    blocks = whole.reshape(whole.shape[0], -1, BLOCK).astype(numpy.float32) * scales.astype(numpy.float32)[..., None]
    return torch.from_numpy(blocks.reshape(whole.shape))


def save_pieces(kept, folder, most=MOST):
    """Writes `kept` (what checkpoint.pt holds) to `folder`; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("weights.*.npz"):
        old.unlink()
    pieces, size = [{}], 0
    for name, tensor in kept["model"].items():
        tensor = tensor.cpu()
        # A matrix that would not fit is cut by rows.
        rows = max(1, most // max(1, 2 * tensor[0].numel())) if tensor.ndim == 2 else tensor.numel()
        for first in range(0, tensor.shape[0], rows):
            part = tensor[first: first + rows]
            arrays = dict(zip(("q", "s"), quantize(part))) if tensor.ndim == 2 else {"f": part.float().numpy()}
            needed = sum(a.nbytes for a in arrays.values())
            if size and size + needed > most:
                pieces.append({})
                size = 0
            size += needed
            pieces[-1] |= {f"{name}/{first}/{kind}": array for kind, array in arrays.items()}
    for n, piece in enumerate(pieces):
        numpy.savez(folder / f"weights.{n}.npz", **piece)
    (folder / "state.json").write_text(json.dumps({"sizes": kept["sizes"], "state": kept["state"], "pieces": len(pieces)}, indent=1) + "\n")
    return sorted(folder.iterdir())


def load(folder):
    """What a run has learnt: {"model", "sizes", "state"} and, from a checkpoint, "optimisers"; of a GGUF file of export.py, with a new state."""
    folder = pathlib.Path(folder)
    if folder.suffix == ".gguf":
        return of_gguf(folder)
    if (folder / "checkpoint.pt").exists():
        return torch.load(folder / "checkpoint.pt", map_location="cpu")
    about = json.loads((folder / "state.json").read_text())
    parts = {}
    for n in range(about["pieces"]):
        with numpy.load(folder / f"weights.{n}.npz") as piece:
            for key in piece.files:
                name, first, kind = key.rsplit("/", 2)
                parts.setdefault(name, {}).setdefault(int(first), {})[kind] = piece[key]
    model = {}
    for name, rows in parts.items():
        ordered = [rows[first] for first in sorted(rows)]
        model[name] = torch.cat([torch.from_numpy(r["f"]) if "f" in r else dequantize(r["q"], r["s"]) for r in ordered])
    return {"model": model, "sizes": about["sizes"], "state": about["state"]}


def of_gguf(path):
    import gguf

    from export import NAMES
    reader = gguf.GGUFReader(path)

    def field(key):
        value = reader.fields[f"qwen3.{key}"].contents()
        return float(f"{value:.7g}") if isinstance(value, float) else value  # floats are f32 there

    back = {theirs: ours for ours, theirs in NAMES.items()}
    names = {"token_embd.weight": "embedding.weight", "output_norm.weight": "norm.weight"}
    model = {}
    for tensor in reader.tensors:
        parts = tensor.name.split(".")
        name = names.get(tensor.name) or f"blocks.{parts[1]}.{back[parts[2]]}.weight"
        model[name] = torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).copy())
    sizes = dict(vocabulary=model["embedding.weight"].shape[0], hidden=field("embedding_length"), layers=field("block_count"), heads=field("attention.head_count"),
                 kv_heads=field("attention.head_count_kv"), head_dim=field("attention.key_length"), feed_forward=field("feed_forward_length"), context=field("context_length"),
                 rope_base=field("rope.freq_base"), epsilon=field("attention.layer_norm_rms_epsilon"))
    return {"model": model, "sizes": sizes, "state": dict(step=0, tokens=0, seconds=0.0, next=0)}
