use clap::Args;
use serde::Serialize;

use super::ask::SearchArguments;
use super::{Context, Failure, Outcome};
use crate::document::Passage;

#[derive(Args)]
pub(super) struct Arguments {
    /// What to look for
    query: String,
    #[command(flatten)]
    search: SearchArguments,
}

#[derive(Serialize)]
struct Found {
    query: String,
    mode: &'static str,
    passages: Vec<Passage>,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let options = arguments.search.lower(&context.config)?;
    let app = context.open()?;
    let passages = app.search(&arguments.query, &options)?;
    let found =
        Found { query: arguments.query, mode: if app.embedder().is_some() { "hybrid" } else { "sparse" }, passages };
    context.output.result(&found, |found| found.passages.iter().map(line).collect::<Vec<_>>().join("\n"));
    Ok(if found.passages.is_empty() { Outcome::No } else { Outcome::Yes })
}

fn line(p: &Passage) -> String {
    let page = p.page.map(|n| format!(" p. {n}")).unwrap_or_default();
    let text: String = p.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    format!("{:2}. {:.3}  {}{page}  ({})\n      {text}", p.n, p.score, p.title, p.source)
}
