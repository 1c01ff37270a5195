//! BEIR folders: `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv` (Thakur et al. 2021).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::EvaluateError;
use super::json_lines::json_lines;
use super::metrics::Qrels;
use super::trec::qrels;

/// A data set, its corpus left on disk.
pub(super) struct Beir {
    /// Folder name.
    pub(super) name: String,
    /// `corpus.jsonl`.
    pub(super) corpus: PathBuf,
    /// Judged queries, by id.
    pub(super) queries: BTreeMap<String, String>,
    /// Judgements of the split, by query id.
    pub(super) qrels: Qrels,
    /// The split.
    pub(super) split: String,
}

#[derive(Deserialize)]
struct Query {
    #[serde(rename = "_id")]
    id: String,
    text: String,
}

/// Opens a folder; without `split` the first of test, train, dev that is there.
pub(super) fn open(folder: &Path, split: Option<&str>) -> Result<Beir, EvaluateError> {
    let corpus = folder.join("corpus.jsonl");
    if !corpus.is_file() {
        let what = "no corpus.jsonl; a BEIR folder holds corpus.jsonl, queries.jsonl and qrels/";
        return Err(wrong(folder, what.into()));
    }
    let there = |s: &&str| folder.join(format!("qrels/{s}.tsv")).is_file();
    let split = split.or_else(|| ["test", "train", "dev"].into_iter().find(there));
    let split = split.ok_or_else(|| wrong(folder, "no qrels/test.tsv, train.tsv or dev.tsv".into()))?;
    let qrels = qrels(&folder.join(format!("qrels/{split}.tsv")))?;
    let queries = queries(&folder.join("queries.jsonl"), &qrels)?;
    let name = folder.file_name().map_or_else(|| "dataset".into(), |n| n.to_string_lossy().into_owned());
    Ok(Beir { name, corpus, queries, qrels, split: split.to_owned() })
}

/// The judged queries.
fn queries(file: &Path, qrels: &Qrels) -> Result<BTreeMap<String, String>, EvaluateError> {
    let text = fs_err::read_to_string(file)?;
    let mut queries = BTreeMap::new();
    for query in json_lines::<Query>(file, &text) {
        let query = query?;
        if qrels.contains_key(&query.id) {
            queries.insert(query.id, query.text);
        }
    }
    match qrels.len() - queries.len() {
        0 => Ok(queries),
        absent => Err(wrong(file, format!("{absent} judged queries are missing"))),
    }
}

fn wrong(path: &Path, what: String) -> EvaluateError {
    EvaluateError::Dataset { path: path.display().to_string(), what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(qrels: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir(dir.path().join("qrels")).unwrap();
        fs_err::write(dir.path().join("corpus.jsonl"), "").unwrap();
        fs_err::write(dir.path().join("queries.jsonl"), "{\"_id\":\"1\",\"text\":\"q\"}\n").unwrap();
        fs_err::write(dir.path().join("qrels/test.tsv"), qrels).unwrap();
        dir
    }

    #[test]
    fn beir_and_trec_columns_are_both_read() {
        for qrels in ["query-id\tcorpus-id\tscore\n1\ta\t2\n", "1 0 a 2\n"] {
            let dir = folder(qrels);
            let data = open(dir.path(), None).unwrap();
            assert_eq!((data.split.as_str(), data.qrels["1"]["a"]), ("test", 2));
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let error = |qrels: &str| open(folder(qrels).path(), None).err().unwrap().to_string();
        assert!(error("1\ta\t1\n1\tb\tmany\n").contains("line 2"));
        assert!(error("2\ta\t1\n").contains("1 judged queries are missing"));
        assert!(open(Path::new("/nonexistent"), None).err().unwrap().to_string().contains("corpus.jsonl"));
    }
}
