//! What the program `rdt` shows on a terminal, at several widths. The terminal is a pseudo-terminal, and `vt100` says
//! what its screen shows after each output of the program.

use crate::faults::{Faults, SystemCall};
use crate::runner::{Place, SLOW, content, wait_until, write_large};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::process::{Child, Command};

const WIDTHS: [u16; 3] = [40, 80, 200];

/// A program on a terminal of its own.
struct Shown {
    child: Child,
    terminal: File,
    screen: vt100::Parser,
    /// The different contents of the screen, in order.
    seen: Vec<String>,
}

/// So many that nothing scrolls away before it is read, at the least width.
const ROWS: u16 = 50;

impl Shown {
    fn run(arguments: &[&str], columns: u16) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        tcsetwinsize(&terminal, Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let end = || OpenOptions::new().read(true).write(true).open(&name).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rdt"));
        command.args(arguments).env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().unwrap();
        Self { child, terminal: terminal.into(), screen: vt100::Parser::new(ROWS, columns, 0), seen: Vec::new() }
    }

    /// Reads what the program shows. Returns `false` after its end.
    fn read(&mut self) -> bool {
        let mut buf = [0; 4_096];
        let len = self.terminal.read(&mut buf).unwrap_or_default();
        // Line by line: what one read returns may scroll a line off the screen.
        for line in buf[..len].split_inclusive(|byte| *byte == b'\n') {
            self.screen.process(line);
            let shown = self.screen.screen().contents();
            if self.seen.last() != Some(&shown) {
                self.seen.push(shown);
            }
        }
        len > 0
    }

    /// The address of a server.
    fn address(&mut self) -> String {
        const BEFORE: &str = " on 127.0.0.1:";
        self.read_until(BEFORE);
        let screen = self.seen.last().unwrap().replace('\n', "");
        let port: String = screen.rsplit(BEFORE).next().unwrap().chars().take_while(char::is_ascii_digit).collect();
        format!("127.0.0.1:{port}")
    }

    fn read_until(&mut self, text: &str) {
        while !self.seen.iter().any(|shown| shown.contains(text)) {
            assert!(self.read(), "no {text:?} in {:#?}", self.seen);
        }
    }

    /// Interrupts the program, and reads until its end. Returns the last content of the screen.
    fn interrupt(&mut self) -> String {
        let done = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
        self.end()
    }

    fn end(&mut self) -> String {
        while self.read() {}
        self.child.wait().unwrap();
        self.seen.last().cloned().unwrap_or_default()
    }

    /// Asserts that the progress took one row at any time.
    fn expect_one_row(&self) {
        for shown in &self.seen {
            assert!(shown.lines().filter(|row| !row.is_empty()).count() <= 1, "{shown}");
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Regression: "0 B/0 B 0 B/s, 0s left".
#[test]
fn until_the_server_answers_the_line_says_connecting() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = silent.local_addr().unwrap().to_string();
    for columns in WIDTHS {
        let mut shown = Shown::run(&["get", "a", &server, "--output", "/tmp", "--timeout", "2"], columns);
        shown.read_until(&format!("connecting to {server}…"));
        shown.expect_one_row();
        let last = shown.end();
        assert!(!shown.seen.iter().any(|shown| shown.contains("0 B")), "{:#?}", shown.seen);
        assert!(last.starts_with(&format!("rdt: no answer from {server}")), "{last}");
    }
}

/// Regression: at 40 columns each update took a row of its own.
#[test]
fn progress_takes_one_row_at_any_width() {
    let place = Place::new();
    let server = place.serve(&[]);
    let name = "a-name-that-is-longer-than-forty-columns.txt";
    write_large(&place.client(name));
    write_large(&place.server(name));
    let output = format!("{}/", place.client("").join("got").display());
    std::fs::create_dir(&output).unwrap();
    let file = place.client(name);
    for columns in WIDTHS {
        for arguments in [
            &["put", file.to_str().unwrap(), &server.address][..],
            &["get", name, &server.address, "--output", &output],
        ] {
            // Nothing goes on where the last width was interrupted.
            for folder in [place.server(".rdt"), place.client("got/.rdt")] {
                let _ = std::fs::remove_dir_all(folder);
            }
            let mut shown = Shown::run(&[arguments, &SLOW].concat(), columns);
            for text in [" %", "/s", " left"] {
                shown.read_until(text);
            }
            if columns >= 80 {
                shown.read_until("RTT ");
            }
            if columns >= 80 && arguments[0] == "put" {
                shown.read_until("loss ");
            }
            if columns >= 200 {
                shown.read_until(&format!("{name}  ["));
                shown.read_until(" of 1.00 GiB");
            }
            shown.expect_one_row();
            let last = shown.interrupt();
            let last = last.replace('\n', "");
            let middle = format!("iB of 1.00 GiB of \"{name}\" were transferred");
            let is_whole = last.starts_with("rdt: stopped: ") && last.contains(&middle);
            assert!(is_whole && last.len() < 60 + middle.len(), "nothing else stays on the screen: {last}");
        }
    }
}

#[test]
fn a_result_is_all_that_stays_on_the_screen() {
    let place = Place::new();
    let server = place.serve(&[]);
    std::fs::write(place.client("a"), content(300_000)).unwrap();
    for columns in WIDTHS {
        let mut shown = Shown::run(&["put", place.client("a").to_str().unwrap(), &server.address], columns);
        let last = shown.end().replace('\n', "");
        assert!(last.starts_with(&format!("stored \"a\" on {}: 292.97 KiB in ", server.address)), "{last}");
    }
}

/// A line that is printed meanwhile stands alone, and the progress follows it.
#[test]
fn a_message_does_not_break_the_line_of_progress() {
    let place = Place::new();
    let server = place.serve(&["--per-host", "1", "--timeout", "60"]);
    write_large(&place.client("large"));
    let mut first = place.put(&place.client("large"), &server.address, &SLOW);
    first.expect_progress();
    let file = place.client("large");
    let arguments = ["put", file.to_str().unwrap(), &server.address, "--timeout", "3"];
    let mut shown = Shown::run(&arguments, 80);
    shown.read_until("is busy: trying again");
    for shown in &shown.seen {
        for row in shown.lines().filter(|row| row.contains("busy")) {
            assert!(row.starts_with("rdt: 127.0.0.1:") && row.ends_with(" s"), "{shown}");
        }
    }
    shown.interrupt();
    first.kill();
}

#[test]
fn a_server_shows_what_moves_in_one_row_at_any_width() {
    let place = Place::new();
    let name = "a-name-that-is-longer-than-forty-columns.txt";
    write_large(&place.client(name));
    let [root, state] = [place.server(""), place.client("state")].map(|path| path.display().to_string());
    for columns in WIDTHS {
        let mut shown = Shown::run(&["serve", "--bind", "127.0.0.1:0", "--root", &root, "--state", &state], columns);
        let mut client = place.put(&place.client(name), &shown.address(), &SLOW);
        client.expect_progress();
        for text in [" %", "/s", " left"] {
            shown.read_until(text);
        }
        if columns >= 200 {
            shown.read_until(" of 1.00 GiB");
        }
        client.interrupt();
        client.expect_end(130, "stopped");
        shown.read_until("cancelled by the client");
        let last = shown.interrupt();
        assert!(!last.contains(" left"), "nothing of the row stays: {last}");
        // Nothing goes on where this width was interrupted, if a block has arrived.
        let _ = std::fs::remove_dir_all(place.server(".rdt"));
    }
}

/// Regression: for 30 s the row of a client that was killed looked as if it still ran.
#[test]
fn a_server_shows_that_a_client_is_silent() {
    let place = Place::new();
    write_large(&place.client("a"));
    let [root, state] = [place.server(""), place.client("state")].map(|path| path.display().to_string());
    let mut shown = Shown::run(&["serve", "--bind", "127.0.0.1:0", "--root", &root, "--state", &state], 80);
    let mut client = place.put(&place.client("a"), &shown.address(), &SLOW);
    client.expect_progress();
    shown.read_until(" left");
    client.kill();
    shown.read_until("silent for 3 s");
    shown.interrupt();
}

/// Regression: the line had a rate and a time left for seconds, and then no word about the server.
#[test]
fn a_client_shows_that_its_server_is_silent() {
    let place = Place::new();
    let server = place.serve(&[]);
    for folder in [place.client("a"), place.server("b")] {
        write_large(&folder);
    }
    let (up, output) = (place.client("a").display().to_string(), place.client("b").display().to_string());
    for arguments in [["put", &up, &server.address].as_slice(), &["get", "b", &server.address, "--output", &output]] {
        let mut shown = Shown::run(&[arguments, &SLOW].concat(), 80);
        shown.read_until(" left");
        server.running.signal("-STOP");
        shown.read_until("silent for 3 s");
        server.running.signal("-CONT");
        shown.interrupt();
    }
}

/// Runs a request whose server's disk stalls in the midst of it: each PROBE is answered meanwhile, ever more rarely.
fn expect_no_silence(place: &Place, call: SystemCall, request: impl Fn(&str) -> Vec<String>) {
    let faults = Faults::new();
    let server = place.serve_with_faults(&faults, &[]);
    let arguments = request(&server.address);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).chain(["--rate", "200M"]).collect();
    let mut shown = Shown::run(&arguments, 80);
    shown.read_until(" left");
    let before = faults.seen(call);
    faults.hold(call);
    wait_until(|| faults.seen(call) > before);
    std::thread::sleep(std::time::Duration::from_secs(14));
    faults.release(call);
    let last = shown.end();
    assert!(!shown.seen.iter().any(|shown| shown.contains("silent")), "{:#?}", shown.seen);
    assert!(last.contains("100.00 MiB in "), "{last}");
}

/// Regression: the line of the client said that such a server was silent.
#[test]
fn a_server_that_cannot_write_yet_is_not_silent() {
    let place = Place::new();
    let file = place.client("a");
    std::fs::write(&file, content(100 << 20)).unwrap();
    let put = |server: &str| vec!["put".into(), file.display().to_string(), server.into()];
    expect_no_silence(&place, SystemCall::Write, put);
}

#[test]
fn a_server_that_cannot_read_yet_is_not_silent() {
    let place = Place::new();
    std::fs::write(place.server("a"), content(100 << 20)).unwrap();
    let output = place.client("a").display().to_string();
    let get = |server: &str| vec!["get".into(), "a".into(), server.into(), "--output".into(), output.clone()];
    expect_no_silence(&place, SystemCall::Read, get);
}

/// Regression: the program waited for the keyboard without a word.
#[test]
fn a_terminal_that_is_the_input_is_asked_for_it() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mut shown = Shown::run(&["put", "-", &server.address, "--name", "typed"], 80);
    shown.read_until("rdt: reading the standard input until Ctrl-D");
    shown.terminal.write_all(b"text\n\x04").unwrap();
    let last = shown.end();
    assert!(last.contains("stored \"typed\""), "{last}");
    assert_eq!(std::fs::read(place.server("typed")).unwrap(), b"text\n");
}

/// Regression: of a `put`, what waited for the rate in the connection counted as not sent, and the line went back. Of a
/// `get`, the line knew the file that arrived and no other: "storing 3 files" came with the first one.
#[test]
fn progress_of_several_files_is_that_of_all() {
    let place = Place::new();
    let server = place.serve(&[]);
    let names = ["a", "b", "c"].map(|name| {
        std::fs::write(place.client(name), content(400_000)).unwrap();
        std::fs::write(place.server(name), content(400_000)).unwrap();
        place.client(name).display().to_string()
    });
    let [a, b, c] = names.each_ref().map(String::as_str);
    let output = format!("{}/", place.client("got").display());
    std::fs::create_dir(&output).unwrap();
    for arguments in [
        &["put", a, b, c, &server.address, "--rate", "4M"][..],
        &["get", "a", "b", "c", &server.address, "--output", &output, "--rate", "4M"],
    ] {
        // A name may be that of a folder.
        let title = if arguments[0] == "put" { "3 files  [" } else { "3 names  [" };
        let mut shown = Shown::run(arguments, 200);
        shown.end();
        let lines: Vec<_> = shown.seen.iter().filter(|shown| shown.starts_with(title)).collect();
        assert!(lines.len() > 5 && lines.iter().all(|line| line.contains(" of 1.14 MiB  ")), "{:#?}", shown.seen);
        let percent = |line: &&String| line.split(" %").next()?.rsplit(' ').next()?.parse::<u8>().ok();
        let percents: Vec<_> = lines.iter().filter_map(percent).collect();
        assert!(percents.len() == lines.len() && percents.is_sorted(), "{:#?}", shown.seen);
        let storing = shown.seen.iter().position(|shown| shown.starts_with("storing ")).unwrap_or(shown.seen.len());
        let last = shown.seen.iter().rposition(|shown| shown.starts_with(title)).unwrap();
        assert!(last < storing, "{:#?}", shown.seen);
    }
}

/// Regression: ten thousand files had as many lines.
#[test]
fn a_terminal_shows_the_sum_of_many_small_files() {
    let place = Place::new();
    std::fs::create_dir(place.client("tree")).unwrap();
    for at in 0..300 {
        std::fs::write(place.client("tree").join(at.to_string()), "small").unwrap();
    }
    let root = place.server("").display().to_string();
    let serve = |options: &[&str]| {
        let arguments = [&["serve", "--root", &root, "--bind", "127.0.0.1:0"], options].concat();
        let mut shown = Shown::run(&arguments, 120);
        let address = shown.address();
        crate::runner::run(&["put", place.client("tree").to_str().unwrap(), &address])
            .expect_end(0, "stored 300 files");
        shown
    };
    let mut shown = serve(&[]);
    shown.read_until(" more: stored; ");
    shown.interrupt();
    let mut shown = serve(&["-v"]);
    // The last file of the folder has a line of its own.
    shown.read_until(" put \"tree/99\": stored; ");
    shown.interrupt();
    assert!(!shown.seen.iter().any(|seen| seen.contains(" more: stored")), "all lines");
}
