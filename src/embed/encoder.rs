//! BERT encoders from a sentence-transformers folder, run by candle in f32.
//!
//! Reads what the folder says of itself: pooling and normalisation from `modules.json` and
//! `1_Pooling/config.json`, the longest input from `sentence_bert_config.json`, prefixes from
//! `config_sentence_transformers.json`. Texts are batched by length and come back in their order.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config, DTYPE};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokenizers::{Tokenizer, TruncationParams};

use super::{EmbedError, Embedder, Side};

/// Tokens of one batch, padding included: bounds memory (about 40 MB of activations at 384 dimensions).
const BATCH_TOKENS: usize = 8192;
/// Shortest norm that is divided by, as in PyTorch's `normalize`.
const EPSILON: f32 = 1e-12;

/// A BERT encoder on candle.
pub struct TransformerEncoder {
    id: String,
    model: BertModel,
    tokenizer: Tokenizer,
    device: Device,
    dim: usize,
    pooling: Pooling,
    normalise: bool,
    prefixes: Prefixes,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pooling {
    /// Mean over the tokens.
    Mean,
    /// The first token.
    Cls,
}

#[derive(Default, Deserialize)]
struct Prefixes {
    #[serde(default)]
    query: String,
    #[serde(default, alias = "document")]
    passage: String,
}

impl TransformerEncoder {
    /// Loads the folder onto the CPU.
    pub fn open(folder: &Path) -> Result<TransformerEncoder, EmbedError> {
        Self::open_on(folder, Device::Cpu)
    }

    /// Loads the folder onto `device`.
    pub fn open_on(folder: &Path, device: Device) -> Result<TransformerEncoder, EmbedError> {
        let files = Folder(folder);
        let kind: Kind = files.json("config.json")?;
        if kind.model_type.as_deref() != Some("bert") {
            let model_type = kind.model_type.unwrap_or_else(|| "(none)".into());
            return Err(EmbedError::Architecture { folder: files.name(), model_type });
        }
        let config: Config = files.json("config.json")?;
        let weights = files.bytes("model.safetensors")?;
        let hash: String = Sha256::digest(&weights).iter().take(6).map(|b| format!("{b:02x}")).collect();
        let model = VarBuilder::from_buffered_safetensors(weights, DTYPE, &device)
            .and_then(|vb| BertModel::load(vb, &config))
            .map_err(|e| files.wrong(format!("model.safetensors: {e}")))?;
        let settings: SentenceBert = files.optional("sentence_bert_config.json")?.unwrap_or_default();
        let longest =
            settings.max_seq_length.unwrap_or(config.max_position_embeddings).min(config.max_position_embeddings);
        let modules: Vec<Module> = files.optional("modules.json")?.unwrap_or_default();
        let name = folder.file_name().map_or_else(|| "encoder".into(), |n| n.to_string_lossy().into_owned());
        Ok(TransformerEncoder {
            id: format!("{name}@{hash}"),
            tokenizer: files.tokenizer(longest)?,
            dim: config.hidden_size,
            pooling: files.pooling()?,
            // Without modules.json a folder is a bare BERT; its vectors are normalised for cosine.
            normalise: modules.is_empty() || modules.iter().any(|m| m.kind.ends_with("Normalize")),
            prefixes: files.prefixes(&name)?,
            model,
            device,
        })
    }

    /// Token ids of each text, special tokens and truncation included.
    fn tokenize(&self, texts: &[&str], side: Side) -> Result<Vec<Vec<u32>>, EmbedError> {
        let prefix = match side {
            Side::Query => &self.prefixes.query,
            Side::Document => &self.prefixes.passage,
        };
        let inputs: Vec<String> = texts.iter().map(|t| format!("{prefix}{t}")).collect();
        let encoded = self.tokenizer.encode_batch_fast(inputs, true).map_err(|e| self.failed(texts.len(), e))?;
        Ok(encoded.into_iter().map(|e| e.get_ids().to_vec()).collect())
    }

    /// One padded batch: `[texts, tokens]` ids -> `[texts, dim]` vectors.
    fn forward(&self, batch: &[&Vec<u32>]) -> candle_core::Result<Vec<Vec<f32>>> {
        let width = batch.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let padded = |fill: &dyn Fn(Option<&u32>) -> u32| -> candle_core::Result<Tensor> {
            let flat: Vec<u32> = batch.iter().flat_map(|ids| (0..width).map(|i| fill(ids.get(i)))).collect();
            Tensor::from_vec(flat, (batch.len(), width), &self.device)
        };
        let ids = padded(&|id| id.copied().unwrap_or(0))?;
        let mask = padded(&|id| u32::from(id.is_some()))?;
        let hidden = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        let pooled = match self.pooling {
            Pooling::Cls => hidden.narrow(1, 0, 1)?.squeeze(1)?,
            Pooling::Mean => {
                let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
                let sum = hidden.broadcast_mul(&mask)?.sum(1)?;
                sum.broadcast_div(&mask.sum(1)?)?
            }
        };
        let mut vectors: Vec<Vec<f32>> = pooled.to_vec2()?;
        if self.normalise {
            vectors.iter_mut().for_each(|v| normalise(v));
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
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|i| tokens[*i].len());
        let mut vectors = vec![Vec::new(); tokens.len()];
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            // Sorted by length, so the last text of a batch is as wide as the batch.
            let fits =
                (1..=rest.len()).take_while(|n| *n == 1 || n * tokens[rest[n - 1]].len() <= BATCH_TOKENS).count();
            let (batch, later) = rest.split_at(fits);
            let ids: Vec<&Vec<u32>> = batch.iter().map(|i| &tokens[*i]).collect();
            let made = self.forward(&ids).map_err(|e| self.failed(texts.len(), e))?;
            batch.iter().zip(made).for_each(|(i, v)| vectors[*i] = v);
            rest = later;
        }
        Ok(vectors)
    }
}

fn normalise(vector: &mut [f32]) {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(EPSILON);
    vector.iter_mut().for_each(|x| *x /= norm);
}

#[derive(Deserialize)]
struct Kind {
    model_type: Option<String>,
}

#[derive(Default, Deserialize)]
struct SentenceBert {
    max_seq_length: Option<usize>,
}

#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
struct PoolingConfig {
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
}

#[derive(Default, Deserialize)]
struct SentenceTransformers {
    prompts: Option<Prefixes>,
}

/// The files of a folder, with errors that name it.
struct Folder<'a>(&'a Path);

impl Folder<'_> {
    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn wrong(&self, what: String) -> EmbedError {
        EmbedError::Load { folder: self.name(), what }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    fn bytes(&self, file: &str) -> Result<Vec<u8>, EmbedError> {
        fs_err::read(self.path(file)).map_err(|e| self.wrong(e.to_string()))
    }

    fn json<T: DeserializeOwned>(&self, file: &str) -> Result<T, EmbedError> {
        serde_json::from_slice(&self.bytes(file)?).map_err(|e| self.wrong(format!("{file}: {e}")))
    }

    fn optional<T: DeserializeOwned>(&self, file: &str) -> Result<Option<T>, EmbedError> {
        if self.path(file).is_file() { self.json(file).map(Some) } else { Ok(None) }
    }

    fn pooling(&self) -> Result<Pooling, EmbedError> {
        match self.optional::<PoolingConfig>("1_Pooling/config.json")? {
            None => Ok(Pooling::Mean),
            Some(c) if c.pooling_mode_mean_tokens => Ok(Pooling::Mean),
            Some(c) if c.pooling_mode_cls_token => Ok(Pooling::Cls),
            Some(_) => Err(self.wrong("1_Pooling/config.json: only mean and cls pooling are supported".into())),
        }
    }

    /// Prefixes as the folder states them; e5 models, which do not, are known by their name (their model card).
    fn prefixes(&self, name: &str) -> Result<Prefixes, EmbedError> {
        let stated: Option<SentenceTransformers> = self.optional("config_sentence_transformers.json")?;
        if let Some(prompts) = stated.and_then(|s| s.prompts) {
            return Ok(prompts);
        }
        let e5 = name.split(['-', '_', '/']).any(|part| part == "e5");
        Ok(if e5 { Prefixes { query: "query: ".into(), passage: "passage: ".into() } } else { Prefixes::default() })
    }

    fn tokenizer(&self, longest: usize) -> Result<Tokenizer, EmbedError> {
        let wrong = |e: tokenizers::Error| self.wrong(format!("tokenizer.json: {e}"));
        let mut tokenizer = Tokenizer::from_bytes(self.bytes("tokenizer.json")?).map_err(wrong)?;
        let truncation = TruncationParams { max_length: longest, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(wrong)?;
        tokenizer.with_padding(None);
        Ok(tokenizer)
    }
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
