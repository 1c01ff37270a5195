//! Qwen3 as an encoder (Qwen3-Embedding): a causal decoder whose last token stands for the text.
//!
//! [Qwen3 Embedding](https://arxiv.org/abs/2506.05176): grouped-query attention with normed queries and keys, rotary
//! positions, SwiGLU, RMS norm. No cache: a text is read once.

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use candle_nn::ops::rms_norm;
use serde::Deserialize;

use super::batch::Batch;
use super::layers::{Linear, Rope, RopeConfig, attend, look_up};
use super::ops::{self, Activation, Sight};

/// What `config.json` says.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Config {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    head_dim: usize,
    hidden_act: Activation,
    pub(super) max_position_embeddings: usize,
    rms_norm_eps: f64,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    use_sliding_window: bool,
    #[serde(default)]
    rope_theta: Option<f64>,
    #[serde(default, alias = "rope_scaling")]
    rope_parameters: Option<RopeConfig>,
}

/// The model without its language head: token ids -> `[tokens, hidden]`.
pub(super) struct Qwen3 {
    words: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    config: Config,
    theta: f64,
}

struct Layer {
    attention_norm: Tensor,
    q: Linear,
    k: Linear,
    v: Linear,
    q_norm: Tensor,
    k_norm: Tensor,
    attended: Linear,
    norm: Tensor,
    /// Gate and up, side by side.
    up: Linear,
    down: Linear,
}

impl Qwen3 {
    /// Loads it by the names in the file.
    pub(super) fn load(vb: &VarBuilder<'_>, config: &Config) -> Result<Qwen3> {
        let (width, inner, head) = (config.hidden_size, config.intermediate_size, config.head_dim);
        let (heads, groups) = (config.num_attention_heads, config.num_key_value_heads);
        if groups == 0 || !heads.is_multiple_of(groups) || !head.is_multiple_of(2) {
            bail!("{heads} heads of width {head} cannot share {groups} key-value heads");
        }
        if config.use_sliding_window {
            bail!("use_sliding_window is not supported");
        }
        let vb = if vb.contains_tensor("model.embed_tokens.weight") { vb.pp("model") } else { vb.clone() };
        let layer = |i: usize| -> Result<Layer> {
            let vb = vb.pp("layers").pp(i);
            let attention = vb.pp("self_attn");
            let linear = |name: &str, from, to| Linear::load(&attention, name, from, to, config.attention_bias);
            Ok(Layer {
                attention_norm: vb.get(width, "input_layernorm.weight")?,
                q: linear("q_proj", width, heads * head)?,
                k: linear("k_proj", width, groups * head)?,
                v: linear("v_proj", width, groups * head)?,
                q_norm: attention.get(head, "q_norm.weight")?,
                k_norm: attention.get(head, "k_norm.weight")?,
                attended: linear("o_proj", heads * head, width)?,
                norm: vb.get(width, "post_attention_layernorm.weight")?,
                up: Linear::stacked(&vb.pp("mlp"), &["gate_proj", "up_proj"], width, inner, false)?,
                down: Linear::load(&vb, "mlp.down_proj", inner, width, false)?,
            })
        };
        Ok(Qwen3 {
            words: vb.get((config.vocab_size, width), "embed_tokens.weight")?,
            layers: (0..config.num_hidden_layers).map(layer).collect::<Result<_>>()?,
            norm: vb.get(width, "norm.weight")?,
            theta: RopeConfig::theta(config.rope_parameters.as_ref(), config.rope_theta, 1_000_000.0)?,
            config: config.clone(),
        })
    }

    /// The matrices of all layers.
    pub(super) fn linears(&mut self) -> impl Iterator<Item = &mut Linear> {
        self.layers.iter_mut().flat_map(|l| [&mut l.q, &mut l.k, &mut l.v, &mut l.attended, &mut l.up, &mut l.down])
    }

    /// The last hidden state of every token.
    pub(super) fn forward(&self, batch: &Batch) -> Result<Tensor> {
        let mut x = look_up(&self.words, &batch.ids)?;
        let tokens = batch.ids.len();
        let (head, eps) = (self.config.head_dim, self.config.rms_norm_eps as f32);
        let rope = Rope::new(batch, head, self.theta, x.device())?;
        let split = |y: Tensor, heads| y.reshape((tokens, heads, head));
        for layer in &self.layers {
            let normed = rms_norm(&x, &layer.attention_norm, eps)?;
            let q = split(layer.q.forward(&normed)?, self.config.num_attention_heads)?;
            let k = split(layer.k.forward(&normed)?, self.config.num_key_value_heads)?;
            let v = split(layer.v.forward(&normed)?, self.config.num_key_value_heads)?;
            let q = rope.turn(&rms_norm(&q, &layer.q_norm, eps)?)?;
            let k = rope.turn(&rms_norm(&k, &layer.k_norm, eps)?)?;
            x = (x + layer.attended.forward(&attend(&q, &k, &v, batch, Sight::Causal)?)?)?;
            let inner = layer.up.forward(&rms_norm(&x, &layer.norm, eps)?)?;
            x = (x + layer.down.forward(&ops::gate(&inner, self.config.hidden_act)?)?)?;
        }
        rms_norm(&x, &self.norm, eps)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tiny;
    use super::*;

    fn config() -> serde_json::Value {
        serde_json::json!({
            "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 4, "intermediate_size": 12, "hidden_act": "silu",
            "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "rope_scaling": null,
        })
    }

    #[test]
    fn a_token_depends_on_what_precedes_it_in_its_text_and_on_nothing_else() {
        let model = Qwen3::load(&tiny::weights(), &serde_json::from_value(config()).unwrap()).unwrap();
        let states = |texts: &[&[u32]]| {
            let texts: Vec<_> = texts.iter().map(|t| tiny::text(t)).collect();
            model.forward(&Batch::new(&texts)).unwrap()
        };
        let whole = states(&[&[2, 5, 7, 3, 4], &[9, 8]]);
        assert!(tiny::largest_difference(&whole.narrow(0, 0, 3).unwrap(), &states(&[&[2, 5, 7]])) < 1e-5);
        assert!(tiny::largest_difference(&whole.narrow(0, 5, 2).unwrap(), &states(&[&[9, 8]])) < 1e-5);
        let other = states(&[&[1, 5, 7]]);
        assert!(tiny::largest_difference(&whole.narrow(0, 2, 1).unwrap(), &other.narrow(0, 2, 1).unwrap()) > 1e-4);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (key, value) in [
            ("rope_scaling", serde_json::json!({ "rope_type": "yarn", "factor": 4.0 })),
            ("use_sliding_window", serde_json::json!(true)),
            ("num_key_value_heads", serde_json::json!(3)),
        ] {
            let mut config = config();
            config[key] = value;
            let config: Config = serde_json::from_value(config).unwrap();
            assert!(Qwen3::load(&tiny::weights(), &config).is_err(), "{key}");
        }
    }
}
