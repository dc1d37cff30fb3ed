//! One event does not stop a server: errors of system calls, a stalled reader of its output, a slow or full disk, and
//! files that change while they are served.

use crate::faults::{Faults, SystemCall};
use crate::runner::{Place, Running, SLOW, Server, content, run_with_output, wait_until, write_large};
use std::io::{BufRead, Read};
use std::path::Path;
use std::time::{Duration, Instant};

/// The errors that may pass, or that concern one peer.
const ERRORS: [i32; 12] = [
    libc::ENOMEM,
    libc::ENOBUFS,
    libc::EIO,
    libc::EPERM,
    libc::ENETDOWN,
    libc::ENETUNREACH,
    libc::EHOSTDOWN,
    libc::EHOSTUNREACH,
    libc::EPROTO,
    libc::EMSGSIZE,
    libc::ECONNREFUSED,
    libc::EINTR,
];

/// Stores a file of `length` bytes, and compares. Returns the client, which still closes its connection.
fn expect_stored(place: &Place, server: &Server, name: &str, length: usize) -> Running {
    let (file, bytes) = (place.client(name), content(length));
    std::fs::write(&file, &bytes).unwrap();
    let mut client = place.put(&file, &server.address, &[]);
    client.expect("stored");
    assert!(std::fs::read(place.server(name)).unwrap() == bytes);
    client
}

#[test]
fn no_error_of_a_system_call_ends_transfers() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve_with_faults(&faults, &[]);
    // These transfers go on through all errors, until the server is stopped.
    write_large(&place.client("large"));
    std::fs::File::create(place.server("larger")).unwrap().set_len(1 << 40).unwrap();
    let upload = place.put(&place.client("large"), &server.address, &SLOW);
    // No disk has room for it.
    let arguments = [&["get", "larger", &server.address, "--output", "-"], &SLOW[..]].concat();
    let download = run_with_output(&arguments, Path::new("/dev/null"));
    let mut large = [upload, download];
    large.iter_mut().for_each(Running::expect_progress);
    let mut clients = Vec::new();
    for call in [SystemCall::Recvmmsg, SystemCall::Sendmsg, SystemCall::EpollWait, SystemCall::EpollCtl] {
        for (index, error) in ERRORS.into_iter().enumerate() {
            faults.fail(call, error, 3);
            clients.push(expect_stored(&place, &server, &format!("{call:?}{index}"), 200 << 10));
            // The poller is changed only while the socket is full, which may not happen.
            wait_until(|| faults.left(call) == 0 || matches!(call, SystemCall::EpollCtl));
        }
    }
    clients.into_iter().for_each(|client| client.expect_end(0, "stored"));
    server.running.interrupt();
    let [upload, download] = large;
    upload.expect_end(1, "it was stopped there");
    download.expect_end(1, "it was stopped there");
    let (_, said) = server.running.end();
    assert_eq!(said.matches("transfers go on").count(), 1, "one line a minute:\n{said}");
    assert!(said.contains("network errors"), "{said}");
}

#[test]
fn an_error_that_persists_does_not_spin() {
    let (place, faults) = (Place::new(), Faults::new());
    let mut server = place.serve_with_faults(&faults, &[]);
    expect_stored(&place, &server, "before", 1_000).expect_end(0, "stored");
    for call in [SystemCall::Recvmmsg, SystemCall::EpollWait] {
        faults.fail(call, libc::ENOMEM, -1);
        // The server sleeps until a datagram arrives.
        std::fs::write(place.client("during"), "during").unwrap();
        let client = place.put(&place.client("during"), &server.address, &[]);
        let (before, start) = (faults.seen(call), Instant::now());
        std::thread::sleep(Duration::from_secs(2));
        let (calls, took) = (faults.seen(call) - before, start.elapsed());
        assert!(u128::from(calls.unsigned_abs()) < 100 + took.as_millis() / 10, "{call:?}: {calls} calls in {took:?}");
        faults.fail(call, 0, 0);
        client.expect_end(0, "stored");
    }
    server.running.expect("transfers go on");
}

#[test]
fn a_socket_without_room_neither_spins_nor_delays_the_end() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve_with_faults(&faults, &[]);
    faults.fail(SystemCall::Sendmsg, libc::EAGAIN, -1);
    std::fs::write(place.client("a"), "a").unwrap();
    let client = place.put(&place.client("a"), &server.address, &[]);
    wait_until(|| faults.seen(SystemCall::Sendmsg) > 0);
    std::thread::sleep(Duration::from_secs(1));
    assert!(faults.seen(SystemCall::Sendmsg) < 200, "{} calls", faults.seen(SystemCall::Sendmsg));
    server.running.terminate();
    server.running.expect_end(0, "");
    client.kill();
}

/// Regression: the totals were missing.
#[test]
fn a_wrong_call_ends_the_server_with_the_reason() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve_with_faults(&faults, &[]);
    faults.fail(SystemCall::Recvmmsg, libc::EBADF, 1);
    std::fs::write(place.client("a"), "a").unwrap();
    let client = place.put(&place.client("a"), &server.address, &[]);
    let (code, said) = server.running.end();
    assert_eq!(code, 1, "{said}");
    for text in ["the network failed: bad file descriptor", " 0 requests served; "] {
        assert!(said.contains(text), "{said}");
    }
    client.kill();
}

#[test]
fn a_stalled_reader_of_the_log_stops_nothing() {
    let place = Place::new();
    // The log is full after 64 KiB, and then nothing is printed until it is read.
    let (mut log, writer) = std::io::pipe().unwrap();
    let server = place.serve_with_log(writer);
    let clients: Vec<_> =
        (0..4).map(|number| expect_stored(&place, &server, &format!("file{number}"), 10 << 20)).collect();
    clients.into_iter().for_each(|client| client.expect_end(0, "stored"));
    server.running.terminate();
    let mut said = Vec::new();
    // The server ends although its log is not read.
    server.running.expect_end(0, "stored");
    log.read_to_end(&mut said).unwrap();
    assert!(said.len() < 200 << 10, "{} bytes", said.len());
}

#[test]
fn dropped_lines_of_the_log_are_counted_and_reported() {
    let place = Place::new();
    let (log, writer) = std::io::pipe().unwrap();
    let server = place.serve_with_log(writer);
    expect_stored(&place, &server, "file", 40 << 20).expect_end(0, "stored");
    // Now the log is read.
    let reader = std::thread::spawn(move || {
        let lines = std::io::BufReader::new(log).lines().map_while(Result::ok);
        lines.filter(|line| line.contains(" of output ")).count()
    });
    expect_stored(&place, &server, "small", 1_000).expect_end(0, "stored");
    server.running.terminate();
    server.running.expect_end(0, "stored");
    assert!(reader.join().unwrap() > 0);
}

#[test]
fn a_log_on_a_full_disk_stops_nothing() {
    let place = Place::new();
    let server = place.serve_with_log(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    expect_stored(&place, &server, "file", 1 << 20).expect_end(0, "stored");
    server.running.terminate();
    server.running.expect_end(0, "stored");
}
