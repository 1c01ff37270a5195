//! Catalogue -> store: what a chunk's point is, and how the store is brought to hold what the catalogue says.
//!
//! Only chunks marked `pending` are written; a mark is taken off when the store has them on disk. Interrupted anywhere
//! and run again, it goes on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};

use super::catalog::TermCounts;
use super::{Catalog, IndexError, Payload, Phase, Point, Progress, VectorStore};
use crate::document::{Chunk, Document};
use crate::embed::{Embedder, Encoded, Side};
use crate::text::bm25::{self, Bm25};

/// Chunks written to the store at a time.
pub(super) const BATCH: usize = 256;
/// Chunks after which the store is flushed and the marks are cleared.
pub(super) const CHECKPOINT: usize = 2048;
/// What title and headings count as a field of their own, beside the text they stand in.
const HEADING: f32 = 0.4;
/// Change of the mean BM25 length beyond which all sparse vectors are written anew.
pub(super) const LENGTH_DRIFT: f32 = 0.1;

/// What besides the catalogue shapes a point.
#[derive(Clone, Copy)]
pub struct FillOptions<'a> {
    /// Sector name.
    pub sector: &'a str,
    /// BM25 parameters.
    pub bm25: Bm25,
    /// Set to stop between two batches.
    pub cancel: &'a AtomicBool,
}

/// Writes every pending chunk to the store and takes out what has gone; the number written. `changed` says that the
/// catalogue is not what its terms were counted over.
pub fn fill(
    catalog: &Catalog,
    store: &dyn VectorStore,
    embedder: Option<&dyn Embedder>,
    options: FillOptions<'_>,
    changed: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, IndexError> {
    let stats = catalog.stats()?;
    let stored = catalog.average_length()?;
    let average = match stored {
        Some(stored) if !changed && stats.pending == 0 && catalog.has_words()? => stored,
        stored => {
            progress(Progress { phase: Phase::Counting, done: 0, total: stats.chunks, path: None });
            let counted = count_terms(catalog)?;
            catalog.set_terms(&counted)?;
            match stored {
                Some(stored) if (counted.length - stored).abs() <= LENGTH_DRIFT * stored => stored,
                _ => {
                    catalog.mark_all_pending()?;
                    catalog.set_average_length(counted.length, counted.headings)?;
                    counted.length
                }
            }
        }
    };
    let average = [average, catalog.average_heading_length()?.unwrap_or(0.0)];
    forget(catalog, store)?;
    let total = catalog.stats()?.pending;
    let mut done = 0u64;
    let mut written: Vec<u64> = Vec::new();
    let mut after = None;
    loop {
        let batch = catalog.pending(after, BATCH)?;
        let Some(last) = batch.last() else { break };
        after = Some(last.id);
        let batch = Described::read(catalog, batch)?;
        store.upsert(batch.points(embedder, options, average)?)?;
        written.extend(batch.chunks.iter().map(|c| c.id));
        done += batch.chunks.len() as u64;
        progress(Progress { phase: Phase::Indexing, done, total, path: None });
        let cancelled = options.cancel.load(Ordering::SeqCst);
        if written.len() >= CHECKPOINT || cancelled {
            store.flush()?;
            catalog.settle(&written, &[])?;
            written.clear();
        }
        if cancelled {
            return Err(IndexError::Interrupted);
        }
    }
    if done > 0 {
        store.maintain()?;
        catalog.settle(&written, &[])?;
    }
    Ok(done)
}

/// Takes out of the store what the catalogue no longer has.
fn forget(catalog: &Catalog, store: &dyn VectorStore) -> Result<(), IndexError> {
    loop {
        let gone = catalog.deletions(CHECKPOINT)?;
        if gone.is_empty() {
            return Ok(());
        }
        store.delete(&gone)?;
        store.flush()?;
        catalog.settle(&[], &gone)?;
    }
}

/// The terms of all chunks as they are indexed.
pub(super) fn count_terms(catalog: &Catalog) -> Result<TermCounts, IndexError> {
    catalog.count_terms(indexed_text, heading_text)
}

/// The text that is embedded and indexed for a chunk: title, headings, chunk.
pub fn indexed_text(document: &Document, chunk: &Chunk) -> String {
    let mut out = document.title.clone();
    let headings: Vec<&str> = chunk.path.iter().map(String::as_str).filter(|h| *h != document.title).collect();
    for part in [headings.join(" > "), chunk.span.slice(&document.text).to_owned()] {
        if !part.is_empty() {
            out.push('\n');
            out.push_str(&part);
        }
    }
    out
}

/// The part of [`indexed_text`] that names a subject: title and headings.
fn heading_text(document: &Document, chunk: &Chunk) -> String {
    let headings = chunk.path.iter().filter(|h| **h != document.title);
    headings.fold(document.title.clone(), |all, heading| all + "\n" + heading)
}

/// Some chunks with everything their points are made of.
pub(super) struct Described {
    pub(super) chunks: Vec<Chunk>,
    /// [`indexed_text`] of each.
    texts: Vec<String>,
    documents: BTreeMap<String, Document>,
}

impl Described {
    pub(super) fn read(catalog: &Catalog, chunks: Vec<Chunk>) -> Result<Described, IndexError> {
        let mut documents: BTreeMap<String, Document> = BTreeMap::new();
        for chunk in &chunks {
            if !documents.contains_key(&chunk.doc_id) {
                documents.insert(chunk.doc_id.clone(), catalog.document(&chunk.doc_id)?);
            }
        }
        let texts = chunks.iter().map(|c| indexed_text(&documents[&c.doc_id], c)).collect();
        Ok(Described { chunks, texts, documents })
    }

    /// Only the chunks of which `keep` says so.
    pub(super) fn retain(&mut self, keep: &[bool]) {
        let mut kept = keep.iter();
        self.chunks.retain(|_| kept.next().copied().unwrap_or(false));
        let mut kept = keep.iter();
        self.texts.retain(|_| kept.next().copied().unwrap_or(false));
    }

    /// A number for each chunk that changes with anything its point is made of, the encoder apart.
    pub(super) fn signatures(&self, options: FillOptions<'_>, average: [f32; 2]) -> Vec<i64> {
        let shape = (options.bm25, average);
        let one = |(chunk, text): (&Chunk, &String)| {
            let document = &self.documents[&chunk.doc_id];
            let all = (payload(options.sector, document), heading_text(document, chunk), text, shape);
            let json = serde_json::to_vec(&all).expect("plain data serialises");
            let hash = Sha256::digest(&json);
            i64::from_le_bytes(std::array::from_fn(|i| hash[i]))
        };
        self.chunks.iter().zip(&self.texts).map(one).collect()
    }

    /// Their points; `average` are the mean BM25 lengths of texts and of headings.
    pub(super) fn points(
        &self,
        embedder: Option<&dyn Embedder>,
        options: FillOptions<'_>,
        average: [f32; 2],
    ) -> Result<Vec<Point>, IndexError> {
        let encoded = match embedder {
            Some(e) => {
                let texts: Vec<&str> = self.texts.iter().map(String::as_str).collect();
                e.encode(&texts, Side::Document)?.into_iter().map(Some).collect()
            }
            None => vec![None; self.chunks.len()],
        };
        let point = |((chunk, text), encoded): ((&Chunk, &String), Option<Encoded>)| {
            let document = &self.documents[&chunk.doc_id];
            let mut sparse = bm25::document_vector(text, options.bm25, average[0]);
            let heading = bm25::document_vector(&heading_text(document, chunk), options.bm25, average[1]);
            bm25::add_field(&mut sparse, &heading, HEADING);
            let (dense, learned) = encoded.map_or((None, None), |e| (Some(e.dense), e.learned));
            Point { id: chunk.id, dense, sparse, learned, payload: payload(options.sector, document) }
        };
        Ok(self.chunks.iter().zip(&self.texts).zip(encoded).map(point).collect())
    }
}

fn payload(sector: &str, document: &Document) -> Payload {
    Payload {
        sector: sector.to_owned(),
        doc_id: document.id.clone(),
        institution: document.metadata.institution.as_deref().map(|i| i.trim().to_owned()),
        year: document.metadata.year.map(i64::from),
        doc_type: document.metadata.doc_type.clone(),
        language: document.language.name().to_owned(),
        access: document.metadata.access.name().to_owned(),
    }
}
