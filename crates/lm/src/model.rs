//! A model that is ready to speak: weights, tokenizer, chat template.
//!
//! In: messages, or a prompt of tokens. Out: text, piece by piece. Knows nothing of threads or queues.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use candle_core::Device;

use crate::gguf::Gguf;
use crate::lookup::Ahead;
use crate::prefix_cache::PrefixCache;
use crate::text_stream::TextStream;
use crate::{ChatMessage, ChatTemplate, CpuPath, Decoder, LmError, Sampler, Sampling, Shape, Tokenizer};

/// Tokens read at once in a prefill; between two chunks a request can be cancelled.
const PREFILL_CHUNK: usize = 256;

/// How to open a model.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to compute; see [`device`].
    pub device: Device,
    /// Most tokens of one context; a model's own limit is kept.
    pub context: usize,
    /// Threads on a CPU; 0 is one a processor.
    pub threads: usize,
    /// Keys and values on a CPU as f32 and not f16: twice the memory, exact.
    pub exact_kv: bool,
    /// The instructions to use on a CPU; nothing is the best it has.
    pub path: Option<CpuPath>,
    /// candle's kernels also on a CPU, to compare.
    pub candle_kernels: bool,
    /// Most tokens of a draft taken from the text itself; 0 is none. Changes the speed, never the text.
    pub lookup: usize,
    /// Bytes of keys and values of earlier requests to keep besides the last one's.
    pub prefix_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            device: Device::Cpu,
            context: 8192,
            threads: 0,
            exact_kv: false,
            path: None,
            candle_kernels: false,
            lookup: 10,
            prefix_bytes: 0,
        }
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
    /// Tokens of the prompt that an earlier request had left in the cache.
    pub reused_tokens: usize,
    /// Tokens that prompt lookup proposed, and those of them that the model then chose itself.
    pub drafted_tokens: usize,
    /// See `drafted_tokens`.
    pub accepted_tokens: usize,
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
    /// The tokens whose keys and values are in the decoder's cache; it may hold rejected drafts after them.
    seen: Vec<u32>,
    kept: PrefixCache,
    lookup: usize,
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
        let decoder = Decoder::open(&mut gguf, options)?;
        Ok(Model {
            decoder,
            tokenizer: std::sync::Arc::new(tokenizer),
            template,
            seen: Vec::new(),
            kept: PrefixCache::new(options.prefix_bytes),
            lookup: options.lookup,
        })
    }

    /// The parts that compute.
    pub fn describe(&self) -> String {
        self.decoder.describe()
    }

    /// Forgets earlier requests, so that the next is read from its beginning.
    pub fn forget(&mut self) {
        self.seen.clear();
        self.decoder.clear();
        self.kept.clear();
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
            reused_tokens: 0,
            drafted_tokens: 0,
            accepted_tokens: 0,
            first_token_s: 0.0,
            total_s: 0.0,
        };
        let Some(logits) = self.read(prompt, cancelled, &mut generation.reused_tokens)? else {
            generation.finish = Finish::Cancelled;
            generation.total_s = begin.elapsed().as_secs_f64();
            return Ok(generation);
        };
        let mut ahead = Ahead::new(logits, if self.decoder.cpu().is_some() { self.lookup } else { 0 });
        let mut sampler = Sampler::new(sampling);
        let mut text = TextStream::new(&sampling.stop);
        let most = sampling.max_tokens.min(window - prompt.len());
        while generation.completion_tokens < most {
            let token = sampler.next(ahead.logits())?;
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
                ahead.step(&mut self.decoder, &mut self.seen, token, most - generation.completion_tokens)?;
            }
        }
        (generation.drafted_tokens, generation.accepted_tokens) = (ahead.drafted, ahead.accepted);
        let rest = text.finish();
        if generation.finish != Finish::Cancelled && !rest.is_empty() && sink(&rest).is_break() {
            generation.finish = Finish::Cancelled;
        }
        generation.total_s = begin.elapsed().as_secs_f64();
        Ok(generation)
    }

    /// Reads what the cache does not hold of the prompt; nothing when cancelled on the way.
    fn read(
        &mut self,
        prompt: &[u32],
        cancelled: &dyn Fn() -> bool,
        reused: &mut usize,
    ) -> Result<Option<Vec<f32>>, LmError> {
        // The last token is always read: its logits are not kept.
        let most = prompt.len().saturating_sub(1);
        let shared = |tokens: &[u32]| tokens.iter().zip(&prompt[..most]).take_while(|(a, b)| a == b).count();
        let mut from = shared(&self.seen);
        if let Some(decoder) = self.decoder.cpu() {
            self.kept.exchange(decoder, &mut self.seen, &shared, &mut from);
        }
        if !self.decoder.truncate(from) {
            from = 0;
        }
        self.seen.truncate(from);
        *reused = from;
        let (body, last) =
            prompt.split_at(from + (prompt.len() - from).saturating_sub(1) / PREFILL_CHUNK * PREFILL_CHUNK);
        for chunk in body[from..].chunks(PREFILL_CHUNK) {
            if cancelled() {
                return Ok(None);
            }
            self.decoder.prefill(chunk)?;
            self.seen.extend(chunk);
        }
        if cancelled() {
            return Ok(None);
        }
        let logits = self.decoder.forward(last)?;
        self.seen.extend(last);
        Ok(Some(logits))
    }
}
