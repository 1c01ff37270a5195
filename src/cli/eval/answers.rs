use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::super::{Context, Failure, Outcome, this_program};
use crate::evaluate::answers::{self, AnswerOptions, AnswerResult, Asking};
use crate::evaluate::dataset::{QuestionFormat, QuestionSet};
use crate::evaluate::entailment::{Accuracy, Entailment};
use crate::evaluate::judge::Judgement;
use crate::evaluate::peer::{Peer, Server};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// The question set
    #[arg(long, value_name = "FILE")]
    dataset: PathBuf,
    /// Its format
    #[arg(long, value_enum)]
    format: QuestionFormat,
    /// Ask this many questions, drawn with --seed
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Seed of sampling, bootstrap and permutation
    #[arg(long, default_value_t = 42)]
    pub(super) seed: u64,
    /// Judge citations by this entailment model (a sequence classifier's folder) instead of the lexical rule
    #[arg(long, value_name = "DIR")]
    entailment_model: Option<PathBuf>,
    /// Print every question with its answer and values
    #[arg(long)]
    rows: bool,
    #[command(flatten)]
    pub(super) who: Who,
}

/// Who is measured.
#[derive(Args)]
pub(in crate::cli) struct Who {
    /// Put the questions to a running server instead (Sectora or any OpenAI-compatible one)
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The model to ask there; by default the first it lists
    #[arg(long, value_name = "NAME", requires = "server")]
    server_model: Option<String>,
    /// Score answers made elsewhere: JSON, question id to text
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    predictions: Option<PathBuf>,
}

impl Who {
    /// The peer, and whether it is this process.
    pub(super) fn open(&self, context: &Context, set: &QuestionSet) -> Result<Peered, Failure> {
        let timeout = Duration::from_secs(context.config.remote.timeout_s.max(1));
        let peer = match (&self.server, &self.predictions) {
            (Some(url), _) => Peer::Server(Server::connect(url, self.server_model.as_deref(), timeout)?),
            (None, Some(file)) => Peer::Recorded(predictions(file, set)?),
            (None, None) => return local(context, set),
        };
        Ok(Peered { peer, folder: None })
    }

    /// Whether the answers are another's, whom no setting of this program reaches.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.server.is_some() || self.predictions.is_some()
    }
}

/// Answers made elsewhere; refused where not one belongs to a question of the set.
fn predictions(file: &Path, set: &QuestionSet) -> Result<BTreeMap<String, String>, Failure> {
    let text = fs_err::read_to_string(file).map_err(|e| Failure::bad_input(e.to_string()))?;
    let wrong = |what: String| Failure::bad_input(format!("{}: {what}", file.display()));
    let answers: BTreeMap<String, String> = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    if set.questions.iter().any(|q| answers.contains_key(&q.id)) {
        return Ok(answers);
    }
    Err(wrong(format!(
        "none of its ids ({}) is a question of {} ({}); give the predictions for this set, as JSON of question id to text",
        first_ids(answers.keys()),
        set.name,
        first_ids(set.questions.iter().map(|q| &q.id))
    )))
}

fn first_ids<'i>(mut ids: impl Iterator<Item = &'i String>) -> String {
    let some: Vec<String> = ids.by_ref().take(3).map(|id| format!("`{id}`")).collect();
    let more = if ids.next().is_some() { " …" } else { "" };
    some.join(", ") + more
}

/// A peer with the folder its index lives in, dropped in that order.
pub(super) struct Peered {
    pub(super) peer: Peer,
    #[allow(dead_code, reason = "kept until the peer is gone")]
    folder: Option<tempfile::TempDir>,
}

/// The library in this process over the set's documents, or over the sector's.
pub(super) fn local(context: &Context, set: &QuestionSet) -> Result<Peered, Failure> {
    let program = this_program()?;
    let bench = if set.format == QuestionFormat::Questions {
        answers::bench_sector(&context.config, &program)?
    } else {
        answers::bench(&context.config, &set.documents, &program)?
    };
    for note in bench.app.notes() {
        context.output.note(note.of(context.language));
    }
    let (app, folder) = bench.into_parts();
    Ok(Peered { peer: Peer::Local(Box::new(app)), folder: Some(folder) })
}

/// The question set, and who is to answer it.
pub(super) fn open(context: &Context, arguments: &Arguments) -> Result<(QuestionSet, Peered), Failure> {
    let options = AnswerOptions {
        dataset: arguments.dataset.clone(),
        format: arguments.format,
        limit: arguments.limit,
        seed: arguments.seed,
    };
    let set = answers::open(&options)?;
    let peered = arguments.who.open(context, &set)?;
    Ok((set, peered))
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let (set, peered) = open(context, &arguments)?;
    let result = measure(context, &set, &peered.peer, &arguments)?;
    let printed = Printed { rows: arguments.rows.then_some(&result.rows), result: &result };
    context.output.result(&printed, |p| table(p.result));
    Ok(Outcome::Yes)
}

pub(super) fn measure(
    context: &Context,
    set: &QuestionSet,
    peer: &Peer,
    arguments: &Arguments,
) -> Result<AnswerResult, Failure> {
    let entailment = Entailment::open(arguments.entailment_model.as_deref(), context.config.data_dir.as_ref())?;
    let asking = Asking { seed: arguments.seed, plant: None, entailment: &entailment };
    let total = set.questions.len();
    let shown = context.output.is_interactive();
    let result = answers::ask(set, peer, &asking, &mut |done| {
        if shown && (done % 50 == 0 || done == total) {
            context.output.note(&format!("{done} of {total} questions"));
        }
    })?;
    Ok(result)
}

#[derive(Serialize)]
struct Printed<'r> {
    #[serde(flatten)]
    result: &'r AnswerResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<&'r Vec<Judgement>>,
}

pub(super) fn table(result: &AnswerResult) -> String {
    let mut out = format!(
        "{}: {} of {} questions, {} documents, {}\n",
        result.dataset, result.questions, result.total, result.documents, result.generator
    );
    out.push_str(&not_asked(result));
    let a = &result.abstention;
    out.push_str(&format!(
        "answered {} of {} answerable; abstained on {} of {} unanswerable (precision {:.3}, recall {:.3})\n",
        a.answered, a.answerable, a.abstained, a.unanswerable, a.precision, a.recall
    ));
    for (name, e) in &result.confidence {
        out.push_str(&format!("{name:40} {:.4}  ({:.4} to {:.4}, {} questions)\n", e.mean, e.low, e.high, e.n));
    }
    for (title, groups) in [("type", &result.by_type), ("language", &result.by_language)] {
        for (name, group) in groups {
            out.push_str(&format!("{title} {name}: {} questions, {}\n", group.n, line(&group.metrics)));
        }
    }
    out + &rule(&result.entailment_by, &result.entailment)
}

/// What of the set was not put, or not answered.
pub(super) fn not_asked(result: &AnswerResult) -> String {
    let mut out = String::new();
    if result.twins_left_out > 0 {
        out.push_str(&format!(
            "{} twins left out: who answers finds the documents that they are to be asked without\n",
            result.twins_left_out
        ));
    }
    if result.without_prediction > 0 {
        out.push_str(&format!(
            "{} of {} questions have no prediction, which counts as an abstention\n",
            result.without_prediction, result.questions
        ));
    }
    out
}

/// How good the rule or model behind the citation measures is.
pub(super) fn rule(by: &str, measured: &[Accuracy]) -> String {
    if measured.is_empty() {
        return format!(
            "citations judged by {by}, whose own accuracy was not measured here: `sectora eval entailment --entailment-model DIR --klue FILE --scifact DIR`\n"
        );
    }
    let line = |a: &Accuracy| {
        format!(
            "entailment by {by} on {}: accuracy {:.3} (always the same: {:.3}), precision {:.3}, recall {:.3}\n",
            a.dataset, a.accuracy, a.majority, a.precision, a.recall
        )
    };
    measured.iter().map(line).collect()
}

fn line(metrics: &BTreeMap<String, f64>) -> String {
    metrics.iter().map(|(k, v)| format!("{k} {v:.3}")).collect::<Vec<_>>().join("  ")
}
