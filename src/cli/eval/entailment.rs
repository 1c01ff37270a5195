use std::path::PathBuf;

use clap::Args;

use super::super::{Context, Failure, Outcome};
use crate::evaluate::entailment;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// klue_nli_dev.jsonl
    #[arg(long, value_name = "FILE")]
    klue: PathBuf,
    /// Folder with corpus.jsonl, queries.jsonl and claim_labels.jsonl
    #[arg(long, value_name = "DIR")]
    scifact: PathBuf,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Outcome, Failure> {
    let measured = vec![entailment::klue(&arguments.klue)?, entailment::scifact(&arguments.scifact)?];
    context.output.result(&measured, |all| {
        let line = |a: &entailment::Accuracy| {
            format!(
                "{}: accuracy {:.4} over {} pairs (always the same: {:.4}), precision {:.4}, recall {:.4}; best threshold on the other half {:.2}\n",
                a.dataset, a.accuracy, a.pairs, a.majority, a.precision, a.recall, a.best_threshold
            )
        };
        all.iter().map(line).collect()
    });
    Ok(Outcome::Yes)
}
