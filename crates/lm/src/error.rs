//! What can go wrong between a GGUF file and text.

use std::path::PathBuf;

/// What, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LmError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not a sound GGUF.
    #[error("{path} is not a usable GGUF file: {what}; download it again")]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong, and at which byte.
        what: String,
    },
    /// The folder is not a sound model of Hugging Face's form.
    #[error("{path} is not a usable model folder: {what}")]
    Folder {
        /// The folder, or a file in it.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The file is sound, but this engine cannot run it.
    #[error("{path} cannot be run here: {what}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What is missing and what to do.
        what: String,
    },
    /// A saved LoRA adapter does not belong to the model.
    #[error("{path} is no adapter of this model: {what}")]
    Adapter {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The tokenizer cannot be rebuilt, or refused a text.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// The model's own chat template failed.
    #[error("chat template: {0}")]
    Template(String),
    /// The prompt leaves no room for an answer.
    #[error("the prompt has {tokens} tokens and the context window holds {window}")]
    TooLong {
        /// Prompt tokens.
        tokens: usize,
        /// Window.
        window: usize,
    },
    /// A sampling option cannot be meant.
    #[error("{field}: {what}")]
    Sampling {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The queue before the model is full.
    #[error("the model is busy and {waiting} requests wait already; ask again later")]
    Busy {
        /// Length of the queue.
        waiting: usize,
    },
    /// The thread that owned the model is gone.
    #[error("the model's thread has ended; start the program again")]
    Stopped,
    /// A computation failed.
    #[error("computing failed: {0}")]
    Compute(#[from] candle_core::Error),
}
