use std::path::PathBuf;

use clap::Args;

use super::super::{Context, Failure, Outcome};
use crate::evaluate::entailment::{self, Entailment};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// klue_nli_dev.jsonl
    #[arg(long, value_name = "FILE")]
    klue: PathBuf,
    /// Folder with corpus.jsonl, queries.jsonl and claim_labels.jsonl
    #[arg(long, value_name = "DIR")]
    scifact: PathBuf,
    /// Measure this entailment model (a sequence classifier's folder) instead of the lexical rule, and keep the figures for later scores
    #[arg(long, value_name = "DIR")]
    entailment_model: Option<PathBuf>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Outcome, Failure> {
    let by = Entailment::open(arguments.entailment_model.as_deref(), context.config.data_dir.as_ref())?;
    let measured = vec![entailment::klue(&by, &arguments.klue)?, entailment::scifact(&by, &arguments.scifact)?];
    by.keep(&measured)?;
    context.output.result(&measured, |all| {
        let line = |a: &entailment::Accuracy| {
            let skipped = match a.skipped {
                0 => String::new(),
                n => format!("; {n} labelled pairs left out, whose claim or document is not there"),
            };
            format!(
                "{}: accuracy {:.4} over {} pairs (always the same: {:.4}), precision {:.4}, recall {:.4}; best threshold on the other half {:.2}{skipped}\n",
                a.dataset, a.accuracy, a.pairs, a.majority, a.precision, a.recall, a.best_threshold
            )
        };
        all.iter().map(line).collect()
    });
    Ok(Outcome::Yes)
}
