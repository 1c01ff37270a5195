use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::ingest::cancel_on_signal;
use super::{Context, Failure, Outcome};
use crate::adapt::{self, AdaptOptions, Check, Decision, Plan, Progress, Report};
use crate::document::Language;
use crate::model_store::ModelStore;
use crate::sector::Sector;

#[derive(Args)]
pub(super) struct Arguments {
    /// Optimizer steps; 0 only with --from, to measure that adapter
    #[arg(long, value_name = "N", default_value_t = 60)]
    steps: usize,
    /// Begin no step after so many minutes of training
    #[arg(long, value_name = "M", default_value_t = 10.0, allow_negative_numbers = true)]
    minutes: f64,
    /// Examples a step
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Rank of the two matrices beside each matrix of the model
    #[arg(long, value_name = "R", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    rank: u16,
    /// Highest learning rate
    #[arg(long, value_name = "RATE", default_value_t = 1e-3, allow_negative_numbers = true)]
    rate: f64,
    /// Leave out examples of more tokens
    #[arg(long, value_name = "N", default_value_t = 2048)]
    tokens: usize,
    /// Questions proposed at most, over what is learnt from and what is measured with
    #[arg(long, value_name = "N", default_value_t = 400)]
    questions: usize,
    /// Of these from one document at most
    #[arg(long, value_name = "N", default_value_t = 6)]
    per_document: usize,
    /// Share of the documents that are kept to measure with and never learnt from
    #[arg(long, value_name = "SHARE", default_value_t = 0.3, allow_negative_numbers = true)]
    held_out: f64,
    /// Seed of the split, the examples, their order and the first weights
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Begin from an adapter saved earlier (adapter.safetensors, checkpoint.safetensors), split as it was and with its .json beside it
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Say what would be learnt, measured and needed, and stop
    #[arg(long)]
    dry_run: bool,
    /// Delete the model adapted to this sector; the one it came from answers again
    #[arg(long, exclusive = true)]
    remove: bool,
    /// Language of the summary
    #[arg(long, value_parser = ["ko", "en"], default_value = "en")]
    language: String,
}

impl Arguments {
    fn lower(&self) -> Result<AdaptOptions, Failure> {
        let refuse = |flag: &str, value: f64, rule: &str| Err(Failure::bad_input(format!("--{flag} {value}: {rule}")));
        if !(self.held_out > 0.0 && self.held_out < 1.0) {
            return refuse("held-out", self.held_out, "must be over 0 and under 1");
        }
        if self.steps == 0 && self.from.is_none() {
            return refuse("steps", 0.0, "trains nothing; with --from FILE it measures that adapter");
        }
        if self.minutes.is_nan() || self.minutes <= 0.0 {
            return refuse("minutes", self.minutes, "must be over 0");
        }
        if !(self.rate > 0.0 && self.rate <= 1.0) {
            return refuse("rate", self.rate, "must be over 0 and at most 1");
        }
        if self.tokens < 64 {
            return refuse("tokens", self.tokens as f64, "must be at least 64");
        }
        if let Some(file) = self.from.as_ref().filter(|f| !f.is_file()) {
            return Err(Failure::bad_input(format!("--from {}: no such file", file.display())));
        }
        Ok(AdaptOptions {
            questions: self.questions,
            per_document: self.per_document,
            held_out: self.held_out,
            steps: self.steps,
            minutes: self.minutes,
            batch: self.batch.into(),
            rank: self.rank.into(),
            alpha: 2.0 * f64::from(self.rank),
            rate: self.rate,
            tokens: self.tokens,
            seed: self.seed,
            from: self.from.clone(),
            dry_run: self.dry_run,
        })
    }
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    if arguments.remove {
        return remove(context);
    }
    let options = arguments.lower()?;
    let language = super::reader(&arguments.language);
    let cancel = cancel_on_signal()?;
    let mut shown = Shown::new(context, language);
    let report = adapt::run(&context.config, &options, &cancel, &mut |p| shown.step(&p))?;
    context.output.result(&report, |r| summary(r, language));
    Ok(if report.kept.is_some() || options.dry_run { Outcome::Yes } else { Outcome::No })
}

fn remove(context: &Context) -> Result<Outcome, Failure> {
    let config = &context.config;
    let sector = Sector::open(&config.sector, config.sectors_dir.as_ref())?.name;
    let store = ModelStore::open(&config.models_dir(), config.is_offline())?.adapted(&sector);
    let removed = store.remove()?;
    let folder = store.folder().display().to_string();
    context.output.result(&json!({ "sector": sector, "removed": removed, "folder": folder }), |_| match removed {
        true => format!("{folder} is deleted; the model it came from answers again"),
        false => format!("no model is adapted to sector {sector}"),
    });
    Ok(if removed { Outcome::Yes } else { Outcome::No })
}

/// Progress as lines for a person, as JSON lines for a program, as nothing with `--quiet`.
struct Shown<'a> {
    context: &'a Context,
    language: Language,
    last: Option<Instant>,
}

/// Between two lines of the same kind.
const PAUSE: Duration = Duration::from_secs(5);

impl<'a> Shown<'a> {
    fn new(context: &'a Context, language: Language) -> Self {
        Shown { context, language, last: None }
    }

    fn step(&mut self, progress: &Progress<'_>) {
        let output = &self.context.output;
        let (json, text, always) = match *progress {
            Progress::Planned(plan) => (json!({ "plan": plan }), planned(plan, self.language), true),
            Progress::Asked(who, done, total) => (
                json!({ "asked": who, "done": done, "total": total }),
                match self.language {
                    Language::Ko => format!("질문 {done}/{total} ({who})"),
                    Language::En | Language::Other => format!("{done} of {total} questions ({who})"),
                },
                done == total,
            ),
            Progress::Trained(step, steps, loss, seconds) => (
                json!({ "step": step, "steps": steps, "loss": loss, "seconds": seconds }),
                match self.language {
                    Language::Ko => format!("{steps}단계 중 {step}단계, 손실 {loss:.3}, {seconds:.0}초"),
                    Language::En | Language::Other => {
                        format!("step {step} of {steps}, loss {loss:.3}, {seconds:.0} s")
                    }
                },
                step == steps,
            ),
        };
        let now = Instant::now();
        if !always && self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            return;
        }
        self.last = Some(now);
        match output.is_json() {
            true => output.line(&json!({ "progress": json }).to_string()),
            false => output.note(&text),
        }
    }
}

fn planned(plan: &Plan, language: Language) -> String {
    let (learnt, held) = plan.documents;
    let (answerable, unanswerable) = plan.questions;
    let Plan { examples, unanswerable: abstain, longest, trained, folder, .. } = plan;
    let megabytes = plan.memory.total() >> 20;
    match language {
        Language::Ko => format!(
            "문서 {learnt}건에서 예제 {examples}개(답이 없는 것 {abstain}개, 최대 {longest}토큰)를 배우고, 다른 문서 {held}건의 질문 {answerable}개와 \
             답이 없는 질문 {unanswerable}개로 잰다. 학습하는 수 {trained}개, 메모리 최대 약 {megabytes} MB, 저장 위치 {folder}"
        ),
        Language::En | Language::Other => format!(
            "learns {examples} examples ({abstain} to abstain from, at most {longest} tokens) from {learnt} documents; measures with \
             {answerable} answerable and {unanswerable} unanswerable questions on {held} others; trains {trained} numbers, takes at most \
             about {megabytes} MB of memory, and keeps what is better in {folder}"
        ),
    }
}

fn summary(report: &Report, language: Language) -> String {
    let mut out = format!("{}: {}\n", report.sector, planned(&report.plan, language));
    let ko = language == Language::Ko;
    if let Some(training) = &report.training {
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len().max(1) as f64;
        let (steps, seconds, few) = (training.steps, training.seconds, training.losses.len().min(5));
        let first = mean(&training.losses[..few]);
        let last = mean(&training.losses[training.losses.len() - few..]);
        out.push_str(&match ko {
            true => format!("{steps}단계, {seconds:.0}초; 손실(토큰당 nat) {first:.3} → {last:.3}\n"),
            false => format!("{steps} steps in {seconds:.0} s; loss {first:.3} → {last:.3} nats a token\n"),
        });
    }
    let Some(decision) = &report.decision else { return out };
    decision.checks.iter().for_each(|check| out.push_str(&line(check, ko)));
    if let Some(f1) = report.extractive.as_ref().and_then(|m| m.get("f1")) {
        out.push_str(&match ko {
            true => format!("(모델 없이 인용만 하면 f1 {f1:.4})\n"),
            false => format!("(quoting without a model: f1 {f1:.4})\n"),
        });
    }
    out + &ending(report, decision, ko)
}

fn line(check: &Check, ko: bool) -> String {
    let figure = |x: Option<f64>| x.map_or("-".to_owned(), |x| format!("{x:.4}"));
    let difference = check
        .difference
        .map_or(String::new(), |d| format!("{:+.4} ({:+.4} to {:+.4}, n = {})", d.mean, d.low, d.high, d.n));
    let (before, after) = (figure(check.before), figure(check.after));
    let verdict = match (check.passed, ko) {
        (true, true) => "통과",
        (true, false) => "passed",
        (false, true) => "불통과",
        (false, false) => "FAILED",
    };
    format!("{:18} {before} → {after}  {difference}  {verdict}: {}\n", check.measure, check.rule)
}

fn ending(report: &Report, decision: &Decision, ko: bool) -> String {
    let by = decision.decided_by;
    match (&report.kept, ko) {
        (Some(kept), true) => format!(
            "채택함({by}): {}\n이제 `--generator {}`가 이 모델로 답한다. 잠시 끄기: SECTORA_ADAPTED=false, 삭제: `sectora adapt --remove`",
            kept.model, kept.generator
        ),
        (Some(kept), false) => format!(
            "kept ({by} is better and nothing is worse): {}\n`--generator {}` answers with it from now on; SECTORA_ADAPTED=false leaves it aside, `sectora adapt --remove` deletes it",
            kept.model, kept.generator
        ),
        (None, true) => format!("채택하지 않음: {by} 기준을 넘지 못했다. 쓰던 모델은 그대로다."),
        (None, false) => format!("not kept: {by} did not pass. The model in use is what it was."),
    }
}
