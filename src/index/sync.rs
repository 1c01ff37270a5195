//! The resumable pipeline: sources -> catalogue -> store.
//!
//! First every source is read into the catalogue, one transaction each. Only then are terms counted
//! (BM25 needs the mean length) and the chunks marked pending written to the store (`fill`). Whatever is
//! interrupted is found by its marks and done again; every step may be repeated without harm.

mod reading;
mod report;
mod sources;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use super::fill::{FillOptions, fill};
use super::{Catalog, IndexError, VectorStore};
use crate::document::UnitKind;
use crate::embed::Embedder;
use crate::ingest::{self, ChunkOptions, ExtractOptions, Limits, Override, RecordMapping};
use crate::text::bm25::Bm25;
use reading::{Outcome, Read, read_source};
pub use report::{Phase, Progress, Report, ReportRow, Status};
use sources::{Source, find_sources, prune};

/// Worker processes at a time.
pub const WORKERS: usize = 2;

/// What to read and how.
pub struct SyncOptions<'a> {
    /// Sector name.
    pub sector: String,
    /// Files and folders.
    pub roots: Vec<PathBuf>,
    /// Record fields.
    pub mapping: RecordMapping,
    /// What the sector states about a file.
    pub stated: &'a (dyn Fn(&Path) -> Option<Override> + Sync),
    /// Chunk sizes.
    pub chunks: ChunkOptions,
    /// BM25 parameters.
    pub bm25: Bm25,
    /// Limits of a worker.
    pub limits: Limits,
    /// The program that is started as a worker.
    pub program: PathBuf,
    /// Forget sources under `roots` that have gone.
    pub prune: bool,
    /// Set to stop between two steps.
    pub cancel: &'a AtomicBool,
}

/// Makes catalogue and store say what the sources say.
pub fn sync(
    catalog: &Catalog,
    store: &dyn VectorStore,
    embedder: Option<&dyn Embedder>,
    options: &SyncOptions<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, IndexError> {
    let extract = ExtractOptions { program: &options.program, limits: options.limits, mapping: &options.mapping };
    let read = |path: &Path| ingest::extract(path, &extract);
    sync_with(&read, catalog, store, embedder, options, progress)
}

/// [`sync`] with another way to read a source.
fn sync_with(
    read: &Read<'_>,
    catalog: &Catalog,
    store: &dyn VectorStore,
    embedder: Option<&dyn Embedder>,
    options: &SyncOptions<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, IndexError> {
    let begin = Instant::now();
    let sources = find_sources(&options.roots)?;
    let before = catalog.stats()?.documents;
    // First, so that what a file named that has gone is named anew by another with the same content.
    let mut rows = if options.prune { prune(catalog, &sources, &options.roots)? } else { Vec::new() };
    rows.extend(read_sources(read, catalog, &sources, options, progress)?);
    let reading_s = begin.elapsed().as_secs_f64();
    // A file that can no longer be read may take documents with it.
    let changed = catalog.stats()?.documents != before
        || rows.iter().any(|r| matches!(r.status, Status::Added | Status::Replaced | Status::Removed));
    let filling = FillOptions { sector: &options.sector, bm25: options.bm25, cancel: options.cancel };
    let indexed = fill(catalog, store, embedder, filling, changed, progress)?;
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    let count = |status| rows.iter().filter(|r| r.status == status).count() as u64;
    let stats = catalog.stats()?;
    Ok(Report {
        files: rows.len() as u64,
        added: count(Status::Added),
        replaced: count(Status::Replaced),
        unchanged: count(Status::Unchanged),
        removed: count(Status::Removed),
        failed: count(Status::Failed),
        documents: stats.documents,
        pages: stats.pages,
        chunks: stats.chunks,
        indexed,
        encoder: embedder.map(|e| e.id().to_owned()),
        reading_s,
        indexing_s: begin.elapsed().as_secs_f64() - reading_s,
        seconds: begin.elapsed().as_secs_f64(),
        rows,
    })
}

fn read_sources(
    read: &Read<'_>,
    catalog: &Catalog,
    sources: &[Source],
    options: &SyncOptions<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<ReportRow>, IndexError> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let mut rows = Vec::with_capacity(sources.len());
    let shown = |i: usize| sources.get(i).map(|source| source.shown.clone());
    let step = |done: usize| Progress {
        phase: Phase::Reading,
        done: done as u64,
        total: sources.len() as u64,
        path: done.checked_sub(1).and_then(shown),
        next: shown(done),
    };
    progress(step(0));
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::sync_channel(WORKERS * 2);
        for _ in 0..WORKERS {
            let send = send.clone();
            let (next, stop) = (&next, &stop);
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let halted = stop.load(Ordering::Relaxed) || options.cancel.load(Ordering::SeqCst);
                    let Some(source) = sources.get(i).filter(|_| !halted) else { return };
                    if send.send((i, read_source(read, catalog, source, options))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        // Committed in order, so that which of two equal files names a document does not depend on luck.
        let mut waiting: BTreeMap<usize, Result<Outcome, IndexError>> = BTreeMap::new();
        for (i, outcome) in receive {
            waiting.insert(i, outcome);
            while let Some(outcome) = waiting.remove(&rows.len()) {
                let source = &sources[rows.len()];
                let row = outcome.and_then(|o| commit(catalog, source, o));
                stop.store(row.is_err(), Ordering::Relaxed);
                rows.push(row?);
                progress(step(rows.len()));
            }
        }
        Ok::<_, IndexError>(())
    })?;
    if options.cancel.load(Ordering::SeqCst) { Err(IndexError::Interrupted) } else { Ok(rows) }
}

fn commit(catalog: &Catalog, source: &Source, outcome: Outcome) -> Result<ReportRow, IndexError> {
    let (row, status, (documents, pages, chunks)) = match outcome {
        Outcome::Same(row, moved) => {
            if moved {
                catalog.touch(&row.path, row.size, row.mtime_ns)?;
            }
            let counts = catalog.source_counts(&row.path)?;
            (row, Status::Unchanged, counts)
        }
        Outcome::Unread(mut row) => {
            let counts = catalog.source_counts(&row.path)?;
            if let Some(error) = row.error.as_mut().filter(|_| counts.0 > 0) {
                error.push_str("; what was read of it before stays in the index");
            }
            catalog.note(&row)?;
            (row, Status::Failed, counts)
        }
        Outcome::New(row, new) => {
            let known = catalog.source(&row.path)?.is_some();
            catalog.replace(&row, &new)?;
            let units = new.iter().flat_map(|(document, _)| &document.units);
            let pages = units.filter(|unit| unit.kind != UnitKind::Body).count() as u64;
            let chunks = new.iter().map(|(_, chunks)| chunks.len() as u64).sum();
            (row, if known { Status::Replaced } else { Status::Added }, (new.len() as u64, pages, chunks))
        }
    };
    let status = if row.error.is_some() { Status::Failed } else { status };
    Ok(ReportRow {
        path: source.shown.clone(),
        status,
        documents,
        pages,
        chunks,
        error: row.error,
        warnings: row.warnings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Access, Format, Metadata};
    use crate::index::{EdgeOptions, EdgeStore, Mode, Query, Vectors, sha256};
    use crate::ingest::{Extracted, Part, ReadError};
    use crate::text::bm25;

    /// Reads a file as one Markdown document; `bad` in it is a failure.
    fn read(path: &Path) -> Result<Vec<Extracted>, ReadError> {
        let markdown = fs_err::read_to_string(path).unwrap();
        if markdown.contains("bad") {
            return Err(ReadError::Encrypted);
        }
        Ok(vec![Extracted {
            format: Format::Markdown,
            title: None,
            record: None,
            sha256: sha256::of_file(path).unwrap(),
            metadata: Metadata::default(),
            parts: vec![Part { kind: UnitKind::Body, number: 1, label: None, markdown }],
            warnings: Vec::new(),
        }])
    }

    struct World {
        dir: tempfile::TempDir,
        catalog: Catalog,
        store: EdgeStore,
        cancel: AtomicBool,
    }

    impl World {
        fn new() -> World {
            let dir = tempfile::tempdir().unwrap();
            fs_err::create_dir(dir.path().join("docs")).unwrap();
            let catalog = Catalog::open(&dir.path().join("catalog.sqlite3")).unwrap();
            let store =
                EdgeStore::open(&dir.path().join("vectors"), Vectors::default(), EdgeOptions::default()).unwrap();
            World { dir, catalog, store, cancel: AtomicBool::new(false) }
        }

        fn write(&self, name: &str, text: &str) {
            fs_err::write(self.dir.path().join("docs").join(name), text).unwrap();
        }

        fn sync(&self, prune: bool, on: &mut dyn FnMut(Progress)) -> Result<Report, IndexError> {
            self.sync_by(&read, "docs", prune, on)
        }

        /// `secret.md` is said to be restricted.
        fn sync_by(
            &self,
            read: &Read<'_>,
            root: &str,
            prune: bool,
            on: &mut dyn FnMut(Progress),
        ) -> Result<Report, IndexError> {
            let restricted = || Override { access: Some(Access::Restricted), ..Override::default() };
            let options = SyncOptions {
                sector: "test".into(),
                roots: vec![self.dir.path().join(root)],
                mapping: RecordMapping::default(),
                stated: &|path| path.ends_with("secret.md").then(restricted),
                chunks: ChunkOptions::default(),
                bm25: Bm25::default(),
                limits: Limits::default(),
                program: PathBuf::new(),
                prune,
                cancel: &self.cancel,
            };
            sync_with(read, &self.catalog, &self.store, None, &options, on)
        }

        fn run(&self, prune: bool) -> Report {
            self.sync(prune, &mut |_| ()).unwrap()
        }

        fn ids(&self) -> Vec<u64> {
            self.store.ids(None, 100_000).unwrap()
        }

        fn best(&self, question: &str) -> Option<String> {
            let mode = Mode::Sparse(bm25::query_vector(question));
            let hits = self.store.query(&Query { mode, filter: None, limit: 1, exact: true }).unwrap();
            let chunk = self.catalog.chunk(hits.first()?.id).unwrap()?;
            Some(self.catalog.document(&chunk.doc_id).unwrap().source)
        }
    }

    fn note(i: usize) -> String {
        format!("# Note {i}\n\nThe cell number {i} kept its capacity for {} cycles.\n", i * 10)
    }

    #[test]
    fn running_twice_changes_nothing() {
        let world = World::new();
        (0..5).for_each(|i| world.write(&format!("n{i}.md"), &note(i)));
        let first = world.run(false);
        assert_eq!((first.added, first.documents, first.indexed), (5, 5, first.chunks));
        let ids = world.ids();
        let second = world.run(false);
        assert_eq!((second.unchanged, second.added, second.indexed), (5, 0, 0));
        assert_eq!(world.ids(), ids);
    }

    #[test]
    fn a_changed_file_replaces_its_chunks_and_a_removed_one_goes_with_prune() {
        let world = World::new();
        world.write("a.md", "# Graphite\n\nGraphite expands little.\n");
        world.write("b.md", "# Silicon\n\nSilicon expands threefold.\n");
        world.run(false);
        assert_eq!(world.best("silicon").as_deref(), Some("b.md"));
        world.write("b.md", "# Lithium\n\nLithium metal grows dendrites.\n");
        let report = world.run(false);
        assert_eq!((report.replaced, report.unchanged), (1, 1));
        assert_eq!(world.best("silicon"), None, "the old text has gone");
        assert_eq!(world.best("dendrites").as_deref(), Some("b.md"));
        fs_err::remove_file(world.dir.path().join("docs/b.md")).unwrap();
        assert_eq!(world.run(false).removed, 0, "without --prune nothing is forgotten");
        assert_eq!(world.run(true).removed, 1);
        assert_eq!(world.best("dendrites"), None);
        assert_eq!(world.ids().len() as u64, world.catalog.stats().unwrap().chunks);
    }

    #[test]
    fn records_of_one_name_keep_apart_and_stay_as_they_are_when_read_again() {
        let world = World::new();
        world.write("p.xlsx", "two sheets");
        let record = |n: usize| Extracted {
            format: Format::Xlsx,
            title: None,
            record: Some("P1".into()),
            sha256: format!("{n:0<64}"),
            metadata: Metadata::default(),
            parts: vec![Part { kind: UnitKind::Body, number: 1, label: None, markdown: note(n) }],
            warnings: Vec::new(),
        };
        let sheets = |_: &Path| Ok(vec![record(1), record(2), record(1)]);
        let first = world.sync_by(&sheets, "docs", false, &mut |_| ()).unwrap();
        assert_eq!((first.added, first.documents), (1, 2));
        let warnings = [
            "p.xlsx#P1: another sheet's record has this id; this one is p.xlsx#P1~2",
            "p.xlsx#P1: the same record as an earlier one",
        ];
        assert_eq!(first.rows[0].warnings, warnings);
        assert_eq!(world.best("number 2 20").as_deref(), Some("p.xlsx#P1~2"));
        let ids = world.ids();
        world.write("p.xlsx", "two sheets, saved again");
        let again = world.sync_by(&sheets, "docs", false, &mut |_| ()).unwrap();
        assert_eq!((again.replaced, again.documents), (1, 2));
        assert_eq!((world.ids(), world.best("number 2 20").as_deref()), (ids, Some("p.xlsx#P1~2")));
    }

    #[test]
    fn a_file_that_fails_is_one_row_and_the_rest_goes_on() {
        let world = World::new();
        world.write("a.md", "bad");
        world.write("b.md", &note(1));
        for _ in 0..2 {
            let report = world.run(false);
            assert_eq!((report.failed, report.documents), (1, 1));
            assert!(report.rows[0].error.as_deref().unwrap().contains("encrypted"));
        }
    }

    #[test]
    fn equal_files_are_one_document_until_the_last_has_gone() {
        let world = World::new();
        world.write("a.md", &note(1));
        world.write("b.md", &note(1));
        assert_eq!(world.run(false).documents, 1);
        fs_err::remove_file(world.dir.path().join("docs/a.md")).unwrap();
        assert_eq!(world.run(true).documents, 1);
        fs_err::remove_file(world.dir.path().join("docs/b.md")).unwrap();
        assert_eq!(world.run(true).documents, 0);
        assert!(world.ids().is_empty());
    }

    #[test]
    fn of_equal_files_the_first_names_and_the_strictest_guards() {
        let world = World::new();
        let told = || {
            let document = world.catalog.document(&world.catalog.document_ids("", 2).unwrap().remove(0)).unwrap();
            (document.source, document.metadata.access)
        };
        let remove = |name: &str| fs_err::remove_file(world.dir.path().join("docs").join(name)).unwrap();
        for name in ["a.md", "secret.md", "z.md"] {
            world.write(name, &note(1));
        }
        world.run(false);
        assert_eq!(told(), ("a.md".to_owned(), Access::Restricted));
        remove("a.md");
        world.run(true);
        assert_eq!(told(), ("secret.md".to_owned(), Access::Restricted));
        remove("secret.md");
        world.run(true);
        assert_eq!(told(), ("z.md".to_owned(), Access::Public));
    }

    #[test]
    fn a_failure_that_may_pass_loses_nothing_and_is_tried_again() {
        let world = World::new();
        world.write("a.md", &note(1));
        world.run(false);
        world.write("a.md", &note(2));
        let killed = world.sync_by(&|_| Err(ReadError::Killed), "docs", false, &mut |_| ()).unwrap();
        assert_eq!((killed.failed, killed.documents), (1, 1));
        assert!(killed.rows[0].error.as_deref().unwrap().ends_with("stays in the index"));
        assert!(world.best("number 1").is_some());
        assert_eq!(world.run(false).replaced, 1);
        // Within the same limits it is not tried again and again.
        world.write("a.md", &note(3));
        let limited = |_: &Path| Err(ReadError::Limit("120 s of processor time".into()));
        assert_eq!(world.sync_by(&limited, "docs", false, &mut |_| ()).unwrap().failed, 1);
        assert_eq!(world.run(false).failed, 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_root_that_is_a_link_to_a_file_is_that_file() {
        let world = World::new();
        world.write("a.md", &note(1));
        world.run(false);
        let docs = world.dir.path().join("docs");
        std::os::unix::fs::symlink(docs.join("a.md"), world.dir.path().join("current.md")).unwrap();
        let report = world.sync_by(&read, "current.md", false, &mut |_| ()).unwrap();
        assert_eq!((report.failed, report.documents), (0, 1));
    }

    #[test]
    fn interrupted_anywhere_and_run_again_it_ends_the_same() {
        let files = 30;
        let whole = World::new();
        (0..files).for_each(|i| whole.write(&format!("n{i:02}.md"), &note(i)));
        whole.run(false);
        for stop_after in [1, 7, 29, 31] {
            let world = World::new();
            (0..files).for_each(|i| world.write(&format!("n{i:02}.md"), &note(i)));
            let mut steps = 0;
            let interrupted = world.sync(false, &mut |_| {
                steps += 1;
                world.cancel.store(steps >= stop_after, Ordering::SeqCst);
            });
            assert!(matches!(interrupted, Err(IndexError::Interrupted)), "stopped after {stop_after}");
            world.cancel.store(false, Ordering::SeqCst);
            world.run(false);
            assert_eq!(world.ids(), whole.ids());
            assert_eq!(world.catalog.average_length().unwrap(), whole.catalog.average_length().unwrap());
            assert_eq!(world.catalog.stats().unwrap(), whole.catalog.stats().unwrap());
        }
    }

    #[test]
    fn rare_terms_weigh_more_than_common_ones() {
        let world = World::new();
        (0..9).for_each(|i| world.write(&format!("n{i}.md"), &note(i)));
        world.write("z.md", "# Other\n\nThe cell used a garnet separator.\n");
        world.run(false);
        let idf = world.catalog.idf(&[bm25::dimension("garnet"), bm25::dimension("cell"), 1]).unwrap();
        assert!(idf[0] > idf[1], "garnet {} cell {}", idf[0], idf[1]);
        assert!(idf[2] > idf[0], "an unknown term is the rarest");
    }
}
