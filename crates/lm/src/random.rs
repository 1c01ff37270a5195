//! A GGUF file of any shape with random weights and a synthetic tokenizer.
//!
//! Speed does not depend on the values of weights, so benches measure real shapes without any download;
//! tests use tiny ones. The tokenizer is byte-level BPE: 256 bytes, control tokens, and filler words.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::tokenizer::character;
use crate::{Architecture, LmError};

/// Control tokens at the end of the synthetic vocabulary, the last being the one that ends a turn.
const CONTROL: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

/// Sizes of a file to write.
#[derive(Clone, Debug)]
pub struct RandomShape {
    /// Family.
    pub architecture: Architecture,
    /// Tokens, at least 259.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Width of the feed-forward network.
    pub feed_forward: usize,
    /// Context length.
    pub context: usize,
    /// Base of the rotary frequencies.
    pub rope_base: f32,
    /// Sliding window of Gemma 3.
    pub window: usize,
    /// True when the output head is the embedding.
    pub tied: bool,
}

impl RandomShape {
    /// A model of a few hundred kilobytes.
    pub fn tiny(architecture: Architecture) -> RandomShape {
        RandomShape {
            architecture,
            vocabulary: 288,
            hidden: 64,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            head_dim: 16,
            feed_forward: 128,
            context: 512,
            rope_base: 10_000.0,
            window: 16,
            tied: true,
        }
    }

    /// Qwen3-0.6B, from its published config.json.
    pub fn qwen3_0_6b() -> RandomShape {
        RandomShape {
            architecture: Architecture::Qwen3,
            vocabulary: 151_936,
            hidden: 1024,
            layers: 28,
            heads: 16,
            kv_heads: 8,
            head_dim: 128,
            feed_forward: 3072,
            context: 40_960,
            rope_base: 1_000_000.0,
            window: 0,
            tied: true,
        }
    }

    /// SmolLM2-135M, from its published config.json. Its rows do not fill blocks of the K formats.
    pub fn smollm2_135m() -> RandomShape {
        RandomShape {
            architecture: Architecture::Llama,
            vocabulary: 49_152,
            hidden: 576,
            layers: 30,
            heads: 9,
            kv_heads: 3,
            head_dim: 64,
            feed_forward: 1536,
            context: 8192,
            rope_base: 100_000.0,
            window: 0,
            tied: true,
        }
    }

    /// Llama-3.2-1B, from its published config.json.
    pub fn llama_3_2_1b() -> RandomShape {
        RandomShape {
            architecture: Architecture::Llama,
            vocabulary: 128_256,
            hidden: 2048,
            layers: 16,
            heads: 32,
            kv_heads: 8,
            head_dim: 64,
            feed_forward: 8192,
            context: 131_072,
            rope_base: 500_000.0,
            window: 0,
            tied: true,
        }
    }
}

/// Writes a model of this shape; the same seed writes the same bytes. Norms stay f32.
pub fn write_gguf(shape: &RandomShape, quant: GgmlDType, path: &Path, seed: u64) -> Result<(), LmError> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut tensors = Vec::new();
    for Planned { name, dims, norm } in plan(shape) {
        let count = dims.iter().product();
        let (values, quant): (Vec<f32>, GgmlDType) = if norm {
            ((0..count).map(|_| 1.0 + random.random_range(-0.1..0.1)).collect(), GgmlDType::F32)
        } else {
            let spread = (3.0 / *dims.last().unwrap_or(&1) as f32).sqrt();
            let quant = if dims.len() == 1 { GgmlDType::F32 } else { quant };
            ((0..count).map(|_| random.random_range(-spread..spread)).collect(), quant)
        };
        let tensor = Tensor::from_vec(values, dims, &Device::Cpu)?;
        tensors.push((name, QTensor::quantize(&tensor, quant)?));
    }
    let metadata = metadata(shape);
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let io = |source| LmError::Io { path: path.to_owned(), source };
    let mut file = BufWriter::new(File::create(path).map_err(io)?);
    gguf_file::write(&mut file, &metadata, &tensors)?;
    file.into_inner().map_err(|e| io(e.into_error()))?.sync_all().map_err(io)
}

struct Planned {
    name: String,
    dims: Vec<usize>,
    norm: bool,
}

fn plan(shape: &RandomShape) -> Vec<Planned> {
    let RandomShape { architecture, vocabulary, hidden, heads, kv_heads, head_dim, feed_forward, .. } = *shape;
    let (q, kv) = (heads * head_dim, kv_heads * head_dim);
    let mut tensors = Vec::new();
    let mut add = |name: String, dims: &[usize], norm: bool| {
        tensors.push(Planned { name, dims: dims.to_vec(), norm });
    };
    add("token_embd.weight".into(), &[vocabulary, hidden], false);
    for index in 0..shape.layers {
        let name = |part: &str| format!("blk.{index}.{part}");
        add(name("attn_norm.weight"), &[hidden], true);
        add(name("ffn_norm.weight"), &[hidden], true);
        add(name("attn_output.weight"), &[hidden, q], false);
        add(name("ffn_down.weight"), &[hidden, feed_forward], false);
        if architecture == Architecture::Phi3 {
            add(name("attn_qkv.weight"), &[q + 2 * kv, hidden], false);
            add(name("ffn_up.weight"), &[2 * feed_forward, hidden], false);
            continue;
        }
        for (part, rows) in [("attn_q", q), ("attn_k", kv), ("attn_v", kv)] {
            add(name(&format!("{part}.weight")), &[rows, hidden], false);
            if architecture == Architecture::Qwen2 {
                add(name(&format!("{part}.bias")), &[rows], false);
            }
        }
        add(name("ffn_gate.weight"), &[feed_forward, hidden], false);
        add(name("ffn_up.weight"), &[feed_forward, hidden], false);
        if matches!(architecture, Architecture::Qwen3 | Architecture::Gemma3) {
            add(name("attn_q_norm.weight"), &[head_dim], true);
            add(name("attn_k_norm.weight"), &[head_dim], true);
        }
        if architecture == Architecture::Gemma3 {
            add(name("post_attention_norm.weight"), &[hidden], true);
            add(name("post_ffw_norm.weight"), &[hidden], true);
        }
    }
    add("output_norm.weight".into(), &[hidden], true);
    if !shape.tied {
        add("output.weight".into(), &[vocabulary, hidden], false);
    }
    tensors
}

fn metadata(shape: &RandomShape) -> Vec<(String, Value)> {
    let family = shape.architecture.name();
    let size = |field: &str, n: usize| (format!("{family}.{field}"), Value::U32(n as u32));
    let text = |key: &str, value: &str| (key.to_owned(), Value::String(value.to_owned()));
    let tokens = tokens(shape.vocabulary);
    let types = (0..tokens.len()).map(|id| Value::I32(if id + CONTROL.len() >= tokens.len() { 3 } else { 1 }));
    let mut metadata = vec![
        text("general.architecture", family),
        text("general.name", "random weights"),
        size("block_count", shape.layers),
        size("context_length", shape.context),
        size("embedding_length", shape.hidden),
        size("feed_forward_length", shape.feed_forward),
        size("attention.head_count", shape.heads),
        size("attention.head_count_kv", shape.kv_heads),
        size("attention.key_length", shape.head_dim),
        size("attention.value_length", shape.head_dim),
        size("rope.dimension_count", shape.head_dim),
        (format!("{family}.rope.freq_base"), Value::F32(shape.rope_base)),
        (format!("{family}.attention.layer_norm_rms_epsilon"), Value::F32(1e-6)),
        text("tokenizer.ggml.model", "gpt2"),
        text("tokenizer.ggml.pre", "qwen2"),
        ("tokenizer.ggml.token_type".into(), Value::Array(types.collect())),
        ("tokenizer.ggml.merges".into(), Value::Array(vec![Value::String("a b".into())])),
        ("tokenizer.ggml.eos_token_id".into(), Value::U32(tokens.len() as u32 - 1)),
        ("tokenizer.ggml.add_bos_token".into(), Value::Bool(false)),
    ];
    metadata.push(("tokenizer.ggml.tokens".into(), Value::Array(tokens.into_iter().map(Value::String).collect())));
    if shape.architecture == Architecture::Gemma3 {
        metadata.push(size("attention.sliding_window", shape.window));
    }
    metadata
}

/// 256 bytes, one merged pair, filler words, control tokens.
fn tokens(vocabulary: usize) -> Vec<String> {
    let mut tokens: Vec<String> = (0..=255).map(|b| character(b).to_string()).collect();
    tokens.push("ab".into());
    let filler = vocabulary.saturating_sub(tokens.len() + CONTROL.len());
    tokens.extend((0..filler).map(|n| format!("Ġword{n}")));
    tokens.extend(CONTROL.map(str::to_owned));
    tokens
}
