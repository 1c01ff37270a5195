use clap::Args;
use serde::Serialize;

use super::ask::SearchArguments;
use super::{Context, Failure, Outcome};
use crate::document::{Language, Passage};
use crate::prompt;
use crate::retrieve::{self, Respelling, SearchMode};
use crate::text::spaced;

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
    /// Words that no document has, and what was searched for instead.
    respelt: Vec<Respelling>,
    /// Which vectors were searched: `sparse`, `dense` or `hybrid`.
    mode: SearchMode,
    passages: Vec<Passage>,
    /// Why there are no passages, where it is the filters; what of the query was left aside; that none of the passages has a word of it.
    note: Option<String>,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let options = arguments.search.lower(&context.config)?;
    let app = context.open_for(&arguments.query)?;
    let (question, respelt) = app.respell(&arguments.query)?;
    let retrieve::Found { passages, set_aside } = app.search(&question, &options)?;
    let note = app.note_on_search(&question, &options, &passages, set_aside.as_ref())?;
    let mode = options.mode.in_index(app.embedder().is_some());
    let found = Found { query: arguments.query, respelt, mode, passages, note };
    context.output.result(&found, text);
    Ok(if found.passages.is_empty() { Outcome::No } else { Outcome::Yes })
}

fn text(found: &Found) -> String {
    let language = Language::detect(&found.query);
    let respelt = found.respelt.iter().map(|r| prompt::respelt(language, &r.from, &r.to));
    respelt.chain(found.passages.iter().map(line)).chain(found.note.clone()).collect::<Vec<_>>().join("\n")
}

fn line(p: &Passage) -> String {
    let page = p.page.map(|n| format!(" p. {n}")).unwrap_or_default();
    let text: String = spaced(&p.text).chars().take(200).collect();
    format!("{:2}. {:.3}  {}{page}  ({})\n      {text}", p.n, p.score, p.title, p.source)
}
