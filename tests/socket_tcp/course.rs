//! Recorded sessions of five other programs of the course (`tests/vectors`), in which our machine takes one side.
//!
//! The other side's datagrams are delivered as recorded, in the recorded order. Our side sends the recorded segments,
//! with these differences: its numbers have no zeros in front, its control segments no body, its pieces at most 16
//! bytes, its final segment comes three times, and its ACK of the handshake goes to both ports of the server.

use harness::socket_tcp::*;
use rdt_proto::Duration;
use rdt_proto::socket_tcp::{SocketCloseReason, SocketConfig, SocketIgnored};

/// The recordings of one length of message, and their names.
macro_rules! recordings {
    ($length:literal: $($program:literal),*) => {
        [$(($program, include_str!(concat!("../vectors/socket_tcp_course_", $program, "_", $length, ".txt")))),*]
    };
}

const BYTES_19: [(&str, &str); 5] = recordings!("19": "a", "b", "c", "d", "e");
const BYTES_100: [(&str, &str); 5] = recordings!("100": "a", "b", "c", "d", "e");

/// The port from which the recorded servers answer.
const ANSWERS: At = At(SERVER.0, SERVER.1 + 1);

/// All recordings: the name of the program, the message and the session.
pub(crate) fn recordings() -> impl Iterator<Item = (&'static str, String, &'static str)> {
    let of = |message: String| move |(program, recording)| (program, message.clone(), recording);
    let long = "abc defg ".chars().cycle().take(100).collect();
    BYTES_19.into_iter().map(of("Mensaje de largo 19".into())).chain(BYTES_100.into_iter().map(of(long)))
}

/// A recorded segment, as our side writes it.
struct Line<'r> {
    from_client: bool,
    recorded: &'r str,
    flags: &'r str,
    number: u64,
    body: &'r str,
}

impl<'r> Line<'r> {
    fn new(line: &'r str) -> Self {
        let (direction, recorded) = line.split_once(' ').unwrap();
        let (flags, rest) = recorded.split_at("0|||0|||0".len());
        let (number, body) = rest.strip_prefix("|||").unwrap().split_once("|||").unwrap();
        let body = if flags == "0|||0|||0" { body } else { "" };
        Self { from_client: direction.starts_with('C'), recorded, flags, number: number.parse().unwrap(), body }
    }

    fn text(&self) -> String {
        format!("{}|||{}|||{}", self.flags, self.number, self.body)
    }

    fn is(&self, flags: &str) -> bool {
        self.flags == flags
    }
}

/// Splits a recording at the answer to FIN, which the first part includes. The rest is the final segment, once or more.
fn split(recording: &str) -> (Vec<Line<'_>>, Vec<Line<'_>>) {
    let mut lines: Vec<_> = recording.lines().map(Line::new).collect();
    let answer = lines.iter().position(|line| line.is("0|||1|||1")).unwrap();
    let finals = lines.split_off(answer + 1);
    assert!(finals.iter().all(|line| line.text() == finals[0].text()) && finals[0].is("0|||1|||0"));
    (lines, finals)
}

/// Our side closes: its final segment is the recorded one, and comes three times.
fn final_segments_are_sent(trace: &mut SegmentTrace, finals: &[Line<'_>]) {
    for _ in 0..3 {
        trace.expect(&finals[0].text());
    }
    trace.ends(SocketCloseReason::Finished);
}

/// The recorded side closes: its final segment ends our side.
fn final_segments_arrive(trace: &mut SegmentTrace, finals: &[Line<'_>]) {
    trace.peer_sends(finals[0].recorded);
    for line in &finals[1..] {
        trace.ignores(line.recorded, SocketIgnored::Closed);
    }
    trace.ends(SocketCloseReason::Finished);
}

/// Expects a segment of the client. A body comes in pieces of 16 bytes, and the peer acknowledges all but the last.
fn expect_pieces(trace: &mut SegmentTrace, line: &Line<'_>) {
    let (mut number, mut rest) = (line.number, line.body);
    while rest.len() > 16 {
        let (piece, after) = rest.split_at(16);
        trace.expect(&data(number, piece));
        (number, rest) = (number + 16, after);
        trace.peer_sends(&ack(number));
    }
    trace.expect(&format!("{}|||{number}|||{rest}", line.flags));
}

#[test]
fn our_client_follows_the_servers_of_five_programs() {
    for (program, message, recording) in recordings() {
        println!("program {program}, {} bytes", message.len());
        let (lines, finals) = split(recording);
        let client_closes = finals[0].from_client;
        let mut trace = SegmentTrace::client(SocketConfig::default(), lines[0].number.try_into().unwrap());
        trace.machine.begin(message.len() as u64).unwrap();
        let mut unwritten = message.as_bytes();
        for (index, line) in lines.iter().enumerate() {
            trace.now = trace.now + Duration::from_millis(1);
            if !unwritten.is_empty() {
                let taken = trace.machine.write(unwritten).unwrap();
                unwritten = &unwritten[taken..];
            }
            if client_closes && unwritten.is_empty() {
                trace.machine.close();
            }
            if !line.from_client {
                trace.expect_nothing();
                trace.peer.at = ANSWERS;
                trace.peer_sends(line.recorded);
            } else if index == 2 {
                trace.expect_to(SERVER, &line.text());
                trace.expect_to(ANSWERS, &line.text());
            } else {
                expect_pieces(&mut trace, line);
            }
        }
        if client_closes {
            final_segments_are_sent(&mut trace, &finals);
        } else {
            final_segments_arrive(&mut trace, &finals);
        }
    }
}

#[test]
fn our_server_follows_the_clients_of_five_programs() {
    for (program, message, recording) in recordings() {
        println!("program {program}, {} bytes", message.len());
        let (lines, finals) = split(recording);
        let mut trace = SegmentTrace::server(SocketConfig::default(), lines[0].recorded);
        let mut heard = Vec::new();
        for line in &lines[1..] {
            trace.now = trace.now + Duration::from_millis(1);
            if line.from_client {
                trace.expect_nothing();
                trace.peer_sends(line.recorded);
                let mut buf = [0; 64];
                while let Some(received) = trace.machine.recv(&mut buf) {
                    heard.extend_from_slice(&buf[..received.len]);
                }
            } else {
                if line.is("0|||0|||1") {
                    trace.machine.close();
                }
                trace.expect(&line.text());
            }
        }
        assert_eq!(heard, message.as_bytes());
        if finals[0].from_client {
            final_segments_arrive(&mut trace, &finals);
        } else {
            final_segments_are_sent(&mut trace, &finals);
        }
    }
}
