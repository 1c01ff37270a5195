//! A local LLM in this process: a GGUF file goes in, streamed text comes out.
//!
//! In the order data flows: [`gguf`] reads the file, [`Shape`] says what its metadata means, the
//! decoder computes (on a CPU with our own kernels, on GPUs with candle's), [`Tokenizer`] and [`ChatTemplate`] are rebuilt from the same file, and
//! [`Model`] generates, several requests together. One thread owns a model: [`Engine`] puts a bounded queue before it.
//! [`lora`] trains a small addition to a model.
//!
//! This crate knows nothing of Sectora: no documents, no citations, no configuration, no hub.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use sectora_lm::{ChatMessage, Engine, Model, Options, Request, Sampling};
//!
//! let engine = Engine::start(Model::open("Qwen3-0.6B-Q8_0.gguf".as_ref(), &Options::default())?, 4)?;
//! let messages = vec![ChatMessage::user("What is a separator?")];
//! let request = Request { messages, sampling: Sampling::default(), form: None, segments: Vec::new() };
//! engine.run(request, &mut |text| {
//!     print!("{text}");
//!     ControlFlow::Continue(())
//! })?;
//! # Ok::<(), sectora_lm::LmError>(())
//! ```

mod attention;
mod cache;
mod candle_decoder;
mod chat;
mod constraint;
mod cpu_decoder;
mod cpu_rope;
mod decoder;
mod engine;
mod error;
mod folder;
pub mod gguf;
mod kernels;
mod linear;
mod lookup;
pub mod lora;
mod memory;
mod model;
mod prompt;
pub mod random;
mod rope;
mod sampler;
mod sampling;
mod scheduler;
mod segments;
mod sequence;
mod shape;
mod text_stream;
mod tokenizer;

pub use chat::{ChatMessage, ChatTemplate};
pub use constraint::Form;
pub use decoder::Decoder;
pub use engine::{Engine, Event, Request, Ticket};
pub use error::LmError;
pub use kernels::{Kv, Path as CpuPath, read_bandwidth};
pub use linear::{Linear8, Products};
pub use memory::Memory;
pub use model::{Finish, Generation, Model, Options, TokenLogprob, device};
pub use prompt::Prompt;
pub use sampler::{Drawn, Sampler};
pub use sampling::{MAX_TOP_LOGPROBS, Sampling};
pub use shape::{Architecture, Shape};
pub use tokenizer::Tokenizer;
