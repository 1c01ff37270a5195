//! Cross-encoders: question and text read together, one score out. The [`Reranker`] seam.
//!
//! In: a question and texts, best first by another measure. Out: a score for as many of them as the time allows. A folder
//! is one of `BertForSequenceClassification` or `XLMRobertaForSequenceClassification` with a single label, such as
//! bge-reranker-v2-m3 or ms-marco-MiniLM.

use std::path::Path;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;
use tokenizers::Tokenizer;

use super::EmbedError;
use super::batch::{Batch, Tokens, runs};
use super::bert::{self, Bert};
use super::folder::Folder;
use super::layers::Linear;
use super::ops::{Activation, sigmoid};

/// Tokens computed between two looks at the clock.
const RUN_TOKENS: usize = 512;

/// Says how well a text answers a question by reading both together.
pub trait Reranker: Send + Sync {
    /// Name and content hash of the weights.
    fn id(&self) -> &str;
    /// Scores of the first texts, higher is better, of as many as can be read until `until`: fewer than there are texts
    /// when time runs out, none when it has.
    fn score(&self, question: &str, texts: &[&str], until: Instant) -> Result<Vec<f32>, EmbedError>;
}

/// A cross-encoder on candle.
pub struct CrossEncoder {
    id: String,
    model: Bert,
    head: Head,
    tokenizer: Tokenizer,
}

/// From the first token's state to the logit: dense, tanh, one output.
struct Head {
    dense: Linear,
    out: Linear,
}

impl Head {
    /// BERT keeps the dense layer with the model (its pooler), RoBERTa with the classifier.
    fn load(vb: &VarBuilder<'_>, width: usize) -> candle_core::Result<Head> {
        let roberta = vb.contains_tensor("classifier.out_proj.weight");
        let (dense, out) =
            if roberta { ("classifier.dense", "classifier.out_proj") } else { ("bert.pooler.dense", "classifier") };
        Ok(Head { dense: Linear::load(vb, dense, width, width, true)?, out: Linear::load(vb, out, width, 1, true)? })
    }

    /// `[texts, width]` -> a logit a text.
    fn forward(&self, first: &Tensor) -> candle_core::Result<Vec<f32>> {
        self.out.forward(&self.dense.activated(first, Activation::Tanh)?)?.flatten_all()?.to_vec1()
    }
}

#[derive(Deserialize)]
struct Kind {
    model_type: String,
    #[serde(default)]
    id2label: Option<std::collections::BTreeMap<String, serde_json::Value>>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
}

impl CrossEncoder {
    /// Loads the folder onto the CPU.
    pub fn open(folder: &Path) -> Result<CrossEncoder, EmbedError> {
        let folder = Folder::open(folder)?;
        let kind: Kind = folder.config()?;
        if !matches!(kind.model_type.as_str(), "bert" | "roberta" | "xlm-roberta" | "camembert") {
            return Err(EmbedError::Architecture { folder: folder.display(), model_type: kind.model_type });
        }
        let classifies = |a: &String| a.ends_with("ForSequenceClassification");
        if kind.architectures.is_some_and(|a| !a.iter().any(classifies)) {
            return Err(folder.wrong("config.json: architectures names no ForSequenceClassification: not a reranker"));
        }
        if let Some(labels) = kind.id2label.filter(|l| l.len() != 1) {
            return Err(folder.wrong(format!("config.json: {} labels, a reranker has one", labels.len())));
        }
        let config: bert::Config = folder.config()?;
        let (vb, hash) = folder.weights(&Device::Cpu)?;
        let weights = |e: candle_core::Error| folder.wrong(format!("model.safetensors: {e}"));
        Ok(CrossEncoder {
            id: format!("{}@{hash}", folder.name()),
            model: Bert::load(&vb, &config).map_err(weights)?,
            head: Head::load(&vb, config.hidden_size).map_err(weights)?,
            tokenizer: folder.tokenizer(folder.longest(config.longest())?)?,
        })
    }

    fn tokenize(&self, question: &str, texts: &[&str]) -> Result<Vec<Tokens>, EmbedError> {
        let pairs: Vec<(&str, &str)> = texts.iter().map(|text| (question, *text)).collect();
        let encoded = self.tokenizer.encode_batch_fast(pairs, true).map_err(|e| self.failed(texts.len(), e))?;
        let tokens = encoded.iter().map(|e| Tokens {
            ids: e.get_ids().to_vec(),
            types: e.get_type_ids().to_vec(),
            cut: !e.get_overflowing().is_empty(),
        });
        Ok(tokens.collect())
    }

    /// The probability of each pair.
    fn forward(&self, pairs: &[Tokens]) -> candle_core::Result<Vec<f32>> {
        let batch = Batch::new(pairs);
        let starts: Vec<u32> = batch.texts.iter().map(|text| text.start as u32).collect();
        let starts = Tensor::from_vec(starts, batch.texts.len(), &Device::Cpu)?;
        let first = self.model.forward(&batch)?.index_select(&starts, 0)?;
        Ok(self.head.forward(&first)?.into_iter().map(sigmoid).collect())
    }

    fn failed(&self, texts: usize, what: impl std::fmt::Display) -> EmbedError {
        EmbedError::Compute { id: self.id.clone(), texts, what: what.to_string() }
    }
}

impl Reranker for CrossEncoder {
    fn id(&self) -> &str {
        &self.id
    }

    /// The logistic function of the logit, as sentence-transformers' `CrossEncoder` gives for one label.
    fn score(&self, question: &str, texts: &[&str], until: Instant) -> Result<Vec<f32>, EmbedError> {
        let pairs = self.tokenize(question, texts)?;
        let mut scores = Vec::with_capacity(texts.len());
        let mut last = Duration::ZERO;
        for run in runs(&pairs, RUN_TOKENS) {
            let begin = Instant::now();
            // The next run takes about as long as the last: better not begun than finished too late.
            if begin + last >= until {
                break;
            }
            scores.extend(self.forward(run).map_err(|e| self.failed(texts.len(), e))?);
            last = begin.elapsed();
        }
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::{DType, safetensors};

    use super::super::tiny;
    use super::*;

    const WORDS: [&str; 8] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "cell", "anode", "전해질", "lithium"];

    /// Writes a cross-encoder of 8 words and one layer: BERT's form, or RoBERTa's.
    fn write(folder: &Path, roberta: bool) {
        let config = serde_json::json!({
            "model_type": if roberta { "xlm-roberta" } else { "bert" }, "vocab_size": 8, "hidden_size": 8,
            "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12, "hidden_act": "gelu",
            "max_position_embeddings": 24, "type_vocab_size": if roberta { 1 } else { 2 }, "layer_norm_eps": 1e-12,
            "pad_token_id": 0, "id2label": { "0": "LABEL_0" }, "architectures": ["AnyForSequenceClassification"],
        });
        fs_err::write(folder.join("config.json"), config.to_string()).unwrap();
        let vocab: HashMap<&str, usize> = WORDS.iter().enumerate().map(|(i, w)| (*w, i)).collect();
        let tokenizer = serde_json::json!({
            "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": { "type": "Whitespace" },
            "post_processor": { "type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2] },
            "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]" },
        });
        fs_err::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
        let prefix = if roberta { "roberta." } else { "bert." };
        let mut tensors: HashMap<String, Tensor> = HashMap::new();
        let mut add = |name: String, shape: &[usize]| {
            tensors.insert(name.clone(), tiny::weights().get(shape, &name).unwrap());
        };
        for (name, shape) in [
            ("embeddings.word_embeddings.weight", &[8, 8][..]),
            ("embeddings.position_embeddings.weight", &[24, 8]),
            ("embeddings.token_type_embeddings.weight", if roberta { &[1, 8] } else { &[2, 8] }),
            ("embeddings.LayerNorm.weight", &[8]),
            ("embeddings.LayerNorm.bias", &[8]),
        ] {
            add(format!("{prefix}{name}"), shape);
        }
        let layer = format!("{prefix}encoder.layer.0");
        for norm in ["attention.output", "output"] {
            add(format!("{layer}.{norm}.LayerNorm.weight"), &[8]);
            add(format!("{layer}.{norm}.LayerNorm.bias"), &[8]);
        }
        let mut linear = |name: String, to: usize, from: usize| {
            add(format!("{name}.weight"), &[to, from]);
            add(format!("{name}.bias"), &[to]);
        };
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            linear(format!("{layer}.attention.{part}"), 8, 8);
        }
        linear(format!("{layer}.intermediate.dense"), 12, 8);
        linear(format!("{layer}.output.dense"), 8, 12);
        if roberta {
            linear("classifier.dense".into(), 8, 8);
            linear("classifier.out_proj".into(), 1, 8);
        } else {
            linear("bert.pooler.dense".into(), 8, 8);
            linear("classifier".into(), 1, 8);
        }
        assert!(tensors.values().all(|t| t.dtype() == DType::F32));
        safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn a_score_depends_on_question_and_text_and_not_on_other_texts() {
        for roberta in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), roberta);
            let model = CrossEncoder::open(dir.path()).unwrap();
            let texts = ["lithium anode", "cell", "전해질 lithium cell anode cell"];
            let together = model.score("anode", &texts, soon()).unwrap();
            for (text, score) in texts.iter().zip(&together) {
                let alone = model.score("anode", &[text], soon()).unwrap();
                assert!((alone[0] - score).abs() < 1e-5 && *score > 0.0 && *score < 1.0);
            }
            assert!((together[0] - together[1]).abs() > 1e-4, "{together:?}");
            let other = model.score("cell", &texts, soon()).unwrap();
            assert!((together[0] - other[0]).abs() > 1e-4, "{together:?} {other:?}");
        }
    }

    #[test]
    fn nothing_is_read_when_the_time_is_over() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), false);
        let model = CrossEncoder::open(dir.path()).unwrap();
        assert!(model.score("anode", &["cell"], Instant::now()).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_reranker_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), false);
        let stated = fs_err::read_to_string(dir.path().join("config.json")).unwrap();
        let refused = |from: &str, to: &str, named: &str| {
            fs_err::write(dir.path().join("config.json"), stated.replace(from, to)).unwrap();
            let error = CrossEncoder::open(dir.path()).err().unwrap().to_string();
            assert!(error.contains(named), "{error}");
        };
        refused("AnyForSequenceClassification", "BertModel", "not a reranker");
        refused(r#""0":"LABEL_0""#, r#""0":"NO","1":"YES""#, "2 labels");
        refused(r#""model_type":"bert""#, r#""model_type":"t5""#, "`t5`");
    }
}
