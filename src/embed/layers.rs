//! What the encoder families share: linear layers, embeddings by name, attention over packed texts.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor, bail};
use candle_nn::VarBuilder;
use rayon::prelude::*;
use sectora_lm::{Linear8, Products};
use serde::Deserialize;

use super::batch::Batch;
use super::ops::{self, Activation, Norm, Sight};

/// Attention scores held at once for one text: a long text is done some queries at a time.
const SCORES: usize = 8 << 20;

/// `x Wᵀ + b`; the bias is added by the pass that follows.
pub(super) struct Linear {
    weights: Weights,
    /// `[out]`; zeros where the model has none.
    pub(super) bias: Tensor,
}

enum Weights {
    /// `[in, out]`, a view of the file's `[out, in]`.
    Full(Tensor),
    /// Rounded to eight bits, multiplied by the language model's kernels.
    Rounded(Linear8, Arc<Products>),
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
        Linear::of(&Tensor::cat(&weights, 0)?, Tensor::cat(&biases, 0)?)
    }

    /// Of a weight `[out, in]` and a bias `[out]`.
    pub(super) fn of(weight: &Tensor, bias: Tensor) -> Result<Linear> {
        Ok(Linear { weights: Weights::Full(weight.t()?), bias })
    }

    /// Rounds the weights to eight bits; one whose rows are no multiple of 32 stays as it is.
    pub(super) fn round(&mut self, products: &Arc<Products>) -> Result<()> {
        if let Weights::Full(weight) = &self.weights {
            let (inputs, outputs) = weight.dims2()?;
            let rows: Vec<f32> = weight.t()?.flatten_all()?.to_vec1()?;
            if let Some(rounded) = products.round(&rows, outputs, inputs) {
                self.weights = Weights::Rounded(rounded, Arc::clone(products));
            }
        }
        Ok(())
    }

    /// `x Wᵀ`
    pub(super) fn product(&self, x: &Tensor) -> Result<Tensor> {
        match &self.weights {
            Weights::Full(weight) => x.matmul(weight),
            Weights::Rounded(matrix, products) => {
                let (rows, outputs) = (x.dim(0)?, self.bias.dim(0)?);
                let mut out = vec![0.0; rows * outputs];
                ops::with_values([x], |[x]| products.multiply(x, matrix, &mut out))?;
                Tensor::from_vec(out, (rows, outputs), x.device())
            }
        }
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

/// Rows of a table of token types; a model with fewer types than a pair of texts has takes its last for the second.
pub(super) fn look_up_types(table: &Tensor, types: &[u32]) -> Result<Tensor> {
    let last = table.dim(0)?.saturating_sub(1) as u32;
    look_up(table, &types.iter().map(|t| (*t).min(last)).collect::<Vec<_>>())
}

/// Multi-head self-attention within each text, queries and keys turned by their positions where there is a `rope`: `[tokens, 3 * hidden]` (query, key, value) -> `[tokens, hidden]`.
pub(super) fn attention(
    qkv: &Tensor,
    batch: &Batch,
    heads: usize,
    rope: Option<&Rope>,
    sight: Sight,
) -> Result<Tensor> {
    let (tokens, width) = qkv.dims2()?;
    let hidden = width / 3;
    let qkv = qkv.reshape((tokens, 3, heads, hidden / heads))?;
    let part = |i: usize| qkv.narrow(1, i, 1)?.squeeze(1);
    let turned = |i: usize| rope.map_or_else(|| part(i), |rope| rope.turn(&part(i)?));
    attend(&turned(0)?, &turned(1)?, &part(2)?, batch, sight)
}

/// Scaled dot-product attention: queries `[tokens, heads, head]`, keys and values `[tokens, heads / n, head]` (each serves
/// `n` heads) -> `[tokens, heads * head]`.
pub(super) fn attend(q: &Tensor, k: &Tensor, v: &Tensor, batch: &Batch, sight: Sight) -> Result<Tensor> {
    let (_, heads, head) = q.dims3()?;
    let scale = 1.0 / (head as f32).sqrt();
    let one = |text: &std::ops::Range<usize>| -> Result<Tensor> {
        let len = text.len();
        // [tokens, heads, head] -> [heads, len, head], views all.
        let of = |x: &Tensor| x.narrow(0, text.start, len)?.transpose(0, 1);
        let (q, k, v) = (of(q)?, shared(of(k)?, heads)?.transpose(1, 2)?, shared(of(v)?, heads)?);
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

/// Each of `[groups, len, head]` repeated so that there are `heads`.
fn shared(x: Tensor, heads: usize) -> Result<Tensor> {
    let (groups, len, head) = x.dims3()?;
    if groups == heads {
        return Ok(x);
    }
    x.unsqueeze(1)?.broadcast_as((groups, heads / groups, len, head))?.reshape((heads, len, head))
}

/// `rope_parameters` (or `rope_scaling`) of `config.json`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct RopeConfig {
    rope_theta: Option<f64>,
    #[serde(alias = "type")]
    rope_type: Option<String>,
}

impl RopeConfig {
    /// The base of the frequencies; scaled variants are refused.
    pub(super) fn theta(config: Option<&RopeConfig>, old: Option<f64>, default: f64) -> Result<f64> {
        if let Some(kind) = config.and_then(|c| c.rope_type.as_deref()).filter(|kind| *kind != "default") {
            bail!("rope_type {kind} is not supported, only default");
        }
        Ok(config.and_then(|c| c.rope_theta).or(old).unwrap_or(default))
    }
}

/// Rotary positions ([RoFormer](https://arxiv.org/abs/2104.09864)), halves rotated against each other.
pub(super) struct Rope {
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    /// Of every token of a batch, positions counted within its text; `head` is the width that is rotated.
    pub(super) fn new(batch: &Batch, head: usize, theta: f64, device: &Device) -> Result<Rope> {
        let frequencies: Vec<f64> = (0..head / 2).map(|i| theta.powf(-2.0 * i as f64 / head as f64)).collect();
        Rope::turning(batch, &frequencies, device)
    }

    /// The same with frequencies of one's own, in radians a position, one for each pair that is rotated.
    pub(super) fn turning(batch: &Batch, frequencies: &[f64], device: &Device) -> Result<Rope> {
        let positions = batch.texts.iter().flat_map(|text| 0..text.len());
        let angles: Vec<f64> = positions.flat_map(|at| frequencies.iter().map(move |f| at as f64 * f)).collect();
        let table = |of: fn(f64) -> f64| {
            let values: Vec<f32> = angles.iter().map(|a| of(*a) as f32).collect();
            Tensor::from_vec(values, (batch.ids.len(), frequencies.len()), device)
        };
        Ok(Rope { cos: table(f64::cos)?, sin: table(f64::sin)? })
    }

    /// Rotates `[tokens, heads, head]`.
    pub(super) fn turn(&self, x: &Tensor) -> Result<Tensor> {
        candle_nn::rotary_emb::rope_thd(&x.contiguous()?.unsqueeze(0)?, &self.cos, &self.sin)?.squeeze(0)
    }
}
