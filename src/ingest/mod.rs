//! From bytes to documents and chunks. Writes nothing.
//!
//! [`extract`] starts a worker process (the program itself) that recognises the format by content,
//! reads it with one of the `readers` and hands back [`Extracted`] parts; [`assemble`] cleans them
//! (repeated headers and footers, tables of contents, navigation) and lays them out as a
//! [`Document`](crate::document::Document); [`chunk`] cuts that along its structure.
//! Knows nothing of stores, models or questions.

mod assemble;
mod chunk;
mod head;
mod readers;
mod tables;
mod worker;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use assemble::assemble;
pub use chunk::{ChunkOptions, chunk};
pub use worker::{extract, worker_main};

use crate::document::{Format, Metadata, UnitKind};
use crate::error::{Classified, ErrorKind};

/// The formats that are read, for messages.
pub const READABLE: &str =
    "PDF, DOCX, PPTX, XLSX, DOC, PPT, XLS, HWP, HWPX, ODF, HTML, Markdown, text, CSV, JSON, JSONL";

/// First argument that makes the program a worker.
pub const WORKER: &str = "__worker";

/// What a reader hands back: one document's parts, not yet cleaned or laid out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extracted {
    /// Format by content.
    pub format: Format,
    /// The source's own title, if it names one.
    pub title: Option<String>,
    /// Record key within its file (record id or line number); `None` for a file that is one document.
    pub record: Option<String>,
    /// For a record: SHA-256 (hex) of its canonical JSON. For a file: of its bytes.
    pub sha256: String,
    /// Institution, year and so on, as far as the source says.
    pub metadata: Metadata,
    /// Pages, slides, sheets or one body, in order.
    pub parts: Vec<Part>,
    /// What was skipped on the way, one line each (a bad line of a JSONL file, say).
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// One page, slide, sheet or body of a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What it is.
    pub kind: UnitKind,
    /// Number from 1.
    pub number: u32,
    /// Sheet name or slide title.
    pub label: Option<String>,
    /// Its text as Markdown (headings `#`, tables `|`).
    pub markdown: String,
}

/// Which field of a record means what; from `[records]` in `sector.toml` or `--map`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordMapping {
    /// Field with the record's id.
    pub id: Option<String>,
    /// Field with the title.
    pub title: Option<String>,
    /// Fields whose texts make the document, in order, each under its name as a heading.
    #[serde(default, deserialize_with = "one_or_many")]
    pub text: Vec<String>,
    /// Field with the performing institution.
    pub institution: Option<String>,
    /// Field with the year (a date works too: its first four-digit year).
    pub year: Option<String>,
    /// Field with the budget.
    pub budget: Option<String>,
    /// Field with the document type; without it records are of type `record`.
    pub doc_type: Option<String>,
    /// Field with the access level.
    pub access: Option<String>,
    /// A field that no record of a file has is an error, not one to guess: `--map` is written for the files it stands beside, a
    /// sector's mapping for all that may come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

impl RecordMapping {
    /// What is mapped: meaning and field, a pair each.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let one = [
            ("id", &self.id),
            ("title", &self.title),
            ("institution", &self.institution),
            ("year", &self.year),
            ("budget", &self.budget),
            ("type", &self.doc_type),
            ("access", &self.access),
        ];
        let one = one.into_iter().filter_map(|(meaning, field)| Some((meaning, field.as_deref()?)));
        one.chain(self.text.iter().map(|field| ("text", field.as_str())))
    }

    /// True when nothing is mapped: the reader then guesses from common field names.
    pub fn is_empty(&self) -> bool {
        *self == RecordMapping::default()
    }
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(d)? {
        OneOrMany::One(s) => vec![s],
        OneOrMany::Many(v) => v,
    })
}

/// Facts about a single file that its sector states (`[[documents_override]]`); they win over the file's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Override {
    /// Document type.
    pub doc_type: Option<String>,
    /// Institution.
    pub institution: Option<String>,
    /// Year.
    pub year: Option<i32>,
    /// Access level.
    pub access: Option<crate::document::Access>,
    /// Anything else.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

/// What a worker may use for one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Address space in bytes.
    pub memory: u64,
    /// CPU time.
    pub cpu: Duration,
    /// Wall-clock time, after which the worker is killed.
    pub wall: Duration,
    /// Bytes a worker may hand back.
    pub output: u64,
    /// Bytes of a source file.
    pub input: u64,
}

impl Limits {
    /// Memory of a worker and size of a file in MiB, processor time in seconds; half as much again by the clock.
    pub fn new(memory_mb: u64, cpu_s: u64, input_mb: u64) -> Limits {
        Limits {
            memory: memory_mb << 20,
            cpu: Duration::from_secs(cpu_s),
            wall: Duration::from_secs(cpu_s.saturating_mul(3) / 2),
            input: input_mb << 20,
            ..Limits::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 4 << 30,
            cpu: Duration::from_secs(120),
            wall: Duration::from_secs(180),
            output: 512 << 20,
            input: 1 << 30,
        }
    }
}

/// Why a source gave no document. Each is one clear line in a report; none stops the others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", content = "detail", rename_all = "snake_case")]
pub enum ReadError {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Text could not be found (for instance a scanned PDF).
    #[error("no text found ({0}); pictures and scans need OCR first")]
    NoText(String),
    /// Not a format that is read.
    #[error("unknown format ({0}); readable: {READABLE}")]
    UnknownFormat(String),
    /// Needs a password.
    #[error("encrypted; save a copy without a password and ingest that")]
    Encrypted,
    /// The format is recognised but broken.
    #[error("damaged {format} file: {what}")]
    Damaged {
        /// Format name.
        format: String,
        /// The parser's words, one line.
        what: String,
    },
    /// Larger than a source may be.
    #[error("{bytes} bytes is over the limit of {limit}; raise `ingest.max_input_mb` or split the file")]
    TooLarge {
        /// Size.
        bytes: u64,
        /// Limit.
        limit: u64,
    },
    /// The worker used more than it may.
    #[error("stopped: it needed more than {0}")]
    Limit(String),
    /// The system killed the worker, within all its own limits.
    #[error(
        "stopped by the system: probably the memory of this machine ran out; close other programs and run it again"
    )]
    Killed,
    /// The parser crashed; the worker caught it.
    #[error("the parser crashed ({0}); the file was skipped")]
    Crashed(String),
    /// The operating system refused.
    #[error("cannot be read: {0}")]
    Io(String),
    /// A mapping that is strict names what no record has.
    #[error("`{meaning}` is mapped to the column `{column}`, which no record has; the columns are {columns}")]
    NoColumn {
        /// What it was to be: `id`, `title` and so on.
        meaning: String,
        /// The column named.
        column: String,
        /// Those there are.
        columns: String,
    },
    /// A record file without usable fields.
    #[error("record file: {0}")]
    Records(String),
}

impl ReadError {
    /// True where another try, or other settings, may read the same bytes.
    pub fn may_pass(&self) -> bool {
        matches!(self, ReadError::TooLarge { .. } | ReadError::Limit(_) | ReadError::Killed | ReadError::Io(_))
    }
}

impl Classified for ReadError {
    fn kind(&self) -> ErrorKind {
        match self {
            ReadError::Empty
            | ReadError::NoText(_)
            | ReadError::UnknownFormat(_)
            | ReadError::Encrypted
            | ReadError::Damaged { .. }
            | ReadError::TooLarge { .. }
            | ReadError::Limit(_)
            | ReadError::Killed
            | ReadError::Crashed(_)
            | ReadError::NoColumn { .. }
            | ReadError::Records(_) => ErrorKind::BadInput,
            ReadError::Io(_) => ErrorKind::NotFound,
        }
    }
}

/// How to extract one file.
#[derive(Clone, Debug)]
pub struct ExtractOptions<'a> {
    /// The program to start as a worker; normally `std::env::current_exe()`.
    pub program: &'a Path,
    /// Limits of that worker.
    pub limits: Limits,
    /// Record mapping.
    pub mapping: &'a RecordMapping,
}
