//! Which files there are under the roots, and which have gone.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::super::{Catalog, IndexError};
use super::{ReportRow, Status};
use crate::sector::SECTOR_FILE;

/// A file to read: its key (absolute path) and the name shown to readers.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) key: String,
    pub(super) shown: String,
}

/// All files under the roots in order of their keys. Hidden entries and `sector.toml` (what says how to read is not read) are
/// skipped; links are not followed.
pub(super) fn find_sources(roots: &[PathBuf]) -> Result<Vec<Source>, IndexError> {
    let mut found: BTreeMap<String, Source> = BTreeMap::new();
    for root in roots {
        let absolute = fs_err::canonicalize(root)?;
        let visible = |e: &walkdir::DirEntry| e.depth() == 0 || !e.file_name().to_string_lossy().starts_with('.');
        for entry in walkdir::WalkDir::new(&absolute).follow_links(false).into_iter().filter_entry(visible) {
            let entry = entry.map_err(|e| IndexError::Io(e.into()))?;
            if entry.file_type().is_dir() || entry.file_type().is_symlink() || entry.file_name() == SECTOR_FILE {
                continue;
            }
            let relative = entry.path().strip_prefix(&absolute).ok().filter(|p| !p.as_os_str().is_empty());
            let shown = relative.or(entry.path().file_name().map(Path::new)).unwrap_or(entry.path());
            let shown = shown.to_string_lossy().replace('\\', "/");
            let key = entry.path().to_string_lossy().into_owned();
            // The path as the user gave it, so that a sector's statements about files match.
            let path = relative.map_or_else(|| root.clone(), |r| root.join(r));
            found.insert(key.clone(), Source { path, key, shown });
        }
    }
    Ok(found.into_values().collect())
}

/// Forgets sources under the roots that were not found.
pub(super) fn prune(catalog: &Catalog, sources: &[Source], roots: &[PathBuf]) -> Result<Vec<ReportRow>, IndexError> {
    let there: HashSet<&str> = sources.iter().map(|s| s.key.as_str()).collect();
    let roots = roots.iter().map(fs_err::canonicalize).collect::<Result<Vec<_>, _>>()?;
    let mut rows = Vec::new();
    for path in catalog.source_paths()? {
        if !there.contains(path.as_str()) && roots.iter().any(|r| Path::new(&path).starts_with(r)) {
            catalog.remove(&path)?;
            rows.push(ReportRow {
                path,
                status: Status::Removed,
                documents: 0,
                pages: 0,
                chunks: 0,
                error: None,
                warnings: vec![],
            });
        }
    }
    Ok(rows)
}
