//! The model hub and its cache on this machine, through `hf-hub`.

use std::path::{Path, PathBuf};

use hf_hub::api::sync::{Api, ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};

use super::{Card, CardFile};

/// The hub and the folder of its cache.
pub(super) struct Hub {
    cache: Cache,
    /// An address in place of that of `HF_ENDPOINT`.
    endpoint: Option<String>,
}

impl Hub {
    /// The hub of `HF_ENDPOINT`, the cache of `HF_HOME`.
    pub(super) fn from_env() -> Hub {
        Hub { cache: Cache::from_env(), endpoint: None }
    }

    #[cfg(test)]
    pub(super) fn at(endpoint: &str, cache: &Path) -> Hub {
        Hub { cache: Cache::new(cache.to_owned()), endpoint: Some(endpoint.into()) }
    }

    /// The folder of a model in the cache, if there is one; its files may still be incomplete.
    pub(super) fn snapshot(&self, card: &Card) -> Option<PathBuf> {
        let cache = self.cache.repo(repo(card));
        let pinned = card.revision.as_deref().map(|revision| cache.pointer_path(revision));
        pinned.filter(|folder| folder.is_dir()).or_else(|| {
            let first = card.files.first()?;
            let mut folder = cache.get(&first.path)?;
            Path::new(&first.path).components().all(|_| folder.pop()).then_some(folder)
        })
    }

    /// Downloads a file into the cache; on failure the address and what happened.
    pub(super) fn fetch(&self, card: &Card, file: &CardFile, progress: bool) -> Result<PathBuf, (String, String)> {
        let about = |api: Option<&Api>, what: ApiError| {
            let url = api.map(|api| api.repo(repo(card)).url(&file.path));
            (url.unwrap_or_else(|| card.repo.clone()), reason(&what))
        };
        let builder = match &self.endpoint {
            None => ApiBuilder::from_env(),
            Some(endpoint) => ApiBuilder::from_cache(self.cache.clone()).with_endpoint(endpoint.clone()),
        };
        let api = builder.with_progress(progress).with_retries(2).build().map_err(|e| about(None, e))?;
        api.repo(repo(card)).get(&file.path).map_err(|e| about(Some(&api), e))
    }
}

fn repo(card: &Card) -> Repo {
    let revision = card.revision.clone().unwrap_or_else(|| "main".into());
    Repo::with_revision(card.repo.clone(), RepoType::Model, revision)
}

/// One line of what happened.
fn reason(error: &ApiError) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    if line.contains("401") || line.contains("403") {
        return format!("{line} (its licence must be accepted on the hub; then set a token with the hub's own tool)");
    }
    format!("the hub did not deliver ({line})")
}

/// Removes a downloaded file that failed its check: the link in the snapshot and what it points to.
pub(super) fn discard(path: &Path) {
    if let Ok(blob) = fs_err::canonicalize(path) {
        // The error that is already being reported matters more than a file that cannot be removed.
        let _ = fs_err::remove_file(blob);
    }
    let _ = fs_err::remove_file(path);
}
