//! The models adapted to a sector: where they lie, which is in use, how one takes the place of another.
//!
//! ```text
//! models/adapted/SECTOR/current                  the run in use; renamed into place, which is the switch
//! models/adapted/SECTOR/RUN/model.gguf           the whole model
//! models/adapted/SECTOR/RUN/adapter.safetensors  what was trained, adapter.json (of what it never saw), record.json, questions.jsonl
//! models/adapted/SECTOR/checkpoint.safetensors   of a run that was broken off, and checkpoint.json
//! models/adapted/SECTOR/last-run.json            the record of the last run, kept or not
//! ```
//!
//! A run that dies leaves a folder that `current` does not name; the next one sweeps it.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::ModelError;

const CURRENT: &str = "current";
const MODEL: &str = "model.gguf";
/// What `current` says after a run's name where its model is a reader.
const READER: &str = "reader";

/// See the module.
#[derive(Clone, Debug)]
pub struct Adapted {
    folder: PathBuf,
}

/// The adapted model in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// GGUF file.
    pub model: PathBuf,
    /// Its base is the project's reader, so `--generator embedded` takes it.
    pub is_reader: bool,
}

impl Adapted {
    pub(super) fn of(folder: PathBuf) -> Adapted {
        Adapted { folder }
    }

    /// The sector's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a run that was broken off leaves what it had trained.
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    /// The record of the last run.
    pub fn last_run(&self) -> PathBuf {
        self.folder.join("last-run.json")
    }

    /// The model in use, if there is one.
    pub fn current(&self) -> Result<Option<Current>, ModelError> {
        let path = self.folder.join(CURRENT);
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let mut words = text.split_whitespace();
        let run = words.next().unwrap_or_default();
        let model = self.folder.join(run).join(MODEL);
        if run.is_empty() || run.contains(['/', '\\', '.']) || !model.is_file() {
            let what =
                format!("it names the run {run:?}, which has no {MODEL}; `sectora adapt --remove` clears it away");
            return Err(ModelError::Card { path, what });
        }
        Ok(Some(Current { model, is_reader: words.next() == Some(READER) }))
    }

    /// A fresh folder for a run, and the path of the model in it.
    pub fn begin(&self, run: &str) -> Result<(PathBuf, PathBuf), ModelError> {
        let folder = self.folder.join(run);
        fs_err::create_dir_all(&folder)?;
        let model = folder.join(MODEL);
        Ok((folder, model))
    }

    /// Puts a run's model in use; at no moment is there none, or half of one. Everything in its folder must be on disk.
    pub fn switch(&self, run: &str, is_reader: bool) -> Result<(), ModelError> {
        let kind = if is_reader { READER } else { "other" };
        write_whole(&self.folder.join(CURRENT), format!("{run} {kind}\n").as_bytes())?;
        self.sweep()
    }

    /// Removes the folders of runs that are not in use.
    pub fn sweep(&self) -> Result<(), ModelError> {
        let used = self.current()?.and_then(|c| c.model.parent().map(Path::to_owned));
        let Ok(entries) = fs_err::read_dir(&self.folder) else { return Ok(()) };
        for path in entries.filter_map(|e| Some(e.ok()?.path())) {
            if path.is_dir() && Some(&path) != used.as_ref() {
                fs_err::remove_dir_all(&path)?;
            }
        }
        Ok(())
    }

    /// Removes everything; true if there was something. `current` goes first, so that a removal that is broken off leaves no
    /// model that is named and half there.
    pub fn remove(&self) -> Result<bool, ModelError> {
        let current = self.folder.join(CURRENT);
        if current.exists() {
            fs_err::remove_file(&current)?;
        }
        let there = self.folder.is_dir();
        if there {
            fs_err::remove_dir_all(&self.folder)?;
        }
        Ok(there)
    }
}

/// Writes a small file beside its place, waits for the disk, and renames it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = fs_err::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    put(&beside, path)
}

/// Renames a file that is on disk to its place, and waits until that is on disk.
pub(crate) fn put(beside: &Path, path: &Path) -> std::io::Result<()> {
    fs_err::rename(beside, path)?;
    match path.parent() {
        // The rename itself must be on disk too; where folders cannot be opened, as on Windows, it is as good as it gets.
        Some(folder) => fs_err::File::open(folder).and_then(|f| f.sync_all()).or(Ok(())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(adapted: &Adapted, run: &str) -> PathBuf {
        let (_, model) = adapted.begin(run).unwrap();
        fs_err::write(&model, run).unwrap();
        model
    }

    #[test]
    fn a_run_is_in_use_only_after_the_switch_and_the_one_before_goes_then() {
        let dir = tempfile::tempdir().unwrap();
        let adapted = Adapted::of(dir.path().join("battery"));
        assert_eq!(adapted.current().unwrap(), None);
        let first = finished(&adapted, "one");
        assert_eq!(adapted.current().unwrap(), None);
        adapted.switch("one", true).unwrap();
        assert_eq!(adapted.current().unwrap(), Some(Current { model: first.clone(), is_reader: true }));
        // A run that died leaves a folder, which changes nothing and is swept.
        let died = finished(&adapted, "two");
        assert_eq!(adapted.current().unwrap().unwrap().model, first);
        adapted.sweep().unwrap();
        assert!(!died.exists() && first.exists());
        finished(&adapted, "three");
        adapted.switch("three", false).unwrap();
        assert!(!first.exists() && !adapted.current().unwrap().unwrap().is_reader);
        assert!(adapted.remove().unwrap() && !adapted.remove().unwrap());
        assert_eq!(adapted.current().unwrap(), None);
    }

    #[test]
    fn a_pointer_to_nothing_or_out_of_the_folder_is_an_error_that_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let adapted = Adapted::of(dir.path().to_owned());
        for wrong in ["gone reader", "../elsewhere reader", ""] {
            fs_err::write(dir.path().join("current"), wrong).unwrap();
            let error = adapted.current().unwrap_err().to_string();
            assert!(error.contains("current") && error.contains("--remove"), "{error}");
        }
    }
}
