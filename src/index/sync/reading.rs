//! One source, read: what the catalogue has of it, or its documents and their chunks anew.

use std::collections::HashSet;
use std::path::Path;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use super::super::catalog::SourceRow;
use super::super::{Catalog, IndexError, sha256};
use super::SyncOptions;
use super::sources::Source;
use crate::document::{Chunk, Document};
use crate::ingest::{self, ChunkOptions, Extracted, Override, ReadError};
use crate::text::Numbered;

/// Version of everything between bytes and chunks; a change re-reads all sources.
const PIPELINE: &str = "6";

/// Reads a source; a parameter so that tests can do without worker processes.
pub(super) type Read<'a> = dyn Fn(&Path) -> Result<Vec<Extracted>, ReadError> + Sync + 'a;

/// What reading one source came to.
pub(super) enum Outcome {
    /// As the catalogue has it; `true` when only the time stamp moved.
    Same(SourceRow, bool),
    New(SourceRow, Vec<(Document, Vec<Chunk>)>),
    /// Not read, and another try may: what was read of it before stays.
    Unread(SourceRow),
}

pub(super) fn read_source(
    read: &Read<'_>,
    catalog: &Catalog,
    source: &Source,
    options: &SyncOptions<'_>,
) -> Result<Outcome, IndexError> {
    let stated = (options.stated)(&source.path);
    let mut row = SourceRow {
        path: source.key.clone(),
        size: 0,
        mtime_ns: 0,
        sha256: String::new(),
        settings: settings(options, stated.as_ref(), &source.shown),
        error: None,
        warnings: Vec::new(),
    };
    // More memory or time may do what was not done with these: a file that needs minutes is not tried at each run.
    let within_limits = format!("{} {:?}", row.settings, options.limits);
    let failed = |mut row: SourceRow, error: ReadError| {
        row.error = Some(error.to_string());
        if error.may_pass() {
            let tried = matches!(error, ReadError::Limit(_));
            row.settings = if tried { within_limits.clone() } else { String::new() };
            return Ok(Outcome::Unread(row));
        }
        Ok(Outcome::New(row, Vec::new()))
    };
    // By the key: a root may be a link.
    let meta = match fs_err::symlink_metadata(&source.key) {
        Ok(meta) if meta.is_file() => meta,
        Ok(_) => return failed(row, ReadError::Io("not a regular file".into())),
        Err(e) => return failed(row, ReadError::Io(e.to_string())),
    };
    row.size = meta.len();
    let modified = meta.modified().ok().and_then(|m| m.duration_since(UNIX_EPOCH).ok());
    row.mtime_ns = modified.map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
    let known = catalog.source(&source.key)?;
    let known = known.filter(|k| k.settings == row.settings || k.settings == within_limits);
    let known = match known {
        Some(known) if (known.size, known.mtime_ns) == (row.size, row.mtime_ns) => {
            return Ok(Outcome::Same(known, false));
        }
        known => known,
    };
    if meta.len() > options.limits.input {
        return failed(row, ReadError::TooLarge { bytes: meta.len(), limit: options.limits.input });
    }
    row.sha256 = match sha256::of_file(&source.path) {
        Ok(sha256) => sha256,
        Err(e) => return failed(row, ReadError::Io(e.to_string())),
    };
    if let Some(mut known) = known.filter(|k| k.sha256 == row.sha256) {
        (known.size, known.mtime_ns) = (row.size, row.mtime_ns);
        return Ok(Outcome::Same(known, true));
    }
    match read(&source.path) {
        Ok(extracted) => {
            let documents = lay_out(extracted, source, stated.as_ref(), options.chunks, &mut row.warnings);
            if documents.is_empty() {
                return failed(row, ReadError::NoText("nothing is left after cleaning".into()));
            }
            Ok(Outcome::New(row, documents))
        }
        Err(error @ ReadError::NoColumn { .. }) => {
            Err(IndexError::Mapping { path: source.path.display().to_string(), source: error })
        }
        Err(error) => failed(row, error),
    }
}

/// Hash of everything besides the bytes that shapes what a source gives.
fn settings(options: &SyncOptions<'_>, stated: Option<&Override>, shown: &str) -> String {
    let ChunkOptions { max_tokens, min_tokens } = options.chunks;
    let all = (PIPELINE, shown, &options.mapping, stated, max_tokens, min_tokens);
    let json = serde_json::to_vec(&all).expect("plain data serialises");
    sha256::hex(&Sha256::digest(json))
}

/// Documents with text, and their chunks. A reader tells the records of one table apart; those of several sheets meet here.
fn lay_out(
    extracted: Vec<Extracted>,
    source: &Source,
    stated: Option<&Override>,
    chunks: ChunkOptions,
    warnings: &mut Vec<String>,
) -> Vec<(Document, Vec<Chunk>)> {
    let mut seen = HashSet::new();
    let (mut names, mut given) = (Numbered::default(), HashSet::new());
    let mut documents = Vec::with_capacity(extracted.len());
    for mut part in extracted {
        let shown = match &part.record {
            Some(record) => format!("{}#{record}", source.shown),
            None => source.shown.clone(),
        };
        warnings.append(&mut part.warnings);
        let mut document = ingest::assemble(part, &shown, stated);
        let cut = ingest::chunk(&document, chunks);
        if cut.is_empty() {
            warnings.push(format!("{shown}: no text"));
        } else if seen.insert(document.id.clone()) {
            document.source = names.free(&shown, "~", |name| given.insert(name.to_owned()));
            if document.source != shown {
                warnings.push(format!("{shown}: another sheet's record has this id; this one is {}", document.source));
            }
            documents.push((document, cut));
        } else {
            warnings.push(format!("{shown}: the same record as an earlier one"));
        }
    }
    documents
}
