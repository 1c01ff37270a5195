use clap::Args;

use super::{Context, Failure, Outcome};
use crate::document::Access;
use crate::portfolio::matching::{self, MatchOptions, Matches, Openings};
use crate::portfolio::{Holdings, Institutes};

#[derive(Args)]
pub(super) struct Arguments {
    /// The need in its own words: text, a file, or `-` for standard input
    #[arg(value_name = "NEED|FILE|-", required_unless_present = "institution")]
    need: Option<String>,
    /// The other way: calls of the index for this institute
    #[arg(long, value_name = "NAME", conflicts_with = "need")]
    institution: Option<String>,
    /// Institutes or calls shown
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=200))]
    limit: u64,
    /// Highest access level you are cleared for
    #[arg(long, value_parser = super::access_levels(), default_value = "public")]
    access: Access,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let app = context.open()?;
    let institutes = Institutes::new(&app.sector().institutes);
    let access = arguments.access;
    let limit = arguments.limit as usize;
    if let Some(name) = &arguments.institution {
        let holdings = Holdings::load(&app.parts(), &institutes, access)?;
        let found = matching::for_institute(&app.parts(), &institutes, &holdings, name, limit, access)?;
        context.output.result(&found, openings);
        return Ok(if found.calls.is_empty() { Outcome::No } else { Outcome::Yes });
    }
    let need = arguments.need.as_deref().unwrap_or("-");
    let path = std::path::Path::new(need);
    let is_file = path.is_file();
    // One word with a file's ending is meant as a file.
    if !is_file && path.extension().is_some_and(|e| (2..=5).contains(&e.len())) && !need.contains(char::is_whitespace) {
        return Err(Failure::bad_input(format!("{need}: no such file")));
    }
    let need = if need == "-" || is_file {
        super::overlap::read(&app, need, &institutes)?
    } else {
        crate::portfolio::Proposal::from_text(need, &institutes)?
    };
    let found = matching::for_need(
        &app.parts(),
        &institutes,
        &need,
        &MatchOptions { limit, access, ..MatchOptions::default() },
    )?;
    context.output.result(&found, text);
    // Nothing that says what was asked for is no match, whatever the scores.
    Ok(if found.matches.iter().all(|m| m.thin) { Outcome::No } else { Outcome::Yes })
}

fn text(found: &Matches) -> String {
    let mut out = String::new();
    if found.matches.iter().all(|m| m.thin) {
        out.push_str("No institute's work in this index says what the need asks for.");
        out.push_str(if found.matches.is_empty() { "\n" } else { " The nearest:\n" });
    }
    for (i, m) in found.matches.iter().enumerate() {
        let thin = if m.thin { "  (thin evidence)" } else { "" };
        out.push_str(&format!("{:2}. {:.3}  {}{thin}\n", i + 1, m.score, m.institution));
        for c in &m.citations {
            out.push_str(&format!(
                "      “{}” ({}, {}–{})\n",
                one_line(&c.citation.quote),
                c.citation.project_id,
                c.citation.start,
                c.citation.end
            ));
        }
        if let Some(gap) = m.gap.first() {
            let more = if m.gap.len() > 1 { format!(" and {} more", m.gap.len() - 1) } else { String::new() };
            out.push_str(&format!("      gap: “{}”{more}\n", one_line(gap)));
        }
    }
    out
}

fn openings(found: &Openings) -> String {
    let mut out = format!("{}: {} projects\n", found.institution, found.projects);
    for (i, call) in found.calls.iter().enumerate() {
        out.push_str(&format!("{:2}. {:.3}  {} ({})\n", i + 1, call.score, call.title, call.doc_id));
        for (call, own) in call.pairs.iter().take(2) {
            out.push_str(&format!(
                "      call: “{}”\n      own:  “{}” ({})\n",
                one_line(&call.quote),
                one_line(&own.quote),
                own.project_id
            ));
        }
    }
    out
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
