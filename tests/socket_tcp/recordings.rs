//! The recorded sessions of the report's code (`tests/vectors`), with ours in the place of one side.
//!
//! The other side's datagrams are fed in the recorded order, and what ours sends must be the recorded bytes at the recorded
//! place. In the session of 5 bytes four numbers differ, and cannot but differ: the report's receiver takes the length of a
//! message for two bytes whatever it has, and its sender counts the bytes that it has.

use harness::socket_tcp::*;
use rdt_proto::Duration;
use rdt_proto::socket_tcp::{SocketCloseReason, SocketConfig};

const BYTES_19: &str = include_str!("../vectors/socket_tcp_19_bytes.txt");
const BYTES_5: &str = include_str!("../vectors/socket_tcp_5_bytes.txt");

/// Feeds what the other side sent, and compares what ours sends. `ours`: `C>S` or `S>C`. `differs`: what ours sends instead of
/// what was recorded.
fn replay(mut trace: SegmentTrace, recording: &str, ours: &str, differs: &[(&str, &str)]) -> SegmentTrace {
    let mut differs = differs.iter();
    let mut next = differs.next();
    for line in recording.lines() {
        let (from, segment) = line.split_at(3);
        let segment = &segment[1..];
        trace.now = trace.now + Duration::from_millis(1);
        if from == ours {
            let expected = match next {
                Some(&(recorded, sent)) if recorded == segment => {
                    next = differs.next();
                    sent
                }
                _ => segment,
            };
            trace.expect(expected);
        } else {
            trace.expect_nothing();
            let _ = trace.receive(segment);
        }
    }
    assert_eq!(next, None, "not recorded");
    trace
}

/// Until the first FIN and its answer.
fn until_closed(recording: &str) -> String {
    let fin = recording.lines().position(|line| line.contains("0|||0|||1")).unwrap();
    recording.lines().take(fin + 1).map(|line| format!("{line}\n")).collect()
}

/// A client that sends a message and closes. It answers SYN+ACK with the number of its recording.
fn client(number: u8, message: &str) -> SegmentTrace {
    let mut trace = SegmentTrace::client(SocketConfig::report(), number);
    trace.machine.send(message.as_bytes()).unwrap();
    trace.machine.close();
    trace
}

/// A server to which the first segment of the recording has come.
fn server(recording: &str) -> (SegmentTrace, String) {
    let (first, rest) = recording.split_once('\n').unwrap();
    (SegmentTrace::server(SocketConfig::report(), first.strip_prefix("C>S ").unwrap()), rest.to_owned())
}

#[test]
fn our_client_sends_what_the_report_s_sent() {
    let mut trace = replay(client(10, "Mensaje de largo 19"), BYTES_19, "C>S", &[]);
    trace.ends(SocketCloseReason::Finished);
}

#[test]
fn our_server_sends_what_the_report_s_sent() {
    let (trace, recording) = server(BYTES_19);
    let mut trace = replay(trace, &recording, "S>C", &[]);
    let mut buf = [0; 64];
    assert_eq!(trace.machine.recv_message(&mut buf), Ok(Some(19)));
    assert_eq!(&buf[..19], b"Mensaje de largo 19");
    trace.ends(SocketCloseReason::Finished);
}

#[test]
fn a_length_of_one_digit_with_our_client() {
    // The report's server acknowledged the length with 84, two more than 82. Ours goes on from there, which the report's
    // receiver expects; the report's client went on from 83, which is what it counted itself.
    let recording = until_closed(BYTES_5);
    let differs = [(data(83, "12345"), data(84, "12345")), (fin(88), fin(89))];
    let differs = differs.each_ref().map(|(recorded, sent)| (recorded.as_str(), sent.as_str()));
    let mut trace = replay(client(80, "12345"), &recording, "C>S", &differs);
    trace.expect_nothing();
}

#[test]
fn a_length_of_one_digit_with_our_server() {
    // Ours counts the bytes that came: one for the length, where the report's server counted two, and five.
    let (trace, recording) = server(&until_closed(BYTES_5));
    let differs = [(ack(84), ack(83)), (ack(89), ack(88))];
    let differs = differs.each_ref().map(|(recorded, sent)| (recorded.as_str(), sent.as_str()));
    let mut trace = replay(trace, &recording, "S>C", &differs);
    trace.reads(b"12345", true);
    // The recording has 89 here as well, and goes on in its own way; ours ends.
    trace.expect(&fin_ack(89));
    trace.peer_sends(&fin(90));
    trace.ends(SocketCloseReason::Finished);
}
