#!/usr/bin/env python3
"""Asks every question of eval/SECTOR/questions.jsonl and compares the answers with the gold documents.

    tools/ask_all.py SECTOR [PROGRAM [FLAGS…]]        for instance: tools/ask_all.py battery target/release/sectora --encoder DIR

Only the standard library. Prints counts by type of question; exits 1 if the program fails on any.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def ask(program, data, sector, flags, *arguments):
    command = [program, "--data-dir", data, "--sector", sector, "--json", "-q", *flags, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def judge(question, answer):
    gold = {g["document"] for g in question["gold"]}
    return {
        "type": question["type"],
        "answered": not answer["abstained"],
        "gold among passages": any(p["source"] in gold for p in answer["passages"]),
        "gold cited": any(c["source"] in gold for c in answer["citations"]),
        "expected words": all(w.lower() in answer["answer"].lower() for w in question.get("must_include", [])) and not answer["abstained"],
    }


def main():
    sector = sys.argv[1]
    program = sys.argv[2] if len(sys.argv) > 2 else str(ROOT / "target/release/sectora")
    flags = sys.argv[3:]
    lines = (ROOT / "eval" / sector / "questions.jsonl").read_text().splitlines()
    questions = [json.loads(line) for line in lines]
    with tempfile.TemporaryDirectory() as data:
        ask(program, data, sector, flags, "ingest")
        rows = [judge(q, ask(program, data, sector, flags, "ask", q["question"])) for q in questions]
    columns = ["answered", "gold among passages", "gold cited", "expected words"]
    print("| type | questions | " + " | ".join(columns) + " |")
    print("|---|---|" + "---|" * len(columns))
    for kind in sorted({r["type"] for r in rows}):
        of_kind = [r for r in rows if r["type"] == kind]
        counts = [str(sum(r[c] for r in of_kind)) if kind != "unanswerable" or c == "answered" else "" for c in columns]
        print(f"| {kind} | {len(of_kind)} | " + " | ".join(counts) + " |")


if __name__ == "__main__":
    main()
