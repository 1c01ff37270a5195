"""onnxruntime as a peer of `sectora bench embed --onnxruntime PYTHON`: the same BERT folder, the same texts.

Usage: peer.py FOLDER TEXTS.json THREADS. The graph is written here from config.json and model.safetensors (no PyTorch
needed): f32, and int8 by onnxruntime's own dynamic quantization. Then, for each line `f32` or `int8` on standard input,
all texts are encoded once and one line of JSON is printed: seconds, and at `check` the vectors of the first texts.
Tokenizing is in the time, as it is in ours. Needs onnx, onnxruntime, numpy, tokenizers, safetensors.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file
from tokenizers import Tokenizer

BATCH = 32


class Graph:
    """Nodes and weights as they are added."""

    def __init__(self, weights):
        self.nodes, self.initializers, self.weights, self.count = [], [], weights, 0

    def add(self, kind, inputs, **attributes):
        self.count += 1
        out = f"t{self.count}"
        self.nodes.append(helper.make_node(kind, inputs, [out], name=f"n{self.count}", **attributes))
        return out

    def constant(self, value):
        self.count += 1
        name = f"c{self.count}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def linear(self, x, name):
        product = self.add("MatMul", [x, self.constant(self.weights[f"{name}.weight"].T)])
        return self.add("Add", [product, self.constant(self.weights[f"{name}.bias"])])

    def norm(self, x, name, epsilon):
        scale, shift = (self.constant(self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.add("LayerNormalization", [x, scale, shift], axis=-1, epsilon=epsilon)


def bert(config, weights):
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    epsilon = config.get("layer_norm_eps", 1e-12)
    g = Graph(weights)
    words = g.add("Gather", [g.constant(weights["embeddings.word_embeddings.weight"]), "ids"])
    positions = g.add("Gather", [g.constant(weights["embeddings.position_embeddings.weight"]), "positions"])
    kind = g.constant(weights["embeddings.token_type_embeddings.weight"][0])
    x = g.norm(g.add("Add", [g.add("Add", [words, positions]), kind]), "embeddings.LayerNorm", epsilon)
    shape = g.constant(np.array([0, 0, heads, hidden // heads], dtype=np.int64))
    flat = g.constant(np.array([0, 0, hidden], dtype=np.int64))
    scale = g.constant(np.array(1 / np.sqrt(hidden // heads), dtype=np.float32))
    for i in range(config["num_hidden_layers"]):
        p = f"encoder.layer.{i}"
        q, k, v = (g.add("Reshape", [g.linear(x, f"{p}.attention.self.{n}"), shape]) for n in ("query", "key", "value"))
        q, v = (g.add("Transpose", [t], perm=[0, 2, 1, 3]) for t in (q, v))
        k = g.add("Transpose", [k], perm=[0, 2, 3, 1])
        scores = g.add("Add", [g.add("Mul", [g.add("MatMul", [q, k]), scale]), "bias"])
        mixed = g.add("Transpose", [g.add("MatMul", [g.add("Softmax", [scores], axis=-1), v])], perm=[0, 2, 1, 3])
        attended = g.linear(g.add("Reshape", [mixed, flat]), f"{p}.attention.output.dense")
        x = g.norm(g.add("Add", [attended, x]), f"{p}.attention.output.LayerNorm", epsilon)
        inner = g.add("Gelu", [g.linear(x, f"{p}.intermediate.dense")])
        x = g.norm(g.add("Add", [g.linear(inner, f"{p}.output.dense"), x]), f"{p}.output.LayerNorm", epsilon)
    g.nodes.append(helper.make_node("Identity", [x], ["hidden"]))
    info = helper.make_tensor_value_info
    inputs = [info("ids", TensorProto.INT64, ["b", "t"]), info("positions", TensorProto.INT64, ["b", "t"]),
              info("bias", TensorProto.FLOAT, ["b", 1, 1, "t"])]
    graph = helper.make_graph(g.nodes, "bert", inputs, [info("hidden", TensorProto.FLOAT, ["b", "t", hidden])], g.initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def main():
    folder, file, threads = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    config = json.loads((folder / "config.json").read_text())
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
        sys.exit("peer.py writes the graph of a BERT with gelu only")
    weights = {name.removeprefix("bert."): value.astype(np.float32) for name, value in load_file(folder / "model.safetensors").items()}
    limit = config["max_position_embeddings"]
    stated = folder / "sentence_bert_config.json"
    if stated.exists():
        limit = json.loads(stated.read_text()).get("max_seq_length") or limit
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(limit)
    tokenizer.no_padding()
    texts = json.loads(Path(file).read_text())
    work = tempfile.TemporaryDirectory()
    paths = {"f32": f"{work.name}/f32.onnx", "int8": f"{work.name}/int8.onnx"}
    onnx.save(bert(config, weights), paths["f32"])
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(paths["f32"], paths["int8"], weight_type=QuantType.QInt8, per_channel=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    sessions = {n: onnxruntime.InferenceSession(p, options, providers=["CPUExecutionProvider"]) for n, p in paths.items()}

    def encode(session, texts):
        encoded = tokenizer.encode_batch(texts)
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].ids))
        out = [None] * len(texts)
        for start in range(0, len(order), BATCH):
            chosen = order[start:start + BATCH]
            width = max(len(encoded[i].ids) for i in chosen)
            ids = np.zeros((len(chosen), width), dtype=np.int64)
            seen = np.zeros((len(chosen), width), dtype=np.float32)
            for row, i in enumerate(chosen):
                ids[row, :len(encoded[i].ids)] = encoded[i].ids
                seen[row, :len(encoded[i].ids)] = 1
            positions = np.broadcast_to(np.arange(width, dtype=np.int64), ids.shape)
            bias = ((1 - seen) * -1e9).astype(np.float32)[:, None, None, :]
            hidden = session.run(None, {"ids": ids, "positions": np.ascontiguousarray(positions), "bias": bias})[0]
            pooled = (hidden * seen[:, :, None]).sum(1) / seen.sum(1, keepdims=True)
            pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
            for row, i in enumerate(chosen):
                out[i] = pooled[row]
        return out

    print(json.dumps({"version": onnxruntime.__version__, "tokens": sum(len(e.ids) for e in tokenizer.encode_batch(texts))}), flush=True)
    for line in sys.stdin:
        what = line.strip()
        if what == "check":
            vectors = {n: [v.tolist() for v in encode(s, texts[:8])] for n, s in sessions.items()}
            print(json.dumps(vectors), flush=True)
        elif what in sessions:
            begin = time.perf_counter()
            encode(sessions[what], texts)
            print(json.dumps({"seconds": time.perf_counter() - begin}), flush=True)


main()
