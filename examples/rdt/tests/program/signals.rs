//! Signals to a server: which of them cancel its transfers, and which let them end.

use crate::runner::{Place, Running, SLOW, Server, content, run_in, write_large};

/// Options of a client that take seconds for a megabyte.
const SLOWER: [&str; 8] = ["--segment", "1432", "--loss", "20", "--congestion", "fixed", "--window", "2"];

/// Starts an upload, and suspends its client in the midst of it.
fn put_suspended(place: &Place, server: &Server, name: &str) -> (Running, Vec<u8>) {
    let bytes = content(4 << 20);
    std::fs::write(place.client(name), &bytes).unwrap();
    let mut client = place.put(&place.client(name), &server.address, &SLOWER);
    client.expect_progress();
    client.signal("-STOP");
    (client, bytes)
}

fn expect_stored(place: &Place, name: &str, (client, bytes): (Running, Vec<u8>)) {
    client.signal("-CONT");
    client.expect_end(0, "stored");
    assert!(std::fs::read(place.server(name)).unwrap() == bytes, "{name}");
}

/// Starts an upload that is never complete.
fn put_endless(place: &Place, server: &Server) -> Running {
    write_large(&place.client("large"));
    let mut client = place.put(&place.client("large"), &server.address, &SLOW);
    client.expect_progress();
    client
}

#[test]
fn sigterm_lets_running_transfers_end_and_refuses_new_clients() {
    let place = Place::new();
    let mut server = place.serve(&["--drain", "100"]);
    let running = put_suspended(&place, &server, "running");
    server.running.terminate();
    server.running.expect("ending: no new clients; running transfers: 1, for at most 100 s");
    std::fs::write(place.client("new"), "new").unwrap();
    let new = place.put(&place.client("new"), &server.address, &["--timeout", "2"]);
    new.expect_end(1, " refused \"new\": it is busy or is ending; try again later");
    expect_stored(&place, "running", running);
    server.running.expect_end(0, "put \"running\": stored");
    assert_eq!(Place::names(&place.server("")), ["running"]);
}

/// Regression: a client whose requests a server that was ending refused was told of another client.
#[test]
fn a_server_that_drains_is_no_other_client() {
    let place = Place::new();
    for at in 0..400 {
        for side in [place.server("there"), place.client("here")] {
            std::fs::create_dir_all(&side).unwrap();
            std::fs::write(side.join(format!("f{at:03}")), content(20_000)).unwrap();
        }
    }
    for command in ["get there {} --output copy", "put here {}"] {
        let server = place.serve(&["--drain", "100"]);
        let command = command.replace("{}", &server.address);
        let words: Vec<_> = command.split(' ').chain(["--rate", "40M"]).collect();
        let mut client = run_in(&place.client(""), &words);
        client.expect_progress();
        server.running.terminate();
        let (code, said) = client.end();
        assert!(code == 1 && said.contains("is ending") && !said.contains("another client"), "{said}");
    }
}

/// A thread that ended at once would leave the port, and the system would give its threads other clients.
#[test]
#[cfg(target_os = "linux")]
fn a_thread_without_clients_stays_until_all_threads_have_none() {
    let place = Place::new();
    let server = place.serve(&["--drain", "100", "--threads", "4"]);
    let names: Vec<_> = (0..5).map(|number| format!("file{number}")).collect();
    let clients: Vec<_> = names.iter().map(|name| put_suspended(&place, &server, name)).collect();
    server.running.terminate();
    for (name, client) in names.iter().zip(clients) {
        expect_stored(&place, name, client);
    }
    server.running.expect_end(0, "");
}

#[test]
fn a_second_signal_cancels_the_transfers_at_once() {
    for second in ["-TERM", "-INT"] {
        let place = Place::new();
        let mut server = place.serve(&["--drain", "100"]);
        let client = put_endless(&place, &server);
        server.running.terminate();
        server.running.expect("for at most 100 s");
        server.running.signal(second);
        client.expect_end(1, "it was stopped there");
        server.running.expect_end(0, "put \"large\": not complete: this server was stopped");
    }
}

#[test]
fn transfers_that_take_longer_than_the_drain_are_cancelled() {
    for seconds in ["0", "1"] {
        let place = Place::new();
        let server = place.serve(&["--drain", seconds]);
        let client = put_endless(&place, &server);
        server.running.terminate();
        client.expect_end(1, "it was stopped there");
        server.running.expect_end(0, "put \"large\": not complete: this server was stopped");
    }
}

#[test]
fn an_idle_server_ends_at_once_on_sigterm() {
    let place = Place::new();
    for threads in ["1", "3"] {
        let server = place.serve(&["--drain", "86400", "--threads", threads]);
        server.running.terminate();
        server.running.expect_end(0, "0 clients");
    }
}
