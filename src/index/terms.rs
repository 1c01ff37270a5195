//! Which terms a whole catalogue has, and in how many chunks: what the rarity of a word and the mean length of a chunk come from.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;
use rusqlite::{Transaction, params};

use super::fill::{heading_text, indexed_text};
use super::vocabulary::{ChunkWords, Vocabulary};
use super::{Catalog, IndexError};
use crate::document::{Chunk, Document};
use crate::text::{analyse, bm25};

/// Documents read at a time, then taken apart on all processors.
const PAGE: usize = 256;

/// The terms of a whole catalogue.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TermCounts {
    /// Mean BM25 length of a chunk.
    pub length: f32,
    /// The same of titles and headings alone.
    pub headings: f32,
    /// In how many chunks each term occurs.
    pub terms: HashMap<u32, i64>,
    /// The words, and the names the documents give each other.
    pub(super) vocabulary: Vocabulary,
}

/// What one chunk adds.
struct OfChunk {
    length: f64,
    heading: f64,
    terms: HashSet<u32>,
    words: ChunkWords,
}

impl OfChunk {
    fn new(document: &Document, chunk: &Chunk) -> OfChunk {
        let text = indexed_text(document, chunk);
        let found = analyse(&text);
        OfChunk {
            length: found.iter().map(|t| f64::from(t.weight)).sum(),
            heading: f64::from(bm25::length(&heading_text(document, chunk))),
            terms: found.iter().map(|t| bm25::dimension(&t.text)).collect(),
            words: ChunkWords::new(&text, &found),
        }
    }
}

/// The terms of all chunks as they are indexed. The same whatever the number of processors.
pub(super) fn count_terms(catalog: &Catalog) -> Result<TermCounts, IndexError> {
    let mut counts = TermCounts::default();
    let (mut length, mut headings, mut chunks) = (0f64, 0f64, 0u64);
    let mut after = String::new();
    loop {
        let ids = catalog.document_ids(&after, PAGE)?;
        let Some(last) = ids.last() else { break };
        after.clone_from(last);
        let page = ids
            .iter()
            .map(|id| Ok((catalog.document(id)?, catalog.chunks_of(id)?)))
            .collect::<Result<Vec<(Document, Vec<Chunk>)>, IndexError>>()?;
        let taken: Vec<Vec<OfChunk>> =
            page.par_iter().map(|(d, of)| of.iter().map(|chunk| OfChunk::new(d, chunk)).collect()).collect();
        for chunk in taken.into_iter().flatten() {
            length += chunk.length;
            headings += chunk.heading;
            chunks += 1;
            chunk.terms.into_iter().for_each(|d| *counts.terms.entry(d).or_default() += 1);
            counts.vocabulary.add(chunk.words);
        }
    }
    let mean = |sum: f64| if chunks == 0 { 0.0 } else { (sum / chunks as f64) as f32 };
    (counts.length, counts.headings) = (mean(length), mean(headings));
    Ok(counts)
}

/// Replaces what was counted before.
pub(super) fn write_terms(t: &Transaction<'_>, counts: &TermCounts) -> rusqlite::Result<()> {
    t.execute("DELETE FROM terms", [])?;
    let mut insert = t.prepare("INSERT INTO terms (dimension, chunks) VALUES (?1, ?2)")?;
    // In their order, so that each goes to the end of the table.
    let mut terms: Vec<(&u32, &i64)> = counts.terms.iter().collect();
    terms.sort_unstable();
    terms.into_iter().try_for_each(|(dimension, n)| insert.execute(params![dimension, n]).map(drop))?;
    counts.vocabulary.write(t)
}

impl Catalog {
    /// Remembers in how many chunks each term occurs.
    pub(super) fn set_terms(&self, counts: &TermCounts) -> Result<(), IndexError> {
        self.transaction(|t| write_terms(t, counts))
    }
}
