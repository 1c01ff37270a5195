//! What the metadata of a GGUF says about the model: its family and its sizes.
//!
//! The five families are one decoder with these differences:
//!
//! | | llama | qwen2 | qwen3 | gemma3 | phi3 |
//! | --- | --- | --- | --- | --- | --- |
//! | rotary pairs | neighbours | halves | halves | halves | halves |
//! | rotary scaling | `rope_freqs` tensor | - | - | linear on global layers | long/short factors |
//! | norm of Q and K | - | - | yes | yes | - |
//! | bias of Q, K, V | - | yes | - | - | - |
//! | QKV and gate/up in one tensor | - | - | - | - | yes |
//! | activation | SiLU | SiLU | SiLU | GELU (tanh) | SiLU |
//! | sliding window | - | - | - | 5 of 6 layers | whole model: contexts end at its size |
//! | embedding scaled, norms after blocks | - | - | - | yes | - |

use crate::LmError;
use crate::gguf::Gguf;

/// A model family, as `general.architecture` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Llama 2 and 3.x, Mistral, and others that share the layout.
    Llama,
    /// Qwen2 and Qwen2.5.
    Qwen2,
    /// Qwen3 (dense).
    Qwen3,
    /// Gemma 3 (text).
    Gemma3,
    /// Phi-3, Phi-3.5 and Phi-4-mini.
    Phi3,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Architecture; 5] =
        [Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3, Architecture::Gemma3, Architecture::Phi3];

    /// The name in `general.architecture` and before metadata keys.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Llama => "llama",
            Architecture::Qwen2 => "qwen2",
            Architecture::Qwen3 => "qwen3",
            Architecture::Gemma3 => "gemma3",
            Architecture::Phi3 => "phi3",
        }
    }
}

/// The sizes of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Family.
    pub architecture: Architecture,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Width of the feed-forward network.
    pub feed_forward: usize,
    /// Tokens the model was trained to see; where all layers have a sliding window, at most its size.
    pub context: usize,
    /// Epsilon of the RMS norms.
    pub norm_epsilon: f64,
    /// Dimensions of a head that are rotated.
    pub rope_dim: usize,
    /// Base of the rotary frequencies.
    pub rope_base: f64,
    /// Positions are divided by this (linear scaling), 1 for none.
    pub rope_scale: f64,
    /// Base on layers with a sliding window.
    pub local_rope_base: f64,
    /// Tokens that a layer with a sliding window sees, itself included.
    pub window: Option<usize>,
    /// Every so many layers one sees everything; 1 where all do or none.
    pub window_pattern: usize,
    /// Factor of the attention scores.
    pub attention_scale: f64,
}

impl Shape {
    /// Reads and checks the metadata.
    pub fn read(gguf: &Gguf) -> Result<Shape, LmError> {
        let unsupported = |what: String| LmError::Unsupported { path: gguf.path().to_owned(), what };
        let broken = |what: String| LmError::Gguf { path: gguf.path().to_owned(), what };
        let name = gguf.str("general.architecture").unwrap_or("not stated");
        let architecture = Architecture::ALL.into_iter().find(|a| a.name() == name).ok_or_else(|| {
            let known = Architecture::ALL.map(Architecture::name).join(", ");
            unsupported(format!("its architecture is {name}; these are known: {known}"))
        })?;
        if gguf.int("split.count").is_some_and(|n| n > 1) {
            return Err(unsupported(
                "it is one part of a split model; join the parts with llama-gguf-split --merge".into(),
            ));
        }
        let key = |field: &str| format!("{name}.{field}");
        if gguf.int(&key("expert_count")).is_some_and(|n| n > 0) {
            return Err(unsupported("mixtures of experts are not supported".into()));
        }
        let size = |field: &str| match gguf.int(&key(field)) {
            Some(n) if n > 0 && n <= 1 << 24 => Ok(n),
            other => Err(broken(format!("metadata {} is {other:?}", key(field)))),
        };
        let embedding =
            gguf.info("token_embd.weight").ok_or_else(|| broken("it has no tensor token_embd.weight".into()))?;
        let &[vocabulary, hidden] = embedding.dims.as_slice() else {
            return Err(broken(format!("token_embd.weight has the shape {:?}", embedding.dims)));
        };
        let (layers, heads) = (size("block_count")?, size("attention.head_count")?);
        let kv_heads = gguf.int(&key("attention.head_count_kv")).unwrap_or(heads);
        let head_dim = gguf.int(&key("attention.key_length")).unwrap_or(hidden / heads);
        let rope_dim = gguf.int(&key("rope.dimension_count")).unwrap_or(head_dim);
        let gemma = architecture == Architecture::Gemma3;
        let scaling = gguf.str(&key("rope.scaling.type")).unwrap_or("none");
        let rope_scale = match scaling {
            "none" | "longrope" => 1.0,
            "linear" => gguf.float(&key("rope.scaling.factor")).unwrap_or(1.0),
            other => {
                return Err(unsupported(format!("rotary scaling {other} is not supported; take the file without it")));
            }
        };
        let window = gguf.int(&key("attention.sliding_window")).filter(|&w| w > 0);
        let context = size("context_length")?;
        let shape = Shape {
            architecture,
            vocabulary,
            hidden,
            layers,
            heads,
            kv_heads,
            head_dim,
            feed_forward: size("feed_forward_length")?,
            // Elsewhere than in Gemma every layer has the window: below its size it makes no difference.
            context: window.filter(|_| !gemma).map_or(context, |w| context.min(w)),
            norm_epsilon: gguf.float(&key("attention.layer_norm_rms_epsilon")).unwrap_or(1e-5),
            rope_dim,
            rope_base: gguf.float(&key("rope.freq_base")).unwrap_or(if gemma { 1e6 } else { 1e4 }),
            rope_scale,
            local_rope_base: gguf.float(&key("rope.freq_base_swa")).unwrap_or(1e4),
            window: window.filter(|_| gemma),
            window_pattern: if gemma { 6 } else { 1 },
            attention_scale: attention_scale(architecture, layers, hidden, heads, head_dim),
        };
        shape.check().map_err(broken)?;
        // What is announced of layers and heads, the file must hold: memory is planned by it before a block is read.
        let last = format!("blk.{}.attn_output.weight", layers - 1);
        if gguf.info(&last).is_none() {
            return Err(broken(format!("it has no tensor {last}")));
        }
        gguf.check_dims(&last, &[hidden, heads * head_dim])?;
        Ok(shape)
    }

    /// True where layer `index` sees only the sliding window (Gemma 3: all but each sixth).
    pub fn is_local(&self, index: usize) -> bool {
        self.window.is_some() && !(index + 1).is_multiple_of(self.window_pattern)
    }

    fn check(&self) -> Result<(), String> {
        let Shape { heads, kv_heads, head_dim, rope_dim, norm_epsilon, rope_base, rope_scale, .. } = *self;
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            return Err(format!("{heads} heads do not share {kv_heads} key heads evenly"));
        }
        if head_dim == 0 || head_dim > 1024 || rope_dim > head_dim || rope_dim < 2 || !rope_dim.is_multiple_of(2) {
            return Err(format!("a head of {head_dim} dimensions with {rope_dim} rotated"));
        }
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !positive(norm_epsilon) || !positive(rope_base) || !positive(rope_scale) || !positive(self.local_rope_base) {
            return Err(format!(
                "epsilon {norm_epsilon}, rotary base {rope_base} or scale {rope_scale} is not a positive number"
            ));
        }
        Ok(())
    }
}

/// 1/√head_dim; Gemma 3 27B alone uses 1/√(hidden/heads) (`query_pre_attn_scalar` 168).
fn attention_scale(architecture: Architecture, layers: usize, hidden: usize, heads: usize, head_dim: usize) -> f64 {
    const GEMMA3_27B_LAYERS: usize = 62;
    let width = match architecture {
        Architecture::Gemma3 if layers == GEMMA3_27B_LAYERS => hidden / heads,
        Architecture::Gemma3 | Architecture::Llama | Architecture::Qwen2 | Architecture::Qwen3 | Architecture::Phi3 => {
            head_dim
        }
    };
    1.0 / (width as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::quantized::GgmlDType;

    use super::*;
    use crate::gguf::{TensorInfo, Value};

    /// The header of a model of two blocks and four heads of 16, but for what is `changed`.
    fn header(architecture: Architecture, changed: &[(&str, i64)]) -> Gguf {
        let name = architecture.name();
        let sizes =
            [("block_count", 2), ("context_length", 512), ("feed_forward_length", 128), ("attention.head_count", 4)];
        let mut metadata = HashMap::from([("general.architecture".to_owned(), Value::String(name.to_owned()))]);
        metadata.extend(sizes.iter().chain(changed).map(|&(key, n)| (format!("{name}.{key}"), Value::Int(n))));
        let tensor = |name: &str, rows: usize| {
            (name.to_owned(), TensorInfo::at(GgmlDType::F32, vec![rows, 64], 0, rows * 64 * 4))
        };
        let tensors = HashMap::from([tensor("token_embd.weight", 288), tensor("blk.1.attn_output.weight", 64)]);
        Gguf::assembled("x.gguf".into(), Vec::new(), metadata, tensors)
    }

    #[test]
    fn contexts_end_at_a_sliding_window_that_all_layers_have() {
        let windows = |architecture, window| {
            let shape = Shape::read(&header(architecture, &[("attention.sliding_window", window)])).unwrap();
            (shape.context, shape.window)
        };
        assert_eq!(windows(Architecture::Phi3, 100), (100, None));
        assert_eq!(windows(Architecture::Llama, 100), (100, None));
        assert_eq!(windows(Architecture::Phi3, 1000), (512, None));
        assert_eq!(windows(Architecture::Phi3, 0), (512, None));
        assert_eq!(windows(Architecture::Gemma3, 100), (512, Some(100)));
    }

    #[test]
    fn layers_and_heads_that_the_file_does_not_hold_are_refused() {
        assert!(Shape::read(&header(Architecture::Qwen3, &[])).is_ok());
        let refused = |changed: &[(&str, i64)], expect: &str| {
            let error = Shape::read(&header(Architecture::Qwen3, changed)).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        refused(&[("block_count", 1 << 24)], "no tensor blk.16777215.attn_output.weight");
        refused(&[("attention.head_count", 1 << 24), ("attention.key_length", 1024)], "asks for [64, 17179869184]");
    }
}
