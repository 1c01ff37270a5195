use std::io::Read;
use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Context, Failure, Outcome, show, this_program};
use crate::document::Document;
use crate::ingest::{ExtractOptions, Limits, assemble, extract};
use crate::release::{self, Label, Policy};
use crate::sector::Sector;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Replace names, numbers and addresses of persons
    Redact(Arguments),
    /// What of a document may be released, and why not the rest; exit 1 if nothing of it
    Decide(Arguments),
    /// Every label, what is done with it, and under which provision
    Policy,
}

#[derive(Args)]
pub(super) struct Arguments {
    /// A file of any format that ingest reads, a document of the index by its id or its source as answers print it, or `-` for
    /// text on standard input
    #[arg(value_name = "FILE|ID|SOURCE|-")]
    document: String,
}

pub(super) fn run(context: &Context, command: Command) -> Result<Outcome, Failure> {
    let sector = Sector::open(&context.config.sector, Path::new(&context.config.sectors_dir))?;
    let policy = Policy::new(&sector.release).map_err(|e| Failure::bad_input(e.to_string()))?;
    match command {
        Command::Redact(arguments) => {
            let document = read(context, &sector, &arguments.document)?;
            let redacted = release::redact(&document.text, &policy);
            context.output.result(&redacted.report(&document.text), |report| report.text.clone());
            Ok(Outcome::Yes)
        }
        Command::Decide(arguments) => {
            let document = read(context, &sector, &arguments.document)?;
            let decision = release::decide(&document, &policy);
            context.output.result(&decision.report(&document), |_| decision.text_report(&document));
            Ok(if decision.outcome == release::Outcome::Withhold { Outcome::No } else { Outcome::Yes })
        }
        Command::Policy => {
            context.output.result(&Label::ALL.map(|label| row(label, &policy)), |rows| rows.iter().map(line).collect());
            Ok(Outcome::Yes)
        }
    }
}

fn row(label: Label, policy: &Policy) -> Value {
    let basis = label.basis();
    json!({ "label": label.name(), "action": policy.action(label), "basis": basis.code(), "provision": basis.provision() })
}

fn line(row: &Value) -> String {
    let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    format!("{:<18} {:<11} {:<18} {}\n", word("label"), word("action"), word("basis"), word("provision"))
}

/// A file, a document of the index, or standard input. Several records of a file are read as one text.
fn read(context: &Context, sector: &Sector, given: &str) -> Result<Document, Failure> {
    if given == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|e| {
            Failure::bad_input(format!("standard input: {e}; give the file's name to have it read in its own encoding"))
        })?;
        return Ok(Document::plain("-", text));
    }
    let path = Path::new(given);
    if path.symlink_metadata().is_err() {
        return show::named(&context.open()?, given)?.ok_or_else(|| {
            Failure::bad_input(format!(
                "{given}: no such file, and no document of the index; `-` reads text from standard input"
            ))
        });
    }
    let program = this_program()?;
    let settings = &context.config.ingest;
    let limits = Limits::new(settings.worker_memory_mb, settings.worker_cpu_s, settings.max_input_mb);
    let options = ExtractOptions { program: &program, limits, mapping: &sector.records };
    let mut documents: Vec<Document> = extract(path, &options)
        .map_err(|e| Failure::bad_input(format!("{given}: {e}")))?
        .into_iter()
        .map(|extracted| assemble(extracted, given, None))
        .collect();
    if documents.len() == 1 {
        return Ok(documents.remove(0));
    }
    let access = documents.iter().map(|d| d.metadata.access).max().unwrap_or_default();
    let texts: Vec<String> = documents.into_iter().map(|d| d.text).collect();
    let mut all = Document::plain(given, texts.join("\n\n"));
    all.metadata.access = access;
    Ok(all)
}
