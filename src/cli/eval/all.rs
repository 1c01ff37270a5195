use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::super::{Context, Failure, Outcome, this_program};
use crate::evaluate::all::{self, AllOptions, AllResult, Planted};
use crate::evaluate::gate::{self, Baseline, Worse};
use crate::evaluate::plant::Plant;
use crate::evaluate::report;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// Only the sectors' own questions and our own attacks: under a minute
    #[arg(long)]
    quick: bool,
    /// Folder with SECTOR/questions.jsonl
    #[arg(long, value_name = "DIR", default_value = "eval")]
    questions: PathBuf,
    /// Folder with public data: retrieval/, qa/, security/bipia
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Questions of a public set at most
    #[arg(long, value_name = "N", default_value_t = 300)]
    limit: usize,
    /// Compare with the baseline; exit 1 with the table of what got worse
    #[arg(long)]
    gate: bool,
    /// The baseline (default: eval/baselines/quick.json or full.json; quick.words.json and full.words.json without an encoder)
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the baseline from this run
    #[arg(long, conflicts_with = "plant")]
    update_baseline: bool,
    /// Break answers on purpose and gate the broken ones too (may be repeated)
    #[arg(long, value_enum)]
    plant: Vec<Plant>,
    /// Put the sectors' questions to this server too (may be repeated)
    #[arg(long, value_name = "URL")]
    server: Vec<String>,
    /// The model to ask there
    #[arg(long, value_name = "NAME", requires = "server")]
    server_model: Option<String>,
    /// Write report.json, report.md and report.html there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Judge citations by this entailment model (a sequence classifier's folder) instead of the lexical rule
    #[arg(long, value_name = "DIR", conflicts_with_all = ["gate", "update_baseline"])]
    entailment_model: Option<PathBuf>,
    /// Leave out every time, so that two runs with one seed write the same bytes
    #[arg(long, conflicts_with_all = ["gate", "update_baseline"])]
    no_times: bool,
    /// Seed of everything drawn
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

#[derive(Serialize)]
struct Printed {
    #[serde(flatten)]
    result: AllResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<Gate>,
}

#[derive(Serialize)]
struct Gate {
    baseline: String,
    passed: bool,
    worse: Vec<Worse>,
    /// What could not be measured (public sets that are not on this machine, requests that do not apply), with the measures
    /// that were therefore not compared.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_compared: BTreeMap<String, Vec<String>>,
    /// Measures that the baseline does not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_held: Vec<String>,
    /// By planted regression: what it makes worse than the baseline.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    planted: BTreeMap<String, Vec<Worse>>,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let name = if arguments.quick { "quick" } else { "full" };
    // Without an encoder the figures are others.
    let kind = if context.config.encoder == "none" { ".words" } else { "" };
    let file =
        arguments.baseline.clone().unwrap_or_else(|| arguments.questions.join(format!("baselines/{name}{kind}.json")));
    // A baseline that cannot be read is known before an hour of work, not after.
    let baseline = if arguments.gate { Some(gate::read(&file)?) } else { None };
    if arguments.update_baseline && file.is_file() {
        keeps_its_sets(&gate::read(&file)?, &file, &arguments)?;
    }
    let options = AllOptions {
        quick: arguments.quick,
        questions: arguments.questions.clone(),
        data: arguments.data.clone(),
        limit: arguments.limit,
        seed: arguments.seed,
        servers: arguments.server.iter().map(|s| (s.clone(), arguments.server_model.clone())).collect(),
        entailment_model: arguments.entailment_model.clone(),
        plants: arguments.plant.clone(),
        program: this_program()?,
    };
    let shown = context.output.is_interactive();
    let (mut result, planted) = all::run(&context.config, &options, &mut |what| {
        if shown {
            context.output.note(what);
        }
    })?;
    if arguments.no_times {
        result.forget_times();
    }
    if let Some(folder) = &arguments.out {
        write_report(folder, &result)?;
    }
    if arguments.update_baseline {
        write(&file, &result, &arguments)?;
    }
    let gate = baseline.map(|b| judge(&b, &file, &result, &planted)).transpose()?;
    let passed = gate.as_ref().is_none_or(|g| g.passed && g.planted.values().all(Vec::is_empty));
    context.output.result(&Printed { result, gate }, text);
    Ok(if passed { Outcome::Yes } else { Outcome::No })
}

/// Refuses a run whose baseline would lack public sets that the present one holds: the gate would no longer look at them.
fn keeps_its_sets(baseline: &Baseline, file: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let data = arguments.data.as_deref().filter(|_| !arguments.quick);
    let lost = gate::would_lose(baseline, data);
    if lost.is_empty() {
        return Ok(());
    }
    Err(Failure::bad_input(format!(
        "--update-baseline: {} holds public sets that this run does not measure ({}); give the folder that has them with --data, without --quick, or name another file with --baseline",
        file.display(),
        lost.join(", ")
    )))
}

fn judge(baseline: &Baseline, file: &Path, result: &AllResult, planted: &[Planted]) -> Result<Gate, Failure> {
    gate::comparable(baseline, result, file)?;
    let not_compared = gate::not_compared(baseline, result);
    let now = gate::measures(result);
    let worse = gate::worse(baseline, &now, &not_compared);
    let of = |p: &Planted| {
        let worse = gate::worse(baseline, &gate::measures(&p.result), &not_compared);
        (plant_name(p.plant), gate::caught(worse, &now))
    };
    Ok(Gate {
        baseline: file.display().to_string(),
        passed: worse.is_empty(),
        planted: planted.iter().map(of).collect(),
        not_held: gate::not_held(baseline, &now),
        worse,
        not_compared,
    })
}

fn write_report(folder: &Path, result: &AllResult) -> Result<(), Failure> {
    let report = report::report(result);
    let json = serde_json::to_string_pretty(result).map_err(|e| Failure::internal(e.to_string()))?;
    let files = [
        ("report.json", json + "\n"),
        ("report.md", report::markdown(&report)),
        ("report.html", report::html(&report)),
    ];
    fs_err::create_dir_all(folder).map_err(|e| Failure::bad_input(e.to_string()))?;
    for (name, text) in files {
        fs_err::write(folder.join(name), text).map_err(|e| Failure::bad_input(e.to_string()))?;
    }
    Ok(())
}

fn plant_name(plant: Plant) -> String {
    use clap::ValueEnum;
    plant.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned())
}

fn write(file: &Path, result: &AllResult, arguments: &Arguments) -> Result<(), Failure> {
    let (encoder, generator) = result.parts();
    let data = match (arguments.quick, result.public.is_empty()) {
        (true, _) => " --quick",
        (false, true) => "",
        (false, false) => " --data SECTORA_SHARED_DATA",
    };
    let encoder = encoder.unwrap_or_else(|| "none".to_owned());
    // The embedded encoder's identity carries a hash, which is no argument.
    let encoder = encoder.split('@').next().unwrap_or_default();
    let command = format!("sectora --encoder {encoder} --generator {generator} eval all{data} --update-baseline");
    let baseline = gate::baseline(result, &command);
    let text = serde_json::to_string_pretty(&baseline).map_err(|e| Failure::internal(e.to_string()))?;
    let parent = file.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent)
        .and_then(|()| fs_err::write(file, text + "\n"))
        .map_err(|e| Failure::bad_input(e.to_string()))
}

fn text(printed: &Printed) -> String {
    let mut out = String::new();
    for set in &printed.result.answers {
        out.push_str(&super::answers::table(set));
        out.push('\n');
    }
    for set in &printed.result.retrieval {
        out.push_str(&super::retrieval::table(set));
    }
    if let Some(safety) = &printed.result.safety {
        out.push_str(&super::safety::table(safety));
    }
    for against in &printed.result.servers {
        out.push_str(&format!("\n{}: this process and {}\n", against.dataset, against.server));
        out.push_str(&super::answers::not_asked(&against.there));
        out.push_str(&super::retrieval::comparisons(&against.comparisons));
    }
    for set in &printed.result.overlap {
        out.push_str(&format!(
            "{}: {} of {} known repeats are the first verdict of `overlap`, {} of {} related pairs are not judged done already, {} of all {} are judged as labelled\n",
            set.dataset, set.first, set.repeats, set.told_apart, set.related, set.judged, set.pairs
        ));
    }
    for (set, why) in &printed.result.skipped {
        out.push_str(&format!("not measured: {set} ({why})\n"));
    }
    if let Some(gate) = &printed.gate {
        for (set, measures) in &gate.not_compared {
            out.push_str(&format!("\nnot compared with {}: {} measures of {set}\n", gate.baseline, measures.len()));
        }
        if !gate.not_held.is_empty() {
            out.push_str(&format!(
                "\nnot compared, since {} lacks them: {}\n",
                gate.baseline,
                gate.not_held.join(", ")
            ));
        }
        match gate.passed {
            true => out.push_str(&format!("\ngate passed: nothing is worse than {}\n", gate.baseline)),
            false => {
                out.push_str(&format!("\ngate failed: worse than {}\n\n{}", gate.baseline, gate::table(&gate.worse)))
            }
        }
        for (plant, worse) in &gate.planted {
            let verdict = if worse.is_empty() { "NOT CAUGHT" } else { "caught" };
            out.push_str(&format!("\nplanted {plant}: {verdict}\n\n{}", gate::table(worse)));
        }
    }
    out
}
