//! Encoders from a sentence-transformers folder, run by candle in f32.
//!
//! In: texts and their side. Out: one vector a text. [`folder`](super::folder) says what surrounds the transformer
//! (prefixes, longest input, pooling, dense layers, normalisation); here it is put together: prefix, tokenize, pack
//! ([`batch`](super::batch)), run, pool, project, normalise.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{Device, Tensor};
use tokenizers::Tokenizer;

use super::background::Background;
use super::batch::{Batch, Tokens, runs};
use super::family::{Shape, Transformer};
use super::folder::{Folder, Head, Prompts};
use super::late::{Frame, Window};
use super::sparse_head::SparseHead;
use super::{EmbedError, Embedder, Encoded, Side, encode_apart, normalise};

/// Tokens computed at once: enough for full speed, few enough that what a layer passes on stays near the cores.
const BATCH_TOKENS: usize = 2048;

/// What of an encoder is not in its folder.
#[derive(Clone, Debug)]
pub struct EncoderOptions {
    /// Where it runs.
    pub device: Device,
    /// Keep so many dimensions (models trained as Matryoshka dolls); `None`: as many as the folder says, else all.
    pub truncate_dim: Option<usize>,
    /// Round the matrices of its layers to eight bits and multiply with the language model's kernels: faster, and vectors
    /// change by about 1 %. On a CPU only.
    pub int8: bool,
    /// Threads of those kernels; 0 is one a processor.
    pub threads: usize,
    /// Read the folder's sparse head, if it has one, and weigh tokens with it ([`Embedder::encode`]).
    pub sparse: bool,
    /// Late chunking ([`Embedder::encode_together`]), where vectors are the mean of their tokens.
    pub late: bool,
}

impl Default for EncoderOptions {
    fn default() -> Self {
        EncoderOptions { device: Device::Cpu, truncate_dim: None, int8: false, threads: 0, sparse: false, late: false }
    }
}

/// An encoder on candle.
pub struct TransformerEncoder {
    id: String,
    transformer: Transformer,
    tokenizer: Tokenizer,
    lowercase: bool,
    prompts: Prompts,
    /// Leading tokens that pooling leaves out, of queries and of documents.
    skipped: [usize; 2],
    head: Head,
    sparse: Option<SparseHead>,
    /// Where chunks are pooled out of windows.
    late: Option<Frame>,
    hidden: usize,
    dim: usize,
    device: Device,
    cut: AtomicU64,
    background: OnceLock<Option<Background>>,
}

impl TransformerEncoder {
    /// Loads the folder onto the CPU.
    pub fn open(folder: &Path) -> Result<TransformerEncoder, EmbedError> {
        Self::open_with(folder, &EncoderOptions::default())
    }

    /// Loads the folder.
    pub fn open_with(folder: &Path, options: &EncoderOptions) -> Result<TransformerEncoder, EmbedError> {
        let folder = Folder::open(folder)?;
        let shape = Shape::read(&folder)?;
        let (vb, hash) = folder.weights(&options.device)?;
        let wrong = |e: candle_core::Error| folder.wrong(format!("model.safetensors: {e}"));
        let mut transformer = shape.load(&vb).map_err(wrong)?;
        if options.int8 && options.device.is_cpu() {
            transformer.round(options.threads).map_err(wrong)?;
        }
        let hidden = shape.hidden();
        let head = folder.head(hidden, &options.device)?;
        let longest = folder.longest(shape.positions())?;
        let tokenizer = folder.tokenizer(longest)?;
        let prompts = folder.prompts()?;
        let sparse = if options.sparse { folder.sparse_head(hidden, &tokenizer)? } else { None };
        let (sparse, sparse_hash) = sparse.unzip();
        let late = options.late && head.pooling.is_mean();
        let late = late.then(|| Frame::of(&tokenizer, longest)).transpose().map_err(|e| folder.wrong(e))?;
        let full = head.dense.last().map_or(head.pooling.modes().len() * hidden, |d| d.output);
        let dim = options.truncate_dim.or(folder.truncate_dim()?).unwrap_or(full);
        if dim == 0 || dim > full {
            return Err(folder.wrong(format!("truncate_dim {dim} is not between 1 and its {full} dimensions")));
        }
        let skip = |side| match head.pooling.includes_prompt() {
            true => Ok(0),
            false => prompt_tokens(&tokenizer, prompts.of(side)).map_err(|e| folder.wrong(e)),
        };
        Ok(TransformerEncoder {
            id: format!(
                "{}@{hash}{}{}{}",
                folder.name(),
                if options.int8 { "+int8" } else { "" },
                if late.is_some() { "+late" } else { "" },
                sparse_hash.map_or_else(String::new, |hash| format!("+sparse@{hash}"))
            ),
            lowercase: folder.lowercase()?,
            skipped: [skip(Side::Query)?, skip(Side::Document)?],
            device: options.device.clone(),
            cut: AtomicU64::new(0),
            background: OnceLock::new(),
            transformer,
            tokenizer,
            prompts,
            head,
            sparse,
            late,
            hidden,
            dim,
        })
    }

    fn tokenize(&self, texts: &[&str], side: Side) -> Result<Vec<Tokens>, EmbedError> {
        let prefix = self.prompts.of(side);
        let input = |text: &&str| {
            let text = format!("{prefix}{text}");
            if self.lowercase { text.to_lowercase() } else { text }
        };
        let inputs: Vec<String> = texts.iter().map(input).collect();
        let encoded = self.tokenizer.encode_batch_fast(inputs, true).map_err(|e| self.failed(texts.len(), e))?;
        let tokens = encoded.iter().map(|e| Tokens {
            ids: e.get_ids().to_vec(),
            types: e.get_type_ids().to_vec(),
            cut: !e.get_overflowing().is_empty(),
        });
        Ok(tokens.collect())
    }

    fn forward(&self, texts: &[Tokens], side: Side) -> candle_core::Result<Vec<Encoded>> {
        let batch = Batch::new(texts);
        self.pooled(&batch, &batch.texts, self.skipped[side as usize])
    }

    /// What some runs of a batch's tokens give, each without its first `skip`.
    fn pooled(
        &self,
        batch: &Batch,
        spans: &[std::ops::Range<usize>],
        skip: usize,
    ) -> candle_core::Result<Vec<Encoded>> {
        let hidden: Vec<f32> = self.transformer.forward(batch)?.flatten_all()?.to_vec1()?;
        let rows = |text: &std::ops::Range<usize>| &hidden[text.start * self.hidden..text.end * self.hidden];
        let pooled = spans.iter().map(|t| self.head.pooling.pool(rows(t), self.hidden, skip));
        let mut vectors: Vec<Vec<f32>> = pooled.collect();
        for dense in &self.head.dense {
            let x = Tensor::new(vectors, &self.device)?;
            let x = match dense.activation {
                Some(activation) => dense.linear.activated(&x, activation)?,
                None => dense.linear.forward(&x)?,
            };
            vectors = x.to_vec2()?;
        }
        for vector in &mut vectors {
            vector.truncate(self.dim);
            if self.head.normalise {
                normalise(vector);
            }
        }
        let learned = |text: &std::ops::Range<usize>| self.sparse.as_ref()?.weigh(&batch.ids[text.clone()], rows(text));
        let encoded = vectors.into_iter().zip(spans).map(|(dense, t)| Encoded { dense, learned: learned(t) });
        Ok(encoded.collect())
    }

    fn failed(&self, texts: usize, what: impl std::fmt::Display) -> EmbedError {
        EmbedError::Compute { id: self.id.clone(), texts, what: what.to_string() }
    }
}

impl Embedder for TransformerEncoder {
    fn id(&self) -> &str {
        &self.id
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn embed(&self, texts: &[&str], side: Side) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(self.encode(texts, side)?.into_iter().map(|e| e.dense).collect())
    }

    fn encode(&self, texts: &[&str], side: Side) -> Result<Vec<Encoded>, EmbedError> {
        let tokens = self.tokenize(texts, side)?;
        if tokens.iter().any(|t| t.ids.is_empty()) {
            return Err(self.failed(texts.len(), "the tokenizer made no token of a text, not even a special one"));
        }
        let cut = tokens.iter().filter(|t| t.cut).count() as u64;
        self.cut.fetch_add(cut, Ordering::Relaxed);
        let mut encoded = Vec::with_capacity(texts.len());
        for run in runs(&tokens, BATCH_TOKENS) {
            encoded.extend(self.forward(run, side).map_err(|e| self.failed(texts.len(), e))?);
        }
        Ok(encoded)
    }

    fn background(&self) -> Result<Option<&Background>, EmbedError> {
        if let Some(known) = self.background.get() {
            return Ok(known.as_ref());
        }
        let measured = Background::of(self)?;
        Ok(self.background.get_or_init(|| measured).as_ref())
    }

    fn learns_weights(&self) -> bool {
        self.sparse.is_some()
    }

    fn encode_together(&self, title: &str, chunks: &[&str]) -> Result<Vec<Encoded>, EmbedError> {
        let Some(frame) = &self.late else { return encode_apart(self, title, chunks) };
        let failed = |e: &dyn std::fmt::Display| self.failed(chunks.len(), e);
        let ids = |text: String| -> Result<Vec<u32>, EmbedError> {
            let text = if self.lowercase { text.to_lowercase() } else { text };
            Ok(self.tokenizer.encode_fast(text, false).map_err(|e| failed(&e))?.get_ids().to_vec())
        };
        let title = ids(format!("{}{title}", self.prompts.of(Side::Document)))?;
        let chunked = chunks.iter().map(|c| ids((*c).to_owned())).collect::<Result<Vec<_>, _>>()?;
        let windows = frame.windows(&title, &chunked);
        self.cut.fetch_add(windows.iter().map(|w| w.cut).sum(), Ordering::Relaxed);
        let tokens: Vec<_> = windows.iter().map(|w| w.tokens.clone()).collect();
        let mut encoded = Vec::with_capacity(chunks.len());
        let mut windows = windows.iter();
        for run in runs(&tokens, BATCH_TOKENS) {
            let batch = Batch::new(run);
            let within = |(text, window): (&std::ops::Range<usize>, &Window)| {
                let start = text.start;
                window.chunks.iter().map(move |c| start + c.start..start + c.end).collect::<Vec<_>>()
            };
            let spans: Vec<_> = batch.texts.iter().zip(windows.by_ref()).flat_map(within).collect();
            encoded.extend(self.pooled(&batch, &spans, 0).map_err(|e| failed(&e))?);
        }
        Ok(encoded)
    }

    fn sees_neighbours(&self) -> bool {
        self.late.is_some()
    }

    fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }
}

/// Tokens of a prefix, leading special tokens included, as sentence-transformers counts them.
fn prompt_tokens(tokenizer: &Tokenizer, prompt: &str) -> tokenizers::Result<usize> {
    if prompt.is_empty() {
        return Ok(0);
    }
    let encoded = tokenizer.encode_fast(prompt, true)?;
    let closed = encoded.get_special_tokens_mask().last() == Some(&1);
    Ok(encoded.len() - usize::from(closed))
}

#[cfg(test)]
mod tests;
