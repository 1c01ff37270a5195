//! Rotary position embedding: tables of cosines and sines for every position of the context window.
//!
//! Su et al. 2021, <https://arxiv.org/abs/2104.09864>. Frequencies may be divided by factors that the
//! model file brings (Llama 3.1 `rope_freqs`, Phi-3 long and short factors).

use candle_core::{D, Device, Tensor};
use candle_nn::rotary_emb;

/// Cosines and sines, `(positions, dim / 2)` each.
#[derive(Debug)]
pub(crate) struct Rope {
    cos: Tensor,
    sin: Tensor,
    dim: usize,
    pairs: Pairs,
}

/// Which two dimensions turn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// 2i and 2i+1 (Llama as llama.cpp permutes it).
    Neighbours,
    /// i and i + dim/2.
    Halves,
}

/// Frequencies of a table.
#[derive(Clone, Debug)]
pub(crate) struct Frequencies<'a> {
    /// Rotated dimensions of a head.
    pub(crate) dim: usize,
    /// Base.
    pub(crate) base: f64,
    /// Positions are divided by this.
    pub(crate) scale: f64,
    /// One divisor a frequency, or none.
    pub(crate) factors: Option<&'a [f32]>,
    /// Cosines and sines are multiplied by this.
    pub(crate) magnitude: f64,
}

/// The angle that each pair of the `dim` rotated dimensions turns by from one position to the next: `base^(-2i / dim)`,
/// divided by `scale` and by the pair's own factor.
pub(crate) fn inverse_frequencies(dim: usize, base: f64, scale: f64, factors: Option<&[f32]>) -> Vec<f32> {
    let inverse = |i: usize| {
        let factor = factors.and_then(|f| f.get(i)).copied().unwrap_or(1.0);
        (1.0 / base.powf(2.0 * i as f64 / dim as f64) / scale) as f32 / factor
    };
    (0..dim / 2).map(inverse).collect()
}

impl Rope {
    pub(crate) fn new(
        frequencies: &Frequencies<'_>,
        positions: usize,
        pairs: Pairs,
        device: &Device,
    ) -> candle_core::Result<Rope> {
        let Frequencies { dim, base, scale, factors, magnitude } = *frequencies;
        let inverse = inverse_frequencies(dim, base, scale, factors);
        let angles = Tensor::arange(0u32, positions as u32, device)?
            .to_dtype(candle_core::DType::F32)?
            .reshape((positions, 1))?
            .broadcast_mul(&Tensor::from_vec(inverse, (1, dim / 2), device)?)?;
        Ok(Rope { cos: (angles.cos()? * magnitude)?, sin: (angles.sin()? * magnitude)?, dim, pairs })
    }

    /// Turns `x`, `(1, heads, tokens, head_dim)`, whose first token is at `position`.
    pub(crate) fn apply(&self, x: &Tensor, position: usize) -> candle_core::Result<Tensor> {
        let (_, _, tokens, head_dim) = x.dims4()?;
        let cos = self.cos.narrow(0, position, tokens)?;
        let sin = self.sin.narrow(0, position, tokens)?;
        let turn = |x: &Tensor| match self.pairs {
            Pairs::Neighbours => rotary_emb::rope_i(&x.contiguous()?, &cos, &sin),
            Pairs::Halves => rotary_emb::rope(&x.contiguous()?, &cos, &sin),
        };
        if self.dim == head_dim {
            return turn(x);
        }
        let turned = turn(&x.narrow(D::Minus1, 0, self.dim)?)?;
        Tensor::cat(&[&turned, &x.narrow(D::Minus1, self.dim, head_dim - self.dim)?.contiguous()?], D::Minus1)
    }
}
