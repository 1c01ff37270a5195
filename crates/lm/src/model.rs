//! A model that is ready to speak: weights, tokenizer, chat template.
//!
//! In: messages, or a prompt of tokens. Out: text, piece by piece. Knows nothing of threads or queues.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candle_core::Device;

use crate::constraint::Grammars;
use crate::gguf::Gguf;
use crate::scheduler::{Limits, Output, Scheduler};
use crate::{ChatMessage, ChatTemplate, CpuPath, Decoder, Form, Kv, LmError, Prompt, Sampling, Shape, Tokenizer};

/// How to open a model.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to compute; see [`device`].
    pub device: Device,
    /// Most tokens of one context; a model's own limit is kept.
    pub context: usize,
    /// Threads on a CPU; 0 is one a processor.
    pub threads: usize,
    /// How keys and values are kept on a CPU.
    pub kv: Kv,
    /// Matrices of floats (F32, F16, BF16) are quantized to Q8_0 when they are read.
    pub quantize: bool,
    /// The instructions to use on a CPU; nothing is the best it has.
    pub path: Option<CpuPath>,
    /// candle's kernels also on a CPU, to compare.
    pub candle_kernels: bool,
    /// Most tokens of a draft taken from the text itself; 0 is none. Changes the speed, never the text.
    pub lookup: usize,
    /// Most requests that are computed together, on a CPU.
    pub sequences: usize,
    /// Positions whose keys and values fit in memory, of running requests and kept from ended ones; 0 is one
    /// context, or 4096 for each of `sequences` if that is more.
    pub kv_positions: usize,
    /// Bytes in which keys and values of prompts' segments are kept, to be used again at other places; 0 switches
    /// that off, and segments are read like any other text. Changes the text a little. On a CPU. See [`Prompt`].
    pub segment_bytes: usize,
    /// Of each segment that is computed apart, the share at its beginning that is read again in its place, 0 to 1.
    pub segment_reread: f64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            device: Device::Cpu,
            context: 8192,
            threads: 0,
            kv: Kv::F16,
            quantize: false,
            path: None,
            candle_kernels: false,
            lookup: 10,
            sequences: 1,
            kv_positions: 0,
            segment_bytes: 0,
            segment_reread: 0.0,
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
    /// The model ended it.
    Stop,
    /// A stop string ended it.
    StopString,
    /// The most tokens, or the end of the context window.
    Length,
    /// The receiver wanted no more.
    Cancelled,
}

/// What came of a request besides the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// Why it ended.
    pub finish: Finish,
    /// Tokens read.
    pub prompt_tokens: usize,
    /// Tokens written, the one that ended the turn not counted.
    pub completion_tokens: usize,
    /// Tokens of the prompt whose keys and values an earlier request had left.
    pub reused_tokens: usize,
    /// Tokens that prompt lookup proposed, and those of them that the model then chose itself.
    pub drafted_tokens: usize,
    /// See `drafted_tokens`.
    pub accepted_tokens: usize,
    /// Seconds from the start to the first token.
    pub first_token_s: f64,
    /// The longest time between two of its tokens, seconds: what a reader waits while others' prompts are read.
    pub longest_pause_s: f64,
    /// Seconds in all, from when it was asked.
    pub total_s: f64,
    /// Of these, seconds that the form of the text took: to find the tokens it allows, to leave out the others, and to move
    /// past the one that was drawn.
    pub form_s: f64,
    /// The tokens of the text with their probabilities, where [`Sampling::logprobs`] asks for them.
    pub tokens: Vec<TokenLogprob>,
}

/// A token of the text and how likely it was.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprob {
    /// Byte of the text at which it begins; tokens that share a character share its place.
    pub start: usize,
    /// Its bytes, which need not be whole characters.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability under the model's own logits.
    pub logprob: f32,
    /// The likeliest tokens and theirs, best first.
    pub top: Vec<(Vec<u8>, f32)>,
}

/// A loaded model.
pub struct Model {
    pub(crate) scheduler: Scheduler,
    tokenizer: Arc<Tokenizer>,
    template: Arc<ChatTemplate>,
    grammars: Arc<Grammars>,
}

impl Model {
    /// Loads a GGUF file, or a Hugging Face folder.
    pub fn open(path: &Path, options: &Options) -> Result<Model, LmError> {
        Model::of(Gguf::open(path)?, options)
    }

    /// Loads what is open already.
    pub fn of(mut gguf: Gguf, options: &Options) -> Result<Model, LmError> {
        if options.quantize {
            gguf.quantize();
        }
        let shape = Shape::read(&gguf)?;
        let tokenizer = Arc::new(Tokenizer::from_gguf(&gguf)?);
        if tokenizer.len() > shape.vocabulary {
            let what = format!("{} tokens have names and {} have an embedding", tokenizer.len(), shape.vocabulary);
            return Err(LmError::Gguf { path: gguf.path().to_owned(), what });
        }
        let template = Arc::new(ChatTemplate::of(&gguf, shape.architecture, &tokenizer));
        let decoder = Decoder::open(&mut gguf, options)?;
        let limits = Limits::of(options, decoder.window());
        let grammars = Arc::new(Grammars::new(tokenizer.clone(), decoder.shape().vocabulary));
        Ok(Model { scheduler: Scheduler::new(decoder, tokenizer.clone(), limits), tokenizer, template, grammars })
    }

    /// The parts that compute.
    pub fn describe(&self) -> String {
        self.scheduler.decoder().describe()
    }

    /// Bytes of weights, keys and values that writing one token after `depth` others reads; nothing where
    /// candle's kernels compute. With [`crate::read_bandwidth`] it says how fast decoding could be.
    pub fn token_bytes(&self, depth: usize) -> Option<usize> {
        self.scheduler.decoder().token_bytes(depth)
    }

    /// Most tokens of a draft from now on, as [`Options::lookup`].
    pub fn set_lookup(&mut self, most: usize) {
        self.scheduler.set_lookup(most);
    }

    /// Computes segments apart from now on, as [`Options::segment_bytes`] and [`Options::segment_reread`] say, and
    /// forgets earlier requests.
    pub fn set_segments(&mut self, bytes: usize, reread: f64) {
        self.scheduler.set_segments(bytes, reread);
    }

    /// Logits of what follows a prompt, as a request would see them.
    pub fn logits(&mut self, prompt: impl Into<Prompt>) -> Result<Vec<f32>, LmError> {
        self.scheduler.watch(true);
        let one = Sampling { max_tokens: 1, ..Sampling::default() };
        let done = self.generate(prompt, &one, &|| false, &mut |_| ControlFlow::Continue(()));
        let logits = self.scheduler.watch(false);
        done.map(|_| logits)
    }

    /// Forgets earlier requests, so that the next is read from its beginning.
    pub fn forget(&mut self) {
        self.scheduler.forget();
    }

    /// Sizes.
    pub fn shape(&self) -> &Shape {
        self.scheduler.decoder().shape()
    }

    /// Most tokens of prompt and answer together.
    pub fn window(&self) -> usize {
        self.scheduler.decoder().window()
    }

    /// The tokenizer, also for counting elsewhere.
    pub fn tokenizer(&self) -> Arc<Tokenizer> {
        self.tokenizer.clone()
    }

    pub(crate) fn grammars(&self) -> Arc<Grammars> {
        self.grammars.clone()
    }

    pub(crate) fn template(&self) -> Arc<ChatTemplate> {
        self.template.clone()
    }

    /// The tokens of a conversation, up to where the assistant speaks. Control tokens that a message
    /// spells out are broken, so that no document can end a turn.
    pub fn prompt(&self, messages: &[ChatMessage]) -> Result<Vec<u32>, LmError> {
        prompt(&self.tokenizer, &self.template, messages)
    }

    /// The same with `segments`: texts in the messages, in their order there, that may be computed apart.
    pub fn prompt_with(&self, messages: &[ChatMessage], segments: &[String]) -> Result<Prompt, LmError> {
        Ok(Prompt::marked(self.prompt(messages)?, &self.tokenizer, messages, segments))
    }

    /// Writes what follows each of the prompts, together; only how it went is given back.
    pub fn generate_all(
        &mut self,
        requests: &[(impl Clone + Into<Prompt>, Sampling)],
    ) -> Result<Vec<Generation>, LmError> {
        let begin = Instant::now();
        for (prompt, sampling) in requests {
            self.scheduler.add(prompt.clone().into(), sampling, None, begin)?;
        }
        let mut ends = Vec::new();
        while !self.scheduler.is_idle() {
            self.scheduler.step(&mut |id, output| {
                if let Output::Done(done) = output {
                    ends.push((id, done));
                }
                ControlFlow::Continue(())
            });
        }
        ends.sort_by_key(|(id, _)| *id);
        ends.into_iter().map(|(_, done)| done).collect()
    }

    /// Writes what follows `prompt` to `sink`, piece by piece, each valid UTF-8. `cancelled` is asked
    /// before each step: a piece of the prompt, or a token.
    pub fn generate(
        &mut self,
        prompt: impl Into<Prompt>,
        sampling: &Sampling,
        cancelled: &dyn Fn() -> bool,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generation, LmError> {
        self.generate_as(prompt, (sampling, None), cancelled, sink)
    }

    /// The same for a text that must have a form.
    pub fn generate_as(
        &mut self,
        prompt: impl Into<Prompt>,
        (sampling, form): (&Sampling, Option<&Form>),
        cancelled: &dyn Fn() -> bool,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generation, LmError> {
        let begin = Instant::now();
        let constraint = form.map(|form| self.grammars.constraint(form)).transpose()?;
        let mine = self.scheduler.add(prompt.into(), sampling, constraint, begin)?;
        let mut end = None;
        let mut out = |id, output: Output<'_>| match output {
            Output::Text(text) if id == mine => sink(text),
            Output::Done(done) if id == mine => {
                end = Some(done);
                ControlFlow::Continue(())
            }
            Output::Text(_) | Output::Done(_) => ControlFlow::Continue(()),
        };
        while !self.scheduler.is_idle() {
            match cancelled() {
                true => self.scheduler.cancel(mine, &mut out),
                false => self.scheduler.step(&mut out),
            }
        }
        end.unwrap_or(Err(LmError::Stopped))
    }
}

/// See [`Model::prompt`].
pub(crate) fn prompt(
    tokenizer: &Tokenizer,
    template: &ChatTemplate,
    messages: &[ChatMessage],
) -> Result<Vec<u32>, LmError> {
    let defuse = |m: &ChatMessage| ChatMessage { role: m.role.clone(), content: tokenizer.defuse(&m.content) };
    let messages: Vec<ChatMessage> = messages.iter().map(defuse).collect();
    tokenizer.encode(&template.render(&messages)?)
}
