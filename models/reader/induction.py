"""Starts a model with the circuit that quotes: an induction head (Olsson et al. 2022) written into its first two blocks.

A small model needs tens of millions of tokens before it finds by itself that what followed a word before will follow it again; here
that is put in place by hand, and training refines it. The residual stream is cut in two: the lower half A holds the token,
the upper half B the token before, its last dimension a constant. Block 0 looks one place back (rotary phases of
constant queries and keys) and writes A there into B here. Block 1 looks for the place whose B is like A here and adds its A to A here, which the
tied head reads as the next token. All other outputs into the stream start at zero. Rotary frequencies fall fast
(`rope_base` 1e6), so that the lower half of them hardly turns and content can be matched at any distance.
"""

import torch

SCALE = 0.5     # standard deviation of the stream
HEAD = 0.1      # what the last norm brings it to for the tied head
SHARP_PLACE = 10.0   # factor of the scores of block 0 (product of the norms' weights)
SHARP_MATCH = 6.0    # and of block 1
LOUD = 3.0      # how much louder than the token itself its successor is said
PAIRS_PLACE = 5


@torch.no_grad()
def start(model, seed=0):
    """Overwrites the weights of `model` (see above); needs kv_heads * head_dim to be half of hidden."""
    s = model.sizes
    half, d, pairs = s.hidden // 2, s.head_dim, s.head_dim // 2
    if s.kv_heads * d != half or s.layers < 2:
        raise ValueError(f"an induction head needs kv_heads * head_dim = hidden / 2 and two blocks, not {s}")
    generator = torch.Generator().manual_seed(seed)
    e = model.embedding.weight
    e.zero_()
    e[:, :half] = torch.randn(s.vocabulary, half, generator=generator) * SCALE
    e[:, -1] = SCALE
    for block in model.blocks:
        block.o.weight.zero_()
        block.down.weight.zero_()
    # A token of the stream has this root mean square, by which the norms divide.
    mean_square = SCALE * ((half + 1) / s.hidden) ** 0.5
    model.norm.weight.fill_(HEAD / SCALE)
    share = s.heads // s.kv_heads

    place = model.blocks[0]
    speed = s.rope_base ** (-torch.arange(0, d, 2).float() / d)
    place.q.weight.zero_()
    place.k.weight.zero_()
    for head in range(s.heads):
        for i in range(PAIRS_PLACE):
            place.q.weight[head * d + i, -1] = torch.cos(speed[i])
            place.q.weight[head * d + pairs + i, -1] = -torch.sin(speed[i])
    for head in range(s.kv_heads):
        place.k.weight[head * d: head * d + PAIRS_PLACE, -1] = 1.0
    copy(place, s, mean_square, to=half, share=share, loud=1.0)
    for norm in (place.q_norm, place.k_norm):
        norm.weight.fill_(SHARP_PLACE ** 0.5)

    match = model.blocks[1]
    still = [*range(pairs // 2, pairs), *range(pairs + pairs // 2, d)]
    for head in range(s.kv_heads):
        match.q.weight[head * share * d: (head * share + 1) * d].zero_()
        match.k.weight[head * d: (head + 1) * d].zero_()
        for n, row in enumerate(still):
            match.q.weight[head * share * d + row, head * d + n] = 1.0
            match.k.weight[head * d + row, half + head * d + n] = 1.0
    # The stream now holds B as well.
    copy(match, s, SCALE * ((2 * half) / s.hidden) ** 0.5, to=0, share=share, loud=LOUD)
    for norm in (match.q_norm, match.k_norm):
        norm.weight.fill_(SHARP_MATCH ** 0.5)


def copy(block, s, mean_square, to, share, loud):
    """Values are A, in pieces of a head; the first query head of each group writes its piece to `to` and on."""
    d = s.head_dim
    block.v.weight.zero_()
    for head in range(s.kv_heads):
        for i in range(d):
            block.v.weight[head * d + i, head * d + i] = 1.0
            row = to + head * d + i
            if row < s.hidden - 1:
                block.o.weight[row, head * share * d + i] = loud * mean_square
