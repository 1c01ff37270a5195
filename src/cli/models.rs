//! `sectora models`: cards, what is present, downloads.

use clap::Subcommand;
use serde_json::json;

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
    let config = &context.config;
    let store = ModelStore::open(&config.models_dir(), config.is_offline())?;
    let output = &context.output;
    match command {
        Command::List => {
            let row = |card| json!({ "card": card, "path": store.locate(card) });
            let rows: Vec<_> = store.cards().iter().map(row).collect();
            output
                .result(&rows, |_| store.cards().iter().map(|card| line(&store, card)).collect::<Vec<_>>().join("\n"));
        }
        Command::Pull { name, allow_unpinned } => {
            let path = store.pull(&name, allow_unpinned, output.is_interactive())?;
            output.result(&json!({ "name": name, "path": path }), |_| path.display().to_string());
        }
        Command::Verify { name } => {
            let files = store.verify(&name)?;
            output.result(&files, |files| {
                let state = |pinned| if pinned { "as its card says" } else { "the card has no hash to compare with" };
                let lines = files.iter().map(|f| format!("{}  {}  ({})", f.sha256, f.path.display(), state(f.pinned)));
                lines.collect::<Vec<_>>().join("\n")
            });
        }
        Command::Path { name } => {
            let path = store.resolve(&name, store.card(&name)?.kind)?;
            output.result(&json!({ "name": name, "path": path }), |_| path.display().to_string());
        }
    }
    Ok(Outcome::Yes)
}

fn line(store: &ModelStore, card: &crate::model_store::Card) -> String {
    let here = store.locate(card).map_or("not here".to_owned(), |path| path.display().to_string());
    let pinned = if card.is_pinned() { "pinned" } else { "unpinned" };
    let (name, title, licence) = (&card.name, &card.title, &card.licence);
    format!(
        "{name:22} {title}; {licence}; about {} MB, {} MB at work; {pinned}; {here}",
        card.megabytes(),
        card.memory_mb
    )
}
