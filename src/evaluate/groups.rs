//! `overlap --all` and `consolidate` against known groups of the same work.
//!
//! In: a JSON list of lists of ids and the index of the [`App`]. Out: pairs found and missed, other pairs said, and B³ of the groups, both
//! over the projects of the index alone.

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
    let invalid = |what: String| EvaluateError::Dataset { path: file.display().to_string(), what };
    let groups: Vec<Vec<String>> = serde_json::from_str(&fs_err::read_to_string(file)?)
        .map_err(|e| invalid(format!("a list of lists of ids: {e}")))?;
    let holdings = Holdings::load(&app.parts(), &institutes, Access::Public)?;
    let known: HashSet<&str> = holdings.all.iter().map(|h| h.project.id.as_str()).collect();
    let groups = present(groups, &known).map_err(invalid)?;
    let begin = std::time::Instant::now();
    let options = LandscapeOptions { limit: usize::MAX, weights, ..LandscapeOptions::default() };
    let found = landscape(&app.parts(), &institutes, &holdings, &options)?;
    let seconds = begin.elapsed().as_secs_f64();
    let key = |a: &str, b: &str| if a <= b { (a.to_owned(), b.to_owned()) } else { (b.to_owned(), a.to_owned()) };
    let mut wanted: HashSet<(String, String)> = HashSet::new();
    for group in &groups {
        for (i, a) in group.iter().enumerate() {
            wanted.extend(group[i + 1..].iter().map(|b| key(a, b)));
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

/// The groups as far as their projects are in the index. A project has one group; a second is refused, for neither measure could tell
/// which of the two is meant.
fn present(groups: Vec<Vec<String>>, known: &HashSet<&str>) -> Result<Vec<Vec<String>>, String> {
    let mut seen: HashSet<String> = HashSet::new();
    let mut kept = Vec::new();
    for mut group in groups {
        group.retain(|id| known.contains(id.as_str()));
        if let Some(id) = group.iter().find(|id| !seen.insert((*id).clone())) {
            return Err(format!("`{id}` stands twice; a project belongs to one group"));
        }
        kept.push(group);
    }
    Ok(kept)
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
    let all: Vec<&str> = holdings.all.iter().map(|h| h.project.id.as_str()).collect();
    Ok(score(&all, groups, &predicted))
}

/// B³ of the `predicted` groups of each project over members of `groups`, and over `all` projects.
fn score(all: &[&str], groups: &[Vec<String>], predicted: &HashMap<&str, Vec<&str>>) -> BCubed {
    let gold: HashMap<&str, &Vec<String>> =
        groups.iter().flat_map(|g| g.iter().map(move |id| (id.as_str(), g))).collect();
    let one = |id: &str| -> (f64, f64) {
        let alone = [id];
        let mine: &[&str] = predicted.get(id).map_or(&alone, Vec::as_slice);
        let own = [id.to_owned()];
        let truth: &[String] = gold.get(id).map_or(&own, |g| g.as_slice());
        let both = mine.iter().filter(|m| truth.iter().any(|t| t == *m)).count() as f64;
        (both / mine.len() as f64, both / truth.len() as f64)
    };
    let f1 = |ids: &[&str]| -> (f64, f64, f64) {
        let n = ids.len().max(1) as f64;
        let scores: Vec<(f64, f64)> = ids.iter().map(|id| one(id)).collect();
        let (p, r) = (scores.iter().map(|s| s.0).sum::<f64>() / n, scores.iter().map(|s| s.1).sum::<f64>() / n);
        (p, r, if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 })
    };
    let members: Vec<&str> = all.iter().copied().filter(|id| gold.contains_key(id)).collect();
    let (precision, recall, members_f1) = f1(&members);
    BCubed { precision, recall, f1: members_f1, items: members.len(), f1_all: f1(all).2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(of: &[&[&str]]) -> Vec<Vec<String>> {
        of.iter().map(|group| group.iter().map(|id| (*id).to_owned()).collect()).collect()
    }

    #[test]
    fn members_that_are_not_in_the_index_cost_no_recall() {
        let all = ["a", "b", "c"];
        let known: HashSet<&str> = all.into();
        let kept = present(groups(&[&["a", "b", "gone"], &["away"]]), &known).unwrap();
        assert_eq!(kept, groups(&[&["a", "b"], &[]]));
        let found = vec!["a", "b"];
        let predicted = HashMap::from([("a", found.clone()), ("b", found)]);
        let scored = score(&all, &kept, &predicted);
        assert_eq!((scored.precision, scored.recall, scored.f1_all, scored.items), (1.0, 1.0, 1.0, 2));
    }

    #[test]
    fn a_project_in_two_groups_is_refused() {
        let known: HashSet<&str> = ["a", "b", "c"].into();
        let twice = present(groups(&[&["a", "b"], &["b", "c"]]), &known).unwrap_err();
        assert_eq!(twice, "`b` stands twice; a project belongs to one group");
        assert!(present(groups(&[&["a", "a"]]), &known).is_err());
    }
}
