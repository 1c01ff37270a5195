"""usearch as a peer of `sectora bench retrieve --usearch PYTHON`: a graph over the same vectors, asked the same questions.

Usage: peer.py VECTORS QUESTIONS EXACT DIM LIMIT THREADS. VECTORS and QUESTIONS are rows of DIM little-endian f32, EXACT rows
of LIMIT u64: what exact search finds. Prints one JSON document. Same graph parameters as ours: 16 links, 100 candidates
while building; 100 while searching. Needs usearch, numpy.
"""

import json
import sys
import time

import numpy as np
import usearch
from usearch.index import Index


def main():
    vectors, questions, exact = sys.argv[1:4]
    dim, limit, threads = map(int, sys.argv[4:7])
    vectors = np.fromfile(vectors, dtype="<f4").reshape(-1, dim)
    questions = np.fromfile(questions, dtype="<f4").reshape(-1, dim)
    exact = np.fromfile(exact, dtype="<u8").reshape(-1, limit)
    out = []
    for dtype in ("f32", "i8"):
        index = Index(ndim=dim, metric="cos", dtype=dtype, connectivity=16, expansion_add=100, expansion_search=100)
        begin, used = time.perf_counter(), time.process_time()
        index.add(np.arange(len(vectors)), vectors, threads=threads)
        build_s, build_cpu_s = time.perf_counter() - begin, time.process_time() - used
        times, kept = [], 0
        for question in questions:
            index.search(question, limit)
        for question, wanted in zip(questions, exact):
            begin = time.perf_counter()
            found = index.search(question, limit)
            times.append((time.perf_counter() - begin) * 1e3)
            kept += len(set(found.keys.tolist()) & set(wanted.tolist()))
        p50, p95, p99 = np.percentile(times, [50, 95, 99])
        out.append({"engine": f"usearch {usearch.__version__} {dtype}", "build_s": build_s, "build_cpu_s": build_cpu_s,
                    "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "recall": kept / exact.size, "bytes": index.memory_usage})
    print(json.dumps(out))


main()
