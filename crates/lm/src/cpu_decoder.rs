//! The decoder on a CPU: our own kernels on plain rows of f32.
//!
//! Read top to bottom: embedding, then blocks of attention and feed-forward network with residuals, then a
//! norm and the output head. The rows of all tokens of a chunk pass through a layer together; buffers are
//! made once. Weights have the names of the GGUF convention and are repacked at load; types without a
//! kernel of their own (Q2_K, Q3_K) become f16, which is larger but not less exact.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Device;

use crate::cache::CpuCache;
use crate::cpu_rope::{Rope, Ropes};
use crate::gguf::Gguf;
use crate::kernels::{
    Activations, Format, Heads, Kv, KvLayer, Matrix, Needs, Pages, Path, Pool, Source, Turn, View, add, add_product,
    gated, gated_product, product, rms_norm, rms_norm_in_place,
};
use crate::{Architecture, LmError, Options, Shape};

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
        let mut load = Loader { gguf, shape, pages: Pages::default() };
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
        let needs = self.output.weight.format().needs();
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

struct Block {
    attention_norm: Vec<f32>,
    qkv: Qkv,
    q_norm: Option<Vec<f32>>,
    k_norm: Option<Vec<f32>>,
    rope: Arc<Rope>,
    window: Option<usize>,
    attention_output: Linear,
    post_attention_norm: Option<Vec<f32>>,
    feed_forward_norm: Vec<f32>,
    gate_up: GateUp,
    down: Linear,
    post_feed_forward_norm: Option<Vec<f32>>,
}

/// Queries, keys and values: three matrices, or one (Phi 3).
enum Qkv {
    Apart([Linear; 3]),
    Joined(Linear),
}

/// Gate and up: two matrices, or one with the gate first (Phi 3).
enum GateUp {
    Apart([Linear; 2]),
    Joined(Linear),
}

impl Block {
    fn load(load: &mut Loader<'_>, index: usize, ropes: &Ropes) -> Result<Block, LmError> {
        let shape = load.shape;
        let name = |part: &str| format!("blk.{index}.{part}");
        let weight = |part: &str| format!("blk.{index}.{part}.weight");
        let Shape { heads, kv_heads, head_dim, hidden, feed_forward, .. } = *shape;
        let (q, kv) = (heads * head_dim, kv_heads * head_dim);
        let local = shape.is_local(index);
        let qkv = match load.has(&weight("attn_qkv")) {
            true => Qkv::Joined(load.linear(&name("attn_qkv"), q + 2 * kv, hidden)?),
            false => Qkv::Apart([
                load.linear(&name("attn_q"), q, hidden)?,
                load.linear(&name("attn_k"), kv, hidden)?,
                load.linear(&name("attn_v"), kv, hidden)?,
            ]),
        };
        let gate_up = match load.has(&weight("ffn_gate")) {
            true => GateUp::Apart([
                load.linear(&name("ffn_gate"), feed_forward, hidden)?,
                load.linear(&name("ffn_up"), feed_forward, hidden)?,
            ]),
            false => GateUp::Joined(load.linear(&name("ffn_up"), 2 * feed_forward, hidden)?),
        };
        Ok(Block {
            attention_norm: load.vector(&weight("attn_norm"), hidden)?,
            qkv,
            q_norm: load.optional(&weight("attn_q_norm"), head_dim)?,
            k_norm: load.optional(&weight("attn_k_norm"), head_dim)?,
            rope: if local { ropes.local.clone() } else { ropes.global.clone() },
            window: shape.window.filter(|_| local),
            attention_output: load.linear(&name("attn_output"), hidden, q)?,
            post_attention_norm: load.optional(&weight("post_attention_norm"), hidden)?,
            feed_forward_norm: load.vector(&weight("ffn_norm"), hidden)?,
            gate_up,
            down: load.linear(&name("ffn_down"), hidden, feed_forward)?,
            post_feed_forward_norm: load.optional(&weight("post_ffw_norm"), hidden)?,
        })
    }

    fn matrices(&self) -> Vec<&Linear> {
        let mut all = vec![&self.attention_output, &self.down];
        match &self.qkv {
            Qkv::Apart(some) => all.extend(some),
            Qkv::Joined(one) => all.push(one),
        }
        match &self.gate_up {
            GateUp::Apart(some) => all.extend(some),
            GateUp::Joined(one) => all.push(one),
        }
        all
    }

    fn forward(&self, step: &mut Step<'_, '_>) {
        self.attend(step);
        self.feed(step);
    }

    fn attend(&self, step: &mut Step<'_, '_>) {
        let Step { shape, path, pool, positions, index, parts, buffers } = step;
        let (path, positions) = (*path, *positions);
        let Shape { heads, kv_heads, head_dim, hidden, .. } = **shape;
        let (q_width, kv_width) = (heads * head_dim, kv_heads * head_dim);
        let epsilon = shape.norm_epsilon as f32;
        let Buffers { x, q, k, v, joined, context, delta, rows, .. } = &mut **buffers;
        let tokens = x.len() / hidden;
        q.resize(tokens * q_width, 0.0);
        k.resize(tokens * kv_width, 0.0);
        v.resize(tokens * kv_width, 0.0);
        context.resize(tokens * q_width, 0.0);
        let norm = &self.attention_norm;
        let normed = |t: usize, out: &mut [f32]| rms_norm(path, &x[t * hidden..][..hidden], norm, epsilon, out);
        match &self.qkv {
            Qkv::Apart([wq, wk, wv]) => {
                let needs = wq.needs().or(wk.needs()).or(wv.needs());
                rows.fill((&mut **pool, path, needs), (tokens, hidden), Source::Made(&normed));
                product(pool, path, rows, &mut [(&wq.weight, q), (&wk.weight, k), (&wv.weight, v)]);
                wq.add_bias(pool, path, q);
                wk.add_bias(pool, path, k);
                wv.add_bias(pool, path, v);
            }
            Qkv::Joined(all) => {
                let width = q_width + 2 * kv_width;
                joined.resize(tokens * width, 0.0);
                rows.fill((&mut **pool, path, all.needs()), (tokens, hidden), Source::Made(&normed));
                product(pool, path, rows, &mut [(&all.weight, joined)]);
                all.add_bias(pool, path, joined);
                for (t, row) in joined.chunks_exact(width).enumerate() {
                    q[t * q_width..][..q_width].copy_from_slice(&row[..q_width]);
                    k[t * kv_width..][..kv_width].copy_from_slice(&row[q_width..q_width + kv_width]);
                    v[t * kv_width..][..kv_width].copy_from_slice(&row[q_width + kv_width..]);
                }
            }
        }
        let rope = &*self.rope;
        for (all, width, norm) in [(&mut *q, q_width, &self.q_norm), (&mut *k, kv_width, &self.k_norm)] {
            pool.chunks(all, width * 4, &|chunk, some| {
                for (i, token) in some.chunks_exact_mut(width).enumerate() {
                    for head in token.chunks_exact_mut(head_dim) {
                        if let Some(norm) = norm {
                            rms_norm_in_place(path, head, norm, epsilon);
                        }
                        rope.apply(path, head, positions[chunk * 4 + i]);
                    }
                }
            });
        }
        let mut first = 0;
        for part in parts.iter_mut() {
            let layer = &mut part.cache.layers[*index];
            for run in part.runs {
                let (position, tokens) = (run.start, run.len());
                let (queries, keys) =
                    (first * q_width..(first + tokens) * q_width, first * kv_width..(first + tokens) * kv_width);
                layer.write(pool, path, position, &k[keys.clone()], &v[keys]);
                let view = View { position, tokens, window: self.window, scale: shape.attention_scale as f32 };
                let path = if part.writes { path.for_writing() } else { path };
                layer.attend(pool, path, view, &q[queries.clone()], &mut context[queries]);
                first += tokens;
            }
        }
        rows.fill((&mut **pool, path, self.attention_output.needs()), (tokens, q_width), Source::Rows(context));
        let norm = (self.post_attention_norm.as_deref(), epsilon);
        self.attention_output.add_to(pool, path, rows, norm, (x, delta));
    }

    fn feed(&self, step: &mut Step<'_, '_>) {
        let Step { shape, path, pool, buffers, .. } = step;
        let path = *path;
        let Shape { hidden, feed_forward: width, .. } = **shape;
        let (epsilon, gelu) = (shape.norm_epsilon as f32, shape.architecture == Architecture::Gemma3);
        let Buffers { x, joined, gate, up, delta, rows, gates, .. } = &mut **buffers;
        let tokens = x.len() / hidden;
        let norm = &self.feed_forward_norm;
        let normed = |t: usize, out: &mut [f32]| rms_norm(path, &x[t * hidden..][..hidden], norm, epsilon, out);
        let down = self.down.needs();
        match &self.gate_up {
            GateUp::Apart([wg, wu]) => {
                rows.fill((&mut **pool, path, wg.needs().or(wu.needs())), (tokens, hidden), Source::Made(&normed));
                let plain = wg.bias.is_none() && wu.bias.is_none();
                if plain && gated_product(pool, path, rows, [&wg.weight, &wu.weight], gelu, (gates, down)) {
                    std::mem::swap(rows, gates);
                } else {
                    gate.resize(tokens * width, 0.0);
                    up.resize(tokens * width, 0.0);
                    product(pool, path, rows, &mut [(&wg.weight, gate), (&wu.weight, up)]);
                    wg.add_bias(pool, path, gate);
                    wu.add_bias(pool, path, up);
                    let row = |t: usize, out: &mut [f32]| {
                        gated(path, gelu, &gate[t * width..][..width], &up[t * width..][..width], out);
                    };
                    rows.fill((&mut **pool, path, down), (tokens, width), Source::Made(&row));
                }
            }
            GateUp::Joined(all) => {
                joined.resize(tokens * 2 * width, 0.0);
                rows.fill((&mut **pool, path, all.needs()), (tokens, hidden), Source::Made(&normed));
                product(pool, path, rows, &mut [(&all.weight, joined)]);
                all.add_bias(pool, path, joined);
                let row = |t: usize, out: &mut [f32]| {
                    let (gate, up) = joined[t * 2 * width..][..2 * width].split_at(width);
                    gated(path, gelu, gate, up, out);
                };
                rows.fill((&mut **pool, path, down), (tokens, width), Source::Made(&row));
            }
        }
        let norm = (self.post_feed_forward_norm.as_deref(), epsilon);
        self.down.add_to(pool, path, rows, norm, (x, delta));
    }
}

struct Linear {
    weight: Arc<Matrix>,
    bias: Option<Vec<f32>>,
}

impl Linear {
    fn needs(&self) -> Needs {
        self.weight.format().needs()
    }

    fn add_bias(&self, pool: &mut Pool, path: Path, rows: &mut [f32]) {
        if let Some(bias) = &self.bias {
            pool.chunks(rows, bias.len() * 16, &|_, rows| {
                rows.chunks_exact_mut(bias.len()).for_each(|row| add(path, row, bias));
            });
        }
    }

    /// `x += rows Wᵀ`, or `x += norm(rows Wᵀ)`; `delta` is used where that takes two steps.
    fn add_to(
        &self,
        pool: &mut Pool,
        path: Path,
        rows: &Activations,
        (norm, epsilon): (Option<&[f32]>, f32),
        (x, delta): (&mut [f32], &mut Vec<f32>),
    ) {
        if norm.is_none() && self.bias.is_none() {
            return add_product(pool, path, rows, &self.weight, x);
        }
        delta.resize(x.len(), 0.0);
        product(pool, path, rows, &mut [(&self.weight, delta)]);
        self.add_bias(pool, path, delta);
        let (hidden, delta) = (self.weight.rows(), &*delta);
        pool.chunks(x, hidden * 16, &|index, rows| {
            for (i, row) in rows.chunks_exact_mut(hidden).enumerate() {
                let delta = &delta[(index * 16 + i) * hidden..][..hidden];
                match norm {
                    None => add(path, row, delta),
                    Some(norm) => {
                        let mut normed = vec![0.0; hidden];
                        rms_norm(path, delta, norm, epsilon, &mut normed);
                        add(path, row, &normed);
                    }
                }
            }
        });
    }
}

/// Reads weights by name and refuses a shape that the metadata does not announce.
struct Loader<'a> {
    gguf: &'a mut Gguf,
    shape: &'a Shape,
    pages: Pages,
}

impl Loader<'_> {
    fn has(&self, name: &str) -> bool {
        self.gguf.info(name).is_some()
    }

    fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<Matrix, LmError> {
        self.gguf.check_dims(name, &[rows, columns])?;
        let (dtype, bytes) = self.gguf.bytes(name)?;
        let packed = match Format::of(dtype) {
            Some(format) => Matrix::pack(&mut self.pages, format, (rows, columns), &bytes),
            None => {
                let numbers: Vec<f32> = self.numbers(name)?;
                let half: Vec<u8> = numbers.iter().flat_map(|&x| half::f16::from_f32(x).to_le_bytes()).collect();
                Matrix::pack(&mut self.pages, Format::F16, (rows, columns), &half)
            }
        };
        packed
            .map_err(|what| LmError::Gguf { path: self.gguf.path().to_owned(), what: format!("tensor {name}: {what}") })
    }

    fn linear(&mut self, name: &str, rows: usize, columns: usize) -> Result<Linear, LmError> {
        let weight = Arc::new(self.matrix(&format!("{name}.weight"), rows, columns)?);
        Ok(Linear { weight, bias: self.optional(&format!("{name}.bias"), rows)? })
    }

    fn vector(&mut self, name: &str, width: usize) -> Result<Vec<f32>, LmError> {
        self.gguf.check_dims(name, &[width])?;
        self.numbers(name)
    }

    fn optional(&mut self, name: &str, width: usize) -> Result<Option<Vec<f32>>, LmError> {
        match self.has(name) {
            true => self.vector(name, width).map(Some),
            false => Ok(None),
        }
    }

    fn numbers(&mut self, name: &str) -> Result<Vec<f32>, LmError> {
        let tensor = self.gguf.tensor(name, &Device::Cpu)?;
        Ok(tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()?)
    }
}
