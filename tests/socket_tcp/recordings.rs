//! Recorded sessions of the report's code (`tests/vectors`), in which our machine takes one side.
//!
//! The other side's datagrams are delivered in the recorded order. Our side must send the recorded bytes at the
//! recorded place. Four numbers differ in the session of 5 bytes, because the report's receiver counts two bytes for
//! the length of every message, while the report's sender counts the digits of the length.

use harness::socket_tcp::*;
use rdt_proto::Duration;
use rdt_proto::socket_tcp::{SocketCloseReason, SocketConfig};

const BYTES_19: &str = include_str!("../vectors/socket_tcp_19_bytes.txt");
const BYTES_5: &str = include_str!("../vectors/socket_tcp_5_bytes.txt");

/// Delivers the other side's datagrams, and compares those of our side.
///
/// `ours` is `C>S` or `S>C`. `differs` maps a recorded segment to the one that our side sends instead.
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
    assert_eq!(next, None, "each segment of `differs` is in the recording");
    trace
}

/// Returns the recording up to the first FIN, the FIN included.
fn until_closed(recording: &str) -> String {
    let fin = recording.lines().position(|line| line.contains("0|||0|||1")).unwrap();
    recording.lines().take(fin + 1).map(|line| format!("{line}\n")).collect()
}

/// A client that sends `message` and closes. `number` is the initial number in the recording.
fn client(number: u8, message: &str) -> SegmentTrace {
    let mut trace = SegmentTrace::client(SocketConfig::report(), number);
    trace.machine.send(message.as_bytes()).unwrap();
    trace.machine.close();
    trace
}

/// Returns a server that has received the first segment of the recording, and the other segments.
fn server(recording: &str) -> (SegmentTrace, String) {
    let (first, rest) = recording.split_once('\n').unwrap();
    (SegmentTrace::server(SocketConfig::report(), first.strip_prefix("C>S ").unwrap()), rest.to_owned())
}

#[test]
fn our_client_sends_the_recorded_segments() {
    let mut trace = replay(client(10, "Mensaje de largo 19"), BYTES_19, "C>S", &[]);
    trace.ends(SocketCloseReason::Finished);
}

#[test]
fn our_server_sends_the_recorded_segments() {
    let (trace, recording) = server(BYTES_19);
    let mut trace = replay(trace, &recording, "S>C", &[]);
    let mut buf = [0; 64];
    assert_eq!(trace.machine.recv_message(&mut buf), Ok(Some(19)));
    assert_eq!(&buf[..19], b"Mensaje de largo 19");
    trace.ends(SocketCloseReason::Finished);
}

#[test]
fn a_length_of_one_digit_with_our_client() {
    // The report's server acknowledged the length with 84, two more than 82. Our client continues from 84, as the
    // report's receiver expects. The report's client continued from 83, its own count.
    let recording = until_closed(BYTES_5);
    let differs = [(data(83, "12345"), data(84, "12345")), (fin(88), fin(89))];
    let differs = differs.each_ref().map(|(recorded, sent)| (recorded.as_str(), sent.as_str()));
    let mut trace = replay(client(80, "12345"), &recording, "C>S", &differs);
    trace.expect_nothing();
}

#[test]
fn a_length_of_one_digit_with_our_server() {
    // Our server counts one byte for the length. The report's server counted two.
    let (trace, recording) = server(&until_closed(BYTES_5));
    let differs = [(ack(84), ack(83)), (ack(89), ack(88))];
    let differs = differs.each_ref().map(|(recorded, sent)| (recorded.as_str(), sent.as_str()));
    let mut trace = replay(trace, &recording, "S>C", &differs);
    trace.reads(b"12345", true);
    // The recorded FIN+ACK has the number 89, too. The recorded numbers differ from then on, so the end is scripted.
    trace.expect(&fin_ack(89));
    trace.peer_sends(&fin(90));
    trace.ends(SocketCloseReason::Finished);
}
