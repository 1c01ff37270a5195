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
        let skip =
            |side| if head.pooling.includes_prompt() { Ok(0) } else { prompt_tokens(&tokenizer, prompts.of(side)) };
        let skipped = [skip(Side::Query), skip(Side::Document)].map(|n| n.map_err(|e| folder.wrong(e)));
        let [query, document] = skipped;
        Ok(TransformerEncoder {
            id: format!(
                "{}@{hash}{}{}{}",
                folder.name(),
                if options.int8 { "+int8" } else { "" },
                if late.is_some() { "+late" } else { "" },
                sparse_hash.map_or_else(String::new, |hash| format!("+sparse@{hash}"))
            ),
            lowercase: folder.lowercase()?,
            skipped: [query?, document?],
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
        // Fixed weights in -1..1: a test on other weights each time would be another test each time.
        let mut numbers = super::super::tiny::numbers("encoder");
        let mut next = move || numbers.next().unwrap() * 2.0 - 1.0;
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
    fn with_eight_bits_the_vectors_are_nearly_the_same_and_the_name_says_so() {
        let dir = tempfile::tempdir().unwrap();
        tiny(dir.path());
        // Widths that are multiples of 32, unlike the tiny model's 16, are those of `inner`; the others stay as they are.
        let full = TransformerEncoder::open(dir.path()).unwrap();
        let options = EncoderOptions { int8: true, threads: 2, ..EncoderOptions::default() };
        let rounded = TransformerEncoder::open_with(dir.path(), &options).unwrap();
        assert_eq!(rounded.id(), format!("{}+int8", full.id()));
        let text = "lithium cell anode 전해질";
        let (a, b) = (one(&full, text, Side::Document), one(&rounded, text, Side::Document));
        let same = cosine(&a, &b);
        assert!(same > 0.999 && same < 1.0 - 1e-9, "rounded, and little: {same}");
        let other = one(&rounded, "cell", Side::Document);
        assert_eq!(one(&rounded, "cell", Side::Document), other, "the same every time");
    }

    #[test]
    fn a_sparse_head_is_used_where_asked_for_and_the_name_says_so() {
        let dir = tempfile::tempdir().unwrap();
        tiny(dir.path());
        let asked = EncoderOptions { sparse: true, ..EncoderOptions::default() };
        let without = TransformerEncoder::open_with(dir.path(), &asked).unwrap();
        assert!(!without.learns_weights(), "the folder has none");
        let weight: Vec<f32> = (0..16).map(|i| if i % 2 == 0 { 1.0 } else { -0.5 }).collect();
        let tensors = HashMap::from([
            ("weight", Tensor::from_vec(weight, (1, 16), &Device::Cpu).unwrap()),
            ("bias", Tensor::from_vec(vec![4.0f32], 1, &Device::Cpu).unwrap()),
        ]);
        safetensors::save(&tensors, dir.path().join("sparse_linear.safetensors")).unwrap();
        let plain = TransformerEncoder::open(dir.path()).unwrap();
        assert_eq!(plain.id(), without.id());
        assert!(plain.encode(&["cell"], Side::Query).unwrap()[0].learned.is_none(), "nobody asked for it");
        let encoder = TransformerEncoder::open_with(dir.path(), &asked).unwrap();
        assert!(encoder.learns_weights() && encoder.id().starts_with(&format!("{}+sparse@", plain.id())));
        let texts = ["lithium cell anode cell", "anode"];
        let together = encoder.encode(&texts, Side::Document).unwrap();
        for (text, both) in texts.iter().zip(&together) {
            assert!(cosine(&both.dense, &one(&plain, text, Side::Document)) > 0.99999, "vectors stay as they are");
            let alone = encoder.encode(&[text], Side::Document).unwrap().remove(0).learned.unwrap();
            let learned = both.learned.as_ref().unwrap();
            assert_eq!(learned.indices, alone.indices);
            assert!(learned.values.iter().zip(&alone.values).all(|(a, b)| (a - b).abs() < 1e-4));
        }
        let ids = &together[0].learned.as_ref().unwrap().indices;
        assert!(ids.contains(&4) && ids.is_sorted_by(|a, b| a < b), "a word said twice is weighed once: {ids:?}");
    }

    #[test]
    fn late_chunks_see_their_neighbours_and_are_the_mean_of_their_own_tokens() {
        let dir = tempfile::tempdir().unwrap();
        tiny(dir.path());
        let plain = TransformerEncoder::open(dir.path()).unwrap();
        let late = EncoderOptions { late: true, ..EncoderOptions::default() };
        let encoder = TransformerEncoder::open_with(dir.path(), &late).unwrap();
        assert!(encoder.sees_neighbours() && encoder.id() == format!("{}+late", plain.id()));
        let together = |chunks: &[&str]| -> Vec<Vec<f32>> {
            encoder.encode_together("", chunks).unwrap().into_iter().map(|e| e.dense).collect()
        };
        // One window of [CLS] cell anode lithium [SEP]: the mean of its three words is made of those of both chunks.
        let (whole, two) = (together(&["cell anode lithium"]), together(&["cell anode", "lithium"]));
        let pooling = |chunk: std::ops::Range<usize>| {
            let batch = Batch::new(&encoder.tokenize(&["cell anode lithium"], Side::Document).unwrap());
            encoder.pooled(&batch, &[chunk], 0).unwrap().remove(0).dense
        };
        assert!(cosine(&whole[0], &pooling(1..4)) > 0.99999);
        assert!(cosine(&two[0], &pooling(1..3)) > 0.99999 && cosine(&two[1], &pooling(3..4)) > 0.99999);
        let alone = together(&["lithium"]);
        assert!(cosine(&alone[0], &two[1]) < 0.9999, "beside others it is another vector");
        // Twelve positions hold ten words: eleven are two windows, and a chunk of twenty is cut.
        assert_eq!(together(&["cell ".repeat(6).as_str(), "anode ".repeat(5).as_str(), "cell"]).len(), 3);
        assert_eq!(encoder.cut(), 0);
        together(&["cell ".repeat(20).as_str()]);
        assert_eq!(encoder.cut(), 1);
        let without: Vec<_> = plain.encode_together("cell", &["anode"]).unwrap();
        assert!(cosine(&without[0].dense, &one(&plain, "cell\nanode", Side::Document)) > 0.99999);
        modules(dir.path(), &[("Pooling", serde_json::json!({ "pooling_mode": "cls" }))]);
        assert!(
            !TransformerEncoder::open_with(dir.path(), &late).unwrap().sees_neighbours(),
            "a first token has no share"
        );
    }

    #[test]
    fn the_folder_says_how_many_dimensions_to_keep_unless_told_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        tiny(dir.path());
        let whole = one(&TransformerEncoder::open(dir.path()).unwrap(), "cell anode", Side::Document);
        let stated = dir.path().join("config_sentence_transformers.json");
        fs_err::write(&stated, r#"{"truncate_dim": 6}"#).unwrap();
        let encoder = TransformerEncoder::open(dir.path()).unwrap();
        assert_eq!(encoder.dim(), 6);
        let kept = one(&encoder, "cell anode", Side::Document);
        let norm = whole[..6].iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!(kept.iter().zip(&whole).all(|(k, w)| (k - w / norm).abs() < 1e-5), "the first ones, of length 1 again");
        let options = EncoderOptions { truncate_dim: Some(4), ..EncoderOptions::default() };
        assert_eq!(TransformerEncoder::open_with(dir.path(), &options).unwrap().dim(), 4);
        fs_err::write(&stated, r#"{"truncate_dim": 99}"#).unwrap();
        assert!(TransformerEncoder::open(dir.path()).err().unwrap().to_string().contains("99"));
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
        assert_eq!(encoder.cut(), 1, "the text of ten words fits");
    }

    /// Writes `modules.json` with these modules after the transformer, each with its `config.json`.
    fn modules(folder: &Path, modules: &[(&str, serde_json::Value)]) {
        let mut lines = vec![serde_json::json!({ "path": "", "type": "sentence_transformers.models.Transformer" })];
        for (i, (class, config)) in modules.iter().enumerate() {
            let path = format!("{}_{class}", i + 1);
            fs_err::create_dir_all(folder.join(&path)).unwrap();
            fs_err::write(folder.join(&path).join("config.json"), config.to_string()).unwrap();
            lines.push(serde_json::json!({ "path": path, "type": format!("sentence_transformers.anywhere.{class}") }));
        }
        fs_err::write(folder.join("modules.json"), serde_json::to_string(&lines).unwrap()).unwrap();
    }

    fn one(encoder: &TransformerEncoder, text: &str, side: Side) -> Vec<f32> {
        encoder.embed(&[text], side).unwrap().remove(0)
    }

    #[test]
    fn the_modules_of_the_folder_are_applied_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        tiny(dir.path());
        let cls = ("Pooling", serde_json::json!({ "pooling_mode": "cls" }));
        modules(dir.path(), std::slice::from_ref(&cls));
        let plain = one(&TransformerEncoder::open(dir.path()).unwrap(), "cell anode", Side::Document);
        assert_eq!(plain.len(), 16);
        let norm = cosine(&plain, &plain).sqrt();
        assert!((norm - 1.0).abs() > 0.01, "not normalised unless the folder says so: {norm}");
        // A dense layer that doubles the first three and hands them through tanh.
        let activation = "torch.nn.modules.activation.Tanh";
        let dense = serde_json::json!({ "in_features": 16, "out_features": 3, "bias": false, "activation_function": activation });
        modules(dir.path(), &[cls.clone(), ("Dense", dense.clone()), ("Normalize", serde_json::json!({}))]);
        let weight: Vec<f32> = (0..48).map(|i| if i % 16 == i / 16 { 2.0 } else { 0.0 }).collect();
        let weight = HashMap::from([("linear.weight", Tensor::from_vec(weight, (3, 16), &Device::Cpu).unwrap())]);
        safetensors::save(&weight, dir.path().join("2_Dense/model.safetensors")).unwrap();
        let encoder = TransformerEncoder::open(dir.path()).unwrap();
        let mut wanted: Vec<f32> = plain[..3].iter().map(|x| (2.0 * x).tanh()).collect();
        normalise(&mut wanted);
        let made = one(&encoder, "cell anode", Side::Document);
        assert!(
            encoder.dim() == 3 && made.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-5),
            "{made:?} {wanted:?}"
        );
        // Matryoshka: the first dimensions, normed again.
        let options = EncoderOptions { truncate_dim: Some(2), ..EncoderOptions::default() };
        let short = TransformerEncoder::open_with(dir.path(), &options).unwrap();
        wanted.truncate(2);
        normalise(&mut wanted);
        assert!(one(&short, "cell anode", Side::Document).iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-5));
        let options = EncoderOptions { truncate_dim: Some(4), ..EncoderOptions::default() };
        assert!(TransformerEncoder::open_with(dir.path(), &options).is_err());
    }

    #[test]
    fn a_module_that_is_not_understood_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        tiny(dir.path());
        let pooling = ("Pooling", serde_json::json!({ "pooling_mode_mean_tokens": true }));
        let dense = |key: &str, value: serde_json::Value| {
            let mut config = serde_json::json!({ "in_features": 16, "out_features": 3 });
            config[key] = value;
            ("Dense", config)
        };
        for (second, named) in [
            (("LSTM", serde_json::json!({})), "LSTM"),
            (("Pooling", serde_json::json!({ "pooling_mode": "mean" })), "Pooling"),
            (dense("activation_function", "my.Own".into()), "my.Own"),
            (dense("in_features", 17.into()), "17"),
            (dense("use_residual", true.into()), "use_residual"),
        ] {
            modules(dir.path(), &[pooling.clone(), second]);
            let error = TransformerEncoder::open(dir.path()).err().unwrap().to_string();
            assert!(error.contains(named), "{error}");
        }
        modules(dir.path(), &[]);
        let error = TransformerEncoder::open(dir.path()).err().unwrap().to_string();
        assert!(error.contains("Pooling"), "{error}");
    }

    #[test]
    fn questions_and_documents_have_the_prefixes_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("small-e5");
        fs_err::create_dir(&folder).unwrap();
        tiny(&folder);
        let stated = folder.join("config_sentence_transformers.json");
        let prompts = |json: &str| {
            fs_err::write(&stated, json).unwrap();
            TransformerEncoder::open(&folder).unwrap()
        };
        let plain = prompts(r#"{"prompts": {"query": "", "document": " "}}"#);
        let wanted = one(&plain, "cell anode", Side::Query);
        let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        let stated = prompts(r#"{"prompts": {"query": "cell ", "passage": "lithium "}}"#);
        assert!(same(&one(&stated, "anode", Side::Query), &wanted));
        assert!(same(&one(&stated, "anode", Side::Document), &one(&plain, "lithium anode", Side::Query)));
        let default = prompts(r#"{"prompts": {"s2p": "cell "}, "default_prompt_name": "s2p"}"#);
        assert!(same(&one(&default, "anode", Side::Document), &wanted));
        let by_name = prompts(r#"{"prompts": {"query": "", "document": ""}}"#);
        assert!(same(&one(&by_name, "anode", Side::Query), &one(&plain, "query: anode", Side::Query)));
        assert!(same(&one(&by_name, "anode", Side::Document), &one(&plain, "passage: anode", Side::Query)));
        // A prefix that does not count in the mean is still read.
        let pooling = serde_json::json!({ "pooling_mode": "mean", "include_prompt": false });
        modules(&folder, &[("Pooling", pooling)]);
        let prefixed = prompts(r#"{"prompts": {"query": "cell "}}"#);
        assert_eq!(prefixed.skipped, [2, 0], "[CLS] and one word");
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
