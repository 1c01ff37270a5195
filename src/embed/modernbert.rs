//! ModernBERT: pre-norm, rotary positions, gated feed-forward, local attention in two layers of three.
//!
//! [Smarter, Better, Faster, Longer](https://arxiv.org/abs/2412.13663); `gte-modernbert` and others are this model.

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use serde::Deserialize;

use super::batch::Batch;
use super::layers::{Linear, Rope, RopeConfig, attention, look_up};
use super::ops::{self, Activation, Norm, Sight};

/// What `config.json` says, in the form of transformers 4 or 5.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Config {
    vocab_size: usize,
    pub(super) hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_activation: Activation,
    pub(super) max_position_embeddings: usize,
    #[serde(default = "norm_eps")]
    norm_eps: f64,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default = "local_attention")]
    local_attention: usize,
    #[serde(default)]
    layer_types: Option<Vec<String>>,
    #[serde(default)]
    global_attn_every_n_layers: Option<usize>,
    #[serde(default)]
    rope_parameters: Option<Ropes>,
    #[serde(default)]
    global_rope_theta: Option<f64>,
    #[serde(default)]
    local_rope_theta: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
struct Ropes {
    full_attention: Option<RopeConfig>,
    sliding_attention: Option<RopeConfig>,
}

fn norm_eps() -> f64 {
    1e-5
}

fn local_attention() -> usize {
    128
}

impl Config {
    /// Whether a layer looks at the whole text.
    fn global(&self, layer: usize) -> bool {
        match &self.layer_types {
            Some(types) => types.get(layer).is_some_and(|t| t == "full_attention"),
            None => layer.is_multiple_of(self.global_attn_every_n_layers.unwrap_or(3).max(1)),
        }
    }
}

/// The encoder: token ids -> `[tokens, hidden]`.
pub(super) struct ModernBert {
    words: Tensor,
    words_norm: Norm,
    layers: Vec<Layer>,
    last_norm: Norm,
    heads: usize,
    activation: Activation,
    window: usize,
    /// Bases of the rotary frequencies, of global and of local layers.
    thetas: [f64; 2],
}

struct Layer {
    /// The first layer has none: the embeddings are normed already.
    attention_norm: Option<Norm>,
    qkv: Linear,
    attended: Linear,
    norm: Norm,
    /// The gated half and the gate, side by side.
    up: Linear,
    down: Linear,
    global: bool,
}

impl ModernBert {
    /// Loads it by the names in the file.
    pub(super) fn load(vb: &VarBuilder<'_>, config: &Config) -> Result<ModernBert> {
        let (width, heads) = (config.hidden_size, config.num_attention_heads);
        if heads == 0 || !width.is_multiple_of(2 * heads) {
            bail!("hidden_size {width} cannot be split into {heads} heads of an even width");
        }
        let vb = if vb.contains_tensor("model.embeddings.tok_embeddings.weight") { vb.pp("model") } else { vb.clone() };
        let norm = |vb: &VarBuilder<'_>, name: &str| Norm::load(vb, name, width, config.norm_eps, config.norm_bias);
        let layer = |i: usize| -> Result<Layer> {
            let vb = vb.pp("layers").pp(i);
            let inner = config.intermediate_size;
            Ok(Layer {
                attention_norm: if i == 0 { None } else { Some(norm(&vb, "attn_norm")?) },
                qkv: Linear::load(&vb, "attn.Wqkv", width, 3 * width, config.attention_bias)?,
                attended: Linear::load(&vb, "attn.Wo", width, width, config.attention_bias)?,
                norm: norm(&vb, "mlp_norm")?,
                up: Linear::load(&vb, "mlp.Wi", width, 2 * inner, config.mlp_bias)?,
                down: Linear::load(&vb, "mlp.Wo", inner, width, config.mlp_bias)?,
                global: config.global(i),
            })
        };
        let ropes = config.rope_parameters.as_ref();
        let (full, sliding) =
            (ropes.and_then(|r| r.full_attention.as_ref()), ropes.and_then(|r| r.sliding_attention.as_ref()));
        Ok(ModernBert {
            words: vb.get((config.vocab_size, width), "embeddings.tok_embeddings.weight")?,
            words_norm: norm(&vb, "embeddings.norm")?,
            layers: (0..config.num_hidden_layers).map(layer).collect::<Result<_>>()?,
            last_norm: norm(&vb, "final_norm")?,
            heads,
            activation: config.hidden_activation,
            window: config.local_attention / 2,
            thetas: [
                RopeConfig::theta(full, config.global_rope_theta, 160_000.0)?,
                RopeConfig::theta(sliding, config.local_rope_theta, 10_000.0)?,
            ],
        })
    }

    /// The matrices of all layers.
    pub(super) fn linears(&mut self) -> impl Iterator<Item = &mut Linear> {
        self.layers.iter_mut().flat_map(|l| [&mut l.qkv, &mut l.attended, &mut l.up, &mut l.down])
    }

    /// The last hidden state of every token.
    pub(super) fn forward(&self, batch: &Batch) -> Result<Tensor> {
        let mut x = ops::norm(look_up(&self.words, &batch.ids)?, &self.words_norm)?;
        let head = x.dim(1)? / self.heads;
        let rope = |theta| Rope::new(batch, head, theta, x.device());
        let [global, local] = [rope(self.thetas[0])?, rope(self.thetas[1])?];
        for layer in &self.layers {
            let (rope, sight) = if layer.global { (&global, Sight::All) } else { (&local, Sight::Window(self.window)) };
            let normed = match &layer.attention_norm {
                Some(norm) => ops::norm(x.copy()?, norm)?,
                None => x.clone(),
            };
            let attended = attention(&layer.qkv.forward(&normed)?, batch, self.heads, Some(rope), sight)?;
            x = (x + layer.attended.forward(&attended)?)?;
            let inner = layer.up.forward(&ops::norm(x.copy()?, &layer.norm)?)?;
            x = (x + layer.down.forward(&ops::gate(&inner, self.activation)?)?)?;
        }
        ops::norm(x.copy()?, &self.last_norm)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tiny;
    use super::*;

    fn model(more: serde_json::Value) -> ModernBert {
        let mut config = serde_json::json!({
            "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2,
            "intermediate_size": 12, "hidden_activation": "gelu", "max_position_embeddings": 64, "local_attention": 4,
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ModernBert::load(&tiny::weights(), &serde_json::from_value(config).unwrap()).unwrap()
    }

    #[test]
    fn a_text_does_not_depend_on_its_neighbours() {
        let model = model(serde_json::json!({}));
        let (a, b) = (tiny::text(&[2, 5, 7, 3, 4, 4, 1, 9]), tiny::text(&[2, 9, 3]));
        let together = model.forward(&Batch::new(&[a.clone(), b.clone()])).unwrap();
        let apart = [a, b].map(|t| model.forward(&Batch::new(&[t])).unwrap());
        assert!(tiny::largest_difference(&together, &Tensor::cat(&apart, 0).unwrap()) < 1e-5);
    }

    #[test]
    fn only_global_layers_carry_a_word_across_the_window() {
        let first = |model: &ModernBert, last: u32| {
            model
                .forward(&Batch::new(&[tiny::text(&[2, 5, 7, 3, 4, 4, 1, 8, 6, 5, last])]))
                .unwrap()
                .narrow(0, 0, 1)
                .unwrap()
        };
        // Three local layers of two tokens to each side reach six tokens, and the last is ten away.
        let local = model(
            serde_json::json!({ "layer_types": ["sliding_attention", "sliding_attention", "sliding_attention"] }),
        );
        assert_eq!(tiny::largest_difference(&first(&local, 0), &first(&local, 9)), 0.0);
        let mixed = model(serde_json::json!({ "global_attn_every_n_layers": 3 }));
        assert!(tiny::largest_difference(&first(&mixed, 0), &first(&mixed, 9)) > 1e-4);
    }
}
