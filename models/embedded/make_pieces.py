#!/usr/bin/env python3
"""The vocabulary: Korean pieces by sentencepiece's unigram model over word counts, English words of MiniLM's vocabulary and of the texts.

    make_pieces.py DATA MINILM     reads DATA/pairs.jsonl, DATA/english.jsonl, MINILM/tokenizer.json; writes DATA/pieces.txt
"""

import collections
import json
import math
import pathlib
import re
import sys

import sentencepiece

from pieces import runs, script

KOREAN, ENGLISH_EXTRA = 24_000, 7_500
# Sources so large that they would fill the vocabulary with one product's words; word lists count more.
WEIGHT = {"MicrosoftDocs+cpp-docs.ko-kr": 0.1, "MicrosoftDocs+powerShell-Docs.ko-kr": 0.3, "python+python-docs-ko": 0.5, "terms": 30, "omw-wikt": 8, "cldr": 2, "tatoeba": 4, "ntrex": 6, "pud": 6, "jhe": 4}


def main():
    data, minilm = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    korean, english = collections.Counter(), collections.Counter()
    other = collections.Counter()
    for line in (data / "pairs.jsonl").open():
        row = json.loads(line)
        weight = WEIGHT.get(row["source"], 1)
        for text in (row["ko"], row["en"]):
            for run in runs(text):
                (korean if script(run[0]) == "h" else english if script(run[0]) == "l" else other)[run] += weight
    for line in (data / "english.jsonl").open():
        row = json.loads(line)
        for run in runs(row["a"] + " " + row["b"]):
            if script(run[0]) == "l":
                english[run] += 1 if row["source"].startswith("globalwordnet") else 0.1
    table = data / "korean.tsv"
    table.write_text("".join(f"{w}\t{math.ceil(c)}\n" for w, c in korean.items() if len(w) < 40))
    sentencepiece.SentencePieceTrainer.train(
        input=str(table), input_format="tsv", model_prefix=str(data / "korean"), vocab_size=KOREAN, model_type="unigram",
        character_coverage=1.0, add_dummy_prefix=False, split_by_whitespace=True, max_sentencepiece_length=8, num_threads=2,
        normalization_rule_name="identity", bos_id=-1, eos_id=-1, hard_vocab_limit=False, minloglevel=1)
    model = sentencepiece.SentencePieceProcessor(model_file=str(data / "korean.model"))
    lines = {}
    for i in range(model.get_piece_size()):
        piece = model.id_to_piece(i)
        if all("가" <= c <= "힣" for c in piece):
            lines[piece] = model.get_score(i)
    # Every syllable of KS X 1001 (which Python knows as EUC-KR), so that no Korean word is lost.
    for code in range(0xAC00, 0xD7A4):
        c = chr(code)
        try:
            c.encode("euc_kr")
        except UnicodeEncodeError:
            continue
        lines.setdefault(c, -14.0)
    vocabulary = json.loads((minilm / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    words = sorted(vocabulary, key=vocabulary.get)
    for rank, word in enumerate(words):
        plain = word.removeprefix("##")
        if re.fullmatch(r"[a-z]+", plain) and (len(plain) > 1 or word == plain):
            penalty = 8.0 if word != plain else 0.0
            score = -math.log(max(rank - 1990, 1) + 100) - penalty
            lines[plain] = max(lines.get(plain, -99.0), score)
    extra = [w for w, c in english.most_common() if w not in lines and len(w) > 2 and c >= 3][:ENGLISH_EXTRA]
    for word in extra:
        lines[word] = -10.5
    for c in "abcdefghijklmnopqrstuvwxyz":
        lines[c] = min(lines.get(c, -14.0), -14.0)
    for c in "0123456789αβγδεζηθλμνπρστφχψωω":
        lines[c] = -5.0
    (data / "pieces.txt").write_text("".join(f"{piece}\t{score:.3f}\n" for piece, score in lines.items()))
    print(len(lines), "pieces;", len(extra), "English words beyond MiniLM's")


if __name__ == "__main__":
    main()
