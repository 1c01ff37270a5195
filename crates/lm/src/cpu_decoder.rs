//! The decoder on a CPU: our own kernels on plain rows of f32.
//!
//! Read top to bottom: embedding, then blocks of attention and feed-forward network with residuals, then a
//! norm and the output head. The rows of all tokens of a chunk pass through a layer together; buffers are
//! made once. Weights have the names of the GGUF convention and are repacked at load; types without a
//! kernel of their own (Q2_K, Q3_K) become f16, which is larger but not less exact.

mod block;
mod weights;

use std::ops::Range;
use std::sync::Arc;

use crate::cache::CpuCache;
use crate::cpu_rope::Ropes;
use crate::gguf::Gguf;
use crate::kernels::{Activations, Heads, Kv, KvLayer, Matrix, Path, Pool, Source, Turn, product, rms_norm};
use crate::{Architecture, LmError, Options, Shape};
use block::Block;
use weights::{Linear, Loader};

/// A loaded model.
pub(crate) struct CpuDecoder {
    shape: Shape,
    /// Instructions for prompts, and for what is written.
    reading: Path,
    writing: Path,
    pool: Pool,
    embedding: Arc<Matrix>,
    blocks: Vec<Block>,
    norm: Vec<f32>,
    output: Linear,
    kv: Kv,
    buffers: Buffers,
}

/// What one sequence brings to a step.
pub(crate) struct Part<'a> {
    /// What it has read.
    pub(crate) cache: &'a mut CpuCache,
    /// What it reads now, checked by the caller.
    pub(crate) tokens: &'a [u32],
    /// Whether it wrote these tokens; else they are a prompt's.
    pub(crate) writes: bool,
    /// Where these tokens stand; what is between the runs, and before them, is in the cache.
    pub(crate) runs: &'a [Range<usize>],
    /// Of so many tokens at the end the logits of what follows are wanted.
    pub(crate) wanted: usize,
}

/// Rows of the tokens on their way through a layer.
#[derive(Default)]
struct Buffers {
    x: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    joined: Vec<f32>,
    context: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    delta: Vec<f32>,
    rows: Activations,
    gates: Activations,
}

impl CpuDecoder {
    pub(crate) fn load(
        gguf: &mut Gguf,
        shape: &Shape,
        window: usize,
        options: &Options,
    ) -> Result<CpuDecoder, LmError> {
        let ropes = Ropes::load(gguf, shape, window)?;
        let mut load = Loader::new(gguf, shape);
        let embedding = Arc::new(load.matrix("token_embd.weight", shape.vocabulary, shape.hidden)?);
        let output = match load.has("output.weight") {
            true => load.linear("output", shape.vocabulary, shape.hidden)?,
            false => Linear { weight: embedding.clone(), bias: None },
        };
        let norm = load.vector("output_norm.weight", shape.hidden)?;
        let block = |i| Block::load(&mut load, i, &ropes);
        let blocks = (0..shape.layers).map(block).collect::<Result<Vec<_>, _>>()?;
        let path = options.path.unwrap_or_else(Path::best);
        // Nothing of a model of floats is rounded.
        let quantized = blocks.iter().flat_map(Block::matrices).any(|linear| linear.needs().codes);
        Ok(CpuDecoder {
            shape: shape.clone(),
            reading: if quantized { path } else { path.for_writing() },
            writing: path.for_writing(),
            pool: Pool::new(options.threads),
            embedding,
            blocks,
            norm,
            output,
            kv: options.kv,
            buffers: Buffers::default(),
        })
    }

    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(crate) fn describe(&self) -> String {
        let described = format!("cpu {}, {} threads", self.reading.describe(), self.pool.threads());
        Path::warning().map_or(described.clone(), |why| format!("{described} (AMX is not used: {why})"))
    }

    /// Bytes that writing one token after `depth` others reads: every matrix, and keys and values.
    pub(crate) fn token_bytes(&self, depth: usize) -> usize {
        let matrices = self.blocks.iter().flat_map(Block::matrices).chain([&self.output]);
        let cached = |block: &Block| block.window.map_or(depth, |window| window.min(depth));
        let positions: usize = self.blocks.iter().map(cached).sum();
        let position = KvLayer::position_bytes(self.heads(), self.kv);
        matrices.map(|linear| linear.weight.bytes()).sum::<usize>() + positions * position
    }

    /// Bytes of all weights, norms and rotary tables; what is shared counts once.
    #[cfg(test)]
    pub(crate) fn allocated(&self) -> usize {
        use std::collections::HashMap;

        let linears: Vec<&Linear> = self.blocks.iter().flat_map(Block::matrices).chain([&self.output]).collect();
        let matrices = linears.iter().map(|linear| &linear.weight).chain([&self.embedding]);
        let matrices: HashMap<_, _> = matrices.map(|matrix| (Arc::as_ptr(matrix), matrix.allocated())).collect();
        let ropes = self.blocks.iter().map(|block| &block.rope);
        let ropes: HashMap<_, _> = ropes.map(|rope| (Arc::as_ptr(rope), rope.numbers())).collect();
        let biases = linears.iter().filter_map(|linear| linear.bias.as_ref());
        let vectors = self.blocks.iter().flat_map(Block::norms).chain(biases).chain([&self.norm]);
        let numbers = vectors.map(Vec::len).sum::<usize>() + ropes.values().sum::<usize>();
        matrices.values().sum::<usize>() + 4 * numbers
    }

    /// An empty cache with room for `positions`.
    pub(crate) fn cache(&self, positions: usize) -> CpuCache {
        let layers = self.blocks.iter().map(|_| self.layer(positions)).collect();
        CpuCache { layers, position: 0, capacity: positions }
    }

    /// Gives a cache room for `positions`, which must hold what is in it.
    pub(crate) fn resize(&self, cache: &mut CpuCache, positions: usize) {
        cache.resize(positions, || self.layer(positions));
    }

    /// A copy of some positions, as the first of a cache of their own.
    pub(crate) fn take(&mut self, from: &CpuCache, positions: Range<usize>) -> CpuCache {
        let mut cache = self.cache(positions.len());
        for (to, from) in cache.layers.iter_mut().zip(&from.layers) {
            to.paste((&mut self.pool, self.writing), from, positions.clone(), 0, None);
        }
        cache.position = positions.len();
        cache
    }

    /// Puts what [`CpuDecoder::take`] copied to `at`, which is `by` positions on from where it was computed.
    pub(crate) fn place(&mut self, cache: &mut CpuCache, segment: &CpuCache, at: usize, by: usize) {
        let CpuDecoder { pool, writing: path, blocks, .. } = self;
        for ((to, from), block) in cache.layers.iter_mut().zip(&segment.layers).zip(blocks) {
            let (cos, sin) = block.rope.turn(by);
            let turn = Turn { cos: &cos, sin: &sin, rotation: block.rope.rotation() };
            to.paste((pool, *path), from, 0..segment.position, at, (by > 0).then_some(turn));
        }
    }

    /// Bytes that the keys and values of one position take.
    pub(crate) fn position_bytes(&self) -> usize {
        KvLayer::position_bytes(self.heads(), self.kv) * self.blocks.len()
    }

    fn layer(&self, positions: usize) -> KvLayer {
        KvLayer::new(self.heads(), positions, self.kv)
    }

    fn heads(&self) -> Heads {
        Heads { queries: self.shape.heads, keys: self.shape.kv_heads, dim: self.shape.head_dim }
    }

    /// True where a token that was written has the same keys and values as one of a prompt, bit for bit.
    pub(crate) fn reads_as_it_writes(&self) -> bool {
        self.reading == self.writing
    }

    /// Reads the tokens of several sequences together, and gives the wanted logits one row after the other.
    /// A row of numbers never depends on the rows beside it: what a sequence gets is the same bit for bit
    /// alone and in company.
    pub(crate) fn read(&mut self, parts: &mut [Part<'_>]) -> Vec<f32> {
        let writes = parts.iter().filter(|part| part.writes).count();
        if writes == parts.len() {
            return self.step(self.writing, parts);
        }
        if writes == 0 || self.reading.multiplies_as_it_writes() {
            return self.step(self.reading, parts);
        }
        let of: Vec<(bool, usize)> = parts.iter().map(|part| (part.writes, part.wanted)).collect();
        let (mut written, mut read): (Vec<_>, Vec<_>) = parts
            .iter_mut()
            .map(|Part { cache, tokens, writes, runs, wanted }| Part {
                cache,
                tokens,
                writes: *writes,
                runs,
                wanted: *wanted,
            })
            .partition(|part| part.writes);
        let (written, read) = (self.step(self.writing, &mut written), self.step(self.reading, &mut read));
        let (mut written, mut read) = (written.as_slice(), read.as_slice());
        let mut logits = Vec::with_capacity(written.len() + read.len());
        for (writes, wanted) in of {
            let from = if writes { &mut written } else { &mut read };
            let (rows, rest) = from.split_at(wanted * self.shape.vocabulary);
            logits.extend_from_slice(rows);
            *from = rest;
        }
        logits
    }

    fn step(&mut self, path: Path, parts: &mut [Part<'_>]) -> Vec<f32> {
        let CpuDecoder { shape, pool, buffers, .. } = self;
        let hidden = shape.hidden;
        let factor = if shape.architecture == Architecture::Gemma3 { (hidden as f32).sqrt() } else { 1.0 };
        let tokens: Vec<u32> = parts.iter().flat_map(|part| part.tokens).copied().collect();
        let positions: Vec<usize> = parts.iter().flat_map(|part| part.runs.iter().cloned().flatten()).collect();
        buffers.x.resize(tokens.len() * hidden, 0.0);
        let embedding = &self.embedding;
        pool.chunks(&mut buffers.x, hidden, &|t, row| {
            embedding.row(tokens[t] as usize, row);
            if factor != 1.0 {
                row.iter_mut().for_each(|x| *x *= factor);
            }
        });
        for (index, block) in self.blocks.iter().enumerate() {
            block.forward(&mut Step { shape, path, pool, positions: &positions, index, parts, buffers });
        }
        let (mut wanted, mut end) = (Vec::new(), 0);
        for part in parts {
            part.cache.position = part.runs.last().map_or(part.cache.position, |run| run.end);
            end += part.tokens.len();
            wanted.extend(end - part.wanted..end);
        }
        if wanted.is_empty() {
            return Vec::new();
        }
        let mut logits = vec![0.0; wanted.len() * shape.vocabulary];
        let (x, norm, epsilon) = (&buffers.x, &self.norm, shape.norm_epsilon as f32);
        let needs = self.output.needs();
        // Of a prompt few rows are wanted, usually one, which are not worth expanding the largest matrix for.
        let path = self.writing;
        let normed = |t: usize, out: &mut [f32]| rms_norm(path, &x[wanted[t] * hidden..][..hidden], norm, epsilon, out);
        buffers.rows.fill((&mut *pool, path, needs), (wanted.len(), hidden), Source::Made(&normed));
        product(pool, path, &buffers.rows, &mut [(&self.output.weight, &mut logits)]);
        self.output.add_bias(pool, path, &mut logits);
        logits
    }
}

/// What a block computes with.
struct Step<'a, 'p> {
    shape: &'a Shape,
    path: Path,
    pool: &'a mut Pool,
    /// Position of each row.
    positions: &'a [usize],
    /// Which block.
    index: usize,
    parts: &'a mut [Part<'p>],
    buffers: &'a mut Buffers,
}
