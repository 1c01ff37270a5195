#!/usr/bin/env python3
"""Makes unanswerable questions by taking gold documents away: SQuAD 2.0 JSON from a BEIR folder with `answers`.

    tools/absent_gold/make.py BEIR_DIR OUT.json [--of article|document] [--half 0|1]

Half of the articles (by a hash of the title), with `--of document` half of the single documents, are left out; their questions stay,
marked impossible. With `--of document` the same article's other paragraphs remain: near, true, and not the answer. Only the standard library.
"""

import argparse
import hashlib
import json
import pathlib


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("beir", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--of", choices=["article", "document"], default="article")
    parser.add_argument("--half", type=int, choices=[0, 1], default=0, help="which half is left out")
    options = parser.parse_args()
    documents = {d["_id"]: d for d in lines(options.beir / "corpus.jsonl")}
    gold = {}
    for row in (options.beir / "qrels/test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = row.split("\t")[:3]
        if float(grade) > 0:
            gold.setdefault(query, document)

    def absent(document):
        key = documents[document]["title"] if options.of == "article" else document
        return hashlib.sha256(key.encode()).digest()[0] % 2 == options.half

    by_document = {d: [] for d in documents if not absent(d)}
    anywhere = next(iter(by_document))
    for query in lines(options.beir / "queries.jsonl"):
        document = gold.get(query["_id"])
        if document is None:
            continue
        context = documents[document]["text"]
        found = [{"text": a, "answer_start": max(0, context.find(a))} for a in query["answers"]]
        gone = absent(document)
        entry = {"id": query["_id"], "question": query["text"], "is_impossible": gone, "answers": [] if gone else found}
        by_document[anywhere if gone else document].append(entry)
    data = [
        {"title": documents[d]["title"], "paragraphs": [{"context": documents[d]["text"], "qas": questions}]}
        for d, questions in by_document.items()
    ]
    options.out.write_text(json.dumps({"version": "2.0", "data": data}, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
