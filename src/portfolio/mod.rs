//! "Why are they doing this?": what was done before, who is strong in what, who fits a need, what belongs together.
//!
//! In: the index (through [`Parts`](crate::retrieve::Parts)) and a proposal, a need, or nothing. Out: verdicts,
//! profiles, matches and groups, each with byte-exact quotes of both sides. A person decides; nothing here does.
//! Knows nothing of HTTP or terminals, nor of answers; of language models only that one may be asked to read a proposal
//! ([`reading`]), never for a figure: every figure can be worked by hand from `docs/portfolio.md`.

mod compare;
pub mod consolidate;
mod context;
mod docx;
pub mod facet;
pub mod fields;
pub mod holdings;
pub mod institute;
pub mod join;
mod judge;
pub mod landscape;
pub mod matching;
mod neighbours;
pub mod overlap;
pub mod project;
pub mod proposal;
pub mod reading;
mod remembered;
mod report;
mod said;
pub mod similarity;
mod store_join;
pub mod strengths;
pub mod sums;
pub mod topics;
mod union_find;
pub mod verdict;
mod wanted;
mod words;

pub use compare::{Comparison, Side, compare};
pub use facet::{Facet, Sentence};
pub use holdings::{Citation, Holdings};
pub use institute::{Institute, Institutes};
pub use overlap::Compared;
pub use project::{Fact, Project};
pub use proposal::Proposal;
pub use sums::Sum;
pub(crate) use union_find::UnionFind;
pub use verdict::Kind;

use crate::error::{Classified, ErrorKind};
use crate::generate::GenerateError;
use crate::index::IndexError;
use crate::ingest::ReadError;
use crate::prompt::PromptError;
use crate::retrieve::RetrieveError;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum PortfolioError {
    /// Nothing to check.
    #[error("the text is empty; give a proposal as a file, or `-` and its text on standard input")]
    Empty,
    /// Too little to tell repeated work from a shared topic.
    #[error(
        "the text has too few words to be judged as a proposal (different ones: {words}, needed to say what is to be reached and how: {least}); `sectora match` finds institutes for a few words, `sectora search` passages"
    )]
    TooFewWords {
        /// Different words that are more than figures.
        words: usize,
        /// How many there must be.
        least: usize,
    },
    /// More than is read.
    #[error("the text has {bytes} bytes, at most {limit} are compared; split it")]
    TooLong {
        /// Bytes.
        bytes: usize,
        /// Limit.
        limit: usize,
    },
    /// The file could not be read.
    #[error("{path}: {source}")]
    Read {
        /// File.
        path: String,
        /// Why.
        source: ReadError,
    },
    /// A file of several records is no proposal.
    #[error(
        "{path} holds {records} records; a proposal is one. Ingest the file and use --project ID, or pipe one record's text to `-`"
    )]
    Records {
        /// File.
        path: String,
        /// How many.
        records: usize,
    },
    /// No project of that id.
    #[error(
        "no project `{0}` in this index; `sectora search --json` shows `doc_id`, records are named by their own id"
    )]
    NoProject(String),
    /// Nothing that could read for itself.
    #[error(
        "{0} reads no proposals; facts are read by a language model that writes JSON by a schema: `--generator` with a model card's name, a GGUF file or `remote`"
    )]
    NoModel(String),
    /// Reading by a model.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A template of ours.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// Nothing to work on.
    #[error("{0}")]
    Nothing(String),
    /// No project of that institute.
    #[error("no project of `{0}` in this index; `sectora strengths` lists the institutes")]
    NoInstitute(String),
    /// An option of [`consolidate`] that cannot be.
    #[error(transparent)]
    Consolidate(#[from] consolidate::Refused),
    /// Search.
    #[error(transparent)]
    Retrieve(#[from] RetrieveError),
    /// Index.
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl Classified for PortfolioError {
    fn kind(&self) -> ErrorKind {
        match self {
            PortfolioError::Empty
            | PortfolioError::TooFewWords { .. }
            | PortfolioError::TooLong { .. }
            | PortfolioError::Records { .. }
            | PortfolioError::NoModel(_)
            | PortfolioError::Consolidate(_) => ErrorKind::BadInput,
            PortfolioError::NoProject(_) | PortfolioError::NoInstitute(_) | PortfolioError::Nothing(_) => {
                ErrorKind::NotFound
            }
            PortfolioError::Read { source, .. } => source.kind(),
            PortfolioError::Generate(e) => e.kind(),
            PortfolioError::Prompt(_) => ErrorKind::Internal,
            PortfolioError::Retrieve(e) => e.kind(),
            PortfolioError::Index(e) => e.kind(),
        }
    }

    fn for_client(&self) -> String {
        match self {
            PortfolioError::NoProject(id) => {
                format!("no project `{id}` in this index; /v1/search shows `doc_id`, records are named by their own id")
            }
            PortfolioError::TooFewWords { words, least } => format!(
                "too few words to be judged as a proposal (different ones: {words}, needed to say what is to be reached and how: {least}); /v1/match finds institutes for a few words, /v1/search passages"
            ),
            PortfolioError::Retrieve(e) => e.for_client(),
            PortfolioError::Index(e) => e.for_client(),
            PortfolioError::Generate(e) => e.for_client(),
            PortfolioError::NoModel(_) => {
                "this server runs no language model that reads proposals: send it without `read`".to_owned()
            }
            PortfolioError::Prompt(_)
            | PortfolioError::Empty
            | PortfolioError::TooLong { .. }
            | PortfolioError::Read { .. }
            | PortfolioError::Records { .. }
            | PortfolioError::Nothing(_)
            | PortfolioError::NoInstitute(_)
            | PortfolioError::Consolidate(_) => self.to_string(),
        }
    }
}
