//! The decoder on candle's tensors, for CUDA and Metal; on a CPU it is kept to be compared with.
//!
//! Read top to bottom: embedding, then blocks of attention and feed-forward network with residuals,
//! then a norm and the output head. Where the families differ is a table in [`crate::shape`]. Weights
//! have the names of the GGUF convention and stay quantized; the embedding too.

use std::sync::Arc;

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{D, Device, Module, Tensor};

use crate::attention::Attention;
use crate::gguf::{Gguf, Value};
use crate::rope::{Frequencies, Pairs, Rope};
use crate::{Architecture, LmError, Shape};

/// A loaded model and the positions it has seen.
pub(crate) struct CandleDecoder {
    shape: Shape,
    window: usize,
    device: Device,
    embedding: QMatMul,
    blocks: Vec<Block>,
    norm: RmsNorm,
    output: Linear,
    position: usize,
}

impl CandleDecoder {
    /// Loads all weights on to `device`, for contexts of at most `window` tokens.
    pub(crate) fn load(gguf: &mut Gguf, window: usize, device: &Device) -> Result<CandleDecoder, LmError> {
        let shape = Shape::read(gguf)?;
        let window = window.clamp(1, shape.context);
        let ropes = Ropes::load(gguf, &shape, window, device)?;
        let mut load = Loader { gguf, shape: &shape, device };
        let embedding = Arc::new(load.tensor("token_embd.weight", &[shape.vocabulary, shape.hidden])?);
        let output = match load.has("output.weight") {
            true => load.linear("output", shape.vocabulary, shape.hidden)?,
            false => Linear { weight: QMatMul::from_arc(embedding.clone())?, bias: None },
        };
        let norm = load.norm("output_norm", shape.hidden)?;
        let blocks = (0..shape.layers).map(|i| Block::load(&mut load, i, &ropes)).collect::<Result<_, _>>()?;
        let embedding = QMatMul::from_arc(embedding)?;
        Ok(CandleDecoder { window, device: device.clone(), embedding, blocks, norm, output, position: 0, shape })
    }

    /// Sizes.
    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Tokens seen since [`CandleDecoder::clear`].
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Forgets everything seen.
    pub(crate) fn clear(&mut self) {
        self.position = 0;
        self.blocks.iter_mut().for_each(|b| b.attention.clear());
    }

    /// Reads `tokens` into the cache.
    pub(crate) fn prefill(&mut self, tokens: &[u32]) -> Result<(), LmError> {
        self.hidden(tokens).map(|_| ())
    }

    /// Reads `tokens` (at least one) and gives the logits of what follows the last.
    pub(crate) fn forward(&mut self, tokens: &[u32]) -> Result<Vec<f32>, LmError> {
        let hidden = self.hidden(tokens)?;
        let last = hidden.narrow(1, tokens.len() - 1, 1)?;
        let logits = self.output.forward(&self.norm.forward(&last)?)?;
        Ok(logits.flatten_all()?.to_vec1()?)
    }

    fn hidden(&mut self, tokens: &[u32]) -> Result<Tensor, LmError> {
        let (position, vocabulary) = (self.position, self.shape.vocabulary);
        if tokens.is_empty() || position + tokens.len() > self.window {
            return Err(LmError::TooLong { tokens: position + tokens.len(), window: self.window });
        }
        if let Some(id) = tokens.iter().find(|&&id| id as usize >= vocabulary) {
            return Err(LmError::Tokenizer(format!("token {id} is outside the model's vocabulary of {vocabulary}")));
        }
        let ids = Tensor::from_slice(tokens, (1, tokens.len()), &self.device)?;
        let mut x = self.embedding.embedding(&ids)?;
        if self.shape.architecture == Architecture::Gemma3 {
            x = (x * (self.shape.hidden as f64).sqrt())?;
        }
        for block in &mut self.blocks {
            x = block.forward(&x, position)?;
        }
        self.position += tokens.len();
        Ok(x)
    }
}

struct Block {
    attention_norm: RmsNorm,
    qkv: Projections,
    q_norm: Option<RmsNorm>,
    k_norm: Option<RmsNorm>,
    rope: Arc<Rope>,
    attention: Attention,
    attention_output: Linear,
    post_attention_norm: Option<RmsNorm>,
    feed_forward_norm: RmsNorm,
    feed_forward: FeedForward,
    post_feed_forward_norm: Option<RmsNorm>,
    heads: (usize, usize, usize),
}

impl Block {
    fn load(load: &mut Loader<'_>, index: usize, ropes: &Ropes) -> Result<Block, LmError> {
        let shape = load.shape;
        let name = |part: &str| format!("blk.{index}.{part}");
        let (heads, kv_heads, head_dim) = (shape.heads, shape.kv_heads, shape.head_dim);
        let local = shape.is_local(index);
        let window = shape.window.filter(|_| local);
        Ok(Block {
            attention_norm: load.norm(&name("attn_norm"), shape.hidden)?,
            qkv: Projections::load(load, index)?,
            q_norm: load.optional_norm(&name("attn_q_norm"), head_dim)?,
            k_norm: load.optional_norm(&name("attn_k_norm"), head_dim)?,
            rope: if local { ropes.local.clone() } else { ropes.global.clone() },
            attention: Attention::new((heads, kv_heads, head_dim), shape.attention_scale, window, load.device),
            attention_output: load.linear(&name("attn_output"), shape.hidden, heads * head_dim)?,
            post_attention_norm: load.optional_norm(&name("post_attention_norm"), shape.hidden)?,
            feed_forward_norm: load.norm(&name("ffn_norm"), shape.hidden)?,
            feed_forward: FeedForward::load(load, index)?,
            post_feed_forward_norm: load.optional_norm(&name("post_ffw_norm"), shape.hidden)?,
            heads: (heads, kv_heads, head_dim),
        })
    }

    /// `x` is `(1, tokens, hidden)`, before and after.
    fn forward(&mut self, x: &Tensor, position: usize) -> candle_core::Result<Tensor> {
        let attended = self.attend(&self.attention_norm.forward(x)?, position)?;
        let x = (x + optional(&self.post_attention_norm, attended)?)?;
        let fed = self.feed_forward.forward(&self.feed_forward_norm.forward(&x)?)?;
        x + optional(&self.post_feed_forward_norm, fed)?
    }

    fn attend(&mut self, x: &Tensor, position: usize) -> candle_core::Result<Tensor> {
        let (heads, kv_heads, head_dim) = self.heads;
        let tokens = x.dim(1)?;
        let (q, k, v) = self.qkv.forward(x)?;
        let split = |x: Tensor, heads: usize| x.reshape((1, tokens, heads, head_dim));
        let q = optional(&self.q_norm, split(q, heads)?)?.transpose(1, 2)?;
        let k = optional(&self.k_norm, split(k, kv_heads)?)?.transpose(1, 2)?;
        let v = split(v, kv_heads)?.transpose(1, 2)?;
        let (q, k) = (self.rope.apply(&q, position)?, self.rope.apply(&k, position)?);
        self.attention_output.forward(&self.attention.forward(&q, &k, &v, position)?)
    }
}

fn optional(norm: &Option<RmsNorm>, x: Tensor) -> candle_core::Result<Tensor> {
    match norm {
        Some(norm) => norm.forward(&x),
        None => Ok(x),
    }
}

/// Queries, keys and values: three tensors, or one (Phi 3).
enum Projections {
    Apart { q: Linear, k: Linear, v: Linear },
    Joined { qkv: Linear, q: usize, kv: usize },
}

impl Projections {
    fn load(load: &mut Loader<'_>, index: usize) -> Result<Projections, LmError> {
        let name = |part: &str| format!("blk.{index}.{part}");
        let Shape { hidden, heads, kv_heads, head_dim, .. } = *load.shape;
        let (q, kv) = (heads * head_dim, kv_heads * head_dim);
        if load.has(&name("attn_qkv.weight")) {
            return Ok(Projections::Joined { qkv: load.linear(&name("attn_qkv"), q + 2 * kv, hidden)?, q, kv });
        }
        Ok(Projections::Apart {
            q: load.linear(&name("attn_q"), q, hidden)?,
            k: load.linear(&name("attn_k"), kv, hidden)?,
            v: load.linear(&name("attn_v"), kv, hidden)?,
        })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<(Tensor, Tensor, Tensor)> {
        match self {
            Projections::Apart { q, k, v } => Ok((q.forward(x)?, k.forward(x)?, v.forward(x)?)),
            Projections::Joined { qkv, q, kv } => {
                let all = qkv.forward(x)?;
                let part = |from, len| all.narrow(D::Minus1, from, len)?.contiguous();
                Ok((part(0, *q)?, part(*q, *kv)?, part(q + kv, *kv)?))
            }
        }
    }
}

/// activation(gate x) * (up x), then down.
struct FeedForward {
    gate: GateUp,
    down: Linear,
    gelu: bool,
}

/// Gate and up: two tensors, or one with the gate first (Phi 3).
enum GateUp {
    Apart { gate: Linear, up: Linear },
    Joined { gate_up: Linear, width: usize },
}

impl FeedForward {
    fn load(load: &mut Loader<'_>, index: usize) -> Result<FeedForward, LmError> {
        let name = |part: &str| format!("blk.{index}.{part}");
        let Shape { hidden, feed_forward: width, architecture, .. } = *load.shape;
        let gate = match load.has(&name("ffn_gate.weight")) {
            true => GateUp::Apart {
                gate: load.linear(&name("ffn_gate"), width, hidden)?,
                up: load.linear(&name("ffn_up"), width, hidden)?,
            },
            false => GateUp::Joined { gate_up: load.linear(&name("ffn_up"), 2 * width, hidden)?, width },
        };
        let down = load.linear(&name("ffn_down"), hidden, width)?;
        Ok(FeedForward { gate, down, gelu: architecture == Architecture::Gemma3 })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (gate, up) = match &self.gate {
            GateUp::Apart { gate, up } => (gate.forward(x)?, up.forward(x)?),
            GateUp::Joined { gate_up, width } => {
                let both = gate_up.forward(x)?;
                let part = |from| both.narrow(D::Minus1, from, *width)?.contiguous();
                (part(0)?, part(*width)?)
            }
        };
        let gate = if self.gelu { gate.gelu()? } else { candle_nn::ops::silu(&gate)? };
        self.down.forward(&(gate * up)?)
    }
}

struct Linear {
    weight: QMatMul,
    bias: Option<Tensor>,
}

impl Linear {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let y = self.weight.forward(x)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

struct RmsNorm {
    weight: Tensor,
    epsilon: f32,
}

impl RmsNorm {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        candle_nn::ops::rms_norm(&x.contiguous()?, &self.weight, self.epsilon)
    }
}

/// The rotary tables of layers that see everything, and of those with a sliding window.
struct Ropes {
    global: Arc<Rope>,
    local: Arc<Rope>,
}

impl Ropes {
    fn load(gguf: &mut Gguf, shape: &Shape, window: usize, device: &Device) -> Result<Ropes, LmError> {
        let pairs = match shape.architecture {
            Architecture::Llama => Pairs::Neighbours,
            Architecture::Qwen2 | Architecture::Qwen3 | Architecture::Gemma3 | Architecture::Phi3 => Pairs::Halves,
        };
        let (factors, magnitude) = rope_factors(gguf, shape, window)?;
        let global = Frequencies {
            dim: shape.rope_dim,
            base: shape.rope_base,
            scale: shape.rope_scale,
            factors: factors.as_deref(),
            magnitude,
        };
        let local = Frequencies { base: shape.local_rope_base, scale: 1.0, factors: None, ..global.clone() };
        Ok(Ropes {
            global: Arc::new(Rope::new(&global, window, pairs, device)?),
            local: Arc::new(Rope::new(&local, window, pairs, device)?),
        })
    }
}

/// Divisors of the frequencies that the file brings, and the factor of cosines and sines.
///
/// Phi 3 has two sets: for contexts up to the original length, and beyond it. The set is chosen by the
/// window, once, since keys in the cache cannot be turned again.
pub(crate) fn rope_factors(gguf: &mut Gguf, shape: &Shape, window: usize) -> Result<(Option<Vec<f32>>, f64), LmError> {
    let key = |field: &str| format!("{}.rope.scaling.{field}", shape.architecture.name());
    let original = gguf.int(&key("original_context_length")).unwrap_or(shape.context);
    let long = if window > original { "rope_factors_long.weight" } else { "rope_factors_short.weight" };
    let Some(name) = [long, "rope_freqs.weight"].into_iter().find(|name| gguf.info(name).is_some()) else {
        return Ok((None, 1.0));
    };
    let factors = gguf.numbers(name)?;
    if factors.len() != shape.rope_dim / 2 || factors.iter().any(|f| !f.is_finite() || *f <= 0.0) {
        let what = format!("{name} does not hold {} positive numbers", shape.rope_dim / 2);
        return Err(LmError::Gguf { path: gguf.path().to_owned(), what });
    }
    let magnitude = match gguf.get(&key("attn_factor")) {
        Some(Value::Float(factor)) if name == long => *factor,
        _ => 1.0,
    };
    Ok((Some(factors), magnitude))
}

/// Reads weights by name and refuses a shape that the metadata does not announce.
struct Loader<'a> {
    gguf: &'a mut Gguf,
    shape: &'a Shape,
    device: &'a Device,
}

impl Loader<'_> {
    fn has(&self, name: &str) -> bool {
        self.gguf.info(name).is_some()
    }

    fn tensor(&mut self, name: &str, dims: &[usize]) -> Result<QTensor, LmError> {
        self.gguf.check_dims(name, dims)?;
        self.gguf.tensor(name, self.device)
    }

    fn linear(&mut self, name: &str, rows: usize, columns: usize) -> Result<Linear, LmError> {
        let weight = QMatMul::from_qtensor(self.tensor(&format!("{name}.weight"), &[rows, columns])?)?;
        let bias = format!("{name}.bias");
        let bias = match self.has(&bias) {
            true => Some(self.tensor(&bias, &[rows])?.dequantize(self.device)?),
            false => None,
        };
        Ok(Linear { weight, bias })
    }

    fn norm(&mut self, name: &str, width: usize) -> Result<RmsNorm, LmError> {
        let weight = self.tensor(&format!("{name}.weight"), &[width])?.dequantize(self.device)?;
        Ok(RmsNorm { weight, epsilon: self.shape.norm_epsilon as f32 })
    }

    fn optional_norm(&mut self, name: &str, width: usize) -> Result<Option<RmsNorm>, LmError> {
        match self.has(&format!("{name}.weight")) {
            true => self.norm(name, width).map(Some),
            false => Ok(None),
        }
    }
}
