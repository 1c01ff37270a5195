#!/usr/bin/env python3
"""compare.py RUN QRELS PER_QUERY.json: our metrics against pytrec_eval and ir_measures; exits 1 beyond 1e-6."""

import json
import sys

import ir_measures
import pytrec_eval

LIMIT = 1e-6
TREC = {
    "ndcg@5": "ndcg_cut_5", "ndcg@10": "ndcg_cut_10", "ndcg@100": "ndcg_cut_100", "ndcg": "ndcg", "mrr": "recip_rank", "map": "map",
    "recall@1": "recall_1", "recall@5": "recall_5", "recall@10": "recall_10", "recall@20": "recall_20", "recall@100": "recall_100",
    "precision@1": "P_1", "precision@5": "P_5", "precision@10": "P_10",
    "success@1": "success_1", "success@5": "success_5", "success@10": "success_10",
}
IR = {
    "ndcg@5": "nDCG@5", "ndcg@10": "nDCG@10", "ndcg@100": "nDCG@100", "ndcg": "nDCG", "mrr": "RR", "mrr@10": "RR@10", "map": "AP",
    "recall@1": "R@1", "recall@5": "R@5", "recall@10": "R@10", "recall@20": "R@20", "recall@100": "R@100",
    "precision@1": "P@1", "precision@5": "P@5", "precision@10": "P@10",
    "success@1": "Success@1", "success@5": "Success@5", "success@10": "Success@10",
}


def read_run(path):
    run = {}
    for line in open(path, encoding="utf-8"):
        query, _, document, _, score, *_ = line.split()
        run.setdefault(query, {})[document] = float(score)
    return run


def read_qrels(path):
    qrels = {}
    for i, line in enumerate(open(path, encoding="utf-8")):
        fields = line.rstrip("\n").split("\t") if "\t" in line else line.split()
        query, document, grade = fields[0], fields[-2], fields[-1]
        if i == 0 and not grade.lstrip("-").isdigit():
            continue
        qrels.setdefault(query, {})[document] = int(grade)
    return qrels


def main():
    run, qrels, ours = read_run(sys.argv[1]), read_qrels(sys.argv[2]), json.load(open(sys.argv[3], encoding="utf-8"))
    measures = {"ndcg", "ndcg_cut.5,10,100", "recip_rank", "map", "recall.1,5,10,20,100", "P.1,5,10", "success.1,5,10"}
    judged = {q: run.get(q, {}) for q in qrels}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(judged)
    parsed = {name: ir_measures.parse_measure(m) for name, m in IR.items()}
    second = {}
    for value in ir_measures.iter_calc(list(parsed.values()), qrels, judged):
        second[(value.query_id, str(value.measure))] = value.value
    print("| metric | Sectora | pytrec_eval | ir_measures | largest difference of a query |\n|---|---|---|---|---|")
    failed = False
    for name in IR:
        a = {q: ours[q][name] for q in qrels}
        if name in TREC:
            b = {q: theirs.get(q, {}).get(TREC[name], 0.0) for q in qrels}
        else:  # trec_eval has no mrr@10: its reciprocal rank, where that is within ten
            b = {q: v if v >= 0.0999 else 0.0 for q, v in ((q, theirs.get(q, {}).get("recip_rank", 0.0)) for q in qrels)}
        c = {q: second.get((q, str(parsed[name])), 0.0) for q in qrels}
        # ir_measures takes mrr@10 from MS MARCO's script, which breaks ties the other way: shown, not held against us.
        held = (b,) if name not in TREC else (b, c)
        worst = max(max(abs(a[q] - other[q]) for q in qrels) for other in held)
        failed |= worst > LIMIT
        mean = lambda v: f"{sum(v.values()) / len(v):.6f}"
        print(f"| {name} | {mean(a)} | {mean(b)} | {mean(c)} | {worst:.1e} |")
    print(f"{len(qrels)} queries: {'DIFFERENT' if failed else 'equal'} to {LIMIT}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
