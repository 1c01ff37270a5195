//! A model that is ready to speak: weights, tokenizer, chat template.
//!
//! In: messages, or a prompt of tokens. Out: text, piece by piece. Knows nothing of threads or queues.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use candle_core::Device;

use crate::gguf::Gguf;
use crate::text_stream::TextStream;
use crate::{ChatMessage, ChatTemplate, Decoder, LmError, Sampler, Sampling, Shape, Tokenizer};

/// Tokens read at once in a prefill; between two chunks a request can be cancelled.
const PREFILL_CHUNK: usize = 128;

/// How to open a model.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to compute; see [`device`].
    pub device: Device,
    /// Most tokens of one context; a model's own limit is kept.
    pub context: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { device: Device::Cpu, context: 8192 }
    }
}

/// The best device this build can use: CUDA or Metal where compiled in and present, else the CPU.
pub fn device() -> Device {
    #[cfg(feature = "cuda")]
    if let Ok(device) = Device::new_cuda(0) {
        return device;
    }
    #[cfg(feature = "metal")]
    if let Ok(device) = Device::new_metal(0) {
        return device;
    }
    Device::Cpu
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it, or a stop string did.
    Stop,
    /// The most tokens, or the end of the context window.
    Length,
    /// The receiver wanted no more.
    Cancelled,
}

/// What came of a request besides the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Generation {
    /// Why it ended.
    pub finish: Finish,
    /// Tokens read.
    pub prompt_tokens: usize,
    /// Tokens written, the one that ended the turn not counted.
    pub completion_tokens: usize,
    /// Seconds from the start to the first token.
    pub first_token_s: f64,
    /// Seconds in all.
    pub total_s: f64,
}

/// A loaded model.
pub struct Model {
    decoder: Decoder,
    tokenizer: std::sync::Arc<Tokenizer>,
    template: ChatTemplate,
}

impl Model {
    /// Loads a GGUF file.
    pub fn open(path: &Path, options: &Options) -> Result<Model, LmError> {
        let mut gguf = Gguf::open(path)?;
        let shape = Shape::read(&gguf)?;
        let tokenizer = Tokenizer::from_gguf(&gguf)?;
        if tokenizer.len() > shape.vocabulary {
            let what = format!("{} tokens have names and {} have an embedding", tokenizer.len(), shape.vocabulary);
            return Err(LmError::Gguf { path: path.to_owned(), what });
        }
        let template = ChatTemplate::of(&gguf, shape.architecture, &tokenizer);
        let decoder = Decoder::load(&mut gguf, options.context, &options.device)?;
        Ok(Model { decoder, tokenizer: std::sync::Arc::new(tokenizer), template })
    }

    /// Sizes.
    pub fn shape(&self) -> &Shape {
        self.decoder.shape()
    }

    /// Most tokens of prompt and answer together.
    pub fn window(&self) -> usize {
        self.decoder.window()
    }

    /// The tokenizer, also for counting elsewhere.
    pub fn tokenizer(&self) -> std::sync::Arc<Tokenizer> {
        self.tokenizer.clone()
    }

    /// The tokens of a conversation, up to where the assistant speaks. Control tokens that a message
    /// spells out are broken, so that no document can end a turn.
    pub fn prompt(&self, messages: &[ChatMessage]) -> Result<Vec<u32>, LmError> {
        let defuse = |m: &ChatMessage| ChatMessage { role: m.role.clone(), content: self.tokenizer.defuse(&m.content) };
        let messages: Vec<ChatMessage> = messages.iter().map(defuse).collect();
        self.tokenizer.encode(&self.template.render(&messages)?)
    }

    /// Writes what follows `prompt` to `sink`, piece by piece, each valid UTF-8. `cancelled` is asked
    /// between chunks of the prefill and between tokens.
    pub fn generate(
        &mut self,
        prompt: &[u32],
        sampling: &Sampling,
        cancelled: &dyn Fn() -> bool,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generation, LmError> {
        let begin = Instant::now();
        let window = self.decoder.window();
        if prompt.len() >= window {
            return Err(LmError::TooLong { tokens: prompt.len(), window });
        }
        let mut generation = Generation {
            finish: Finish::Length,
            prompt_tokens: prompt.len(),
            completion_tokens: 0,
            first_token_s: 0.0,
            total_s: 0.0,
        };
        let Some(mut logits) = self.read(prompt, cancelled)? else {
            generation.finish = Finish::Cancelled;
            generation.total_s = begin.elapsed().as_secs_f64();
            return Ok(generation);
        };
        let mut sampler = Sampler::new(sampling);
        let mut text = TextStream::new(&sampling.stop);
        let most = sampling.max_tokens.min(window - prompt.len());
        while generation.completion_tokens < most {
            let token = sampler.next(&logits)?;
            if generation.completion_tokens == 0 {
                generation.first_token_s = begin.elapsed().as_secs_f64();
            }
            if self.tokenizer.is_end(token) {
                generation.finish = Finish::Stop;
                break;
            }
            generation.completion_tokens += 1;
            let piece = text.push(self.tokenizer.bytes(token));
            let flow = if piece.text.is_empty() { ControlFlow::Continue(()) } else { sink(&piece.text) };
            if piece.stopped {
                generation.finish = Finish::Stop;
                break;
            }
            if flow.is_break() || cancelled() {
                generation.finish = Finish::Cancelled;
                break;
            }
            if generation.completion_tokens < most {
                logits = self.decoder.forward(&[token])?;
            }
        }
        let rest = text.finish();
        if generation.finish != Finish::Cancelled && !rest.is_empty() && sink(&rest).is_break() {
            generation.finish = Finish::Cancelled;
        }
        generation.total_s = begin.elapsed().as_secs_f64();
        Ok(generation)
    }

    /// Reads the prompt from an empty cache; nothing when cancelled on the way.
    fn read(&mut self, prompt: &[u32], cancelled: &dyn Fn() -> bool) -> Result<Option<Vec<f32>>, LmError> {
        self.decoder.clear();
        let last = prompt.len().saturating_sub(1) / PREFILL_CHUNK * PREFILL_CHUNK;
        for chunk in prompt[..last].chunks(PREFILL_CHUNK) {
            if cancelled() {
                return Ok(None);
            }
            self.decoder.prefill(chunk)?;
        }
        if cancelled() {
            return Ok(None);
        }
        self.decoder.forward(&prompt[last..]).map(Some)
    }
}
