//! What the judged pairs come to: who repeats whom, in what order of time, between which institutes, for how much?
//!
//! In: pairs, likeliest first. Out: [`Cluster`]s, a matrix of institutes, [`Avoidable`] spending. What goes on with work of the
//! same group repeats nothing. Knows nothing of texts and of how pairs are judged.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::super::holdings::Holdings;
use super::super::project::is_earlier;
use super::super::remembered::Judged;
use super::super::sums::{Sum, by_currency, place};
use super::super::union_find::UnionFind;
use super::super::verdict::Kind;
use crate::text::money::Money;

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

impl End {
    /// True where both years are known and this began in an earlier one.
    pub fn is_before(&self, other: &End) -> bool {
        is_earlier(self.began, other.began)
    }
}

/// Projects that repeat each other.
#[derive(Clone, Debug, Serialize)]
pub struct Cluster {
    /// In order of time, those of unknown year last; of those of one year it is not known who was first.
    pub timeline: Vec<End>,
    /// Years from the first to the last beginning.
    pub years_after: Option<i32>,
    /// Budgets of those that are known to have begun after the first, where known.
    pub spent_after: Vec<Sum>,
    /// Those of them without a known budget.
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

pub(super) fn end(holdings: &Holdings, i: usize) -> End {
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

/// Those of a timeline that are known to have begun after its first.
fn after_first(timeline: &[End]) -> impl Iterator<Item = &End> {
    let first = timeline.first();
    timeline.iter().filter(move |p| first.is_some_and(|first| first.is_before(p)))
}

/// The budgets of these that are known.
fn budgets(timeline: &[End]) -> impl Iterator<Item = Money> {
    after_first(timeline).filter_map(|p| Some(Money { amount: p.budget?, currency: p.currency }))
}

pub(super) fn clusters(holdings: &Holdings, pairs: &[&Judged], at_least: f64) -> Vec<Cluster> {
    let mut sets = UnionFind::new(holdings.all.len());
    let repeats = pairs.iter().filter(|p| p.done >= at_least && p.kind != Kind::Continuation);
    repeats.for_each(|p| sets.union(p.later, p.earlier));
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for i in 0..holdings.all.len() {
        groups.entry(sets.find(i)).or_default().push(i);
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
                spent_after: by_currency(budgets(&timeline)),
                spent_after_unknown: after_first(&timeline).filter(|e| e.budget.is_none()).count(),
                timeline,
            }
        })
        .collect();
    // Of equally many projects: by what was spent in the currency of most of them, currency by currency.
    let all = by_currency(out.iter().flat_map(|c| budgets(&c.timeline)));
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

pub(super) fn matrix(holdings: &Holdings, pairs: &[&Judged]) -> Vec<(String, String, usize)> {
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

/// Each project's likeliest repetition of another group's work that is known to be earlier, their sums, and how many that repeat
/// have no known budget.
pub(super) fn avoidable(holdings: &Holdings, pairs: &[&Judged]) -> (Vec<Avoidable>, Vec<Sum>, usize) {
    let mut best: BTreeMap<usize, (usize, f64)> = BTreeMap::new();
    for pair in pairs.iter().filter(|p| p.kind != Kind::Continuation) {
        let (i, j) = (pair.later, pair.earlier);
        if !holdings.all[i].project.began_after(&holdings.all[j].project) {
            continue;
        }
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
pub(super) fn first_of_each_currency(rows: &mut Vec<Avoidable>, limit: usize) {
    let mut kept: HashMap<Option<&str>, usize> = HashMap::new();
    rows.retain(|row| {
        let n = kept.entry(row.project.currency).or_insert(0);
        *n += 1;
        *n <= limit
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeats(later: usize, earlier: usize) -> Judged {
        Judged { later, earlier, kind: Kind::DoneAlready, probability: 0.75, done: 0.75, spans: Vec::new() }
    }

    /// So many projects, one begun each year.
    fn year_by_year(n: usize) -> Holdings {
        let mut holdings = Holdings::of_terms(vec![Vec::new(); n]);
        holdings.all.iter_mut().zip(2001..).for_each(|(holding, year)| holding.project.year = Some(year));
        holdings
    }

    #[test]
    fn what_rests_on_an_order_in_time_that_is_not_known_is_not_counted() {
        for years in [[Some(2015), Some(2015)], [Some(2015), None], [None, Some(2015)], [None, None]] {
            let mut holdings = year_by_year(2);
            for (holding, year) in holdings.all.iter_mut().zip(years) {
                (holding.project.year, holding.project.budget) = (year, Some(40.0));
            }
            let (rows, sums, unknown) = avoidable(&holdings, &[&repeats(1, 0)]);
            assert!(rows.is_empty() && sums.is_empty() && unknown == 0, "{years:?}");
            let found = clusters(&holdings, &[&repeats(1, 0)], 0.5);
            assert!(found[0].timeline.len() == 2 && found[0].spent_after.is_empty(), "{years:?}: {found:?}");
            let ends = [end(&holdings, 0), end(&holdings, 1)];
            assert!(!ends[0].is_before(&ends[1]) && !ends[1].is_before(&ends[0]), "{years:?}");
        }
    }

    fn sum(currency: Option<&'static str>, amount: f64, projects: usize) -> Sum {
        Sum { currency, amount, projects }
    }

    #[test]
    fn projects_without_a_known_budget_are_counted_beside_the_sums() {
        let mut holdings = year_by_year(5);
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
    fn what_goes_on_with_ones_own_work_is_neither_repeated_nor_avoidable() {
        let mut holdings = year_by_year(2);
        holdings.all.iter_mut().for_each(|holding| holding.project.budget = Some(40.0));
        let goes_on = Judged { kind: Kind::Continuation, ..repeats(1, 0) };
        assert!(clusters(&holdings, &[&goes_on], 0.5).is_empty());
        let (rows, sums, unknown) = avoidable(&holdings, &[&goes_on]);
        assert!(rows.is_empty() && sums.is_empty() && unknown == 0);
        assert_eq!(clusters(&holdings, &[&repeats(1, 0)], 0.5).len(), 1);
    }

    #[test]
    fn spending_is_added_and_ranked_within_a_currency_never_across() {
        let mut holdings = year_by_year(9);
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
}
