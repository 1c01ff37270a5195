#!/usr/bin/env python3
"""portfolios.py SECTORA: how many repeats does `overlap --all` find in small portfolios?

Each field of eval/overlap/small three times: its 20 projects and eleven of its proposals as projects of later institutes, four that
repeat one of the 20 in an author's own words, four near topics, two with another method and one of another field, each about
another project. A pair counts from p(done already) 0.5 on.
"""

import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

SMALL = pathlib.Path(__file__).parents[2] / "eval" / "overlap" / "small"
DRAWN = {"done already": 4, "related": 4, "same aim, other method": 2, "none": 1}


def rows(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def drawn(pairs, seed):
    """Proposals of each kind, no two about the same project."""
    rng, taken, priors = random.Random(seed), [], set()
    pairs = rng.sample(pairs, len(pairs))
    for kind, n in DRAWN.items():
        for pair in [p for p in pairs if p["kind"] == kind]:
            if pair["prior"] not in priors and sum(t["kind"] == kind for t in taken) < n:
                taken.append(pair), priors.add(pair["prior"])
    return taken


def later(i, proposal):
    title, _, text = proposal["text"].partition("\n")
    return dict(id=f"P{i}", title=title.strip()[:150], text=text.strip() or title, institution=f"새기관{i}", year=2027, budget=1000)


def repeated(sectora, projects, proposals, folder):
    """Pairs of ids, later and earlier, that the program calls done already."""
    records = projects + [later(i, p) for i, p in enumerate(proposals)]
    (folder / "projects.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    (folder / "sector.toml").write_text((SMALL / "sector.toml").read_text(encoding="utf-8").replace("documents = []", 'documents = ["projects.jsonl"]'), encoding="utf-8")
    run = lambda *command: subprocess.run([sectora, "--data-dir", folder / "data", "--sector", folder, "--quiet", *command], check=True, capture_output=True, text=True).stdout
    run("ingest")
    found = json.loads(run("overlap", "--all", "--json", "--limit", "200"))
    return {(p["later"]["project_id"], p["earlier"]["project_id"]) for p in found["pairs"] if p["done"] >= 0.5}


def main():
    repeats = found = wrong = alarmed = others = 0
    for field in sorted(p for p in SMALL.iterdir() if p.is_dir()):
        for draw in range(3):
            proposals = drawn(rows(field / "pairs.jsonl"), f"{field.name} {draw}")
            folder = pathlib.Path(tempfile.mkdtemp())
            pairs = repeated(pathlib.Path(sys.argv[1]).resolve(), rows(field / "projects.jsonl"), proposals, folder)
            shutil.rmtree(folder)
            right = {(f"P{i}", p["prior"].split("#")[1]) for i, p in enumerate(proposals) if p["kind"] == "done already"}
            repeats, found, wrong = repeats + len(right), found + len(right & pairs), wrong + len(pairs - right)
            free = [f"P{i}" for i, p in enumerate(proposals) if p["kind"] != "done already"]
            others, alarmed = others + len(free), alarmed + sum(any(a == p for a, _ in pairs) for p in free)
    print(f"{found} of {repeats} repeats found; {wrong} other pairs called so; {alarmed} of {others} proposals that repeat nothing have one")


if __name__ == "__main__":
    main()
