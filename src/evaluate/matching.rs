//! Does `match` find the institution that really did the work? A time split with the institution hidden.
//!
//! Projects that began after a year are the needs; only earlier projects may be looked at. Compared with BM25 (the
//! institution of the best passages) and with always naming the institutions with most earlier projects.

use std::collections::HashMap;

use serde::Serialize;

use super::EvaluateError;
use super::calls::{Supported, of_matches};
use super::statistics::{Comparison, Estimate, Pair, Random, bootstrap, compare};
use crate::app::App;
use crate::document::{Access, Document};
use crate::portfolio::matching::{Match, MatchOptions, for_need};
use crate::portfolio::{Institutes, Project, Proposal, project};
use crate::retrieve::{SearchMode, SearchOptions};

/// One way of naming institutions.
#[derive(Clone, Debug, Serialize)]
pub struct Ranker {
    /// `match`, `bm25` or `most frequent`.
    pub name: &'static str,
    /// Mean reciprocal rank within 100.
    pub mrr: Option<Estimate>,
    /// Share with the right institution among the first ten.
    pub hr_10: Option<Estimate>,
}

/// What came out.
#[derive(Clone, Debug, Serialize)]
pub struct MatchMeasured {
    /// Last year that may be looked at.
    pub until: i32,
    /// Earlier projects.
    pub earlier: usize,
    /// Needs: later projects whose institution has an earlier one.
    pub needs: usize,
    /// Later projects whose institution has none: nobody can name it, left out.
    pub unreachable: usize,
    /// The ways.
    pub rankers: Vec<Ranker>,
    /// `match` against each of the others by reciprocal rank, with Holm's correction over both.
    pub comparisons: Vec<Comparison>,
    /// The citations of `match`'s first institutions.
    pub citations: Supported,
}

/// The ways that are measured, in order of their ranks.
const WAYS: [&str; 3] = ["match", "bm25", "most frequent"];

/// Measures on the index at hand.
pub fn time_split(app: &App, until: i32, sample: usize, seed: u64) -> Result<MatchMeasured, EvaluateError> {
    let institutes = Institutes::new(&app.sector().institutes);
    let mut earlier: HashMap<String, usize> = HashMap::new();
    let mut later: Vec<(Document, Project)> = Vec::new();
    let mut names: HashMap<String, String> = HashMap::new();
    project::each(
        app.catalog(),
        &institutes,
        |document, project| {
            if let (Some(institute), Some(began)) = (&project.institute, project.began()) {
                names.insert(institute.name.clone(), institute.key.clone());
                if began <= until {
                    *earlier.entry(institute.key.clone()).or_insert(0) += 1;
                } else {
                    later.push((document, project));
                }
            }
            Ok(())
        },
        |d| d.metadata.access == Access::Public,
    )?;
    Random::new(seed).shuffle(&mut later);
    later.truncate(sample);
    let key = |p: &Project| p.institute.as_ref().map_or_else(String::new, |i| i.key.clone());
    let all = later.len();
    later.retain(|(_, p)| earlier.contains_key(&key(p)));
    let mut frequent: Vec<(&String, &usize)> = earlier.iter().collect();
    frequent.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let mut ranks: [Vec<usize>; 3] = Default::default();
    let mut first: Vec<Match> = Vec::new();
    for (document, project) in &later {
        let wanted = key(project);
        let need = Proposal::from_text(&blind(document, project), &institutes)?;
        let options = MatchOptions {
            limit: 100,
            until: Some(until),
            exclude: vec![project.id.clone()],
            ..MatchOptions::default()
        };
        let found = for_need(&app.parts(), &institutes, &need, &options)?;
        let named: Vec<String> =
            found.matches.iter().map(|m| names.get(&m.institution).cloned().unwrap_or_default()).collect();
        first.extend(found.matches.into_iter().next());
        ranks[0].push(rank(named.iter(), &wanted));
        let search = SearchOptions {
            limit: 200,
            mode: SearchMode::Sparse,
            year_to: Some(i64::from(until)),
            ..SearchOptions::default()
        };
        let passages = app.search(&need.document.text.chars().take(3000).collect::<String>(), &search)?.passages;
        let mut seen: Vec<String> = Vec::new();
        for passage in passages {
            if let Some(written) = &passage.metadata.institution {
                let k = institutes.find(written).key;
                if !seen.contains(&k) {
                    seen.push(k);
                }
            }
        }
        ranks[1].push(rank(seen.iter(), &wanted));
        ranks[2].push(rank(frequent.iter().map(|f| f.0), &wanted));
    }
    let reciprocal: [Vec<f64>; 3] =
        ranks.each_ref().map(|r| r.iter().map(|r| if (1..=100).contains(r) { 1.0 / *r as f64 } else { 0.0 }).collect());
    let rankers = WAYS
        .into_iter()
        .zip(&ranks)
        .zip(&reciprocal)
        .map(|((name, r), reciprocal)| Ranker {
            name,
            mrr: bootstrap(reciprocal, 1),
            hr_10: bootstrap(&r.iter().map(|r| f64::from(u8::from((1..=10).contains(r)))).collect::<Vec<_>>(), 2),
        })
        .collect();
    Ok(MatchMeasured {
        until,
        earlier: earlier.values().sum(),
        needs: later.len(),
        unreachable: all - later.len(),
        rankers,
        comparisons: against_others(&reciprocal),
        citations: of_matches(later.len(), &first),
    })
}

/// The first way against the others, together.
fn against_others(reciprocal: &[Vec<f64>; 3]) -> Vec<Comparison> {
    let [own, others @ ..] = reciprocal;
    let pair = |(name, values): (&'static str, &Vec<f64>)| Pair {
        metric: "mrr",
        names: (WAYS[0], name),
        a: own.clone(),
        b: values.clone(),
    };
    compare(&WAYS.into_iter().skip(1).zip(others).map(pair).collect::<Vec<_>>(), 5)
}

/// Title and sentences only: the record's line of facts names the institution.
pub(super) fn blind(document: &Document, project: &Project) -> String {
    let mut out = format!("{}\n\n", document.title);
    for sentence in &project.sentences {
        out.push_str(sentence.span.slice(&document.text));
        out.push('\n');
    }
    out
}

/// From 1; 0: not named.
pub(super) fn rank<'k>(named: impl Iterator<Item = &'k String>, wanted: &str) -> usize {
    named.take(100).position(|k| k == wanted).map_or(0, |i| i + 1)
}

#[cfg(test)]
mod tests {
    use super::super::statistics::{holm, permutation};
    use super::*;

    #[test]
    fn both_comparisons_that_are_shown_are_corrected_together() {
        let own = vec![1.0; 6];
        // Six of six better: p of about 0.03 alone.
        let rows = against_others(&[own.clone(), vec![0.5; 6], own.clone()]);
        assert_eq!(
            rows.iter().map(|r| (r.a.as_str(), r.b.as_str())).collect::<Vec<_>>(),
            [("match", "bm25"), ("match", "most frequent")]
        );
        let raw = [permutation(&own, &[0.5; 6], 5), 1.0];
        assert_eq!(rows.iter().map(|r| r.p).collect::<Vec<_>>(), raw);
        assert_eq!(rows.iter().map(|r| r.p_corrected).collect::<Vec<_>>(), holm(&raw));
        assert!(raw[0] < 0.05 && rows[0].verdict == "inside the noise", "{rows:?}");
    }
}
