//! From text to dense vectors: the [`Embedder`] seam.
//!
//! In: texts and the side they stand on. Out: unit-length `f32` vectors. Knows nothing of stores or documents.

mod encoder;

pub use encoder::TransformerEncoder;

use crate::error::{Classified, ErrorKind};

/// Which side of a search a text stands on (some encoders prefix them differently).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A question.
    Query,
    /// A text to be found.
    Document,
}

/// Turns texts into unit-length vectors.
pub trait Embedder: Send + Sync {
    /// Name and content hash of the weights; an index records it and refuses another.
    fn id(&self) -> &str;
    /// Length of every vector.
    fn dim(&self) -> usize;
    /// One vector a text, in order; L2 norm 1 (an empty text too: its special tokens have a vector).
    fn embed(&self, texts: &[&str], side: Side) -> Result<Vec<Vec<f32>>, EmbedError>;
}

/// What can go wrong with an encoder.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// A file of the encoder is missing or unreadable.
    #[error(
        "encoder {folder}: {what}. An encoder folder holds config.json, tokenizer.json and model.safetensors (a sentence-transformers folder works as it is)"
    )]
    Load {
        /// The folder.
        folder: String,
        /// What is wrong.
        what: String,
    },
    /// The architecture in `config.json` is not supported.
    #[error(
        "encoder {folder}: model_type `{model_type}` is not supported; supported: bert (also multilingual-e5, which is one)"
    )]
    Architecture {
        /// The folder.
        folder: String,
        /// As in `config.json`.
        model_type: String,
    },
    /// Computing failed.
    #[error("encoding {texts} texts with {id} failed: {what}")]
    Compute {
        /// [`Embedder::id`].
        id: String,
        /// How many texts.
        texts: usize,
        /// The cause.
        what: String,
    },
}

impl Classified for EmbedError {
    fn kind(&self) -> ErrorKind {
        match self {
            EmbedError::Load { .. } | EmbedError::Architecture { .. } => ErrorKind::BadInput,
            EmbedError::Compute { .. } => ErrorKind::Internal,
        }
    }
}
