//! Two texts read together, one logit a label out: what cross-encoders and entailment models share.
//!
//! In: the folder of a `BertForSequenceClassification` or `XLMRobertaForSequenceClassification`. Out: `[pairs, labels]`.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;
use tokenizers::Tokenizer;

use super::EmbedError;
use super::batch::{Batch, Tokens};
use super::bert::{self, Bert};
use super::folder::Folder;
use super::layers::Linear;
use super::ops::Activation;

/// A sequence classifier on candle.
pub(super) struct PairClassifier {
    /// Name and content hash of the weights.
    pub(super) id: String,
    /// Names of the outputs, in order; none where the folder names none.
    pub(super) labels: Vec<String>,
    model: Bert,
    head: Head,
    tokenizer: Tokenizer,
}

/// From the first token's state to the logits: dense, tanh, one output a label.
struct Head {
    dense: Linear,
    out: Linear,
}

impl Head {
    /// BERT keeps the dense layer with the model (its pooler), RoBERTa with the classifier.
    fn load(vb: &VarBuilder<'_>, width: usize, labels: usize) -> candle_core::Result<Head> {
        let roberta = vb.contains_tensor("classifier.out_proj.weight");
        let (dense, out) =
            if roberta { ("classifier.dense", "classifier.out_proj") } else { ("bert.pooler.dense", "classifier") };
        Ok(Head {
            dense: Linear::load(vb, dense, width, width, true)?,
            out: Linear::load(vb, out, width, labels, true)?,
        })
    }

    /// `[pairs, width]` -> `[pairs, labels]`.
    fn forward(&self, first: &Tensor) -> candle_core::Result<Vec<Vec<f32>>> {
        self.out.forward(&self.dense.activated(first, Activation::Tanh)?)?.to_vec2()
    }
}

#[derive(Deserialize)]
struct Kind {
    model_type: String,
    #[serde(default)]
    id2label: Option<BTreeMap<String, String>>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
}

impl PairClassifier {
    /// Loads the folder onto the CPU; `role` is what it is wanted for, and `fits` says what is wrong with its labels for that.
    pub(super) fn open(
        folder: &Path,
        role: &str,
        fits: impl Fn(&[String]) -> Result<(), String>,
    ) -> Result<PairClassifier, EmbedError> {
        let folder = Folder::open(folder)?;
        let kind: Kind = folder.config()?;
        if !matches!(kind.model_type.as_str(), "bert" | "roberta" | "xlm-roberta" | "camembert") {
            return Err(EmbedError::Architecture { folder: folder.display(), model_type: kind.model_type });
        }
        let classifies = |a: &String| a.ends_with("ForSequenceClassification");
        if kind.architectures.is_some_and(|a| !a.iter().any(classifies)) {
            return Err(
                folder.wrong(format!("config.json: architectures names no ForSequenceClassification: not {role}"))
            );
        }
        let mut named: Vec<(usize, String)> = Vec::new();
        for (key, label) in kind.id2label.unwrap_or_default() {
            let at = key.parse().map_err(|_| folder.wrong(format!("config.json: id2label has the key `{key}`")))?;
            named.push((at, label));
        }
        named.sort();
        let labels: Vec<String> = named.into_iter().map(|(_, label)| label).collect();
        fits(&labels).map_err(|what| folder.wrong(format!("config.json: {what}")))?;
        let config: bert::Config = folder.config()?;
        let (vb, hash) = folder.weights(&Device::Cpu)?;
        let weights = |e: candle_core::Error| folder.wrong(format!("model.safetensors: {e}"));
        Ok(PairClassifier {
            id: format!("{}@{hash}", folder.name()),
            model: Bert::load(&vb, &config).map_err(weights)?,
            head: Head::load(&vb, config.hidden_size, labels.len().max(1)).map_err(weights)?,
            tokenizer: folder.tokenizer(folder.longest(config.longest())?)?,
            labels,
        })
    }

    /// The tokens of each pair, cut at the longest input of the model.
    pub(super) fn tokenize(&self, pairs: Vec<(&str, &str)>) -> Result<Vec<Tokens>, EmbedError> {
        let count = pairs.len();
        let encoded = self.tokenizer.encode_batch_fast(pairs, true).map_err(|e| self.failed(count, e))?;
        let tokens = encoded.iter().map(|e| Tokens {
            ids: e.get_ids().to_vec(),
            types: e.get_type_ids().to_vec(),
            cut: !e.get_overflowing().is_empty(),
        });
        Ok(tokens.collect())
    }

    /// Logits, `[pairs, labels]`.
    pub(super) fn forward(&self, pairs: &[Tokens]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let logits = || {
            let batch = Batch::new(pairs);
            let starts: Vec<u32> = batch.texts.iter().map(|text| text.start as u32).collect();
            let starts = Tensor::from_vec(starts, batch.texts.len(), &Device::Cpu)?;
            self.head.forward(&self.model.forward(&batch)?.index_select(&starts, 0)?)
        };
        logits().map_err(|e: candle_core::Error| self.failed(pairs.len(), e))
    }

    fn failed(&self, texts: usize, what: impl std::fmt::Display) -> EmbedError {
        EmbedError::Compute { id: self.id.clone(), texts, what: what.to_string() }
    }
}

/// A tiny classifier on disk, for tests.
#[cfg(test)]
pub(crate) mod fixture {
    use std::collections::HashMap;
    use std::path::Path;

    use candle_core::{DType, Tensor, safetensors};

    use crate::embed::tiny;

    const WORDS: [&str; 8] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "cell", "anode", "전해질", "lithium"];

    /// Writes a classifier of 8 words and one layer with these labels: BERT's form, or RoBERTa's.
    pub(crate) fn write(folder: &Path, roberta: bool, labels: &[&str]) {
        let named: HashMap<String, &str> = labels.iter().enumerate().map(|(i, l)| (i.to_string(), *l)).collect();
        let config = serde_json::json!({
            "model_type": if roberta { "xlm-roberta" } else { "bert" }, "vocab_size": 8, "hidden_size": 8,
            "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12, "hidden_act": "gelu",
            "max_position_embeddings": 24, "type_vocab_size": if roberta { 1 } else { 2 }, "layer_norm_eps": 1e-12,
            "pad_token_id": 0, "id2label": named, "architectures": ["AnyForSequenceClassification"],
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
            linear("classifier.out_proj".into(), labels.len(), 8);
        } else {
            linear("bert.pooler.dense".into(), 8, 8);
            linear("classifier".into(), labels.len(), 8);
        }
        assert!(tensors.values().all(|t| t.dtype() == DType::F32));
        safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    }
}
