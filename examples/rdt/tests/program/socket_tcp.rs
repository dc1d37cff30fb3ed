//! Tests of `rdt socket-tcp`, which sends messages between processes over real sockets.

use crate::runner::{Place, Running, content, run, run_with_input, run_with_output, run_without_reader};
use std::io::Read;
use std::net::UdpSocket;
use std::path::Path;

/// Starts a listener whose standard output is a file. Returns the listener and its address.
fn listen(output: &Path, options: &[&str]) -> (Running, String) {
    let arguments = [&["socket-tcp", "listen", "--bind", "127.0.0.1:0"], options].concat();
    let mut running = run_with_output(&arguments, output);
    let line = running.expect("listening on ");
    (running, line.rsplit(' ').next().unwrap().to_owned())
}

fn send(place: &Place, message: &[u8], server: &str, options: &[&str]) -> Running {
    let file = place.client("message");
    std::fs::write(&file, message).unwrap();
    run_with_input(&[&["socket-tcp", "send", server], options].concat(), &file)
}

/// Sends messages of every length, one after another, and asserts that they arrive unchanged.
fn send_every_length(loss: &str) {
    let place = Place::new();
    let printed = place.server("printed");
    let (mut listener, server) = listen(&printed, &["--loss", loss]);
    let mut expected = Vec::new();
    for length in [0, 1, 9, 10, 16, 17, 99, 100, 1_000] {
        let message = content(length);
        send(&place, &message, &server, &["--loss", loss]).expect_end(0, "sent to 127.0.0.1");
        listener.expect(&format!("sent {length} {}:", if length == 1 { "byte" } else { "bytes" }));
        expected.extend(message);
        expected.push(b'\n');
    }
    // The listener announces each message before it prints the content. The announcement of a further message shows
    // that the earlier messages are printed.
    send(&place, b"", &server, &[]).expect_end(0, "sent to");
    listener.expect("sent 0 bytes");
    let printed = std::fs::read(printed).unwrap();
    assert_eq!(printed.get(..expected.len()), Some(&expected[..]));
}

#[test]
fn messages_of_every_length_arrive() {
    send_every_length("0");
}

#[test]
fn messages_of_every_length_arrive_through_20_percent_loss() {
    send_every_length("20");
}

#[test]
fn a_listener_serves_many_clients_at_once() {
    let place = Place::new();
    let printed = place.server("printed");
    let (mut listener, server) = listen(&printed, &[]);
    // At this loss a message takes so long that all clients start before the first one ends.
    let message = "0123456789".repeat(20);
    let file = place.client("message");
    std::fs::write(&file, &message).unwrap();
    let clients: Vec<_> = (0..10)
        .map(|seed| {
            let seed = format!("{seed}");
            run_with_input(&["socket-tcp", "send", &server, "--loss", "30", "--seed", &seed], &file)
        })
        .collect();
    for client in clients {
        client.expect_end(0, "sent to");
    }
    for _ in 0..10 {
        listener.expect("sent 200 bytes");
    }
    send(&place, b"last", &server, &[]).expect_end(0, "sent to");
    listener.expect("sent 4 bytes");
    let printed = std::fs::read_to_string(printed).unwrap();
    assert_eq!(printed.lines().filter(|line| *line == message).count(), 10);
}

/// Nothing reads the standard output of the listener, until all clients have ended.
#[test]
fn a_stalled_reader_of_messages_delays_no_client() {
    let place = Place::new();
    let (mut listener, mut output) = run_without_reader(&["socket-tcp", "listen", "--bind", "127.0.0.1:0"]);
    let server = listener.expect("listening on ").rsplit(' ').next().unwrap().to_owned();
    let mut expected = Vec::new();
    // A pipe takes some 64 KiB.
    for length in [100_000, 5, 1_000] {
        let message = content(length);
        send(&place, &message, &server, &[]).expect_end(0, "sent to");
        expected.extend(message);
        expected.push(b'\n');
    }
    let mut printed = vec![0; expected.len()];
    output.read_exact(&mut printed).unwrap();
    assert!(printed == expected);
}

#[test]
fn either_side_may_close_first() {
    let place = Place::new();
    let (mut listener, server) = listen(&place.server("printed"), &["--close", "active"]);
    send(&place, b"hello", &server, &["--close", "passive"]).expect_end(0, "sent to");
    listener.expect("sent 5 bytes");
    // Both sides close at once.
    send(&place, b"hello", &server, &["--close", "active"]).expect_end(0, "sent to");
    listener.expect("sent 5 bytes");
}

#[test]
fn pairs_divide_the_content_into_pieces_of_2_bytes() {
    let place = Place::new();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let client = send(&place, b"hello", &address, &["--report", "--pairs", "--close", "passive"]);
    let mut buf = [0; 64];
    let mut receive = || {
        let (len, from) = server.recv_from(&mut buf).unwrap();
        (String::from_utf8(buf[..len].to_vec()).unwrap(), from)
    };
    let (syn, from) = receive();
    let number: u64 =
        syn.strip_prefix("1|||0|||0|||").and_then(|rest| rest.strip_suffix("|||")).unwrap().parse().unwrap();
    let answer = |text: String| server.send_to(text.as_bytes(), from).unwrap();
    answer(format!("1|||1|||0|||{}|||", number + 1));
    let mut number = number + 2;
    assert_eq!(receive().0, format!("0|||1|||0|||{number}|||"));
    for body in ["5", "he", "llo"] {
        assert_eq!(receive().0, format!("0|||0|||0|||{number}|||{body}"));
        number += body.len() as u64;
        answer(format!("0|||1|||0|||{number}|||"));
    }
    answer(format!("0|||0|||1|||{number}|||"));
    assert_eq!(receive().0, format!("0|||1|||1|||{}|||", number + 1));
    answer(format!("0|||1|||0|||{}|||", number + 2));
    client.expect_end(0, "sent to 127.0.0.1");
    run(&["socket-tcp", "send", &address, "--pairs"]).expect_end(2, "--report");
}

#[test]
fn each_failure_is_reported_in_one_line() {
    let place = Place::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    send(&place, b"hello", &address, &[]).expect_end(1, "no answer from 127.0.0.1");
    run(&["socket-tcp", "listen", "--bind", &address]).expect_end(1, "cannot use the address");
    run(&["socket-tcp", "send", "0.0.0.0"]).expect_end(1, "it names no host");
    run(&["socket-tcp", "send", "127.0.0.1:port"]).expect_end(2, "\"port\" is not a port");
    run(&["socket-tcp", "send", &address, "--loss", "101"]).expect_end(2, "not a number from 0 to 100");

    let (mut listener, server) = listen(&place.server("printed"), &["--max-size", "4"]);
    send(&place, b"hello", &server, &[]).expect_end(1, "If it accepts messages of this length, send it again");
    listener.expect("more than --max-size: refused");
    send(&place, b"four", &server, &[]).expect_end(0, "sent to");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_both_sides() {
    let place = Place::new();
    let (mut listener, server) = listen(&place.server("printed"), &[]);
    // The client connects to a socket that never answers.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = send(&place, b"hello", &silent.local_addr().unwrap().to_string(), &[]);
    silent.recv(&mut [0; 64]).unwrap();
    client.interrupt();
    client.expect_end(130, "stopped");
    send(&place, b"hello", &server, &[]).expect_end(0, "sent to");
    listener.expect("sent 5 bytes");
    listener.interrupt();
    listener.expect_end(0, "");
}
