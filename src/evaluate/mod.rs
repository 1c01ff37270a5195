//! How good is it? Drives the program from outside, on public collections and on questions of our own.
//!
//! Knows the doors below it (index, retrieval); nothing below knows it.

pub mod all;
pub mod answers;
pub mod at_recall;
mod beir;
pub mod calls;
pub mod citations;
pub mod dataset;
pub mod entailment;
pub mod facts;
mod features;
pub mod few;
pub mod gate;
pub mod groups;
mod json_lines;
pub mod judge;
pub mod make;
pub mod matching;
pub mod measured;
pub mod metrics;
pub mod overlap;
pub mod peer;
pub mod plant;
pub mod release;
pub mod repeats;
pub mod report;
pub mod retrieval;
pub mod rewritten;
pub mod safety;
pub mod stages;
pub mod statistics;
pub mod sweep;
pub mod trec;
pub mod typing;
pub mod wording;

use crate::answer::AnswerError;
use crate::app::AppError;
use crate::embed::EmbedError;
use crate::error::{Classified, ErrorKind};
use crate::index::IndexError;
use crate::portfolio::PortfolioError;
use crate::retrieve::RetrieveError;

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
    /// The parts do not go together.
    #[error(transparent)]
    App(#[from] AppError),
    /// No answer could be made.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// Another server.
    #[error("{url}: {what}")]
    Peer {
        /// Its address.
        url: String,
        /// What it did.
        what: String,
    },
    /// A search failed.
    #[error(transparent)]
    Retrieve(#[from] RetrieveError),
    /// The portfolio failed.
    #[error(transparent)]
    Portfolio(#[from] PortfolioError),
}

impl Classified for EvaluateError {
    fn kind(&self) -> ErrorKind {
        match self {
            EvaluateError::Dataset { .. } | EvaluateError::Level(_) => ErrorKind::BadInput,
            // A file that was named and is not there is the caller's, whatever else fails is not.
            EvaluateError::Io(e) if e.kind() == std::io::ErrorKind::NotFound => ErrorKind::BadInput,
            EvaluateError::Io(_) => ErrorKind::Internal,
            EvaluateError::Index(e) => e.kind(),
            EvaluateError::Embed(e) => e.kind(),
            EvaluateError::App(e) => e.kind(),
            EvaluateError::Answer(e) => e.kind(),
            EvaluateError::Peer { .. } => ErrorKind::Unavailable,
            EvaluateError::Retrieve(e) => e.kind(),
            EvaluateError::Portfolio(e) => e.kind(),
        }
    }
}

/// What is none goes without saying in a report.
fn is_zero(n: &usize) -> bool {
    *n == 0
}
