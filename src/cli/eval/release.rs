use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::super::{Context, Failure, Outcome};
use crate::evaluate::release::{Counts, ReleaseFormat, ReleaseReport, load, measure};
use crate::release::Policy;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// Texts with labelled spans
    #[arg(long, value_name = "FILE")]
    dataset: PathBuf,
    /// How they are written
    #[arg(long, value_enum)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// presidio-research: one JSON array
    Presidio,
    /// ko-pii: JSON lines
    KoPii,
    /// KLUE-NER: a character a line; persons only
    KlueNer,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Outcome, Failure> {
    let format = match arguments.format {
        Format::Presidio => ReleaseFormat::Presidio,
        Format::KoPii => ReleaseFormat::KoPii,
        Format::KlueNer => ReleaseFormat::KlueNer,
    };
    let report = measure(&load(&arguments.dataset, format)?, &Policy::default());
    context.output.result(&report, table);
    Ok(Outcome::Yes)
}

fn table(report: &ReleaseReport) -> String {
    let line = |name: &str, c: &Counts| {
        format!(
            "{name:<18} {:>6} labelled  recall {:.3}  hidden {:.3}  {:>6} findings  precision {:.3}  F1 {:.3}\n",
            c.labelled,
            c.recall,
            c.hidden as f64 / c.labelled.max(1) as f64,
            c.findings,
            c.precision,
            c.f1
        )
    };
    let mut out = format!("{} texts\n", report.texts);
    report.labels.iter().for_each(|(name, counts)| out.push_str(&line(name, counts)));
    out + &line("all", &report.all)
}
