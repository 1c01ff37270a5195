use clap::Args;

use super::{Context, Failure, Outcome};
use crate::document::Access;
use crate::portfolio::consolidate::{ConsolidateOptions, Groups, consolidate};
use crate::portfolio::{Holdings, Institutes};

#[derive(Args)]
pub(super) struct Arguments {
    /// Projects a group has at least
    #[arg(long, value_name = "N", default_value_t = 2)]
    min_size: usize,
    /// Every group holds a project of this institute (may be repeated)
    #[arg(long, value_name = "NAME")]
    must: Vec<String>,
    /// No group holds a project of this institute (may be repeated)
    #[arg(long, value_name = "NAME")]
    must_not: Vec<String>,
    /// Two projects more alike than this gain from being together
    #[arg(long, default_value_t = 0.4, allow_negative_numbers = true)]
    threshold: f32,
    /// Only projects with at most this budget, in the source's unit
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    max_budget: Option<f64>,
    /// Groups shown
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Language of the reasons
    #[arg(long, value_parser = ["ko", "en"], default_value = "en")]
    language: String,
    /// Highest access level you are cleared for
    #[arg(long, value_parser = super::access_levels(), default_value = "public")]
    access: Access,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    if let Some(most) = arguments.max_budget.filter(|most| most.is_nan() || *most <= 0.0) {
        return Err(Failure::bad_input(format!("--max-budget {most}: must be over 0")));
    }
    let app = context.open()?;
    let institutes = Institutes::new(&app.sector().institutes);
    let access = arguments.access;
    let holdings = Holdings::load(&app.parts(), &institutes, access)?;
    let options = ConsolidateOptions {
        min_size: arguments.min_size,
        must: arguments.must,
        must_not: arguments.must_not,
        threshold: arguments.threshold,
        max_budget: arguments.max_budget,
        limit: arguments.limit,
        reader: super::reader(&arguments.language),
    };
    let found = consolidate(&app.parts(), &institutes, &holdings, &options)?;
    context.output.result(&found, text);
    Ok(if found.groups.is_empty() { Outcome::No } else { Outcome::Yes })
}

fn text(found: &Groups) -> String {
    let mut out = format!(
        "{} groups of {} projects; objective {:.2} of at most {:.2} (threshold {:.2})\n",
        found.groups.len(),
        found.projects,
        found.objective,
        found.bound,
        found.threshold
    );
    for (i, group) in found.groups.iter().enumerate() {
        let years = match group.period {
            (Some(a), Some(b)) => format!(", {a}–{b}"),
            _ => String::new(),
        };
        out.push_str(&format!(
            "\n{}. {}: {} projects, budget {}{years}\n   {}\n",
            i + 1,
            group.label.join(", "),
            group.members.len(),
            group.budget,
            group.reason
        ));
        for m in &group.members {
            out.push_str(&format!("   - {} {} ({})\n", m.project_id, m.title, m.institution.as_deref().unwrap_or("?")));
            if let Some(aim) = &m.aim {
                out.push_str(&format!("       “{}”\n", aim.quote.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
            if !m.only_here.is_empty() {
                out.push_str(&format!("       only here: {}\n", m.only_here.join(", ")));
            }
        }
    }
    out
}
