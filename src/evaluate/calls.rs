//! Calls and needs without a known answer, and the other way of `match`: an institute among open calls.
//!
//! Two measures on the index of the [`App`]. [`supported`]: needs are calls of the index; how often does the first institute
//! cite two sentences, and how often does each support a sentence of the call by the rule of [`super::entailment`], whose own
//! accuracy stands beside it? [`openings`]: projects that began after a year are held back as if they were calls, among
//! the index's real calls; does an institute's earlier work rank its own later project first?

use std::collections::BTreeMap;

use serde::Serialize;

use super::EvaluateError;
use super::entailment::{Accuracy, own_accuracy, score, threshold};
use super::matching::{blind, rank};
use super::statistics::{Estimate, Random, bootstrap};
use crate::app::App;
use crate::document::{Access, Document};
use crate::portfolio::matching::{Match, MatchOptions, NeedCitation, fit, for_need, profile};
use crate::portfolio::project::{self, is_call};
use crate::portfolio::similarity::Weigher;
use crate::portfolio::{Institutes, PortfolioError, Project, Proposal, Side};

/// How well the citations of first matches hold.
#[derive(Clone, Debug, Serialize)]
pub struct Supported {
    /// Needs asked.
    pub needs: usize,
    /// Those with any match.
    pub matched: usize,
    /// Share of first matches that cite two sentences or more.
    pub two_citations: Option<Estimate>,
    /// Share of first matches whose two first citations each support their sentence of the need, by the rule.
    pub both_supported: Option<Estimate>,
    /// The same for one of them at least.
    pub one_supported: Option<Estimate>,
    /// How often the rule is right.
    pub rule: Vec<Accuracy>,
}

/// An institute's own later project among calls.
#[derive(Clone, Debug, Serialize)]
pub struct Opened {
    /// Last year of the work that is known of the institutes.
    pub until: i32,
    /// Institutes with earlier work and a later project.
    pub institutes: usize,
    /// Later projects that stand as calls, and real calls beside them.
    pub held_back: usize,
    /// Calls of the index among them.
    pub calls: usize,
    /// Mean reciprocal rank of the institute's own (its best) within 100.
    pub mrr: Option<Estimate>,
    /// Share with one of its own among the first ten.
    pub hr_10: Option<Estimate>,
    /// HR@10 of drawing ten at random.
    pub chance: f64,
}

/// Asks `match` with `sample` calls of the index.
pub fn supported(app: &App, sample: usize, seed: u64) -> Result<Supported, EvaluateError> {
    let institutes = Institutes::new(&app.sector().institutes);
    let mut calls = calls(app)?;
    if calls.is_empty() {
        return Err(none(app));
    }
    Random::new(seed).shuffle(&mut calls);
    calls.truncate(sample);
    let mut first: Vec<Match> = Vec::new();
    for document in &calls {
        let need = Proposal::of(document.clone(), &institutes);
        let options = MatchOptions { limit: 1, ..MatchOptions::default() };
        match for_need(&app.parts(), &institutes, &need, &options) {
            Ok(found) => first.extend(found.matches.into_iter().next()),
            // A call of a title alone says nothing to match.
            Err(PortfolioError::Empty) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(of_matches(calls.len(), &first))
}

/// The quote supports its sentence of the need, by the rule.
fn holds_one(c: &NeedCitation) -> bool {
    score(&c.citation.title, &c.citation.quote, &c.need) >= threshold(&c.need)
}

/// The citations of the first matches for `needs` needs.
pub(super) fn of_matches(needs: usize, first: &[Match]) -> Supported {
    let holds = |m: &Match| -> Vec<bool> { m.citations.iter().take(2).map(holds_one).collect() };
    let share = |of: &dyn Fn(&Match) -> bool, seed| {
        bootstrap(&first.iter().map(|m| f64::from(u8::from(of(m)))).collect::<Vec<_>>(), seed)
    };
    Supported {
        needs,
        matched: first.len(),
        two_citations: share(&|m| m.citations.len() >= 2, 6),
        both_supported: share(&|m| m.citations.len() >= 2 && holds(m).into_iter().all(|h| h), 7),
        one_supported: share(&|m| holds(m).into_iter().any(|h| h), 8),
        rule: own_accuracy(),
    }
}

/// Ranks held-back later projects and the index's calls for each institute by its work up to `until`.
pub fn openings(app: &App, until: i32, sample: usize, seed: u64) -> Result<Opened, EvaluateError> {
    let institutes = Institutes::new(&app.sector().institutes);
    let mut earlier: BTreeMap<String, Vec<(Document, Project)>> = BTreeMap::new();
    let mut later: Vec<(String, Document, Project)> = Vec::new();
    project::each(
        app.catalog(),
        &institutes,
        |document, project| {
            if let (Some(key), Some(began)) = (project.institute.as_ref().map(|i| i.key.clone()), project.began()) {
                if began <= until {
                    earlier.entry(key).or_default().push((document, project));
                } else {
                    later.push((key, document, project));
                }
            }
            Ok(())
        },
        |d| d.metadata.access == Access::Public,
    )?;
    later.retain(|l| earlier.contains_key(&l.0));
    Random::new(seed).shuffle(&mut later);
    later.truncate(sample);
    let parts = app.parts();
    let weigher = Weigher::new(&parts);
    let side = |document: &Document, project: &Project| -> Result<Side, PortfolioError> {
        Ok(Side::new(&weigher, &document.title, &document.text, &project.sentences)?)
    };
    let mut offered: Vec<(String, Side)> = Vec::new();
    for (key, document, project) in &later {
        let text = Proposal::from_text(&blind(document, project), &institutes)?;
        offered.push((key.clone(), side(&text.document, &text.project)?));
    }
    let calls = calls(app)?;
    for document in &calls {
        offered.push((String::new(), side(document, &Project::read(document, &institutes))?));
    }
    let mut keys: Vec<&String> = later.iter().map(|l| &l.0).collect();
    keys.sort();
    keys.dedup();
    let (mut ranks, mut chance): (Vec<usize>, f64) = (Vec::new(), 0.0);
    for key in &keys {
        let own: Vec<Side> = earlier[*key].iter().map(|(d, p)| side(d, p)).collect::<Result<_, _>>()?;
        let own = profile(own.iter());
        let mut order: Vec<(f32, usize)> = offered.iter().enumerate().map(|(i, o)| (fit(&own, &o.1), i)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        ranks.push(rank(order.iter().map(|(_, i)| &offered[*i].0), key));
        chance += drawn(offered.len(), offered.iter().filter(|o| o.0 == **key).count());
    }
    let reciprocal: Vec<f64> = ranks.iter().map(|r| if *r > 0 { 1.0 / *r as f64 } else { 0.0 }).collect();
    let ten: Vec<f64> = ranks.iter().map(|r| f64::from(u8::from((1..=10).contains(r)))).collect();
    Ok(Opened {
        until,
        institutes: keys.len(),
        held_back: later.len(),
        calls: calls.len(),
        mrr: bootstrap(&reciprocal, 1),
        hr_10: bootstrap(&ten, 2),
        chance: chance / keys.len().max(1) as f64,
    })
}

/// How probably one of `mine` is among ten (or all, if they are fewer) drawn without replacement of `offered`.
fn drawn(offered: usize, mine: usize) -> f64 {
    let others = offered.saturating_sub(mine);
    let missed = (0..offered.min(10)).map(|d| others.saturating_sub(d) as f64 / (offered - d) as f64);
    1.0 - missed.product::<f64>()
}

/// The public calls of the index.
fn calls(app: &App) -> Result<Vec<Document>, EvaluateError> {
    let (mut out, mut after) = (Vec::new(), String::new());
    loop {
        let ids = app.catalog().document_ids(&after, 500)?;
        let Some(last) = ids.last() else { return Ok(out) };
        after.clone_from(last);
        for id in &ids {
            let document = app.catalog().document(id)?;
            if is_call(&document) && document.metadata.access == Access::Public {
                out.push(document);
            }
        }
    }
}

fn none(app: &App) -> EvaluateError {
    EvaluateError::Dataset {
        path: app.index_folder().display().to_string(),
        what: "no calls; ingest them with a document type (`--map type=COLUMN`, or `[[documents_override]]` doc_type = \"call\")"
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_at_random_are_all_where_fewer_are_offered() {
        assert_eq!([drawn(3, 1), drawn(10, 1)], [1.0; 2]);
        assert!((drawn(20, 1) - 0.5).abs() < 1e-12);
        assert_eq!([drawn(3, 0), drawn(20, 0), drawn(0, 0)], [0.0; 3]);
    }
}
