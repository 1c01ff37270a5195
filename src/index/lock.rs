//! One process at a time: an advisory lock on a file, released by the system however the process ends.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::IndexError;

/// Held as long as an index is open.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the index in `folder`, or says who holds it.
    pub(super) fn take(folder: &Path) -> Result<Lock, IndexError> {
        Lock::take_named(folder, "lock")
    }

    /// The same of another file there: one process at a time builds beside an index or copies it.
    pub(super) fn take_named(folder: &Path, name: &str) -> Result<Lock, IndexError> {
        let path = folder.join(name);
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                file.rewind()?;
                write!(file, "process {}", std::process::id())?;
                Ok(Lock { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                Err(IndexError::Locked { path: folder.display().to_string(), holder })
            }
            Err(TryLockError::Error(e)) => Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap();
        // Another open file description stands for another process.
        let error = Lock::take(dir.path()).err().unwrap().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(first);
        assert!(Lock::take(dir.path()).is_ok());
    }
}
