//! Content that comes from the standard input, or goes to the standard output.

use crate::faults::{Faults, SystemCall};
use crate::runner::{Place, Running, content, program, run, run_with_output, run_without_reader};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Starts to put the standard input under the name `a`, with a pipe for it.
fn put_input(server: &str, options: &[&str]) -> (Running, ChildStdin) {
    let mut command = program();
    command.args(["put", "-", server, "--name", "a"]).args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let input = child.stdin.take().unwrap();
    (Running::read(child), input)
}

/// A shell whose output is the input of a client.
fn writer(script: &str) -> Child {
    Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap()
}

fn put_from(writer: &mut Child, server: &str) -> Running {
    let mut command = program();
    command.args(["put", "-", server, "--name", "a"]).stdin(writer.stdout.take().unwrap());
    Running::read(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn the_input_is_stored_at_its_end() {
    let place = Place::new();
    let server = place.serve(&[]);
    for length in [0, 1, 10_000_000] {
        let bytes = content(length);
        let (client, mut input) = put_input(&server.address, &[]);
        input.write_all(&bytes).unwrap();
        drop(input);
        client.expect_end(0, "stored \"a\"");
        assert!(fs::read(place.server("a")).unwrap() == bytes, "{length}");
        assert_eq!(Place::names(&place.server("")), ["a"]);
        assert!(!place.server(".rdt").exists());
    }
}

#[test]
fn a_slow_writer_ends_no_client() {
    let place = Place::new();
    let server = place.serve(&[]);
    let (client, mut input) = put_input(&server.address, &["--timeout", "1"]);
    for byte in b"slow" {
        // Longer than the limits of the client on silence.
        sleep(Duration::from_millis(2_500));
        input.write_all(&[*byte]).unwrap();
    }
    assert!(!place.server("a").exists());
    drop(input);
    client.expect_end(0, "stored \"a\"");
    assert_eq!(fs::read(place.server("a")).unwrap(), b"slow");
}

/// Regression: the server ended a client whose writer paused for longer than a span of its limits on progress.
#[test]
fn a_pause_of_the_writer_longer_than_the_limits_on_progress_ends_no_client() {
    let place = Place::new();
    // The span is 2 s, and the client says each 0.33 s that it works.
    let server = place.serve(&["--timeout", "1"]);
    let (client, mut input) = put_input(&server.address, &["--timeout", "1"]);
    for byte in b"slow" {
        sleep(Duration::from_millis(5_000));
        input.write_all(&[*byte]).unwrap();
    }
    drop(input);
    client.expect_end(0, "stored \"a\"");
    assert_eq!(fs::read(place.server("a")).unwrap(), b"slow");
}

/// Regression: the client said that the request was malformed.
#[test]
fn a_client_says_that_its_writer_was_too_slow() {
    let place = Place::new();
    let mut server = place.serve(&["--timeout", "1"]);
    let (client, mut input) = put_input(&server.address, &[]);
    input.write_all(b"x").unwrap();
    client.expect_end(1, "ended the transfer of \"a\": nothing moved for too long");
    server.running.expect("put \"a\": the client is gone: it made no progress");
    assert!(Place::names(&place.server("")).is_empty());
    drop(input);
}

/// A reader of a pipe cannot tell the end of a writer that was killed from any other. So what has come is stored.
#[test]
fn the_input_of_a_killed_writer_is_stored_as_far_as_it_came() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mut writer = writer("printf started; exec sleep 60");
    let client = put_from(&mut writer, &server.address);
    sleep(Duration::from_millis(300));
    writer.kill().unwrap();
    assert_eq!(writer.wait().unwrap().signal(), Some(libc::SIGKILL));
    client.expect_end(0, "stored \"a\"");
    assert_eq!(fs::read(place.server("a")).unwrap(), b"started");
}

#[test]
fn a_client_killed_in_the_midst_of_its_input_stores_nothing() {
    let place = Place::new();
    let mut server = place.serve(&["--timeout", "1"]);
    fs::write(place.server("a"), "old").unwrap();
    let (client, mut input) = put_input(&server.address, &[]);
    input.write_all(&content(3_000_000)).unwrap();
    client.kill();
    server.running.expect("put \"a\": the client is gone");
    assert_eq!(fs::read(place.server("a")).unwrap(), b"old");
    assert_eq!(Place::names(&place.server("")), ["a"]);
}

#[test]
fn ctrl_c_in_the_midst_of_the_input_stores_nothing() {
    let place = Place::new();
    let mut server = place.serve(&[]);
    let (client, mut input) = put_input(&server.address, &[]);
    input.write_all(&content(300_000)).unwrap();
    sleep(Duration::from_millis(300));
    client.interrupt();
    client.expect_end(130, "stopped");
    server.running.expect("put \"a\": cancelled by the client");
    assert!(Place::names(&place.server("")).is_empty());
}

#[test]
fn an_input_larger_than_the_server_accepts_is_refused_in_its_midst() {
    let place = Place::new();
    let server = place.serve(&["--max-size", "1M"]);
    for (length, is_stored) in [(1 << 20, true), ((1 << 20) + 1, false), (100 << 20, false)] {
        let (client, mut input) = put_input(&server.address, &[]);
        let bytes = content(length);
        // The client ends before it has read everything.
        let _ = input.write_all(&bytes);
        drop(input);
        let (code, said) = client.end();
        assert_eq!(code == 0, is_stored, "{length}: {said}");
        assert!(is_stored || said.contains("larger than it accepts"), "{said}");
        assert_eq!(place.server("a").exists(), is_stored, "{length}");
        let _ = fs::remove_file(place.server("a"));
    }
    assert!(Place::names(&place.server("")).is_empty());
}

/// A writer that never ends, such as a device.
#[test]
fn a_refusal_ends_a_client_whose_input_stalls() {
    let place = Place::new();
    let server = place.serve(&["--read-only"]);
    let (client, mut input) = put_input(&server.address, &[]);
    input.write_all(b"x").unwrap();
    client.expect_end(1, "takes no uploads");
    drop(input);
}

#[test]
fn the_output_has_the_content_and_nothing_else() {
    let place = Place::new();
    let server = place.serve(&[]);
    for length in [0, 1, 10_000_000] {
        fs::write(place.server("a"), content(length)).unwrap();
        let get = run_with_output(&["get", "a", &server.address, "-o", "-"], &place.client("out"));
        get.expect_end(0, "received \"a\"");
        assert!(fs::read(place.client("out")).unwrap() == content(length));
    }
}

#[test]
fn an_output_that_is_full_ends_the_client_with_an_error() {
    let place = Place::new();
    let mut server = place.serve(&[]);
    for length in [100, 200 << 20] {
        fs::write(place.server("a"), vec![1; length]).unwrap();
        let get = run_with_output(&["get", "a", &server.address, "-o", "-"], std::path::Path::new("/dev/full"));
        get.expect_end(1, "cannot write to the standard output: no space left on device: it is incomplete");
        server.running.expect("get \"a\": ");
    }
}

/// A reader that goes has what it wants, as in `rdt get a HOST -o - | head`. Regression: a line said that the output is
/// incomplete, also with --quiet.
#[test]
fn an_output_without_a_reader_ends_the_client_without_a_line() {
    for mode in [&[][..], &["--profile", "rostov"]] {
        let place = Place::new();
        let server = place.serve(mode);
        fs::write(place.server("small"), [1; 1_000]).unwrap();
        fs::write(place.server("large"), vec![1; 50 << 20]).unwrap();
        for (name, read) in [("small", 0), ("large", 1_000)] {
            let arguments = [&["get", name, &server.address, "-o", "-"], mode].concat();
            let (client, mut output) = run_without_reader(&arguments);
            output.read_exact(&mut vec![0; read]).unwrap();
            drop(output);
            let (code, said) = client.end();
            // A line may tell the progress.
            assert!(code == 1 && said.lines().all(|line| line.contains("% of")), "{name}: {code} {said}");
        }
    }
}

#[test]
fn a_full_disk_of_the_client_ends_only_its_file() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve(&[]);
    for name in ["a", "b", "c"] {
        fs::create_dir_all(place.server("tree")).unwrap();
        fs::write(place.server("tree").join(name), content(100_000)).unwrap();
    }
    // The command makes no folder, so it writes no record of one.
    fs::create_dir_all(place.client("copy/tree")).unwrap();
    let mut command = program();
    faults.apply(&mut command);
    let output = place.client("copy");
    command.args(["get", "tree", &server.address, "-o"]).arg(&output);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    faults.fail(SystemCall::Write, libc::EIO, 1);
    let (code, said) = Running::read(command.spawn().unwrap()).end();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("received 2 files from") && said.contains("rdt: 1 of 3 files"), "{said}");
    assert_eq!(Place::names(&output.join("tree")).len(), 2, "{said}");
}

#[test]
fn a_pipe_leaves_no_part_when_its_server_is_killed() {
    let place = Place::new();
    let server = place.serve(&[]);
    let address = server.address.clone();
    let (client, mut input) = put_input(&address, &["--timeout", "2"]);
    input.write_all(&content(5_000_000)).unwrap();
    server.running.kill();
    let _ = client.end();
    drop(input);
    assert!(!place.server("a").exists() && !place.server(".rdt").exists(), "what cannot be read again cannot go on");
    let server = place.serve(&["--bind", &address]);
    let (client, mut input) = put_input(&address, &[]);
    input.write_all(&content(6_000_000)).unwrap();
    drop(input);
    client.expect_end(0, "stored \"a\"");
    assert!(fs::read(place.server("a")).unwrap() == content(6_000_000));
    assert!(!place.server(".rdt").exists(), "the part is gone");
    drop(server);
}

/// Regression: the space was reserved in steps of 16 MiB, and a server with less took none of it.
#[test]
fn a_pipe_takes_the_last_space() {
    let place = Place::new();
    let server = place.serve(&["--max-unfinished", "1M"]);
    for (length, code, text) in [(500_000, 0, "stored \"a\""), (2_000_000, 1, "no space left")] {
        let (client, mut input) = put_input(&server.address, &[]);
        // The client may have ended before.
        let _ = input.write_all(&content(length));
        drop(input);
        client.expect_end(code, text);
    }
    assert!(fs::read(place.server("a")).unwrap() == content(500_000));
}

/// Regression: an input that could not be read was one without content, and an empty file took the place of the old one.
#[test]
fn an_input_that_cannot_be_read_replaces_nothing() {
    let place = Place::new();
    let server = place.serve(&[]);
    fs::write(place.server("old"), "old").unwrap();
    let shell = |redirection: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec \"$0\" put - {} --name old {redirection}", server.address)]);
        shell.arg(env!("CARGO_BIN_EXE_rdt")).current_dir(place.client(""));
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::read(shell.spawn().unwrap())
    };
    for (redirection, why) in
        [("<&-", "it is closed"), ("0>file", "it is open for writing only"), ("<.", "it is a folder")]
    {
        shell(redirection).expect_end(1, &format!("cannot read the standard input on this machine: {why}"));
        assert_eq!(fs::read_to_string(place.server("old")).unwrap(), "old", "{redirection}");
    }
    shell("</dev/null").expect_end(0, "stored \"old\"");
    assert_eq!(fs::read_to_string(place.server("old")).unwrap(), "");
}

/// Regression: an output that could not be written took everything.
#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    let server = place.serve(&[]);
    fs::write(place.server("a"), "a").unwrap();
    for arguments in [&["get", "a", &server.address, "-o", "-"][..], &["ls", &server.address]] {
        let mut command = program();
        command.args(arguments).stdin(Stdio::null()).stderr(Stdio::piped());
        command.stdout(fs::File::open("/dev/null").unwrap());
        let ended = command.spawn().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot write to the standard output: bad file descriptor"), "{said}");
    }
}

/// Regression: a pipe that another process had made not to wait ended the transfer.
#[test]
fn a_pipe_that_does_not_wait_is_waited_for() {
    let place = Place::new();
    let server = place.serve(&[]);
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    let mut command = program();
    command.args(["put", "-", &server.address, "--name", "a"]);
    command.stdin(reader).stdout(Stdio::piped()).stderr(Stdio::piped());
    let client = Running::read(command.spawn().unwrap());
    for part in content(3_000_000).chunks(1_000_000) {
        sleep(Duration::from_millis(100));
        writer.write_all(part).unwrap();
    }
    drop(writer);
    client.expect_end(0, "stored \"a\"");
    assert!(fs::read(place.server("a")).unwrap() == content(3_000_000));
}

/// Regression: the files of /proc, whose length is given as 0, were stored without their content.
#[test]
#[cfg(target_os = "linux")]
fn a_file_with_content_and_no_length_is_not_stored_as_an_empty_one() {
    let place = Place::new();
    let server = place.serve(&[]);
    let client = run(&["put", "/proc/version", &server.address]);
    client.expect_end(1, "its length is given as 0, and it has content");
    assert!(Place::names(&place.server("")).is_empty());
}

/// Regression: the link to a regular file was replaced by the content.
#[test]
#[cfg(target_os = "linux")]
fn a_link_that_stands_for_the_standard_output_is_not_replaced() {
    let place = Place::new();
    let server = place.serve(&[]);
    fs::write(place.server("a"), "content").unwrap();
    let link = place.client("stdout");
    std::os::unix::fs::symlink("/proc/self/fd/1", &link).unwrap();
    for output in [link.to_str().unwrap(), "/dev/fd/1", "/proc/self/fd/1"] {
        let mut command = program();
        command.args(["get", "a", &server.address, "-o", output]).stdin(Stdio::null()).stderr(Stdio::piped());
        command.stdout(fs::File::create(place.client("out")).unwrap());
        let ended = command.spawn().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.code() == Some(1) && said.contains("or - for the standard output"), "{output}: {said}");
        assert!(link.is_symlink() && fs::read(place.client("out")).unwrap().is_empty());
    }
}
