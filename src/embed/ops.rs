//! The row operations of an encoder: activation, layer norm, softmax.
//!
//! On the CPU each is one pass over memory, in place and over rows in parallel, with the addition that precedes it
//! (bias, residual) fused in; elsewhere it is made of candle's own operations. `exp` and `erf` are polynomials, so
//! that the compiler can compute several at once; both are within 1e-6 of the exact function.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, D, InplaceOp1, InplaceOp2, Layout, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;
use serde::Deserialize;

/// Floats that one task of the thread pool works on, at least.
const TASK: usize = 16 * 1024;
/// Partial sums: independent, so that the compiler may keep them in vector registers.
const LANES: usize = 16;

/// The non-linearity between the two halves of a feed-forward layer, by its name in `config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Activation {
    /// `x Φ(x)` with the exact error function.
    #[serde(rename = "gelu")]
    Gelu,
    /// The approximation with tanh.
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh", alias = "gelu_fast", alias = "gelu_approximate")]
    GeluTanh,
    /// `max(x, 0)`
    #[serde(rename = "relu")]
    Relu,
    /// `x σ(x)`
    #[serde(rename = "silu", alias = "swish")]
    Silu,
    /// `tanh(x)`
    #[serde(rename = "tanh")]
    Tanh,
}

/// Which keys a query may look at, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// All of the text.
    All,
    /// So many to each side.
    Window(usize),
    /// Itself and what precedes it.
    Causal,
}

impl Sight {
    /// The keys that query `at` of a text of `len` tokens sees.
    pub(super) fn range(self, at: usize, len: usize) -> Range<usize> {
        match self {
            Sight::All => 0..len,
            Sight::Window(n) => at.saturating_sub(n)..(at + n + 1).min(len),
            Sight::Causal => 0..(at + 1).min(len),
        }
    }
}

/// Weight, bias and epsilon of a layer norm.
pub(super) struct Norm {
    /// `[width]`
    pub(super) weight: Tensor,
    /// `[width]`
    pub(super) bias: Tensor,
    /// Added to the variance.
    pub(super) eps: f32,
}

/// `y + bias` over rows; consumes `y`, which must not be shared.
pub(super) fn add_bias(y: Tensor, bias: &Tensor) -> Result<Tensor> {
    if !y.device().is_cpu() {
        return y.broadcast_add(bias);
    }
    y.inplace_op2(bias, &WithBias { of: None })?;
    Ok(y)
}

/// `activation(y + bias)` over rows; consumes `y`, which must not be shared.
pub(super) fn activate(y: Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    if y.device().is_cpu() {
        y.inplace_op2(bias, &WithBias { of: Some(activation) })?;
        return Ok(y);
    }
    let y = y.broadcast_add(bias)?;
    match activation {
        Activation::Gelu => y.gelu_erf(),
        Activation::GeluTanh => y.gelu(),
        Activation::Relu => y.relu(),
        Activation::Silu => y.silu(),
        Activation::Tanh => y.tanh(),
    }
}

/// `activation(a) * b` over rows `[a, b]` of an even width.
pub(super) fn gate(y: &Tensor, activation: Activation) -> Result<Tensor> {
    if y.device().is_cpu() {
        return y.apply_op1_no_bwd(&Gate { activation });
    }
    let half = y.dim(D::Minus1)? / 2;
    let none = Tensor::zeros(half, y.dtype(), y.device())?;
    activate(y.narrow(D::Minus1, 0, half)?.contiguous()?, &none, activation)? * y.narrow(D::Minus1, half, half)?
}

/// `LayerNorm(y + bias + residual)` over rows; consumes `y`, which must not be shared.
pub(super) fn add_norm(y: Tensor, bias: &Tensor, residual: &Tensor, norm: &Norm) -> Result<Tensor> {
    if y.device().is_cpu() {
        y.inplace_op2(residual, &AddNorm { bias, norm })?;
        return Ok(y);
    }
    let y = (y.broadcast_add(bias)? + residual)?;
    candle_nn::ops::layer_norm(&y, &norm.weight, &norm.bias, norm.eps)
}

/// `LayerNorm(y)` over rows; consumes `y`, which must not be shared.
pub(super) fn norm(y: Tensor, norm: &Norm) -> Result<Tensor> {
    if y.device().is_cpu() {
        y.inplace_op1(&PlainNorm { norm })?;
        return Ok(y);
    }
    candle_nn::ops::layer_norm(&y, &norm.weight, &norm.bias, norm.eps)
}

/// `softmax(scale * scores)` over the last of `[heads, queries, keys]`, the first query being at `first` in its text.
pub(super) fn softmax(scores: Tensor, scale: f32, first: usize, sight: Sight) -> Result<Tensor> {
    if scores.device().is_cpu() {
        scores.inplace_op1(&Softmax { scale, first, sight })?;
        return Ok(scores);
    }
    let (_, queries, keys) = scores.dims3()?;
    let scores = (scores * f64::from(scale))?;
    if sight == Sight::All {
        return candle_nn::ops::softmax(&scores, D::Minus1);
    }
    let hidden: Vec<f32> = (0..queries)
        .flat_map(|i| {
            let seen = sight.range(first + i, keys);
            (0..keys).map(move |k| if seen.contains(&k) { 0.0 } else { f32::NEG_INFINITY })
        })
        .collect();
    let mask = Tensor::from_vec(hidden, (1, queries, keys), scores.device())?;
    candle_nn::ops::softmax(&scores.broadcast_add(&mask)?, D::Minus1)
}

/// `y ← of(y + bias)`
struct WithBias {
    of: Option<Activation>,
}

impl InplaceOp2 for WithBias {
    fn name(&self) -> &'static str {
        "add bias"
    }

    fn cpu_fwd(&self, y: &mut CpuStorage, layout: &Layout, bias: &CpuStorage, bias_layout: &Layout) -> Result<()> {
        let (y, bias) = (whole(y, layout)?, part(bias, bias_layout)?);
        // One loop a kind: the compiler then sees straight code.
        match self.of {
            None => each_with_bias(y, bias, |x| x),
            Some(Activation::Gelu) => each_with_bias(y, bias, gelu),
            Some(Activation::GeluTanh) => each_with_bias(y, bias, gelu_tanh),
            Some(Activation::Relu) => each_with_bias(y, bias, |x| x.max(0.0)),
            Some(Activation::Silu) => each_with_bias(y, bias, silu),
            Some(Activation::Tanh) => each_with_bias(y, bias, tanh),
        }
        Ok(())
    }
}

fn each_with_bias(y: &mut [f32], bias: &[f32], of: impl Fn(f32) -> f32 + Sync) {
    rows(y, bias.len()).for_each(|rows| {
        for row in rows.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(x, b)| *x = of(*x + b));
        }
    });
}

/// `activation(a) * b`
struct Gate {
    activation: Activation,
}

impl CustomOp1 for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn cpu_fwd(&self, y: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        let y = part(y, layout)?;
        let out = match self.activation {
            Activation::Gelu => each_gated(y, width, gelu),
            Activation::GeluTanh => each_gated(y, width, gelu_tanh),
            Activation::Relu => each_gated(y, width, |x| x.max(0.0)),
            Activation::Silu => each_gated(y, width, silu),
            Activation::Tanh => each_gated(y, width, tanh),
        };
        Ok((CpuStorage::F32(out), Shape::from((rows, width / 2))))
    }
}

fn each_gated(y: &[f32], width: usize, of: impl Fn(f32) -> f32 + Sync) -> Vec<f32> {
    let half = width / 2;
    let mut out = vec![0.0; y.len() / 2];
    let task = task_rows(width);
    out.par_chunks_mut(task * half).zip(y.par_chunks(task * width)).for_each(|(out, y)| {
        for (out, row) in out.chunks_exact_mut(half).zip(y.chunks_exact(width)) {
            let (a, b) = row.split_at(half);
            out.iter_mut().zip(a).zip(b).for_each(|((o, a), b)| *o = of(*a) * b);
        }
    });
    out
}

/// `y ← LayerNorm(y + bias + residual)`
struct AddNorm<'a> {
    bias: &'a Tensor,
    norm: &'a Norm,
}

impl InplaceOp2 for AddNorm<'_> {
    fn name(&self) -> &'static str {
        "add and norm"
    }

    fn cpu_fwd(
        &self,
        y: &mut CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<()> {
        let (y, residual) = (whole(y, layout)?, part(residual, residual_layout)?);
        with_values([self.bias, &self.norm.weight, &self.norm.bias], |[bias, weight, shift]| {
            let width = bias.len();
            let per_task = task_rows(width) * width;
            y.par_chunks_mut(per_task).zip(residual.par_chunks(per_task)).for_each(|(rows, residual)| {
                for (row, residual) in rows.chunks_exact_mut(width).zip(residual.chunks_exact(width)) {
                    row.iter_mut().zip(residual).zip(bias).for_each(|((x, r), b)| *x += r + b);
                    norm_row(row, weight, shift, self.norm.eps);
                }
            });
        })
    }
}

/// `y ← LayerNorm(y)`
struct PlainNorm<'a> {
    norm: &'a Norm,
}

impl InplaceOp1 for PlainNorm<'_> {
    fn name(&self) -> &'static str {
        "norm"
    }

    fn cpu_fwd(&self, y: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let y = whole(y, layout)?;
        with_values([&self.norm.weight, &self.norm.bias], |[weight, shift]| {
            rows(y, weight.len()).for_each(|rows| {
                rows.chunks_exact_mut(weight.len()).for_each(|row| norm_row(row, weight, shift, self.norm.eps));
            });
        })
    }
}

#[inline(always)]
fn norm_row(row: &mut [f32], weight: &[f32], shift: &[f32], eps: f32) {
    let width = row.len() as f32;
    let mean = sum(row, |x| x) / width;
    let variance = sum(row, |x| (x - mean) * (x - mean)) / width;
    let scale = 1.0 / (variance + eps).sqrt();
    row.iter_mut().zip(weight).zip(shift).for_each(|((x, w), s)| *x = (*x - mean) * scale * w + s);
}

/// `scores ← softmax(scale * scores)`, zero where the query does not see.
struct Softmax {
    scale: f32,
    first: usize,
    sight: Sight,
}

impl InplaceOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, scores: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (_, queries, keys) = layout.shape().dims3()?;
        let scores = whole(scores, layout)?;
        let per_task = task_rows(keys);
        scores.par_chunks_mut(per_task * keys).enumerate().for_each(|(task, rows)| {
            for (i, row) in rows.chunks_exact_mut(keys).enumerate() {
                let query = (task * per_task + i) % queries;
                let seen = self.sight.range(self.first + query, keys);
                row[..seen.start].fill(0.0);
                row[seen.end..].fill(0.0);
                softmax_row(&mut row[seen], self.scale);
            }
        });
        Ok(())
    }
}

#[inline(always)]
fn softmax_row(row: &mut [f32], scale: f32) {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for chunk in whole {
        lanes.iter_mut().zip(chunk).for_each(|(m, x)| *m = m.max(*x));
    }
    let largest = lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |m, x| m.max(*x));
    row.iter_mut().for_each(|x| *x = exp((*x - largest) * scale));
    let norm = 1.0 / sum(row, |x| x);
    row.iter_mut().for_each(|x| *x *= norm);
}

#[inline(always)]
fn sum(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for chunk in whole {
        lanes.iter_mut().zip(chunk).for_each(|(s, x)| *s += of(*x));
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|x| of(*x)).sum::<f32>()
}

fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

fn gelu_tanh(x: f32) -> f32 {
    // 0.5 x (1 + tanh u) = x σ(2u)
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    x * sigmoid(2.0 * SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x))
}

fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}

/// The logistic function.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `e^x` after Cephes' `expf`: `2^k e^r` with `|r| <= ln 2 / 2` and a polynomial for `e^r`; saturates at ±87.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 87.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let k = rounded - ROUND;
    let r = x - k * LN2_HIGH - k * LN2_LOW;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 5e-1;
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    (p * r * r + r + 1.0) * power
}

/// The error function as Eigen's rational approximation: odd over even polynomial on [-4, 4], ±1 beyond.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let s = x * x;
    let p = -2.726_142_3e-10;
    let p = p * s + 2.770_681_4e-8;
    let p = p * s - 2.101_024_1e-6;
    let p = p * s - 5.692_506_5e-5;
    let p = p * s - 7.349_906e-4;
    let p = p * s - 2.954_6e-3;
    let p = p * s - 1.609_603_3e-2;
    let q = -1.456_607_2e-5;
    let q = q * s - 2.133_740_6e-4;
    let q = q * s - 1.682_827e-3;
    let q = q * s - 7.373_329e-3;
    let q = q * s - 1.426_474e-2;
    x * p / q
}

/// Rows of `width` in pieces worth a task.
fn rows(y: &mut [f32], width: usize) -> impl IndexedParallelIterator<Item = &mut [f32]> {
    y.par_chunks_mut(task_rows(width) * width)
}

fn task_rows(width: usize) -> usize {
    (TASK / width.max(1)).max(1)
}

fn whole<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("a row operation needs contiguous f32"),
    }
}

fn part<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("a row operation needs contiguous f32"),
    }
}

/// Calls `body` with the numbers of tensors on the CPU.
pub(super) fn with_values<const N: usize>(tensors: [&Tensor; N], body: impl FnOnce([&[f32]; N])) -> Result<()> {
    let held = tensors.map(Tensor::storage_and_layout);
    let mut values = [&[] as &[f32]; N];
    for (value, (storage, layout)) in values.iter_mut().zip(&held) {
        match &**storage {
            Storage::Cpu(storage) => *value = part(storage, layout)?,
            _ => bail!("a row operation needs its weights on the CPU"),
        }
    }
    body(values);
    Ok(())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919) % 1000) as f32 / 100.0 - 5.0).collect()
    }

    fn tensor(shape: &[usize]) -> Tensor {
        Tensor::from_vec(numbers(shape.iter().product()), shape, &Device::Cpu).unwrap()
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
    }

    #[test]
    fn the_polynomials_are_within_a_millionth() {
        for i in -9000..=9000 {
            let x = i as f32 / 1000.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 1e-6, "exp {x}");
            let exact = candle_core::cpu::erf::erf_f64(f64::from(x));
            assert!((f64::from(erf(x)) - exact).abs() < 1e-6, "erf {x}: {} {exact}", erf(x));
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 1e-6, "tanh {x}");
        }
        assert!(exp(-1e9) < 1e-37 && exp(1e9).is_finite() && exp(f32::NAN).is_nan());
    }

    #[test]
    fn each_operation_equals_candles_own() {
        let (y, residual, bias) = (tensor(&[300, 70]), tensor(&[300, 70]), tensor(&[70]));
        let sum = y.broadcast_add(&bias).unwrap();
        let own = |a| activate(y.copy().unwrap(), &bias, a).unwrap();
        assert!(largest_difference(&own(Activation::Gelu), &sum.gelu_erf().unwrap()) < 1e-5);
        assert!(largest_difference(&own(Activation::GeluTanh), &sum.gelu().unwrap()) < 1e-5);
        assert!(largest_difference(&own(Activation::Relu), &sum.relu().unwrap()) < 1e-6);
        assert!(largest_difference(&own(Activation::Silu), &sum.silu().unwrap()) < 1e-5);
        assert!(largest_difference(&own(Activation::Tanh), &sum.tanh().unwrap()) < 1e-5);
        assert!(largest_difference(&add_bias(y.copy().unwrap(), &bias).unwrap(), &sum) < 1e-6);
        let (a, b) = (y.narrow(1, 0, 35).unwrap(), y.narrow(1, 35, 35).unwrap());
        assert!(largest_difference(&gate(&y, Activation::Silu).unwrap(), &(a.silu().unwrap() * b).unwrap()) < 1e-4);
        let layer = Norm { weight: tensor(&[70]), bias: bias.clone(), eps: 1e-5 };
        let slow = |x: &Tensor| candle_nn::ops::layer_norm_slow(x, &layer.weight, &layer.bias, 1e-5).unwrap();
        let fused = add_norm(y.copy().unwrap(), &bias, &residual, &layer).unwrap();
        assert!(largest_difference(&fused, &slow(&(sum + &residual).unwrap())) < 1e-4);
        assert!(largest_difference(&norm(y.copy().unwrap(), &layer).unwrap(), &slow(&y)) < 1e-4);
        let scores = tensor(&[3, 40, 90]);
        let slow = candle_nn::ops::softmax(&(&scores * 0.25).unwrap(), 2).unwrap();
        assert!(largest_difference(&softmax(scores, 0.25, 0, Sight::All).unwrap(), &slow) < 1e-6);
    }

    #[test]
    fn a_query_gives_weight_only_to_what_it_sees() {
        for (sight, seen) in [(Sight::Causal, 0..8), (Sight::Window(2), 5..10)] {
            let weights = softmax(tensor(&[2, 4, 12]), 1.0, 5, sight).unwrap().to_vec3::<f32>().unwrap();
            for head in &weights {
                // The third query is at 7.
                for (key, weight) in head[2].iter().enumerate() {
                    assert_eq!(*weight > 0.0, seen.contains(&key), "{sight:?} {key}");
                }
                assert!(head.iter().all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-5));
            }
        }
    }
}
