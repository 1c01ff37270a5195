"""`/v1/embeddings` of a running server against sentence-transformers.

Usage: served.py ADDRESS FOLDER, the server having been started with `--encoder FOLDER`. Sends the texts that are not empty,
for both sides and both encodings, and prints the smallest cosine. Fails below 0.9999.
"""

import base64
import json
import sys
import urllib.request
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

TEXTS = [t for t in json.loads((Path(__file__).parent / "texts.json").read_text()) if t.strip()]


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def main():
    address, folder = sys.argv[1:3]
    model = SentenceTransformer(folder, device="cpu")
    worst = 1.0
    named = json.load(urllib.request.urlopen(f"{address}/v1/models"))["data"][0]["id"]
    for side, encode in (("query", model.encode_query), ("document", model.encode_document)):
        wanted = unit(encode(TEXTS, show_progress_bar=False).astype(np.float64))
        for encoding in ("float", "base64"):
            body = json.dumps({"model": named, "input": TEXTS, "side": side, "encoding_format": encoding}).encode()
            request = urllib.request.Request(f"{address}/v1/embeddings", body, {"content-type": "application/json"})
            data = json.load(urllib.request.urlopen(request))["data"]
            got = [d["embedding"] for d in sorted(data, key=lambda d: d["index"])]
            if encoding == "base64":
                got = [np.frombuffer(base64.b64decode(g), dtype="<f4") for g in got]
            smallest = (unit(np.array(got, dtype=np.float64)) * wanted).sum(1).min()
            worst = min(worst, smallest)
            print(f"{side:<9} {encoding:<7} {len(got)} vectors of {len(got[0])}, smallest cosine {smallest:.8f}")
    raise SystemExit(not worst >= 0.9999)


main()
