//! The truth of an index, in one SQLite file: sources, documents with their extracted text, chunks, and
//! what the vector store still has to be told.
//!
//! Every source is replaced in one transaction, so an interruption leaves either its old or its new
//! documents, never half. A chunk stays marked `pending` until the store has it on disk.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::counts::Counted;
use super::vocabulary;
use super::{Fingerprint, IndexError};
use crate::document::{Access, Chunk, Document, Span};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sources (
  path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL,
  settings TEXT NOT NULL, error TEXT, warnings TEXT NOT NULL DEFAULT '[]'
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
  id TEXT PRIMARY KEY, external_id TEXT, pages INTEGER NOT NULL, body TEXT NOT NULL, text TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS documents_external ON documents(external_id);
CREATE TABLE IF NOT EXISTS source_documents (
  path TEXT NOT NULL, position INTEGER NOT NULL, doc_id TEXT NOT NULL, PRIMARY KEY (path, position)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS source_documents_doc ON source_documents(doc_id);
CREATE TABLE IF NOT EXISTS source_access (
  path TEXT NOT NULL, doc_id TEXT NOT NULL, access TEXT NOT NULL, PRIMARY KEY (path, doc_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS source_access_doc ON source_access(doc_id);
CREATE TABLE IF NOT EXISTS chunks (
  id INTEGER PRIMARY KEY, doc_id TEXT NOT NULL, ordinal INTEGER NOT NULL, start INTEGER NOT NULL,
  stop INTEGER NOT NULL, path TEXT NOT NULL, page INTEGER, pending INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX IF NOT EXISTS chunks_doc ON chunks(doc_id, ordinal);
CREATE INDEX IF NOT EXISTS chunks_pending ON chunks(id) WHERE pending = 1;
CREATE TABLE IF NOT EXISTS deletions (id INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS terms (dimension INTEGER PRIMARY KEY, chunks INTEGER NOT NULL);
";

/// An open catalogue. Shared between threads; one look-up at a time.
pub struct Catalog {
    connection: Mutex<Connection>,
    path: String,
    pub(super) counted: Mutex<Option<Counted>>,
}

/// Pages held in memory, KiB, as SQLite takes it. Its own 2 MiB hold no level of a large index, so that each look-up of a
/// term reads the file.
const CACHE: i64 = -65_536;

/// A source as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SourceRow {
    /// Key: the path.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// SHA-256 of the bytes, hexadecimal.
    pub sha256: String,
    /// Hash of everything besides the bytes that shaped the result (mapping, chunk sizes, versions); empty where the next run
    /// is to read it again.
    pub settings: String,
    /// Why it gave no document.
    pub error: Option<String>,
    /// What was skipped in it.
    pub warnings: Vec<String>,
}

impl Catalog {
    /// Opens or creates the file.
    pub fn open(file: &Path) -> Result<Catalog, IndexError> {
        let path = file.display().to_string();
        let failed = |source| IndexError::Catalog { path: path.clone(), source };
        let connection = Connection::open(file).map_err(failed)?;
        connection.busy_timeout(std::time::Duration::from_secs(30)).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        connection.pragma_update(None, "cache_size", CACHE).map_err(failed)?;
        connection.execute_batch(SCHEMA).map_err(failed)?;
        connection.execute_batch(vocabulary::SCHEMA).map_err(failed)?;
        Ok(Catalog { connection: Mutex::new(connection), path, counted: Mutex::new(None) })
    }

    /// A document with its text.
    pub fn document(&self, id: &str) -> Result<Document, IndexError> {
        let row: Option<(String, String)> = self.with(|c| {
            let mut statement = c.prepare_cached("SELECT body, text FROM documents WHERE id = ?1")?;
            statement.query_row([id], |r| Ok((r.get(0)?, r.get(1)?))).optional()
        })?;
        let (body, text) = row.ok_or_else(|| IndexError::NoDocument(id.to_owned()))?;
        let mut document: Document = self.parse(&body)?;
        document.text = text;
        Ok(document)
    }

    /// Ids of all documents, ascending, a page at a time.
    pub fn document_ids(&self, after: &str, limit: usize) -> Result<Vec<String>, IndexError> {
        self.with(|c| {
            let mut statement = c.prepare_cached("SELECT id FROM documents WHERE id > ?1 ORDER BY id LIMIT ?2")?;
            statement.query_map(params![after, limit as i64], |r| r.get(0))?.collect()
        })
    }

    /// Ids of the documents that a source system calls `external_id`.
    pub fn find_external(&self, external_id: &str) -> Result<Vec<String>, IndexError> {
        self.with(|c| {
            let mut statement = c.prepare_cached("SELECT id FROM documents WHERE external_id = ?1 ORDER BY id")?;
            statement.query_map([external_id], |r| r.get(0))?.collect()
        })
    }

    /// Ids and sources of the documents of a file, by its path or the end of it (`x.pdf` of `reports/x.pdf`), in their order there.
    pub fn documents_of_file(&self, path: &str) -> Result<Vec<(String, String)>, IndexError> {
        self.with(|c| {
            let mut statement = c.prepare_cached(
                "SELECT d.id, json_extract(d.body, '$.source')
                 FROM source_documents s JOIN documents d ON d.id = s.doc_id
                 WHERE s.path = ?1 OR substr(s.path, -length(?1) - 1) = '/' || ?1
                 GROUP BY d.id ORDER BY min(s.path), min(s.position)",
            )?;
            statement.query_map([path], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()
        })
    }

    /// Sources of all documents, ascending.
    pub fn document_sources(&self) -> Result<Vec<String>, IndexError> {
        self.with(|c| {
            let mut statement =
                c.prepare_cached("SELECT json_extract(body, '$.source') AS source FROM documents ORDER BY source")?;
            statement.query_map([], |r| r.get(0))?.collect()
        })
    }

    /// A chunk by point id.
    pub fn chunk(&self, id: u64) -> Result<Option<Chunk>, IndexError> {
        let found = self.with(|c| {
            let mut statement = c.prepare_cached(&format!("SELECT {CHUNK} FROM chunks WHERE id = ?1"))?;
            statement.query_row([id.cast_signed()], chunk_row).optional()
        })?;
        found.map(|row| self.chunk_of(row)).transpose()
    }

    /// All chunks of a document in order.
    pub fn chunks_of(&self, doc_id: &str) -> Result<Vec<Chunk>, IndexError> {
        self.select_chunks("doc_id = ?1 ORDER BY ordinal", [doc_id])
    }

    /// What the index was made with, if it was made.
    pub fn fingerprint(&self) -> Result<Option<Fingerprint>, IndexError> {
        self.meta("fingerprint")?.map(|text| self.parse(&text)).transpose()
    }

    pub(super) fn set_fingerprint(&self, fingerprint: &Fingerprint) -> Result<(), IndexError> {
        let text = serde_json::to_string(fingerprint).expect("plain data serialises");
        self.set_meta("fingerprint", &text)
    }

    /// Mean BM25 length the stored sparse vectors were made with.
    pub(super) fn average_length(&self) -> Result<Option<f32>, IndexError> {
        Ok(self.meta("average_length")?.and_then(|t| t.parse().ok()))
    }

    pub(super) fn source(&self, path: &str) -> Result<Option<SourceRow>, IndexError> {
        self.with(|c| {
            let mut statement = c.prepare_cached(
                "SELECT path, size, mtime_ns, sha256, settings, error, warnings FROM sources WHERE path = ?1",
            )?;
            statement.query_row([path], source_row).optional()
        })
    }

    /// Paths of all sources, ascending.
    pub fn source_paths(&self) -> Result<Vec<String>, IndexError> {
        self.with(|c| {
            let mut statement = c.prepare_cached("SELECT path FROM sources ORDER BY path")?;
            statement.query_map([], |r| r.get(0))?.collect()
        })
    }

    /// Documents and chunks that a source has now.
    pub(super) fn source_counts(&self, path: &str) -> Result<(u64, u64, u64), IndexError> {
        self.with(|c| {
            let mut statement = c.prepare_cached(
                "SELECT count(*), coalesce(sum(d.pages), 0),
                        coalesce(sum((SELECT count(*) FROM chunks k WHERE k.doc_id = d.id)), 0)
                 FROM documents d WHERE d.id IN (SELECT doc_id FROM source_documents WHERE path = ?1)",
            )?;
            statement.query_row([path], |r| Ok((unsigned(r, 0)?, unsigned(r, 1)?, unsigned(r, 2)?)))
        })
    }

    /// Same bytes, another time stamp: remembers the stamp.
    pub(super) fn touch(&self, path: &str, size: u64, mtime_ns: i64) -> Result<(), IndexError> {
        self.with(|c| {
            c.execute(
                "UPDATE sources SET size = ?2, mtime_ns = ?3 WHERE path = ?1",
                params![path, size as i64, mtime_ns],
            )
        })?;
        Ok(())
    }

    /// Replaces what a source gives, in one transaction.
    pub(super) fn replace(&self, source: &SourceRow, documents: &[(Document, Vec<Chunk>)]) -> Result<(), IndexError> {
        self.transaction(|t| {
            let before = documents_of(t, &source.path)?;
            forget_documents(t, &source.path)?;
            let mut give =
                t.prepare_cached("INSERT INTO source_documents (path, position, doc_id) VALUES (?1, ?2, ?3)")?;
            let mut guard =
                t.prepare_cached("INSERT OR REPLACE INTO source_access (path, doc_id, access) VALUES (?1, ?2, ?3)")?;
            for (position, (document, chunks)) in documents.iter().enumerate() {
                insert(t, &source.path, document, chunks)?;
                give.execute(params![source.path, position as i64, document.id])?;
                guard.execute([&source.path, &document.id, document.metadata.access.name()])?;
            }
            let given: HashSet<&str> = documents.iter().map(|(d, _)| d.id.as_str()).collect();
            let gone = before.iter().filter(|id| !given.contains(id.as_str()));
            gone.into_iter().try_for_each(|id| without_source(t, id))?;
            write_source(t, source)
        })
    }

    /// Notes what became of a source, whose documents stay as they are.
    pub(super) fn note(&self, source: &SourceRow) -> Result<(), IndexError> {
        self.transaction(|t| write_source(t, source))
    }

    /// Forgets a source and the documents that only it gave.
    pub(super) fn remove(&self, path: &str) -> Result<(), IndexError> {
        self.transaction(|t| {
            let before = documents_of(t, path)?;
            forget_documents(t, path)?;
            t.execute("DELETE FROM sources WHERE path = ?1", [path])?;
            before.iter().try_for_each(|id| without_source(t, id))
        })
    }

    /// Chunks the store does not have yet, ascending by id.
    pub(super) fn pending(&self, after: Option<u64>, limit: usize) -> Result<Vec<Chunk>, IndexError> {
        // Ids are unsigned, SQLite's integers signed; this order is as good as any, and stable.
        let after = after.map_or(i64::MIN, u64::cast_signed);
        self.select_chunks("pending = 1 AND id > ?1 ORDER BY id LIMIT ?2", params![after, limit as i64])
    }

    /// Any chunks, as [`Self::pending`] orders them.
    pub(super) fn chunks(&self, after: Option<u64>, limit: usize) -> Result<Vec<Chunk>, IndexError> {
        let after = after.map_or(i64::MIN, u64::cast_signed);
        self.select_chunks("id > ?1 ORDER BY id LIMIT ?2", params![after, limit as i64])
    }

    /// Point ids the store must forget.
    pub(super) fn deletions(&self, limit: usize) -> Result<Vec<u64>, IndexError> {
        self.with(|c| {
            let mut statement = c.prepare_cached("SELECT id FROM deletions ORDER BY id LIMIT ?1")?;
            statement.query_map([limit as i64], |r| r.get::<_, i64>(0).map(i64::cast_unsigned))?.collect()
        })
    }

    /// The store has these on disk.
    pub(super) fn settle(&self, upserted: &[u64], deleted: &[u64]) -> Result<(), IndexError> {
        self.transaction(|t| {
            let mut settle = t.prepare_cached("UPDATE chunks SET pending = 0 WHERE id = ?1")?;
            upserted.iter().try_for_each(|id| settle.execute([id.cast_signed()]).map(drop))?;
            let mut forget = t.prepare_cached("DELETE FROM deletions WHERE id = ?1")?;
            deleted.iter().try_for_each(|id| forget.execute([id.cast_signed()]).map(drop))
        })
    }

    /// Every chunk must be written to the store again.
    pub(super) fn mark_all_pending(&self) -> Result<(), IndexError> {
        self.with(|c| c.execute_batch("UPDATE chunks SET pending = 1"))
    }

    /// [`Catalog::average_length`] of titles and headings alone.
    pub(super) fn average_heading_length(&self) -> Result<Option<f32>, IndexError> {
        Ok(self.meta("average_heading_length")?.and_then(|t| t.parse().ok()))
    }

    pub(super) fn set_average_length(&self, length: f32, headings: f32) -> Result<(), IndexError> {
        self.set_meta("average_heading_length", &headings.to_string())?;
        self.set_meta("average_length", &length.to_string())
    }

    pub(super) fn meta(&self, key: &str) -> Result<Option<String>, IndexError> {
        self.with(|c| c.query_row("SELECT value FROM meta WHERE key = ?1", [key], |r| r.get(0)).optional())
    }

    pub(super) fn set_meta(&self, key: &str, value: &str) -> Result<(), IndexError> {
        self.with(|c| c.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", [key, value]))?;
        Ok(())
    }

    fn select_chunks(&self, condition: &str, values: impl rusqlite::Params) -> Result<Vec<Chunk>, IndexError> {
        let rows: Vec<ChunkRow> = self.with(|c| {
            let mut statement = c.prepare_cached(&format!("SELECT {CHUNK} FROM chunks WHERE {condition}"))?;
            statement.query_map(values, chunk_row)?.collect()
        })?;
        rows.into_iter().map(|row| self.chunk_of(row)).collect()
    }

    fn chunk_of(&self, (id, doc_id, ordinal, start, end, path, page): ChunkRow) -> Result<Chunk, IndexError> {
        Ok(Chunk { id, doc_id, ordinal, span: Span { start, end }, path: self.parse(&path)?, page })
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, json: &str) -> Result<T, IndexError> {
        serde_json::from_str(json).map_err(|e| IndexError::Catalog {
            path: self.path.clone(),
            source: rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e)),
        })
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, IndexError> {
        // A panic while holding the lock leaves SQLite itself in order: its transactions roll back.
        let connection = self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&connection).map_err(|source| IndexError::Catalog { path: self.path.clone(), source })
    }

    pub(super) fn transaction<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, IndexError> {
        let mut connection = self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let run = || {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(|source| IndexError::Catalog { path: self.path.clone(), source })
    }
}

const CHUNK: &str = "id, doc_id, ordinal, start, stop, path, page";

type ChunkRow = (u64, String, u32, usize, usize, String, Option<u32>);

fn chunk_row(row: &Row<'_>) -> rusqlite::Result<ChunkRow> {
    let id: i64 = row.get(0)?;
    let place = |i| row.get::<_, i64>(i).map(|n| n.max(0) as usize);
    Ok((id.cast_unsigned(), row.get(1)?, row.get(2)?, place(3)?, place(4)?, row.get(5)?, row.get(6)?))
}

fn source_row(row: &Row<'_>) -> rusqlite::Result<SourceRow> {
    let warnings: String = row.get(6)?;
    Ok(SourceRow {
        path: row.get(0)?,
        size: unsigned(row, 1)?,
        mtime_ns: row.get(2)?,
        sha256: row.get(3)?,
        settings: row.get(4)?,
        error: row.get(5)?,
        warnings: serde_json::from_str(&warnings).unwrap_or_default(),
    })
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|n| n.max(0) as u64)
}

fn write_source(t: &Transaction<'_>, source: &SourceRow) -> rusqlite::Result<()> {
    t.execute(
        "INSERT OR REPLACE INTO sources (path, size, mtime_ns, sha256, settings, error, warnings)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            source.path,
            source.size as i64,
            source.mtime_ns,
            source.sha256,
            source.settings,
            source.error,
            serde_json::to_string(&source.warnings).expect("a list of strings serialises"),
        ],
    )
    .map(drop)
}

fn documents_of(t: &Transaction<'_>, path: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = t.prepare_cached("SELECT doc_id FROM source_documents WHERE path = ?1")?;
    statement.query_map([path], |r| r.get(0))?.collect()
}

/// Takes the documents of a source from it.
fn forget_documents(t: &Transaction<'_>, path: &str) -> rusqlite::Result<()> {
    t.execute("DELETE FROM source_documents WHERE path = ?1", [path])?;
    t.execute("DELETE FROM source_access WHERE path = ?1", [path]).map(drop)
}

/// Inserts a document of a source and its chunks. Where other sources hold the same content the first of their paths names
/// and describes it, and who may see it is the strictest of what they all say. Content that was cut differently before
/// (other chunk sizes) replaces its chunks.
fn insert(t: &Transaction<'_>, path: &str, document: &Document, chunks: &[Chunk]) -> rusqlite::Result<()> {
    let mut body = document.clone();
    let text = std::mem::take(&mut body.text);
    let mut of_all = t.prepare_cached("SELECT min(path) FROM source_documents WHERE doc_id = ?1")?;
    let first: Option<String> = of_all.query_row([&document.id], |r| r.get(0))?;
    if first.is_some_and(|first| first.as_str() < path) {
        let known: String = t.query_row("SELECT body FROM documents WHERE id = ?1", [&document.id], |r| r.get(0))?;
        if let Ok(known) = serde_json::from_str::<Document>(&known) {
            (body.source, body.metadata) = (known.source, known.metadata);
        }
    }
    let mut of_others = t.prepare_cached("SELECT access FROM source_access WHERE doc_id = ?1")?;
    let said: Vec<String> = of_others.query_map([&document.id], |r| r.get(0))?.collect::<Result<_, _>>()?;
    let said = said.iter().filter_map(|name| Access::named(name));
    body.metadata.access = said.fold(document.metadata.access, Access::max);
    let body = serde_json::to_string(&body).expect("plain data serialises");
    let pages = document.units.iter().filter(|u| u.kind != crate::document::UnitKind::Body).count();
    let external = document.metadata.external_id.as_deref();
    let same: bool = t
        .query_row(
            "SELECT 1 FROM documents WHERE id = ?1 AND body = ?2 AND text = ?3",
            [&document.id, &body, &text],
            |_| Ok(()),
        )
        .optional()?
        .is_some();
    let known: i64 = t.query_row("SELECT count(*) FROM chunks WHERE doc_id = ?1", [&document.id], |r| r.get(0))?;
    if same && known == chunks.len() as i64 && same_chunks(t, chunks)? {
        return Ok(());
    }
    remove_chunks(t, &document.id)?;
    t.execute(
        "INSERT OR REPLACE INTO documents (id, external_id, pages, body, text) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![document.id, external, pages as i64, body, text],
    )?;
    let mut add = t.prepare_cached(
        "INSERT OR REPLACE INTO chunks (id, doc_id, ordinal, start, stop, path, page, pending)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)",
    )?;
    let mut keep = t.prepare_cached("DELETE FROM deletions WHERE id = ?1")?;
    for chunk in chunks {
        let path = serde_json::to_string(&chunk.path).expect("a list of strings serialises");
        let (start, stop) = (chunk.span.start as i64, chunk.span.end as i64);
        add.execute(params![chunk.id.cast_signed(), chunk.doc_id, chunk.ordinal, start, stop, path, chunk.page])?;
        keep.execute([chunk.id.cast_signed()])?;
    }
    Ok(())
}

fn same_chunks(t: &Transaction<'_>, chunks: &[Chunk]) -> rusqlite::Result<bool> {
    let mut find = t.prepare_cached("SELECT 1 FROM chunks WHERE id = ?1 AND start = ?2 AND stop = ?3")?;
    for chunk in chunks {
        let (start, stop) = (chunk.span.start as i64, chunk.span.end as i64);
        if !find.exists(params![chunk.id.cast_signed(), start, stop])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A document that a source no longer gives: gone, or to be named and described anew by the sources that still do.
fn without_source(t: &Transaction<'_>, doc_id: &str) -> rusqlite::Result<()> {
    t.execute(
        "UPDATE sources SET settings = '' WHERE path IN (SELECT path FROM source_documents WHERE doc_id = ?1)",
        [doc_id],
    )?;
    let used: i64 = t.query_row("SELECT count(*) FROM source_documents WHERE doc_id = ?1", [doc_id], |r| r.get(0))?;
    if used == 0 {
        remove_chunks(t, doc_id)?;
        t.execute("DELETE FROM documents WHERE id = ?1", [doc_id])?;
    }
    Ok(())
}

fn remove_chunks(t: &Transaction<'_>, doc_id: &str) -> rusqlite::Result<()> {
    t.execute("INSERT OR IGNORE INTO deletions (id) SELECT id FROM chunks WHERE doc_id = ?1", [doc_id])?;
    t.execute("DELETE FROM chunks WHERE doc_id = ?1", [doc_id])?;
    Ok(())
}
