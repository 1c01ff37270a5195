//! One block: attention and feed-forward network with residuals, over all tokens of an example at once.

use candle_core::{Result, Tensor};

use super::Loader;
use super::adapters::{Adapters, Pair};
use super::ops::{Frozen, Norm, Turns, causal_softmax};
use crate::{LmError, Shape};

/// Rows of scores that are computed together; what lies to the right of them is never computed.
const ROWS: usize = 256;

pub(super) struct Block {
    attention_norm: Norm,
    q: Linear,
    k: Linear,
    v: Linear,
    q_norm: Option<Norm>,
    k_norm: Option<Norm>,
    attention_output: Linear,
    feed_forward_norm: Norm,
    gate: Linear,
    up: Linear,
    down: Linear,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    scale: f64,
}

impl Block {
    pub(super) fn load(
        load: &mut Loader<'_>,
        shape: &Shape,
        adapters: &Adapters,
        index: usize,
    ) -> std::result::Result<Block, LmError> {
        let Shape { hidden, heads, kv_heads, head_dim, feed_forward, .. } = *shape;
        let (q, kv) = (heads * head_dim, kv_heads * head_dim);
        let name = |part: &str| format!("blk.{index}.{part}");
        let linear = |load: &mut Loader<'_>, part: &str, rows: usize, columns: usize| {
            let frozen = load.frozen(&name(part), rows, columns)?;
            let pair = adapters.pair(&name(part)).cloned();
            Ok::<_, LmError>(Linear { frozen, pair, scale: adapters.scale() })
        };
        Ok(Block {
            q: linear(load, "attn_q", q, hidden)?,
            k: linear(load, "attn_k", kv, hidden)?,
            v: linear(load, "attn_v", kv, hidden)?,
            attention_output: linear(load, "attn_output", hidden, q)?,
            gate: linear(load, "ffn_gate", feed_forward, hidden)?,
            up: linear(load, "ffn_up", feed_forward, hidden)?,
            down: linear(load, "ffn_down", hidden, feed_forward)?,
            attention_norm: load.norm(&name("attn_norm"), hidden, shape)?,
            q_norm: load.optional_norm(&name("attn_q_norm"), head_dim, shape)?,
            k_norm: load.optional_norm(&name("attn_k_norm"), head_dim, shape)?,
            feed_forward_norm: load.norm(&name("ffn_norm"), hidden, shape)?,
            heads,
            kv_heads,
            head_dim,
            scale: shape.attention_scale,
        })
    }

    /// `x` is `(tokens, hidden)`, before and after.
    pub(super) fn forward(&self, x: &Tensor, turns: &Turns) -> Result<Tensor> {
        let x = (x + self.attend(&self.attention_norm.forward(x)?, turns)?)?;
        let y = self.feed_forward_norm.forward(&x)?;
        let gate = self.gate.forward(&y)?.silu()?;
        let fed = self.down.forward(&(gate * self.up.forward(&y)?)?)?;
        x + fed
    }

    fn attend(&self, x: &Tensor, turns: &Turns) -> Result<Tensor> {
        let tokens = x.dim(0)?;
        // (tokens, heads · width) to (heads, tokens, width), normed where the family does.
        let split = |y: Tensor, heads: usize, norm: &Option<Norm>| {
            let y = y.reshape((tokens, heads, self.head_dim))?.transpose(0, 1)?.contiguous()?;
            match norm {
                Some(norm) => norm.forward(&y),
                None => Ok(y),
            }
        };
        let q = turns.apply(&split(self.q.forward(x)?, self.heads, &self.q_norm)?)?;
        let k = turns.apply(&split(self.k.forward(x)?, self.kv_heads, &self.k_norm)?)?;
        let v = split(self.v.forward(x)?, self.kv_heads, &None)?;
        let (k, v) = (self.for_each_query_head(&k)?, self.for_each_query_head(&v)?);
        let keys = k.transpose(1, 2)?;
        let mut mixed = Vec::new();
        for start in (0..tokens).step_by(ROWS) {
            let rows = ROWS.min(tokens - start);
            let seen = start + rows;
            let scores = q.narrow(1, start, rows)?.contiguous()?.matmul(&keys.narrow(2, 0, seen)?)?;
            let weights = causal_softmax(&(scores * self.scale)?, start)?;
            mixed.push(weights.matmul(&v.narrow(1, 0, seen)?.contiguous()?)?);
        }
        let mixed =
            Tensor::cat(&mixed, 1)?.transpose(0, 1)?.contiguous()?.reshape((tokens, self.heads * self.head_dim))?;
        self.attention_output.forward(&mixed)
    }

    /// Each key head as often as there are query heads that share it.
    fn for_each_query_head(&self, x: &Tensor) -> Result<Tensor> {
        let (kv_heads, tokens, width) = x.dims3()?;
        let shared = self.heads / kv_heads;
        if shared == 1 {
            return Ok(x.clone());
        }
        let x = x.unsqueeze(1)?.broadcast_as((kv_heads, shared, tokens, width))?;
        x.contiguous()?.reshape((self.heads, tokens, width))
    }
}

/// A frozen matrix with its addition: `W x + (alpha / rank) B (A x)`.
struct Linear {
    frozen: Frozen,
    pair: Option<Pair>,
    scale: f64,
}

impl Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.frozen.forward(x)?;
        let Some(Pair { a, b }) = &self.pair else { return Ok(y) };
        let added = x.matmul(&a.as_tensor().t()?)?.matmul(&b.as_tensor().t()?)?;
        y + (added * self.scale)?
    }
}
