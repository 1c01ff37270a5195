"""The reader's tokenizer in plain Python: byte-level BPE with the cuts of Qwen 2 (digits one by one) and NFC.

`merges.txt` is all of it: ids are the control tokens, `[1]` to `[9]`, the 256 bytes, then one token a merge.
The GGUF file says `gpt2` / `qwen2`; crates/lm and llama.cpp rebuild the same tokenizer from that (`check.py` compares).
"""

import functools
import pathlib
import re
import sys
import unicodedata

CONTROL = ["<|endoftext|>", "<|task|>", "<|user|>", "<|assistant|>", "<|end|>"]
MARKS = [f"[{n}]" for n in range(1, 10)]
END_OF_TEXT, TASK, USER, ASSISTANT, END = range(5)

_NUMBERS = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] == "N")
_N = "[" + re.escape(_NUMBERS) + "]"
_L = "[^\\W_" + re.escape(_NUMBERS) + "]"
_NOT = "[^\\s" + re.escape(_NUMBERS) + "]"
# The pattern of Qwen 2 with \p{L} and \p{N} written out; `_` is no letter.
CUT = re.compile(rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|(?:(?!{_L}|{_N})[^\r\n])?{_L}+|{_N}| ?(?:(?!{_L}){_NOT})+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
MARK = re.compile(r"(\[[1-9]\])")


def characters():
    """Byte -> the printable character that stands for it (GPT-2)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, free = {b: chr(b) for b in printable}, 256
    for byte in range(256):
        if byte not in table:
            table[byte] = chr(free)
            free += 1
    return table


class Bpe:
    def __init__(self, path=pathlib.Path(__file__).parent / "merges.txt", limit=None):
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
        merges = [tuple(line.split(" ")) for line in lines if line][:limit]
        self.byte = characters()
        alphabet = [self.byte[b] for b in range(256)]
        self.tokens = CONTROL + MARKS + alphabet + [a + b for a, b in merges]
        self.merges = merges
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self.rank = {pair: i for i, pair in enumerate(merges)}
        back = {c: b for b, c in self.byte.items()}
        self.bytes = [b"" if i < len(CONTROL) else t.encode() if t in MARKS else bytes(back[c] for c in t) for i, t in enumerate(self.tokens)]
        self.word = functools.lru_cache(maxsize=1 << 18)(self._word)

    def __len__(self):
        return len(self.tokens)

    def _word(self, word):
        parts = [self.byte[b] for b in word.encode()]
        while len(parts) > 1:
            ranks = [self.rank.get(pair, 1 << 30) for pair in zip(parts, parts[1:])]
            best = min(ranks)
            if best == 1 << 30:
                break
            a, b = self.merges[best]
            merged, i = [], 0
            while i < len(parts):
                if i + 1 < len(parts) and parts[i] == a and parts[i + 1] == b:
                    merged.append(a + b)
                    i += 2
                else:
                    merged.append(parts[i])
                    i += 1
            parts = merged
        return [self.ids[p] for p in parts]

    def encode(self, text):
        """Ids of a text; names of control tokens in it are plain text."""
        out = []
        for piece in MARK.split(text):
            if MARK.fullmatch(piece):
                out.append(self.ids[piece])
            else:
                # NFC as the Rust tokenizer does it: between marks.
                for word in CUT.findall(unicodedata.normalize("NFC", piece)):
                    out.extend(self.word(word))
        return out

    def decode(self, ids):
        return b"".join(self.bytes[i] for i in ids).decode("utf-8", "replace")

    def example(self, task, prompt, answer):
        """Ids of what is read and of what is to be written: after a space, so that a copied word is the token that it is in its sentence."""
        read = [TASK, *self.encode(task), USER, *self.encode(prompt), ASSISTANT]
        return read, [*self.encode(" " + answer), END]
