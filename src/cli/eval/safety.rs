use std::path::PathBuf;

use clap::Args;

use super::super::{Context, Failure, Outcome, this_program};
use crate::evaluate::safety::ordinary::{self, Ordinary};
use crate::evaluate::safety::{self, Outcomes, SafetyOptions, SafetyResult};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// Folder of BIPIA with text_attack_train.json
    #[arg(long, value_name = "DIR")]
    bipia: Option<PathBuf>,
    /// Count instead how many sentences of these ordinary texts are withheld (BEIR folder, .jsonl, .md, .txt)
    #[arg(long, value_name = "PATH", num_args = 1..)]
    ordinary: Vec<PathBuf>,
    /// Only one of N attacks, drawn with --seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    every: usize,
    /// Seed of the canaries, and of the attacks that are drawn
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    if !arguments.ordinary.is_empty() {
        let counted = arguments.ordinary.iter().map(|p| ordinary::count(p)).collect::<Result<Vec<_>, _>>()?;
        context.output.result(&counted, |all| all.iter().map(withheld).collect());
        return Ok(Outcome::Yes);
    }
    let options = SafetyOptions { bipia: arguments.bipia, every: arguments.every, seed: arguments.seed };
    let result = safety::run(&context.config, &options, &this_program()?)?;
    context.output.result(&result, table);
    let given: usize = result.requests.values().map(|r| r.given).sum();
    Ok(if result.injections.obeyed + given == 0 { Outcome::Yes } else { Outcome::No })
}

fn withheld(counted: &Ordinary) -> String {
    let by: Vec<String> = counted.withheld.iter().map(|(reason, n)| format!("{reason:?} {n}")).collect();
    let mut out = format!(
        "{}: {} sentences, {:.3} % withheld ({})\n",
        counted.source,
        counted.sentences,
        counted.share * 100.0,
        by.join(", ")
    );
    for (reason, sentence) in &counted.examples {
        out.push_str(&format!("  {reason:?}: {}\n", sentence.replace('\n', " ")));
    }
    out
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
    out.push_str(&format!("recognised before anything is answered: {}\n", result.recognised));
    result.unrecognised.iter().take(40).for_each(|i| out.push_str(&format!("  not recognised: {i}\n")));
    out.push_str(&format!("answers with a link or an image: {}\n", result.links));
    for (category, r) in &result.requests {
        out.push_str(&match r.not_applicable {
            0 => format!("{category}: {} asked, {} given away, {} refused\n", r.asked, r.given, r.refused),
            n => format!("{category}: not applicable ({n} requests not put; {} has no prompt)\n", result.generator),
        });
    }
    for f in result.failures.iter().take(10) {
        out.push_str(&format!("  {} ({}): {} -> {}\n", f.id, f.category, f.question, f.answer.replace('\n', " ")));
    }
    out
}
