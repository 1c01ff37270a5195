//! Features of compared pairs in a file, one JSON object a line: comparing takes minutes, fitting on what was compared seconds.
//!
//! In and out: [`Rows`], what they were made from ([`Origin`]) on the first line. Verdicts are not written: whoever reads the features
//! judges by the weights at hand. Floats are written so that they read back as they were.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::EvaluateError;
use super::overlap::Row;
use super::rewritten::Recipe;
use crate::portfolio::Kind;
use crate::portfolio::verdict::{FEATURES, Features};

/// Compared pairs.
pub(super) struct Rows {
    pub(super) origin: Origin,
    /// Of proposals made by construction.
    pub(super) made: Vec<Row>,
    /// Of proposals written by hand.
    pub(super) by_hand: Vec<Row>,
}

/// What pairs were made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// Encoder of the index; none: words only.
    pub(super) encoder: Option<String>,
    /// Documents of the index.
    pub(super) documents: u64,
    /// Seed of the draw.
    pub(super) seed: u64,
    /// File of the proposals written by hand.
    pub(super) by_hand: Option<PathBuf>,
}

impl Origin {
    /// Refuses features of another encoder than the index at hand has and, where they should be of that very index, of another number
    /// of documents.
    pub(super) fn must_be(
        &self,
        file: &Path,
        encoder: Option<&str>,
        documents: Option<u64>,
    ) -> Result<(), EvaluateError> {
        let invalid = |what: String| Err(EvaluateError::Dataset { path: file.display().to_string(), what });
        let named = |encoder: Option<&str>| encoder.map_or_else(|| "words only".to_owned(), |e| format!("encoder {e}"));
        if self.encoder.as_deref() != encoder {
            let (theirs, ours) = (named(self.encoder.as_deref()), named(encoder));
            return invalid(format!(
                "made with {theirs}, this index with {ours}; use `--encoder` and `--data-dir` as then"
            ));
        }
        match documents {
            Some(n) if n != self.documents => invalid(format!(
                "made in an index of {} documents, this one holds {n}; use `--data-dir` as then, or compare anew",
                self.documents
            )),
            Some(_) | None => Ok(()),
        }
    }
}

/// The first line of a file.
#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(flatten)]
    origin: Origin,
    /// Names of the features of each pair, to be compared with [`FEATURES`].
    features: Vec<String>,
}

/// One pair.
#[derive(Serialize, Deserialize)]
struct Line {
    proposal: usize,
    by_hand: bool,
    training: bool,
    recipe: Recipe,
    noise: f64,
    project: String,
    label: Option<Kind>,
    fitted_as: Kind,
    /// Place among the candidates; none where it was not one.
    standing: Option<usize>,
    features: Option<Vec<f32>>,
    among_few: Option<Vec<f32>>,
}

/// Writes the rows of made proposals and of those written by hand.
pub(super) fn write(file: &Path, rows: &Rows) -> Result<(), EvaluateError> {
    let head = Head { origin: rows.origin.clone(), features: FEATURES.map(str::to_owned).to_vec() };
    let mut out = serde_json::to_string(&head).expect("plain data serialises");
    out.push('\n');
    for (row, by_hand) in rows.made.iter().map(|r| (r, false)).chain(rows.by_hand.iter().map(|r| (r, true))) {
        let line = Line {
            proposal: row.proposal,
            by_hand,
            training: row.training,
            recipe: row.recipe,
            noise: row.noise,
            project: row.project_id.clone(),
            label: row.label,
            fitted_as: row.fitted_as,
            standing: (row.standing != usize::MAX).then_some(row.standing),
            features: row.features.map(|f| f.to_vec()),
            among_few: row.among_few.map(|f| f.to_vec()),
        };
        out.push_str(&serde_json::to_string(&line).expect("plain data serialises"));
        out.push('\n');
    }
    Ok(fs_err::write(file, out)?)
}

/// Reads them again; nobody has judged them yet.
pub(super) fn read(file: &Path) -> Result<Rows, EvaluateError> {
    let invalid = |n: usize, what: String| EvaluateError::Dataset {
        path: file.display().to_string(),
        what: format!("line {}: {what}", n + 1),
    };
    let text = fs_err::read_to_string(file)?;
    let mut lines = text.lines().enumerate();
    let (_, first) = lines.next().unwrap_or_default();
    let head: Head = serde_json::from_str(first).map_err(|e| {
        invalid(
            0,
            format!("what the features were made from does not stand here ({e}); write them anew with --features-out"),
        )
    })?;
    if head.features != FEATURES {
        let what = "other features than this program compares; write them anew with --features-out";
        return Err(invalid(0, what.into()));
    }
    let mut rows = Rows { origin: head.origin, made: Vec::new(), by_hand: Vec::new() };
    for (n, text) in lines {
        let line: Line = serde_json::from_str(text).map_err(|e| invalid(n, e.to_string()))?;
        let features = |given: Option<Vec<f32>>| -> Result<Option<Features>, EvaluateError> {
            let wrong = |v: Vec<f32>| invalid(n, format!("{} features, not {}", v.len(), FEATURES.len()));
            given.map(|v| v.try_into().map_err(wrong)).transpose()
        };
        let row = Row {
            proposal: line.proposal,
            recipe: line.recipe,
            project_id: line.project,
            label: line.label,
            kind: Kind::None,
            done: 0.0,
            rank: 0,
            training: line.training,
            noise: line.noise,
            fitted_as: line.fitted_as,
            features: features(line.features)?,
            among_few: features(line.among_few)?,
            standing: line.standing.unwrap_or(usize::MAX),
        };
        if line.by_hand { rows.by_hand.push(row) } else { rows.made.push(row) }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let row = |label, kind| Row {
            proposal: 7,
            recipe: Recipe::Shortened,
            project_id: "p".into(),
            label,
            kind,
            done: 0.8,
            rank: 3,
            training: true,
            noise: 0.35,
            fitted_as: Kind::Related,
            features: Some(std::array::from_fn(|i| i as f32 / 7.0)),
            among_few: None,
            standing: 4,
        };
        let origin = Origin { encoder: Some("e@1".into()), documents: 12, seed: 3, by_hand: Some("w.jsonl".into()) };
        Rows { origin, made: vec![row(None, Kind::SameAim)], by_hand: vec![row(Some(Kind::Related), Kind::None)] }
    }

    #[test]
    fn rows_come_back_as_they_were_but_for_their_verdicts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f.jsonl");
        let rows = rows();
        write(&file, &rows).unwrap();
        let back = read(&file).unwrap();
        assert_eq!(back.origin, rows.origin);
        for (is, was) in [(&back.made, &rows.made), (&back.by_hand, &rows.by_hand)] {
            assert_eq!((is.len(), is[0].label, is[0].fitted_as), (1, was[0].label, was[0].fitted_as));
            assert_eq!((is[0].features, is[0].among_few, is[0].standing), (was[0].features, None, 4));
            assert_eq!((is[0].kind, is[0].done, is[0].rank), (Kind::None, 0.0, 0));
        }
    }

    #[test]
    fn features_of_another_encoder_another_index_or_another_program_are_refused() {
        let file = Path::new("f.jsonl");
        let origin = rows().origin;
        assert!(origin.must_be(file, Some("e@1"), Some(12)).is_ok() && origin.must_be(file, Some("e@1"), None).is_ok());
        let said = |encoder, documents| origin.must_be(file, encoder, documents).unwrap_err().to_string();
        assert!(said(None, Some(12)).contains("f.jsonl: made with encoder e@1, this index with words only"));
        assert!(said(Some("e@2"), None).contains("e@1"));
        assert!(said(Some("e@1"), Some(13)).contains("an index of 12 documents, this one holds 13"));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f.jsonl");
        write(&file, &rows()).unwrap();
        let text = fs_err::read_to_string(&file).unwrap();
        let read_as = |text: &str| {
            fs_err::write(&file, text).unwrap();
            read(&file).err().unwrap().to_string()
        };
        let without_head = text.split_once('\n').unwrap().1;
        assert!(read_as(without_head).contains("line 1: what the features were made from does not stand here"));
        assert!(read_as("").contains("line 1"));
        assert!(read_as(&text.replace("\"title_cosine\"", "\"title\"")).contains("line 1: other features"));
    }
}
