//! Weights for an index of few documents, fitted on proposals written by hand, and what they make of indexes they were not fitted on.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::overlap::{Pairs, Row, verdict};
use crate::portfolio::Kind;
use crate::portfolio::verdict::{FLOOR, Model, Weights};

/// Parts that the indexes are split into; each is judged by weights fitted on the others.
const FOLDS: usize = 4;
const L2: f64 = 3e-3;
const STEPS: usize = 500;

/// What is made of one index's proposals without having seen them.
#[derive(Clone, Debug, Serialize)]
pub struct HeldOut {
    /// The file of its features.
    pub features: PathBuf,
    /// Proposals that repeat a project of the index, and those of them for which it is judged `done already`.
    pub repeats: usize,
    /// See `repeats`.
    pub found: usize,
    /// Other pairs judged so.
    pub false_alarms: usize,
}

/// `large`: rows of a large index, of which only those among few candidates are fitted on; `small`: files of small indexes with their rows;
/// `encoder`: of all of them.
pub(super) fn fitted(large: &[Row], small: &[(PathBuf, Vec<Row>)], encoder: &str) -> (Weights, Vec<HeldOut>) {
    let all = fit(large, small.iter().map(|(_, rows)| rows), encoder);
    let mut held_out = Vec::new();
    for fold in 0..FOLDS {
        let outside = small.iter().enumerate().filter(|(i, _)| i % FOLDS != fold).map(|(_, (_, rows))| rows);
        let weights = fit(large, outside, encoder);
        for (file, rows) in small.iter().skip(fold).step_by(FOLDS) {
            held_out.push(judged(file, rows, Model::of(&weights)));
        }
    }
    held_out.sort_by(|a, b| a.features.cmp(&b.features));
    (all, held_out)
}

fn judged(file: &Path, rows: &[Row], model: Model<'_>) -> HeldOut {
    let is_repeat = |r: &&Row| r.label == Some(Kind::DoneAlready);
    let repeats = rows.iter().filter(is_repeat).count();
    let said = rows.iter().filter(|r| r.features.is_some_and(|f| verdict(model, &f).0 == Kind::DoneAlready));
    let (found, wrong): (Vec<&Row>, Vec<&Row>) = said.partition(is_repeat);
    HeldOut { features: file.to_owned(), repeats, found: found.len(), false_alarms: wrong.len() }
}

fn fit<'a>(large: &[Row], small: impl Iterator<Item = &'a Vec<Row>>, encoder: &str) -> Weights {
    let mut all = Pairs::default();
    all.add(large, 0.0, 1.0);
    let mut indexes = 0;
    for rows in small {
        all.add(rows, 0.5, 0.5);
        indexes += 1;
    }
    let made = format!(
        "fitted by `sectora eval overlap --fit --few` on {} pairs of proposals written by hand, from {indexes} indexes of few documents and a large one seen among few candidates, encoder {encoder}",
        all.pairs.len(),
    );
    // No rule for strewn words: among few documents it hides what authors tell in words of their own.
    Weights { floor: Some(FLOOR), ..Weights::fit(&all.pairs, &all.each, L2, STEPS, made) }
}
