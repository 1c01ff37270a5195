//! How good are the verdicts of `overlap` on proposals made by construction?
//!
//! In: judged [`Row`]s of [`super::overlap`]. Out: [`Measured`], on those that weights were not fitted on. Measured are labels that follow
//! from construction; of every other candidate it is known only that the proposal was not made of it, so that calling it
//! `done already` is a false alarm and any other verdict is neither right nor wrong.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::at_recall::{AtRecall, Pair, at_recall};
use super::features::Rows;
use super::few::HeldOut;
use super::overlap::Row;
use super::rewritten::Recipe;
use super::statistics::{Estimate, bootstrap, bootstrap_clusters};
use crate::portfolio::Kind;
use crate::portfolio::verdict::WeightFile;

/// What came out, on the test half.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Projects that proposals were made of, those for fitting included.
    pub projects: usize,
    /// Proposals judged in the test half.
    pub proposals: usize,
    /// Documents in the index.
    pub documents: u64,
    /// Encoder.
    pub encoder: Option<String>,
    /// How the weights that judged were made.
    pub weights: String,
    /// `done already`: share of the made repeats that were found (their source judged so).
    pub recall: Option<Estimate>,
    /// `done already`: share of those judged so that are.
    pub precision: Option<Estimate>,
    /// Precision at the highest threshold that finds nine of ten repeats.
    pub at_recall_90: Option<AtRecall>,
    /// By how much was reworded: share from, to, recall, precision, precision at recall 0.90.
    pub by_noise: Vec<NoiseRow>,
    /// Per recipe and label.
    pub recipes: Vec<RecipeRow>,
    /// Label × verdict, counts of pairs; without label: candidates of which nothing is known but that they are not the source.
    pub confusion: Vec<(Option<Kind>, Kind, usize)>,
    /// Of `done already`: probability from, to, pairs, mean probability, share that are.
    pub calibration: Vec<(f64, f64, usize, f64, f64)>,
    /// Expected calibration error over these bins.
    pub calibration_error: f64,
    /// Fitted weights, to be put into the program's file.
    pub fitted: Option<WeightFile>,
    /// Of weights for few documents: what they make of each index that they were not fitted on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_out: Vec<HeldOut>,
}

/// Proposals reworded by so much.
#[derive(Clone, Debug, Serialize)]
pub struct NoiseRow {
    /// Share of words dropped or replaced, from.
    pub from: f64,
    /// To.
    pub to: f64,
    /// `done already`: found.
    pub recall: Option<Estimate>,
    /// `done already`: right.
    pub precision: Option<Estimate>,
    /// Precision where nine of ten are found.
    pub at_recall_90: Option<AtRecall>,
}

/// One recipe.
#[derive(Clone, Debug, Serialize)]
pub struct RecipeRow {
    /// Recipe.
    pub recipe: Recipe,
    /// Label; none for proposals whose source is left out of the comparison: of them only false alarms are measured.
    pub label: Option<Kind>,
    /// Proposals made so.
    pub proposals: usize,
    /// Share of what is labelled so that was judged so.
    pub right: Option<Estimate>,
    /// Share of it among the first ten candidates.
    pub recall_10: Option<Estimate>,
    /// Proposals for which something that is not was judged `done already`.
    pub false_alarms: usize,
    /// Of repeats: share of what was judged `done already` for proposals of this recipe that is.
    pub precision: Option<Estimate>,
    /// Precision where nine of ten of this recipe's repeats are found.
    pub at_recall_90: Option<AtRecall>,
}

/// How many projects made proposals come from.
pub(super) fn projects(made: &[Row]) -> usize {
    made.iter().map(project).collect::<HashSet<usize>>().len()
}

/// The project that a made proposal comes from.
fn project(row: &Row) -> usize {
    row.proposal / Recipe::ALL.len()
}

/// Figures of the made proposals that are not for training; `weights` says what judged them.
pub(super) fn measure(rows: &Rows, weights: String, fitted: Option<WeightFile>) -> Measured {
    let test: Vec<&Row> = rows.made.iter().filter(|r| !r.training).collect();
    let (recall, precision) = quality(&test);
    let mut by_noise = Vec::new();
    for (from, to) in [(0.0, 0.35), (0.35, 0.6), (0.6, 1.0)] {
        let inside: Vec<&Row> = test.iter().copied().filter(|r| r.noise >= from && r.noise < to).collect();
        let (recall, precision) = quality(&inside);
        by_noise.push(NoiseRow { from, to, recall, precision, at_recall_90: nine_of_ten(&inside) });
    }
    let mut confusion: BTreeMap<(Option<Kind>, Kind), usize> = BTreeMap::new();
    for row in &test {
        *confusion.entry((row.label, row.kind)).or_insert(0) += 1;
    }
    let (calibration, calibration_error) = calibration(&test);
    Measured {
        projects: projects(&rows.made),
        proposals: proposals(test.iter().copied()),
        documents: rows.origin.documents,
        encoder: rows.origin.encoder.clone(),
        weights,
        recall,
        precision,
        by_noise,
        at_recall_90: nine_of_ten(&test),
        recipes: Recipe::ALL.into_iter().flat_map(|recipe| of_recipe(recipe, &test)).collect(),
        confusion: confusion.into_iter().map(|((a, b), n)| (a, b, n)).collect(),
        calibration,
        calibration_error,
        fitted,
        held_out: Vec::new(),
    }
}

fn of_recipe(recipe: Recipe, test: &[&Row]) -> Vec<RecipeRow> {
    let mine: Vec<&Row> = test.iter().copied().filter(|r| r.recipe == recipe).collect();
    let labels = match recipe {
        Recipe::FacetChanged => vec![Some(Kind::SameAim), Some(Kind::SameMethod)],
        Recipe::NearTopic => vec![None],
        Recipe::Reworded | Recipe::Shortened | Recipe::Split | Recipe::Korean => vec![Some(Kind::DoneAlready)],
    };
    let alarms = mine.iter().copied().filter(|r| r.kind == Kind::DoneAlready && !is_repeat(r));
    let false_alarms = proposals(alarms);
    let row = |label: Option<Kind>| {
        let of = || mine.iter().filter(move |r| label.is_some() && r.label == label);
        let right: Vec<f64> = of().map(|r| one(Some(r.kind) == label)).collect();
        let ten: Vec<f64> = of().map(|r| one((1..=10).contains(&r.rank))).collect();
        RecipeRow {
            recipe,
            label,
            proposals: proposals(mine.iter().copied()),
            right: bootstrap(&right, 1),
            recall_10: bootstrap(&ten, 2),
            false_alarms,
            precision: quality(&mine).1.filter(|_| label == Some(Kind::DoneAlready)),
            at_recall_90: nine_of_ten(&mine),
        }
    };
    labels.into_iter().map(row).collect()
}

fn proposals<'r>(rows: impl Iterator<Item = &'r Row>) -> usize {
    rows.map(|r| r.proposal).collect::<HashSet<usize>>().len()
}

fn is_repeat(row: &Row) -> bool {
    row.label == Some(Kind::DoneAlready)
}

fn one(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

/// Recall and precision of `done already`; the proposals of one project are alike, so projects are what is resampled.
fn quality(rows: &[&Row]) -> (Option<Estimate>, Option<Estimate>) {
    let mut by_project: BTreeMap<usize, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for row in rows {
        let (found, right) = by_project.entry(project(row)).or_default();
        if is_repeat(row) {
            found.push(one(row.kind == Kind::DoneAlready));
        }
        if row.kind == Kind::DoneAlready {
            right.push(one(is_repeat(row)));
        }
    }
    let (found, right): (Vec<Vec<f64>>, Vec<Vec<f64>>) = by_project.into_values().unzip();
    (bootstrap_clusters(&found, 3), bootstrap_clusters(&right, 4))
}

/// Precision where nine of ten repeats are found.
fn nine_of_ten(rows: &[&Row]) -> Option<AtRecall> {
    let pair = |r: &&Row| Pair { project: project(r), done: r.done, is: is_repeat(r) };
    at_recall(&rows.iter().map(pair).collect::<Vec<_>>(), 0.9, 5)
}

type Bins = Vec<(f64, f64, usize, f64, f64)>;

fn calibration(test: &[&Row]) -> (Bins, f64) {
    let edges = [0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0001];
    let mut out = Vec::new();
    let mut error = 0.0;
    let judged: Vec<&&Row> = test.iter().filter(|r| r.rank > 0).collect();
    for pair in edges.windows(2) {
        let inside: Vec<&&&Row> = judged.iter().filter(|r| r.done >= pair[0] && r.done < pair[1]).collect();
        if inside.is_empty() {
            continue;
        }
        let n = inside.len() as f64;
        let mean = inside.iter().map(|r| r.done).sum::<f64>() / n;
        let right = inside.iter().filter(|r| is_repeat(r)).count() as f64 / n;
        error += n / judged.len() as f64 * (mean - right).abs();
        out.push((pair[0], pair[1].min(1.0), inside.len(), mean, right));
    }
    (out, error)
}

#[cfg(test)]
mod tests {
    use super::super::features::Origin;
    use super::*;

    fn row(proposal: usize, label: Option<Kind>, kind: Kind) -> Row {
        Row {
            proposal,
            recipe: Recipe::ALL[proposal % Recipe::ALL.len()],
            project_id: String::new(),
            label,
            kind,
            done: if kind == Kind::DoneAlready { 0.9 } else { 0.1 },
            rank: 1,
            training: false,
            noise: 0.2,
            fitted_as: label.unwrap_or(Kind::Related),
            features: None,
            among_few: None,
            standing: 0,
        }
    }

    fn measured(made: Vec<Row>) -> Measured {
        let origin = Origin { encoder: None, documents: 30, seed: 1, by_hand: None };
        measure(&Rows { origin, made, by_hand: Vec::new() }, "w".into(), None)
    }

    #[test]
    fn a_candidate_without_a_label_is_a_false_alarm_or_nothing() {
        // Proposal 5 is of a near topic: its source is left out.
        let m = measured(vec![
            row(0, Some(Kind::DoneAlready), Kind::DoneAlready),
            row(0, None, Kind::Related),
            row(5, None, Kind::Related),
            row(5, None, Kind::DoneAlready),
            row(5, None, Kind::None),
        ]);
        assert_eq!(
            m.confusion,
            [
                (None, Kind::DoneAlready, 1),
                (None, Kind::Related, 2),
                (None, Kind::None, 1),
                (Some(Kind::DoneAlready), Kind::DoneAlready, 1)
            ]
        );
        let near = m.recipes.iter().find(|r| r.recipe == Recipe::NearTopic).unwrap();
        assert_eq!((near.label, near.proposals, near.false_alarms), (None, 1, 1));
        assert_eq!((near.right, near.recall_10, near.precision, near.at_recall_90), (None, None, None, None));
        assert_eq!((m.projects, m.proposals, m.documents), (1, 2, 30));
        assert_eq!(m.precision.map(|e| (e.mean, e.n)), Some((0.5, 2)));
    }

    #[test]
    fn an_interval_is_as_wide_as_projects_differ_however_many_proposals_each_has() {
        let of = |project: usize, kind| (0..4).map(move |i| row(6 * project + i, Some(Kind::DoneAlready), kind));
        let m = measured(of(0, Kind::DoneAlready).chain(of(1, Kind::Related)).collect());
        assert_eq!(m.recall.map(|e| (e.mean, e.low, e.high, e.n)), Some((0.5, 0.0, 1.0, 8)));
    }
}
