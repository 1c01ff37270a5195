#!/usr/bin/env python3
"""English vectors of all-MiniLM-L6-v2, the teacher: of every Latin piece, then of sentences.

    teacher.py DATA MINILM [SENTENCES]    writes DATA/teacher_pieces.{npy,txt}, DATA/teacher_texts.jsonl, DATA/teacher_texts.npy
"""

import json
import pathlib
import random
import sys
import time

import numpy
import torch
from transformers import AutoModel, AutoTokenizer

from pieces import Pieces, script


def main():
    data, minilm, wanted = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 60_000
    torch.set_num_threads(1)
    tokenizer, model = AutoTokenizer.from_pretrained(minilm), AutoModel.from_pretrained(minilm).eval()

    @torch.inference_mode()
    def encode(texts, size=64, longest=48, limit=None):
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = numpy.zeros((len(texts), 384), dtype=numpy.float32)
        for at in range(0, len(order), size):
            part = order[at : at + size]
            batch = tokenizer([texts[i] for i in part], padding=True, truncation=True, max_length=longest, return_tensors="pt")
            hidden = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1).float()
            mean = (hidden * mask).sum(1) / mask.sum(1)
            out[part] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return out

    names = Pieces((data / "pieces.txt").open()).names
    latin = [i for i, n in enumerate(names) if script(n[0]) in "ldo"]
    start = time.time()
    if not (data / "teacher_pieces.npy").exists():
        vectors = numpy.zeros((len(names), 384), dtype=numpy.float32)
        vectors[latin] = encode([names[i] for i in latin], 256)
        numpy.save(data / "teacher_pieces.npy", vectors)
        (data / "teacher_pieces.txt").write_text("".join(n + "\n" for n in names))
        print(len(latin), "pieces,", round(time.time() - start), "s", flush=True)

    rng = random.Random(1)
    rows = [json.loads(line) for line in (data / "english.jsonl").open()]
    glosses = [f"{r['a']}: {r['b']}" if ":" not in r["a"] else r["b"] for r in rows if r["source"].startswith("globalwordnet")]
    rng.shuffle(glosses)
    english = [json.loads(line) for line in (data / "pairs.jsonl").open()]
    docs = [r["en"] for r in english if 20 < len(r["en"]) < 220 and not r["source"].startswith("MicrosoftDocs+cpp")]
    rng.shuffle(docs)
    texts = [t for pair in zip(glosses, docs) for t in pair][:wanted]
    done, size = [], 4096
    for at in range(0, len(texts), size):
        done.append(encode(texts[at : at + size]))
        made = numpy.concatenate(done)
        numpy.save(data / "teacher_texts.tmp.npy", made.astype(numpy.float16))
        (data / "teacher_texts.jsonl").write_text("".join(json.dumps(t) + "\n" for t in texts[: len(made)]))
        (data / "teacher_texts.tmp.npy").rename(data / "teacher_texts.npy")
        print(len(made), "texts,", round(time.time() - start), "s", flush=True)


if __name__ == "__main__":
    main()
