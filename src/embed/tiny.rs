//! For tests: weights that are made when a model asks for them, always the same for a name.

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use super::batch::Tokens;

/// Weights in -0.5..0.5 (around 1 for norms) of whatever name and shape is asked for.
pub(super) fn weights() -> VarBuilder<'static> {
    VarBuilder::from_backend(Box::new(Made), DType::F32, Device::Cpu)
}

/// A text of these ids.
pub(super) fn text(ids: &[u32]) -> Tokens {
    Tokens { ids: ids.to_vec(), types: vec![0; ids.len()], cut: false }
}

/// The largest difference between two matrices of hidden states.
pub(super) fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

/// Numbers in 0..1, always the same for a seed.
pub(super) fn numbers(seed: &str) -> impl Iterator<Item = f32> {
    let mut state = seed.bytes().fold(0x9E37_79B9u32, |s, b| (s ^ u32::from(b)).wrapping_mul(16_777_619)) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32
    })
}

struct Made;

impl SimpleBackend for Made {
    fn get(&self, shape: Shape, name: &str, _: Init, _: DType, device: &Device) -> Result<Tensor> {
        let around = if name.contains("norm") && name.ends_with("weight") { 1.0 } else { 0.0 };
        let values: Vec<f32> = numbers(name).take(shape.elem_count()).map(|x| x - 0.5 + around).collect();
        Tensor::from_vec(values, shape, device)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        candle_core::bail!("{name} without a shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        false
    }
}
