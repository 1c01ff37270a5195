//! Which store belongs to the catalogue: a rebuilt one lies beside the one in use until the catalogue names it.
//!
//! A generation is the end of a name: the store is the folder `vectors{generation}`, or the collection
//! `{collection}{generation}`. The first has none. Whatever the catalogue does not name, and nobody is building, is swept.

use std::path::{Path, PathBuf};

use super::terms::{TermCounts, write_terms};
use super::{
    Catalog, EdgeStore, Fingerprint, IndexError, QdrantOptions, QdrantStore, StorePlace, VectorStore, Vectors, reembed,
};

/// The folder of a store of our own.
pub(super) fn vectors(folder: &Path, generation: &str) -> PathBuf {
    folder.join(format!("vectors{generation}"))
}

fn collection(options: &QdrantOptions, generation: &str) -> QdrantOptions {
    QdrantOptions { collection: format!("{}{generation}", options.collection), ..options.clone() }
}

/// Whether a generation is there. Asked, and acted on, before [`open`] makes one that is not: an interruption between the
/// two must not leave an empty store that passes for a full one.
pub(super) fn exists(folder: &Path, place: &StorePlace, generation: &str) -> Result<bool, IndexError> {
    match place {
        StorePlace::Embedded(_) => Ok(vectors(folder, generation).exists()),
        StorePlace::Server(options) => QdrantStore::exists(collection(options, generation)),
    }
}

/// Opens a generation, making it, empty, if it is not there.
pub(super) fn open(
    folder: &Path,
    place: &StorePlace,
    generation: &str,
    kept: Vectors,
) -> Result<Box<dyn VectorStore>, IndexError> {
    Ok(match place {
        StorePlace::Embedded(options) => Box::new(EdgeStore::open(&vectors(folder, generation), kept, *options)?),
        StorePlace::Server(options) => Box::new(QdrantStore::open(collection(options, generation), kept)?),
    })
}

/// Removes a generation. A collection that this catalogue never wrote is not ours to empty unless somebody said
/// `--rebuild`.
pub(super) fn clear(folder: &Path, place: &StorePlace, generation: &str, never_ours: bool) -> Result<(), IndexError> {
    let vectors = vectors(folder, generation);
    match place {
        StorePlace::Embedded(_) if vectors.exists() => fs_err::remove_dir_all(vectors)?,
        StorePlace::Embedded(_) => {}
        StorePlace::Server(options) if never_ours => QdrantStore::refuse_foreign(&collection(options, generation))?,
        StorePlace::Server(options) => QdrantStore::remove(collection(options, generation))?,
    }
    Ok(())
}

/// Removes the stores that are no longer used. Only for whoever holds the index.
pub fn sweep(folder: &Path, place: &StorePlace, catalog: &Catalog) -> Result<(), IndexError> {
    let current = catalog.generation()?;
    let next = reembed::building(folder)?.filter(|next| *next != current);
    if let Some(old) = catalog.leftover()? {
        if old != current && Some(&old) != next.as_ref() {
            clear(folder, place, &old, false)?;
        }
        catalog.forget_leftover()?;
    }
    let mine = |name: &str| {
        let being_built = next.as_ref().is_some_and(|next| name.starts_with(&format!("vectors{next}")));
        name == format!("vectors{current}") || being_built
    };
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // `vectors`, `vectors-…`, and half-made ones.
        let is_store = name.strip_prefix("vectors").is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']));
        if is_store && !mine(&name) && entry.file_type()?.is_dir() {
            fs_err::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

impl Catalog {
    /// What the store's folder or collection is called beyond its usual name.
    pub(super) fn generation(&self) -> Result<String, IndexError> {
        Ok(self.meta("generation")?.unwrap_or_default())
    }

    /// A generation that is no longer used and may still be there.
    fn leftover(&self) -> Result<Option<String>, IndexError> {
        self.meta("leftover")
    }

    fn forget_leftover(&self) -> Result<(), IndexError> {
        self.with(|c| c.execute("DELETE FROM meta WHERE key = 'leftover'", [])).map(drop)
    }

    /// From now on the store is this generation, which holds every chunk: one transaction, so that a reader, or whoever
    /// comes after a `kill -9`, finds the old store or the new one.
    pub(super) fn switch(
        &self,
        generation: &str,
        fingerprint: &Fingerprint,
        counts: Option<&TermCounts>,
    ) -> Result<(), IndexError> {
        let old = self.generation()?;
        let fingerprint = serde_json::to_string(fingerprint).expect("plain data serialises");
        self.transaction(|t| {
            let set = |key: &str, value: &str| {
                t.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", [key, value]).map(drop)
            };
            set("generation", generation)?;
            set("leftover", &old)?;
            set("fingerprint", &fingerprint)?;
            if let Some(counts) = counts {
                set("average_length", &counts.length.to_string())?;
                set("average_heading_length", &counts.headings.to_string())?;
                write_terms(t, counts)?;
            }
            t.execute_batch("UPDATE chunks SET pending = 0 WHERE pending = 1; DELETE FROM deletions")
        })
    }

    /// Copies the catalogue as it is at this moment into a new file, also while others read or write it.
    pub(super) fn copy_to(&self, file: &Path) -> Result<(), IndexError> {
        let file = file.display().to_string();
        self.with(|c| c.execute("VACUUM INTO ?1", [&file])).map(drop)
    }

    /// Makes this the catalogue of another generation. With a fingerprint the store is to be filled anew, as that says, and
    /// terms are counted again.
    pub(super) fn move_to(&self, generation: &str, refilled: Option<&Fingerprint>) -> Result<(), IndexError> {
        let refilled = refilled.map(|f| serde_json::to_string(f).expect("plain data serialises"));
        self.transaction(|t| {
            let set = |key: &str, value: &str| {
                t.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", [key, value]).map(drop)
            };
            set("generation", generation)?;
            t.execute("DELETE FROM meta WHERE key = 'leftover'", [])?;
            if let Some(fingerprint) = &refilled {
                set("fingerprint", fingerprint)?;
                t.execute_batch(
                    "DELETE FROM meta WHERE key IN ('average_length', 'average_heading_length');
                     UPDATE chunks SET pending = 1; DELETE FROM deletions",
                )?;
            }
            Ok(())
        })
    }
}
