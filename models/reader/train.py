#!/usr/bin/env python3
"""Trains the reader; stops and goes on where it stopped.

    train.py OUT --texts TEXTS.jsonl[.xz] --minutes 60 [--size cpu|gpu|small|tiny] [--tokens 8192] [--rate 2e-3] [--stop-after 9]
                 [--weights PIECES|FILE.gguf] [--without invented|cloze|selected|copied|paired|plain|written|reading …]

OUT/checkpoint.pt holds weights, optimiser and place in the data; OUT/log.tsv one line an interval: tokens, seconds, loss of answers,
loss of what is read, shares of held-out answers written exactly (greedy), rate. `--minutes` is the whole run over all its pieces, the
rate falls to a twentieth over its last third; `--stop-after` ends this piece earlier (what it had made of examples ahead is left out). Matrices learn by Muon (Jordan et al. 2024), the rest by AdamW.
"""

import argparse
import collections
import dataclasses
import json
import lzma
import math
import multiprocessing
import pathlib
import random
import time

import torch
import torch.nn.functional as F

import induction
from bpe import Bpe
from model import Reader, Sizes
from reading import held_out
from stream import INGREDIENTS, KINDS, Stream, collate
from weights import load
from written import of_written

SIZES = {
    "tiny": dict(hidden=64, layers=3, heads=2, kv_heads=1, head_dim=32, feed_forward=128, context=1024, rope_base=1e6),
    "small": dict(hidden=128, layers=6, heads=2, kv_heads=1, head_dim=64, feed_forward=352, context=1024, rope_base=1e6),
    "cpu": dict(hidden=256, layers=6, heads=4, kv_heads=2, head_dim=64, feed_forward=704, context=1024, rope_base=1e6),
    "gpu": dict(hidden=512, layers=8, heads=8, kv_heads=4, head_dim=64, feed_forward=1536, context=4096, rope_base=1e6),
}
# Share of the run at which a stage begins; shares of the kinds of example (stream.KINDS); passages; facts a passage; longest text.
STAGES = {
    "cpu": [
        dict(at=0.0, mix=(0.2, 0.19, 0.01, 0.02, 0.02, 0.04, 0.52), most=2, sizes=(1, 2), longest=256),
        dict(at=0.35, mix=(0.15, 0.17, 0.01, 0.01, 0.02, 0.03, 0.61), most=3, sizes=(1, 3), longest=320),
        dict(at=0.75, mix=(0.12, 0.15, 0.01, 0, 0.01, 0.02, 0.69), most=4, sizes=(1, 3), longest=400),
    ],
    "gpu": [
        dict(at=0.0, mix=(0.3, 0.13, 0, 0.05, 0.02, 0.04, 0.46), most=2, sizes=(1, 2), longest=256),
        dict(at=0.03, mix=(0.22, 0.27, 0.05, 0.05, 0.03, 0.05, 0.33), most=3, sizes=(1, 3), longest=768),
        dict(at=0.2, mix=(0.18, 0.39, 0.05, 0.02, 0.03, 0.05, 0.28), most=5, sizes=(1, 4), longest=1536),
        dict(at=0.6, mix=(0.17, 0.44, 0.05, 0.01, 0.03, 0.05, 0.25), most=8, sizes=(2, 4), longest=3072),
    ],
}
STAGES["tiny"] = STAGES["small"] = STAGES["cpu"]
HELD_OUT = dict(most=2, sizes=(1, 3), longest=768)
POOL = 65_536  # about so many tokens are sorted by length together, and at least two batches


def read_texts(path):
    if not path:
        return []
    opened = lzma.open(path, "rt", encoding="utf-8") if str(path).endswith(".xz") else open(path, encoding="utf-8")
    with opened as file:
        return [json.loads(line) for line in file]


def of_texts(path):
    """Texts to learn from, and one in fifty that never is."""
    return held_out(read_texts(path), "title", 0.02)


def each(hidden, embedding, targets):
    return F.cross_entropy(F.linear(hidden, embedding).float(), targets, reduction="none")


LOSSES = each


def loss_of(model, batch, device):
    tokens, rows, targets, weights = (torch.from_numpy(x).to(device, non_blocking=True) for x in batch)
    hidden = model(tokens).flatten(0, 1)[rows]
    losses = LOSSES(hidden, model.embedding.weight, targets)
    answers = weights == 1
    mean = lambda of: losses[of].mean().detach() if of.any() else losses.new_zeros(())
    return (losses * weights).sum() / weights.sum(), mean(answers), mean(~answers)


@torch.no_grad()
def scores(model, examples, device):
    """Of each answer the nats a token, and whether its every token is the likeliest: what greedy decoding would write exactly."""
    rows = []
    for start in range(0, len(examples), 16):
        group = examples[start: start + 16]
        hidden = model(torch.from_numpy(collate(group, random.Random(0))[0]).to(device))
        for b, (read, write, _) in enumerate(group):
            said = model.head(hidden[b, len(read) - 1: len(read) - 1 + len(write)]).float()
            target = torch.tensor(write, device=device)
            rows.append((F.cross_entropy(said, target).item(), said.argmax(-1).equal(target)))
    return rows


def exact(model, examples, device):
    """Share of answers that are written exactly."""
    return sum(right for _, right in scores(model, examples, device)) / len(examples)


class Optimisers:
    """Muon for matrices, AdamW for norms and embeddings.

    What `induction.start` wrote is learnt gently: the attention of the first two blocks at a tenth of the rate, and embeddings with an epsilon
    of the size of a seen token's gradient. With Adam's usual epsilon all rare tokens move together at full rate (each is a little too likely
    everywhere), become alike, and can no longer be told apart to be copied: after 150 steps of it copying was gone.
    """

    def __init__(self, model):
        named = list(model.named_parameters())
        gentle = lambda n: n.startswith(("blocks.0.", "blocks.1.")) and n.split(".")[2] in "qkvo"
        pick = lambda want: [p for n, p in named if want(n, p)]
        muon = lambda parameters: torch.optim.Muon(parameters, weight_decay=0.05, momentum=0.95, adjust_lr_fn="match_rms_adamw")
        self.all = [
            (1.0, muon(pick(lambda n, p: p.ndim == 2 and "embedding" not in n and not gentle(n)))),
            (0.1, muon(pick(lambda n, p: p.ndim == 2 and gentle(n)))),
            (0.25, torch.optim.AdamW(pick(lambda n, p: p.ndim == 1), weight_decay=0.0, betas=(0.9, 0.95))),
            (0.75, torch.optim.AdamW(pick(lambda n, p: "embedding" in n), weight_decay=0.0, betas=(0.9, 0.95), eps=2e-4)),
        ]

    def step(self, rate):
        for factor, optimiser in self.all:
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def kept(self):
        return [optimiser.state_dict() for _, optimiser in self.all]

    def restore(self, kept):
        for (_, optimiser), was in zip(self.all, kept):
            optimiser.load_state_dict(was)


def rate_at(done, step, top):
    """Warmed up over 100 steps, level, and down to a twentieth over the last third."""
    return top * min(1, (step + 1) / 100) * (1 if done < 2 / 3 else 1 - 0.95 * min(1, 3 * done - 2))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--texts", type=pathlib.Path)
    parser.add_argument("--size", choices=SIZES, default="cpu")
    parser.add_argument("--start", choices=("induction", "random"), default="induction", help="initial weights")
    parser.add_argument("--without", nargs="*", choices=INGREDIENTS, default=[], help="ingredients to leave out, to see what each brings")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--weights", type=pathlib.Path, help="pieces that another machine handed back, or a GGUF file of export.py, to go on from")
    parser.add_argument("--stop-after", type=float, default=1e9)
    parser.add_argument("--steps", type=float, default=math.inf, help="the whole run ends after so many, if its minutes are not over")
    parser.add_argument("--stop-after-steps", type=float, default=math.inf, help="and this piece")
    parser.add_argument("--tokens", type=int, default=8192, help="a batch")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="fuse what is not a product (torch.compile, needs a C++ compiler)")
    parser.add_argument("--workers", type=int, default=0, help="processes that make examples")
    parser.add_argument("--save-every", type=float, default=2.0, help="minutes")
    parser.add_argument("--log-every", type=int, default=50, help="steps")
    options = parser.parse_args()
    begin = time.time()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    bpe = Bpe()
    texts, hidden = of_texts(options.texts)
    rows, hidden_rows = of_written()
    stream = Stream(bpe, texts, options.seed, options.without, rows)
    of = lambda kind: HELD_OUT | dict(mix=[k == kind for k in KINDS])
    shown = {
        "invented": Stream(bpe, [], "held out").examples(0, 64, of("invented")),
        "cloze": Stream(bpe, hidden, "held out").examples(0, 64, of("cloze")) if len(hidden) > 30 else [],
        "written": Stream(bpe, [], "held out", rows=hidden_rows).examples(0, 200, of("written")),
    }

    pools = Pools(stream, options.workers)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    sizes = Sizes(vocabulary=len(bpe), **SIZES[options.size])
    model = Reader(sizes)
    if options.start == "induction":
        induction.start(model, options.seed)
    model.to(device)
    if options.compile:
        for block in model.blocks:
            block.compile(dynamic=True)
        globals()["LOSSES"] = torch.compile(each, dynamic=True)
    optimisers = Optimisers(model)
    state = dict(step=0, tokens=0, seconds=0.0, next=0)
    saved = options.out / "checkpoint.pt"
    if saved.exists():
        kept = torch.load(saved, map_location=device)
        model.load_state_dict(kept["model"])
        optimisers.restore(kept["optimisers"])
        state = kept["state"]
        print("going on from", state, flush=True)
    elif options.weights:
        kept = load(options.weights)
        if kept["sizes"] != dataclasses.asdict(sizes):
            raise SystemExit(f"{options.weights} holds a model of other sizes: {kept['sizes']}")
        model.load_state_dict(kept["model"])
        state = kept["state"]
        print("going on, without the optimisers' memory, from", state, flush=True)
    (options.out / "sizes.json").write_text(json.dumps(dataclasses.asdict(sizes), indent=1) + "\n")
    print(sum(p.numel() for p in model.parameters()), "parameters on", device, len(texts), "texts,", len(hidden), "held out", flush=True)

    def save():
        part = saved.with_suffix(".part")
        torch.save({"model": model.state_dict(), "optimisers": optimisers.kept(), "state": state, "sizes": dataclasses.asdict(sizes)}, part)
        part.replace(saved)

    before, saved_at, sums = state["seconds"], time.time(), torch.zeros(3)
    log = (options.out / "log.tsv").open("a")
    if not log.tell():
        log.write("tokens\tseconds\tanswer_loss\tprompt_loss\texact\texact_text\texact_written\trate\tpassages\n")
    share_done = lambda: max(state["seconds"] / 60 / options.minutes, state["step"] / options.steps)
    done = share_done()
    pools.state = state
    first = state["step"]
    more = lambda: done < 1 and time.time() - begin < options.stop_after * 60 and state["step"] - first < options.stop_after_steps
    while more():
        stage = [s for s in STAGES[options.size] if s["at"] <= done or s["at"] == 0][-1]
        for batch in pools.next(stage, options.tokens):
            done = share_done()
            if not more():
                break
            rate = rate_at(done, state["step"], options.rate)
            with torch.autocast(device, torch.bfloat16):
                loss, answers, prompts = loss_of(model, batch, device)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimisers.step(rate)
            sums += torch.tensor([answers.item(), prompts.item(), 1.0])
            state["step"] += 1
            state["tokens"] += batch[0].size
            state["seconds"] = before + time.time() - begin
            if state["step"] % options.log_every == 0:
                with torch.autocast(device, torch.bfloat16):
                    shares = [exact(model, examples, device) if examples else math.nan for examples in shown.values()]
                line = [state["tokens"], round(state["seconds"]), *(round(x.item() / sums[2].item(), 4) for x in sums[:2]), *(round(s, 3) for s in shares), f"{rate:.2e}", stage["most"]]
                log.write("\t".join(map(str, line)) + "\n")
                log.flush()
                print(*line, f"{state['tokens'] / state['seconds']:.0f} tokens/s", flush=True)
                sums.zero_()
            if time.time() - saved_at > options.save_every * 60:
                save()
                saved_at = time.time()
    save()
    print("finished" if done >= 1 else "stopped", state, flush=True)


STREAM = None


def prepared(*arguments):
    return STREAM.prepared(*arguments)


class Pools:
    """The next few batches, made here or by other processes."""

    def __init__(self, stream, workers):
        self.stream, self.state, self.mean = stream, {}, 150.0
        # Forked with the stream in them, before a GPU is touched.
        globals()["STREAM"] = stream
        self.processes = multiprocessing.get_context("fork").Pool(workers) if workers else None
        self.ahead, self.most_ahead = collections.deque(), 2 * workers

    def next(self, stage, tokens):
        if not self.processes:
            made, self.mean = self.stream.prepared(*self._take(tokens), stage, tokens)
            return made
        while len(self.ahead) < self.most_ahead:
            self.ahead.append(self.processes.apply_async(prepared, (*self._take(tokens), stage, tokens)))
        made, self.mean = self.ahead.popleft().get()
        return made

    def _take(self, tokens):
        """First and number of the next examples; what was made ahead and not used when a run stops is left out."""
        start, count = self.state["next"], max(16, int(max(POOL, 2 * tokens) / self.mean))
        self.state["next"] += count
        return start, count


if __name__ == "__main__":
    main()
