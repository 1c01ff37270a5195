//! `sectora eval …`: one file a subcommand. What is measured and how is in `evaluate`.

mod retrieval;

use clap::Subcommand;

use super::{Context, Failure, Outcome};

#[derive(Subcommand)]
pub(super) enum Command {
    /// nDCG, MRR, MAP, recall of a BEIR folder, or of an existing TREC run
    Retrieval(retrieval::Arguments),
}

pub(super) fn run(context: &Context, command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Retrieval(a) => retrieval::run(context, a),
    }
}
