//! Is there room for a run, in memory and on disk? Asked before anything is trained.

use std::io::Write;
use std::path::Path;

use super::AdaptError;

/// Bytes that programs can still have, where the system says so.
pub fn available_memory() -> Option<u64> {
    let text = fs_err::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kb| kb << 10)
}

/// Refuses what is more than there is.
pub(super) fn in_memory(needed: u64, free: Option<u64>) -> Result<(), AdaptError> {
    match free {
        Some(free) if needed > free => Err(AdaptError::Memory { needed: needed >> 20, free: free >> 20 }),
        Some(_) | None => Ok(()),
    }
}

/// Writes so many bytes into `folder` and takes them away again: no setting of a system can make that a lie.
pub(super) fn on_disk(folder: &Path, needed: u64) -> Result<(), AdaptError> {
    let probe = folder.join("room");
    let piece = vec![0x5a; 1 << 20];
    let write = || -> std::io::Result<()> {
        let mut file = fs_err::File::create(&probe)?;
        let mut left = needed;
        while left > 0 {
            let now = left.min(piece.len() as u64);
            file.write_all(&piece[..now as usize])?;
            left -= now;
        }
        file.sync_all()
    };
    let written = write();
    // Also where it could not be written whole.
    let removed = if probe.exists() { fs_err::remove_file(&probe) } else { Ok(()) };
    written.and(removed).map_err(|source| AdaptError::Space {
        folder: folder.display().to_string(),
        needed: needed.div_ceil(1 << 20),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_both_figures_and_what_to_do() {
        let error = in_memory(3000 << 20, Some(2000 << 20)).unwrap_err().to_string();
        assert!(error.contains("3000 MB") && error.contains("2000 MB") && error.contains("--tokens"), "{error}");
        assert!(in_memory(1, Some(2)).is_ok() && in_memory(1, None).is_ok());
        let dir = tempfile::tempdir().unwrap();
        on_disk(dir.path(), 3 << 20).unwrap();
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
        let error = on_disk(&dir.path().join("gone"), 1 << 20).unwrap_err().to_string();
        assert!(error.contains("gone") && error.contains("1 MB"), "{error}");
    }
}
