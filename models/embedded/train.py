#!/usr/bin/env python3
"""Trains the static encoder: one vector a piece, a text is the normalised sum.

    train.py DATA OUT [--steps N] [--dim D] [--check FILE.jsonl ...]

1. Latin pieces start from MiniLM's vectors of them, reduced by PCA, scaled by a / (a + p) (SIF, Arora et al. 2017).
2. Korean pieces start from the mean of the English vectors of the sentences they translate.
3. All are trained with in-batch negatives (symmetric InfoNCE) on translation pairs and on English heading-text and
   word-definition pairs, and towards the teacher's vector of whole English texts.
4. OUT/pieces.txt, OUT/weights.i8 (rows of int8), OUT/scales.f32 (one a row) and OUT/version.txt (start of their SHA-256) are written.

--check files (jsonl with "ko" and "en") are only measured: recall@10 Korean -> English.
"""

import argparse
import collections
import hashlib
import json
import math
import pathlib
import pickle
import random
import re
import time

import numpy
import torch
import torch.nn.functional as F

from pieces import Pieces, script

# How often a source is drawn: the square root of its pairs times this.
WEIGHT = {"terms": 6, "sentences": 6, "omw-wikt": 3, "omw-cldr": 2, "tatoeba": 4, "ntrex": 5, "pud": 5, "jhe": 4, "MicrosoftDocs+cpp-docs.ko-kr": 0.5, "cldr": 0.7}
SIF = 1.5e-4
# What cosines are multiplied by in the losses. A learnt one rose above 30, where a translation need not come close to be told
# from the batch; words then lay at cosines of 0.5 from their translations, now at 0.7.
SCALE = 12.0
# Pairs within one language, and how often each kind is drawn.
WITHIN = ["wordnet", "docs", "wordnet", "docs", "paraphrases"]


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def bag(rows, device=None):
    """Lists of ids -> what embedding_bag takes."""
    lengths = torch.tensor([0] + [len(r) for r in rows[:-1]])
    return torch.tensor([i for r in rows for i in r], dtype=torch.long), lengths.cumsum(0)


def embed(table, rows):
    flat, offsets = bag(rows)
    return F.normalize(F.embedding_bag(flat, table, offsets, mode="sum", sparse=table.requires_grad), dim=1)


def recall(table, pieces, rows, at=10):
    with torch.no_grad():
        ko = embed(table, [pieces.encode(r["ko"]) or [0] for r in rows])
        en = embed(table, [pieces.encode(r["en"]) or [0] for r in rows])
        both = []
        for a, b in ((ko, en), (en, ko)):
            scores = a @ b.T
            rank = (scores > scores.diagonal().unsqueeze(1)).sum(1)
            both.append((rank < at).float().mean().item())
    return both


def read_texts(options, pieces, rng):
    """Texts to ids, by source, and how often each piece occurs; kept in DATA/ids.pickle."""
    kept = options.data / f"ids-{options.cap}.pickle"
    if kept.exists() and kept.stat().st_mtime > (options.data / "pieces.txt").stat().st_mtime:
        return pickle.loads(kept.read_bytes())
    texts = collections.defaultdict(list)
    for row in lines(options.data / "pairs.jsonl"):
        texts[row["source"]].append((row["ko"], row["en"]))
    for row in lines(options.data / "english.jsonl"):
        kind = "wordnet" if row["source"].startswith("globalwordnet") else "paraphrases" if row["source"] == "paraphrases" else "docs"
        texts[f"en:{kind}"].append((row["a"], row["b"]))
    groups, english, count = {}, {}, numpy.zeros(len(pieces))
    for source, rows in texts.items():
        if len(rows) > options.cap and source != "en:wordnet":
            rows = rng.sample(rows, options.cap)
        ids = [(pieces.encode(a)[:128], pieces.encode(b)[:128]) for a, b in rows]
        ids = [(a, b) for a, b in ids if a and b]
        for a, b in ids:
            for i in a + b:
                count[i] += 1
        (english if source.startswith("en:") else groups)[source.removeprefix("en:")] = ids
    kept.write_bytes(pickle.dumps((groups, english, count)))
    return groups, english, count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=768)
    parser.add_argument("--dim", type=int, default=224)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop (with the rate brought to 0) after this time")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cap", type=int, default=15_000, help="pairs of one source")
    parser.add_argument("--check", nargs="*", default=[])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    rng = random.Random(1)
    pieces = Pieces((options.data / "pieces.txt").open())

    groups, english, count = read_texts(options, pieces, rng)
    latin = torch.tensor([script(n[0]) in "ldo" for n in pieces.names])
    print(len(pieces), "pieces,", {k: len(v) for k, v in groups.items()}, {k: len(v) for k, v in english.items()}, flush=True)

    # 1. Latin pieces from the teacher.
    names = [line.rstrip("\n").split("\t")[0] for line in (options.data / "teacher_pieces.txt").open()]
    known = numpy.load(options.data / "teacher_pieces.npy")
    row_of = {n: i for i, n in enumerate(names)}
    teacher = torch.zeros(len(pieces), 384)
    found = [(i, row_of[n]) for i, n in enumerate(pieces.names) if n in row_of and latin[i]]
    teacher[[i for i, _ in found]] = torch.from_numpy(known[[r for _, r in found]])
    texts = [json.loads(line) for line in (options.data / "teacher_texts.jsonl").open()] if (options.data / "teacher_texts.jsonl").exists() else []
    vectors = torch.from_numpy(numpy.load(options.data / "teacher_texts.npy").astype(numpy.float32)) if texts else torch.zeros(0, 384)
    texts = [pieces.encode(t)[:96] or [0] for t in texts[: len(vectors)]]
    sample = torch.cat([vectors, teacher[latin]]) if len(texts) else teacher[latin]
    mean = sample.mean(0)
    _, _, axes = torch.pca_lowrank(sample - mean, q=options.dim, center=False, niter=4)
    targets = F.normalize((vectors - mean) @ axes, dim=1) if len(texts) else vectors
    table = torch.zeros(len(pieces), options.dim)
    table[latin] = F.normalize((teacher[latin] - teacher[latin].mean(0)) @ axes, dim=1)
    frequency = torch.from_numpy((count + 0.5) / count.sum()).float().unsqueeze(1)
    weight = SIF / (SIF + frequency)
    table[latin] *= weight[latin]

    # 2. Korean pieces from the English they translate; word lists say it most clearly.
    total = torch.zeros(len(pieces), options.dim)
    mass = torch.zeros(len(pieces), 1)
    for source, rows in groups.items():
        part = rows
        vector = embed(table, [e for _, e in part])
        vector = vector - vector.mean(0)
        flat = torch.tensor([i for k, _ in part for i in k])
        owner = torch.tensor([n for n, (k, _) in enumerate(part) for _ in k])
        share = torch.tensor([1.0 / len(k) for k, _ in part])[owner].unsqueeze(1)
        total.index_add_(0, flat, vector[owner] * share)
        mass.index_add_(0, flat, share)
    korean = ~latin
    table[korean] = (F.normalize(total / mass.clamp_min(1e-6), dim=1) * weight)[korean]
    checks = {pathlib.Path(name).parent.name + "/" + split: rows for name in options.check
              for split, rows in by_split(lines(name)).items()}
    report = lambda: {name: [round(x, 4) for x in recall(table.detach(), pieces, rows)] for name, rows in checks.items()}
    print("after initialisation, recall@10 ko->en, en->ko:", report(), flush=True)

    save(options.out / "start", pieces, table)

    # 3. Contrastive training.
    table.requires_grad_(True)
    optimiser = torch.optim.SparseAdam([table], lr=options.rate, betas=(0.9, 0.99), eps=1e-10)
    sources = list(groups)
    drawn = [math.sqrt(len(groups[s])) * WEIGHT.get(s, 1.0) for s in sources]
    latin_list = latin.tolist()
    start, step = time.time(), 0
    losses = collections.defaultdict(float)

    def korean_side(ids):
        """Without most Latin words, so that the Korean ones must carry the meaning; a word is left out now and then."""
        kept = [i for i in ids if not (latin_list[i] and rng.random() < hide) and rng.random() > 0.08]
        return kept or ids

    def english_side(ids):
        kept = [i for i in ids if rng.random() > 0.08]
        return kept or ids

    while True:
        done = max(step / options.steps, (time.time() - start) / 60 / options.minutes)
        if done >= 1:
            break
        optimiser.param_groups[0]["lr"] = options.rate * min(1, (step + 1) / 50) * (1 - done)
        chosen = rng.choices(sources, drawn, k=options.batch)
        hide = 0.8
        pairs = [rng.choice(groups[s]) for s in chosen]
        k = embed(table, [korean_side(p[0]) for p in pairs])
        e = embed(table, [english_side(p[1]) for p in pairs])
        logits = k @ e.T * SCALE
        same = torch.arange(len(pairs))
        # Equal English texts (synonyms of a word list) are no negatives of one another.
        key = torch.tensor([hash(tuple(p[1])) for p in pairs])
        twin = (key.unsqueeze(0) == key.unsqueeze(1)) & ~torch.eye(len(pairs), dtype=torch.bool)
        logits = logits.masked_fill(twin, -1e4)
        cross = (F.cross_entropy(logits, same) + F.cross_entropy(logits.T, same)) / 2
        half = options.batch // 2
        pairs = [rng.choice(english[WITHIN[i % len(WITHIN)]]) for i in range(half)]
        a = embed(table, [english_side(p[0]) for p in pairs])
        b = embed(table, [english_side(p[1]) for p in pairs])
        logits = a @ b.T * SCALE
        same = torch.arange(half)
        within = (F.cross_entropy(logits, same) + F.cross_entropy(logits.T, same)) / 2
        loss = cross + 0.5 * within
        if texts:
            part = [rng.randrange(len(texts)) for _ in range(options.batch)]
            made = embed(table, [texts[i] for i in part])
            taught = 1 - (made * targets[part]).sum(1).mean()
            loss = loss + 3.0 * taught
            losses["teacher"] += taught.item()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        losses["cross"] += cross.item()
        losses["within"] += within.item()
        step += 1
        if step % 50 == 0:
            shown = {k: round(v / 50, 4) for k, v in losses.items()}
            losses.clear()
            checked = report() if step % 250 == 0 else ""
            print(step, round(time.time() - start), "s", shown, checked, flush=True)
            if step % 250 == 0:
                save(options.out, pieces, table.detach())
    save(options.out, pieces, table.detach())
    print("steps", step, "seconds", round(time.time() - start), "recall@10 ko->en, en->ko:", report())


def by_split(rows):
    splits = collections.defaultdict(list)
    for row in rows:
        splits[row.get("split", "all")].append(row)
    return splits


def save(out, pieces, table):
    """4. int8 rows with one scale each; the norm of a row is its weight in the sum."""
    out.mkdir(parents=True, exist_ok=True)
    top = table.abs().amax(1).clamp_min(1e-8)
    scales = top / 127
    rows = (table / scales.unsqueeze(1)).round().clamp(-127, 127).to(torch.int8)
    names = "".join(f"{n}\t{s:.1f}\n" for n, s in zip(pieces.names, pieces.scores)).encode()
    parts = {"pieces.txt": names, "weights.i8": rows.numpy().tobytes(), "scales.f32": scales.numpy().astype("<f4").tobytes()}
    for name, content in parts.items():
        (out / name).write_bytes(content)
    (out / "version.txt").write_text(hashlib.sha256(b"".join(parts.values())).hexdigest()[:12] + "\n")


if __name__ == "__main__":
    main()
