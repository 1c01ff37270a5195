use clap::Subcommand;

use super::{Context, Failure, Outcome};
use crate::model_store::ModelStore;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Cards and what is present
    List,
    /// Download a model from the hub
    Pull {
        /// Card name
        name: String,
        /// Accept a card without a pinned revision and hash
        #[arg(long)]
        allow_unpinned: bool,
    },
    /// Check a downloaded model against its card
    Verify {
        /// Card name
        name: String,
    },
    /// Where a model is
    Path {
        /// Card name
        name: String,
    },
}

pub(super) fn run(context: &Context, command: Command) -> Result<Outcome, Failure> {
    let _ = (context, command);
    todo!("after the model store landed")
}
