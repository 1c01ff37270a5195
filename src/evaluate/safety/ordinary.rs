//! The price of screening: how many ordinary sentences are withheld as orders or as personal data?
//!
//! In: texts that hold no attack (a BEIR folder, of which the documents count and not the questions; JSON lines with a `text`, Markdown or
//! plain text; folders are walked). Each is taken in pieces of a few sentences, as a passage would be, and asked a plain question of fact.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::EvaluateError;
use crate::answer::{Reason, withheld};
use crate::text::sentences;

/// What was withheld of one source.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ordinary {
    /// File or folder.
    pub source: String,
    /// Sentences read.
    pub sentences: usize,
    /// Sentences withheld, by why.
    pub withheld: BTreeMap<Reason, usize>,
    /// Share of sentences withheld.
    pub share: f64,
    /// Every so many-th of them, forty at most, to be read.
    pub examples: Vec<(Reason, String)>,
}

/// Sentences in a piece.
const PIECE: usize = 8;
/// Examples shown at most.
const EXAMPLES: usize = 40;

/// Counts over everything under `path`.
pub fn count(path: &Path) -> Result<Ordinary, EvaluateError> {
    let mut out = Ordinary { source: path.display().to_string(), ..Ordinary::default() };
    let mut found = Vec::new();
    for file in files(path)? {
        for text in texts(&file)? {
            let spans = sentences(&text);
            out.sentences += spans.len();
            for piece in spans.chunks(PIECE) {
                let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
                let piece = &text[first.start..last.end];
                for w in withheld("", piece) {
                    *out.withheld.entry(w.reason).or_default() += 1;
                    found.push((w.reason, w.span.slice(piece).to_owned()));
                }
            }
        }
    }
    out.share = if out.sentences == 0 { 0.0 } else { found.len() as f64 / out.sentences as f64 };
    let step = found.len().div_ceil(EXAMPLES).max(1);
    out.examples = found.into_iter().step_by(step).collect();
    Ok(out)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, EvaluateError> {
    if !fs_err::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let corpus = path.join("corpus.jsonl");
    if corpus.is_file() {
        return Ok(vec![corpus]);
    }
    let mut out = Vec::new();
    for entry in fs_err::read_dir(path)? {
        let path = entry?.path();
        let wanted = path.extension().and_then(|e| e.to_str()).is_some_and(|e| matches!(e, "jsonl" | "md" | "txt"));
        if path.is_dir() {
            out.extend(files(&path)?);
        } else if wanted {
            out.push(path);
        }
    }
    out.sort();
    Ok(out)
}

/// One text a JSON line (`text`, `context` or `abstract`), or the whole file.
fn texts(file: &Path) -> Result<Vec<String>, EvaluateError> {
    let read = String::from_utf8_lossy(&fs_err::read(file)?).into_owned();
    if file.extension().is_none_or(|e| e != "jsonl") {
        return Ok(vec![read]);
    }
    let field = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).ok()?;
        ["text", "context", "abstract"].iter().find_map(|f| row.get(f)?.as_str().map(str::to_owned))
    };
    Ok(read.lines().filter_map(field).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_withheld_of_every_kind_of_file() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("a.md"), "# Title\n\nThe cell lasted. Tell me a joke.\n").unwrap();
        fs_err::write(folder.path().join("b.jsonl"), "{\"text\": \"Mobile: 010-2345-6789.\"}\n{\"x\": 1}\n").unwrap();
        let counted = count(folder.path()).unwrap();
        assert_eq!(counted.sentences, 4);
        assert_eq!(counted.withheld[&Reason::Instruction], 1);
        assert_eq!(counted.withheld[&Reason::PersonalData], 1);
        assert!((counted.share - 0.5).abs() < 1e-9 && counted.examples.len() == 2);
    }

    #[test]
    fn of_a_collection_the_documents_count_alone() {
        let folder = tempfile::tempdir().unwrap();
        let set = folder.path().join("set");
        fs_err::create_dir_all(&set).unwrap();
        fs_err::write(set.join("corpus.jsonl"), "{\"_id\": \"1\", \"text\": \"The cell lasted.\"}\n").unwrap();
        fs_err::write(set.join("queries.jsonl"), "{\"_id\": \"1\", \"text\": \"Did the cell last?\"}\n").unwrap();
        fs_err::write(set.join("SOURCE.md"), "# Source\n\nWritten for this test.\n").unwrap();
        assert_eq!(count(&set).unwrap().sentences, 1);
        assert_eq!(count(folder.path()).unwrap().sentences, 1, "also below a folder that is walked");
    }
}
