//! Rotary position embedding for rows of f32: tables for every position of the context window.
//!
//! Su et al. 2021, <https://arxiv.org/abs/2104.09864>; frequencies as in [`crate::rope`], which does the same for
//! candle's tensors. Since turns add up, the row of a table at `n` also moves a key on by `n` positions.

use std::sync::Arc;

use crate::candle_decoder::rope_factors;
use crate::gguf::Gguf;
use crate::kernels::{Path, Rotation, rotate};
use crate::rope::inverse_frequencies;
use crate::{Architecture, LmError, Shape};

/// Cosines and sines of every position, `(positions, dim / 2)`.
pub(crate) struct Rope {
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
    /// By which both were multiplied.
    magnitude: f32,
    rotation: Rotation,
}

impl Rope {
    /// Turns a head whose token is at `position`.
    pub(crate) fn apply(&self, path: Path, head: &mut [f32], position: usize) {
        let row = position * self.half..(position + 1) * self.half;
        rotate(path, self.rotation, head, &self.cos[row.clone()], &self.sin[row]);
    }

    /// Cosines and sines that move a key on by `positions`.
    pub(crate) fn turn(&self, positions: usize) -> (Vec<f32>, Vec<f32>) {
        // The key has the magnitude already.
        let row = |all: &[f32]| all[positions * self.half..][..self.half].iter().map(|x| x / self.magnitude).collect();
        (row(&self.cos), row(&self.sin))
    }

    /// Cosines and sines of all positions.
    #[cfg(test)]
    pub(crate) fn numbers(&self) -> usize {
        self.cos.len() + self.sin.len()
    }

    /// Which two dimensions turn together.
    pub(crate) fn rotation(&self) -> Rotation {
        self.rotation
    }
}

/// The rotary tables of layers that see everything, and of those with a sliding window.
pub(crate) struct Ropes {
    pub(crate) global: Arc<Rope>,
    pub(crate) local: Arc<Rope>,
}

impl Ropes {
    pub(crate) fn load(gguf: &mut Gguf, shape: &Shape, window: usize) -> Result<Ropes, LmError> {
        let rotation = match shape.architecture {
            Architecture::Llama => Rotation::Neighbours,
            Architecture::Qwen2 | Architecture::Qwen3 | Architecture::Gemma3 | Architecture::Phi3 => Rotation::Halves,
        };
        let (factors, magnitude) = rope_factors(gguf, shape, window)?;
        let half = shape.rope_dim / 2;
        let table = |base: f64, scale: f64, factors: Option<&[f32]>, magnitude: f64| {
            let inverse = inverse_frequencies(shape.rope_dim, base, scale, factors);
            let angles = |turn: fn(f32) -> f32| -> Vec<f32> {
                let row = |p: usize| inverse.iter().map(move |&f| turn(p as f32 * f) * magnitude as f32);
                (0..window).flat_map(row).collect()
            };
            Arc::new(Rope { cos: angles(f32::cos), sin: angles(f32::sin), half, magnitude: magnitude as f32, rotation })
        };
        let global = table(shape.rope_base, shape.rope_scale, factors.as_deref(), magnitude);
        let local = match shape.window {
            Some(_) => table(shape.local_rope_base, 1.0, None, 1.0),
            None => global.clone(),
        };
        Ok(Ropes { global, local })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::GgmlDType;

    use crate::cache::CpuCache;
    use crate::cpu_decoder::{CpuDecoder, Part};
    use crate::gguf::Gguf;
    use crate::random::{RandomShape, write_gguf};
    use crate::{Architecture, Kv, Options, Shape};

    /// In the first layer a key depends on its token and position only, so a key that was moved can be compared with
    /// the one computed there, through each family's own table.
    #[test]
    fn a_key_of_the_first_layer_that_was_moved_is_the_one_computed_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tiny.gguf");
        let tokens: Vec<u32> = (0..90).map(|i| i * 7 % 250).collect();
        for architecture in Architecture::ALL {
            write_gguf(&RandomShape::tiny(architecture), GgmlDType::F32, &file, 3).unwrap();
            let mut gguf = Gguf::open(&file).unwrap();
            let shape = Shape::read(&gguf).unwrap();
            for (kv, tolerance) in [(Kv::F32, 1e-4), (Kv::F16, 2e-3), (Kv::Q8, 0.02)] {
                let options = Options { kv, threads: 2, ..Options::default() };
                let mut decoder = CpuDecoder::load(&mut gguf, &shape, 512, &options).unwrap();
                let read = |decoder: &mut CpuDecoder, at: usize| -> CpuCache {
                    let mut cache = decoder.cache(512);
                    let run = at..at + tokens.len();
                    decoder.read(&mut [Part {
                        cache: &mut cache,
                        tokens: &tokens,
                        writes: false,
                        runs: &[run],
                        wanted: 0,
                    }]);
                    cache
                };
                let (from, there) = (read(&mut decoder, 37), read(&mut decoder, 301));
                let segment = decoder.take(&from, 37..37 + tokens.len());
                let mut moved = decoder.cache(512);
                decoder.place(&mut moved, &segment, 301, 301 - 37);
                for head in 0..2 {
                    let place = 301..301 + tokens.len();
                    let (keys, values) = moved.layers[0].contents(head, place.clone());
                    let (expect, expect_values) = there.layers[0].contents(head, place);
                    let largest = expect.iter().fold(0.0f32, |m, x| m.max(x.abs()));
                    let most = keys.iter().zip(&expect).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(
                        largest > 0.1 && most < tolerance * largest,
                        "{architecture:?} {kv:?}: {most} of {largest}"
                    );
                    assert_eq!(values, expect_values);
                }
            }
        }
    }
}
