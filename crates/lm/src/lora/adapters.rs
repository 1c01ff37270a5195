//! The trained matrices: made at random, saved and read as safetensors.
//!
//! Names as llama.cpp has them in its adapters: `blk.0.attn_q.weight.lora_a` `(rank, inputs)` and `….lora_b` `(outputs, rank)`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor, Var};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{LoraOptions, PLACES};
use crate::{LmError, Shape};

/// A and B of one matrix.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) a: Var,
    pub(super) b: Var,
}

/// All of them, by the name of their matrix, and their factor.
pub struct Adapters {
    pairs: BTreeMap<String, Pair>,
    scale: f64,
}

impl Adapters {
    /// A at random (uniform, variance one over its inputs), the same for the same seed; B zero.
    pub(super) fn new(shape: &Shape, options: &LoraOptions) -> Result<Adapters, LmError> {
        let rank = options.rank.max(1);
        let mut random = StdRng::seed_from_u64(options.seed);
        let mut pairs = BTreeMap::new();
        for index in 0..shape.layers {
            for place in PLACES {
                let (rows, columns) = sizes(shape, place);
                let spread = (3.0 / columns as f32).sqrt();
                let a: Vec<f32> = (0..rank * columns).map(|_| random.random_range(-spread..spread)).collect();
                let a = Var::from_tensor(&Tensor::from_vec(a, (rank, columns), &options.device)?)?;
                let b = Var::zeros((rows, rank), candle_core::DType::F32, &options.device)?;
                pairs.insert(format!("blk.{index}.{place}"), Pair { a, b });
            }
        }
        Ok(Adapters { pairs, scale: options.alpha / rank as f64 })
    }

    pub(super) fn pair(&self, name: &str) -> Option<&Pair> {
        self.pairs.get(name)
    }

    /// `alpha / rank`.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Trained numbers.
    pub fn count(&self) -> usize {
        self.pairs.values().map(|p| p.a.elem_count() + p.b.elem_count()).sum()
    }

    /// Always in the same order.
    pub(super) fn variables(&self) -> Vec<Var> {
        self.pairs.values().flat_map(|p| [p.a.clone(), p.b.clone()]).collect()
    }

    /// `(alpha / rank) B A` of the matrix of this name (`blk.0.attn_q`), on the CPU; nothing where it has no addition.
    pub fn delta(&self, name: &str) -> Result<Option<Tensor>, LmError> {
        let Some(Pair { a, b }) = self.pairs.get(name) else { return Ok(None) };
        let (a, b) = (a.as_tensor().detach().to_device(&Device::Cpu)?, b.as_tensor().detach().to_device(&Device::Cpu)?);
        Ok(Some((b.matmul(&a)? * self.scale)?))
    }

    /// Writes A and B as safetensors.
    pub fn save(&self, path: &Path) -> Result<(), LmError> {
        let mut tensors = HashMap::new();
        for (name, Pair { a, b }) in &self.pairs {
            tensors.insert(format!("{name}.weight.lora_a"), a.as_tensor().clone());
            tensors.insert(format!("{name}.weight.lora_b"), b.as_tensor().clone());
        }
        Ok(candle_core::safetensors::save(&tensors, path)?)
    }

    /// Sets A and B to what [`Adapters::save`] wrote; names and shapes must be the same.
    pub fn restore(&self, path: &Path) -> Result<(), LmError> {
        let wrong = |what: String| LmError::Adapter { path: path.to_owned(), what };
        let mut read = candle_core::safetensors::load(path, &Device::Cpu).map_err(|e| wrong(e.to_string()))?;
        for (name, pair) in &self.pairs {
            for (var, part) in [(&pair.a, "lora_a"), (&pair.b, "lora_b")] {
                let key = format!("{name}.weight.{part}");
                let tensor = read.remove(&key).ok_or_else(|| wrong(format!("it has no {key}")))?;
                if tensor.dims() != var.dims() {
                    let (found, needed) = (tensor.dims(), var.dims());
                    return Err(wrong(format!(
                        "{key} has the shape {found:?}, and this model and rank need {needed:?}"
                    )));
                }
                let tensor = tensor.to_dtype(candle_core::DType::F32)?.to_device(var.device())?;
                var.set(&tensor)?;
            }
        }
        match read.keys().min() {
            Some(more) => Err(wrong(format!("{more} belongs to no matrix of this model"))),
            None => Ok(()),
        }
    }
}

/// Rows and columns of a matrix that gets an addition.
pub(super) fn sizes(shape: &Shape, place: &str) -> (usize, usize) {
    let (q, kv) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
    match place {
        "attn_q" => (q, shape.hidden),
        "attn_k" | "attn_v" => (kv, shape.hidden),
        "attn_output" => (shape.hidden, q),
        "ffn_down" => (shape.hidden, shape.feed_forward),
        _ => (shape.feed_forward, shape.hidden),
    }
}
