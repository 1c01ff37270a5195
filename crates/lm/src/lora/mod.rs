//! Training a small addition to a model that stays as it is: LoRA.
//!
//! In: a model file, and examples (a prompt's tokens and those of what should be written). Out: two thin matrices beside each
//! of the seven matrices of a block, `W x` becoming `W x + (alpha / rank) B (A x)`, and with [`merge`] a whole model file again.
//! Hu et al. 2021, <https://arxiv.org/abs/2106.09685>. Weights are expanded to f32 once and frozen; gradients come from
//! candle's autograd, through the steps of [`Decoder`](crate::Decoder) written with operations that have one.
//! Families: Llama, Qwen2, Qwen3. Does not know what the examples are about.
//!
//! ```no_run
//! use sectora_lm::gguf::Gguf;
//! use sectora_lm::lora::{Lora, LoraOptions, Schedule, Trainer};
//! use sectora_lm::ChatMessage;
//!
//! let mut gguf = Gguf::open("reader.gguf".as_ref())?;
//! let lora = Lora::open(&mut gguf, &LoraOptions::default())?;
//! let example = lora.example(&[ChatMessage::user("What is a separator?")], "A porous film.")?;
//! let mut trainer = Trainer::new(&lora, Schedule::default())?;
//! let step = trainer.step(&lora, &[&example])?;
//! println!("{} nats a token", step.loss);
//! # Ok::<(), sectora_lm::LmError>(())
//! ```

mod adapters;
mod block;
mod memory;
mod merge;
mod ops;
mod train;

use candle_core::{Device, Tensor};

pub use adapters::Adapters;
pub use memory::{TrainingMemory, memory};
pub use merge::merge;
pub use train::{Schedule, Step, Trainer};

use crate::gguf::Gguf;
use crate::{Architecture, ChatMessage, ChatTemplate, LmError, Shape, Tokenizer, model};
use block::Block;
use ops::{Frozen, Norm, Turns};

/// Families whose blocks are known here.
pub const TRAINABLE: [Architecture; 3] = [Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3];

/// The matrices of a block that get an addition, by their names in a GGUF file.
pub const PLACES: [&str; 7] = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"];

/// How to open a model for training.
#[derive(Clone, Debug)]
pub struct LoraOptions {
    /// Where to compute; see [`crate::device`].
    pub device: Device,
    /// Rows of A and columns of B.
    pub rank: usize,
    /// The addition is multiplied by `alpha / rank`.
    pub alpha: f64,
    /// Of the first values of A; B begins at 0.
    pub seed: u64,
    /// Most tokens of an example; a model's own limit is kept.
    pub window: usize,
}

impl Default for LoraOptions {
    fn default() -> Self {
        LoraOptions { device: Device::Cpu, rank: 8, alpha: 16.0, seed: 42, window: 2048 }
    }
}

/// What to read and what to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The prompt, then the answer, then the token that ends it.
    pub tokens: Vec<u32>,
    /// The first token of the answer; only from here on is anything learnt.
    pub from: usize,
}

/// A frozen model with an addition that can be trained.
pub struct Lora {
    shape: Shape,
    window: usize,
    device: Device,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    end: u32,
    embedding: Tensor,
    blocks: Vec<Block>,
    norm: Norm,
    head: Frozen,
    turns: Turns,
    adapters: Adapters,
}

impl Lora {
    /// Expands all weights to f32 on the device and puts an addition of zero beside them.
    pub fn open(gguf: &mut Gguf, options: &LoraOptions) -> Result<Lora, LmError> {
        let shape = trainable(gguf)?;
        let window = options.window.clamp(2, shape.context);
        let tokenizer = Tokenizer::from_gguf(gguf)?;
        let template = ChatTemplate::of(gguf, shape.architecture, &tokenizer);
        let end = tokenizer.eos().and_then(|name| tokenizer.id(name)).or_else(|| tokenizer.ends().min());
        let end = end.ok_or_else(|| LmError::Tokenizer("the model names no token that ends a text".into()))?;
        let turns = Turns::load(gguf, &shape, window, &options.device)?;
        let adapters = Adapters::new(&shape, options)?;
        let mut load = Loader { gguf, device: &options.device };
        let embedding = load.floats("token_embd.weight", &[shape.vocabulary, shape.hidden])?;
        let head = match load.has("output.weight") {
            true => load.frozen("output", shape.vocabulary, shape.hidden)?,
            false => Frozen { weight: embedding.clone(), bias: None },
        };
        let norm = load.norm("output_norm", shape.hidden, &shape)?;
        let blocks =
            (0..shape.layers).map(|i| Block::load(&mut load, &shape, &adapters, i)).collect::<Result<_, _>>()?;
        let device = options.device.clone();
        Ok(Lora { window, device, tokenizer, template, end, embedding, blocks, norm, head, turns, adapters, shape })
    }

    /// Most tokens of an example.
    pub fn window(&self) -> usize {
        self.window
    }

    /// Sizes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What is trained.
    pub fn adapters(&self) -> &Adapters {
        &self.adapters
    }

    /// The tokens of a conversation as [`crate::Model::prompt`] has them, and of the answer to it.
    pub fn example(&self, messages: &[ChatMessage], answer: &str) -> Result<Example, LmError> {
        let mut tokens = model::prompt(&self.tokenizer, &self.template, messages)?;
        let from = tokens.len();
        let mut written = self.tokenizer.encode(&self.tokenizer.defuse(answer))?;
        let bos = self.tokenizer.bos().and_then(|name| self.tokenizer.id(name));
        if bos.is_some() && written.first() == bos.as_ref() {
            written.remove(0);
        }
        tokens.extend(written);
        tokens.push(self.end);
        Ok(Example { tokens, from })
    }

    /// Logits `(tokens, vocabulary)` of what follows each token from the `first` on.
    pub fn logits(&self, tokens: &[u32], first: usize) -> Result<Tensor, LmError> {
        let vocabulary = self.shape.vocabulary;
        if tokens.len() <= first || tokens.len() > self.window {
            return Err(LmError::TooLong { tokens: tokens.len(), window: self.window });
        }
        if let Some(id) = tokens.iter().find(|&&id| id as usize >= vocabulary) {
            return Err(LmError::Tokenizer(format!("token {id} is outside the model's vocabulary of {vocabulary}")));
        }
        let ids = Tensor::from_slice(tokens, tokens.len(), &self.device)?;
        let mut x = self.embedding.index_select(&ids, 0)?;
        for block in &self.blocks {
            x = block.forward(&x, &self.turns)?;
        }
        let rows = x.narrow(0, first, tokens.len() - first)?;
        Ok(self.head.forward(&self.norm.forward(&rows)?)?)
    }

    /// Cross-entropy of the answer, a scalar: nats a token, the prompt's own tokens not counted.
    pub fn loss(&self, example: &Example) -> Result<Tensor, LmError> {
        let Example { tokens, from } = example;
        let what = || LmError::TooLong { tokens: tokens.len(), window: self.window };
        let (last, read) = tokens.split_last().ok_or_else(what)?;
        if *from == 0 || *from > read.len() {
            return Err(what());
        }
        let logits = self.logits(read, from - 1)?;
        let mut targets = read[*from..].to_vec();
        targets.push(*last);
        let targets = Tensor::from_vec(targets, tokens.len() - from, &self.device)?;
        Ok(candle_nn::loss::cross_entropy(&logits, &targets)?)
    }
}

/// The sizes of a model that can be trained, or what is in the way.
pub(crate) fn trainable(gguf: &Gguf) -> Result<Shape, LmError> {
    let shape = Shape::read(gguf)?;
    if TRAINABLE.contains(&shape.architecture) {
        return Ok(shape);
    }
    let known = TRAINABLE.map(Architecture::name).join(", ");
    let what = format!("models of architecture {} cannot be trained; these can: {known}", shape.architecture.name());
    Err(LmError::Unsupported { path: gguf.path().to_owned(), what })
}

/// Reads weights by name as f32 and refuses a shape that the metadata does not announce.
struct Loader<'a> {
    gguf: &'a mut Gguf,
    device: &'a Device,
}

impl Loader<'_> {
    fn has(&self, name: &str) -> bool {
        self.gguf.info(name).is_some()
    }

    fn floats(&mut self, name: &str, dims: &[usize]) -> Result<Tensor, LmError> {
        self.gguf.check_dims(name, dims)?;
        Ok(self.gguf.tensor(name, &Device::Cpu)?.dequantize(&Device::Cpu)?.to_device(self.device)?)
    }

    fn frozen(&mut self, name: &str, rows: usize, columns: usize) -> Result<Frozen, LmError> {
        let weight = self.floats(&format!("{name}.weight"), &[rows, columns])?;
        let bias = format!("{name}.bias");
        let bias = if self.has(&bias) { Some(self.floats(&bias, &[rows])?) } else { None };
        Ok(Frozen { weight, bias })
    }

    fn norm(&mut self, name: &str, width: usize, shape: &Shape) -> Result<Norm, LmError> {
        let weight = self.floats(&format!("{name}.weight"), &[width])?;
        Ok(Norm { weight, epsilon: shape.norm_epsilon })
    }

    fn optional_norm(&mut self, name: &str, width: usize, shape: &Shape) -> Result<Option<Norm>, LmError> {
        if self.has(&format!("{name}.weight")) { self.norm(name, width, shape).map(Some) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests;
