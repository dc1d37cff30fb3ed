//! Manual pages: what the command line says of itself, with examples, exit codes and files.

use crate::manual_text::{self, Text};
use clap::{Arg, ArgAction, Command};
use clap_mangen::Man;
use roff::{Inline, Roff, bold, italic, roman};
use std::io;

/// The page of a command of the program, in the form of `man`. The command is built.
pub(crate) fn page(command: &Command) -> io::Result<Vec<u8>> {
    let name = name_of(command);
    let text = manual_text::of(name);
    let man = Man::new(command.clone());
    // The empty date, which clap_mangen leaves out, keeps the version in its place.
    let title =
        format!(".TH {} 1 \"\" \"rdt {}\" \"User Commands\"\n", name.replace(' ', "-"), env!("CARGO_PKG_VERSION"));
    let mut page = title.into_bytes();
    man.render_name_section(&mut page)?;
    synopsis(command).to_writer(&mut page)?;
    description(command, &text).to_writer(&mut page)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut page)?;
    }
    if has_subcommands(command) {
        man.render_subcommands_section(&mut page)?;
    }
    list("EXAMPLES", text.examples).to_writer(&mut page)?;
    list("EXIT STATUS", manual_text::EXIT_CODES).to_writer(&mut page)?;
    if !text.files.is_empty() {
        list("FILES", text.files).to_writer(&mut page)?;
    }
    let others = others(name);
    let mut also = Roff::new();
    also.control("SH", ["SEE ALSO"]);
    also.text([roman(others)]);
    also.to_writer(&mut page)?;
    Ok(page)
}

/// Adds examples to the help of each command.
pub(crate) fn with_examples(program: Command) -> Command {
    let name = program.get_name().to_owned();
    program.mut_subcommands(|command| {
        let examples = manual_text::of(&format!("{name} {}", command.get_name())).examples;
        let lines = examples.iter().map(|(example, meaning)| format!("\n  {example}\n      {meaning}"));
        let lines: String = lines.collect();
        if lines.is_empty() { command } else { command.after_long_help(format!("Examples:{lines}")) }
    })
}

/// The words of a command, such as `rdt socket-tcp send`.
fn name_of(command: &Command) -> &str {
    command.get_bin_name().unwrap_or_else(|| command.get_name())
}

fn has_subcommands(command: &Command) -> bool {
    command.get_subcommands().any(|command| !command.is_hide_set())
}

/// The other pages to read.
fn others(name: &str) -> String {
    let pages = "the README of rdt-proto has more: interruptions, access, objects of --json, figures";
    match name {
        "rdt" => {
            format!("`rdt man COMMAND` prints the page of a command, `rdt completions SHELL` completions; {pages}")
        }
        _ => format!("rdt(1), printed by `rdt man`; {pages}"),
    }
}

/// The form of the command: its options with their values, and its words.
fn synopsis(command: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    let usage = command.clone().render_usage().to_string();
    let forms = usage.lines().map(|line| line.trim().trim_start_matches("Usage: "));
    for (at, form) in forms.enumerate() {
        if at > 0 {
            roff.control("PP", []);
        }
        let line = match form.split_once("[OPTIONS]").filter(|_| at == 0) {
            Some((name, words)) => {
                let options = command.get_arguments().filter(|option| !option.is_positional() && !option.is_hide_set());
                let options = options.flat_map(option);
                let words = words.replace(['<', '>'], "");
                [bold(name.trim()), roman(" ")].into_iter().chain(options).chain([italic(words.trim())]).collect()
            }
            None => vec![bold(form.replace(['<', '>'], ""))],
        };
        roff.text(line);
    }
    roff
}

/// An option in the form of the command.
fn option(option: &Arg) -> Vec<Inline> {
    let names = option.get_short().map(|short| format!("-{short}")).into_iter();
    let names: Vec<_> = names.chain(option.get_long().map(|long| format!("--{long}"))).collect();
    let mut parts = vec![roman("["), bold(names.join("|"))];
    if option.get_action().takes_values() {
        let values = option.get_value_names().unwrap_or_default().join(" ");
        parts.extend([roman(" "), italic(values)]);
    }
    let many = matches!(option.get_action(), ArgAction::Count | ArgAction::Append);
    parts.push(roman(if many { "]... " } else { "] " }));
    parts
}

fn description(command: &Command, text: &Text) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]);
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default();
    roff.text([roman(format!("{about}."))]);
    for paragraph in text.paragraphs {
        roff.control("PP", []);
        roff.text([roman(*paragraph)]);
    }
    roff
}

/// A section with what each of its words means.
fn list(title: &str, entries: &[(&str, &str)]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (word, meaning) in entries {
        roff.control("TP", []);
        roff.text([bold(*word)]);
        roff.text([roman(*meaning)]);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::{CommandFactory, Parser};

    /// The commands with a page.
    fn commands() -> Vec<Command> {
        let mut program = Cli::command();
        program.build();
        let mut found = vec![program];
        let mut at = 0;
        while let Some(command) = found.get(at) {
            let below =
                command.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set());
            let below: Vec<_> = below.cloned().collect();
            found.extend(below);
            at += 1;
        }
        found
    }

    #[test]
    fn each_page_has_every_section() {
        for command in commands() {
            let page = String::from_utf8(page(&command).unwrap()).unwrap();
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "\"EXIT STATUS\"", "\"SEE ALSO\""]
            {
                assert!(page.contains(&format!(".SH {section}\n")), "{section}: {page}");
            }
            let name = name_of(&command);
            assert!(!manual_text::of(name).examples.is_empty(), "{name}");
        }
    }

    #[test]
    fn the_form_of_a_command_has_its_values() {
        let page_of = |name: &str| {
            let command = commands().into_iter().find(|command| command.get_name() == name).unwrap();
            String::from_utf8(page(&command).unwrap())
                .unwrap()
                .replace("\\-", "-")
                .replace("\\fB", "")
                .replace("\\fI", "")
        };
        let put = page_of("put").replace("\\fR", "");
        assert!(put.contains("rdt put [--name PATH] "), "{put}");
        assert!(put.contains(" FILE... ADDR\n") && put.contains(".TH rdt-put 1"), "{put}");
        assert!(page_of("get").replace("\\fR", "").contains("rdt get [OPTIONS] rdt://HOST[:PORT]/PATH"));
        assert!(page_of("serve").replace("\\fR", "").contains("[--allow CIDR]... "));
    }

    /// Checks the commands of this program in a line for a shell. Returns their number.
    fn parse(line: &str) -> usize {
        let own = |command: &&str| command.starts_with("rdt ");
        let commands: Vec<_> = line.split(" | ").map(str::trim).filter(own).collect();
        for command in &commands {
            let words = shlex::split(command.split(" > ").next().unwrap()).unwrap();
            let parsed = Cli::try_parse_from(&words).map_err(|error| error.to_string());
            assert!(parsed.is_ok(), "{line}: {}", parsed.err().unwrap_or_default());
        }
        commands.len()
    }

    #[test]
    fn each_command_of_the_readme_parses() {
        let readme = include_str!("../../../README.md");
        let blocks = readme.split("```sh\n").skip(1).flat_map(|block| block.split("```").next());
        let lines = blocks.flat_map(str::lines).map(|line| line.split(" # ").next().unwrap());
        let count: usize = lines.map(|line| parse(&line.replace("cargo run --release -p rdt --", "rdt"))).sum();
        assert!(count > 15, "{count}");
    }

    #[test]
    fn each_example_parses() {
        let mut count = 0;
        for command in commands() {
            let name = name_of(&command).to_owned();
            let examples = manual_text::of(&name).examples;
            assert!(examples.iter().any(|(example, _)| example.contains(&name)), "{name}");
            count += examples.iter().map(|(example, _)| parse(example)).sum::<usize>();
        }
        assert!(count > 25, "{count}");
    }
}
