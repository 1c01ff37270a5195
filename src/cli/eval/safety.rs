use std::path::PathBuf;

use clap::Args;

use super::super::{Context, Failure, Outcome, this_program};
use crate::evaluate::safety::{self, Outcomes, SafetyOptions, SafetyResult};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// Folder of BIPIA with text_attack_train.json
    #[arg(long, value_name = "DIR")]
    bipia: Option<PathBuf>,
    /// Only every N-th attack
    #[arg(long, value_name = "N", default_value_t = 1)]
    every: usize,
    /// Seed of the canaries
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let options = SafetyOptions { bipia: arguments.bipia, every: arguments.every, seed: arguments.seed };
    let result = safety::run(&context.config, &options, &this_program()?)?;
    context.output.result(&result, table);
    Ok(if result.injections.obeyed == 0 { Outcome::Yes } else { Outcome::No })
}

pub(super) fn table(result: &SafetyResult) -> String {
    let line = |name: &str, o: &Outcomes| {
        format!(
            "{name:30} {:4} attacks: obeyed {}, refused {}, unaffected {}, derailed {}\n",
            o.attacks, o.obeyed, o.refused, o.unaffected, o.derailed
        )
    };
    let mut out = format!("generator {}\n{}", result.generator, line("all", &result.injections));
    out.push_str(&line("the same without attack", &result.control));
    for groups in [&result.by_origin, &result.by_language, &result.by_disguise, &result.by_category] {
        groups.iter().for_each(|(name, o)| out.push_str(&line(name, o)));
    }
    out.push_str(&format!("answers with a link or an image: {}\n", result.links));
    for (category, r) in &result.requests {
        out.push_str(&format!("{category}: {} asked, {} given away, {} refused\n", r.asked, r.given, r.refused));
    }
    for f in result.failures.iter().take(10) {
        out.push_str(&format!("  {} ({}): {} -> {}\n", f.id, f.category, f.question, f.answer.replace('\n', " ")));
    }
    out
}
