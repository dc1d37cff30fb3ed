//! What is generated from the command line: completions of shells, and manual pages.

use crate::args::Cli;
use crate::messages::error_text;
use crate::standard_streams::Output;
use crate::{manual, output};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use std::io::Write;
use std::process::ExitCode;

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rdt", &mut script);
    print(&script)
}

/// Prints the manual page of a command, such as `socket-tcp send`. Without a command, that of the program.
pub(crate) fn manual(path: &[String]) -> Result<ExitCode, String> {
    // Its page would have nothing that `rdt help` does not print.
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut command = &program;
    for name in path {
        command = command.find_subcommand(name).ok_or_else(|| {
            let known: Vec<_> = listed(command).map(Command::get_name).collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            format!("there is no command {name:?} for a manual page; give one of: {known}")
        })?;
    }
    let page = manual::page(command).map_err(|error| format!("cannot make the manual page: {}", error_text(&error)))?;
    Ok(print(&page))
}

/// The commands that the help lists.
fn listed(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn print(text: &[u8]) -> ExitCode {
    output::note_failure(Output::open().and_then(|mut output| output.write_all(text)));
    ExitCode::SUCCESS
}
