//! Options that take a number say what is wrong with one, whichever option it is: `--steps -1: must be a whole number, 0 or more`.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, FromArgMatches};

use super::Arguments;

/// The arguments of this process; on wrong use, ends it as clap does.
pub(super) fn parse() -> Arguments {
    let mut command = with_negatives(Arguments::command());
    let matches = command.try_get_matches_from_mut(std::env::args_os());
    let parsed = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.unwrap_or_else(|error| worded(error, &mut command).exit())
}

/// Every option reads `-1` as a value, so that its own rule can refuse it.
fn with_negatives(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let command = command.mut_args(|arg| match arg.get_action().takes_values() && !arg.is_positional() {
        true => arg.allow_negative_numbers(true),
        false => arg,
    });
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_negatives))
}

/// What the standard library says of a number it cannot read, in words that name the option and its rule.
fn worded(error: clap::Error, command: &mut Command) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let (Some(option), Some(value)) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue)) else {
        return error;
    };
    let option = option.split(' ').next().unwrap_or(&option).to_owned();
    let rule = if cause.contains("invalid float") {
        "must be a number"
    } else if ["invalid digit", "too large", "too small", "not in", "empty string"].iter().any(|c| cause.contains(c)) {
        if cause.contains("too large") || cause.contains("not in") {
            "is out of range"
        } else {
            "must be a whole number, 0 or more"
        }
    } else {
        return error;
    };
    if error.kind() != ErrorKind::ValueValidation {
        return error;
    }
    command.error(ErrorKind::ValueValidation, format!("{option} {value}: {rule}"))
}
