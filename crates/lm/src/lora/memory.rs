//! How much memory will training take? Answered from the header of a file, before anything is loaded.

use super::adapters::sizes;
use super::{PLACES, trainable};
use crate::LmError;
use crate::gguf::Gguf;

/// Bytes, by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TrainingMemory {
    /// Weights as f32, what is trained, its gradient and its moments.
    pub weights: u64,
    /// What a pass over the longest example keeps for the way back.
    pub activations: u64,
}

impl TrainingMemory {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.activations
    }
}

/// What training with this rank takes over examples of at most `tokens`, `answer` of them learnt; an estimate on the safe side.
pub fn memory(gguf: &Gguf, rank: usize, tokens: usize, answer: usize) -> Result<TrainingMemory, LmError> {
    let shape = trainable(gguf)?;
    let numbers: usize =
        gguf.tensor_names().filter_map(|n| gguf.info(n)).map(|i| i.dims.iter().product::<usize>()).sum();
    let trained: usize =
        PLACES.iter().map(|p| sizes(&shape, p)).map(|(r, c)| rank * (r + c)).sum::<usize>() * shape.layers;
    let (q, kv) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
    // Kept a token and block: results of the operations of block.rs, counted, and their gradients while they are there.
    let kept = 18 * shape.hidden + 18 * q + 16 * kv + 10 * shape.feed_forward;
    // Scores, scaled scores and weights, of which those to the right of a piece of rows are not computed.
    let squares = 3 * shape.heads * tokens * (tokens / 2 + 256);
    let passing = 4 * shape.heads * tokens * 256 + 8 * answer * shape.vocabulary;
    let activations = (shape.layers * (tokens * kept + squares) + passing) as u64 * 4;
    // What candle's way back makes in passing, and the allocator does not give back at once: a run of the shipped reader over
    // 818 tokens took 2.2 times what is kept.
    let activations = activations * 5 / 2;
    Ok(TrainingMemory { weights: (numbers + 6 * trained) as u64 * 4, activations })
}
