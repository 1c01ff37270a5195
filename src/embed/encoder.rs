//! Encoders from a sentence-transformers folder, run by candle in f32.
//!
//! In: texts and their side. Out: one vector a text. [`folder`](super::folder) says what surrounds the transformer
//! (prefixes, longest input, pooling, dense layers, normalisation); here it is put together: prefix, tokenize, pack
//! ([`batch`](super::batch)), run, pool, project, normalise.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;
use tokenizers::Tokenizer;

use super::batch::{Batch, Tokens, runs};
use super::bert::{self, Bert};
use super::folder::{Folder, Head, Prompts};
use super::{EmbedError, Embedder, Side};

/// Tokens computed at once: enough for full speed, few enough that what a layer passes on stays near the cores.
const BATCH_TOKENS: usize = 2048;
/// Shortest norm that is divided by, as in PyTorch's `normalize`.
const EPSILON: f32 = 1e-12;

/// What of an encoder is not in its folder.
#[derive(Clone, Debug)]
pub struct EncoderOptions {
    /// Where it runs.
    pub device: Device,
    /// Keep so many dimensions (models trained as Matryoshka dolls); all if `None`.
    pub truncate_dim: Option<usize>,
}

impl Default for EncoderOptions {
    fn default() -> Self {
        EncoderOptions { device: Device::Cpu, truncate_dim: None }
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
    hidden: usize,
    dim: usize,
    device: Device,
    cut: AtomicU64,
}

/// The families, each in its own file.
enum Transformer {
    Bert(Bert),
}

impl Transformer {
    fn forward(&self, batch: &Batch) -> candle_core::Result<Tensor> {
        match self {
            Transformer::Bert(model) => model.forward(batch),
        }
    }
}

/// What `config.json` says, by family.
enum Shape {
    Bert(bert::Config),
}

impl Shape {
    fn read(folder: &Folder<'_>) -> Result<Shape, EmbedError> {
        #[derive(Deserialize)]
        struct Kind {
            model_type: Option<String>,
        }
        let kind: Kind = folder.config()?;
        match kind.model_type.as_deref() {
            Some("bert" | "roberta" | "xlm-roberta" | "camembert") => Ok(Shape::Bert(folder.config()?)),
            other => Err(EmbedError::Architecture {
                folder: folder.display(),
                model_type: other.unwrap_or("(none)").to_owned(),
            }),
        }
    }

    /// Width of a hidden state.
    fn hidden(&self) -> usize {
        match self {
            Shape::Bert(config) => config.hidden_size,
        }
    }

    /// Tokens there are positions for.
    fn positions(&self) -> usize {
        match self {
            Shape::Bert(config) => config.longest(),
        }
    }

    fn load(&self, vb: &VarBuilder<'_>) -> candle_core::Result<Transformer> {
        match self {
            Shape::Bert(config) => Bert::load(vb, config).map(Transformer::Bert),
        }
    }
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
        let transformer = shape.load(&vb).map_err(|e| folder.wrong(format!("model.safetensors: {e}")))?;
        let hidden = shape.hidden();
        let head = folder.head(hidden, &options.device)?;
        let tokenizer = folder.tokenizer(folder.longest(shape.positions())?)?;
        let prompts = folder.prompts()?;
        let full = head.dense.last().map_or(head.pooling.modes().len() * hidden, |d| d.output);
        let dim = options.truncate_dim.unwrap_or(full);
        if dim == 0 || dim > full {
            return Err(folder.wrong(format!("truncate_dim {dim} is not between 1 and its {full} dimensions")));
        }
        let skip =
            |side| if head.pooling.includes_prompt() { Ok(0) } else { prompt_tokens(&tokenizer, prompts.of(side)) };
        let skipped = [skip(Side::Query), skip(Side::Document)].map(|n| n.map_err(|e| folder.wrong(e)));
        let [query, document] = skipped;
        Ok(TransformerEncoder {
            id: format!("{}@{hash}", folder.name()),
            lowercase: folder.lowercase()?,
            skipped: [query?, document?],
            device: options.device.clone(),
            cut: AtomicU64::new(0),
            transformer,
            tokenizer,
            prompts,
            head,
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

    fn forward(&self, texts: &[Tokens], side: Side) -> candle_core::Result<Vec<Vec<f32>>> {
        let batch = Batch::new(texts);
        let hidden: Vec<f32> = self.transformer.forward(&batch)?.flatten_all()?.to_vec1()?;
        let skip = self.skipped[side as usize];
        let rows = |text: &std::ops::Range<usize>| &hidden[text.start * self.hidden..text.end * self.hidden];
        let pooled = batch.texts.iter().map(|t| self.head.pooling.pool(rows(t), self.hidden, skip));
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
        Ok(vectors)
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
        let tokens = self.tokenize(texts, side)?;
        if tokens.iter().any(|t| t.ids.is_empty()) {
            return Err(self.failed(texts.len(), "the tokenizer made no token of a text, not even a special one"));
        }
        let cut = tokens.iter().filter(|t| t.cut).count() as u64;
        self.cut.fetch_add(cut, Ordering::Relaxed);
        let mut vectors = Vec::with_capacity(texts.len());
        for run in runs(&tokens, BATCH_TOKENS) {
            vectors.extend(self.forward(run, side).map_err(|e| self.failed(texts.len(), e))?);
        }
        Ok(vectors)
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

fn normalise(vector: &mut [f32]) {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(EPSILON);
    vector.iter_mut().for_each(|x| *x /= norm);
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::safetensors;

    use super::*;

    const WORDS: [&str; 8] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "cell", "anode", "전해질", "lithium"];

    /// A BERT of 8 words, 16 dimensions and 2 layers with arbitrary weights.
    fn tiny(folder: &Path) {
        let config = serde_json::json!({
            "model_type": "bert", "vocab_size": WORDS.len(), "hidden_size": 16, "num_hidden_layers": 2,
            "num_attention_heads": 2, "intermediate_size": 32, "hidden_act": "gelu", "hidden_dropout_prob": 0.0,
            "max_position_embeddings": 12, "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12,
            "pad_token_id": 0,
        });
        fs_err::write(folder.join("config.json"), config.to_string()).unwrap();
        let vocab: HashMap<&str, usize> = WORDS.iter().enumerate().map(|(i, w)| (*w, i)).collect();
        let tokenizer = serde_json::json!({
            "version": "1.0", "added_tokens": [], "normalizer": null,
            "pre_tokenizer": { "type": "Whitespace" },
            "post_processor": { "type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2] },
            "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]" },
        });
        fs_err::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
        let mut tensors: HashMap<String, Tensor> = HashMap::new();
        let mut state = 0x9E37_79B9u32;
        // Fixed weights in -1..1: a test on other weights each time would be another test each time.
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 * 2.0 - 1.0
        };
        let mut add = |name: &str, shape: &[usize]| {
            let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
            tensors.insert(name.to_owned(), Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
        };
        add("embeddings.word_embeddings.weight", &[WORDS.len(), 16]);
        add("embeddings.position_embeddings.weight", &[12, 16]);
        add("embeddings.token_type_embeddings.weight", &[2, 16]);
        let norms = ["embeddings".to_owned()]
            .into_iter()
            .chain((0..2).flat_map(|l| ["attention.output", "output"].map(|p| format!("encoder.layer.{l}.{p}"))));
        for norm in norms {
            add(&format!("{norm}.LayerNorm.weight"), &[16]);
            add(&format!("{norm}.LayerNorm.bias"), &[16]);
        }
        for layer in 0..2 {
            for (name, out, inp) in [
                ("attention.self.query", 16, 16),
                ("attention.self.key", 16, 16),
                ("attention.self.value", 16, 16),
                ("attention.output.dense", 16, 16),
                ("intermediate.dense", 32, 16),
                ("output.dense", 16, 32),
            ] {
                add(&format!("encoder.layer.{layer}.{name}.weight"), &[out, inp]);
                add(&format!("encoder.layer.{layer}.{name}.bias"), &[out]);
            }
        }
        safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn batched_equals_single_and_order_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        tiny(dir.path());
        let encoder = TransformerEncoder::open(dir.path()).unwrap();
        let texts = ["lithium cell anode 전해질 cell", "cell", "전해질 lithium", ""];
        let together = encoder.embed(&texts, Side::Document).unwrap();
        for (text, vector) in texts.iter().zip(&together) {
            let alone = encoder.embed(&[text], Side::Document).unwrap();
            assert!(cosine(&alone[0], vector) > 0.99999, "{text}");
            assert!((cosine(vector, vector) - 1.0).abs() < 1e-5, "unit length");
        }
        let apart = together[0].iter().zip(&together[1]).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        assert!(apart > 1e-4, "different texts differ, here by {apart}");
        assert!(encoder.embed(&[], Side::Query).unwrap().is_empty());
    }

    #[test]
    fn a_text_longer_than_the_model_reads_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        tiny(dir.path());
        let encoder = TransformerEncoder::open(dir.path()).unwrap();
        let long = "cell ".repeat(500);
        let cut = "cell ".repeat(10);
        let vectors = encoder.embed(&[&long, &cut], Side::Document).unwrap();
        assert!(cosine(&vectors[0], &vectors[1]) > 0.99999);
    }

    #[test]
    fn what_is_missing_or_unsupported_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = TransformerEncoder::open(dir.path()).err().unwrap().to_string();
        assert!(error.contains("config.json") && error.contains("sentence-transformers"), "{error}");
        tiny(dir.path());
        fs_err::write(dir.path().join("model.safetensors"), b"rubbish").unwrap();
        let error = TransformerEncoder::open(dir.path()).err().unwrap().to_string();
        assert!(error.contains("model.safetensors"), "{error}");
        fs_err::write(dir.path().join("config.json"), r#"{"model_type":"t5"}"#).unwrap();
        let error = TransformerEncoder::open(dir.path()).err().unwrap().to_string();
        assert!(error.contains("`t5`"), "{error}");
    }

    /// `SECTORA_TEST_MINILM` names a folder with all-MiniLM-L6-v2; the figures are sentence-transformers' own.
    #[test]
    fn the_real_minilm_knows_what_belongs_together() {
        let Some(folder) = std::env::var_os("SECTORA_TEST_MINILM") else {
            eprintln!("skipped: SECTORA_TEST_MINILM is not set");
            return;
        };
        let encoder = TransformerEncoder::open(Path::new(&folder)).unwrap();
        let texts =
            ["A battery stores energy.", "Energy is kept in an accumulator.", "The poem was written in spring."];
        let vectors = encoder.embed(&texts, Side::Document).unwrap();
        assert!(cosine(&vectors[0], &vectors[1]) > cosine(&vectors[0], &vectors[2]) + 0.2);
    }
}
