//! The whole portfolio against itself: which work is repeated, by whom, when, for how much?
//!
//! In: the portfolio. Out: [`Landscape`]: judged pairs with evidence, clusters (connected by `done already`) with
//! their timeline, a matrix institutes × institutes, and lists ranked by avoidable spending, one a currency. Of each pair
//! the one that began later is taken as the proposal, and what goes on with work of the same group is told apart, as for a
//! single proposal (`judge.rs`). Avoidable spending of a project is
//! `budget · max over earlier work of other groups of p(done already)`, in the budget's currency: an estimate of where to
//! look, not a sum that can be saved. Who was earlier is known where both years are and differ; else nothing is counted. Work
//! that runs side by side under one title (a joint project) looks the same.

mod repeated;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::PortfolioError;
use super::compare::{Side, compare};
use super::holdings::{Citation, Holdings, cite};
use super::institute::Institutes;
use super::join::{Join, in_threads, join};
use super::judge::judge;
use super::overlap::model;
use super::project::Project;
use super::remembered::{Judged, Remembered};
use super::similarity::Weigher;
use super::sums::Sum;
use super::verdict::{Kind, Model, WeightFile};
use crate::document::Access;
use crate::retrieve::Parts;
pub use repeated::{Avoidable, Cluster, End};
use repeated::{avoidable, clusters, end, first_of_each_currency, matrix};

/// Texts a thread keeps taken apart; one takes about 150 kB.
const KEPT: usize = 800;
/// Less alike ones are no neighbours …
const FLOOR: f32 = 0.1;
/// … unless weights for few documents judge: by them a project counts as much as it stands out among others, and whoever
/// writes in own words is alike to nothing.
const FLOOR_OF_FEW: f32 = 0.0;

/// How the portfolio is joined with itself.
#[derive(Clone, Debug)]
pub struct LandscapeOptions {
    /// Neighbours of each project that are judged.
    pub neighbours: usize,
    /// Judge them, or only find them.
    pub judges: bool,
    /// Pairs, clusters and rows shown; of avoidable spending so many of each currency.
    pub limit: usize,
    /// A pair joins a cluster from this probability of `done already`.
    pub at_least: f64,
    /// Weights in place of the program's.
    pub weights: Option<Arc<WeightFile>>,
    /// File in which neighbours and pairs are kept, so that next time only new projects are compared.
    pub remember: Option<PathBuf>,
    /// Where candidates come from.
    pub join: Join,
}

impl Default for LandscapeOptions {
    fn default() -> Self {
        LandscapeOptions {
            neighbours: 10,
            judges: true,
            limit: 50,
            at_least: 0.5,
            weights: None,
            remember: None,
            join: Join::Memory,
        }
    }
}

/// From which alikeness on two projects are neighbours.
fn floor(model: Model<'_>) -> f32 {
    if model.judges_as_few() { FLOOR_OF_FEW } else { FLOOR }
}

/// The portfolio against itself.
#[derive(Clone, Debug, Serialize)]
pub struct Landscape {
    /// Projects.
    pub projects: usize,
    /// Projects that were new, or whose neighbours changed; of the others the remembered verdicts stand.
    pub compared: usize,
    /// Pairs judged, now or before.
    pub judged: usize,
    /// Pairs that overlap, likeliest first.
    pub pairs: Vec<Pair>,
    /// Repeated work, most projects first.
    pub clusters: Vec<Cluster>,
    /// Clusters, shown or not.
    pub clusters_found: usize,
    /// Overlapping pairs between institutes, most first: `(institute, institute, pairs)`.
    pub matrix: Vec<(String, String, usize)>,
    /// Projects by avoidable spending, most first, currency by currency in the order of the sums.
    pub avoidable: Vec<Avoidable>,
    /// Their sums over the whole portfolio, where budgets are known.
    pub avoidable_total: Vec<Sum>,
    /// Projects of the whole portfolio that likely repeat earlier work of another group.
    pub avoidable_projects: usize,
    /// Those of them without a known budget, which the sums and the list leave out.
    pub avoidable_unknown: usize,
    /// Probability of the likeliest `done already` of all pairs, shown or not.
    #[serde(skip)]
    pub most_done: Option<f64>,
}

/// Two projects that overlap.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// The later one; where that is not known, the one that stands later in the index.
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

impl Pair {
    /// True where it is known which of the two began first.
    pub fn order_is_known(&self) -> bool {
        self.earlier.is_before(&self.later)
    }
}

/// The file beside an index in which what readers of this level see is remembered.
pub fn remembered(index: &Path, access: Access) -> PathBuf {
    index.join(format!("overlap-all.{}.jsonl", access.name()))
}

/// Joins the portfolio with itself.
pub fn landscape(
    parts: &Parts<'_>,
    institutes: &Institutes,
    holdings: &Holdings,
    options: &LandscapeOptions,
) -> Result<Landscape, PortfolioError> {
    let model = model(options.weights.as_deref(), parts.embedder.is_some(), parts.catalog.document_count()?);
    let made = made(parts, model, options);
    let mut known = match &options.remember {
        Some(file) => Remembered::read(file, &made, holdings),
        None => Remembered::nothing(holdings.all.len()),
    };
    let changed = join(parts, holdings, &mut known, options, floor(model))?;
    let judge = Judge {
        parts,
        institutes,
        holdings,
        model,
        known: &known,
        judged: if options.judges { options.neighbours } else { 0 },
    };
    for (i, judged, pairs) in judge.all(&side_by_side(&changed, &known.near))? {
        known.judged[i] = judged;
        known.pairs[i] = pairs;
    }
    if let Some(file) = &options.remember
        && !changed.is_empty()
        && let Err(error) = known.write(file, &made, holdings)
    {
        tracing::warn!(%error, file = %file.display(), "what was compared is not remembered");
    }
    let mut pairs: Vec<&Judged> = known.pairs.iter().flatten().collect();
    pairs.sort_by(|a, b| b.done.total_cmp(&a.done).then((a.later, a.earlier).cmp(&(b.later, b.earlier))));
    let (avoidable, avoidable_total, avoidable_unknown) = avoidable(holdings, &pairs);
    let clusters = clusters(holdings, &pairs, options.at_least);
    let done = pairs.iter().filter(|p| p.kind == Kind::DoneAlready).map(|p| p.done);
    let mut out = Landscape {
        projects: holdings.all.len(),
        compared: changed.len(),
        judged: known.judged.iter().sum(),
        pairs: Vec::new(),
        clusters_found: clusters.len(),
        clusters,
        matrix: matrix(holdings, &pairs),
        avoidable_total,
        avoidable_projects: avoidable.len() + avoidable_unknown,
        avoidable_unknown,
        avoidable,
        most_done: done.max_by(f64::total_cmp),
    };
    for judged in pairs.into_iter().take(options.limit) {
        out.pairs.push(pair(parts, holdings, judged)?);
    }
    out.clusters.truncate(options.limit);
    out.matrix.truncate(options.limit);
    first_of_each_currency(&mut out.avoidable, options.limit);
    Ok(out)
}

/// How a run with these options is made: what another run remembers of it holds only for the same.
fn made(parts: &Parts<'_>, model: Model<'_>, options: &LandscapeOptions) -> String {
    let encoder = parts.embedder.map_or("none", |e| e.id());
    let join = match options.join {
        Join::Memory => "",
        Join::Store => "; candidates from the store",
    };
    let judged = if options.judges { "; continuations told apart" } else { "; not judged" };
    format!("{encoder}; {}; {} neighbours from {}{judged}{join}", model.made(), options.neighbours, floor(model))
}

/// The neighbours of each project, nearest first, as the last run with these options remembers them; of one that it does not
/// know, none. For measuring.
pub fn remembered_neighbours(
    parts: &Parts<'_>,
    holdings: &Holdings,
    options: &LandscapeOptions,
) -> Result<Vec<Vec<usize>>, PortfolioError> {
    let Some(file) = &options.remember else { return Ok(vec![Vec::new(); holdings.all.len()]) };
    let model = model(options.weights.as_deref(), parts.embedder.is_some(), parts.catalog.document_count()?);
    let known = Remembered::read(file, &made(parts, model, options), holdings);
    let of =
        |near: Option<Vec<(usize, f32)>>| near.into_iter().flatten().map(|(j, _)| j).take(options.neighbours).collect();
    Ok(known.near.into_iter().map(of).collect())
}

/// The same projects so that neighbours stand near each other: each is followed by its nearest that was not yet there. Their
/// texts are then still taken apart when they are needed again; in the order of ids, which are hashes, a large portfolio
/// would take every text apart once for each neighbour.
fn side_by_side(projects: &[usize], near: &[Option<Vec<(usize, f32)>>]) -> Vec<usize> {
    let mut waiting = vec![false; near.len()];
    projects.iter().for_each(|&i| waiting[i] = true);
    let mut out = Vec::with_capacity(projects.len());
    let mut next: Vec<usize> = projects.iter().rev().copied().collect();
    while let Some(i) = next.pop() {
        if std::mem::take(&mut waiting[i]) {
            out.push(i);
            next.extend(near[i].iter().flatten().rev().map(|(j, _)| *j).filter(|j| waiting[*j]));
        }
    }
    out
}

/// Judges projects against their neighbours.
struct Judge<'a> {
    parts: &'a Parts<'a>,
    institutes: &'a Institutes,
    holdings: &'a Holdings,
    model: Model<'a>,
    known: &'a Remembered,
    /// Neighbours of each project that are judged.
    judged: usize,
}

/// A project, how many pairs were judged with it as the later one, and those that overlap.
type OfProject = (usize, usize, Vec<Judged>);

impl Judge<'_> {
    fn all(&self, projects: &[usize]) -> Result<Vec<OfProject>, PortfolioError> {
        let shares = in_threads(projects, |mine| -> Result<Vec<OfProject>, PortfolioError> {
            let weigher = Weigher::new(self.parts);
            let mut sides: HashMap<usize, Side> = HashMap::new();
            let mut out = Vec::new();
            for &i in mine {
                out.push(self.one(i, &weigher, &mut sides)?);
                // Texts of 200,000 projects would not fit: those behind are read again if needed.
                if sides.len() > KEPT {
                    sides.clear();
                }
            }
            Ok(out)
        });
        let mut out = Vec::new();
        for share in shares {
            out.extend(share?);
        }
        Ok(out)
    }

    /// Each pair is judged once, from the one that began later (or stands later).
    fn one(
        &self,
        i: usize,
        weigher: &Weigher<'_>,
        sides: &mut HashMap<usize, Side>,
    ) -> Result<OfProject, PortfolioError> {
        let begun = |k: usize| self.holdings.all[k].project.began();
        let list: &[(usize, f32)] = self.known.near[i].as_deref().unwrap_or(&[]);
        let mine: Vec<usize> = list
            .iter()
            .take(self.judged)
            .map(|(j, _)| *j)
            .filter(|&j| match (begun(i), begun(j)) {
                (Some(a), Some(b)) if a != b => a > b,
                _ => i > j,
            })
            .collect();
        if mine.is_empty() {
            return Ok((i, 0, Vec::new()));
        }
        let others: Vec<usize> = list.iter().map(|(j, _)| *j).collect();
        for &k in others.iter().chain([&i]) {
            if let Entry::Vacant(place) = sides.entry(k) {
                place.insert(read(self.parts, self.institutes, weigher, &self.holdings.all[k].project)?);
            }
        }
        let (own, later) = (&sides[&i], &self.holdings.all[i].project);
        let compared = compare(own, &others.iter().map(|j| &sides[j]).collect::<Vec<_>>());
        let mut pairs = Vec::new();
        for (&j, compared) in others.iter().zip(compared).filter(|(j, _)| mine.contains(j)) {
            let p = self.model.probabilities(&compared.features);
            let earlier = &self.holdings.all[j].project;
            let (kind, probability) = judge(&p, (later, own.sentences.len()), earlier, &compared.matches);
            if matches!(kind, Kind::DoneAlready | Kind::SameAim | Kind::SameMethod | Kind::Continuation) {
                let mut order = compared.matches;
                order.sort_by(|a, b| b.alike.total_cmp(&a.alike));
                let spans = order.iter().take(2).map(|m| (own.span(m.proposal), sides[&j].span(m.candidate))).collect();
                pairs.push(Judged { later: i, earlier: j, kind, probability, done: p[0], spans });
            }
        }
        Ok((i, mine.len(), pairs))
    }
}

fn pair(parts: &Parts<'_>, holdings: &Holdings, judged: &Judged) -> Result<Pair, PortfolioError> {
    let quote = |k: usize, span| cite(parts, &holdings.all[k].project, span);
    let evidence = judged
        .spans
        .iter()
        .map(|(a, b)| Ok((quote(judged.later, *a)?, quote(judged.earlier, *b)?)))
        .collect::<Result<Vec<_>, PortfolioError>>()?;
    Ok(Pair {
        later: end(holdings, judged.later),
        earlier: end(holdings, judged.earlier),
        kind: judged.kind,
        probability: judged.probability,
        done: judged.done,
        evidence,
    })
}

fn read(
    parts: &Parts<'_>,
    institutes: &Institutes,
    weigher: &Weigher<'_>,
    project: &Project,
) -> Result<Side, PortfolioError> {
    let document = parts.catalog.document(&project.doc_id)?;
    let sentences = Project::read(&document, institutes).sentences;
    Ok(Side::new(weigher, &document.title, &document.text, &sentences)?)
}

#[cfg(test)]
mod tests {
    use super::super::verdict::weight_file;
    use super::*;

    #[test]
    fn among_few_documents_nobody_is_too_unlike_to_be_judged() {
        let weights = weight_file();
        assert_eq!([20, 2999, 3000].map(|documents| floor(weights.model(true, documents))), [0.0, 0.0, 0.1]);
        assert_eq!(floor(weights.model(false, 20)), 0.1, "the words alone have no weights for few");
    }

    #[test]
    fn each_project_is_judged_once_beside_its_nearest() {
        let near = |list: &[usize]| Some(list.iter().map(|j| (*j, 0.5)).collect());
        let lists = [near(&[4, 2]), near(&[3]), near(&[0]), near(&[1]), near(&[2, 0]), None];
        assert_eq!(side_by_side(&[0, 1, 2, 3, 4, 5], &lists), [0, 4, 2, 1, 3, 5]);
        assert_eq!(side_by_side(&[1, 2, 3], &lists), [1, 3, 2]);
    }
}
