//! Room on the disk, asked for beforehand. The embedded store lays out its files before it writes them and maps them into memory: where
//! the disk then has no room for a page, the system ends the process with a bus error, and nobody learns why.

use std::path::Path;

use super::IndexError;

/// What a new store takes with its first points: its log and three storages of 32 MB each, of which a small index fills little (52 MB
/// once made, 85 with 340 chunks).
pub(super) const TO_CREATE: u64 = 96 << 20;

/// What a store that grows by a page of points may take at once: the next 32 MB of vectors, and what it notes.
pub(super) const TO_WRITE: u64 = 40 << 20;

/// Beside the holes of the files that are read: the store notes what it does.
const TO_NOTE: u64 = 4 << 20;

/// Refuses where fewer than `bytes` are free on the disk of `folder` (or of the nearest folder above that exists).
///
/// # Errors
/// [`IndexError::NoRoom`]; never because the system does not tell how much is free.
pub(super) fn require(folder: &Path, bytes: u64) -> Result<(), IndexError> {
    match folder.ancestors().find(|f| f.exists()).and_then(free) {
        Some(free) if free < bytes => Err(IndexError::NoRoom { path: folder.display().to_string(), free, bytes }),
        _ => Ok(()),
    }
}

/// The same for reading a store: the first time, vectors laid out but never written take their place on the disk.
///
/// # Errors
/// [`IndexError::NoRoom`]; the folder cannot be read.
pub(super) fn require_to_read(folder: &Path) -> Result<(), IndexError> {
    match holes(folder)? {
        0 => Ok(()),
        bytes => require(folder, bytes + TO_NOTE),
    }
}

/// Bytes free on the disk of `folder` for this user.
#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

/// Bytes that the vectors below `folder` may still take on the disk: those which the files' lengths promise and no block holds.
#[cfg(unix)]
fn holes(folder: &Path) -> Result<u64, IndexError> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.map_err(std::io::Error::from)?;
        if entry.path().extension().is_some_and(|e| e == "mmap") {
            let about = entry.metadata().map_err(std::io::Error::from)?;
            bytes += about.size().saturating_sub(about.blocks() * 512);
        }
    }
    Ok(bytes)
}

#[cfg(not(unix))]
fn holes(_: &Path) -> Result<u64, IndexError> {
    Ok(0)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::error::{Classified, ErrorKind};

    #[test]
    fn too_little_room_is_an_error_that_says_how_much_and_where() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("not/there/yet");
        require(&place, 0).unwrap();
        let error = require(&place, u64::MAX).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let text = error.to_string();
        assert!(
            text.contains("not/there/yet") && text.contains("MB are free") && text.contains("nothing is lost"),
            "{text}"
        );
    }

    #[test]
    fn what_a_file_promises_and_does_not_hold_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs_err::File::create(dir.path().join("chunk_0.mmap")).unwrap();
        assert_eq!(holes(dir.path()).unwrap(), 0);
        file.set_len(1 << 20).unwrap();
        assert_eq!(holes(dir.path()).unwrap(), 1 << 20);
        fs_err::write(dir.path().join("chunk_0.mmap"), vec![1; 1 << 20]).unwrap();
        assert_eq!(holes(dir.path()).unwrap(), 0);
        assert!(matches!(require_to_read(&dir.path().join("gone")), Err(IndexError::Io(_))));
    }
}
