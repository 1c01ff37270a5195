#!/usr/bin/env python3
"""Checks that do not need a trained model; exit 1 with what is wrong.

    check.py                  particles, examples, written questions, layout of prompts, the tokenizer against the PyPI package `tokenizers`
    check.py --case RUN DIR   also writes DIR/reader.gguf and DIR/reader.json: logits of RUN's model as PyTorch computes them, for
                              `cargo run --release -p sectora-lm --example parity -- DIR`
"""

import argparse
import json
import pathlib
import random
import re
import subprocess
import sys

from bpe import CUT, Bpe
from korean import fill, latin, particle
from phrasings import ABSTENTION, KINDS
from tasks import example, prompt
import written

HERE = pathlib.Path(__file__).parent
WORDS = [("전지", "은", "는"), ("연구원", "은", "은"), ("서울", "으로", "로"), ("부산", "으로", "으로"), ("32", "을", "를"), ("7", "이", "이"), ("80 %", "이다", "다"),
         ("3 MPa", "으로", "로"), ("12 kg", "을", "을"), ("(주)가람", "이", "이"), ("셀 (A)", "과", "과"), ("K-11", "으로", "로"), ("ABM", "은", "은")]


def check(what, right):
    if not right:
        raise SystemExit(f"check.py: {what}")


def particles():
    for word, mark, expected in WORDS:
        check(f"{word} + {mark} gave {particle(word, mark)}, not {expected}", particle(word, mark) == expected)
    check("fixed particles are kept", fill("{x:에서} {x}", {"x": "가"}) == "가에서 가")
    check("names are spelt in Latin letters", latin("한빛") == "Hanbit")
    for kind, of in KINDS.items():
        for language in ("ko", "en"):
            check(f"{kind}/{language}: every statement names its value", all("{v" in s for s in of[language]["say"]))
            if of[language].get("paired"):
                check(f"{kind}/{language}: as many questions as statements", len(of[language]["say"]) == len(of[language]["ask"]))


def examples():
    """Answers hold only what the passages hold, cite what exists, and come out the same again."""
    for i in range(600):
        task, read, write = example(random.Random(f"check:{i}"), 6)
        check(f"example {i} differs when made again", (task, read, write) == example(random.Random(f"check:{i}"), 6))
        check(f"example {i} has a slot left: {read}", not re.search(r"\{\w+(:\w+)?\}", read + write))
        if not task.startswith("answer") or write == ABSTENTION[task[-2:]]:
            continue
        passages = dict(re.findall(r"^\[(\d)\] (.*?)(?=\n\n)", read, re.S | re.M))
        cited = re.findall(r"\[(\d)\]", write)
        check(f"example {i} cites {cited} of {sorted(passages)}", cited and set(cited) <= set(passages))
        first = write.split(" [")[0]
        bare = re.sub(r"^\| | \|$", "", passages[cited[0]].replace(" | ", " "))
        check(f"example {i}: {first!r} is not in passage {cited[0]}", first in passages[cited[0]] or first.replace(" | ", " ") in bare)


def written_questions():
    """Every answer stands in its passage, examples come out the same again, and changed figures change in question, passage and answer alike."""
    rows = written.read_written()
    check("no written questions are there", len(rows) > 100)
    for row in rows:
        for asked in row["questions"]:
            check(f"{asked['q']!r}: {asked['a']!r} is not in its passage", asked["a"] in row["text"])
        check(f"{row['heading']!r} has no question that it does not answer", row["absent"])
    for i in range(600):
        made = written.written(random.Random(f"check:{i}"), rows)
        check(f"written example {i} differs when made again", made == written.written(random.Random(f"check:{i}"), rows))
        if made and made[2] != ABSTENTION[made[0][-2:]]:
            for said, n in re.findall(r"(.*?) \[(\d)\]\.(?: |$)", made[2], re.S):
                passage = made[1].split(f"\n\n[{n}] ")[1].split("\n\n")[0]
                check(f"written example {i}: {said!r} is not in passage {n}", said in passage or said + "." in passage)


def layout():
    """The same text as the test of src/prompt.rs expects from prompts/reader.jinja."""
    check("the prompt's layout changed; change prompts/reader.jinja with it", prompt("q?", [("h | 2024", "t"), ("i", "u")]) == "q?\n\n[1] h | 2024\nt\n\n[2] i\nu\n\nq?")
    source = (HERE.parent.parent / "src" / "prompt.rs").read_text(encoding="utf-8")
    for language in ("ko", "en"):
        check(f"the abstention ({language}) is not that of src/prompt.rs", f'"{ABSTENTION[language]}"' in source)


def tokenizer():
    bpe = Bpe()
    samples = [" ".join(example(random.Random(f"words:{i}"), 3)) for i in range(200)]
    samples += ["[1][2] [9] [10] 3.14 °C µm² ½ Ⅳ 한글 NFD: \u1112\u1161\u11ab don't  I'LL\n\n\tx_y — “q” 「말」 😀\r\n  end ", "", " ", "\n\n a", "[3]"]
    texts = " ".join(samples)
    hangul = [w for w in CUT.findall(texts) if re.search("[가-힣]", w)]
    ratio = sum(len(bpe.word(w)) for w in hangul) / sum("가" <= c <= "힣" for w in hangul for c in w)
    check(f"{ratio:.2f} tokens a Korean syllable, more than 1.6", ratio <= 1.6)
    for text in samples:
        import unicodedata
        check(f"{text!r} does not come back", bpe.decode(bpe.encode(text)) == unicodedata.normalize("NFC", text))
    try:
        from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
    except ImportError:
        print("not compared with the package `tokenizers`: it is not installed")
        return ratio
    from train_tokenizer import QWEN2
    theirs = Tokenizer(models.BPE(vocab=bpe.ids, merges=bpe.merges))
    theirs.normalizer = normalizers.NFC()
    theirs.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    theirs.add_tokens([AddedToken(f"[{n}]", normalized=False) for n in range(1, 10)])
    for text in samples:
        check(f"{text!r}: other tokens than the package `tokenizers` makes", bpe.encode(text) == theirs.encode(text, add_special_tokens=False).ids)
    return ratio


def circuit():
    """The model `induction.start` makes says what followed before, at once; False where PyTorch is missing."""
    try:
        import torch
    except ImportError:
        return False
    import induction
    from model import Reader, Sizes
    from train import SIZES
    for size, least in (("tiny", 0.9), ("cpu", 0.98)):
        model = Reader(Sizes(**SIZES[size]))
        induction.start(model)
        first = torch.randperm(16_000, generator=torch.Generator().manual_seed(3))[:150].view(1, -1) + 270
        with torch.no_grad():
            said = model.head(model(torch.cat([first, first], 1))[:, 150:-1]).argmax(-1)
        right = (said == first[:, 1:]).float().mean().item()
        check(f"the induction start of size {size} copies {right:.2f} of random tokens, not {least}", right >= least)
    return True


def case(run, folder):
    import torch

    from model import Reader, Sizes
    from weights import load
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, HERE / "export.py", run, folder / "reader.gguf", "--quant", "f32"], check=True)
    kept = load(run)
    model = Reader(Sizes(**kept["sizes"]))
    model.load_state_dict(kept["model"])
    read, write = Bpe().example(*example(random.Random("case"), 3))
    with torch.no_grad():
        rows = model.head(model(torch.tensor([read + write]))[0, len(read) - 1:])[: len(write) + 1]
    (folder / "reader.json").write_text(json.dumps({"prompt": read, "next": write, "logits": rows.tolist()}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", nargs=2, type=pathlib.Path)
    options = parser.parse_args()
    particles()
    examples()
    written_questions()
    layout()
    ratio = tokenizer()
    if not circuit():
        print("the induction start was not tried: PyTorch is not installed")
    if options.case:
        case(*options.case)
    print(f"particles, 600 examples, written questions, layout, tokenizer and induction start hold; {ratio:.2f} tokens a Korean syllable")


if __name__ == "__main__":
    main()
