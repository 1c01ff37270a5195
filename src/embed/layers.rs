//! What the encoder families share: linear layers, embeddings by name, attention over packed texts.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use rayon::prelude::*;

use super::batch::Batch;
use super::ops::{self, Activation, Norm, Sight};

/// Attention scores held at once for one text: a long text is done some queries at a time.
const SCORES: usize = 8 << 20;

/// `x Wᵀ + b`; the bias is added by the pass that follows.
pub(super) struct Linear {
    /// `[in, out]`, a view of the file's `[out, in]`.
    weight: Tensor,
    /// `[out]`; zeros where the model has none.
    pub(super) bias: Tensor,
}

impl Linear {
    /// `{name}.weight` and, if `bias`, `{name}.bias`.
    pub(super) fn load(vb: &VarBuilder<'_>, name: &str, input: usize, output: usize, bias: bool) -> Result<Linear> {
        Linear::stacked(vb, &[name], input, output, bias)
    }

    /// Several layers of one input as one: their outputs lie side by side.
    pub(super) fn stacked(
        vb: &VarBuilder<'_>,
        names: &[&str],
        input: usize,
        output: usize,
        bias: bool,
    ) -> Result<Linear> {
        let load = |name: &&str| -> Result<(Tensor, Tensor)> {
            let vb = vb.pp(name);
            let bias = if bias { vb.get(output, "bias")? } else { Tensor::zeros(output, vb.dtype(), vb.device())? };
            Ok((vb.get((output, input), "weight")?, bias))
        };
        let (weights, biases): (Vec<_>, Vec<_>) =
            names.iter().map(load).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        Ok(Linear { weight: Tensor::cat(&weights, 0)?.t()?, bias: Tensor::cat(&biases, 0)? })
    }

    /// `x Wᵀ`
    pub(super) fn product(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.weight)
    }

    /// `x Wᵀ + b`
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::add_bias(self.product(x)?, &self.bias)
    }

    /// `activation(x Wᵀ + b)`
    pub(super) fn activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        ops::activate(self.product(x)?, &self.bias, activation)
    }
}

impl Norm {
    /// `{name}.weight` and `{name}.bias` (`gamma` and `beta` in old files), or no bias.
    pub(super) fn load(vb: &VarBuilder<'_>, name: &str, width: usize, eps: f64, bias: bool) -> Result<Norm> {
        let vb = vb.pp(name);
        let old = vb.contains_tensor("gamma");
        let weight = vb.get(width, if old { "gamma" } else { "weight" })?;
        let bias = match bias {
            true => vb.get(width, if old { "beta" } else { "bias" })?,
            false => weight.zeros_like()?,
        };
        Ok(Norm { weight, bias, eps: eps as f32 })
    }
}

/// Rows of an embedding table: `[ids]` -> `[ids, width]`.
pub(super) fn look_up(table: &Tensor, ids: &[u32]) -> Result<Tensor> {
    table.index_select(&Tensor::from_slice(ids, ids.len(), table.device())?, 0)
}

/// Multi-head self-attention within each text: `[tokens, 3 * hidden]` (query, key, value) -> `[tokens, hidden]`.
pub(super) fn attention(qkv: &Tensor, batch: &Batch, heads: usize, sight: Sight) -> Result<Tensor> {
    let (tokens, width) = qkv.dims2()?;
    let hidden = width / 3;
    let qkv = qkv.reshape((tokens, 3, heads, hidden / heads))?;
    let part = |i: usize| qkv.narrow(1, i, 1)?.squeeze(1);
    attend(&part(0)?, &part(1)?, &part(2)?, batch, sight)
}

/// Scaled dot-product attention: queries, keys and values as `[tokens, heads, head]` -> `[tokens, heads * head]`.
pub(super) fn attend(q: &Tensor, k: &Tensor, v: &Tensor, batch: &Batch, sight: Sight) -> Result<Tensor> {
    let (_, heads, head) = q.dims3()?;
    let scale = 1.0 / (head as f32).sqrt();
    let one = |text: &std::ops::Range<usize>| -> Result<Tensor> {
        let len = text.len();
        // [tokens, heads, head] -> [heads, len, head], views all.
        let of = |x: &Tensor| x.narrow(0, text.start, len)?.transpose(0, 1);
        let (q, k, v) = (of(q)?, of(k)?.transpose(1, 2)?, of(v)?);
        let step = (SCORES / (heads * len).max(1)).max(1);
        let blocks = (0..len).step_by(step).map(|first| {
            let n = step.min(len - first);
            let scores = q.narrow(1, first, n)?.matmul(&k)?;
            let weights = ops::softmax(scores, scale, first, sight)?;
            weights.matmul(&v)?.transpose(0, 1)?.reshape((n, heads * head))
        });
        match blocks.collect::<Result<Vec<_>>>()?.as_slice() {
            [only] => Ok(only.clone()),
            blocks => Tensor::cat(blocks, 0),
        }
    };
    let texts: Vec<Tensor> = if q.device().is_cpu() {
        batch.texts.par_iter().map(one).collect::<Result<_>>()?
    } else {
        batch.texts.iter().map(one).collect::<Result<_>>()?
    };
    Tensor::cat(&texts, 0)
}
