#!/usr/bin/env python3
"""Trains the span reader: train.py OUT --base BASE --texts TEXTS.jsonl [--minutes 60 --threads 2]; BASE is what base.py wrote, or a folder with a model.gguf to go on from."""

import argparse
import json
import math
import pathlib
import random
import sys
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from data import CLOZE, Examples
from export import exported
from model import of_tensors
from tokens import PAD, Pieces

sys.path.append(str(pathlib.Path(__file__).parent.parent / "reader"))
from written import of_written  # noqa: E402

CHOICE = 0.5  # what choosing the sentence counts beside finding the place


def collate(group):
    longest = -(-max(len(e.ids) for e in group) // 8) * 8
    full = lambda value, of: torch.tensor([of(e) + [value] * (longest - len(e.ids)) for e in group])
    return full(PAD, lambda e: e.ids), full(-1, lambda e: e.segments), torch.tensor([e.start for e in group]), torch.tensor([e.end for e in group])


def precision():
    """bfloat16 where the processor multiplies in it: elsewhere it would be slower than single precision."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def spans(logits, most=40):
    """Best (score over "not here", start, end) of each row."""
    out = []
    for row in logits:
        start, end = row[:, 0], row[:, 1]
        both = start[1:, None] + end[None, 1:]
        n = both.shape[0]
        allowed = torch.ones(n, n, dtype=torch.bool).triu().tril(most - 1)
        best = both.masked_fill(~allowed, -1e9).flatten().argmax().item()
        out.append((both.flatten()[best].item() - (start[0] + end[0]).item(), best // n + 1, best % n + 1))
    return out


@torch.no_grad()
def measure(model, groups):
    """Of the questions with an answer: exactly right within its sentence, whatever "not here" says; its sentence said to answer; its sentence the surest
    of the group. Of the questions without: every sentence said not to answer. Of all sentences that do not answer: said so."""
    model.eval()
    exact = here = first = silent = denied = answered = absent = others = 0
    for at in range(0, len(groups), 24):
        some = groups[at: at + 24]
        ids, segments, _, _ = collate([e for group in some for e in group])
        with precision():
            found = iter(spans(model(ids, segments)))
        for group in some:
            read = [next(found) for _ in group]
            surest = max(range(len(read)), key=lambda i: read[i][0])
            negative = [margin <= 0 for e, (margin, _, _) in zip(group, read) if not e.start]
            denied, others = denied + sum(negative), others + len(negative)
            if group[0].start:
                answered += 1
                exact += read[0][1:] == (group[0].start, group[0].end)
                here += read[0][0] > 0
                first += surest == 0
            else:
                absent += 1
                silent += all(negative)
    model.train()
    return exact / max(1, answered), here / max(1, answered), first / max(1, answered), silent / max(1, absent), denied / max(1, others)


def loss_of(logits, starts, ends, sizes):
    """Of each sentence where its answer begins and ends, if anywhere; and of each question which of its sentences answers it, if any
    (after Clark and Gardner 2018, "Simple and effective multi-paragraph reading comprehension": what is said of one sentence is held against the others')."""
    begin, end = logits[:, :, 0], logits[:, :, 1]
    places = F.cross_entropy(begin, starts) + F.cross_entropy(end, ends)
    margins = begin[:, 1:].logsumexp(1) + end[:, 1:].logsumexp(1) - begin[:, 0] - end[:, 0]
    none = margins.new_zeros(1)
    choices, at = [], 0
    for size in sizes:
        choices.append(F.cross_entropy(torch.cat([none, margins[at: at + size]]), (starts[at] > 0).long()))
        at += size
    return places + CHOICE * torch.stack(choices).mean()


def start(folder):
    """The tensors to start from, by name."""
    trained = folder / "model.gguf"
    return {name: torch.tensor(t) for name, t in exported(trained).items()} if trained.exists() else load_file(folder / "base.safetensors")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--base", type=pathlib.Path, required=True)
    parser.add_argument("--texts", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, help="instead of minutes: runs of as many examples, to compare")
    parser.add_argument("--cloze", type=float, default=CLOZE, help="share of the questions that are made of real text")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=12, help="questions a step")
    parser.add_argument("--rate", type=float, default=1.5e-4)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    pieces = Pieces(options.base / "tokenizer.json")
    rows, hidden = of_written()
    texts = [json.loads(line) for line in open(options.texts, encoding="utf-8")] if options.texts else []
    stream = Examples(pieces, rows, texts, options.seed, options.cloze)
    shown_written = Examples(pieces, hidden, [], "held out")
    checks = [shown_written.group(i) for i in range(600)]
    begin = time.time()
    sample = [e for i in range(1000) for e in stream.group(-i - 1)]
    print(f"{len(sample) / (time.time() - begin):.0f} sentences/s are made, {sum(len(e.ids) for e in sample) / len(sample):.0f} tokens each, {len(sample) / 1000:.2f} a question", flush=True)
    model = of_tensors(start(options.base), options.layers, options.dropout)
    learnt = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    print(sum(p.numel() for p in model.parameters()), "parameters", sum(p.numel() for _, p in learnt), "learnt", len(rows), "passages", sum(len(r["questions"]) for r in rows), "questions", flush=True)
    matrices = [p for n, p in learnt if p.ndim == 2 and "embeddings" not in n]
    rest = [p for n, p in learnt if p.ndim != 2 or "embeddings" in n]
    optimiser = torch.optim.AdamW([dict(params=matrices, weight_decay=0.01), dict(params=rest, weight_decay=0.0)], lr=options.rate, betas=(0.9, 0.98), fused=True)
    save = lambda: save_file({n: t.contiguous() for n, t in model.state_dict().items()}, options.out / "model.safetensors")
    print("before", *(f"{x:.3f}" for x in measure(model, checks)), flush=True)
    begin, step, total, n, at = time.time(), 0, 0.0, 0, 0
    share = lambda: step / options.steps if options.steps else (time.time() - begin) / 60 / options.minutes
    while share() < 1:
        pool = sorted((stream.group(at + k) for k in range(8 * options.batch)), key=lambda group: max(len(e.ids) for e in group))
        at += len(pool)
        batches = [pool[k: k + options.batch] for k in range(0, len(pool), options.batch)]
        random.Random(at).shuffle(batches)
        for batch in batches:
            done = share()
            for g in optimiser.param_groups:
                g["lr"] = options.rate * min(1, (step + 1) / 200) * max(0.02, 0.5 + 0.5 * math.cos(math.pi * min(1, done)))
            ids, segments, starts, ends = collate([e for group in batch for e in group])
            with precision():
                logits = model(ids, segments)
            loss = loss_of(logits, starts, ends, [len(group) for group in batch])
            loss.backward()
            torch.nn.utils.clip_grad_norm_([p for _, p in learnt], 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            total, n, step = total + loss.item(), n + 1, step + 1
            if step % 200 == 0:
                print(step, at, round(time.time() - begin), f"{total / n:.3f}", *(f"{x:.3f}" for x in measure(model, checks)), flush=True)
                total, n = 0.0, 0
                save()
    save()
    print("finished", step, at, *(f"{x:.3f}" for x in measure(model, checks)))


if __name__ == "__main__":
    main()
