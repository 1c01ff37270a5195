//! `bench`: what does this machine do? One measurement a file.

mod embed;
mod ingest;
mod llm;
mod portfolio;
mod retrieve;

use clap::Subcommand;
use tempfile::TempDir;

use super::{Context, Failure, Outcome};

#[derive(Subcommand)]
pub(super) enum Command {
    /// The language model engine: reading, writing, time to the first token
    Llm(llm::Arguments),
    /// Searches in an index of a given size: milliseconds, what is missed, memory and disk
    Retrieve(retrieve::Arguments),
    /// Reading, cutting and indexing documents
    Ingest(ingest::Arguments),
    /// Encoding texts
    Embed(embed::Arguments),
    /// A made-up portfolio joined with itself: seconds, memory, planted repeats found
    Portfolio(portfolio::Arguments),
}

pub(super) fn run(context: &Context, command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Llm(arguments) => llm::run(context, &arguments),
        Command::Retrieve(arguments) => retrieve::run(context, &arguments),
        Command::Ingest(arguments) => ingest::run(context, &arguments),
        Command::Embed(arguments) => embed::run(context, &arguments),
        Command::Portfolio(arguments) => portfolio::run(context, &arguments),
    }
}

fn temporary() -> Result<TempDir, Failure> {
    tempfile::tempdir().map_err(|e| Failure::internal(format!("no temporary folder: {e}")))
}

/// As many as the setting says; 0 is one a processor.
fn threads(setting: usize) -> usize {
    match setting {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        some => some,
    }
}

/// A line of `/proc/self/status`, bytes; nothing where there is no such file.
fn memory(key: &str) -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
