"""The reader as PyTorch computes it: Qwen 3's decoder (RMS norms, norm of Q and K, rotary halves, SwiGLU, tied head).

Shapes: tokens (B, T) -> hidden states (B, T, d); `head` turns chosen rows (N, d) into logits (N, V).
`sizes.json` holds the sizes that were trained; crates/lm and llama.cpp run the exported file as architecture `qwen3`.
"""

import dataclasses

import torch
import torch.nn.functional as F
from torch import nn


PIECES = 4  # of attention on a CPU


@dataclasses.dataclass
class Sizes:
    vocabulary: int = 16384
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    feed_forward: int = 768
    context: int = 1024
    rope_base: float = 10_000.0
    epsilon: float = 1e-6


class Norm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(torch.ones(width)), epsilon

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.epsilon)


class Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        linear = lambda i, o: nn.Linear(i, o, bias=False)
        self.attn_norm, self.ffn_norm = Norm(s.hidden, s.epsilon), Norm(s.hidden, s.epsilon)
        self.q, self.k, self.v = linear(s.hidden, s.heads * s.head_dim), linear(s.hidden, s.kv_heads * s.head_dim), linear(s.hidden, s.kv_heads * s.head_dim)
        self.o = linear(s.heads * s.head_dim, s.hidden)
        self.q_norm, self.k_norm = Norm(s.head_dim, s.epsilon), Norm(s.head_dim, s.epsilon)
        self.gate, self.up, self.down = linear(s.hidden, s.feed_forward), linear(s.hidden, s.feed_forward), linear(s.feed_forward, s.hidden)

    def forward(self, x, cos, sin):
        s, (b, t, _) = self.s, x.shape
        y = self.attn_norm(x)
        q = turn(self.q_norm(self.q(y).view(b, t, s.heads, s.head_dim)).transpose(1, 2), cos, sin)
        k = turn(self.k_norm(self.k(y).view(b, t, s.kv_heads, s.head_dim)).transpose(1, 2), cos, sin)
        v = self.v(y).view(b, t, s.kv_heads, s.head_dim).transpose(1, 2)
        k, v = (z.repeat_interleave(s.heads // s.kv_heads, 1) for z in (k, v))
        # Texts are padded at the end, which causal attention never looks at.
        mixed = attend(q, k, v)
        x = x + self.o(mixed.transpose(1, 2).reshape(b, t, -1))
        y = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


def attend(q, k, v):
    """Causal attention. On a CPU written out: the fused kernel's backward pass takes four times as long at these lengths."""
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    q, t, out = q * q.shape[-1] ** -0.5, q.shape[-2], []
    # In pieces, so that of what is masked less is computed.
    for piece in range(PIECES):
        start, end = piece * t // PIECES, (piece + 1) * t // PIECES
        hidden = torch.ones(end - start, end, dtype=torch.bool).triu_(1 + start)
        scores = q[:, :, start:end] @ k[:, :, :end].transpose(-1, -2)
        out.append(scores.masked_fill(hidden, float("-inf")).softmax(-1) @ v[:, :, :end])
    return torch.cat(out, 2)


def turn(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Reader(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.layers))
        self.norm = Norm(sizes.hidden, sizes.epsilon)
        for name, p in self.named_parameters():
            if p.ndim == 2:
                scale = 0.02 if "embedding" in name else p.shape[1] ** -0.5
                nn.init.normal_(p, std=scale / (2 * sizes.layers) ** 0.5 if name.endswith(("o.weight", "down.weight")) else scale)

    def forward(self, tokens):
        s = self.sizes
        place = torch.arange(tokens.shape[1], device=tokens.device).float()
        speed = s.rope_base ** (-torch.arange(0, s.head_dim, 2, device=tokens.device).float() / s.head_dim)
        angle = torch.outer(place, speed)
        x = self.embedding(tokens)
        if torch.is_autocast_enabled(tokens.device.type):
            x = x.to(torch.bfloat16)
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.norm(x)

    def head(self, rows):
        return F.linear(rows, self.embedding.weight)
