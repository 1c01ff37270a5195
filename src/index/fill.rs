//! Catalogue -> store: what a chunk's point is, and how the store is brought to hold what the catalogue says.
//!
//! Only chunks marked `pending` are written; a mark is taken off when the store has them on disk. Interrupted anywhere
//! and run again, it goes on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};

use super::terms::count_terms;
use super::{Catalog, IndexError, Payload, Phase, Point, Progress, VectorStore};
use crate::document::{Chunk, Document};
use crate::embed::{Embedder, Encoded, Side};
use crate::text::bm25::{self, Bm25};
use crate::text::rows;

/// Chunks written to the store at a time.
pub(super) const BATCH: usize = 256;
/// Documents that are read as a whole at a time.
const TOGETHER: usize = 8;
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
            progress(Progress { phase: Phase::Counting, done: 0, total: stats.chunks, path: None, next: None });
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
    let mut pages = Pages::new(catalog, true, embedder);
    while let Some(batch) = pages.next()? {
        let batch = Described::read(catalog, batch)?;
        store.upsert(batch.points(catalog, embedder, options, average)?)?;
        written.extend(batch.chunks.iter().map(|c| c.id));
        done += batch.chunks.len() as u64;
        progress(Progress { phase: Phase::Indexing, done, total, path: None, next: None });
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

/// The text that is embedded and indexed for a chunk: title, headings, the header of a table that it continues, chunk.
pub fn indexed_text(document: &Document, chunk: &Chunk) -> String {
    let mut out = document.title.clone();
    let headings: Vec<&str> = chunk.path.iter().map(String::as_str).filter(|h| *h != document.title).collect();
    let columns = rows::header_before(&document.text, chunk.span.start).unwrap_or_default().to_owned();
    for part in [headings.join(" > "), columns, chunk.span.slice(&document.text).to_owned()] {
        if !part.is_empty() {
            out.push('\n');
            out.push_str(&part);
        }
    }
    out
}

/// The part of [`indexed_text`] that names a subject: title and headings.
pub(super) fn heading_text(document: &Document, chunk: &Chunk) -> String {
    let headings = chunk.path.iter().filter(|h| **h != document.title);
    headings.fold(document.title.clone(), |all, heading| all + "\n" + heading)
}

/// Chunks a page at a time. For an encoder that sees neighbours a page is some documents as a whole, so that each is read once.
pub(super) struct Pages<'a> {
    catalog: &'a Catalog,
    pending: bool,
    after: Option<u64>,
    /// The documents that were given, where they are given as a whole.
    given: Option<HashSet<String>>,
}

impl<'a> Pages<'a> {
    /// Those that the store lacks, or all.
    pub(super) fn new(catalog: &'a Catalog, pending: bool, embedder: Option<&dyn Embedder>) -> Pages<'a> {
        let given = embedder.filter(|e| e.sees_neighbours()).map(|_| HashSet::new());
        Pages { catalog, pending, after: None, given }
    }

    pub(super) fn next(&mut self) -> Result<Option<Vec<Chunk>>, IndexError> {
        loop {
            let size = if self.given.is_some() { TOGETHER } else { BATCH };
            let page = match self.pending {
                true => self.catalog.pending(self.after, size)?,
                false => self.catalog.chunks(self.after, size)?,
            };
            let Some(last) = page.last() else { return Ok(None) };
            self.after = Some(last.id);
            let Some(given) = &mut self.given else { return Ok(Some(page)) };
            let mut whole = Vec::new();
            for chunk in page {
                if given.insert(chunk.doc_id.clone()) {
                    whole.extend(self.catalog.chunks_of(&chunk.doc_id)?);
                }
            }
            if !whole.is_empty() {
                return Ok(Some(whole));
            }
        }
    }
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

    /// What the encoder says of the chunks, their whole documents being read.
    fn encoded_together(&self, catalog: &Catalog, embedder: &dyn Embedder) -> Result<Vec<Option<Encoded>>, IndexError> {
        let mut found: HashMap<u64, Encoded> = HashMap::new();
        let wanted: HashSet<&str> = self.chunks.iter().map(|c| c.doc_id.as_str()).collect();
        for document in self.documents.values().filter(|d| wanted.contains(d.id.as_str())) {
            let chunks = catalog.chunks_of(&document.id)?;
            let texts: Vec<String> = chunks.iter().map(|c| indexed_text(document, c)).collect();
            // The title comes once.
            let texts: Vec<&str> = texts.iter().map(|t| t.strip_prefix(document.title.as_str()).unwrap_or(t)).collect();
            let encoded = embedder.encode_together(&document.title, &texts)?;
            found.extend(chunks.iter().map(|c| c.id).zip(encoded));
        }
        Ok(self.chunks.iter().map(|c| found.remove(&c.id)).collect())
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
        catalog: &Catalog,
        embedder: Option<&dyn Embedder>,
        options: FillOptions<'_>,
        average: [f32; 2],
    ) -> Result<Vec<Point>, IndexError> {
        let encoded = match embedder {
            Some(e) if e.sees_neighbours() => self.encoded_together(catalog, e)?,
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::{EdgeOptions, Index, Mode, Query, StorePlace, reembed::tests::add};
    use super::*;
    use crate::embed::EmbedError;

    /// An encoder of documents as a whole: a chunk's vector is its place. Notes how many chunks it was given at a time.
    struct Whole(Mutex<Vec<usize>>);

    impl Embedder for Whole {
        fn id(&self) -> &str {
            "whole"
        }

        fn dim(&self) -> usize {
            2
        }

        fn embed(&self, texts: &[&str], _: Side) -> Result<Vec<Vec<f32>>, EmbedError> {
            panic!("{} chunks by themselves", texts.len())
        }

        fn encode_together(&self, title: &str, chunks: &[&str]) -> Result<Vec<Encoded>, EmbedError> {
            self.0.lock().unwrap().push(chunks.len());
            assert!(chunks.iter().all(|c| c.starts_with(&format!("\n{title} line"))), "{chunks:?}");
            let angle = |i: usize| (i as f32 / 100.0).sin_cos();
            let dense = (0..chunks.len()).map(|i| vec![angle(i).1, angle(i).0]);
            Ok(dense.map(|dense| Encoded { dense, learned: None }).collect())
        }

        fn sees_neighbours(&self) -> bool {
            true
        }
    }

    #[test]
    fn an_encoder_that_sees_neighbours_reads_each_document_once_and_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let place = StorePlace::Embedded(EdgeOptions::default());
        let never = AtomicBool::new(false);
        let options = FillOptions { sector: "test", bm25: Bm25::default(), cancel: &never };
        let encoder = Whole(Mutex::new(Vec::new()));
        let Index { catalog, store, .. } = &super::super::open(dir.path(), &place, Some(&encoder), false).unwrap();
        ["a", "b", "c", "d"].iter().zip([70, 3, 40, 1]).for_each(|(id, n)| add(catalog, id, n));
        assert_eq!(fill(catalog, &**store, Some(&encoder), options, true, &mut |_| ()).unwrap(), 114);
        let mut read = encoder.0.lock().unwrap().clone();
        read.sort_unstable();
        assert_eq!(read, [1, 3, 40, 70]);
        assert_eq!((store.count(None).unwrap(), catalog.stats().unwrap().pending), (114, 0));
        // Nearest to the place 60 is the chunk at 60, of the only document that has so many.
        let (y, x) = 0.6f32.sin_cos();
        let query = Query { mode: Mode::Dense(vec![x, y]), filter: None, limit: 1, exact: true };
        let hits = store.query(&query).unwrap();
        assert_eq!(hits[0].id, catalog.chunks_of("a").unwrap()[60].id);
    }
}
