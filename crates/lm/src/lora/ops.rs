//! The steps of a block with gradients: product with a frozen matrix, RMS norm, rotary turn, causal softmax.
//!
//! candle's fused RMS norm, rotary turn and softmax have no backward pass. Two operations are our own, since what candle would
//! compose keeps too much: a product also makes the gradient of its frozen matrix, and a softmax keeps seven squares of
//! scores instead of one. On a CPU only; elsewhere they are composed.

use candle_core::{CpuStorage, CustomOp1, D, Device, Layout, Result, Shape as Dims, Tensor};

use crate::gguf::Gguf;
use crate::rope::inverse_frequencies;
use crate::{Architecture, LmError, Shape};

/// `x Wᵀ + b`, `x` being `(tokens, inputs)` and `weight` `(outputs, inputs)`; `weight` gets no gradient.
pub(super) struct Frozen {
    pub(super) weight: Tensor,
    pub(super) bias: Option<Tensor>,
}

impl Frozen {
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = match x.device().is_cpu() {
            true => x.contiguous()?.apply_op1(Product { weight: self.weight.clone() })?,
            false => x.matmul(&self.weight.t()?)?,
        };
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

struct Product {
    weight: Tensor,
}

impl CustomOp1 for Product {
    fn name(&self) -> &'static str {
        "product with a frozen matrix"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Dims)> {
        let (tokens, inputs) = layout.shape().dims2()?;
        let x = Tensor::from_slice(numbers(storage, layout)?, (tokens, inputs), &Device::Cpu)?;
        let y = x.matmul(&self.weight.t()?)?;
        let dims = y.shape().clone();
        Ok((CpuStorage::F32(y.flatten_all()?.to_vec1()?), dims))
    }

    fn bwd(&self, _arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.matmul(&self.weight)?))
    }
}

/// Softmax over the last dimension of `(heads, rows, columns)`, where row `i` sees the columns up to `offset + i`.
pub(super) fn causal_softmax(scores: &Tensor, offset: usize) -> Result<Tensor> {
    match scores.device().is_cpu() {
        true => scores.contiguous()?.apply_op1(CausalSoftmax { offset }),
        false => composed_softmax(scores, offset),
    }
}

/// The same out of candle's operations.
pub(super) fn composed_softmax(scores: &Tensor, offset: usize) -> Result<Tensor> {
    let (_, rows, columns) = scores.dims3()?;
    let hidden = |i: usize| (0..columns).map(move |j| if j > offset + i { f32::NEG_INFINITY } else { 0.0 });
    let mask: Vec<f32> = (0..rows).flat_map(hidden).collect();
    let mask = Tensor::from_vec(mask, (rows, columns), scores.device())?;
    candle_nn::ops::softmax(&scores.broadcast_add(&mask)?, D::Minus1)
}

struct CausalSoftmax {
    offset: usize,
}

impl CustomOp1 for CausalSoftmax {
    fn name(&self) -> &'static str {
        "causal softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Dims)> {
        let (_, rows, columns) = layout.shape().dims3()?;
        let scores = numbers(storage, layout)?;
        let mut out = vec![0.0; scores.len()];
        for (i, (from, to)) in scores.chunks_exact(columns).zip(out.chunks_exact_mut(columns)).enumerate() {
            let seen = (self.offset + i % rows + 1).min(columns);
            let largest = from[..seen].iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for (x, y) in from[..seen].iter().zip(&mut to[..seen]) {
                *y = (x - largest).exp();
                sum += *y;
            }
            to[..seen].iter_mut().for_each(|y| *y /= sum);
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    /// `y (g - Σ y g)`; what is hidden has `y = 0`.
    fn bwd(&self, _arg: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let sum = (res * grad)?.sum_keepdim(D::Minus1)?;
        Ok(Some((res * grad.broadcast_sub(&sum)?)?))
    }
}

fn numbers<'s>(storage: &'s CpuStorage, layout: &Layout) -> Result<&'s [f32]> {
    let all = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&all[start..end]),
        None => candle_core::bail!("the numbers do not lie one after another"),
    }
}

/// `x / √(mean x² + ε) · weight`, over the last dimension.
pub(super) struct Norm {
    pub(super) weight: Tensor,
    pub(super) epsilon: f64,
}

impl Norm {
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mean = (x.sqr()?.sum_keepdim(D::Minus1)? / x.dim(D::Minus1)? as f64)?;
        x.broadcast_div(&(mean + self.epsilon)?.sqrt()?)?.broadcast_mul(&self.weight)
    }
}

/// Cosines and sines `(positions, dim / 2)` of rotary embedding.
pub(super) struct Turns {
    cos: Tensor,
    sin: Tensor,
    dim: usize,
    neighbours: bool,
}

impl Turns {
    pub(super) fn load(
        gguf: &mut Gguf,
        shape: &Shape,
        window: usize,
        device: &Device,
    ) -> std::result::Result<Turns, LmError> {
        let (factors, magnitude) = crate::candle_decoder::rope_factors(gguf, shape, window)?;
        let half = shape.rope_dim / 2;
        let speeds = inverse_frequencies(shape.rope_dim, shape.rope_base, shape.rope_scale, factors.as_deref());
        let table = |turn: fn(f32) -> f32| {
            let row = |p: usize| speeds.iter().map(move |s| turn(p as f32 * s) * magnitude as f32);
            Tensor::from_vec((0..window).flat_map(row).collect::<Vec<f32>>(), (window, half), device)
        };
        let neighbours = shape.architecture == Architecture::Llama;
        Ok(Turns { cos: table(f32::cos)?, sin: table(f32::sin)?, dim: shape.rope_dim, neighbours })
    }

    /// Turns `(heads, tokens, head_dim)`, whose tokens stand from position 0 on.
    pub(super) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let (heads, tokens, width) = x.dims3()?;
        let (cos, sin) = (self.cos.narrow(0, 0, tokens)?, self.sin.narrow(0, 0, tokens)?);
        let (half, turned) = (self.dim / 2, x.narrow(D::Minus1, 0, self.dim)?);
        let (a, b) = if self.neighbours {
            let pairs = turned.contiguous()?.reshape((heads, tokens, half, 2))?;
            (pairs.narrow(3, 0, 1)?.squeeze(3)?, pairs.narrow(3, 1, 1)?.squeeze(3)?)
        } else {
            (turned.narrow(D::Minus1, 0, half)?, turned.narrow(D::Minus1, half, half)?)
        };
        let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
        let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
        let out = match self.neighbours {
            true => Tensor::stack(&[&first, &second], 3)?.reshape((heads, tokens, self.dim))?,
            false => Tensor::cat(&[&first, &second], D::Minus1)?,
        };
        if self.dim == width {
            return Ok(out);
        }
        Tensor::cat(&[&out, &x.narrow(D::Minus1, self.dim, width - self.dim)?], D::Minus1)
    }
}
