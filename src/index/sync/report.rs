//! What a run of [`super::sync`] tells: where it is, and what became of each source.

use serde::Serialize;

/// Where the pipeline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Reading sources.
    Reading,
    /// Counting terms.
    Counting,
    /// Writing to the store.
    Indexing,
}

impl Phase {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Reading => "reading",
            Phase::Counting => "counting",
            Phase::Indexing => "indexing",
        }
    }
}

/// One step done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// Phase.
    pub phase: Phase,
    /// Sources (reading) or chunks (indexing) done.
    pub done: u64,
    /// Of how many.
    pub total: u64,
    /// The source just read.
    pub path: Option<String>,
    /// The source that is waited for.
    pub next: Option<String>,
}

/// What became of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// New.
    Added,
    /// Changed.
    Replaced,
    /// As before.
    Unchanged,
    /// Gone, and forgotten (`prune`).
    Removed,
    /// Gave no document.
    Failed,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportRow {
    /// Path.
    pub path: String,
    /// What became of it.
    pub status: Status,
    /// Documents it gives.
    pub documents: u64,
    /// Pages of these.
    pub pages: u64,
    /// Chunks of these.
    pub chunks: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// What was skipped.
    pub warnings: Vec<String>,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Sources seen, by path.
    pub rows: Vec<ReportRow>,
    /// Sources seen.
    pub files: u64,
    /// New ones.
    pub added: u64,
    /// Changed ones.
    pub replaced: u64,
    /// Unchanged ones.
    pub unchanged: u64,
    /// Forgotten ones.
    pub removed: u64,
    /// Failed ones.
    pub failed: u64,
    /// Documents in the index now.
    pub documents: u64,
    /// Pages in the index now.
    pub pages: u64,
    /// Chunks in the index now.
    pub chunks: u64,
    /// Chunks written to the store in this run.
    pub indexed: u64,
    /// Encoder, `null` for search by words only.
    pub encoder: Option<String>,
    /// Seconds for reading, indexing, and all.
    pub reading_s: f64,
    /// Seconds for counting and indexing.
    pub indexing_s: f64,
    /// Seconds in all.
    pub seconds: f64,
}
