//! What the program `rdt` prints: on which stream, and in which form.

use crate::runner::{Place, run};
#[cfg(target_os = "linux")]
use crate::runner::{content, run_with_output};

/// The server stores nothing under such names, but the messages of the client name the files of its own disk.
#[test]
fn control_characters_of_names_are_escaped() {
    let place = Place::new();
    let name = "a\u{1b}[31m\u{7}\u{9b}b";
    let missing = place.client(name);
    let missing = missing.to_str().unwrap();
    for arguments in [
        &["put", missing, "127.0.0.1:1"][..],
        &["get", "a", "127.0.0.1:1", "--output", &format!("{missing}/b")],
        &["get", &format!("../{name}"), "127.0.0.1:1"],
        &["put", missing, "\u{1b}[31m\u{7}\u{9b}:1"],
        &["serve", "--bind", "127.0.0.1:0", "--root", &format!("{missing}/b")],
        &["put", missing, "127.0.0.1:1", "--loss", "\u{1b}[31m\u{7}\u{9b}"],
    ] {
        let (code, said) = run(arguments).end();
        assert_ne!(code, 0, "{said}");
        assert!(!said.contains(|char: char| char.is_control() && char != '\n'), "{said:?}");
        assert!(said.contains("[31m\\u{7}\\u{9b}"), "{said:?}");
    }
}

/// The demo prints several lines, and the other commands one.
#[cfg(target_os = "linux")]
#[test]
fn a_failed_write_to_the_standard_output_is_no_success() {
    let place = Place::new();
    let server = place.serve(&[]);
    let (full, file) = (std::path::Path::new("/dev/full"), place.client("a"));
    std::fs::write(&file, "a").unwrap();
    std::fs::write(place.server("b"), "b").unwrap();
    let (file, output) = (file.to_str().unwrap(), place.client("b"));
    for arguments in [
        &["put", file, &server.address][..],
        &["get", "b", &server.address, "--output", output.to_str().unwrap()],
        &["load", &server.address, "--clients", "1", "--size", "1"],
        &["demo", file],
        &["--help"],
        &["--version"],
    ] {
        let failed = run_with_output(arguments, full);
        failed.expect_end(1, "rdt: cannot write to the standard output: no space left on device");
    }
    assert!(place.server("a").exists() && output.exists());
}

/// Regression: with a rate, the client ended without a word and with success.
#[cfg(target_os = "linux")]
#[test]
fn a_download_that_gives_up_at_a_rate_is_no_success() {
    let place = Place::new();
    let server = place.serve(&[]);
    std::fs::write(place.server("b"), content(1 << 20)).unwrap();
    for rate in ["1M", "20M"] {
        let arguments = ["get", "b", &server.address, "--output", "-", "--rate", rate];
        let failed = run_with_output(&arguments, std::path::Path::new("/dev/full"));
        failed.expect_end(1, "rdt: cannot write to the standard output: no space left on device: it is incomplete");
    }
}

/// The result of a server is not its log, but the end says that the log has gaps.
#[cfg(target_os = "linux")]
#[test]
fn a_server_says_at_its_end_that_lines_were_lost() {
    let place = Place::new();
    let (root, state) = (place.server("").display().to_string(), place.client("state").display().to_string());
    let arguments = ["serve", "--bind", "127.0.0.1:0", "--root", &root, "--state", &state];
    let mut server = run_with_output(&arguments, std::path::Path::new("/dev/full"));
    server.expect("Landlock");
    server.terminate();
    server.expect_end(0, "rdt: 1 line of output was dropped");
}

/// The result of a listener is the messages that it prints.
#[cfg(target_os = "linux")]
#[test]
fn a_listener_that_loses_a_message_ends_without_success() {
    let place = Place::new();
    let arguments = ["socket-tcp", "listen", "--bind", "127.0.0.1:0"];
    let mut listener = run_with_output(&arguments, std::path::Path::new("/dev/full"));
    let server = listener.expect("listening on ").rsplit(' ').next().unwrap().to_owned();
    std::fs::write(place.client("message"), "hello").unwrap();
    let send = crate::runner::run_with_input(&["socket-tcp", "send", &server], &place.client("message"));
    send.expect_end(0, "sent to");
    listener.expect("cannot print the message");
    listener.interrupt();
    listener.expect_end(1, "cannot write to the standard output: no space left on device");
}

/// Runs a shell that only checks the syntax of a script.
#[cfg(target_os = "linux")]
fn expect_syntax(shell: &str, script: &std::path::Path) {
    if let Ok(status) = std::process::Command::new(shell).arg("-n").arg(script).status() {
        assert!(status.success(), "{shell} does not understand its completions");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn completions_know_commands_and_options() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.client(shell);
        run_with_output(&["completions", shell], &script).expect_end(0, "");
        let text = std::fs::read_to_string(&script).unwrap();
        for word in ["socket-tcp", "put", "congestion", "output"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
    ["bash", "zsh", "fish"].into_iter().for_each(|shell| expect_syntax(shell, &place.client(shell)));
    run(&["completions", "csh"]).expect_end(2, "invalid value 'csh'");
}

#[test]
fn each_command_has_a_manual_page() {
    for (command, title, text) in [
        (&[][..], ".TH rdt 1", "rdt\\-put(1)"),
        (&["put"], ".TH rdt\\-put 1", "The files and folders to send"),
        (&["socket-tcp", "send"], ".TH rdt\\-socket\\-tcp\\-send 1", "Which side closes"),
    ] {
        let (code, page) = run(&[&["man"], command].concat()).end();
        assert!(code == 0 && page.contains(&title.replace("\\-", "-")) && page.contains(text), "{page}");
    }
    run(&["man", "help"]).expect_end(1, "there is no command \"help\"");
    // The help has the same examples.
    run(&["put", "--help"]).expect_end(0, "\n  rdt put photos server --update\n");
    run(&["man", "none"]).expect_end(
        1,
        "there is no command \"none\" for a manual page; give one of: serve, put, get, ls, demo, load, bench, socket-tcp",
    );
}
