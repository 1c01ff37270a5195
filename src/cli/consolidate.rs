use clap::Args;

use super::overlap::budgets;
use super::{Context, Failure, Outcome};
use crate::document::{Access, Language};
use crate::portfolio::consolidate::{ConsolidateOptions, Groups, consolidate};
use crate::portfolio::{Holdings, Institutes, PortfolioError};
use crate::text::spaced;

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
    /// Only projects with at most this budget (in won, euros …: no thousands), or without a known one; nothing is converted,
    /// so a project whose budget is in another currency is left out
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    max_budget: Option<f64>,
    /// Currency of --max-budget (KRW, USD …; `none` for budgets of which no source states it); needed where there are several
    #[arg(long, value_name = "CODE", requires = "max_budget")]
    currency: Option<String>,
    /// Groups shown
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Language of the text and the reasons
    #[arg(long, value_parser = ["ko", "en"], default_value = "en")]
    language: String,
    /// Highest access level you are cleared for
    #[arg(long, value_parser = super::access_levels(), default_value = "public")]
    access: Access,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let access = arguments.access;
    let reader = super::reader(&arguments.language);
    let options = ConsolidateOptions {
        min_size: arguments.min_size,
        must: arguments.must,
        must_not: arguments.must_not,
        threshold: arguments.threshold,
        max_budget: arguments.max_budget,
        currency: arguments.currency,
        limit: arguments.limit as usize,
        reader,
    };
    options.check().map_err(PortfolioError::from)?;
    let app = context.open()?;
    let institutes = Institutes::new(&app.sector().institutes);
    let holdings = Holdings::load(&app.parts(), &institutes, access)?;
    let found = consolidate(&app.parts(), &institutes, &holdings, &options)?;
    context.output.result(&found, |found| text(found, reader));
    Ok(if found.groups.is_empty() { Outcome::No } else { Outcome::Yes })
}

fn text(found: &Groups, reader: Language) -> String {
    let korean = reader == Language::Ko;
    let (n, projects, objective, bound, threshold) =
        (found.groups.len(), found.projects, found.objective, found.bound, found.threshold);
    let mut out = if korean {
        format!("과제 {projects}건에서 묶음 {n}개, 목적값 {objective:.2} (상한 {bound:.2}, 기준 {threshold:.2})\n")
    } else {
        let s = if n == 1 { "" } else { "s" };
        format!(
            "{n} group{s} of {projects} projects; objective {objective:.2} of at most {bound:.2} (threshold {threshold:.2})\n"
        )
    };
    if let Some(why) = found.why_none(reader) {
        out.push_str(&format!("{why}\n"));
    }
    if found.other_currency > 0 {
        let said = if korean {
            "예산 통화가 달라 제외한 과제"
        } else {
            "left out, with a budget in another currency"
        };
        out.push_str(&format!("{said}: {}\n", found.other_currency));
    }
    for (i, group) in found.groups.iter().enumerate() {
        let years = match group.period {
            (Some(a), Some(b)) => format!(", {a}–{b}"),
            _ => String::new(),
        };
        let n = group.members.len();
        let budget = budgets(&group.budget, group.budget_unknown, reader);
        let size = match korean {
            true => format!("과제 {n}건, 예산 {budget}"),
            false => format!("{n} projects, budget {budget}"),
        };
        out.push_str(&format!("\n{}. {}: {size}{years}\n   {}\n", i + 1, group.label.join(", "), group.reason));
        for m in &group.members {
            out.push_str(&format!("   - {} {} ({})\n", m.project_id, m.title, m.institution.as_deref().unwrap_or("?")));
            if let Some(aim) = &m.aim {
                out.push_str(&format!("       “{}”\n", spaced(&aim.quote)));
            }
            if !m.only_here.is_empty() {
                let only = if korean { "여기에만" } else { "only here" };
                out.push_str(&format!("       {only}: {}\n", m.only_here.join(", ")));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::parsed;
    use super::*;

    #[test]
    fn no_group_at_all_cannot_be_asked_for() {
        let limit = |given| parsed::<Arguments>(&["consolidate", "--limit", given]).ok().map(|a| a.limit);
        assert_eq!((limit("0"), limit("1"), limit("100000")), (None, Some(1), Some(100_000)));
    }
}
