//! One file that holds an index: written while nothing of it can be lost, read back only if it is whole and ours.
//!
//! The file is a zip: `manifest.json` (what it is, and the SHA-256 of everything else), `catalog.sqlite3`, and `vectors/…`
//! unless they were left out, as they can be made again from the catalogue's texts. Both directions work beside their
//! target and move one file into place at the end: after a `kill -9` there is the old one or the new one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{CATALOG, Catalog, Fingerprint, IndexError, LAYOUT, Lock, Stats, StorePlace, generation, reembed, sha256};
use crate::embed::Embedder;

const FORMAT: &str = "sectora index archive";
const VERSION: u32 = 1;
const MANIFEST: &str = "manifest.json";
/// A manifest of a million files is shorter than this.
const MANIFEST_BYTES: u64 = 256 << 20;

/// What an archive says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    format: String,
    /// Version of this form.
    version: u32,
    /// Program version that wrote it.
    pub program: String,
    /// Sector name.
    pub sector: String,
    /// What the index was made with.
    pub fingerprint: Fingerprint,
    /// Whether the vectors are in it.
    pub vectors: bool,
    /// How much the index holds.
    pub stats: Stats,
    /// Everything in it but this.
    files: BTreeMap<String, Entry>,
}

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    bytes: u64,
    sha256: String,
}

/// How to back up.
#[derive(Clone, Copy, Debug)]
pub struct BackupOptions {
    /// With the vectors: nobody else may hold the index. Without: at any time, also beside a running server.
    pub vectors: bool,
    /// Whether an existing file may be replaced.
    pub replace: bool,
}

/// A finished backup.
#[derive(Clone, Debug, Serialize)]
pub struct Archived {
    /// The archive.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
    /// What it says of itself.
    #[serde(flatten)]
    pub manifest: Summary,
}

/// A finished restoration.
#[derive(Clone, Debug, Serialize)]
pub struct Restored {
    /// The index folder.
    pub folder: String,
    /// What the archive said of itself.
    #[serde(flatten)]
    pub manifest: Summary,
}

/// A manifest without its list of files.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Sector name.
    pub sector: String,
    /// What the index was made with, in words.
    pub made_with: String,
    /// Whether the vectors are in it; otherwise they are made again from the texts.
    pub vectors: bool,
    /// Documents.
    pub documents: u64,
    /// Chunks.
    pub chunks: u64,
    /// Files.
    pub files: usize,
}

impl Manifest {
    fn summary(&self) -> Summary {
        Summary {
            sector: self.sector.clone(),
            made_with: self.fingerprint.to_string(),
            vectors: self.vectors,
            documents: self.stats.documents,
            chunks: self.stats.chunks,
            files: self.files.len(),
        }
    }
}

/// Writes the index in `folder` into `file`, and reads that back.
pub fn backup(
    folder: &Path,
    sector: &str,
    place: &StorePlace,
    file: &Path,
    options: BackupOptions,
) -> Result<Archived, IndexError> {
    let path = folder.join(CATALOG);
    if !path.exists() {
        return Err(IndexError::NoIndex(folder.display().to_string()));
    }
    if file.exists() && !options.replace {
        return Err(wrong(file, "exists already; name a new file, or say --replace"));
    }
    let vectors = match (place, options.vectors) {
        (StorePlace::Embedded(_), vectors) => vectors,
        (StorePlace::Server(_), true) => {
            return Err(wrong(
                file,
                "the vectors are on a Qdrant server, which has snapshots of its own; say --without-vectors",
            ));
        }
        (StorePlace::Server(_), false) => false,
    };
    let _held = if vectors { Some(Lock::take(folder)?) } else { None };
    let _alone = Lock::take_named(folder, "backup.lock")?;
    let catalog = Catalog::open(&path)?;
    let copy = folder.join("backup.sqlite3");
    remove(&copy)?;
    catalog.copy_to(&copy)?;
    let result = write(folder, sector, &catalog, place, vectors, &copy, file);
    remove(&copy)?;
    result
}

fn write(
    folder: &Path,
    sector: &str,
    catalog: &Catalog,
    place: &StorePlace,
    vectors: bool,
    copy: &Path,
    file: &Path,
) -> Result<Archived, IndexError> {
    // Of the copy: the catalogue itself may go on.
    let copied = Catalog::open(copy)?;
    let fingerprint = copied.fingerprint()?.ok_or_else(|| IndexError::NoIndex(folder.display().to_string()))?;
    let stats = copied.stats()?;
    drop(copied);
    let mut sources = BTreeMap::from([(CATALOG.to_owned(), copy.to_owned())]);
    if vectors {
        if !generation::exists(folder, place, &catalog.generation()?)? {
            let what = "its vectors are missing; `sectora ingest` makes them again, or say --without-vectors";
            return Err(wrong(folder, what));
        }
        // Opening replays its log; then everything acknowledged is in its files.
        let store = generation::open(folder, place, &catalog.generation()?, fingerprint.vectors())?;
        store.flush()?;
        drop(store);
        let root = generation::vectors(folder, &catalog.generation()?);
        sources.extend(files_below(&root)?.into_iter().map(|(name, path)| (format!("vectors/{name}"), path)));
    }
    let mut files = BTreeMap::new();
    for (name, source) in &sources {
        files.insert(name.clone(), digest(File::open(source)?)?);
    }
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        sector: sector.to_owned(),
        fingerprint,
        vectors,
        stats,
        files,
    };
    let partial = with_ending(file, ".partial");
    pack(&partial, &manifest, &sources)?;
    let (_, read) = open(&partial)?;
    if read != manifest {
        return Err(wrong(&partial, "reads back otherwise than it was written; is the disk in order?"));
    }
    verify(&partial, &manifest)?;
    fs_err::rename(&partial, file)?;
    sync_folder(file.parent())?;
    Ok(Archived {
        file: file.display().to_string(),
        bytes: fs_err::metadata(file)?.len(),
        manifest: manifest.summary(),
    })
}

/// Writes the archive and sees it to the disk.
fn pack(file: &Path, manifest: &Manifest, sources: &BTreeMap<String, PathBuf>) -> Result<(), IndexError> {
    let zipped = |e: zip::result::ZipError| wrong(file, format!("cannot be written: {e}"));
    // Fast rather than small: vectors do not get smaller, texts and empty logs do.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1))
        .large_file(true);
    let mut zip = ZipWriter::new(fs_err::File::create(file)?);
    zip.start_file(MANIFEST, options).map_err(zipped)?;
    zip.write_all(&serde_json::to_vec_pretty(manifest).expect("plain data serialises"))?;
    for (name, source) in sources {
        zip.start_file(name.as_str(), options).map_err(zipped)?;
        std::io::copy(&mut File::open(source)?, &mut zip)?;
    }
    zip.finish().map_err(zipped)?.sync_all()?;
    Ok(())
}

/// Puts an archive in the place of the index in `folder`. Vectors that are not in it are left to [`super::fill()`], for the
/// encoder that is used now.
pub fn restore(
    folder: &Path,
    sector: &str,
    place: &StorePlace,
    embedder: Option<&dyn Embedder>,
    file: &Path,
    replace: bool,
) -> Result<Restored, IndexError> {
    let (_, manifest) = open(file)?;
    if manifest.sector != sector {
        let what =
            format!("is of the sector `{}`, not of `{sector}`; say --sector {}", manifest.sector, manifest.sector);
        return Err(wrong(file, what));
    }
    if manifest.fingerprint.layout > LAYOUT {
        let what = format!(
            "has layout {}, this program knows layouts up to {LAYOUT}; use the program that wrote it ({})",
            manifest.fingerprint.layout, manifest.program
        );
        return Err(wrong(file, what));
    }
    fs_err::create_dir_all(folder)?;
    let _held = Lock::take(folder)?;
    let target = folder.join(CATALOG);
    if target.exists() && !replace {
        return Err(wrong(folder, "holds an index already; name another --data-dir, or say --replace"));
    }
    let beside = folder.join("restoring");
    if beside.exists() {
        fs_err::remove_dir_all(&beside)?;
    }
    fs_err::create_dir_all(&beside)?;
    unpack(file, &manifest, &beside)?;
    let generation = fresh(folder, &manifest)?;
    adopt(&beside.join(CATALOG), &manifest, &generation, place, embedder, file)?;
    if manifest.vectors && matches!(place, StorePlace::Embedded(_)) {
        fs_err::rename(beside.join("vectors"), generation::vectors(folder, &generation))?;
        sync_folder(Some(folder))?;
    }
    reembed::abandon(folder)?;
    retire(&target)?;
    fs_err::rename(beside.join(CATALOG), &target)?;
    sync_folder(Some(folder))?;
    fs_err::remove_dir_all(&beside)?;
    generation::sweep(folder, place, &Catalog::open(&target)?)?;
    Ok(Restored { folder: folder.display().to_string(), manifest: manifest.summary() })
}

/// Makes the unpacked catalogue ready for its new place, after looking whether it is what the manifest says.
fn adopt(
    path: &Path,
    manifest: &Manifest,
    generation: &str,
    place: &StorePlace,
    embedder: Option<&dyn Embedder>,
    file: &Path,
) -> Result<(), IndexError> {
    let catalog = Catalog::open(path)?;
    let sound: String = catalog.with(|c| c.query_row("PRAGMA integrity_check", [], |r| r.get(0)))?;
    if sound != "ok" {
        return Err(wrong(file, format!("its catalogue is damaged: {sound}")));
    }
    if catalog.stats()? != manifest.stats || catalog.fingerprint()?.as_ref() != Some(&manifest.fingerprint) {
        return Err(wrong(file, "its catalogue is not the one its manifest describes"));
    }
    let filled = manifest.vectors && matches!(place, StorePlace::Embedded(_));
    let refilled = if filled { None } else { Some(Fingerprint::now(place, embedder)) };
    catalog.move_to(generation, refilled.as_ref())
}

/// The old catalogue's log must not be taken for the new one's: it is written into it, or, if it cannot be, removed.
fn retire(target: &Path) -> Result<(), IndexError> {
    if target.exists() {
        let emptied = Catalog::open(target)
            .and_then(|old| old.with(|c| c.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get::<_, i64>(0))));
        // One that cannot be opened is beyond repair, which may be why an archive is restored.
        drop(emptied);
    }
    for end in ["-wal", "-shm"] {
        remove(&with_ending(target, end))?;
    }
    Ok(())
}

/// A generation that is nobody's.
fn fresh(folder: &Path, manifest: &Manifest) -> Result<String, IndexError> {
    let hash = Sha256::digest(serde_json::to_vec(manifest).expect("plain data serialises"));
    let name = sha256::hex(&hash[..4]);
    let current = folder.join(CATALOG);
    let taken = if current.exists() { Catalog::open(&current).and_then(|c| c.generation()).ok() } else { None };
    let free = |g: &String| Some(g) != taken.as_ref() && !generation::vectors(folder, g).exists();
    let mut names = (1u64..).map(|i| format!("-{name}-{i}"));
    names.find(free).ok_or_else(|| wrong(folder, "has no free name for its vectors"))
}

/// Opens an archive and reads what it says of itself.
fn open(file: &Path) -> Result<(ZipArchive<File>, Manifest), IndexError> {
    let opened = File::open(file).map_err(|e| wrong(file, e))?;
    let foreign = |e: zip::result::ZipError| {
        wrong(file, format!("is no index archive, or it is cut off ({e}); `sectora index backup` writes them"))
    };
    let mut zip = ZipArchive::new(opened).map_err(foreign)?;
    let manifest = zip.by_name(MANIFEST).map_err(foreign)?;
    let mut json = Vec::new();
    manifest.take(MANIFEST_BYTES).read_to_end(&mut json).map_err(|e| wrong(file, format!("is damaged: {e}")))?;
    let manifest: Manifest = serde_json::from_slice(&json)
        .map_err(|e| wrong(file, format!("is no index archive: its {MANIFEST} says something else ({e})")))?;
    if manifest.format != FORMAT || manifest.version != VERSION {
        let what = format!(
            "is a `{}` of version {}, this program reads `{FORMAT}` of version {VERSION}",
            manifest.format, manifest.version
        );
        return Err(wrong(file, what));
    }
    Ok((zip, manifest))
}

/// Checks every file of an archive against its manifest.
fn verify(file: &Path, manifest: &Manifest) -> Result<(), IndexError> {
    each(file, manifest, |_, reader| digest(reader).map_err(|e| wrong(file, format!("is damaged: {e}"))))
}

/// Unpacks an archive into `folder`, checking every file, and sees it to the disk.
fn unpack(file: &Path, manifest: &Manifest, folder: &Path) -> Result<(), IndexError> {
    each(file, manifest, |name, reader| {
        let target = folder.join(name);
        fs_err::create_dir_all(target.parent().unwrap_or(folder))?;
        let mut out = fs_err::File::create(&target)?;
        let copied = sha256::copy(reader, |part| out.write_all(part));
        let (bytes, sha256) = copied.map_err(|e| match e.kind() {
            ErrorKind::InvalidData => wrong(file, format!("is damaged: {name}: {e}")),
            _ => e.into(),
        })?;
        out.sync_all()?;
        Ok(Entry { bytes, sha256 })
    })
}

/// Hands out every file of the manifest and compares what was read of it with what is written down.
fn each(
    file: &Path,
    manifest: &Manifest,
    mut read: impl FnMut(&str, &mut dyn Read) -> Result<Entry, IndexError>,
) -> Result<(), IndexError> {
    let (mut zip, _) = open(file)?;
    if !manifest.files.contains_key(CATALOG) || zip.len() != manifest.files.len() + 1 {
        return Err(wrong(file, "does not hold the files its manifest names"));
    }
    for (name, entry) in &manifest.files {
        let parts: Vec<Component<'_>> = Path::new(name).components().collect();
        let inside = parts.iter().all(|p| matches!(p, Component::Normal(_))) && !name.contains('\\');
        if !inside || (name != CATALOG && !(manifest.vectors && name.starts_with("vectors/"))) {
            return Err(wrong(file, format!("names `{name}`, which is no part of an index")));
        }
        let found = zip.by_name(name).map_err(|e| wrong(file, format!("is damaged: {name}: {e}")))?;
        // One byte more than there should be is enough to see that it is not the same.
        let found = read(name, &mut found.take(entry.bytes.saturating_add(1)))?;
        if found != *entry {
            return Err(wrong(file, format!("is damaged: {name} is not what was backed up")));
        }
    }
    Ok(())
}

fn digest(mut reader: impl Read) -> std::io::Result<Entry> {
    let (bytes, sha256) = sha256::copy(&mut reader, |_| Ok(()))?;
    Ok(Entry { bytes, sha256 })
}

/// Files below `root` by their names with `/`.
fn files_below(root: &Path) -> Result<Vec<(String, PathBuf)>, IndexError> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry.map_err(|e| IndexError::Io(e.into()))?;
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(root).unwrap_or(entry.path());
            found.push((name.to_string_lossy().replace('\\', "/"), entry.path().to_owned()));
        }
    }
    Ok(found)
}

fn remove(file: &Path) -> std::io::Result<()> {
    if file.exists() { fs_err::remove_file(file) } else { Ok(()) }
}

fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Sees renames to the disk where the system can.
fn sync_folder(folder: Option<&Path>) -> std::io::Result<()> {
    match folder {
        Some(folder) if cfg!(unix) && !folder.as_os_str().is_empty() => fs_err::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn wrong(file: &Path, what: impl std::fmt::Display) -> IndexError {
    IndexError::Archive { file: file.display().to_string(), what: what.to_string() }
}
