"""Text to tokens with their places, as src/embed/span.rs does it (both by the library `tokenizers`)."""

import pathlib
import typing

import tokenizers

BEGIN, PAD, NEXT = 0, 1, 2


class Token(typing.NamedTuple):
    id: int
    start: int  # in characters, without the space before
    end: int


class Pieces:
    def __init__(self, file=pathlib.Path(__file__).parent / "tokenizer.json"):
        self.tokenizer = tokenizers.Tokenizer.from_file(str(file))

    def of(self, text):
        encoded = self.tokenizer.encode(text, add_special_tokens=False)
        out = []
        for id, (start, end) in zip(encoded.ids, encoded.offsets):
            while start < end and text[start].isspace():
                start += 1
            out.append(Token(id, start, end))
        return out
