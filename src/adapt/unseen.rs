//! Which documents an adapter never learnt from: what a run that goes on from it may be measured with.
//!
//! In and out: a small JSON file beside the adapter (`adapter.json`, `checkpoint.json`), bound to it by its hash. A split is
//! drawn from the documents that are there, so that another seed, other settings or other documents hold out what the adapter
//! has learnt; measured with that, learning by heart looks like a gain.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sectora_lm::lora::Adapters;
use serde::{Deserialize, Serialize};

use super::split::Split;
use super::{AdaptError, AdaptOptions};
use crate::model_store::{put, sha256, write_whole};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Unseen {
    /// SHA-256 of the adapter.
    adapter: String,
    /// SHA-256 of the model that it is an addition to.
    base: String,
    /// Sector that the documents are of.
    sector: String,
    /// How they were split: what draws the same ones again.
    seed: u64,
    held_out: f64,
    questions: usize,
    per_document: usize,
    /// Sources that were held out.
    documents: BTreeSet<String>,
}

impl Unseen {
    /// What this run does not learn from.
    pub(super) fn of(split: &Split, base: &str, sector: &str, options: &AdaptOptions) -> Unseen {
        Unseen {
            adapter: String::new(),
            base: base.to_owned(),
            sector: sector.to_owned(),
            seed: options.seed,
            held_out: options.held_out,
            questions: options.questions,
            per_document: options.per_document,
            documents: split.held_documents.clone(),
        }
    }

    /// Writes an adapter to `path` and this beside it; broken off at any moment there are both of one run, or two that do not
    /// go together, which [`Unseen::allows`] refuses.
    pub(super) fn save(&self, adapters: &Adapters, path: &Path) -> Result<(), AdaptError> {
        let new = path.with_extension("part");
        adapters.save(&new)?;
        fs_err::File::open(&new)?.sync_all()?;
        let bound = Unseen { adapter: sha256(&new)?, ..self.clone() };
        write_whole(&beside(path), &serde_json::to_vec_pretty(&bound).map_err(std::io::Error::other)?)?;
        put(&new, path)?;
        Ok(())
    }

    /// Refuses to go on from the adapter in `from` where it is one of another model, or may have learnt from a document that this
    /// run holds out.
    pub(super) fn allows(&self, from: &Path) -> Result<(), AdaptError> {
        let refuse = |what: String| Err(AdaptError::Adapter { file: from.display().to_string(), what });
        let file = beside(from);
        let anew = "or begin anew without --from";
        if !file.is_file() {
            return refuse(format!(
                "{} is missing, which says what the adapter never learnt from; keep both files together, {anew}",
                file.display()
            ));
        }
        let known: Unseen = match serde_json::from_slice(&fs_err::read(&file)?) {
            Ok(known) => known,
            Err(e) => return refuse(format!("{}: {e}; {anew}", file.display())),
        };
        if known.adapter != sha256(from)? {
            return refuse(format!(
                "{} is of another adapter; keep both files of a run together, {anew}",
                file.display()
            ));
        }
        if known.base != self.base {
            return refuse(format!(
                "it is an addition to the model with the SHA-256 {}, and this is {}; name that model with --generator, {anew}",
                known.base, self.base
            ));
        }
        if known.sector != self.sector {
            return refuse(format!("it learnt from sector {}; say --sector {}, {anew}", known.sector, known.sector));
        }
        let learnt: Vec<&str> = self.documents.difference(&known.documents).map(String::as_str).collect();
        let Some(first) = learnt.first() else { return Ok(()) };
        refuse(format!(
            "it may have learnt from {} of the {} documents that this run holds out ({first} …), and would be kept for knowing them by heart; \
             give what it was split by (--seed {} --held-out {} --questions {} --per-document {}) with the same documents in the index, {anew}",
            learnt.len(),
            self.documents.len(),
            known.seed,
            known.held_out,
            known.questions,
            known.per_document
        ))
    }
}

/// Removes an adapter and what is beside it, where they are.
pub(super) fn remove(path: &Path) -> Result<(), AdaptError> {
    for file in [path.to_owned(), beside(path)] {
        if file.exists() {
            fs_err::remove_file(&file)?;
        }
    }
    Ok(())
}

fn beside(adapter: &Path) -> PathBuf {
    adapter.with_extension("json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unseen(documents: &[&str]) -> Unseen {
        Unseen {
            adapter: String::new(),
            base: "b1".into(),
            sector: "battery".into(),
            seed: 7,
            held_out: 0.3,
            questions: 40,
            per_document: 6,
            documents: documents.iter().map(|d| (*d).to_owned()).collect(),
        }
    }

    #[test]
    fn an_adapter_is_only_measured_with_what_it_never_learnt_from() {
        let dir = tempfile::tempdir().unwrap();
        let adapter = dir.path().join("checkpoint.safetensors");
        fs_err::write(&adapter, "weights").unwrap();
        let refused = |run: &Unseen| run.allows(&adapter).unwrap_err().to_string();
        assert!(refused(&unseen(&["a.md"])).contains("checkpoint.json is missing"));

        let known = Unseen { adapter: sha256(&adapter).unwrap(), ..unseen(&["a.md", "b.md"]) };
        fs_err::write(dir.path().join("checkpoint.json"), serde_json::to_vec(&known).unwrap()).unwrap();
        unseen(&["a.md", "b.md"]).allows(&adapter).unwrap();
        unseen(&["b.md"]).allows(&adapter).unwrap();
        let said = refused(&unseen(&["b.md", "c.md"]));
        assert!(said.contains("1 of the 2 documents") && said.contains("(c.md …)"), "{said}");
        assert!(said.contains("--seed 7 --held-out 0.3 --questions 40 --per-document 6"), "{said}");
        let other = Unseen { base: "b2".into(), ..unseen(&["a.md"]) };
        assert!(refused(&other).contains("SHA-256 b1, and this is b2"));
        let elsewhere = Unseen { sector: "steel".into(), ..unseen(&["a.md"]) };
        assert!(refused(&elsewhere).contains("--sector battery"));
        fs_err::write(&adapter, "weights of another run").unwrap();
        assert!(refused(&unseen(&["a.md"])).contains("is of another adapter"));
        remove(&adapter).unwrap();
        remove(&adapter).unwrap();
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 0);
    }
}
