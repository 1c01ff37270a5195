//! Questions from a user's own documents: proposals with gold passages, and twins whose evidence is taken away.
//!
//! From record fields (institution, year, budget) and outcomes, tables (a row's value in a column), headings (what is said
//! of a subject), definitions (`X is a …`, `X는 …이다`) and sections that report a figure. Every proposal is from a rule, so it needs the review that
//! `sectora eval make` offers; what a rule cannot see is whether anyone would ask this.

mod rules;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::EvaluateError;
use super::dataset::Gold;
use super::judge::is_source;
use super::statistics::Random;
use crate::app::App;
use crate::document::{Access, Document, Language};
use crate::text::coverage::{Coverage, term_set};

/// A question of `questions.jsonl`, as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// `m001`, and `m001-u` for its twin.
    pub id: String,
    /// The question.
    pub question: String,
    /// `ko` or `en`.
    pub language: Language,
    /// False for a twin.
    pub answerable: bool,
    /// `record`, `outcome`, `table`, `heading`, `fact`, `number` or `unanswerable`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short answer; empty for a twin.
    pub answer: String,
    /// Strings a right answer holds.
    pub must_include: Vec<String>,
    /// Where the answer is.
    pub gold: Vec<Gold>,
    /// Documents left out of the index when a twin is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    /// Access level of the evidence, where it is not public.
    #[serde(default, skip_serializing_if = "is_public")]
    pub access: Access,
}

fn is_public(access: &Access) -> bool {
    *access == Access::Public
}

/// How many and how strict.
#[derive(Clone, Copy, Debug)]
pub struct MakeOptions {
    /// Answerable questions at most.
    pub count: usize,
    /// Answerable questions at most from one document.
    pub per_document: usize,
    /// Every so many-th question gets a twin.
    pub twin_every: usize,
    /// Share of the answering passage's terms that a question may repeat.
    pub leak: f32,
    /// Seed of the choice.
    pub seed: u64,
}

/// Proposals from the sector's index, mixed over documents and rules.
pub fn propose(app: &App, options: &MakeOptions) -> Result<Vec<Proposal>, EvaluateError> {
    let documents = documents(app)?;
    let mut candidates: Vec<Proposal> =
        documents.iter().flat_map(rules::of).filter(|p| leaks(p) <= options.leak).collect();
    Random::new(options.seed).shuffle(&mut candidates);
    let mut chosen = mixed(candidates, options.count, options.per_document);
    for (i, proposal) in chosen.iter_mut().enumerate() {
        proposal.id = format!("m{:03}", i + 1);
    }
    let twins: Vec<Proposal> = chosen
        .iter()
        .step_by(options.twin_every.max(1))
        .filter(|p| !said_elsewhere(p, &documents))
        .map(|p| Proposal {
            id: format!("{}-u", p.id),
            answerable: false,
            kind: "unanswerable".into(),
            answer: String::new(),
            must_include: Vec::new(),
            without: p.gold.iter().map(|g| g.document.clone()).collect(),
            gold: Vec::new(),
            ..p.clone()
        })
        .collect();
    if options.twin_every > 0 {
        chosen.extend(twins);
    }
    Ok(chosen)
}

/// Share of the evidence's terms that the question repeats; 1 where it holds the answer itself.
pub fn leaks(proposal: &Proposal) -> f32 {
    let squash = |t: &str| t.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let (question, answer) = (squash(&proposal.question), squash(&proposal.answer));
    if !answer.is_empty() && question.contains(&answer) {
        return 1.0;
    }
    let terms = term_set(&proposal.question);
    proposal.gold.iter().map(|g| Coverage::of_statement(&g.quote, &[]).by(&terms)).fold(0.0, f32::max)
}

/// Takes in turn from each kind, and no more than `per_document` from one document.
fn mixed(candidates: Vec<Proposal>, count: usize, per_document: usize) -> Vec<Proposal> {
    let kinds: BTreeSet<(String, &'static str)> =
        candidates.iter().map(|p| (p.kind.clone(), p.language.name())).collect();
    let mut queues: Vec<Vec<Proposal>> = kinds
        .iter()
        .map(|(kind, language)| {
            let mine = candidates.iter().filter(|p| p.kind == *kind && p.language.name() == *language);
            mine.cloned().collect()
        })
        .collect();
    let mut taken: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let mut asked: BTreeSet<String> = BTreeSet::new();
    let mut out = Vec::new();
    while out.len() < count && queues.iter().any(|q| !q.is_empty()) {
        for queue in &mut queues {
            let Some(next) = queue.pop() else { continue };
            let document = next.gold.first().map(|g| g.document.clone()).unwrap_or_default();
            let used = taken.entry(document).or_default();
            if *used < per_document && out.len() < count && asked.insert(next.question.clone()) {
                *used += 1;
                out.push(next);
            }
        }
    }
    out
}

/// True when another document holds the answer beside most of the question: its twin would be answerable.
fn said_elsewhere(proposal: &Proposal, documents: &[Document]) -> bool {
    let coverage = Coverage::of_question(&proposal.question, &[]);
    let others = documents.iter().filter(|d| proposal.gold.iter().all(|g| !is_source(&d.source, &g.document)));
    others.into_iter().any(|d| d.text.contains(&proposal.answer) && coverage.by(&term_set(&d.text)) > 0.6)
}

/// All documents of an index.
pub(super) fn documents(app: &App) -> Result<Vec<Document>, EvaluateError> {
    let mut out = Vec::new();
    let mut after = String::new();
    loop {
        let ids = app.catalog().document_ids(&after, 500)?;
        let Some(last) = ids.last() else { return Ok(out) };
        after.clone_from(last);
        for id in &ids {
            out.push(app.document(id)?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposal(question: &str, answer: &str, quote: &str) -> Proposal {
        Proposal {
            id: String::new(),
            question: question.into(),
            language: Language::En,
            answerable: true,
            kind: "number".into(),
            answer: answer.into(),
            must_include: vec![],
            gold: vec![Gold { document: "a".into(), quote: quote.into() }],
            without: vec![],
            access: Access::Public,
        }
    }

    #[test]
    fn a_question_that_holds_its_answer_or_copies_its_evidence_leaks() {
        let quote = "The pouch cell kept 83 % after 500 cycles.";
        assert_eq!(leaks(&proposal("Did it keep 83 %?", "83 %", quote)), 1.0);
        assert!(leaks(&proposal("How much did the pouch cell keep after 500 cycles?", "83 %", quote)) > 0.4);
        assert!(leaks(&proposal("What does section 2 of the report state?", "83 %", quote)) < 0.2);
    }

    #[test]
    fn proposals_are_mixed_over_kinds_and_documents() {
        let mut all: Vec<Proposal> = (0..20).map(|i| proposal(&format!("q{i}"), "x", "y")).collect();
        all.push(Proposal { kind: "table".into(), ..proposal("t", "x", "y") });
        let chosen = mixed(all, 10, 3);
        assert_eq!(chosen.len(), 3, "three a document");
        assert!(chosen.iter().any(|p| p.kind == "table"));
    }
}
