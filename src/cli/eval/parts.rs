//! `eval citations` and `eval abstention`: one side of `eval answers`, looked at closely.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::{Context, Failure, Outcome};
use super::answers::{Arguments, measure, open};
use crate::evaluate::answers::Abstention;
use crate::evaluate::citations::Counts;
use crate::evaluate::entailment::Accuracy;
use crate::evaluate::statistics::Estimate;
use crate::evaluate::sweep::{Point, sweep};

/// The measures that speak of citations.
const CITATIONS: [&str; 7] = [
    "statements_cited",
    "citation_recall",
    "citation_precision",
    "citation_validity",
    "quote_exactness",
    "gold_cited",
    "no_invented_facts",
];

#[derive(Serialize)]
struct CitationReport {
    dataset: String,
    generator: String,
    questions: usize,
    twins_left_out: usize,
    without_prediction: usize,
    answered: usize,
    metrics: BTreeMap<String, f64>,
    confidence: BTreeMap<String, Estimate>,
    counts: Counts,
    invented: BTreeMap<String, usize>,
    entailment_by: String,
    entailment: Vec<Accuracy>,
}

pub(super) fn citations(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let (set, peered) = open(context, &arguments)?;
    let result = measure(context, &set, &peered.peer, &arguments)?;
    let not_asked = super::answers::not_asked(&result);
    let mut counts = Counts::default();
    for row in &result.rows {
        let c = row.citations;
        counts.statements += c.statements;
        counts.marked += c.marked;
        counts.supported += c.supported;
        counts.marks += c.marks;
        counts.valid += c.valid;
        counts.useful += c.useful;
    }
    let report = CitationReport {
        dataset: result.dataset,
        generator: result.generator,
        questions: result.questions,
        twins_left_out: result.twins_left_out,
        without_prediction: result.without_prediction,
        answered: result.rows.iter().filter(|r| !r.response.abstained).count(),
        metrics: result.metrics.into_iter().filter(|(k, _)| CITATIONS.contains(&k.as_str())).collect(),
        confidence: result.confidence.into_iter().filter(|(k, _)| CITATIONS.contains(&k.as_str())).collect(),
        counts,
        invented: result.invented,
        entailment_by: result.entailment_by,
        entailment: result.entailment,
    };
    context.output.result(&report, |r| {
        let mut out =
            format!("{}: {} of {} questions answered by {}\n", r.dataset, r.answered, r.questions, r.generator);
        out.push_str(&not_asked);
        for (name, e) in &r.confidence {
            out.push_str(&format!("{name:20} {:.4}  ({:.4} to {:.4}, {} answers)\n", e.mean, e.low, e.high, e.n));
        }
        out.push_str(&super::answers::rule(&r.entailment_by, &r.entailment));
        out
    });
    Ok(Outcome::Yes)
}

#[derive(Serialize)]
struct AbstentionReport {
    dataset: String,
    generator: String,
    questions: usize,
    twins_left_out: usize,
    without_prediction: usize,
    /// The threshold of this program; absent, like the sweep over others, where another answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    min_support: Option<f32>,
    abstention: Abstention,
    by_type: BTreeMap<String, Rates>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep: Option<Vec<Point>>,
}

#[derive(Serialize)]
struct Rates {
    questions: usize,
    answered: usize,
}

pub(super) fn abstention(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let (set, peered) = open(context, &arguments)?;
    let result = measure(context, &set, &peered.peer, &arguments)?;
    drop(peered);
    let not_asked = super::answers::not_asked(&result);
    let points = if arguments.who.is_elsewhere() { None } else { Some(without_threshold(context, &arguments)?) };
    let mut by_type: BTreeMap<String, Rates> = BTreeMap::new();
    for row in &result.rows {
        let rates = by_type.entry(row.kind.clone()).or_insert(Rates { questions: 0, answered: 0 });
        rates.questions += 1;
        rates.answered += usize::from(!row.response.abstained);
    }
    let report = AbstentionReport {
        dataset: result.dataset,
        generator: result.generator,
        questions: result.questions,
        twins_left_out: result.twins_left_out,
        without_prediction: result.without_prediction,
        min_support: points.is_some().then_some(context.config.answer.min_support),
        abstention: result.abstention,
        by_type,
        sweep: points,
    };
    context.output.result(&report, |r| {
        let a = &r.abstention;
        let mut out = format!(
            "{}: answered {} of {} answerable, abstained on {} of {} unanswerable; precision {:.3}, recall {:.3}, f1 {:.3}\n",
            r.dataset, a.answered, a.answerable, a.abstained, a.unanswerable, a.precision, a.recall, a.f1
        );
        out.push_str(&not_asked);
        for (kind, rates) in &r.by_type {
            out.push_str(&format!("{kind}: {} of {} answered\n", rates.answered, rates.questions));
        }
        let Some(points) = &r.sweep else {
            return out + "no other thresholds: `answer.min_support` is this program's, and another answered\n";
        };
        out.push_str("min_support  answered  precision  recall  f1\n");
        for p in points {
            out.push_str(&format!(
                "{:11.2} {:9.3} {:10.3} {:7.3} {:5.3}\n",
                p.threshold, p.answer_rate_of_answerable, p.precision, p.recall, p.f1
            ));
        }
        out
    });
    Ok(Outcome::Yes)
}

/// What each threshold would do: everything is asked once more without one, then counted.
fn without_threshold(context: &Context, arguments: &Arguments) -> Result<Vec<Point>, Failure> {
    let config = crate::config::Config {
        answer: crate::config::Answer { min_support: 0.0, ..context.config.answer.clone() },
        ..context.config.clone()
    };
    let free = Context { config, provenance: Vec::new(), output: context.output.clone(), language: context.language };
    let (set, peered) = open(&free, arguments)?;
    Ok(sweep(&measure(&free, &set, &peered.peer, arguments)?.rows))
}
