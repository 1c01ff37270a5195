#!/usr/bin/env python3
"""export.py RUN/model.safetensors OUT: writes the model as the program reads it, `model.gguf` and `config.json`.

Matrices of the layers as Q8_0, the vectors of the pieces as Q4_0 (which they came in, and were not changed), places and types in half precision, the rest as it is.
"""

import json
import pathlib
import sys

import gguf
import numpy
from safetensors.numpy import load_file

from model import HEADS

Q = gguf.GGMLQuantizationType


def kind(name, tensor):
    if name == "embeddings.word_embeddings.weight":
        return Q.Q4_0
    if name.startswith("embeddings") and tensor.ndim == 2:
        return Q.F16
    return Q.Q8_0 if tensor.ndim == 2 and name != "head.weight" else Q.F32


def export(tensors, out):
    writer = gguf.GGUFWriter(out / "model.gguf", "bert")
    for name, tensor in sorted(tensors.items()):
        writer.add_tensor(name, gguf.quants.quantize(numpy.ascontiguousarray(tensor, dtype=numpy.float32), kind(name, tensor)), raw_dtype=kind(name, tensor))
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()
    words = tensors["embeddings.word_embeddings.weight"]
    inner, hidden = tensors["encoder.layer.0.intermediate.dense.weight"].shape
    layers = sum(name.endswith("query.weight") for name in tensors)
    config = dict(model_type="bert", vocab_size=len(words), hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=HEADS, intermediate_size=inner,
                  hidden_act="gelu", max_position_embeddings=len(tensors["embeddings.position_embeddings.weight"]), type_vocab_size=2, layer_norm_eps=1e-12, pad_token_id=1)
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def exported(file):
    """The tensors of a file, as they are after rounding."""
    return {t.name: gguf.quants.dequantize(t.data, t.tensor_type).reshape(tuple(reversed(t.shape))).astype(numpy.float32) for t in gguf.GGUFReader(file).tensors}


if __name__ == "__main__":
    export(load_file(sys.argv[1]), pathlib.Path(sys.argv[2]))
