//! The whole portfolio against itself: which work is repeated, by whom, when, for how much?
//!
//! In: the portfolio. Out: [`Landscape`]: judged pairs with evidence, clusters (connected by `done already`) with
//! their timeline, a matrix institutes × institutes, and a list ranked by avoidable spending. Of each pair the one
//! that began later is taken as the proposal. Avoidable spending of a project is
//! `budget · max over earlier work of other groups of p(done already)`, in the source's unit: an estimate of where to
//! look, not a sum that can be saved. Work that runs side by side under one title (a joint project) looks the same.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;

use super::PortfolioError;
use super::compare::{Side, compare};
use super::holdings::{Citation, Holdings, citation};
use super::institute::Institutes;
use super::overlap::model;
use super::project::Project;
use super::similarity::Weigher;
use super::verdict::{Kind, WeightFile};
use crate::document::Document;
use crate::retrieve::Parts;

/// Neighbours a pair is seen among, for each that is judged.
const CONTEXT: usize = 2;
/// Texts kept taken apart; one takes about 150 kB.
const KEPT: usize = 1500;

/// How the portfolio is joined with itself.
#[derive(Clone, Debug)]
pub struct LandscapeOptions {
    /// Neighbours of each project that are judged.
    pub neighbours: usize,
    /// Less alike pairs are not judged.
    pub floor: f32,
    /// Pairs, clusters and rows shown.
    pub limit: usize,
    /// A pair joins a cluster from this probability of `done already`.
    pub at_least: f64,
    /// Weights in place of the program's.
    pub weights: Option<Arc<WeightFile>>,
}

impl Default for LandscapeOptions {
    fn default() -> Self {
        LandscapeOptions { neighbours: 10, floor: 0.1, limit: 50, at_least: 0.5, weights: None }
    }
}

/// The portfolio against itself.
#[derive(Clone, Debug, Serialize)]
pub struct Landscape {
    /// Projects.
    pub projects: usize,
    /// Pairs judged.
    pub judged: usize,
    /// Pairs that overlap, likeliest first.
    pub pairs: Vec<Pair>,
    /// Repeated work, most projects first.
    pub clusters: Vec<Cluster>,
    /// Overlapping pairs between institutes, most first: `(institute, institute, pairs)`.
    pub matrix: Vec<(String, String, usize)>,
    /// Projects by avoidable spending.
    pub avoidable: Vec<Avoidable>,
    /// Their sum over the whole portfolio, where budgets are known.
    pub avoidable_total: f64,
}

/// Two projects that overlap.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// The later one.
    pub later: End,
    /// The earlier one.
    pub earlier: End,
    /// What the earlier one is to the later one.
    pub kind: Kind,
    /// Of `kind`.
    pub probability: f64,
    /// Of `done already`.
    pub done: f64,
    /// The most alike sentences: of the later and of the earlier.
    pub evidence: Vec<(Citation, Citation)>,
}

/// One side of a pair.
#[derive(Clone, Debug, Serialize)]
pub struct End {
    /// The source system's id, else the source's path.
    pub project_id: String,
    /// Title.
    pub title: String,
    /// Institute.
    pub institution: Option<String>,
    /// First year.
    pub began: Option<i32>,
    /// Budget.
    pub budget: Option<f64>,
}

/// Projects that repeat each other.
#[derive(Clone, Debug, Serialize)]
pub struct Cluster {
    /// In order of time: who was first.
    pub timeline: Vec<End>,
    /// Years from the first to the last beginning.
    pub years_after: Option<i32>,
    /// Budgets of all but the first, where known.
    pub spent_after: f64,
}

/// Where spending could perhaps be avoided.
#[derive(Clone, Debug, Serialize)]
pub struct Avoidable {
    /// The later project.
    pub project: End,
    /// The earlier work it most likely repeats.
    pub repeats: String,
    /// `budget · p(done already)`.
    pub spending: f64,
}

/// Joins the portfolio with itself.
pub fn landscape(
    parts: &Parts<'_>,
    institutes: &Institutes,
    holdings: &Holdings,
    options: &LandscapeOptions,
) -> Result<Landscape, PortfolioError> {
    // The nearest are judged; the next ones are what they are seen among.
    let near = holdings.neighbours(options.neighbours * CONTEXT, options.floor);
    let weigher = Weigher::new(parts);
    let model = model(options.weights.as_deref(), parts.embedder.is_some());
    let mut sides: HashMap<usize, (Document, Side)> = HashMap::new();
    let (mut pairs, mut judged, mut seen) = (Vec::new(), 0usize, HashSet::new());
    for (i, list) in near.iter().enumerate() {
        let begun = |k: usize| holdings.all[k].project.began();
        // Each pair is judged once, from the one that began later (or stands later).
        let mine: Vec<usize> = list
            .iter()
            .take(options.neighbours)
            .map(|(j, _)| *j)
            .filter(|&j| match (begun(i), begun(j)) {
                (Some(a), Some(b)) if a != b => a > b,
                _ => i > j,
            })
            .filter(|&j| seen.insert((i.min(j), i.max(j))))
            .collect();
        if mine.is_empty() {
            continue;
        }
        let others: Vec<usize> = list.iter().map(|(j, _)| *j).collect();
        for &k in others.iter().chain([&i]) {
            if let Entry::Vacant(place) = sides.entry(k) {
                place.insert(read(parts, institutes, &weigher, &holdings.all[k].project)?);
            }
        }
        let own = &sides[&i].1;
        let compared = compare(own, &others.iter().map(|j| &sides[j].1).collect::<Vec<_>>());
        for (&j, compared) in others.iter().zip(compared).filter(|(j, _)| mine.contains(j)) {
            judged += 1;
            let p = model.probabilities(&compared.features);
            let best = (0..5).fold(0, |a, b| if p[b] > p[a] { b } else { a });
            let kind = Kind::FITTED[best];
            if matches!(kind, Kind::DoneAlready | Kind::SameAim | Kind::SameMethod) {
                let mut order = compared.matches;
                order.sort_by(|a, b| b.alike.total_cmp(&a.alike));
                let evidence = order.iter().take(2).map(|m| {
                    let quote = |k: usize, span| citation(&holdings.all[k].project, &sides[&k].0, span);
                    (quote(i, own.span(m.proposal)), quote(j, sides[&j].1.span(m.candidate)))
                });
                let evidence: Vec<_> = evidence.collect();
                pairs.push((
                    i,
                    j,
                    Pair {
                        later: end(holdings, i),
                        earlier: end(holdings, j),
                        kind,
                        probability: p[best],
                        done: p[0],
                        evidence,
                    },
                ));
            }
        }
        // Texts of 200,000 projects would not fit: those behind are read again if needed.
        if sides.len() > KEPT {
            sides.clear();
        }
    }
    pairs.sort_by(|a, b| b.2.done.total_cmp(&a.2.done).then((a.0, a.1).cmp(&(b.0, b.1))));
    let (avoidable, avoidable_total) = avoidable(holdings, &pairs, options.limit);
    let mut out = Landscape {
        projects: holdings.all.len(),
        judged,
        clusters: clusters(holdings, &pairs, options.at_least),
        matrix: matrix(&pairs),
        avoidable,
        avoidable_total,
        pairs: pairs.into_iter().map(|p| p.2).collect(),
    };
    out.pairs.truncate(options.limit);
    out.clusters.truncate(options.limit);
    out.matrix.truncate(options.limit);
    Ok(out)
}

fn read(
    parts: &Parts<'_>,
    institutes: &Institutes,
    weigher: &Weigher<'_>,
    project: &Project,
) -> Result<(Document, Side), PortfolioError> {
    let document = parts.catalog.document(&project.doc_id)?;
    let sentences = Project::read(&document, institutes).sentences;
    let side = Side::new(weigher, &document.title, &document.text, &sentences)?;
    Ok((document, side))
}

fn end(holdings: &Holdings, i: usize) -> End {
    let p = &holdings.all[i].project;
    End {
        project_id: p.id.clone(),
        title: p.title.clone(),
        institution: p.institute.as_ref().map(|k| k.name.clone()),
        began: p.began(),
        budget: p.budget,
    }
}

fn clusters(holdings: &Holdings, pairs: &[(usize, usize, Pair)], at_least: f64) -> Vec<Cluster> {
    let mut root: Vec<usize> = (0..holdings.all.len()).collect();
    fn find(root: &mut [usize], mut i: usize) -> usize {
        while root[i] != i {
            root[i] = root[root[i]];
            i = root[i];
        }
        i
    }
    for (i, j, _) in pairs.iter().filter(|p| p.2.done >= at_least) {
        let (a, b) = (find(&mut root, *i), find(&mut root, *j));
        root[a.max(b)] = a.min(b);
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for i in 0..holdings.all.len() {
        groups.entry(find(&mut root, i)).or_default().push(i);
    }
    let mut out: Vec<Cluster> = groups
        .into_values()
        .filter(|g| g.len() > 1)
        .map(|mut g| {
            g.sort_by_key(|i| (holdings.all[*i].project.began().unwrap_or(i32::MAX), *i));
            let timeline: Vec<End> = g.iter().map(|i| end(holdings, *i)).collect();
            let began: Vec<i32> = timeline.iter().filter_map(|e| e.began).collect();
            let years_after = match (began.first(), began.last()) {
                (Some(first), Some(last)) if began.len() > 1 => Some(last - first),
                _ => None,
            };
            Cluster { years_after, spent_after: timeline.iter().skip(1).filter_map(|e| e.budget).sum(), timeline }
        })
        .collect();
    out.sort_by(|a, b| b.timeline.len().cmp(&a.timeline.len()).then(b.spent_after.total_cmp(&a.spent_after)));
    out
}

fn matrix(pairs: &[(usize, usize, Pair)]) -> Vec<(String, String, usize)> {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (_, _, pair) in pairs {
        if let (Some(a), Some(b)) = (&pair.later.institution, &pair.earlier.institution) {
            *counts.entry((a.min(b).clone(), a.max(b).clone())).or_insert(0) += 1;
        }
    }
    let mut out: Vec<_> = counts.into_iter().map(|((a, b), n)| (a, b, n)).collect();
    out.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| (&a.0, &a.1).cmp(&(&b.0, &b.1))));
    out
}

/// Each project's likeliest repetition of another group's earlier work.
fn avoidable(holdings: &Holdings, pairs: &[(usize, usize, Pair)], limit: usize) -> (Vec<Avoidable>, f64) {
    let mut best: BTreeMap<usize, (usize, f64)> = BTreeMap::new();
    for (i, j, pair) in pairs {
        let institute = |k: usize| holdings.all[k].project.institute.as_ref().map(|x| &x.key);
        let other_group = institute(*i).is_none() || institute(*i) != institute(*j);
        let slot = best.entry(*i).or_insert((*j, 0.0));
        if other_group && pair.done > slot.1 {
            *slot = (*j, pair.done);
        }
    }
    let mut rows: Vec<Avoidable> = best
        .into_iter()
        .filter_map(|(i, (j, p))| {
            let spending = holdings.all[i].project.budget? * p;
            (p >= 0.5).then(|| Avoidable {
                project: end(holdings, i),
                repeats: holdings.all[j].project.id.clone(),
                spending,
            })
        })
        .collect();
    rows.sort_by(|a, b| {
        b.spending.total_cmp(&a.spending).then_with(|| a.project.project_id.cmp(&b.project.project_id))
    });
    let total = rows.iter().map(|r| r.spending).sum();
    rows.truncate(limit);
    (rows, total)
}
