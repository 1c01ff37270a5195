"""The span reader: a small transformer over the vectors of the encoder inside the program.

A token is the direction of its piece's vector (224 numbers, not learnt here), a learnt vector of its own if it is among the `known` commonest, its segment,
whether it is a digit, a mark, or stands behind a space, and what it has to do with the other side: whether the same piece stands there, and the highest cosine to a piece there. Out: for each token of the
sentence how likely the answer begins and ends there; the first token stands for "not here".
"""

import math

import numpy
import torch
import torch.nn.functional as F
from torch import nn

from tokens import ALL, EMBEDDED, PIECES

FEATURES = 2 + 3 + 1 + 2  # same piece, nearest; segment; apart; digit, mark


def table():
    """Directions of all tokens' vectors; zero for those that are no piece."""
    scales = numpy.fromfile(EMBEDDED / "scales.f32", dtype=numpy.float32)
    weights = numpy.fromfile(EMBEDDED / "weights.i8", dtype=numpy.int8).reshape(len(scales), -1).astype(numpy.float32)
    weights /= numpy.linalg.norm(weights, axis=1, keepdims=True) + 1e-6
    out = numpy.zeros((ALL, weights.shape[1]), dtype=numpy.float32)
    out[:PIECES] = weights
    return torch.from_numpy(out)


class Block(nn.Module):
    def __init__(self, hidden, heads, inner):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.inner_norm = nn.RMSNorm(hidden, eps=1e-6), nn.RMSNorm(hidden, eps=1e-6)
        self.qkv, self.out = nn.Linear(hidden, 3 * hidden, bias=False), nn.Linear(hidden, hidden, bias=False)
        self.up, self.down = nn.Linear(hidden, 2 * inner, bias=False), nn.Linear(inner, hidden, bias=False)

    def forward(self, x, turn, mask):
        b, t, h = x.shape
        q, k, v = self.qkv(self.attention_norm(x)).view(b, t, 3, self.heads, h // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(turned(q, turn), turned(k, turn), v, attn_mask=mask)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, h))
        a, g = self.up(self.inner_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(a) * g)


def turned(x, turn):
    """Rotary positions over halves of a head."""
    cos, sin = turn
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Span(nn.Module):
    def __init__(self, known, hidden=192, layers=4, heads=6, inner=384, dropout=0.1):
        super().__init__()
        self.sizes = dict(hidden=hidden, layers=layers, heads=heads, inner=inner)
        self.register_buffer("table", table(), persistent=False)
        rank = torch.full((ALL,), len(known), dtype=torch.long)
        rank[torch.tensor(known)] = torch.arange(len(known))
        self.register_buffer("rank", rank, persistent=False)
        self.known = known
        self.own = nn.Embedding(len(known) + 1, hidden)
        self.take, self.features = nn.Linear(self.table.shape[1], hidden, bias=False), nn.Linear(FEATURES, hidden)
        nn.init.normal_(self.own.weight, std=0.2)
        self.blocks = nn.ModuleList(Block(hidden, heads, inner) for _ in range(layers))
        self.norm, self.head = nn.RMSNorm(hidden, eps=1e-6), nn.Linear(hidden, 2)
        self.dropout = dropout

    def forward(self, ids, segments, aparts, digits, marks):
        """All (B, T); segments -1 where there is no token. Gives (B, T, 2), -1e4 where no answer can begin or end."""
        v = self.table[ids]
        there = segments >= 0
        asked = segments == 0
        other = (asked[:, :, None] != asked[:, None, :]) & there[:, :, None] & there[:, None, :]
        other[:, 0] = other[:, :, 0] = False
        same = ((ids[:, :, None] == ids[:, None, :]) & other).any(-1).float()
        near = (v @ v.transpose(1, 2)).masked_fill(~other, 0).amax(-1)
        f = torch.stack((same, near, *((segments == s).float() for s in range(3)), aparts, digits, marks), -1)
        x = self.take(v) * math.sqrt(v.shape[-1]) + self.own(self.rank[ids]) + self.features(f)
        x = F.dropout(x, self.dropout, self.training)
        t, size = ids.shape[1], self.sizes["hidden"] // self.sizes["heads"] // 2
        angle = torch.arange(t)[:, None] * 1000 ** (-torch.arange(size) / size)
        turn = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        mask = there[:, None, None, :]
        for block in self.blocks:
            x = F.dropout(block(x, turn, mask), self.dropout, self.training)
        allowed = segments == 2
        allowed[:, 0] = True
        return self.head(self.norm(x)).float().masked_fill(~allowed[:, :, None], -1e4)
