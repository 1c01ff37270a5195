//! `overlap --all` and `consolidate` against known groups of the same work.
//!
//! In: a JSON list of lists of ids and the index of the [`App`]. Out: pairs found and missed, other pairs said, and B³ of the groups.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::EvaluateError;
use crate::app::App;
use crate::document::Access;
use crate::portfolio::landscape::{LandscapeOptions, landscape};
use crate::portfolio::verdict::WeightFile;
use crate::portfolio::{Holdings, Institutes};

/// Known groups of the same work: pairs found and missed by `overlap --all`.
#[derive(Clone, Debug, Serialize)]
pub struct Grouped {
    /// Pairs in the groups whose projects are in the index.
    pub pairs: usize,
    /// Judged `done already` with at least probability 0.5.
    pub found: usize,
    /// Missed pairs.
    pub missed: Vec<(String, String)>,
    /// Pairs judged so that are in no group: to be looked at.
    pub others: Vec<(String, String, f64)>,
    /// B³ of `consolidate` on the members of the groups, every other project of the index being a distractor.
    pub b_cubed: BCubed,
    /// Seconds of `overlap --all`.
    pub seconds: f64,
}

/// B³ (Bagga & Baldwin 1998).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BCubed {
    /// Precision.
    pub precision: f64,
    /// Recall.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
    /// Items.
    pub items: usize,
    /// F1 over all projects of the index, the distractors being groups of one.
    pub f1_all: f64,
}

/// Compares `overlap --all` and `consolidate` with groups of external ids (a JSON list of lists).
pub fn grouped(
    app: &App,
    file: &Path,
    threshold: f32,
    weights: Option<Arc<WeightFile>>,
) -> Result<Grouped, EvaluateError> {
    let institutes = Institutes::new(&app.sector().institutes);
    let groups: Vec<Vec<String>> = serde_json::from_str(&fs_err::read_to_string(file)?).map_err(|e| {
        EvaluateError::Dataset { path: file.display().to_string(), what: format!("a list of lists of ids: {e}") }
    })?;
    let holdings = Holdings::load(&app.parts(), &institutes, Access::Public)?;
    let begin = std::time::Instant::now();
    let options = LandscapeOptions { limit: usize::MAX, weights, ..LandscapeOptions::default() };
    let found = landscape(&app.parts(), &institutes, &holdings, &options)?;
    let seconds = begin.elapsed().as_secs_f64();
    let known: HashSet<&str> = holdings.all.iter().map(|h| h.project.id.as_str()).collect();
    let key = |a: &str, b: &str| if a <= b { (a.to_owned(), b.to_owned()) } else { (b.to_owned(), a.to_owned()) };
    let mut wanted: HashSet<(String, String)> = HashSet::new();
    for group in &groups {
        let present: Vec<&String> = group.iter().filter(|g| known.contains(g.as_str())).collect();
        for (i, a) in present.iter().enumerate() {
            wanted.extend(present[i + 1..].iter().map(|b| key(a, b)));
        }
    }
    let said: HashMap<(String, String), f64> = found
        .pairs
        .iter()
        .filter(|p| p.done >= 0.5)
        .map(|p| (key(&p.later.project_id, &p.earlier.project_id), p.done))
        .collect();
    let mut missed: Vec<(String, String)> = wanted.iter().filter(|w| !said.contains_key(*w)).cloned().collect();
    missed.sort();
    let mut others: Vec<(String, String, f64)> =
        said.iter().filter(|(k, _)| !wanted.contains(*k)).map(|((a, b), p)| (a.clone(), b.clone(), *p)).collect();
    others.sort_by(|a, b| b.2.total_cmp(&a.2));
    Ok(Grouped {
        pairs: wanted.len(),
        found: wanted.len() - missed.len(),
        missed,
        others,
        b_cubed: b_cubed(app, &institutes, &holdings, &groups, threshold)?,
        seconds,
    })
}

fn b_cubed(
    app: &App,
    institutes: &Institutes,
    holdings: &Holdings,
    groups: &[Vec<String>],
    threshold: f32,
) -> Result<BCubed, EvaluateError> {
    use crate::portfolio::consolidate::{ConsolidateOptions, consolidate};
    let options = ConsolidateOptions { threshold, limit: usize::MAX, ..ConsolidateOptions::default() };
    let found = consolidate(&app.parts(), institutes, holdings, &options)?;
    let mut predicted: HashMap<&str, Vec<&str>> = HashMap::new();
    for group in &found.groups {
        let ids: Vec<&str> = group.members.iter().map(|m| m.project_id.as_str()).collect();
        ids.iter().for_each(|id| drop(predicted.insert(id, ids.clone())));
    }
    let gold: HashMap<&str, &Vec<String>> =
        groups.iter().flat_map(|g| g.iter().map(move |id| (id.as_str(), g))).collect();
    let score = |id: &str| -> (f64, f64) {
        let alone = [id];
        let mine: &[&str] = predicted.get(id).map_or(&alone, Vec::as_slice);
        let own = [id.to_owned()];
        let truth: &[String] = gold.get(id).map_or(&own, |g| g.as_slice());
        let both = mine.iter().filter(|m| truth.iter().any(|t| t == *m)).count() as f64;
        (both / mine.len() as f64, both / truth.len() as f64)
    };
    let f1 = |ids: &[&str]| -> (f64, f64, f64) {
        let n = ids.len().max(1) as f64;
        let scores: Vec<(f64, f64)> = ids.iter().map(|id| score(id)).collect();
        let (p, r) = (scores.iter().map(|s| s.0).sum::<f64>() / n, scores.iter().map(|s| s.1).sum::<f64>() / n);
        (p, r, if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 })
    };
    let all: Vec<&str> = holdings.all.iter().map(|h| h.project.id.as_str()).collect();
    let members: Vec<&str> = all.iter().copied().filter(|id| gold.contains_key(id)).collect();
    let (precision, recall, members_f1) = f1(&members);
    Ok(BCubed { precision, recall, f1: members_f1, items: members.len(), f1_all: f1(&all).2 })
}
