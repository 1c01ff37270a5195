use std::path::PathBuf;

use clap::Args;

use super::{Context, Failure, Outcome};
use crate::document::Access;
use crate::portfolio::strengths::{Strengths, strengths};
use crate::portfolio::{Holdings, Institutes};

#[derive(Args)]
pub(super) struct Arguments {
    /// Number of topics; default: as many as fit
    #[arg(long, value_name = "N")]
    topics: Option<usize>,
    /// Only this institute
    #[arg(long, value_name = "NAME")]
    institution: Option<String>,
    /// Write the map topics × institutes
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
    /// Language of the suggestions and of the map, and of topics where the glossary has their names
    #[arg(long, value_parser = ["ko", "en"], default_value = "en")]
    language: String,
    /// Highest access level you are cleared for
    #[arg(long, value_parser = super::access_levels(), default_value = "public")]
    access: Access,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    if arguments.topics.is_some_and(|n| !(1..=200).contains(&n)) {
        return Err(Failure::bad_input("--topics must be 1 to 200"));
    }
    let app = context.open()?;
    let institutes = Institutes::new(&app.sector().institutes);
    let access = arguments.access;
    let reader = super::reader(&arguments.language);
    let holdings = Holdings::load(&app.parts(), &institutes, access)?;
    let mut found = strengths(&app.parts(), &holdings, arguments.topics, reader)?;
    if let Some(file) = &arguments.svg {
        fs_err::write(file, found.svg(reader)).map_err(|e| Failure::bad_input(e.to_string()))?;
    }
    if let Some(name) = &arguments.institution {
        let wanted = institutes.find(name).name;
        found.institutes.retain(|p| p.institution == wanted);
        if found.institutes.is_empty() {
            return Err(Failure::bad_input(format!("--institution {name}: no project of it in this index")));
        }
    }
    context.output.result(&found, text);
    Ok(Outcome::Yes)
}

fn text(found: &Strengths) -> String {
    let mut out = format!(
        "{} projects, {} institutes, {} topics (weights as of {})\n\n",
        found.projects,
        found.institutes.len(),
        found.topics.len(),
        found.year
    );
    for topic in &found.topics {
        let lead = topic.leads.as_deref().map_or_else(|| "nobody clearly leads".to_owned(), |l| format!("{l} leads"));
        let alone = if topic.alone { ", alone" } else { "" };
        out.push_str(&format!("{} ({} projects): {lead}{alone}\n", topic.label.join(", "), topic.projects));
        for share in topic.shares.iter().take(4) {
            let (low, high) = share.interval;
            out.push_str(&format!(
                "  {:4.0} % [{:.0}–{:.0}]  {} ({})\n",
                share.share * 100.0,
                low * 100.0,
                high * 100.0,
                share.institution,
                share.projects
            ));
            if let Some(c) = share.citations.first() {
                out.push_str(&format!(
                    "        “{}” ({}, {}–{})\n",
                    c.quote.split_whitespace().collect::<Vec<_>>().join(" "),
                    c.project_id,
                    c.start,
                    c.end
                ));
            }
        }
    }
    if !found.suggestions.is_empty() {
        out.push_str("\nSuggestions\n");
        found.suggestions.iter().for_each(|s| out.push_str(&format!("- {s}\n")));
    }
    out
}
