#!/usr/bin/env python3
"""The trained reader as a GGUF file: `export.py RUN OUT.gguf [--quant q8_0|f32]` (needs the PyPI package `gguf`).

Architecture `qwen3`, tokenizer `gpt2` / `qwen2`. `sectora.prompt = reader` tells the program to lay prompts out as the reader learnt
them; the chat template does the same for other engines: a system message names task and language (`answer ko`), a user message is the text.
Norms and, with f32, all else stay exact; Q8_0 is 8 bits and one f16 scale for 32 weights.
"""

import argparse
import pathlib

import gguf
import numpy

from bpe import ASSISTANT, CONTROL, END, END_OF_TEXT, MARKS, Bpe
from model import Sizes
from weights import load

TEMPLATE = "{% for m in messages %}{% if m.role == 'system' %}<|task|>{{ m.content }}{% elif m.role == 'user' %}<|user|>{{ m.content }}{% endif %}{% endfor %}<|assistant|>"
NAMES = {"attn_norm": "attn_norm", "ffn_norm": "ffn_norm", "q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "q_norm": "attn_q_norm",
         "k_norm": "attn_k_norm", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}


def name_of(parameter):
    """`blocks.3.q.weight` -> `blk.3.attn_q.weight`."""
    parts = parameter.split(".")
    if parts[0] == "blocks":
        return f"blk.{parts[1]}.{NAMES[parts[2]]}.weight"
    return {"embedding.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}[parameter]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--quant", choices=("q8_0", "f32"), default="q8_0")
    parser.add_argument("--name", default="sectora reader")
    options = parser.parse_args()
    kept = load(options.run)
    s, bpe = Sizes(**kept["sizes"]), Bpe()
    if s.vocabulary != len(bpe):
        raise SystemExit(f"{options.run}: trained with {s.vocabulary} tokens, merges.txt has {len(bpe)}")
    w = gguf.GGUFWriter(options.out, "qwen3")
    w.add_name(options.name)
    w.add_description(f"trained on {kept['state']['tokens']} tokens")
    w.add_string("sectora.prompt", "reader")
    w.add_block_count(s.layers)
    w.add_context_length(s.context)
    w.add_embedding_length(s.hidden)
    w.add_feed_forward_length(s.feed_forward)
    w.add_head_count(s.heads)
    w.add_head_count_kv(s.kv_heads)
    w.add_key_length(s.head_dim)
    w.add_value_length(s.head_dim)
    w.add_rope_freq_base(s.rope_base)
    w.add_layer_norm_rms_eps(s.epsilon)
    w.add_vocab_size(s.vocabulary)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if options.quant == "q8_0" else gguf.LlamaFileType.ALL_F32)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(bpe.tokens)
    kinds = [gguf.TokenType.CONTROL] * len(CONTROL) + [gguf.TokenType.USER_DEFINED] * len(MARKS)
    w.add_token_types(kinds + [gguf.TokenType.NORMAL] * (len(bpe) - len(kinds)))
    w.add_token_merges([" ".join(pair) for pair in bpe.merges])
    w.add_bos_token_id(END_OF_TEXT)
    w.add_eos_token_id(END)
    w.add_pad_token_id(END_OF_TEXT)
    w.add_add_bos_token(False)
    w.add_chat_template(TEMPLATE)
    for parameter, tensor in kept["model"].items():
        values = tensor.float().numpy().astype(numpy.float32)
        if options.quant == "q8_0" and values.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            w.add_tensor(name_of(parameter), gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            w.add_tensor(name_of(parameter), values)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    print(options.out, options.out.stat().st_size, "bytes,", CONTROL[ASSISTANT], "begins an answer")


if __name__ == "__main__":
    main()
