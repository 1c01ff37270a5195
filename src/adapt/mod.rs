//! Does a model get better at one sector by learning from its documents? If it does, it is kept.
//!
//! In: a sector's index and a local model. Out: a [`Report`], and where the gate passes an adapted model in its place. The order:
//! questions by rule ([`crate::evaluate::make`]); documents split; the prompts that the product writes for the
//! questions of one part, with what should be answered; the other part asked of the model as it is; LoRA
//! ([`sectora_lm::lora`]); the same part asked of the result; the gate's [`Decision`].
//! Knows nothing of terminals, and not how an answer is made.

mod base;
mod error;
mod examples;
mod gate;
mod room;
mod split;
mod unseen;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sectora_lm::lora::{Lora, LoraOptions, Schedule, Trainer, TrainingMemory, memory, merge};
use serde::Serialize;

pub use base::Base;
pub use error::AdaptError;
pub use examples::{Skipped, Written};
pub use gate::{Check, Decision};
pub use room::available_memory;

use crate::app::App;
use crate::config::Config;
use crate::evaluate::answers::{self, AnswerResult, Asking};
use crate::evaluate::dataset::{QuestionFormat, QuestionSet};
use crate::evaluate::entailment::Entailment;
use crate::evaluate::make::{self, MakeOptions, Proposal};
use crate::evaluate::peer::Peer;
use crate::evaluate::statistics::Random;
use crate::model_store::{Adapted, ModelStore};
use split::Split;
use unseen::Unseen;

/// Fewer answerable held-out questions than this say nothing.
const LEAST_ASKED: usize = 8;
/// Fewer unanswerable ones say nothing of abstention.
const LEAST_UNANSWERABLE: usize = 4;
/// Fewer examples than this teach nothing.
const LEAST_LEARNT: usize = 8;
/// Share of the answering passage's terms that a question may repeat, as `eval make` has it.
const LEAK: f32 = 0.6;
/// How often a run that may be broken off saves what it has.
const CHECKPOINT: Duration = Duration::from_secs(60);

/// How to adapt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AdaptOptions {
    /// Questions proposed at most, over both parts.
    pub questions: usize,
    /// Of these from one document at most.
    pub per_document: usize,
    /// Share of the documents that are held out.
    pub held_out: f64,
    /// Optimizer steps.
    pub steps: usize,
    /// No step is begun after so many minutes.
    pub minutes: f64,
    /// Examples a step.
    pub batch: usize,
    /// Rank of the addition.
    pub rank: usize,
    /// It is multiplied by `alpha / rank`.
    pub alpha: f64,
    /// Highest learning rate.
    pub rate: f64,
    /// Longer examples are left out.
    pub tokens: usize,
    /// Of everything that is drawn.
    pub seed: u64,
    /// Begin from an adapter saved earlier, which must not have learnt from what this run holds out.
    pub from: Option<PathBuf>,
    /// Say what would be done and stop.
    pub dry_run: bool,
}

/// What will be done, known before a step is trained.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Documents learnt from, and held out.
    pub documents: (usize, usize),
    /// Examples to learn from.
    pub examples: usize,
    /// Of these, to abstain from.
    pub unanswerable: usize,
    /// Proposals that became no examples.
    pub skipped: Skipped,
    /// Tokens of the longest example.
    pub longest: usize,
    /// Held-out questions: answerable, unanswerable.
    pub questions: (usize, usize),
    /// Numbers that are trained.
    pub trained: usize,
    /// Bytes, estimated on the safe side.
    pub memory: TrainingMemory,
    /// Where a kept model will lie.
    pub folder: String,
}

/// What came of the training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Training {
    /// Steps done; fewer than asked for where the minutes were used up.
    pub steps: usize,
    /// Loss of each, nats a token of the answers, before the step.
    pub losses: Vec<f64>,
    /// Seconds.
    pub seconds: f64,
}

/// Where a kept model lies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kept {
    /// The whole model.
    pub model: String,
    /// Its SHA-256.
    pub sha256: String,
    /// What was trained.
    pub adapter: String,
    /// This report.
    pub record: String,
    /// What `--generator` is given for it.
    pub generator: &'static str,
}

/// What happened, and the record beside a kept model.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Sector.
    pub sector: String,
    /// Seconds since 1970 at the beginning.
    pub begun: u64,
    /// The model that was adapted. A kept model is whole: it goes on working where this one changes or goes.
    pub base: Base,
    /// How.
    pub options: AdaptOptions,
    /// See [`Plan`].
    pub plan: Plan,
    /// Examples, with a dry run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Written>,
    /// Absent with a dry run, like all below.
    pub training: Option<Training>,
    /// The held-out questions before.
    pub before: Option<AnswerResult>,
    /// And after.
    pub after: Option<AnswerResult>,
    /// What quoting without any model reaches on them.
    pub extractive: Option<BTreeMap<String, f64>>,
    /// The gate.
    pub decision: Option<Decision>,
    /// Where the model is, if it was kept.
    pub kept: Option<Kept>,
}

/// What happens meanwhile.
pub enum Progress<'a> {
    /// The plan stands.
    Planned(&'a Plan),
    /// Held-out questions are asked: of whom, how many so far, of how many.
    Asked(&'static str, usize, usize),
    /// A step is done: which, of how many, loss, seconds since the first began.
    Trained(usize, usize, f64, f64),
}

/// Adapts the model of `config` to its sector. Until the last rename the model in use stays as it is, whatever ends the run.
pub fn run(
    config: &Config,
    options: &AdaptOptions,
    cancel: &AtomicBool,
    on: &mut dyn FnMut(Progress<'_>),
) -> Result<Report, AdaptError> {
    let base = Base::of(config)?;
    // What is measured before is the model itself, not an earlier adaptation of it.
    let config = Config { generator: base.generator.clone(), adapted: false, ..config.clone() };
    let mut gguf = base.open()?;
    let window = options.tokens.min(sectora_lm::Shape::read(&gguf)?.context);
    room::in_memory(memory(&gguf, options.rank, window, window / 4)?.total(), available_memory())?;

    let app = App::open(config.clone())?;
    let sector = app.sector().name.clone();
    let store = ModelStore::open(&config.models_dir(), config.is_offline())?.adapted(&sector);
    let split = split::split(proposals(&app, options)?, options.held_out, options.seed);
    enough(&split, &sector)?;
    let unseen = Unseen::of(&split, &base.sha256, &sector, options);
    if let Some(from) = &options.from {
        unseen.allows(from)?;
    }

    let lora = Lora::open(
        &mut gguf,
        &LoraOptions {
            device: sectora_lm::device(),
            rank: options.rank,
            alpha: options.alpha,
            seed: options.seed,
            window,
        },
    )?;
    if let Some(from) = &options.from {
        lora.adapters().restore(from)?;
    }
    let (written, skipped) = examples::write(&app, &lora, &split, options.seed)?;
    enough_examples(&written, &skipped, &sector)?;
    let longest = written.iter().map(|w| w.example.tokens.len()).max().unwrap_or(0);
    let answer = written.iter().map(|w| w.example.tokens.len() - w.example.from).max().unwrap_or(0);
    let of = |proposals: &[Proposal], answerable: bool| proposals.iter().filter(|p| p.answerable == answerable).count();
    let plan = Plan {
        documents: (split.learnt_documents, split.held_documents.len()),
        examples: written.len(),
        unanswerable: written.iter().filter(|w| !w.answerable).count(),
        skipped,
        longest,
        questions: (of(&split.held_out, true), of(&split.held_out, false)),
        trained: lora.adapters().count(),
        memory: memory(&gguf, options.rank, longest, answer)?,
        folder: store.folder().display().to_string(),
    };
    on(Progress::Planned(&plan));
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let mut report = Report {
        sector,
        begun,
        options: options.clone(),
        plan,
        examples: Vec::new(),
        training: None,
        before: None,
        after: None,
        extractive: None,
        decision: None,
        kept: None,
        base,
    };
    if options.dry_run {
        report.examples = written;
        return Ok(report);
    }

    store.sweep()?;
    let name = format!("run-{begun}-{}", std::process::id());
    let (folder, model) = store.begin(&name)?;
    let done = (|| {
        room::on_disk(&folder, report.base.bytes()? + 8 * report.plan.trained as u64)?;
        let set = questions(&split, &folder)?;
        let mut peer = Peer::Local(Box::new(app));
        let entailment = Entailment::open(None, config.data_dir.as_ref())?;
        let asking = Asking { seed: options.seed, plant: None, entailment: &entailment };
        let measure = |peer: &Peer, who: &'static str, on: &mut dyn FnMut(Progress<'_>)| {
            let total = set.questions.len();
            answers::ask(&set, peer, &asking, &mut |done| on(Progress::Asked(who, done, total)))
        };
        let before = measure(&peer, "before", on)?;
        peer.write_with("extractive")?;
        report.extractive = Some(measure(&peer, "extractive", on)?.metrics);
        let save = || -> Result<String, AdaptError> {
            unseen.save(lora.adapters(), &store.checkpoint())?;
            Ok(store.checkpoint().display().to_string())
        };
        report.training = Some(train(&lora, &written, options, &save, cancel, on)?);
        let notes = [
            ("sectora.adapted.sector", report.sector.clone()),
            ("sectora.adapted.base_sha256", report.base.sha256.clone()),
        ];
        merge(&mut gguf, lora.adapters(), &notes, &model)?;
        peer.write_with(&model.display().to_string())?;
        let after = measure(&peer, "after", on)?;
        let decision = gate::decide(&before.rows, &after.rows, options.seed);
        (report.before, report.after) = (Some(before), Some(after));
        if decision.kept {
            let adapter = folder.join("adapter.safetensors");
            unseen.save(lora.adapters(), &adapter)?;
            report.kept = Some(Kept {
                sha256: crate::model_store::sha256(&model)?,
                model: model.display().to_string(),
                adapter: adapter.display().to_string(),
                record: folder.join("record.json").display().to_string(),
                generator: if report.base.is_reader { "embedded" } else { "adapted" },
            });
        }
        report.decision = Some(decision);
        finish(&report, &store, &folder, &name)
    })();
    if done.is_err() || report.kept.is_none() {
        // What stopped the run matters more than what could not be swept; the next run sweeps again.
        let _ = store.sweep();
    }
    done.map(|()| report)
}

/// The record, the switch if the model is kept, and an end to the checkpoint.
fn finish(report: &Report, store: &Adapted, folder: &Path, name: &str) -> Result<(), AdaptError> {
    let record = serde_json::to_vec_pretty(report).map_err(std::io::Error::other)?;
    if report.kept.is_some() {
        crate::model_store::write_whole(&folder.join("record.json"), &record)?;
        store.switch(name, report.base.is_reader)?;
    }
    crate::model_store::write_whole(&store.last_run(), &record)?;
    unseen::remove(&store.checkpoint())
}

fn proposals(app: &App, options: &AdaptOptions) -> Result<Vec<Proposal>, AdaptError> {
    let make = MakeOptions {
        count: options.questions,
        per_document: options.per_document,
        twin_every: 1,
        leak: LEAK,
        seed: options.seed,
    };
    Ok(make::propose(app, &make)?)
}

/// Refuses a split that could neither teach nor tell.
fn enough(split: &Split, sector: &str) -> Result<(), AdaptError> {
    let answerable = |all: &[Proposal]| all.iter().filter(|p| p.answerable).count();
    let (learnt, asked) = (answerable(&split.learn), answerable(&split.held_out));
    let few = |what, found, needed, advice: &str| AdaptError::TooFew {
        what,
        found,
        needed,
        sector: sector.to_owned(),
        advice: advice.to_owned(),
    };
    let more = "read more documents (`sectora ingest`); `sectora eval make` shows what can be asked of them";
    if learnt < LEAST_LEARNT {
        return Err(few("questions to learn from", learnt, LEAST_LEARNT, more));
    }
    let advice = "raise --held-out or --questions, or read more documents (`sectora ingest`)";
    if asked < LEAST_ASKED {
        return Err(few("held-out questions", asked, LEAST_ASKED, advice));
    }
    let unanswerable = split.held_out.len() - asked;
    if unanswerable < LEAST_UNANSWERABLE {
        return Err(few("held-out questions without an answer", unanswerable, LEAST_UNANSWERABLE, advice));
    }
    Ok(())
}

fn enough_examples(written: &[Written], skipped: &Skipped, sector: &str) -> Result<(), AdaptError> {
    let found = written.iter().filter(|w| w.answerable).count();
    if found >= LEAST_LEARNT {
        return Ok(());
    }
    let Skipped { not_found, not_shown, too_long, .. } = skipped;
    let advice = format!(
        "of the others the search did not find the evidence of {not_found}, the prompt does not show that of {not_shown}, and {too_long} are longer than --tokens"
    );
    let (what, sector) = ("examples with an answer", sector.to_owned());
    Err(AdaptError::TooFew { what, found, needed: LEAST_LEARNT, sector, advice })
}

/// The held-out questions as a file of the harness's own format, which stays beside a kept model.
fn questions(split: &Split, folder: &Path) -> Result<QuestionSet, AdaptError> {
    let mut lines = String::new();
    for proposal in &split.held_out {
        lines.push_str(&serde_json::to_string(proposal).map_err(std::io::Error::other)?);
        lines.push('\n');
    }
    let file = folder.join("questions.jsonl");
    fs_err::write(&file, lines)?;
    Ok(QuestionSet::open(&file, QuestionFormat::Questions)?)
}

/// Steps over the examples in a random order, each pass anew, with a checkpoint now and then, which `save` writes and names.
fn train(
    lora: &Lora,
    written: &[Written],
    options: &AdaptOptions,
    save: &dyn Fn() -> Result<String, AdaptError>,
    cancel: &AtomicBool,
    on: &mut dyn FnMut(Progress<'_>),
) -> Result<Training, AdaptError> {
    let schedule = Schedule {
        steps: options.steps,
        warm_up: (options.steps / 10).max(1),
        rate: options.rate,
        ..Schedule::default()
    };
    let mut trainer = Trainer::new(lora, schedule)?;
    let mut random = Random::new(options.seed);
    let (mut order, mut losses) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    let limit = Duration::try_from_secs_f64(options.minutes * 60.0).unwrap_or(Duration::MAX);
    let mut saved = begin;
    while trainer.done() < options.steps && begin.elapsed() < limit {
        if cancel.load(Ordering::SeqCst) {
            return Err(AdaptError::Cancelled { steps: trainer.done(), checkpoint: save()? });
        }
        let mut batch = Vec::with_capacity(options.batch);
        while batch.len() < options.batch.max(1) {
            if order.is_empty() {
                order = (0..written.len()).collect();
                random.shuffle(&mut order);
            }
            batch.extend(order.pop().map(|i: usize| &written[i].example));
        }
        let step = trainer.step(lora, &batch)?;
        losses.push(step.loss);
        on(Progress::Trained(trainer.done(), options.steps, step.loss, begin.elapsed().as_secs_f64()));
        if saved.elapsed() > CHECKPOINT {
            save()?;
            saved = Instant::now();
        }
    }
    Ok(Training { steps: trainer.done(), losses, seconds: begin.elapsed().as_secs_f64() })
}
