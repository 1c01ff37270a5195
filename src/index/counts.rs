//! How much a catalogue holds: what is asked at every question (how rare a term is) is not counted anew each time.

use std::sync::PoisonError;

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::IndexError;
use super::catalog::{Catalog, unsigned};
use crate::text::bm25;

/// How much an index holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Sources that gave documents.
    pub sources: u64,
    /// Sources that failed.
    pub failed: u64,
    /// Documents.
    pub documents: u64,
    /// Pages, slides and sheets.
    pub pages: u64,
    /// Chunks.
    pub chunks: u64,
    /// Chunks the store does not have yet.
    pub pending: u64,
}

/// How many chunks there were at a version of the file.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    /// SQLite's `data_version` (changes of other connections) and `total_changes` (of this one).
    version: (i64, i64),
    chunks: u64,
}

impl Catalog {
    /// How much is in it.
    pub fn stats(&self) -> Result<Stats, IndexError> {
        self.with(|c| {
            let one = |sql: &str| c.query_row(sql, [], |r| r.get::<_, i64>(0)).map(|n| n.max(0) as u64);
            Ok(Stats {
                sources: one("SELECT count(*) FROM sources WHERE error IS NULL")?,
                failed: one("SELECT count(*) FROM sources WHERE error IS NOT NULL")?,
                documents: one("SELECT count(*) FROM documents")?,
                pages: one("SELECT coalesce(sum(pages), 0) FROM documents")?,
                chunks: self.chunk_count(c)?,
                pending: one("SELECT count(*) FROM chunks WHERE pending = 1")?,
            })
        })
    }

    /// How many chunks there are, and how many of them have each term.
    pub fn frequencies(&self, dimensions: &[u32]) -> Result<(u64, Vec<u64>), IndexError> {
        self.with(|c| {
            let total = self.chunk_count(c)?;
            let mut statement = c.prepare_cached("SELECT chunks FROM terms WHERE dimension = ?1")?;
            let with_term = |d: &u32| -> rusqlite::Result<u64> {
                let n: Option<i64> = statement.query_row([d], |r| r.get(0)).optional()?;
                Ok(n.unwrap_or(0).max(0) as u64)
            };
            Ok((total, dimensions.iter().map(with_term).collect::<rusqlite::Result<_>>()?))
        })
    }

    /// Chunks of the index. Counting walks through all of them, so a number is kept until something is written.
    fn chunk_count(&self, c: &Connection) -> rusqlite::Result<u64> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let one = |sql| c.prepare_cached(sql)?.query_row([], |r| r.get::<_, i64>(0));
        // Read first: what another process writes while this counts gives a later version, and is counted the next time.
        let version = (one("PRAGMA data_version")?, one("SELECT total_changes()")?);
        if let Some(known) = counted.filter(|k| k.version == version) {
            return Ok(known.chunks);
        }
        let chunks = one("SELECT count(*) FROM chunks")?.max(0) as u64;
        *counted = Some(Counted { version, chunks });
        Ok(chunks)
    }

    /// Documents of the index, counted without reading them.
    pub fn document_count(&self) -> Result<u64, IndexError> {
        self.with(|c| c.query_row("SELECT count(*) FROM documents", [], |r| unsigned(r, 0)))
    }

    /// How rare terms are: [`bm25::idf`] of each.
    pub fn idf(&self, dimensions: &[u32]) -> Result<Vec<f32>, IndexError> {
        let (total, with_term) = self.frequencies(dimensions)?;
        Ok(with_term.into_iter().map(|n| bm25::idf(total, n)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_chunks_follows_what_this_and_another_connection_write() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("catalog.sqlite3");
        let (here, there) = (Catalog::open(&file).unwrap(), Catalog::open(&file).unwrap());
        let chunk = |catalog: &Catalog, id: i64| {
            catalog
                .with(|c| {
                    c.execute(
                        "INSERT INTO chunks (id, doc_id, ordinal, start, stop, path) VALUES (?1, 'd', ?1, 0, 1, '[]')",
                        [id],
                    )
                })
                .unwrap();
        };
        let total = || here.frequencies(&[]).unwrap().0;
        assert_eq!(total(), 0);
        chunk(&here, 1);
        assert_eq!((total(), total()), (1, 1));
        chunk(&there, 2);
        assert_eq!((total(), total()), (2, 2));
        here.with(|c| c.execute("DELETE FROM chunks", [])).unwrap();
        assert_eq!((total(), there.frequencies(&[]).unwrap().0), (0, 0));
    }
}
