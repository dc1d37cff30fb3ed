//! What the messages say to write is right: the program takes it.

use super::{ANSWERS, COMMAND_LINES, FILES, Row, Setting, each};
use crate::runner::{run, run_in};

/// The arguments that follow an advice: a command, an option, or a word in the place of the wrong one.
fn advised((arguments, line): Row) -> Vec<Vec<String>> {
    let arguments: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
    let line = line.replace("cannot write", "");
    let alternatives = line.split("write ").skip(1).flat_map(|advice| advice.split(", or ")).flat_map(|advice| {
        let advice = advice.split(" (").next().unwrap();
        advice.split(", and ").flat_map(|advice| advice.split(" or -").map(str::to_owned)).collect::<Vec<_>>()
    });
    let wrong = line.split_once("invalid value '").and_then(|(_, rest)| rest.split_once('\'')).map(|(wrong, _)| wrong);
    let follow = |advice: String| -> Option<Vec<String>> {
        let end = [" to send", " to fetch", " if ", " for ", ", "].iter().filter_map(|end| advice.find(end)).min();
        if let Some(start) = advice.find("rdt ") {
            let end = [" to send", " to fetch"].iter().filter_map(|end| advice.find(end)).find(|end| *end > start);
            return shlex::split(&advice[start + 4..end.unwrap_or(advice.len())]);
        }
        let words = shlex::split(&advice[..end.unwrap_or(advice.len())])?;
        let first = words.first()?.clone();
        if first.starts_with('-') {
            return Some([vec![arguments[0].clone()], words, vec!["--help".into()]].concat());
        }
        match wrong {
            None => Some(vec!["ls".into(), first]),
            Some(wrong) => {
                let right = |argument: &String| if argument == wrong { first.clone() } else { argument.clone() };
                Some(arguments.iter().map(right).collect())
            }
        }
    };
    alternatives.filter_map(follow).collect()
}

/// The arguments with what stands for something. No server starts, and nothing is sent to another one.
fn in_place(setting: &Setting, arguments: &[String]) -> Vec<String> {
    let is_server = arguments.first().is_some_and(|command| command == "serve");
    let replace = |argument: &String| {
        let argument = argument.replace('…', "");
        let argument = match argument.as_str() {
            "FILE" => "{small}".into(),
            "DIR" => "{client}".into(),
            "localhost" => "localhost:1".into(),
            // An address for documentation (RFC 5737) is none of this machine.
            _ if is_server => argument.replace("127.0.0.1", "192.0.2.1").replace("0.0.0.0", "192.0.2.1"),
            _ => argument.replace("HOST:", "127.0.0.1:").replace("HOST", "{closed}"),
        };
        let argument = argument.replace("localhost/", "localhost:1/").replace("PORT", "7");
        setting.replace(&argument)
    };
    let mut arguments: Vec<_> = arguments.iter().map(replace).collect();
    if is_server && !arguments.iter().any(|argument| argument == "--bind") {
        arguments.extend(["--bind", "192.0.2.1:1"].map(str::to_owned));
    }
    arguments
}

#[cfg(target_os = "linux")]
#[test]
fn every_advice_can_be_followed() {
    let rows = [COMMAND_LINES, FILES, ANSWERS].concat();
    let count: usize = rows.iter().map(|row| advised(*row).len()).sum();
    assert!(count > 80, "{count}");
    Setting::with(|setting| {
        each(&rows, |row| {
            let faults = advised(row).into_iter().filter_map(|arguments| {
                let arguments = in_place(setting, &arguments);
                let words: Vec<_> = arguments.iter().map(String::as_str).collect();
                let (ended, said) = run_in(&setting.place.client(""), &words).end();
                (ended == 2).then(|| format!("{row:?}\n  says to write {arguments:?}\n  which is wrong: {said}"))
            });
            Some(faults.collect::<Vec<_>>().join("\n")).filter(|faults| !faults.is_empty())
        });
    });
}

#[test]
fn only_a_typing_error_has_a_similar_option() {
    for (command, similar) in [
        ("get a 127.0.0.1:1 --ouput b", Some("--output")),
        ("put a 127.0.0.1:1 --verfiy", Some("--verify")),
        ("serve --raed-only", Some("--read-only")),
        ("put a 127.0.0.1:1 --trance", Some("--trace")),
        ("put a 127.0.0.1:1 --portable", None),
        ("put a 127.0.0.1:1 --fierce", None),
        ("ls 127.0.0.1:1 --frob", None),
        ("ls 127.0.0.1:1 -x", None),
        ("serve --reading", None),
        ("socket-tcp send 127.0.0.1:1 --slow", None),
    ] {
        let (ended, said) = run(&command.split(' ').collect::<Vec<_>>()).end();
        let is_right = match similar {
            None => !said.contains("tip:") && said.contains("unexpected argument"),
            Some(similar) => said.contains(&format!("a similar argument exists: '{similar}'")),
        };
        assert!(ended == 2 && is_right, "{command}: {said}");
    }
}

/// The letters of the options of `scp`, `cp` and `rsync`, and of `ls`. Each is an option here, or has an answer.
#[test]
fn every_option_of_the_like_has_an_answer() {
    let transfer = "346ABCDEFHIJKLMNOPRSTUWXZabcdefghijklmnopqrstuvwxyz0";
    let list = "1ACFGLRSadfghlnoprstv";
    for (command, letters) in
        [("put a 127.0.0.1:1", transfer), ("get a 127.0.0.1:1", transfer), ("ls 127.0.0.1:1", list)]
    {
        for letter in letters.chars() {
            let option = format!("-{letter}");
            let (code, said) = run(&command.split(' ').chain([&*option, "x", "--help"]).collect::<Vec<_>>()).end();
            assert!(code == 0 || said.contains(&format!("there is no {option}: ")), "{command} {option}: {said}");
        }
    }
}

#[test]
fn every_command_prints_the_version() {
    let (code, version) = run(&["--version"]).end();
    assert!(code == 0 && version.starts_with("rdt 0"), "{version}");
    for command in ["version", "put --version", "serve -V", "socket-tcp send --version"] {
        assert_eq!(run(&command.split(' ').collect::<Vec<_>>()).end(), (0, version.clone()), "{command}");
    }
}
