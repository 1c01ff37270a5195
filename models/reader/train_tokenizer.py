#!/usr/bin/env python3
"""Learns the merges: `train_tokenizer.py TEXTS.jsonl [--size 16384] [--out merges.txt]` (needs the PyPI package `tokenizers`).

Learns from invented examples and from the texts of gather.py, Korean ones twice, so that both languages get their share.
"""

import argparse
import json
import pathlib
import random

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from bpe import CONTROL, MARKS
from tasks import example

QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("texts", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=16384)
    parser.add_argument("--examples", type=int, default=6000)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "merges.txt")
    options = parser.parse_args()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    room = options.size - len(CONTROL) - len(MARKS)
    trainer = trainers.BpeTrainer(vocab_size=room, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, min_frequency=3)

    def texts():
        for line in options.texts.open(encoding="utf-8"):
            row = json.loads(line)
            for _ in range(2 if row["language"] == "ko" else 1):
                yield row["title"] + "\n" + row["text"]
        for i in range(options.examples):
            _, prompt, answer = example(random.Random(f"tokenizer:{i}"), 4)
            yield prompt + "\n" + answer

    tokenizer.train_from_iterator(texts(), trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    lines = [m if isinstance(m, str) else " ".join(m) for m in merges]
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(len(lines), "merges,", len(lines) + 256 + len(CONTROL) + len(MARKS), "tokens")


if __name__ == "__main__":
    main()
