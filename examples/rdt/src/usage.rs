//! The begin and the end of the program: its command line, and its exit code.

use crate::args::Cli;
use crate::escape::{escape_lines, is_unprintable};
use crate::messages::to_stderr;
use crate::{foreign_usage, manual, output, trace_file};
use clap::builder::Styles;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, FromArgMatches};
use std::io::{self, Write};
use std::process::ExitCode;

/// The exit code of an invalid command line.
const INVALID: u8 = 2;

/// Parses the command line, or prints what is wrong with it, or the help. Returns the exit code in these cases.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    // A message repeats arguments. Colours are escapes too, so it has none if an argument has any.
    let has_escapes = std::env::args_os().any(|argument| argument.to_string_lossy().contains(is_unprintable));
    let command = manual::with_examples(Cli::command());
    let mut command = if has_escapes { command.styles(Styles::plain()) } else { command };
    let matches = command.try_get_matches_from_mut(std::env::args_os());
    let parsed = matches.and_then(|matches| Cli::from_arg_matches(&matches)).and_then(|cli| match cli.check() {
        Ok(()) => Ok(cli),
        Err((name, why)) => {
            let of = command.find_subcommand_mut(name).map(|of| of.error(ErrorKind::ArgumentConflict, &why));
            Err(of.unwrap_or_else(|| command.error(ErrorKind::ArgumentConflict, why)))
        }
    });
    parsed.map_err(|error| {
        let error = in_own_words(&mut command, error);
        if !error.use_stderr() {
            output::note_failure(error.print().and_then(|()| io::stdout().flush()));
            return checked(ExitCode::SUCCESS);
        }
        let _ = if has_escapes {
            io::stderr().write_all(escape_lines(&error.render().ansi().to_string()).as_bytes())
        } else {
            error.print()
        };
        INVALID.into()
    })
}

/// The error with what to write instead, if the words are those of another program.
fn in_own_words(command: &mut Command, error: clap::Error) -> clap::Error {
    let named = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            if named(ContextKind::InvalidSubcommand) == Some("version") {
                return version().unwrap_or(error);
            }
            let why = named(ContextKind::InvalidSubcommand).and_then(foreign_usage::command);
            why.map_or(error, |why| command.error(ErrorKind::InvalidSubcommand, why))
        }
        ErrorKind::UnknownArgument => {
            let Some(option) = named(ContextKind::InvalidArg) else { return error };
            if matches!(option, "--version" | "-V") {
                return version().unwrap_or(error);
            }
            let words: Vec<_> = std::env::args_os().skip(1).collect();
            let name = words.first().map_or("".into(), |word| word.to_string_lossy());
            let why = foreign_usage::option(&name, option);
            let similar = named(ContextKind::SuggestedArg);
            if why.is_none() && similar.is_some_and(|similar| is_typing_error(option, similar)) {
                return error;
            }
            let why = why.unwrap_or_else(|| format!("unexpected argument '{option}' found"));
            let mut of = command.clone();
            for word in &words {
                let Some(inner) = of.find_subcommand(word).cloned() else { break };
                of = inner;
            }
            of.error(ErrorKind::UnknownArgument, why)
        }
        _ => error,
    }
}

/// What `rdt --version` prints.
fn version() -> Option<clap::Error> {
    Cli::command().try_get_matches_from(["rdt", "--version"]).err()
}

/// Whether an option was meant for a similar one. clap also finds such that only share some letters.
fn is_typing_error(option: &str, similar: &str) -> bool {
    /// The number of letters that are missing, too many, wrong, or in the wrong order.
    const MOST: usize = 2;
    strsim::osa_distance(option, similar) <= MOST
}

/// Waits until all is printed, but not long. Returns the exit code, unless the standard output failed.
pub(crate) fn checked(code: ExitCode) -> ExitCode {
    // Its failure is a line.
    trace_file::finish();
    output::finish();
    match output::failure() {
        None => code,
        // The reader has what it wants, as in `rdt ls ADDR | head`.
        Some(_) if output::has_no_reader() => ExitCode::FAILURE,
        Some(why) => {
            to_stderr(format_args!("cannot write to the standard output: {why}"));
            output::finish();
            ExitCode::FAILURE
        }
    }
}
