//! BERT, RoBERTa and XLM-RoBERTa: the encoder of "Attention is all you need" with learned positions.
//!
//! [BERT](https://arxiv.org/abs/1810.04805), [RoBERTa](https://arxiv.org/abs/1907.11692),
//! [XLM-R](https://arxiv.org/abs/1911.02116). They differ in where positions start and in the names' prefix.

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use serde::Deserialize;

use super::batch::Batch;
use super::layers::{Linear, attention, look_up, look_up_types};
use super::ops::{self, Activation, Norm, Sight};

/// What `config.json` says.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Config {
    model_type: String,
    vocab_size: usize,
    pub(super) hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: Activation,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    #[serde(default)]
    pad_token_id: u32,
    #[serde(default)]
    position_embedding_type: Option<String>,
}

impl Config {
    /// Whether positions start after the padding id, as in fairseq.
    fn roberta(&self) -> bool {
        self.model_type != "bert"
    }

    /// Longest input in tokens.
    pub(super) fn longest(&self) -> usize {
        let reserved = if self.roberta() { self.pad_token_id as usize + 1 } else { 0 };
        self.max_position_embeddings.saturating_sub(reserved)
    }
}

/// The encoder: token ids -> `[tokens, hidden]`.
pub(super) struct Bert {
    embeddings: Embeddings,
    layers: Vec<Layer>,
    heads: usize,
    activation: Activation,
}

impl Bert {
    /// Loads it by the names in the file, which some programs prefix with `bert.` or `roberta.`.
    pub(super) fn load(vb: &VarBuilder<'_>, config: &Config) -> Result<Bert> {
        if config.position_embedding_type.as_deref().is_some_and(|t| t != "absolute") {
            bail!("position_embedding_type {:?} is not supported, only absolute", config.position_embedding_type);
        }
        if config.num_attention_heads == 0 || !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            bail!("hidden_size {} cannot be split into {} heads", config.hidden_size, config.num_attention_heads);
        }
        let vb = ["bert", "roberta"]
            .into_iter()
            .map(|prefix| vb.pp(prefix))
            .find(|vb| vb.contains_tensor("embeddings.word_embeddings.weight"))
            .unwrap_or_else(|| vb.clone());
        let layers = vb.pp("encoder.layer");
        Ok(Bert {
            embeddings: Embeddings::load(&vb.pp("embeddings"), config)?,
            layers: (0..config.num_hidden_layers).map(|i| Layer::load(&layers.pp(i), config)).collect::<Result<_>>()?,
            heads: config.num_attention_heads,
            activation: config.hidden_act,
        })
    }

    /// The matrices of all layers.
    pub(super) fn linears(&mut self) -> impl Iterator<Item = &mut Linear> {
        self.layers.iter_mut().flat_map(|l| [&mut l.qkv, &mut l.attended, &mut l.up, &mut l.down])
    }

    /// The last hidden state of every token.
    pub(super) fn forward(&self, batch: &Batch) -> Result<Tensor> {
        let mut x = self.embeddings.forward(batch)?;
        for layer in &self.layers {
            x = layer.forward(&x, batch, self.heads, self.activation)?;
        }
        Ok(x)
    }
}

/// Word + position + token type, normed.
struct Embeddings {
    words: Tensor,
    positions: Tensor,
    types: Tensor,
    norm: Norm,
    /// RoBERTa's padding id: positions start after it, and a padding token within a text stands on it.
    padding: Option<u32>,
}

impl Embeddings {
    fn load(vb: &VarBuilder<'_>, config: &Config) -> Result<Embeddings> {
        let width = config.hidden_size;
        Ok(Embeddings {
            words: vb.get((config.vocab_size, width), "word_embeddings.weight")?,
            positions: vb.get((config.max_position_embeddings, width), "position_embeddings.weight")?,
            types: vb.get((config.type_vocab_size, width), "token_type_embeddings.weight")?,
            norm: Norm::load(vb, "LayerNorm", width, config.layer_norm_eps, true)?,
            padding: config.roberta().then_some(config.pad_token_id),
        })
    }

    fn forward(&self, batch: &Batch) -> Result<Tensor> {
        let mut positions = Vec::with_capacity(batch.ids.len());
        for text in &batch.texts {
            match self.padding {
                None => positions.extend(0..text.len() as u32),
                Some(padding) => {
                    let mut next = padding;
                    positions.extend(batch.ids[text.clone()].iter().map(|id| {
                        next += u32::from(*id != padding);
                        if *id == padding { padding } else { next }
                    }));
                }
            }
        }
        let sum = (look_up(&self.words, &batch.ids)? + look_up(&self.positions, &positions)?)?;
        // RoBERTa has one type only: the second text of a pair is told by its separators.
        ops::norm((sum + look_up_types(&self.types, &batch.types)?)?, &self.norm)
    }
}

/// Attention and feed-forward, each followed by residual and norm.
struct Layer {
    /// Query, key and value side by side.
    qkv: Linear,
    attended: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

impl Layer {
    fn load(vb: &VarBuilder<'_>, config: &Config) -> Result<Layer> {
        let (width, inner, eps) = (config.hidden_size, config.intermediate_size, config.layer_norm_eps);
        Ok(Layer {
            qkv: Linear::stacked(&vb.pp("attention.self"), &["query", "key", "value"], width, width, true)?,
            attended: Linear::load(vb, "attention.output.dense", width, width, true)?,
            attention_norm: Norm::load(vb, "attention.output.LayerNorm", width, eps, true)?,
            up: Linear::load(vb, "intermediate.dense", width, inner, true)?,
            down: Linear::load(vb, "output.dense", inner, width, true)?,
            norm: Norm::load(vb, "output.LayerNorm", width, eps, true)?,
        })
    }

    fn forward(&self, x: &Tensor, batch: &Batch, heads: usize, activation: Activation) -> Result<Tensor> {
        let attended = attention(&self.qkv.forward(x)?, batch, heads, None, Sight::All)?;
        let x = ops::add_norm(self.attended.product(&attended)?, &self.attended.bias, x, &self.attention_norm)?;
        let inner = self.up.activated(&x, activation)?;
        ops::add_norm(self.down.product(&inner)?, &self.down.bias, &x, &self.norm)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::{DType, Device};

    use super::super::tiny;
    use super::*;

    fn config(model_type: &str, positions: usize) -> Config {
        serde_json::from_value(serde_json::json!({
            "model_type": model_type, "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 2,
            "num_attention_heads": 2, "intermediate_size": 12, "hidden_act": "gelu",
            "max_position_embeddings": positions, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 1,
        }))
        .unwrap()
    }

    #[test]
    fn a_text_does_not_depend_on_its_neighbours() {
        let model = Bert::load(&tiny::weights(), &config("bert", 12)).unwrap();
        let (a, b) = (tiny::text(&[2, 5, 7, 3]), tiny::text(&[2, 9, 3]));
        let together = model.forward(&Batch::new(&[a.clone(), b.clone()])).unwrap();
        let apart = [a, b].map(|t| model.forward(&Batch::new(&[t])).unwrap());
        assert!(tiny::largest_difference(&together, &Tensor::cat(&apart, 0).unwrap()) < 1e-5);
    }

    #[test]
    fn a_robertas_positions_start_after_the_padding_id() {
        let bert = config("bert", 12);
        let roberta = config("xlm-roberta", 14);
        assert_eq!((bert.longest(), roberta.longest()), (12, 12));
        // The same weights but for positions, which lie two rows further down, under the prefix that classifiers have.
        let plain = tiny::weights();
        let table = plain.get((12, 8), "embeddings.position_embeddings.weight").unwrap();
        let unused = (Tensor::ones((2, 8), DType::F32, &Device::Cpu).unwrap() * 9.0).unwrap();
        let mut tensors: HashMap<String, Tensor> = HashMap::new();
        tensors.insert("embeddings.position_embeddings.weight".into(), Tensor::cat(&[unused, table], 0).unwrap());
        let mut add = |name: &str, shape: &[usize]| {
            tensors.insert(name.into(), plain.get(shape, name).unwrap());
        };
        add("embeddings.word_embeddings.weight", &[10, 8]);
        add("embeddings.token_type_embeddings.weight", &[2, 8]);
        for norm in ["embeddings".into()]
            .into_iter()
            .chain((0..2).flat_map(|i| ["attention.output", "output"].map(|part| format!("encoder.layer.{i}.{part}"))))
        {
            add(&format!("{norm}.LayerNorm.weight"), &[8]);
            add(&format!("{norm}.LayerNorm.bias"), &[8]);
        }
        for i in 0..2 {
            let parts = [("attention.self.query", 8, 8), ("attention.self.key", 8, 8), ("attention.self.value", 8, 8)];
            let more = [("attention.output.dense", 8, 8), ("intermediate.dense", 12, 8), ("output.dense", 8, 12)];
            for (name, to, from) in parts.into_iter().chain(more) {
                add(&format!("encoder.layer.{i}.{name}.weight"), &[to, from]);
                add(&format!("encoder.layer.{i}.{name}.bias"), &[to]);
            }
        }
        let tensors = tensors.into_iter().map(|(name, t)| (format!("roberta.{name}"), t)).collect();
        let prefixed = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let batch = Batch::new(&[tiny::text(&[2, 5, 7, 3]), tiny::text(&[4, 6])]);
        let a = Bert::load(&plain, &bert).unwrap().forward(&batch).unwrap();
        let b = Bert::load(&prefixed, &roberta).unwrap().forward(&batch).unwrap();
        assert!(tiny::largest_difference(&a, &b) < 1e-6);
    }
}
