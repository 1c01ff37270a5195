//! The whole portfolio against itself: which work is repeated, by whom, when, for how much?
//!
//! In: the portfolio. Out: [`Landscape`]: judged pairs with evidence, clusters (connected by `done already`) with
//! their timeline, a matrix institutes × institutes, and lists ranked by avoidable spending, one a currency. Of each pair
//! the one that began later is taken as the proposal. Avoidable spending of a project is
//! `budget · max over earlier work of other groups of p(done already)`, in the budget's currency: an estimate of where to
//! look, not a sum that can be saved. Work that runs side by side under one title (a joint project) looks the same.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::PortfolioError;
use super::compare::{Side, compare};
use super::holdings::{Citation, Holdings, cite};
use super::institute::Institutes;
use super::join::{Join, in_threads, join};
use super::overlap::model;
use super::project::Project;
use super::remembered::{Judged, Remembered};
use super::similarity::Weigher;
use super::sums::{Sum, by_currency, place};
use super::verdict::{Kind, Model, WeightFile};
use crate::document::Access;
use crate::retrieve::Parts;
use crate::text::money::Money;

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
    /// Budget, in the currency's base unit where the source states its unit.
    pub budget: Option<f64>,
    /// ISO 4217 code of the budget's currency, where the source states it.
    pub currency: Option<&'static str>,
}

/// Projects that repeat each other.
#[derive(Clone, Debug, Serialize)]
pub struct Cluster {
    /// In order of time: who was first.
    pub timeline: Vec<End>,
    /// Years from the first to the last beginning.
    pub years_after: Option<i32>,
    /// Budgets of all but the first, where known.
    pub spent_after: Vec<Sum>,
    /// Projects after the first without a known budget.
    pub spent_after_unknown: usize,
}

/// Where spending could perhaps be avoided.
#[derive(Clone, Debug, Serialize)]
pub struct Avoidable {
    /// The later project.
    pub project: End,
    /// The earlier work it most likely repeats.
    pub repeats: String,
    /// `budget · p(done already)`, in the currency of the project's budget.
    pub spending: f64,
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
    let judged = if options.judges { "" } else { "; not judged" };
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
        let own = &sides[&i];
        let compared = compare(own, &others.iter().map(|j| &sides[j]).collect::<Vec<_>>());
        let mut pairs = Vec::new();
        for (&j, compared) in others.iter().zip(compared).filter(|(j, _)| mine.contains(j)) {
            let p = self.model.probabilities(&compared.features);
            let best = (0..5).fold(0, |a, b| if p[b] > p[a] { b } else { a });
            let kind = Kind::FITTED[best];
            if matches!(kind, Kind::DoneAlready | Kind::SameAim | Kind::SameMethod) {
                let mut order = compared.matches;
                order.sort_by(|a, b| b.alike.total_cmp(&a.alike));
                let spans = order.iter().take(2).map(|m| (own.span(m.proposal), sides[&j].span(m.candidate))).collect();
                pairs.push(Judged { later: i, earlier: j, kind, probability: p[best], done: p[0], spans });
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

fn end(holdings: &Holdings, i: usize) -> End {
    let p = &holdings.all[i].project;
    End {
        project_id: p.id.clone(),
        title: p.title.clone(),
        institution: p.institute.as_ref().map(|k| k.name.clone()),
        began: p.began(),
        budget: p.budget,
        currency: p.currency,
    }
}

/// The budgets that are known.
fn budgets(projects: &[End]) -> impl Iterator<Item = Money> {
    projects.iter().filter_map(|p| Some(Money { amount: p.budget?, currency: p.currency }))
}

fn clusters(holdings: &Holdings, pairs: &[&Judged], at_least: f64) -> Vec<Cluster> {
    let mut root: Vec<usize> = (0..holdings.all.len()).collect();
    fn find(root: &mut [usize], mut i: usize) -> usize {
        while root[i] != i {
            root[i] = root[root[i]];
            i = root[i];
        }
        i
    }
    for pair in pairs.iter().filter(|p| p.done >= at_least) {
        let (a, b) = (find(&mut root, pair.later), find(&mut root, pair.earlier));
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
            Cluster {
                years_after,
                spent_after: by_currency(budgets(&timeline[1..])),
                spent_after_unknown: timeline[1..].iter().filter(|e| e.budget.is_none()).count(),
                timeline,
            }
        })
        .collect();
    // Of equally many projects: by what was spent in the currency of most of them, currency by currency.
    let all = by_currency(out.iter().flat_map(|c| budgets(&c.timeline[1..])));
    let spent = |c: &Cluster| {
        let first = c.spent_after.first();
        (first.map_or(all.len(), |s| place(&all, s.currency)), first.map_or(0.0, |s| s.amount))
    };
    out.sort_by(|a, b| {
        let ((place_a, spent_a), (place_b, spent_b)) = (spent(a), spent(b));
        b.timeline.len().cmp(&a.timeline.len()).then(place_a.cmp(&place_b)).then(spent_b.total_cmp(&spent_a))
    });
    out
}

fn matrix(holdings: &Holdings, pairs: &[&Judged]) -> Vec<(String, String, usize)> {
    let name = |k: usize| holdings.all[k].project.institute.as_ref().map(|x| &x.name);
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for pair in pairs {
        if let (Some(a), Some(b)) = (name(pair.later), name(pair.earlier)) {
            *counts.entry((a.min(b).clone(), a.max(b).clone())).or_insert(0) += 1;
        }
    }
    let mut out: Vec<_> = counts.into_iter().map(|((a, b), n)| (a, b, n)).collect();
    out.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| (&a.0, &a.1).cmp(&(&b.0, &b.1))));
    out
}

/// Each project's likeliest repetition of another group's earlier work, their sums, and how many that repeat have no known budget.
fn avoidable(holdings: &Holdings, pairs: &[&Judged]) -> (Vec<Avoidable>, Vec<Sum>, usize) {
    let mut best: BTreeMap<usize, (usize, f64)> = BTreeMap::new();
    for pair in pairs {
        let (i, j) = (pair.later, pair.earlier);
        let institute = |k: usize| holdings.all[k].project.institute.as_ref().map(|x| &x.key);
        let other_group = institute(i).is_none() || institute(i) != institute(j);
        let slot = best.entry(i).or_insert((j, 0.0));
        if other_group && pair.done > slot.1 {
            *slot = (j, pair.done);
        }
    }
    let mut rows: Vec<Avoidable> = Vec::new();
    let mut unknown = 0;
    for (i, (j, p)) in best.into_iter().filter(|(_, (_, p))| *p >= 0.5) {
        match holdings.all[i].project.budget {
            Some(budget) => rows.push(Avoidable {
                project: end(holdings, i),
                repeats: holdings.all[j].project.id.clone(),
                spending: budget * p,
            }),
            None => unknown += 1,
        }
    }
    let sums = by_currency(rows.iter().map(|row| Money { amount: row.spending, currency: row.project.currency }));
    let place = |row: &Avoidable| place(&sums, row.project.currency);
    rows.sort_by(|a, b| {
        let by_spending = || b.spending.total_cmp(&a.spending);
        place(a).cmp(&place(b)).then_with(by_spending).then_with(|| a.project.project_id.cmp(&b.project.project_id))
    });
    (rows, sums, unknown)
}

/// Keeps so many rows of each currency, so that a common one does not hide the others.
fn first_of_each_currency(rows: &mut Vec<Avoidable>, limit: usize) {
    let mut kept: HashMap<Option<&str>, usize> = HashMap::new();
    rows.retain(|row| {
        let n = kept.entry(row.project.currency).or_insert(0);
        *n += 1;
        *n <= limit
    });
}

#[cfg(test)]
mod tests {
    use super::super::verdict::weight_file;
    use super::*;

    fn repeats(later: usize, earlier: usize) -> Judged {
        Judged { later, earlier, kind: Kind::DoneAlready, probability: 0.75, done: 0.75, spans: Vec::new() }
    }

    fn sum(currency: Option<&'static str>, amount: f64, projects: usize) -> Sum {
        Sum { currency, amount, projects }
    }

    #[test]
    fn projects_without_a_known_budget_are_counted_beside_the_sums() {
        let mut holdings = Holdings::of_terms(vec![Vec::new(); 5]);
        for (holding, budget) in holdings.all.iter_mut().zip([Some(100.0), Some(40.0), None, Some(7.0), None]) {
            holding.project.budget = budget;
        }
        let judged = [repeats(1, 0), repeats(2, 0), repeats(4, 3)];
        let pairs: Vec<&Judged> = judged.iter().collect();
        let (rows, sums, unknown) = avoidable(&holdings, &pairs);
        let spending: Vec<(&str, f64)> = rows.iter().map(|r| (r.project.project_id.as_str(), r.spending)).collect();
        assert_eq!((spending, sums, unknown), (vec![("P-1", 30.0)], vec![sum(None, 30.0, 1)], 2));
        let found = clusters(&holdings, &pairs, 0.5);
        let spent: Vec<(usize, Vec<Sum>, usize)> =
            found.into_iter().map(|c| (c.timeline.len(), c.spent_after, c.spent_after_unknown)).collect();
        assert_eq!(spent, [(3, vec![sum(None, 40.0, 1)], 1), (2, Vec::new(), 1)]);
    }

    #[test]
    fn spending_is_added_and_ranked_within_a_currency_never_across() {
        let mut holdings = Holdings::of_terms(vec![Vec::new(); 9]);
        let (won, dollars) = (Some("KRW"), Some("USD"));
        let budgets = [(1e9, won), (4e8, won), (8e8, won), (4e5, dollars), (12.0, None), (1e9, won)];
        for (holding, (budget, currency)) in holdings.all.iter_mut().zip(budgets) {
            (holding.project.budget, holding.project.currency) = (Some(budget), currency);
        }
        for (i, (budget, currency)) in [(6, (9e5, dollars)), (8, (2e8, won))] {
            (holdings.all[i].project.budget, holdings.all[i].project.currency) = (Some(budget), currency);
        }
        // 0 to 4 are one cluster; of 5 and 6, and of 7 and 8, the second repeats the first.
        let judged = [repeats(1, 0), repeats(2, 0), repeats(3, 0), repeats(4, 0), repeats(6, 5), repeats(8, 7)];
        let pairs: Vec<&Judged> = judged.iter().collect();
        let (mut rows, sums, unknown) = avoidable(&holdings, &pairs);
        let ids = |rows: &[Avoidable]| rows.iter().map(|r| r.project.project_id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&rows), ["P-2", "P-1", "P-8", "P-6", "P-3", "P-4"]);
        assert_eq!(sums, [sum(won, 1.05e9, 3), sum(dollars, 975_000.0, 2), sum(None, 9.0, 1)]);
        assert_eq!(unknown, 0);
        first_of_each_currency(&mut rows, 1);
        assert_eq!(ids(&rows), ["P-2", "P-6", "P-4"]);
        let found = clusters(&holdings, &pairs, 0.5);
        let spent: Vec<Vec<Sum>> = found.into_iter().map(|c| c.spent_after).collect();
        assert_eq!(
            spent,
            [
                vec![sum(won, 1.2e9, 2), sum(dollars, 4e5, 1), sum(None, 12.0, 1)],
                vec![sum(won, 2e8, 1)],
                vec![sum(dollars, 9e5, 1)],
            ]
        );
    }

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
