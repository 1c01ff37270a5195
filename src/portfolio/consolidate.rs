//! Which small projects should be one programme, under whose lead, and what would be lost?
//!
//! In: the portfolio. Out: [`Groups`]. The objective is correlation clustering (Bansal, Blum & Chawla 2004):
//! over all partitions, maximise `Σ_groups Σ_{i<j in group} (alike(i, j) − θ)`, where `alike` is
//! [`Holdings::alike`]; two projects gain from being together when they are more alike than `θ`. A pair is listed if
//! one is among the other's 40 nearest and they are at least `0.3 θ` alike; any other counts as the least of the
//! listed ones, and never as a gain. It is maximised greedily (best merge of two groups first) and then by local search
//! (moving single projects while that gains). Constraints: `--min-size`, institutes that every group must hold,
//! institutes that no group may hold, a largest budget, which is compared within one currency. The optimum is local; the
//! value reached and a bound are reported. Whether people want to work together it cannot know.

mod partition;

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::PortfolioError;
use super::holdings::{Citation, Holdings, cite};
use super::institute::Institutes;
use super::project::Project;
use super::similarity::Terms;
use super::strengths::{present, weight};
use super::sums::{Sum, by_currency};
use crate::document::Language;
use crate::retrieve::Parts;
use partition::{Gains, partition};

/// What names, as a currency, the budgets of which no source states one.
pub const UNSTATED: &str = "none";

/// What groups may be.
#[derive(Clone, Debug)]
pub struct ConsolidateOptions {
    /// Projects a group has at least.
    pub min_size: usize,
    /// Every group holds a project of each of these institutes.
    pub must: Vec<String>,
    /// No group holds a project of these institutes.
    pub must_not: Vec<String>,
    /// `θ`: two projects more alike than this gain from being together.
    pub threshold: f32,
    /// Only projects with at most this budget (of a range its upper end), in the base unit of `currency`; without a known budget
    /// they count as small, in another currency they are left out.
    pub max_budget: Option<f64>,
    /// Of `max_budget`: an ISO 4217 code, or [`UNSTATED`]; needed where the known budgets are of several currencies.
    pub currency: Option<String>,
    /// Groups shown.
    pub limit: usize,
    /// Language of the reasons.
    pub reader: Language,
}

impl Default for ConsolidateOptions {
    fn default() -> Self {
        ConsolidateOptions {
            min_size: 2,
            must: Vec::new(),
            must_not: Vec::new(),
            threshold: 0.4,
            max_budget: None,
            currency: None,
            limit: 20,
            reader: Language::En,
        }
    }
}

/// What of the options cannot be. Printed as the command line names it; another door words it by its own names.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Of `threshold`.
    #[error("--threshold {0}: must be at least 0 and below 1")]
    Threshold(f32),
    /// Of `min_size`.
    #[error("--min-size: a group has at least 2 projects")]
    MinSize(usize),
    /// Of `max_budget`.
    #[error("--max-budget {0}: must be over 0")]
    MaxBudget(f64),
    /// A `currency` without a `max_budget`.
    #[error("--currency {0}: is that of --max-budget, which is missing")]
    CurrencyAlone(String),
    /// A `currency` in which no budget is.
    #[error("--currency {asked}: no budget is in it; the budgets here: {here}")]
    Currency {
        /// As given.
        asked: String,
        /// The currencies there are, with their projects.
        here: String,
    },
    /// A `max_budget` without a `currency`, where there are several.
    #[error("--max-budget: name its currency with --currency; the budgets here: {0}")]
    SeveralCurrencies(String),
    /// An institute of `must` without a project.
    #[error("--must `{name}`: no project of it in this index; `sectora strengths` lists the institutes")]
    Must {
        /// Place in `must`.
        at: usize,
        /// The institute.
        name: String,
    },
}

impl ConsolidateOptions {
    /// Refuses values that cannot be, whatever the index holds.
    pub fn check(&self) -> Result<(), Refused> {
        if !(0.0..1.0).contains(&self.threshold) {
            return Err(Refused::Threshold(self.threshold));
        }
        if self.min_size < 2 {
            return Err(Refused::MinSize(self.min_size));
        }
        match (self.max_budget, &self.currency) {
            (Some(most), _) if most.is_nan() || most <= 0.0 => Err(Refused::MaxBudget(most)),
            (None, Some(currency)) => Err(Refused::CurrencyAlone(currency.clone())),
            (Some(_), _) | (None, None) => Ok(()),
        }
    }
}

/// The groups and what they are worth.
#[derive(Clone, Debug, Serialize)]
pub struct Groups {
    /// Most gain first.
    pub groups: Vec<Group>,
    /// `Σ (alike − θ)` reached, over all groups.
    pub objective: f64,
    /// The sum of all positive gains, which no partition can exceed.
    pub bound: f64,
    /// `θ`.
    pub threshold: f32,
    /// Projects looked at.
    pub projects: usize,
    /// Projects left out by the institutes named or by the budget.
    pub left_out: usize,
    /// Those of them whose budget is in another currency than `max_budget`.
    pub other_currency: usize,
    /// Sets of projects that belong together and miss an institute that each group must hold.
    pub without_must: usize,
    /// The like that are smaller than asked for, at least two projects each.
    pub too_small: usize,
}

/// Projects that should be one programme.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// Words that name it.
    pub label: Vec<String>,
    /// `Σ (alike − θ)` inside.
    pub gain: f64,
    /// The institute with most weighed work in it.
    pub lead: Option<String>,
    /// Sums of the known budgets.
    pub budget: Vec<Sum>,
    /// Projects without a known budget.
    pub budget_unknown: usize,
    /// First and last year.
    pub period: (Option<i32>, Option<i32>),
    /// Why: a sentence.
    pub reason: String,
    /// Members, heaviest first.
    pub members: Vec<Member>,
}

/// A project of a group.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    /// The source system's id, else the source's path.
    pub project_id: String,
    /// Institute.
    pub institution: Option<String>,
    /// Title.
    pub title: String,
    /// Mean alikeness to the others.
    pub alike: f32,
    /// Its aim, cited.
    pub aim: Option<Citation>,
    /// What only it does, in its heaviest words that no other member has: what a merger would lose first.
    pub only_here: Vec<String>,
}

/// Works out the groups.
pub fn consolidate(
    parts: &Parts<'_>,
    institutes: &Institutes,
    holdings: &Holdings,
    options: &ConsolidateOptions,
) -> Result<Groups, PortfolioError> {
    options.check()?;
    let keys = |names: &[String]| -> BTreeSet<String> { names.iter().map(|n| institutes.find(n).key).collect() };
    let (must, must_not) = (keys(&options.must), keys(&options.must_not));
    let key_of = |i: usize| holdings.all[i].project.institute.as_ref().map(|k| k.key.as_str());
    let known: BTreeSet<&str> = (0..holdings.all.len()).filter_map(key_of).collect();
    if let Some(at) = options.must.iter().position(|name| !known.contains(institutes.find(name).key.as_str())) {
        return Err(Refused::Must { at, name: options.must[at].clone() }.into());
    }
    let money = |i: usize| holdings.all[i].project.money();
    let most = match options.max_budget {
        Some(most) => {
            let known = by_currency((0..holdings.all.len()).filter_map(money));
            Some((most, compared_in(&known, options.currency.as_deref())?))
        }
        None => None,
    };
    let allowed: Vec<usize> =
        (0..holdings.all.len()).filter(|i| key_of(*i).is_none_or(|k| !must_not.contains(k))).collect();
    let comparable = |i: usize| most.zip(money(i)).is_none_or(|((_, currency), own)| own.currency == currency);
    let other_currency = allowed.iter().filter(|i| !comparable(**i)).count();
    let small = |i: usize| most.is_none_or(|(most, _)| holdings.all[i].project.costs_at_most(most));
    let items: Vec<usize> = allowed.into_iter().filter(|i| comparable(*i) && small(*i)).collect();
    let gains = Gains::among(holdings, &items, options.threshold);
    let parts_of = partition(holdings.all.len(), &items, &gains);
    let (mut groups, mut without_must, mut too_small) = (Vec::new(), 0, 0);
    for members in parts_of {
        let present_keys: BTreeSet<&str> = members.iter().filter_map(|i| key_of(*i)).collect();
        if members.len() < options.min_size {
            too_small += usize::from(members.len() > 1);
            continue;
        }
        if !must.iter().all(|m| present_keys.contains(m.as_str())) {
            without_must += 1;
            continue;
        }
        groups.push(group(parts, holdings, &members, &gains, options)?);
    }
    groups.sort_by(|a, b| b.gain.total_cmp(&a.gain).then_with(|| a.label.cmp(&b.label)));
    // The sum of nothing is −0.0 in Rust.
    let objective = groups.iter().map(|g| g.gain).sum::<f64>() + 0.0;
    groups.truncate(options.limit);
    Ok(Groups {
        groups,
        objective,
        bound: gains.bound(),
        threshold: options.threshold,
        projects: items.len(),
        left_out: holdings.all.len() - items.len(),
        other_currency,
        without_must,
        too_small,
    })
}

/// The currency in which budgets of the `known` ones are compared: the one asked for, else the only one.
fn compared_in(known: &[Sum], asked: Option<&str>) -> Result<Option<&'static str>, Refused> {
    let name = |sum: &Sum| sum.currency.unwrap_or(UNSTATED);
    let here = || {
        let each = known.iter().map(|sum| format!("{} (projects: {})", name(sum), sum.projects));
        if known.is_empty() { "unknown".to_owned() } else { each.collect::<Vec<_>>().join(", ") }
    };
    match (known, asked) {
        (_, Some(asked)) => match known.iter().find(|sum| name(sum).eq_ignore_ascii_case(asked)) {
            Some(sum) => Ok(sum.currency),
            None => Err(Refused::Currency { asked: asked.to_owned(), here: here() }),
        },
        ([], None) => Ok(None),
        ([only], None) => Ok(only.currency),
        (_, None) => Err(Refused::SeveralCurrencies(here())),
    }
}

impl Groups {
    /// Why no group came out, for a person; `None` where there is one.
    pub fn why_none(&self, reader: Language) -> Option<String> {
        if !self.groups.is_empty() {
            return None;
        }
        let Groups { projects, threshold, left_out, without_must, too_small, .. } = self;
        Some(match reader {
            Language::Ko => format!(
                "묶을 과제가 없습니다. 비교한 과제 {projects}건, 기관·예산 조건으로 제외 {left_out}건, 최소 크기에 못 미친 묶음 {too_small}개, 필수 기관이 없는 묶음 {without_must}개. 유사도 기준({threshold:.2})을 낮추면 더 많이 묶입니다."
            ),
            Language::En | Language::Other => format!(
                "No group is proposed. Projects compared: {projects}; left out by institute or budget: {left_out}; sets smaller than the least size: {too_small}; sets without an institute that must be there: {without_must}. A lower threshold than {threshold:.2} joins more."
            ),
        })
    }
}

fn group(
    parts: &Parts<'_>,
    holdings: &Holdings,
    members: &[usize],
    gains: &Gains,
    options: &ConsolidateOptions,
) -> Result<Group, PortfolioError> {
    let threshold = options.threshold;
    let year = present(holdings);
    let mut order = members.to_vec();
    order.sort_by(|a, b| weight(&holdings.all[*b], year).total_cmp(&weight(&holdings.all[*a], year)).then(a.cmp(b)));
    let mut by_institute: HashMap<&str, f64> = HashMap::new();
    for &i in members {
        if let Some(institute) = &holdings.all[i].project.institute {
            *by_institute.entry(&institute.name).or_insert(0.0) += weight(&holdings.all[i], year);
        }
    }
    let mut leaders: Vec<(&str, f64)> = by_institute.into_iter().collect();
    leaders.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    let terms = Terms::sum(members.iter().map(|i| &holdings.all[*i].meaning.terms));
    let label = holdings.label(&terms, 4);
    let mut said: Vec<(usize, HashSet<u32>)> = Vec::new();
    for &i in members {
        said.push((i, all_terms(parts, &holdings.all[i].project)?));
    }
    let mut out = Vec::new();
    for &i in &order {
        let h = &holdings.all[i];
        let others = || members.iter().filter(|j| **j != i);
        let said_by_others: Vec<&HashSet<u32>> = said.iter().filter(|(j, _)| *j != i).map(|(_, terms)| terms).collect();
        out.push(Member {
            project_id: h.project.id.clone(),
            institution: h.project.institute.as_ref().map(|k| k.name.clone()),
            title: h.project.title.clone(),
            alike: others().map(|j| holdings.alike(i, *j)).sum::<f32>() / (members.len() - 1).max(1) as f32,
            aim: h.aim.map(|span| cite(parts, &h.project, span)).transpose()?,
            only_here: holdings.label(&without(&h.meaning.terms, &said_by_others), 4),
        });
    }
    let lead = leaders.first().map(|l| l.0.to_owned());
    let (n, institutes, shared) = (members.len(), leaders.len(), label.join(", "));
    let alike = out.iter().map(|m| m.alike).sum::<f32>() / n as f32;
    let reason = match options.reader {
        Language::Ko => format!(
            "{institutes}개 기관의 과제 {n}건이 {shared}에서 만난다. 평균 유사도는 {alike:.2}(기준 {threshold:.2})이다.{}",
            lead.as_ref().map(|l| format!(" 가중한 실적으로는 {l}이(가) 앞선다.")).unwrap_or_default()
        ),
        Language::En | Language::Other => format!(
            "{n} projects of {institutes} institute{} share {shared}; their mean alikeness is {alike:.2} (threshold {threshold:.2}).{}",
            if institutes == 1 { "" } else { "s" },
            lead.as_ref().map(|l| format!(" {l} leads by weighed work.")).unwrap_or_default()
        ),
    };
    let projects = || members.iter().map(|i| &holdings.all[*i].project);
    Ok(Group {
        label,
        gain: gains.within(members),
        lead,
        budget: by_currency(projects().filter_map(Project::money)),
        budget_unknown: projects().filter(|p| p.budget.is_none()).count(),
        period: (projects().filter_map(|p| p.began()).min(), projects().filter_map(|p| p.end.or(p.year)).max()),
        reason,
        members: out,
    })
}

/// Every term of a project's title and text, not its heaviest alone, with the other names that the glossary has for them.
fn all_terms(parts: &Parts<'_>, project: &Project) -> Result<HashSet<u32>, PortfolioError> {
    let document = parts.catalog.document(&project.doc_id)?;
    let text = format!("{}\n{}", document.title, document.text);
    Ok(parts.glossary.expand(&text, 1.0).indices.into_iter().collect())
}

/// The terms that none of the others has.
fn without(terms: &Terms, others: &[&HashSet<u32>]) -> Terms {
    let only_here = |(d, _): &&(u32, f32)| !others.iter().any(|other| other.contains(d));
    Terms::unit(terms.entries().iter().filter(only_here).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_member_says_at_all_is_not_only_here() {
        let own = Terms::unit(vec![(1, 3.0), (2, 2.0), (5, 1.0)]);
        let (all, few) = (HashSet::from([2, 7, 9]), HashSet::from([5]));
        let only =
            |others: &[&HashSet<u32>]| -> Vec<u32> { without(&own, others).entries().iter().map(|e| e.0).collect() };
        assert_eq!((only(&[&all]), only(&[&all, &few]), only(&[])), (vec![1, 5], vec![1], vec![1, 2, 5]));
    }

    #[test]
    fn no_group_says_why_in_the_readers_language() {
        let none = Groups {
            groups: Vec::new(),
            objective: 0.0,
            bound: 0.0,
            threshold: 0.4,
            projects: 7,
            left_out: 3,
            other_currency: 0,
            without_must: 0,
            too_small: 2,
        };
        let said = none.why_none(Language::En).unwrap();
        assert!(said.contains("compared: 7") && said.contains("budget: 3") && said.contains("least size: 2"), "{said}");
        assert!(none.why_none(Language::Ko).unwrap().contains("비교한 과제 7건"));
    }

    #[test]
    fn a_largest_budget_is_compared_within_one_currency() {
        let sum = |currency, projects| Sum { currency, amount: 1.0, projects };
        let of = |known: &[Sum], asked| compared_in(known, asked).map_err(|refused| refused.to_string());
        let mixed = [sum(Some("KRW"), 12), sum(Some("USD"), 3), sum(None, 1)];
        assert_eq!(of(&[], None), Ok(None));
        assert_eq!(of(&mixed[..1], None), Ok(Some("KRW")));
        assert_eq!(of(&mixed, Some("usd")), Ok(Some("USD")));
        assert_eq!(of(&mixed, Some("none")), Ok(None));
        let here = "the budgets here: KRW (projects: 12), USD (projects: 3), none (projects: 1)";
        assert_eq!(of(&mixed, None), Err(format!("--max-budget: name its currency with --currency; {here}")));
        assert_eq!(of(&mixed, Some("EUR")), Err(format!("--currency EUR: no budget is in it; {here}")));
        let alone = ConsolidateOptions { currency: Some("KRW".into()), ..ConsolidateOptions::default() };
        assert!(matches!(alone.check(), Err(Refused::CurrencyAlone(currency)) if currency == "KRW"));
    }

    #[test]
    fn a_threshold_of_one_is_refused_in_words_that_say_so() {
        let said = |threshold| ConsolidateOptions { threshold, ..ConsolidateOptions::default() }.check().err();
        let refused = said(1.0).map(|e| e.to_string());
        assert_eq!(refused.as_deref(), Some("--threshold 1: must be at least 0 and below 1"));
        assert!(said(0.0).is_none() && said(-0.1).is_some());
    }
}
