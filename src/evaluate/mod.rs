//! How good is it? Drives the program from outside, on public collections and on questions of our own.
//!
//! Knows the doors below it (index, retrieval); nothing below knows it.

mod beir;
pub mod metrics;
pub mod retrieval;
pub mod statistics;
pub mod trec;

use crate::embed::EmbedError;
use crate::error::{Classified, ErrorKind};
use crate::index::IndexError;

/// What can go wrong while measuring.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The data set is not as it should be.
    #[error("{path}: {what}")]
    Dataset {
        /// File or folder.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// A level that this build does not have, or that lacks its models.
    #[error("{0}")]
    Level(String),
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The encoder failed.
    #[error(transparent)]
    Embed(#[from] EmbedError),
}

impl Classified for EvaluateError {
    fn kind(&self) -> ErrorKind {
        match self {
            EvaluateError::Dataset { .. } | EvaluateError::Level(_) => ErrorKind::BadInput,
            EvaluateError::Io(_) => ErrorKind::Internal,
            EvaluateError::Index(e) => e.kind(),
            EvaluateError::Embed(e) => e.kind(),
        }
    }
}
