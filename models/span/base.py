#!/usr/bin/env python3
"""base.py OUT --texts TEXTS.jsonl: what training starts from: multilingual-e5-small (MIT) with the pieces of Korean and English.

Writes `tokenizer.json` (unigram pieces, NFKC) and `base.safetensors` (a BertModel's names) into OUT. Kept are the special pieces, all with Hangul, and those that
the texts and the written questions have, together with single letters and signs; the vectors of the others go.
"""

import argparse
import collections
import json
import pathlib
import re
import sys
import unicodedata

import numpy
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).parent
sys.path += [str(HERE.parent / "reader"), str(HERE.parent.parent / "tools" / "real_models")]
from e5 import package, read, weights  # noqa: E402
from written import read_written  # noqa: E402

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
LONGEST = 256
WORDS, PLACES = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"


def tokenizer(pieces, unknown):
    made = Tokenizer(models.Unigram(pieces, unk_id=unknown, byte_fallback=False))
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    made.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in SPECIAL])
    return made


def letter(piece):
    """A letter or sign of the scripts that are read here, with or without a space before it."""
    bare = piece.removeprefix("▁")
    if len(bare) != 1:
        return False
    name = unicodedata.name(bare, "")
    return unicodedata.category(bare)[0] in "PSN" or name.startswith(("LATIN", "GREEK", "HANGUL"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--texts", type=pathlib.Path, required=True)
    options = parser.parse_args()
    sizes, (pieces, scores, special), tensors = read(package() / "e5-small-q4.bin")
    bos, end, pad, unknown = special
    assert [pieces[i] for i in (bos, pad, end, unknown)] == SPECIAL, [pieces[i] for i in special]
    whole = tokenizer([(p, float(s)) for p, s in zip(pieces, scores)], unknown)
    texts = [json.loads(line)["text"] for line in open(options.texts, encoding="utf-8")]
    for row in read_written():
        texts += [row["heading"], row["text"], *(q["q"] for q in row["questions"]), *row["absent"]]
    counts = collections.Counter()
    for at in range(0, len(texts), 1000):
        for e in whole.encode_batch(texts[at: at + 1000], add_special_tokens=False):
            counts.update(e.ids)
    kept = [bos, pad, end, unknown]
    kept += [i for i, p in enumerate(pieces) if i not in kept and (counts[i] or re.search("[가-힣]", p) or letter(p))]
    found = weights(sizes, tensors)
    found[WORDS] = found[WORDS][kept]
    found[PLACES] = found[PLACES][:LONGEST]
    options.out.mkdir(parents=True, exist_ok=True)
    save_file({n: numpy.ascontiguousarray(t) for n, t in found.items()}, options.out / "base.safetensors")
    cut = tokenizer([(pieces[i], float(scores[i])) for i in kept], 3)
    cut.save(str(options.out / "tokenizer.json"))
    of = lambda t: sum(len(e.ids) for e in t.encode_batch(texts, add_special_tokens=False))
    print(len(kept), "of", len(pieces), "pieces;", of(cut), "tokens of", sum(map(len, texts)), "characters, before", of(whole))
    print(sizes, sum(t.size for t in found.values()), "parameters")


if __name__ == "__main__":
    main()
