//! What the program `rdt` prints: on which stream, and in which form.

#[cfg(target_os = "linux")]
use crate::runner::run_with_output;
use crate::runner::{Place, run};

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
        &["get", name, "127.0.0.1:1"],
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
