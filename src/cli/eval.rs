use std::path::PathBuf;

use clap::Subcommand;

use super::{Context, Failure, Outcome, this_program};
use crate::evaluate::retrieval::{self, Level, RetrievalOptions, RetrievalResult};

#[derive(Subcommand)]
pub(super) enum Command {
    /// nDCG, MRR, MAP, recall of a BEIR folder
    Retrieval {
        /// Folder with corpus.jsonl, queries.jsonl and qrels
        #[arg(long, value_name = "BEIR_DIR")]
        dataset: PathBuf,
        /// Split of the qrels
        #[arg(long)]
        split: Option<String>,
        /// `embedded` uses nothing downloaded, `standard` an encoder
        #[arg(long, value_enum)]
        level: Option<Level>,
        /// Write a TREC run, 100 deep
        #[arg(long, value_name = "FILE")]
        run_out: Option<PathBuf>,
    },
}

pub(super) fn run(context: &Context, command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Retrieval { dataset, split, level, run_out } => {
            let encoder = Some(context.config.encoder.as_str()).filter(|e| !matches!(*e, "auto" | "none"));
            let options = RetrievalOptions {
                dataset,
                split,
                level,
                encoder: encoder.map(PathBuf::from),
                run_out,
                search: context.config.search.clone(),
                program: this_program()?,
            };
            let result = retrieval::run(&options)?;
            context.output.result(&result, table);
            Ok(Outcome::Yes)
        }
    }
}

fn table(result: &RetrievalResult) -> String {
    let mut out = format!("{}: {} documents, {} queries\n", result.dataset, result.documents, result.queries);
    for row in &result.modes {
        let metrics: Vec<String> = row.metrics.iter().map(|(k, v)| format!("{k} {v:.4}")).collect();
        out.push_str(&format!("{:8} {}\n", row.mode, metrics.join("  ")));
    }
    out
}
