//! The command line: arguments, one file a command, text or one JSON document on stdout.
//!
//! Exit codes: 0 done; 1 done but the answer is no; 2 wrong use or bad input; 3 failed.
//! Knows how to print; decides nothing about documents or answers.

mod adapt;
mod ask;
mod bench;
mod chat;
mod config;
mod consolidate;
mod doctor;
mod eval;
mod index;
mod ingest;
mod matching;
mod models;
mod numbers;
mod output;
mod overlap;
mod release;
mod search;
mod sectors;
mod serve;
mod show;
mod strengths;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use crate::app::App;
use crate::config::{self as settings, Config, Flags, Provenance};
use crate::document::{Access, Language};
use crate::error::{Classified, ErrorKind};
use output::Output;

/// Cited answers from an industry's own R&D documents, on your own machine.
#[derive(Parser)]
#[command(name = "sectora", version, propagate_version = true)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Global {
    /// Where indexes, models and state are kept
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Sector by name, or a folder with a sector.toml
    #[arg(long, global = true, value_name = "NAME")]
    sector: Option<String>,
    /// Settings file (default: sectora.toml here, if there is one)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Open no network connection except to addresses you configured
    #[arg(long, global = true)]
    offline: bool,
    /// One JSON document on stdout, nothing else
    #[arg(long, global = true)]
    json: bool,
    /// No progress and no notes on stderr
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Text generator: auto, extractive, span, embedded, adapted, remote, a model card's name, a GGUF file, or a Hugging Face folder
    #[arg(long, global = true, value_name = "NAME")]
    generator: Option<String>,
    /// Text encoder: auto, embedded (part of the program), none, a model card's name, or a folder
    #[arg(long, global = true, value_name = "NAME")]
    encoder: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Read documents into the sector's index
    Ingest(ingest::Arguments),
    /// Back up, restore, migrate, change the encoder
    #[command(subcommand)]
    Index(index::Command),
    /// Answer one question with citations
    Ask(ask::Arguments),
    /// Ask and follow up in the terminal
    Chat(ask::Options),
    /// Serve the HTTP API and the page
    Serve(serve::Arguments),
    /// Find passages without writing an answer
    Search(search::Arguments),
    /// Print a document's extracted text, which citations point into
    Show(show::Arguments),
    /// Check a proposal against everything done
    Overlap(overlap::Arguments),
    /// Who is strong in what, with evidence and uncertainty
    Strengths(strengths::Arguments),
    /// Institutes for a need, or calls for an institute
    Match(matching::Arguments),
    /// Small projects that should be one programme
    Consolidate(consolidate::Arguments),
    /// What of a document may be released, and why
    #[command(subcommand)]
    Release(release::Command),
    /// Train the reader on this sector, and keep the result if it is better
    Adapt(adapt::Arguments),
    /// Measure
    #[command(subcommand)]
    Eval(eval::Command),
    /// Measure this machine
    #[command(subcommand)]
    Bench(bench::Command),
    /// Language models and encoders: cards, downloads, checks
    #[command(subcommand)]
    Models(models::Command),
    /// Sector packs found
    Sectors,
    /// Check this machine and this index
    Doctor,
    /// Every setting, its value and where it comes from
    Config,
}

/// A command that did not succeed: what to print and how to exit.
pub struct Failure {
    kind: ErrorKind,
    message: String,
}

impl<E: Classified> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure { kind: error.kind(), message: error.to_string() }
    }
}

impl Failure {
    fn bad_input(message: impl Into<String>) -> Failure {
        Failure { kind: ErrorKind::BadInput, message: message.into() }
    }

    fn internal(message: impl Into<String>) -> Failure {
        Failure { kind: ErrorKind::Internal, message: message.into() }
    }
}

/// What every command gets.
struct Context {
    config: Config,
    provenance: Vec<Provenance>,
    output: Output,
    /// Of the session: what the environment says.
    language: Language,
}

impl Context {
    fn open(&self) -> Result<App, Failure> {
        self.noted(App::open(self.config.clone())?, self.language)
    }

    /// The same, its notes in the language of what is asked.
    fn open_for(&self, question: &str) -> Result<App, Failure> {
        let language = match Language::detect(question) {
            Language::Other => self.language,
            asked => asked,
        };
        self.noted(App::open(self.config.clone())?, language)
    }

    fn open_for_ingest(&self, rebuild: bool) -> Result<App, Failure> {
        self.noted(App::open_for_ingest(self.config.clone(), rebuild)?, self.language)
    }

    fn noted(&self, app: App, language: Language) -> Result<App, Failure> {
        for note in app.notes() {
            self.output.note(note.of(language));
        }
        Ok(app)
    }
}

/// Done: exit 0. Done, but the answer is no: exit 1.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Yes,
    No,
}

/// Parses the arguments, runs one command, and says how to exit.
pub fn run() -> ExitCode {
    let arguments = numbers::parse();
    let output = Output::new(arguments.global.json, arguments.global.quiet);
    match execute(arguments, output.clone()) {
        Ok(Outcome::Yes) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        Err(failure) => {
            output.failure(&failure.message);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

fn execute(arguments: Arguments, output: Output) -> Result<Outcome, Failure> {
    let (config, provenance) = Config::load(arguments.global.config.as_deref(), &flags(&arguments.global))?;
    let context = Context { config, provenance, output, language: settings::session_language() };
    match arguments.command {
        Command::Ingest(a) => ingest::run(&context, a),
        Command::Index(c) => index::run(&context, c),
        Command::Ask(a) => ask::run(&context, a),
        Command::Chat(a) => chat::run(&context, a),
        Command::Serve(a) => serve::run(&context, a),
        Command::Search(a) => search::run(&context, a),
        Command::Show(a) => show::run(&context, a),
        Command::Overlap(a) => overlap::run(&context, a),
        Command::Strengths(a) => strengths::run(&context, a),
        Command::Match(a) => matching::run(&context, a),
        Command::Consolidate(a) => consolidate::run(&context, a),
        Command::Release(c) => release::run(&context, c),
        Command::Adapt(a) => adapt::run(&context, a),
        Command::Eval(c) => eval::run(&context, c),
        Command::Bench(c) => bench::run(&context, c),
        Command::Models(c) => models::run(&context, c),
        Command::Sectors => sectors::run(&context),
        Command::Doctor => doctor::run(&context),
        Command::Config => config::run(&context),
    }
}

/// The language of `--language ko|en`.
fn reader(language: &str) -> Language {
    if language == "ko" { Language::Ko } else { Language::En }
}

/// The program itself, to be started as a worker.
fn this_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|e| Failure::internal(format!("cannot find this program: {e}")))
}

fn flags(global: &Global) -> Flags {
    let text = |key: &'static str, value: &Option<String>| value.clone().map(|v| (key, v));
    [
        text("data_dir", &global.data_dir),
        text("sector", &global.sector),
        text("generator", &global.generator),
        text("encoder", &global.encoder),
        global.offline.then(|| ("offline", "true".to_owned())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A command's arguments, as the command line reads them.
#[cfg(test)]
fn parsed<A: clap::Args>(line: &[&str]) -> Result<A, clap::Error> {
    A::from_arg_matches(&A::augment_args(clap::Command::new("sectora")).try_get_matches_from(line)?)
}

/// Reads the name of an access level.
fn access_levels() -> impl TypedValueParser<Value = Access> {
    PossibleValuesParser::new(Access::ALL.map(Access::name)).map(|name| Access::named(&name).unwrap_or_default())
}
