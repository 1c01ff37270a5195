//! What happens to a row between two products: norms, rotation, gates.
//!
//! Plain Rust over slices, compiled once for each path so that LLVM may use its registers. Sums are kept in
//! sixteen parts in a fixed order, so that the result does not depend on how wide they are.

use super::path::{Path, dispatch};

/// Which two dimensions turn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// 2i and 2i+1.
    Neighbours,
    /// i and i + dim/2.
    Halves,
}

/// `out = x / √(mean(x²) + epsilon) * weight`
pub(crate) fn rms_norm(path: Path, x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    dispatch!(path => norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]));
}

#[inline(always)]
fn norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let scale = norm_scale(x, epsilon);
    for ((out, x), w) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * w;
    }
}

#[inline(always)]
fn norm_scale(x: &[f32], epsilon: f32) -> f32 {
    let mut parts = [0.0f32; 16];
    let (chunks, rest) = x.as_chunks::<16>();
    for chunk in chunks {
        for (sum, x) in parts.iter_mut().zip(chunk) {
            *sum += x * x;
        }
    }
    let sum: f32 = parts.iter().sum::<f32>() + rest.iter().map(|x| x * x).sum::<f32>();
    1.0 / (sum / x.len() as f32 + epsilon).sqrt()
}

/// The same in place.
pub(crate) fn rms_norm_in_place(path: Path, x: &mut [f32], weight: &[f32], epsilon: f32) {
    dispatch!(path => norm_in_place(x: &mut [f32], weight: &[f32], epsilon: f32));
}

#[inline(always)]
fn norm_in_place(x: &mut [f32], weight: &[f32], epsilon: f32) {
    let scale = norm_scale(x, epsilon);
    for (x, w) in x.iter_mut().zip(weight) {
        *x = *x * scale * w;
    }
}

/// `x += y`
pub(crate) fn add(path: Path, x: &mut [f32], y: &[f32]) {
    dispatch!(path => sum(x: &mut [f32], y: &[f32]));
}

#[inline(always)]
fn sum(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// `out = activation(gate) * up`, with SiLU or (tanh) GELU.
pub(crate) fn gated(path: Path, gelu: bool, gate: &[f32], up: &[f32], out: &mut [f32]) {
    if gelu {
        dispatch!(path => gate_gelu(gate: &[f32], up: &[f32], out: &mut [f32]));
    } else {
        dispatch!(path => gate_silu(gate: &[f32], up: &[f32], out: &mut [f32]));
    }
}

#[inline(always)]
fn gate_silu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, &g), &u) in out.iter_mut().zip(gate).zip(up) {
        *out = g / (1.0 + exp(-g)) * u;
    }
}

#[inline(always)]
fn gate_gelu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    // 1/2 (1 + tanh z) = 1 / (1 + e^-2z), z = √(2/π) (x + 0.044715 x³)
    for ((out, &g), &u) in out.iter_mut().zip(gate).zip(up) {
        let z = 1.595_769 * (g + 0.044_715 * g * g * g);
        *out = g / (1.0 + exp(-z)) * u;
    }
}

/// Turns the first `2 * cos.len()` dimensions of a head.
pub(crate) fn rotate(path: Path, rotation: Rotation, x: &mut [f32], cos: &[f32], sin: &[f32]) {
    match rotation {
        Rotation::Halves => dispatch!(path => rotate_halves(x: &mut [f32], cos: &[f32], sin: &[f32])),
        Rotation::Neighbours => dispatch!(path => rotate_neighbours(x: &mut [f32], cos: &[f32], sin: &[f32])),
    }
}

#[inline(always)]
fn rotate_halves(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (first, second) = x.split_at_mut(cos.len());
    for (((a, b), &c), &s) in first.iter_mut().zip(second).zip(cos).zip(sin) {
        (*a, *b) = (*a * c - *b * s, *a * s + *b * c);
    }
}

#[inline(always)]
fn rotate_neighbours(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    for ((pair, &c), &s) in x.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
        *pair = [pair[0] * c - pair[1] * s, pair[0] * s + pair[1] * c];
    }
}

/// eˣ, relative error below 2e-7, in operations that vectorise. Not a number stays so.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Cephes' expf: x = n ln 2 + r, with ln 2 in two parts.
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + 12_582_912.0;
    let n = shifted - 12_582_912.0;
    let r = n * 2.121_944_4e-4 + (n * -0.693_359_4 + x);
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + c;
    }
    let p = p * (r * r) + r + 1.0;
    p * f32::from_bits(((shifted.to_bits().wrapping_sub(0x4B40_0000)).wrapping_add(127)) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_as_exact_as_a_float_can_be() {
        for i in -87_000..88_000 {
            let x = i as f32 / 1000.0;
            let expect = f64::from(x).exp();
            assert!((f64::from(exp(x)) / expect - 1.0).abs() < 2e-7, "{x}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn every_path_normalizes_gates_and_turns_alike() {
        let x: Vec<f32> = (0..100).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
        let w: Vec<f32> = (0..100).map(|i| 1.0 + (i as f32 * 0.11).cos()).collect();
        let mean = x.iter().map(|x| f64::from(x * x)).sum::<f64>() / 100.0;
        for path in Path::all() {
            let mut out = vec![0.0; 100];
            rms_norm(path, &x, &w, 1e-6, &mut out);
            for i in 0..100 {
                let expect = f64::from(x[i]) / (mean + 1e-6).sqrt() * f64::from(w[i]);
                assert!((f64::from(out[i]) - expect).abs() < 1e-5, "{path:?} {i}");
            }
            let mut same = x.clone();
            rms_norm_in_place(path, &mut same, &w, 1e-6);
            assert_eq!(same, out, "{path:?}");
            gated(path, false, &x, &w, &mut out);
            for i in 0..100 {
                let expect = f64::from(x[i]) / (1.0 + (-f64::from(x[i])).exp()) * f64::from(w[i]);
                assert!((f64::from(out[i]) - expect).abs() < 1e-5, "{path:?} {i}");
            }
            gated(path, true, &x, &w, &mut out);
            for i in 0..100 {
                let g = f64::from(x[i]);
                let tanh = ((2.0 / std::f64::consts::PI).sqrt() * (g + 0.044715 * g * g * g)).tanh();
                assert!((f64::from(out[i]) - 0.5 * g * (1.0 + tanh) * f64::from(w[i])).abs() < 1e-5, "{path:?} {i}");
            }
            let mut turned = [1.0, 2.0, 3.0, 4.0, 5.0];
            rotate(path, Rotation::Halves, &mut turned, &[0.0, 1.0], &[1.0, 0.0]);
            assert_eq!(turned, [-3.0, 2.0, 1.0, 4.0, 5.0]);
            rotate(path, Rotation::Neighbours, &mut turned, &[0.0, 1.0], &[1.0, 0.0]);
            assert_eq!(turned, [-2.0, -3.0, 1.0, 4.0, 5.0]);
        }
    }
}
