"""The span reader: a BertModel with two outputs a token, how likely an answer begins and ends there; the first token stands for "not here"."""

import torch
import torch.nn.functional as F
from torch import nn

HEADS = 12


class Layer(nn.Module):
    def __init__(self, hidden, inner, dropout):
        super().__init__()
        self.attention = nn.ModuleDict({
            "self": nn.ModuleDict({name: nn.Linear(hidden, hidden) for name in ("query", "key", "value")}),
            "output": nn.ModuleDict({"dense": nn.Linear(hidden, hidden), "LayerNorm": nn.LayerNorm(hidden, eps=1e-12)}),
        })
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(hidden, inner)})
        self.output = nn.ModuleDict({"dense": nn.Linear(inner, hidden), "LayerNorm": nn.LayerNorm(hidden, eps=1e-12)})
        self.dropout = dropout

    def forward(self, x, mask):
        b, t, h = x.shape
        of = lambda name: self.attention["self"][name](x).view(b, t, HEADS, h // HEADS).transpose(1, 2)
        # The library's fused attention is slower on such short texts, backwards above all.
        scores = of("query") @ of("key").transpose(2, 3) * (h // HEADS) ** -0.5 + mask
        y = (scores.softmax(-1).to(x.dtype) @ of("value")).transpose(1, 2).reshape(b, t, h)
        drop = lambda y: F.dropout(y, self.dropout, self.training)
        x = self.attention["output"]["LayerNorm"](x + drop(self.attention["output"]["dense"](y)))
        y = self.output["dense"](F.gelu(self.intermediate["dense"](x)))
        return self.output["LayerNorm"](x + drop(y))


class Span(nn.Module):
    """Tensors have the names of a BertModel, and `head`."""

    def __init__(self, pieces, places, hidden=384, layers=12, inner=1536, dropout=0.1):
        super().__init__()
        self.embeddings = nn.ModuleDict({
            "word_embeddings": nn.Embedding(pieces, hidden),
            "position_embeddings": nn.Embedding(places, hidden),
            "token_type_embeddings": nn.Embedding(2, hidden),
            "LayerNorm": nn.LayerNorm(hidden, eps=1e-12),
        })
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(Layer(hidden, inner, dropout) for _ in range(layers))})
        self.head = nn.Linear(hidden, 2)
        self.dropout = dropout
        # Not learnt: what is rare in the examples keeps its place among the others.
        self.embeddings["word_embeddings"].weight.requires_grad = False

    def forward(self, ids, segments):
        """Both (B, T); segments -1 where there is no token. Gives (B, T, 2), -1e4 where no answer can begin or end."""
        e = self.embeddings
        x = e["word_embeddings"](ids) + e["position_embeddings"].weight[: ids.shape[1]] + e["token_type_embeddings"]((segments > 0).long())
        x = F.dropout(e["LayerNorm"](x), self.dropout, self.training)
        mask = torch.zeros(segments.shape, dtype=torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32).masked_fill(segments < 0, -1e4)[:, None, None, :]
        for layer in self.encoder["layer"]:
            x = layer(x, mask)
        allowed = segments == 2
        allowed[:, 0] = True
        return self.head(x).float().masked_fill(~allowed[:, :, None], -1e4)


def of_tensors(tensors, layers=None, dropout=0.1):
    """Of tensors by name; the lowest `layers`. A head that is missing is new."""
    words, places = tensors["embeddings.word_embeddings.weight"], tensors["embeddings.position_embeddings.weight"]
    inner, hidden = tensors["encoder.layer.0.intermediate.dense.weight"].shape
    layers = layers or sum(name.endswith("query.weight") for name in tensors)
    model = Span(len(words), len(places), hidden, layers, inner, dropout)
    nn.init.normal_(model.head.weight, std=0.02), nn.init.zeros_(model.head.bias)
    missing, _ = model.load_state_dict(tensors, strict=False)
    assert set(missing) <= {"head.weight", "head.bias"}, missing
    return model
