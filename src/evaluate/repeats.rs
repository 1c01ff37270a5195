//! Verdicts of `overlap` on pairs somebody wrote down: planted repeats of a sector, and proposals written by hand.
//!
//! In: a file of pairs (`{"proposal" or "text", "prior", "kind", "languages"}`) and the index of the [`App`]. Out: what each was
//! judged, at which rank, with its evidence, and what else was called the same work.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::EvaluateError;
use super::json_lines::json_lines;
use crate::app::App;
use crate::document::Document;
use crate::portfolio::overlap::OverlapOptions;
use crate::portfolio::verdict::WeightFile;
use crate::portfolio::{Institutes, Kind, Proposal, project};

/// A pair of `repeats.jsonl`, or a proposal written by hand about a project of the index.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Planted {
    /// Project of the index that is checked …
    #[serde(default)]
    pub(super) proposal: Option<String>,
    /// … or the text of a proposal, the first line its title.
    #[serde(default)]
    pub(super) text: Option<String>,
    /// The earlier work.
    pub(super) prior: String,
    pub(super) kind: String,
    #[serde(default)]
    pub(super) languages: String,
}

/// A planted pair, judged.
#[derive(Clone, Debug, Serialize)]
pub struct PlantedRow {
    /// Proposal: a project, or the first line of a text.
    pub proposal: String,
    /// The earlier work.
    pub prior: String,
    /// Label.
    pub label: String,
    /// Languages of the earlier work and the proposal.
    pub languages: String,
    /// What it was judged; `None`: not among the candidates.
    pub judged: Option<Kind>,
    /// Of `done already`.
    pub done: f64,
    /// Rank among the verdicts, from 1; 0: not there.
    pub rank: usize,
    /// Other work judged `done already` (or a continuation): to be looked at.
    pub others: Vec<String>,
    /// The best pair of sentences.
    pub evidence: Option<(String, String)>,
}

impl Planted {
    /// Id of the project of the index that is checked.
    pub(super) fn indexed(&self) -> Option<String> {
        self.proposal.as_deref().map(id)
    }

    /// Id of the earlier work.
    pub(super) fn prior_id(&self) -> String {
        id(&self.prior)
    }
}

/// Ids may be written `file#id`.
fn id(name: &str) -> String {
    name.rsplit('#').next().unwrap_or(name).to_owned()
}

/// The projects of the index by their id.
pub(super) fn asked(app: &App, institutes: &Institutes) -> Result<HashMap<String, Document>, EvaluateError> {
    let mut by_id: HashMap<String, Document> = HashMap::new();
    project::each(
        app.catalog(),
        institutes,
        |document, project| {
            by_id.insert(project.id, document);
            Ok(())
        },
        |_| true,
    )?;
    Ok(by_id)
}

pub(super) fn read_pairs(file: &Path) -> Result<Vec<Planted>, EvaluateError> {
    json_lines(file, &fs_err::read_to_string(file)?).collect()
}

/// Judges the pairs of a file on the index at hand. Ids may be written `file#id`.
pub fn planted(app: &App, file: &Path, weights: Option<Arc<WeightFile>>) -> Result<Vec<PlantedRow>, EvaluateError> {
    let institutes = Institutes::new(&app.sector().institutes);
    let invalid = |what: String| EvaluateError::Dataset { path: file.display().to_string(), what };
    let by_source = asked(app, &institutes)?;
    let mut rows = Vec::new();
    for (n, pair) in read_pairs(file)?.into_iter().enumerate() {
        let (shown, proposal) = match (&pair.proposal, &pair.text) {
            (Some(name), _) => {
                let document = by_source
                    .get(&id(name))
                    .ok_or_else(|| invalid(format!("pair {}: `{name}` is not in the index", n + 1)))?;
                (name.clone(), Proposal::of(document.clone(), &institutes))
            }
            (None, Some(text)) => {
                (text.lines().next().unwrap_or("").to_owned(), Proposal::from_text(text, &institutes)?)
            }
            (None, None) => return Err(invalid(format!("pair {}: neither `proposal` nor `text`", n + 1))),
        };
        let options =
            OverlapOptions { limit: 40, with_none: true, weights: weights.clone(), ..OverlapOptions::default() };
        let found = crate::portfolio::overlap::find(&app.parts(), &institutes, &proposal, &options)?;
        let prior = pair.prior_id();
        let at = found.verdicts.iter().position(|v| id(&v.project_id) == prior);
        let verdict = at.map(|i| &found.verdicts[i]);
        let done = |v: &crate::portfolio::overlap::Verdict| v.probabilities.first().map_or(0.0, |p| p.1);
        rows.push(PlantedRow {
            proposal: shown,
            label: pair.kind,
            languages: pair.languages,
            judged: verdict.map(|v| v.kind),
            done: verdict.map_or(0.0, done),
            rank: at.map_or(0, |i| i + 1),
            others: found
                .verdicts
                .iter()
                .filter(|v| id(&v.project_id) != prior && matches!(v.kind, Kind::DoneAlready | Kind::Continuation))
                .map(|v| v.project_id.clone())
                .collect(),
            evidence: verdict
                .and_then(|v| v.evidence.first())
                .map(|e| (e.proposal.quote.clone(), e.source.quote.clone())),
            prior,
        });
    }
    Ok(rows)
}
