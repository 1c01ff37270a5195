//! Features of judged pairs in a file, one JSON object a line: judging takes minutes, fitting on what was judged seconds.
//!
//! In and out: the [`Row`]s of made proposals and of those written by hand. Floats are written so that they read back as
//! they were.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::EvaluateError;
use super::overlap::Row;
use super::rewritten::Recipe;
use crate::portfolio::Kind;
use crate::portfolio::verdict::{FEATURES, Features};

/// One judged pair.
#[derive(Serialize, Deserialize)]
struct Line {
    proposal: usize,
    by_hand: bool,
    training: bool,
    recipe: Recipe,
    noise: f64,
    project: String,
    label: Kind,
    kind: Kind,
    done: f64,
    rank: usize,
    /// Place among the candidates; none where it was not one.
    standing: Option<usize>,
    features: Option<Vec<f32>>,
    among_few: Option<Vec<f32>>,
}

/// Writes the rows of made proposals and of those written by hand.
pub(super) fn write(file: &Path, rows: &[Row], by_hand: &[Row]) -> Result<(), EvaluateError> {
    let mut out = String::new();
    for (row, hand) in rows.iter().map(|r| (r, false)).chain(by_hand.iter().map(|r| (r, true))) {
        let line = Line {
            proposal: row.proposal,
            by_hand: hand,
            training: row.training,
            recipe: row.recipe,
            noise: row.noise,
            project: row.project_id.clone(),
            label: row.label,
            kind: row.kind,
            done: row.done,
            rank: row.rank,
            standing: (row.standing != usize::MAX).then_some(row.standing),
            features: row.features.map(|f| f.to_vec()),
            among_few: row.among_few.map(|f| f.to_vec()),
        };
        out.push_str(&serde_json::to_string(&line).expect("plain data serialises"));
        out.push('\n');
    }
    Ok(fs_err::write(file, out)?)
}

/// Reads them again.
pub(super) fn read(file: &Path) -> Result<(Vec<Row>, Vec<Row>), EvaluateError> {
    let invalid = |n: usize, what: String| EvaluateError::Dataset {
        path: file.display().to_string(),
        what: format!("line {}: {what}", n + 1),
    };
    let (mut rows, mut by_hand) = (Vec::new(), Vec::new());
    for (n, text) in fs_err::read_to_string(file)?.lines().enumerate() {
        let line: Line = serde_json::from_str(text).map_err(|e| invalid(n, e.to_string()))?;
        let features = |given: Option<Vec<f32>>| -> Result<Option<Features>, EvaluateError> {
            let wrong = |v: Vec<f32>| invalid(n, format!("{} features, not {}", v.len(), FEATURES.len()));
            given.map(|v| v.try_into().map_err(wrong)).transpose()
        };
        let hand = line.by_hand;
        let row = Row {
            proposal: line.proposal,
            recipe: line.recipe,
            project_id: line.project,
            label: line.label,
            kind: line.kind,
            done: line.done,
            rank: line.rank,
            training: line.training,
            noise: line.noise,
            features: features(line.features)?,
            among_few: features(line.among_few)?,
            standing: line.standing.unwrap_or(usize::MAX),
        };
        if hand { by_hand.push(row) } else { rows.push(row) }
    }
    Ok((rows, by_hand))
}
