//! Deviations of the report's own code from its rules, and how a connection with `SocketConfig::report` handles them.

use harness::socket_tcp::*;
use rdt_proto::socket_tcp::{Kind, Pieces, Segment, SocketCloseReason, SocketConfig, SocketEvent, SocketIgnored};

fn client() -> SegmentTrace {
    SegmentTrace::established_client(SocketConfig::report())
}

fn server() -> SegmentTrace {
    SegmentTrace::established_server(SocketConfig::report())
}

#[test]
fn the_reports_server_answers_from_the_port_after_the_clients() {
    let mut client = SegmentTrace::client(SocketConfig::report(), 10);
    client.machine.send(b"12345").unwrap();
    client.expect("1|||0|||0|||10|||");
    client.peer.at = At(SERVER.0, CLIENT.1 + 1);
    client.peer_sends("1|||1|||0|||11|||");
    // At the new port the report's server expects nothing but a length.
    client.expect_to(SERVER, &ack(12));
    client.expect(&data(12, "5"));
    // The report's server accepts nothing before the ACK of the handshake, which was lost.
    client.sleep(4_000, 4_000);
    client.expect_to(SERVER, &ack(12));
    client.expect(&data(12, "5"));
    client.peer_sends(&ack(14));
    client.expect(&data(14, "12345"));
    client.sleep(4_000, 4_000);
    client.expect(&data(14, "12345"));
}

#[test]
fn a_syn_repeats_every_12_s_as_the_reports_server_needs() {
    // After a SYN that no ACK follows, the server is deaf for 8 s, and ends at 16 s.
    let mut client = SegmentTrace::client(SocketConfig::report(), 10);
    for _ in 0..5 {
        client.expect("1|||0|||0|||10|||");
        client.sleep(12_000, 12_000);
    }
    client.ends(SocketCloseReason::HandshakeTimedOut);
}

#[test]
fn the_reports_receiver_counts_every_length_as_two_bytes() {
    for (message, length) in [("", "0"), ("12345", "5"), ("0123456789", "10"), (&"x".repeat(64), "64")] {
        let mut client = client();
        client.machine.send(message.as_bytes()).unwrap();
        client.expect(&data(12, length));
        client.peer_sends(&ack(14));
        let mut number = 14;
        for piece in message.as_bytes().chunks(16) {
            client.expect(&data(number, std::str::from_utf8(piece).unwrap()));
            number += piece.len() as u64;
            client.peer_sends(&ack(number));
        }
        assert!(client.machine.is_all_acknowledged());
        client.machine.close();
        client.expect(&fin(number));
    }
    // The report's receiver counts two bytes for a length of three digits, too.
    let mut client = client();
    client.machine.begin(100).unwrap();
    client.machine.write(&[b'x'; 16]).unwrap();
    client.expect(&data(12, "100"));
    client.peer_sends(&ack(14));
    client.expect(&data(14, "xxxxxxxxxxxxxxxx"));
}

#[test]
fn the_reports_receiver_counts_a_repeated_piece_twice() {
    let mut client = client();
    client.machine.send(b"0123456789abcdefghi").unwrap();
    client.expect(&data(12, "19"));
    client.peer_sends(&ack(14));
    client.expect(&data(14, "0123456789abcdef"));
    // The ACK of 30 is lost.
    client.sleep(4_000, 4_000);
    client.expect(&data(14, "0123456789abcdef"));
    client.peer_sends(&ack(46));
    client.expect(&data(46, "ghi"));
    client.peer_sends(&ack(49));
    assert!(client.machine.is_all_acknowledged());
    client.machine.send(b"").unwrap();
    client.expect(&data(49, "0"));
}

/// The report's receiver. It takes only a segment whose number is its own minus 2 for a repetition.
struct ReportReceiver {
    number: u64,
    length: Option<usize>,
    content: String,
}

impl ReportReceiver {
    /// Processes a segment of a message. Returns the number of the ACK.
    fn take(&mut self, segment: &Segment<'_>) -> u64 {
        let body = str::from_utf8(segment.body).unwrap();
        match self.length {
            _ if segment.number + 2 == self.number => {}
            None => {
                self.length = Some(body.parse().unwrap());
                self.number += 2;
            }
            Some(_) => {
                self.content.push_str(body);
                self.number += segment.body.len() as u64;
            }
        }
        self.number
    }

    /// Whether the application has its message: as many bytes as were announced.
    fn is_complete(&self) -> bool {
        self.length.is_some_and(|length| self.content.len() >= length)
    }
}

/// Sends a message to the report's receiver, with the first ACK of each segment lost. Returns what arrived.
fn delivered(message: &str, pieces: Pieces) -> String {
    let mut client = SegmentTrace::established_client(SocketConfig { pieces, ..SocketConfig::report() });
    client.machine.send(message.as_bytes()).unwrap();
    let mut receiver = ReportReceiver { number: 12, length: None, content: String::new() };
    let mut arrivals = 0;
    while !receiver.is_complete() {
        let Some((_, text)) = client.next_segment() else {
            client.sleep(4_000, 4_000);
            continue;
        };
        let segment = Segment::decode(text.as_bytes()).unwrap();
        if segment.kind == Kind::Data {
            let number = receiver.take(&segment);
            arrivals += 1;
            if arrivals % 2 == 0 {
                client.peer_sends(&ack(number));
            }
        }
    }
    receiver.content
}

#[test]
fn pieces_of_2_bytes_let_the_report_detect_repetitions() {
    let letters: String = ('a'..='z').cycle().take(64).collect();
    for length in 0..=letters.len() {
        let message = &letters[..length];
        assert_eq!(delivered(message, Pieces::Pairs), message);
    }
    // Pieces of 16 bytes lose the end.
    assert_eq!(delivered(&letters[..26], Pieces::Full), "abcdefghijklmnopabcdefghijklmnop");
}

#[test]
fn a_late_ack_of_a_piece_counted_twice_is_accepted() {
    let mut client = client();
    client.machine.send(b"x").unwrap();
    client.expect(&data(12, "1"));
    client.peer_sends(&ack(14));
    client.expect(&data(14, "x"));
    client.sleep(4_000, 4_000);
    client.expect(&data(14, "x"));
    client.peer_sends(&ack(15));
    assert!(client.machine.is_all_acknowledged());
    client.peer_sends(&ack(16));
    // The next segment has the number that the report's code expects.
    client.machine.send(b"y").unwrap();
    client.expect(&data(16, "1"));
}

#[test]
fn the_reports_message_may_begin_ahead_of_its_last_ack() {
    let mut client = client();
    client.machine.send(b"x").unwrap();
    client.expect(&data(12, "1"));
    client.peer_sends(&ack(14));
    client.expect(&data(14, "x"));
    client.peer_sends(&ack(15));
    client.peer_sends(&data(16, "2"));
    client.expect(&ack(17));
    client.peer_sends(&data(17, "hi"));
    client.expect(&ack(19));
    client.reads(b"hi", true);
}

#[test]
fn the_reports_empty_message_is_followed_by_an_empty_piece() {
    let mut server = server();
    server.peer_sends(&data(12, "0"));
    server.expect(&ack(13));
    server.expect_event(SocketEvent::Readable);
    server.reads(b"", true);
    server.peer_sends(&data(13, ""));
    server.expect(&ack(13));
    server.expect_no_event();
    assert_eq!(server.machine.recv(&mut [0; 1]), None);
    server.peer_sends(&data(13, "1"));
    server.expect(&ack(14));
}

#[test]
fn the_reports_final_segment_is_a_fin_and_comes_three_times() {
    let mut server = server();
    server.peer_sends(&fin(12));
    server.expect(&fin_ack(13));
    server.peer_sends(&fin(14));
    server.ignores(&fin(14), SocketIgnored::Closed);
    server.ignores(&fin(14), SocketIgnored::Closed);
    server.ends(SocketCloseReason::Finished);
}

#[test]
fn the_reports_server_answers_our_final_fin_like_a_new_fin() {
    let mut client = client();
    client.machine.close();
    client.expect(&fin(12));
    client.peer_sends(&fin_ack(13));
    client.expect(&fin(14));
    client.ignores(&fin_ack(15), SocketIgnored::Closed);
    client.expect(&fin(14));
    client.expect(&fin(14));
    client.ends(SocketCloseReason::Finished);
}

#[test]
fn our_message_yields_since_the_reports_code_never_yields() {
    let mut client = client();
    client.machine.send(b"hi").unwrap();
    client.expect(&data(12, "2"));
    client.peer_sends(&data(12, "3"));
    client.expect(&ack(13));
    client.expect_nothing();
    client.peer_sends(&data(13, "you"));
    client.expect(&ack(16));
    client.expect(&data(16, "2"));
    client.reads(b"you", true);
    client.peer_sends(&ack(18));
    client.expect(&data(18, "hi"));
}

#[test]
fn the_reports_fin_is_answered_since_it_is_never_withdrawn() {
    let mut client = client();
    client.machine.send(b"hi").unwrap();
    client.expect(&data(12, "2"));
    client.peer_sends(&fin(12));
    client.expect(&fin_ack(13));
    client.peer_sends(&fin(14));
    client.ends(SocketCloseReason::PeerLeft);
}

#[test]
fn a_late_repetition_in_any_state_changes_nothing() {
    let mut server = SegmentTrace::server(SocketConfig::report(), "1|||0|||0|||10|||");
    server.expect("1|||1|||0|||11|||");
    server.peer_sends("1|||0|||0|||10|||");
    server.expect("1|||1|||0|||11|||");
    server.peer_sends(&ack(12));
    server.ignores("1|||0|||0|||10|||", SocketIgnored::State);
    server.ignores(&ack(12), SocketIgnored::OldAck);
    server.peer_sends(&data(12, "2"));
    server.expect(&ack(13));
    server.ignores("1|||0|||0|||10|||", SocketIgnored::State);
    server.peer_sends(&data(12, "2"));
    server.expect(&ack(13));
    server.peer_sends(&data(13, "hi"));
    server.expect(&ack(15));
    server.peer_sends(&data(13, "hi"));
    server.peer_sends(&data(12, "2"));
    server.expect(&ack(15));
    server.ignores(&ack(12), SocketIgnored::OldAck);
    server.reads(b"hi", true);
    server.machine.send(b"yo").unwrap();
    server.expect(&data(15, "2"));
    server.peer_sends(&ack(17));
    server.expect(&data(17, "yo"));
    server.ignores(&ack(17), SocketIgnored::OldAck);
    server.peer_sends(&ack(19));
    server.ignores(&ack(19), SocketIgnored::OldAck);
    server.peer_sends(&fin(19));
    server.expect(&fin_ack(20));
    server.ignores(&data(13, "hi"), SocketIgnored::Number);
    server.peer_sends(&fin(19));
    server.expect(&fin_ack(20));
    server.peer_sends(&fin(21));
    server.ends(SocketCloseReason::Finished);

    let mut client = client();
    client.peer_sends("1|||1|||0|||11|||");
    client.expect(&ack(12));
    client.machine.send(b"x").unwrap();
    client.expect(&data(12, "1"));
    client.peer_sends(&ack(14));
    client.peer_sends("1|||1|||0|||11|||");
    client.expect(&ack(12));
    client.expect(&data(14, "x"));
    client.ignores(&ack(14), SocketIgnored::OldAck);
    client.peer_sends(&ack(15));
    client.machine.close();
    client.expect(&fin(15));
    client.ignores(&ack(15), SocketIgnored::OldAck);
    client.peer_sends(&fin_ack(16));
    client.ignores("1|||1|||0|||11|||", SocketIgnored::Closed);
}

#[test]
fn messages_each_way_continue_one_counter() {
    let mut client = client();
    let mut number = 12;
    for round in 0..3 {
        client.machine.send(b"ping").unwrap();
        client.expect(&data(number, "4"));
        client.peer_sends(&ack(number + 2));
        client.expect(&data(number + 2, "ping"));
        client.peer_sends(&ack(number + 6));
        // The report's code continues from its own count.
        client.peer_sends(&data(number + 6, "11"));
        client.expect(&ack(number + 8));
        client.peer_sends(&data(number + 8, "pong pong 0"));
        client.expect(&ack(number + 19));
        client.reads(b"pong pong 0", true);
        number += 19;
        assert_eq!(client.machine.stats().segments_repeated, 0, "round {round}");
    }
}
