//! The next store of an index, built beside the one in use: another encoder, another analyser, another layout.
//!
//! In: the catalogue's texts (the sources are not read again). Out: a complete store under another name, and one
//! transaction that makes the catalogue name it. Nothing of the index is locked while it is built, so questions are
//! answered from the old store meanwhile; what the catalogue gained in between is added before the switch, by whoever
//! holds the index. Which chunks the next store has is written down beside it (`next.sqlite3`), so that a build that was
//! killed goes on. Knows nothing of who asks for it.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::fill::{CHECKPOINT, Described, FillOptions, LENGTH_DRIFT, Pages};
use super::terms::{TermCounts, count_terms};
use super::{
    Catalog, Fingerprint, IndexError, LAYOUT, Lock, Phase, Progress, StorePlace, VectorStore, generation, sha256,
};
use crate::embed::Embedder;

const FILE: &str = "next.sqlite3";
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS done (id INTEGER PRIMARY KEY, signature INTEGER NOT NULL);
";

/// A store that is being built; one process at a time builds.
pub struct Next {
    folder: PathBuf,
    place: StorePlace,
    notes: Notes,
    fingerprint: Fingerprint,
    generation: String,
    _lock: Lock,
}

/// How far a build is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Nothing is being built.
    No,
    /// Complete when it was last looked at; made with the encoder that the settings call by this name.
    Yes(String),
    /// Whoever holds the index could not take it over, and why.
    Refused(String),
}

impl Next {
    /// Begins the next store of the index in `folder`, or goes on with it; `None` where the index is already as it would
    /// be. `encoder` is how the settings name the embedder, for [`Ready::Yes`]; empty: only what was begun is taken up.
    pub fn begin(
        folder: &Path,
        place: &StorePlace,
        embedder: Option<&dyn Embedder>,
        encoder: &str,
        catalog: &Catalog,
    ) -> Result<Option<Next>, IndexError> {
        let fingerprint = Fingerprint::now(place, embedder);
        let found = catalog.fingerprint()?.ok_or_else(|| IndexError::NoIndex(folder.display().to_string()))?;
        if found == fingerprint {
            return Ok(None);
        }
        if found.layout > LAYOUT || found.store != fingerprint.store {
            return Err(super::mismatch(folder, &found, &fingerprint));
        }
        let lock = Lock::take_named(folder, "next.lock")?;
        let current = catalog.generation()?;
        let generation = name(&fingerprint, &current);
        let notes = Notes::open(folder)?;
        let begun = notes.get("generation")?;
        if encoder.is_empty() && begun.as_deref() != Some(&*generation) {
            let what = "the store beside it was built with other settings than this process has; use the same for both";
            return Err(IndexError::Store { path: folder.display().to_string(), what: what.to_owned() });
        }
        if begun.as_deref() != Some(&*generation) {
            if let Some(other) = begun.filter(|other| *other != current) {
                generation::clear(folder, place, &other, false)?;
            }
            notes.begin(&generation)?;
        }
        if !encoder.is_empty() {
            notes.set("encoder", encoder)?;
        }
        notes.set("state", "building")?;
        Ok(Some(Next { folder: folder.to_owned(), place: place.clone(), notes, fingerprint, generation, _lock: lock }))
    }

    /// Brings the next store to hold what the catalogue holds now; the number of chunks written. Killed or cancelled, it
    /// goes on from the last checkpoint when it is begun again.
    pub fn build(
        &self,
        catalog: &Catalog,
        embedder: Option<&dyn Embedder>,
        options: FillOptions<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<u64, IndexError> {
        if !generation::exists(&self.folder, &self.place, &self.generation)? {
            self.notes.forget_all()?;
        }
        let store = generation::open(&self.folder, &self.place, &self.generation, self.fingerprint.vectors())?;
        let total = catalog.stats()?.chunks;
        progress(Progress { phase: Phase::Counting, done: 0, total, path: None, next: None });
        let counts = self.counts(catalog)?;
        let average = [counts.length, counts.headings];
        let (mut seen, mut written) = (0u64, 0u64);
        let mut fresh: Vec<(u64, i64)> = Vec::new();
        let mut pages = Pages::new(catalog, false, embedder);
        while let Some(chunks) = pages.next()? {
            seen += chunks.len() as u64;
            let mut batch = Described::read(catalog, chunks)?;
            let signatures = batch.signatures(options, average);
            let known = self.notes.signatures(batch.chunks.iter().map(|c| c.id))?;
            let wanted: Vec<bool> = signatures.iter().zip(&known).map(|(s, k)| Some(*s) != *k).collect();
            fresh.extend(
                batch.chunks.iter().zip(&signatures).zip(&wanted).filter(|(_, w)| **w).map(|((c, s), _)| (c.id, *s)),
            );
            batch.retain(&wanted);
            written += batch.chunks.len() as u64;
            store.upsert(batch.points(catalog, embedder, options, average)?)?;
            progress(Progress { phase: Phase::Indexing, done: seen, total, path: None, next: None });
            let cancelled = options.cancel.load(Ordering::SeqCst);
            if fresh.len() >= CHECKPOINT || cancelled {
                store.flush()?;
                self.notes.add(&fresh)?;
                fresh.clear();
            }
            if cancelled {
                return Err(IndexError::Interrupted);
            }
        }
        forget_strays(catalog, &*store)?;
        store.maintain()?;
        self.notes.add(&fresh)?;
        Ok(written)
    }

    /// Says that the store is complete and that whoever holds the index may take it over.
    pub fn ready(self) -> Result<(), IndexError> {
        self.notes.set("state", "ready")
    }

    /// Makes the catalogue name this store. Only for whoever holds the index, after [`Next::build`].
    pub fn switch(self, catalog: &Catalog) -> Result<(), IndexError> {
        let counts = if self.keeps_counts(catalog)? { None } else { Some(self.counts(catalog)?) };
        catalog.switch(&self.generation, &self.fingerprint, counts.as_ref())?;
        self.notes.remove(&self.folder)
    }

    /// How far the build beside the index in `folder` is.
    pub fn state(folder: &Path) -> Result<Ready, IndexError> {
        if !folder.join(FILE).exists() {
            return Ok(Ready::No);
        }
        let read = || -> Result<Ready, IndexError> {
            let notes = Notes::open(folder)?;
            Ok(match notes.get("state")?.as_deref() {
                Some("ready") => Ready::Yes(notes.get("encoder")?.unwrap_or_default()),
                Some("refused") => Ready::Refused(notes.get("reason")?.unwrap_or_default()),
                _ => Ready::No,
            })
        };
        // Taken over, and so removed, while it was being read: SQLite calls that an input/output error.
        read().or_else(|error| if folder.join(FILE).exists() { Err(error) } else { Ok(Ready::No) })
    }

    /// Remembers why the store could not be taken over, for whoever waits for it.
    pub fn refuse(folder: &Path, reason: &str) -> Result<(), IndexError> {
        let notes = Notes::open(folder)?;
        notes.set("reason", reason)?;
        notes.set("state", "refused")
    }

    /// The catalogue's own counts hold where texts are analysed and laid out as before.
    fn keeps_counts(&self, catalog: &Catalog) -> Result<bool, IndexError> {
        let same = |f: Fingerprint| (&f.analyser, f.layout) == (&self.fingerprint.analyser, self.fingerprint.layout);
        Ok(catalog.fingerprint()?.is_some_and(same) && catalog.average_length()?.is_some())
    }

    /// The counts that sparse vectors are made with. Means that a build began with are kept unless they drift far, so that
    /// a few new documents do not change every vector.
    fn counts(&self, catalog: &Catalog) -> Result<TermCounts, IndexError> {
        if self.keeps_counts(catalog)? {
            let length = catalog.average_length()?.unwrap_or(0.0);
            let headings = catalog.average_heading_length()?.unwrap_or(0.0);
            return Ok(TermCounts { length, headings, ..TermCounts::default() });
        }
        let mut counts = count_terms(catalog)?;
        let number = |key| Ok::<_, IndexError>(self.notes.get(key)?.and_then(|t| t.parse::<f32>().ok()));
        match (number("length")?, number("headings")?) {
            (Some(length), Some(headings)) if (counts.length - length).abs() <= LENGTH_DRIFT * length => {
                (counts.length, counts.headings) = (length, headings);
            }
            _ => {
                self.notes.set("length", &counts.length.to_string())?;
                self.notes.set("headings", &counts.headings.to_string())?;
            }
        }
        Ok(counts)
    }
}

/// The generation that is being built beside the index in `folder`.
pub(super) fn building(folder: &Path) -> Result<Option<String>, IndexError> {
    if folder.join(FILE).exists() { Notes::open(folder)?.get("generation") } else { Ok(None) }
}

/// A build that nobody will go on with: the index it was for has been replaced.
pub(super) fn abandon(folder: &Path) -> Result<(), IndexError> {
    if folder.join(FILE).exists() { Notes::open(folder)?.remove(folder) } else { Ok(()) }
}

/// Differs from the present one, and is the same whenever the same is built over the same.
fn name(fingerprint: &Fingerprint, current: &str) -> String {
    let json = serde_json::to_vec(&(fingerprint, current)).expect("plain data serialises");
    format!("-{}", sha256::hex(&Sha256::digest(&json)[..4]))
}

/// Takes out what a killed build wrote and the catalogue has lost since.
fn forget_strays(catalog: &Catalog, store: &dyn VectorStore) -> Result<(), IndexError> {
    let mut after = None;
    loop {
        let ids = store.ids(after, CHECKPOINT)?;
        let Some(last) = ids.last() else { return Ok(()) };
        after = Some(*last);
        let mut strays = Vec::new();
        for id in ids {
            if catalog.chunk(id)?.is_none() {
                strays.push(id);
            }
        }
        store.delete(&strays)?;
    }
}

/// What is written down beside a store that is being built.
struct Notes {
    connection: Connection,
    path: String,
}

impl Notes {
    fn open(folder: &Path) -> Result<Notes, IndexError> {
        let path = folder.join(FILE).display().to_string();
        let open = || {
            let connection = Connection::open(&path)?;
            connection.busy_timeout(std::time::Duration::from_secs(30))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.execute_batch(SCHEMA)?;
            Ok(connection)
        };
        match open() {
            Ok(connection) => Ok(Notes { connection, path }),
            Err(source) => Err(IndexError::Catalog { path, source }),
        }
    }

    fn begin(&self, generation: &str) -> Result<(), IndexError> {
        self.try_to(|c| {
            c.execute_batch("BEGIN; DELETE FROM done; DELETE FROM meta;")?;
            c.execute("INSERT INTO meta (key, value) VALUES ('generation', ?1)", [generation])?;
            c.execute_batch("COMMIT")
        })
    }

    fn get(&self, key: &str) -> Result<Option<String>, IndexError> {
        self.try_to(|c| c.query_row("SELECT value FROM meta WHERE key = ?1", [key], |r| r.get(0)).optional())
    }

    fn set(&self, key: &str, value: &str) -> Result<(), IndexError> {
        self.try_to(|c| c.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", [key, value])).map(drop)
    }

    fn forget_all(&self) -> Result<(), IndexError> {
        self.try_to(|c| c.execute("DELETE FROM done", [])).map(drop)
    }

    /// The signatures of the points the store has, `None` for those it does not have.
    fn signatures(&self, ids: impl Iterator<Item = u64>) -> Result<Vec<Option<i64>>, IndexError> {
        self.try_to(|c| {
            let mut find = c.prepare_cached("SELECT signature FROM done WHERE id = ?1")?;
            ids.map(|id| find.query_row([id.cast_signed()], |r| r.get(0)).optional()).collect()
        })
    }

    /// The store has these on disk.
    fn add(&self, points: &[(u64, i64)]) -> Result<(), IndexError> {
        self.try_to(|c| {
            let transaction = c.unchecked_transaction()?;
            let mut add = c.prepare_cached("INSERT OR REPLACE INTO done (id, signature) VALUES (?1, ?2)")?;
            points.iter().try_for_each(|(id, s)| add.execute(params![id.cast_signed(), s]).map(drop))?;
            transaction.commit()
        })
    }

    /// Removes the file.
    fn remove(self, folder: &Path) -> Result<(), IndexError> {
        drop(self.connection);
        for end in ["", "-wal", "-shm"] {
            let file = folder.join(format!("{FILE}{end}"));
            if file.exists() {
                fs_err::remove_file(file)?;
            }
        }
        Ok(())
    }

    fn try_to<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, IndexError> {
        work(&self.connection).map_err(|source| IndexError::Catalog { path: self.path.clone(), source })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    use super::super::catalog::SourceRow;
    use super::super::{EdgeOptions, Index, Mode, Query};
    use super::*;
    use crate::document::{Chunk, Document, Format, Language, Metadata, Span};
    use crate::embed::{EmbedError, Encoded, Side};
    use crate::text::bm25::{Bm25, SparseVector};

    /// An encoder of two dimensions that counts what it is given.
    struct Counting(AtomicUsize);

    impl Embedder for Counting {
        fn id(&self) -> &str {
            "counting"
        }

        fn dim(&self) -> usize {
            2
        }

        fn embed(&self, texts: &[&str], _: Side) -> Result<Vec<Vec<f32>>, EmbedError> {
            self.0.fetch_add(texts.len(), Ordering::SeqCst);
            Ok(texts.iter().map(|t| vec![1.0, t.len() as f32]).collect())
        }
    }

    /// A document of `n` chunks, one a line.
    fn document(id: &str, n: usize) -> (Document, Vec<Chunk>) {
        let text: String = (0..n).map(|i| format!("{id} line {i:06}\n")).collect();
        let width = text.len() / n;
        let chunk = |i: usize| Chunk {
            id: u64::from(id.as_bytes()[0]) << 32 | i as u64,
            doc_id: id.to_owned(),
            ordinal: i as u32,
            span: Span { start: i * width, end: (i + 1) * width },
            path: Vec::new(),
            page: None,
        };
        let document = Document {
            id: id.to_owned(),
            source: format!("{id}.txt"),
            format: Format::Markdown,
            title: id.to_owned(),
            language: Language::En,
            text,
            units: Vec::new(),
            sections: Vec::new(),
            metadata: Metadata::default(),
        };
        let chunks = (0..n).map(chunk).collect();
        (document, chunks)
    }

    /// A source whose document has `n` chunks, one a line.
    pub(in crate::index) fn add(catalog: &Catalog, id: &str, n: usize) {
        let source = SourceRow {
            path: id.to_owned(),
            size: 1,
            mtime_ns: 0,
            sha256: id.to_owned(),
            settings: String::new(),
            error: None,
            warnings: Vec::new(),
        };
        catalog.replace(&source, &[document(id, n)]).unwrap();
    }

    #[test]
    fn an_interrupted_build_goes_on_and_what_came_meanwhile_is_added() {
        let dir = tempfile::tempdir().unwrap();
        let place = StorePlace::Embedded(EdgeOptions::default());
        let never = AtomicBool::new(false);
        let options = FillOptions { sector: "test", bm25: Bm25::default(), cancel: &never };
        let Index { catalog, store, .. } = &super::super::open(dir.path(), &place, None, false).unwrap();
        add(catalog, "a", 5_000);
        super::super::fill(catalog, &**store, None, options, true, &mut |_| ()).unwrap();

        let embedder = Counting(AtomicUsize::new(0));
        let begin = || Next::begin(dir.path(), &place, Some(&embedder), "counting", catalog).unwrap();
        let stop = AtomicBool::new(false);
        let stopped =
            begin().unwrap().build(catalog, Some(&embedder), FillOptions { cancel: &stop, ..options }, &mut |p| {
                stop.store(p.done >= 3_000, Ordering::SeqCst)
            });
        assert!(matches!(stopped, Err(IndexError::Interrupted)));
        assert_eq!(Next::state(dir.path()).unwrap(), Ready::No);
        let first = embedder.0.load(Ordering::SeqCst);
        assert!((3_000..5_000).contains(&first));

        add(catalog, "b", 10);
        let next = begin().unwrap();
        assert_eq!(next.build(catalog, Some(&embedder), options, &mut |_| ()).unwrap(), 5_010 - first as u64);
        assert_eq!(embedder.0.load(Ordering::SeqCst), 5_010, "nothing is encoded twice");
        catalog.remove("a").unwrap();
        assert_eq!(next.build(catalog, Some(&embedder), options, &mut |_| ()).unwrap(), 0);
        next.ready().unwrap();
        assert_eq!(Next::state(dir.path()).unwrap(), Ready::Yes("counting".into()));
        begin().unwrap().switch(catalog).unwrap();
        assert_eq!(Next::state(dir.path()).unwrap(), Ready::No);
        assert!(begin().is_none(), "the index is as it would become");
        let current = catalog.generation().unwrap();
        assert!(generation::exists(dir.path(), &place, &current).unwrap());
        let new = generation::open(dir.path(), &place, &current, super::super::Vectors::dense(2)).unwrap();
        assert_eq!(new.count(None).unwrap(), 10, "what the catalogue lost has gone");
    }

    /// The same, which also weighs tokens: of each text the number of its line.
    struct Weighing(Counting);

    impl Embedder for Weighing {
        fn id(&self) -> &str {
            "weighing"
        }

        fn dim(&self) -> usize {
            2
        }

        fn embed(&self, texts: &[&str], side: Side) -> Result<Vec<Vec<f32>>, EmbedError> {
            self.0.embed(texts, side)
        }

        fn encode(&self, texts: &[&str], side: Side) -> Result<Vec<Encoded>, EmbedError> {
            let line = |text: &str| text.split_whitespace().last().unwrap().parse().unwrap();
            let learned = |text: &&str| Some(SparseVector { indices: vec![line(text)], values: vec![0.5] });
            let dense = self.embed(texts, side)?;
            Ok(dense.into_iter().zip(texts).map(|(dense, t)| Encoded { dense, learned: learned(t) }).collect())
        }

        fn learns_weights(&self) -> bool {
            true
        }
    }

    #[test]
    fn an_encoder_that_weighs_tokens_gets_a_store_that_keeps_the_weights() {
        let dir = tempfile::tempdir().unwrap();
        let place = StorePlace::Embedded(EdgeOptions::default());
        let never = AtomicBool::new(false);
        let options = FillOptions { sector: "test", bm25: Bm25::default(), cancel: &never };
        let (plain, weighing) = (Counting(AtomicUsize::new(0)), Weighing(Counting(AtomicUsize::new(0))));
        let index = super::super::open(dir.path(), &place, Some(&plain), false).unwrap();
        add(&index.catalog, "a", 9);
        super::super::fill(&index.catalog, &*index.store, Some(&plain), options, true, &mut |_| ()).unwrap();
        let next = Next::begin(dir.path(), &place, Some(&weighing), "weighing", &index.catalog).unwrap().unwrap();
        next.build(&index.catalog, Some(&weighing), options, &mut |_| ()).unwrap();
        next.switch(&index.catalog).unwrap();
        drop(index);
        let refused = super::super::open(dir.path(), &place, Some(&plain), false).err().unwrap().to_string();
        assert!(refused.contains("2 dimensions and learned weights") && refused.contains("reembed"), "{refused}");
        let index = super::super::open(dir.path(), &place, Some(&weighing), false).unwrap();
        let mode = Mode::Learned(SparseVector { indices: vec![7], values: vec![2.0] });
        let hits = index.store.query(&Query { mode, filter: None, limit: 5, exact: false }).unwrap();
        let seventh = document("a", 9).1[7].id;
        assert_eq!(hits.iter().map(|h| (h.id, h.score)).collect::<Vec<_>>(), [(seventh, 1.0)]);
    }

    #[test]
    fn another_change_of_mind_starts_anew_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let place = StorePlace::Embedded(EdgeOptions::default());
        let never = AtomicBool::new(false);
        let options = FillOptions { sector: "test", bm25: Bm25::default(), cancel: &never };
        let embedder = Counting(AtomicUsize::new(0));
        let Index { catalog, store, .. } = &super::super::open(dir.path(), &place, Some(&embedder), false).unwrap();
        add(catalog, "a", 3);
        super::super::fill(catalog, &**store, Some(&embedder), options, true, &mut |_| ()).unwrap();
        let words = Next::begin(dir.path(), &place, None, "none", catalog).unwrap().unwrap();
        words.build(catalog, None, options, &mut |_| ()).unwrap();
        let taken_over = Next::begin(dir.path(), &place, Some(&embedder), "", catalog).unwrap();
        assert!(taken_over.is_none(), "the present encoder needs no new store");
        drop(words);
        generation::sweep(dir.path(), &place, catalog).unwrap();
        let stores = || {
            let names =
                fs_err::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
            names.filter(|n| n.starts_with("vectors")).count()
        };
        assert_eq!(stores(), 2, "what is being built is not swept");
        abandon(dir.path()).unwrap();
        generation::sweep(dir.path(), &place, catalog).unwrap();
        assert_eq!(stores(), 1);
    }
}
