//! GTE's "new implementation": BERT's post-norm layers with rotary positions and a gated feed-forward.
//!
//! [mGTE](https://arxiv.org/abs/2407.19669): `gte-multilingual-base`, `gte-base-en-v1.5` (`model_type` `new`),
//! `snowflake-arctic-embed-m-v2.0` and what transformers 5 writes (`gte`). The former's definition is a Python file that comes
//! with the weights (`Alibaba-NLP/new-impl`, `NewModel`); what of its settings no published model uses is refused by name.

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use serde::Deserialize;

use super::batch::Batch;
use super::layers::{Linear, Rope, attention, look_up, look_up_types};
use super::ops::{self, Activation, Norm, Sight};

/// What `config.json` says.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Config {
    vocab_size: usize,
    pub(super) hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: Activation,
    pub(super) max_position_embeddings: usize,
    /// 0: there are no token types.
    #[serde(default = "one")]
    type_vocab_size: usize,
    #[serde(default = "layer_norm_eps")]
    layer_norm_eps: f64,
    #[serde(default = "layer_norm")]
    layer_norm_type: String,
    #[serde(default = "rope")]
    position_embedding_type: String,
    #[serde(default = "rope_theta")]
    rope_theta: f64,
    #[serde(default)]
    rope_scaling: Option<Turns>,
    /// The same in the form of transformers 5, with the base in it.
    #[serde(default)]
    rope_parameters: Option<Turns>,
    /// Whether query, key and value are one matrix in the file.
    #[serde(default = "yes")]
    pack_qkv: bool,
    #[serde(default)]
    logn_attention_scale: bool,
}

/// How positions turn, and how those beyond the first training's are told apart.
#[derive(Clone, Debug, Deserialize)]
struct Turns {
    #[serde(default)]
    rope_theta: Option<f64>,
    #[serde(alias = "rope_type")]
    r#type: Scaling,
    #[serde(default = "unscaled")]
    factor: f64,
    #[serde(default)]
    mixed_b: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scaling {
    Default,
    Linear,
    Ntk,
    #[serde(untagged)]
    Other(String),
}

fn unscaled() -> f64 {
    1.0
}

fn one() -> usize {
    1
}

fn layer_norm_eps() -> f64 {
    1e-12
}

fn layer_norm() -> String {
    "layer_norm".to_owned()
}

fn rope() -> String {
    "rope".to_owned()
}

fn rope_theta() -> f64 {
    10_000.0
}

fn yes() -> bool {
    true
}

impl Config {
    /// Refuses what would give other vectors than the model's own.
    fn check(&self) -> Result<()> {
        if self.num_attention_heads == 0 || !self.hidden_size.is_multiple_of(2 * self.num_attention_heads) {
            let (width, heads) = (self.hidden_size, self.num_attention_heads);
            bail!("hidden_size {width} cannot be split into {heads} heads of an even width");
        }
        if self.position_embedding_type != "rope" {
            bail!("position_embedding_type {} is not supported, only rope", self.position_embedding_type);
        }
        if self.layer_norm_type != "layer_norm" {
            bail!("layer_norm_type {} is not supported, only layer_norm", self.layer_norm_type);
        }
        if self.logn_attention_scale {
            bail!("logn_attention_scale is not supported");
        }
        if let Some(turns) = self.turns() {
            if let Scaling::Other(kind) = &turns.r#type {
                bail!("rope_scaling of type {kind} is not supported, only ntk, linear and default");
            }
            if !turns.factor.is_finite() || turns.factor <= 0.0 {
                bail!("rope_scaling by a factor of {} is not possible", turns.factor);
            }
        }
        Ok(())
    }

    fn turns(&self) -> Option<&Turns> {
        self.rope_parameters.as_ref().or(self.rope_scaling.as_ref())
    }

    /// Radians a position, one for each pair of a head of `head` dimensions.
    ///
    /// θ_i = base^(-2i/d), with linear scaling by s all divided by s. With NTK scaling by s > 1
    /// ([kexue.fm/archives/9706](https://kexue.fm/archives/9706)) θ_i = (s·base)^(-2i/d) / s^(2/d), formula 6 there; with `mixed_b`
    /// θ_i = base^(-2i/d) / exp(a (i+1)^b), a = ln s / (d/2)^b, formulas 10 to 13.
    fn frequencies(&self) -> Vec<f64> {
        let head = (self.hidden_size / self.num_attention_heads) as f64;
        let pairs = 0..self.hidden_size / self.num_attention_heads / 2;
        let turns = self.turns();
        let base = turns.and_then(|t| t.rope_theta).unwrap_or(self.rope_theta);
        let plain = |base: f64, i: usize| base.powf(-2.0 * i as f64 / head);
        let of = |i: usize| match turns {
            Some(Turns { r#type: Scaling::Linear, factor, .. }) => plain(base, i) / factor,
            Some(Turns { r#type: Scaling::Ntk, factor, mixed_b: None, .. }) if *factor > 1.0 => {
                plain(base * factor, i) / factor.powf(2.0 / head)
            }
            Some(Turns { r#type: Scaling::Ntk, factor, mixed_b: Some(b), .. }) if *factor > 1.0 => {
                let a = factor.ln() / (head / 2.0).powf(*b);
                plain(base, i) / (a * (i as f64 + 1.0).powf(*b)).exp()
            }
            Some(_) | None => plain(base, i),
        };
        pairs.map(of).collect()
    }
}

/// The encoder: token ids -> `[tokens, hidden]`.
pub(super) struct Gte {
    words: Tensor,
    types: Option<Tensor>,
    norm: Norm,
    layers: Vec<Layer>,
    heads: usize,
    activation: Activation,
    frequencies: Vec<f64>,
}

/// Attention and gated feed-forward, each followed by residual and norm.
struct Layer {
    /// Query, key and value side by side.
    qkv: Linear,
    attended: Linear,
    attention_norm: Norm,
    /// The gate and what it lets through, side by side.
    up: Linear,
    down: Linear,
    norm: Norm,
}

impl Gte {
    /// Loads it by the names in the file, which models with a head on top prefix with `new.`.
    pub(super) fn load(vb: &VarBuilder<'_>, config: &Config) -> Result<Gte> {
        config.check()?;
        let width = config.hidden_size;
        let prefixed = vb.pp("new");
        let vb = if prefixed.contains_tensor("embeddings.word_embeddings.weight") { prefixed } else { vb.clone() };
        let (embeddings, layers) = (vb.pp("embeddings"), vb.pp("encoder.layer"));
        let types = match config.type_vocab_size {
            0 => None,
            types => Some(embeddings.get((types, width), "token_type_embeddings.weight")?),
        };
        Ok(Gte {
            words: embeddings.get((config.vocab_size, width), "word_embeddings.weight")?,
            types,
            norm: Norm::load(&embeddings, "LayerNorm", width, config.layer_norm_eps, true)?,
            layers: (0..config.num_hidden_layers).map(|i| Layer::load(&layers.pp(i), config)).collect::<Result<_>>()?,
            heads: config.num_attention_heads,
            activation: config.hidden_act,
            frequencies: config.frequencies(),
        })
    }

    /// The matrices of all layers.
    pub(super) fn linears(&mut self) -> impl Iterator<Item = &mut Linear> {
        self.layers.iter_mut().flat_map(|l| [&mut l.qkv, &mut l.attended, &mut l.up, &mut l.down])
    }

    /// The last hidden state of every token.
    pub(super) fn forward(&self, batch: &Batch) -> Result<Tensor> {
        let mut x = self.embedded(batch)?;
        let rope = Rope::turning(batch, &self.frequencies, x.device())?;
        for layer in &self.layers {
            x = layer.forward(&x, batch, self.heads, &rope, self.activation)?;
        }
        Ok(x)
    }

    /// Word + token type, normed.
    fn embedded(&self, batch: &Batch) -> Result<Tensor> {
        let words = look_up(&self.words, &batch.ids)?;
        let Some(types) = &self.types else { return ops::norm(words, &self.norm) };
        ops::norm((words + look_up_types(types, &batch.types)?)?, &self.norm)
    }
}

impl Layer {
    fn load(vb: &VarBuilder<'_>, config: &Config) -> Result<Layer> {
        let (width, inner, eps) = (config.hidden_size, config.intermediate_size, config.layer_norm_eps);
        let attention = vb.pp("attention");
        let qkv = match config.pack_qkv {
            true => Linear::load(&attention, "qkv_proj", width, 3 * width, true)?,
            false => Linear::stacked(&attention, &["q_proj", "k_proj", "v_proj"], width, width, true)?,
        };
        // In the file the gate is the second half; `ops::gate` wants it first.
        let up = vb.get((2 * inner, width), "mlp.up_gate_proj.weight")?;
        let gate_first = Tensor::cat(&[up.narrow(0, inner, inner)?, up.narrow(0, 0, inner)?], 0)?;
        Ok(Layer {
            qkv,
            attended: Linear::load(&attention, "o_proj", width, width, true)?,
            attention_norm: Norm::load(vb, "attn_ln", width, eps, true)?,
            up: Linear::of(&gate_first, Tensor::zeros(2 * inner, up.dtype(), up.device())?)?,
            down: Linear::load(vb, "mlp.down_proj", inner, width, true)?,
            norm: Norm::load(vb, "mlp_ln", width, eps, true)?,
        })
    }

    fn forward(&self, x: &Tensor, batch: &Batch, heads: usize, rope: &Rope, activation: Activation) -> Result<Tensor> {
        let attended = attention(&self.qkv.forward(x)?, batch, heads, Some(rope), Sight::All)?;
        let x = ops::add_norm(self.attended.product(&attended)?, &self.attended.bias, x, &self.attention_norm)?;
        let inner = ops::gate(&self.up.product(&x)?, activation)?;
        ops::add_norm(self.down.product(&inner)?, &self.down.bias, &x, &self.norm)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::{DType, Device};

    use super::super::tiny;
    use super::*;

    fn config(more: serde_json::Value) -> Config {
        let mut config = serde_json::json!({
            "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 12, "hidden_act": "gelu", "max_position_embeddings": 64, "type_vocab_size": 0,
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(config).unwrap()
    }

    fn hidden(model: &Gte, ids: &[u32]) -> Tensor {
        model.forward(&Batch::new(&[tiny::text(ids)])).unwrap()
    }

    #[test]
    fn a_text_does_not_depend_on_its_neighbours_but_on_the_order_of_its_words() {
        let model = Gte::load(&tiny::weights(), &config(serde_json::json!({}))).unwrap();
        let (a, b) = (tiny::text(&[2, 5, 7, 3, 4]), tiny::text(&[2, 9, 3]));
        let together = model.forward(&Batch::new(&[a.clone(), b.clone()])).unwrap();
        let apart = [a, b].map(|t| model.forward(&Batch::new(&[t])).unwrap());
        assert!(tiny::largest_difference(&together, &Tensor::cat(&apart, 0).unwrap()) < 1e-5);
        let first = |ids: &[u32]| hidden(&model, ids).narrow(0, 0, 1).unwrap();
        assert!(tiny::largest_difference(&first(&[2, 5, 7, 3]), &first(&[2, 7, 5, 3])) > 1e-4);
    }

    /// The file of a model whose query, key and value are apart: the packed one's, taken to pieces.
    fn unpacked(plain: &VarBuilder<'_>) -> VarBuilder<'static> {
        let mut tensors: HashMap<String, Tensor> = HashMap::new();
        let mut add = |name: String, shape: &[usize]| {
            tensors.insert(format!("new.{name}"), plain.get(shape, &name).unwrap());
        };
        add("embeddings.word_embeddings.weight".into(), &[10, 8]);
        for part in ["weight", "bias"] {
            add(format!("embeddings.LayerNorm.{part}"), &[8]);
            for i in 0..2 {
                ["attn_ln", "mlp_ln"].iter().for_each(|n| add(format!("encoder.layer.{i}.{n}.{part}"), &[8]));
            }
        }
        for i in 0..2 {
            let layer = format!("encoder.layer.{i}");
            add(format!("{layer}.attention.o_proj.weight"), &[8, 8]);
            add(format!("{layer}.attention.o_proj.bias"), &[8]);
            add(format!("{layer}.mlp.up_gate_proj.weight"), &[24, 8]);
            add(format!("{layer}.mlp.down_proj.weight"), &[8, 12]);
            add(format!("{layer}.mlp.down_proj.bias"), &[8]);
        }
        for i in 0..2 {
            let packed = format!("encoder.layer.{i}.attention.qkv_proj");
            let (weight, bias) = (
                plain.get((24, 8), &format!("{packed}.weight")).unwrap(),
                plain.get(24, &format!("{packed}.bias")).unwrap(),
            );
            for (n, part) in ["q", "k", "v"].into_iter().enumerate() {
                let name = format!("new.encoder.layer.{i}.attention.{part}_proj");
                tensors.insert(format!("{name}.weight"), weight.narrow(0, 8 * n, 8).unwrap());
                tensors.insert(format!("{name}.bias"), bias.narrow(0, 8 * n, 8).unwrap());
            }
        }
        VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
    }

    #[test]
    fn packed_or_not_prefixed_or_not_it_is_the_same_model() {
        let plain = tiny::weights();
        let packed = Gte::load(&plain, &config(serde_json::json!({}))).unwrap();
        let apart = Gte::load(&unpacked(&plain), &config(serde_json::json!({ "pack_qkv": false }))).unwrap();
        let ids = [2, 5, 7, 3, 4, 1];
        assert!(tiny::largest_difference(&hidden(&packed, &ids), &hidden(&apart, &ids)) < 1e-6);
        let missing = Gte::load(&unpacked(&plain), &config(serde_json::json!({}))).err().unwrap().to_string();
        assert!(missing.contains("new.encoder.layer.0.attention.qkv_proj"), "{missing}");
    }

    /// By hand for a head of four dimensions: two pairs.
    #[test]
    fn scaled_positions_turn_as_the_formulas_say() {
        let of = |scaling: serde_json::Value| {
            config(serde_json::json!({ "rope_theta": 100.0, "rope_scaling": scaling })).frequencies()
        };
        let close = |a: Vec<f64>, b: [f64; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(close(of(serde_json::Value::Null), [1.0, 0.1]));
        assert!(close(of(serde_json::json!({ "type": "ntk", "factor": 1.0 })), [1.0, 0.1]));
        // (4 · 100)^(-1/2) = 1/20, and all by 4^(1/2).
        assert!(close(of(serde_json::json!({ "type": "ntk", "factor": 4.0 })), [0.5, 0.025]));
        // b = 1: a = ln 4 / 2, so the first pair turns half as fast and the second a quarter.
        assert!(close(of(serde_json::json!({ "type": "ntk", "factor": 4.0, "mixed_b": 1.0 })), [0.5, 0.025]));
        let b = 2.0f64;
        let a = 4f64.ln() / 2f64.powf(b);
        let wanted = [1.0 / a.exp(), 0.1 / (a * 2f64.powf(b)).exp()];
        assert!(close(of(serde_json::json!({ "type": "ntk", "factor": 4.0, "mixed_b": b })), wanted));
        assert!((wanted[0] - 0.5).abs() > 0.1, "another b is another turn");
        // As transformers 5 writes it.
        let new =
            serde_json::json!({ "rope_parameters": { "rope_type": "linear", "factor": 2.0, "rope_theta": 16.0 } });
        assert!(close(config(new).frequencies(), [0.5, 0.125]));
    }

    #[test]
    fn what_no_published_model_uses_is_refused_by_name() {
        for (more, named) in [
            (serde_json::json!({ "position_embedding_type": "absolute" }), "absolute"),
            (serde_json::json!({ "layer_norm_type": "rms_norm" }), "rms_norm"),
            (serde_json::json!({ "logn_attention_scale": true }), "logn_attention_scale"),
            (serde_json::json!({ "rope_scaling": { "type": "yarn", "factor": 2.0 } }), "yarn"),
            (serde_json::json!({ "rope_scaling": { "type": "ntk", "factor": -2.0 } }), "-2"),
            (serde_json::json!({ "num_attention_heads": 3 }), "3 heads"),
        ] {
            let error = Gte::load(&tiny::weights(), &config(more)).err().unwrap().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
