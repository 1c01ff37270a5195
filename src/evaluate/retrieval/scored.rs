//! A run that another system made, against judgements and against a second run.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::super::metrics::{self, PerQuery};
use super::super::statistics::{Comparison, Estimate};
use super::super::{EvaluateError, trec};
use super::compared::{compare, confidence};

/// An existing run against judgements.
#[derive(Clone, Debug, Serialize)]
pub struct RunResult {
    /// The run's file.
    pub run: String,
    /// The judgements' file.
    pub qrels: String,
    /// Judged queries.
    pub queries: usize,
    /// Queries of the run that nobody judged; they are left out.
    pub unjudged: usize,
    /// By name.
    pub metrics: BTreeMap<String, f64>,
    /// 95 % bootstrap intervals of the main ones.
    pub confidence: BTreeMap<String, Estimate>,
    /// Against a second run, where one was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<Comparison>,
    /// Every metric of every query.
    #[serde(skip)]
    pub per_query: PerQuery,
}

/// Scores a run against judgements, and against a second run question by question.
pub fn score(run: &Path, qrels: &Path, against: Option<&Path>, seed: u64) -> Result<RunResult, EvaluateError> {
    let judged = trec::qrels(qrels)?;
    let ranked = trec::read_run(run)?;
    if !ranked.keys().any(|q| judged.contains_key(q)) {
        return Err(EvaluateError::Dataset {
            path: run.display().to_string(),
            what: format!(
                "none of its {} queries is judged in {}; do both use the same query ids?",
                ranked.len(),
                qrels.display()
            ),
        });
    }
    let per_query = metrics::per_query(&ranked, &judged);
    let name = |p: &Path| p.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let comparisons = match against {
        None => Vec::new(),
        Some(file) => {
            let other = metrics::per_query(&trec::read_run(file)?, &judged);
            let (a, b) = (name(run), name(file));
            compare(&[((&a, &per_query), (&b, &other))], seed)
        }
    };
    Ok(RunResult {
        run: run.display().to_string(),
        qrels: qrels.display().to_string(),
        queries: judged.len(),
        unjudged: ranked.keys().filter(|q| !judged.contains_key(*q)).count(),
        metrics: metrics::means(&per_query),
        confidence: confidence(&per_query, seed),
        comparisons,
        per_query,
    })
}
