//! What can stop an adaptation.

use sectora_lm::LmError;

use crate::answer::AnswerError;
use crate::app::AppError;
use crate::error::{Classified, ErrorKind};
use crate::evaluate::EvaluateError;
use crate::model_store::ModelError;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum AdaptError {
    /// No model in this process.
    #[error(
        "--generator {0} is no model that can be trained here; give `embedded` (the project's reader), a GGUF file or a Hugging Face folder"
    )]
    Generator(String),
    /// Nothing to learn from.
    #[error("{found} {what} in sector {sector}, {needed} are needed; {advice}")]
    TooFew {
        /// Of what.
        what: &'static str,
        /// Counted.
        found: usize,
        /// Least.
        needed: usize,
        /// Sector.
        sector: String,
        /// What to do.
        advice: String,
    },
    /// An adapter to go on from that does not fit this run.
    #[error("--from {file}: {what}")]
    Adapter {
        /// The adapter.
        file: String,
        /// Why, and what to do.
        what: String,
    },
    /// Memory.
    #[error(
        "training takes up to {needed} MB of memory and {free} MB are free; lower --tokens or --rank, or take a smaller model"
    )]
    Memory {
        /// MB.
        needed: u64,
        /// MB.
        free: u64,
    },
    /// Disk.
    #[error("{folder} has no room for {needed} MB: {source}; free some, or choose another folder with --data-dir")]
    Space {
        /// Where.
        folder: String,
        /// MB.
        needed: u64,
        /// What the system said.
        source: std::io::Error,
    },
    /// Stopped by the user.
    #[error(
        "stopped after {steps} steps; the model in use is what it was. What was trained is in {checkpoint}: --from {checkpoint} goes on from there (with the same --rank, --seed, --held-out, --questions and --per-document; the optimizer begins anew)"
    )]
    Cancelled {
        /// Steps done.
        steps: usize,
        /// File.
        checkpoint: String,
    },
    /// The engine.
    #[error(transparent)]
    Model(#[from] LmError),
    /// The models folder.
    #[error(transparent)]
    Store(#[from] ModelError),
    /// The parts do not go together.
    #[error(transparent)]
    App(#[from] AppError),
    /// Measuring failed.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// A prompt could not be written.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// A file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Classified for AdaptError {
    fn kind(&self) -> ErrorKind {
        match self {
            AdaptError::Generator(_) | AdaptError::TooFew { .. } | AdaptError::Adapter { .. } => ErrorKind::BadInput,
            AdaptError::Memory { .. } | AdaptError::Space { .. } => ErrorKind::Unavailable,
            AdaptError::Cancelled { .. } => ErrorKind::Cancelled,
            AdaptError::Model(e) => match e {
                LmError::Compute(_) | LmError::Stopped | LmError::Template(_) => ErrorKind::Internal,
                LmError::Busy { .. } => ErrorKind::Busy,
                LmError::Io { .. }
                | LmError::Gguf { .. }
                | LmError::Folder { .. }
                | LmError::Unsupported { .. }
                | LmError::Adapter { .. }
                | LmError::Tokenizer(_)
                | LmError::TooLong { .. }
                | LmError::Sampling { .. } => ErrorKind::BadInput,
            },
            AdaptError::Store(e) => e.kind(),
            AdaptError::App(e) => e.kind(),
            AdaptError::Evaluate(e) => e.kind(),
            AdaptError::Answer(e) => e.kind(),
            AdaptError::Io(_) => ErrorKind::Unavailable,
        }
    }
}
