"""Texts a second of Sectora's encoder, PyTorch (sentence-transformers) and onnxruntime, in turns on the same texts.

Usage: speed.py ENCODE_PROGRAM FOLDER TEXTS.json [ROUNDS]. TEXTS.json is a list of texts. THREADS=n (default 1) threads for
each. Reported are seconds on the clock and seconds of processor time (ours less that of loading the model), the best
round of each, since other work on the machine only ever slows one down; on a busy machine only the processor time of one
thread says anything.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

THREADS = int(os.environ.get("THREADS", "1"))
BATCH = 32

import numpy as np
import onnxruntime
import torch
from sentence_transformers import SentenceTransformer

torch.set_num_threads(THREADS)


def sorted_batches(model, texts):
    tokens = [len(t) for t in model.tokenizer(texts, truncation=True, max_length=model.max_seq_length)["input_ids"]]
    order = np.argsort(tokens)
    for i in range(0, len(order), BATCH):
        chosen = [texts[j] for j in order[i:i + BATCH]]
        yield model.tokenizer(chosen, truncation=True, max_length=model.max_seq_length, padding=True, return_tensors="pt")


class Bare(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def export(model, file):
    sample = model.tokenizer(["one text", "another, longer text"], padding=True, return_tensors="pt")
    bare = Bare(model[0].model).eval()
    dynamic = {"input_ids": {0: "b", 1: "t"}, "attention_mask": {0: "b", 1: "t"}}
    batch, tokens = torch.export.Dim("b", min=1, max=4096), torch.export.Dim("t", min=2, max=512)
    program = torch.onnx.export(
        bare, (sample["input_ids"], sample["attention_mask"]), dynamo=True,
        dynamic_shapes={"input_ids": {0: batch, 1: tokens}, "attention_mask": {0: batch, 1: tokens}})
    program.save(str(file))


def main():
    program, folder, file = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    texts = json.loads(Path(file).read_text())
    model = SentenceTransformer(folder, device="cpu", model_kwargs={"attn_implementation": "sdpa"})
    work = tempfile.TemporaryDirectory()
    onnx = Path(work.name) / "model.onnx"
    export(model, onnx)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])

    def timed(body):
        clock, cpu = time.perf_counter(), time.process_time()
        body()
        return time.perf_counter() - clock, time.process_time() - cpu

    def torch_run():
        return timed(lambda: model.encode(texts, batch_size=BATCH, show_progress_bar=False))

    def onnx_body():
        for batch in sorted_batches(model, texts):
            mask = batch["attention_mask"].numpy()
            hidden = session.run(None, {"input_ids": batch["input_ids"].numpy(), "attention_mask": mask})[0]
            pooled = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
            pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)

    def ours_on(texts):
        environment = os.environ | {"RAYON_NUM_THREADS": str(THREADS), "TOKENIZERS_PARALLELISM": "false"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = subprocess.run([program, folder, "document"], input=json.dumps(texts), capture_output=True, text=True,
                             env=environment, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return json.loads(run.stdout)["seconds"], cpu

    loading = min(ours_on([])[1] for _ in range(3))

    def ours():
        clock, cpu = ours_on(texts)
        return clock, cpu - loading

    runs = {"sectora": ours, "torch": torch_run, "onnxruntime": lambda: timed(onnx_body)}
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(run())
    count = sum(len(t) for t in model.tokenizer(texts, truncation=True, max_length=model.max_seq_length)["input_ids"])
    print(f"{len(texts)} texts, {count} tokens, {THREADS} threads, {rounds} rounds, load {os.getloadavg()[0]:.1f}")
    best = {}
    for name, values in times.items():
        clock, cpu = (min(v[i] for v in values) for i in (0, 1))
        best[name] = (clock, cpu)
        print(f"{name:<12} clock {clock:7.2f} s {len(texts) / clock:7.1f} texts/s   processor {cpu:7.2f} s "
              f"{len(texts) / cpu:7.1f} texts/s {count / cpu:8.0f} tokens/s")
    for name in ("torch", "onnxruntime"):
        clock, cpu = (best[name][i] / best["sectora"][i] for i in (0, 1))
        print(f"sectora / {name}: {cpu:.2f} times the speed by processor time, {clock:.2f} by the clock")


main()
