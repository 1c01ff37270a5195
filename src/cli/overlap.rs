use std::io::Read;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Context, Failure, Outcome, this_program};
use crate::app::App;
use crate::document::{Access, Language};
use crate::portfolio::overlap::{self, Overlap, OverlapOptions};
use crate::portfolio::{Institutes, Kind, PortfolioError, Proposal};

#[derive(Args)]
pub(super) struct Arguments {
    /// A proposal: a file of any format that ingest reads, or `-` for text on standard input
    #[arg(value_name = "FILE|-", required_unless_present_any = ["project"])]
    proposal: Option<String>,
    /// Check a project that is already in the index, by its id, document id or path
    #[arg(long, value_name = "ID", conflicts_with = "proposal")]
    project: Option<String>,
    /// Verdicts shown
    #[arg(long, default_value_t = 10)]
    limit: usize,
    /// Candidates compared sentence by sentence
    #[arg(long, default_value_t = 40)]
    candidates: usize,
    /// Leave this project or document out (may be repeated)
    #[arg(long, value_name = "ID")]
    exclude: Vec<String>,
    /// Only work that began up to this year
    #[arg(long, value_name = "YEAR")]
    until: Option<i32>,
    /// Exit 1 if a `done already` verdict has at least this probability
    #[arg(long, value_name = "P", num_args = 0..=1, default_missing_value = "0.5")]
    fail_on: Option<f64>,
    /// Report as text for the terminal, Markdown or an HTML page
    #[arg(long, value_enum, default_value_t = Shape::Markdown)]
    format: Shape,
    /// Language of the report; default: the proposal's
    #[arg(long, value_parser = ["ko", "en"])]
    language: Option<String>,
    /// Show candidates judged `none` too
    #[arg(long)]
    with_none: bool,
    /// Highest access level you are cleared for
    #[arg(long, value_parser = ["public", "internal", "restricted"], default_value = "public")]
    access: String,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Shape {
    Markdown,
    Html,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    if let Some(p) = arguments.fail_on
        && !(0.0..=1.0).contains(&p)
    {
        return Err(Failure::bad_input(format!("--fail-on {p}: must be 0 to 1")));
    }
    if !(1..=200).contains(&arguments.candidates) || !(1..=200).contains(&arguments.limit) {
        return Err(Failure::bad_input("--candidates and --limit must be 1 to 200"));
    }
    let app = context.open()?;
    let institutes = Institutes::new(&app.sector().institutes);
    let options = OverlapOptions {
        limit: arguments.limit,
        candidates: arguments.candidates,
        exclude: arguments.exclude.clone(),
        until: arguments.until,
        access: Access::ALL.into_iter().find(|a| a.name() == arguments.access).unwrap_or_default(),
        with_none: arguments.with_none,
    };
    let proposal = match (&arguments.project, arguments.proposal.as_deref()) {
        (Some(id), _) => indexed(&app, id, &institutes)?,
        (None, given) => read(&app, given.unwrap_or("-"), &institutes)?,
    };
    let found = overlap::find(&app.parts(), &institutes, &proposal, &options)?;
    let language = match arguments.language.as_deref() {
        Some("ko") => Language::Ko,
        Some(_) => Language::En,
        None => found.language(),
    };
    context.output.result(&found, |found| match arguments.format {
        Shape::Markdown => found.markdown(language),
        Shape::Html => found.html(language),
    });
    Ok(if arguments.fail_on.is_some_and(|p| fails(&found, p)) { Outcome::No } else { Outcome::Yes })
}

fn fails(found: &Overlap, at_least: f64) -> bool {
    found.verdicts.iter().any(|v| v.kind == Kind::DoneAlready && v.probability >= at_least)
}

/// A proposal from a file or, for `-`, from standard input.
pub(super) fn read(app: &App, given: &str, institutes: &Institutes) -> Result<Proposal, Failure> {
    if given == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|e| Failure::bad_input(format!("standard input: {e}")))?;
        return Ok(Proposal::from_text(&text, institutes)?);
    }
    let path = PathBuf::from(given);
    if path.symlink_metadata().is_err() {
        return Err(Failure::bad_input(format!("{given}: no such file; `-` reads text from standard input")));
    }
    let (settings, mapping) = (&app.config().ingest, &app.sector().records);
    Ok(Proposal::from_file(&path, &this_program()?, settings, mapping, institutes)?)
}

/// A project of the index, by its own id, by document id or by path.
fn indexed(app: &App, id: &str, institutes: &Institutes) -> Result<Proposal, Failure> {
    let catalog = app.catalog();
    let found = catalog.find_external(id)?.into_iter().next();
    let document = match found {
        Some(doc_id) => catalog.document(&doc_id)?,
        None => match catalog.document(id) {
            Ok(document) => document,
            Err(_) => by_path(app, id)?.ok_or_else(|| PortfolioError::NoProject(id.to_owned()))?,
        },
    };
    Ok(Proposal::of(document, institutes))
}

fn by_path(app: &App, source: &str) -> Result<Option<crate::document::Document>, Failure> {
    let mut after = String::new();
    loop {
        let ids = app.catalog().document_ids(&after, 500)?;
        let Some(last) = ids.last() else { return Ok(None) };
        after.clone_from(last);
        for id in &ids {
            let document = app.catalog().document(id)?;
            if document.source == source {
                return Ok(Some(document));
            }
        }
    }
}
