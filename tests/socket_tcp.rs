//! SocketTCP between two of ours, as traces: each stage, each loss at each stage, and who goes first.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod socket_tcp_support;

use rdt_proto::BufferTooSmall;
use rdt_proto::connection::{Event, Reason};
use rdt_proto::socket_tcp::{
    AnswerFrom, Config, Connection, Handled, Ignored, MAX_MESSAGE, Message, RecvError, Segment, SegmentError, SendError,
};
use socket_tcp_support::*;

fn config() -> Config {
    Config::default()
}

// Opening

#[test]
fn a_lost_syn_is_repeated_until_the_handshake_limit() {
    let mut client = Trace::client(config(), 7);
    client.expect("1|||0|||0|||7|||");
    client.sleep(1_000, 1_063);
    for _ in 2..=8 {
        client.expect("1|||0|||0|||7|||");
        client.sleep(1, 1_329);
    }
    client.ends(Reason::HandshakeTimedOut);
}

#[test]
fn a_lost_syn_ack_is_repeated_by_a_timer_and_for_each_syn() {
    let mut server = Trace::server(config(), "1|||0|||0|||10|||");
    server.expect("1|||1|||0|||11|||");
    server.peer_sends("1|||0|||0|||10|||");
    server.expect("1|||1|||0|||11|||");
    server.sleep(1_000, 1_329);
    server.expect("1|||1|||0|||11|||");
    server.expect_no_event();
    server.peer_sends(&ack(12));
    server.expect_event(Event::Connected);
    server.ignores("1|||0|||0|||10|||", Ignored::Stage);
}

#[test]
fn a_lost_ack_of_the_handshake_is_sent_again_for_each_syn_ack() {
    let mut client = Trace::established_client(config());
    client.elapse(1_000);
    client.peer_sends("1|||1|||0|||11|||");
    client.expect(&ack(12));
    client.ignores("1|||1|||0|||13|||", Ignored::Number);
    client.expect_nothing();
}

#[test]
fn the_first_segment_stands_for_a_lost_ack_of_the_handshake() {
    for close in [false, true] {
        let mut server = Trace::server(config(), "1|||0|||0|||10|||");
        server.expect("1|||1|||0|||11|||");
        server.ignores(&data(11, "5"), Ignored::Number);
        server.peer_sends(&if close { fin(12) } else { data(12, "5") });
        server.expect_event(Event::Connected);
        server.expect(&if close { fin_ack(13) } else { ack(13) });
    }
}

#[test]
fn until_it_is_heard_the_ack_of_the_handshake_goes_with_each_repetition_of_the_first_segment() {
    let mut client = Trace::established_client(config());
    client.machine.send(b"hello").unwrap();
    client.expect(&data(12, "5"));
    client.sleep(200, 213);
    client.expect(&ack(12));
    client.expect(&data(12, "5"));
    client.peer_sends(&ack(13));
    client.expect(&data(13, "hello"));
    client.sleep(1, 500);
    client.expect(&data(13, "hello"));
    client.expect_nothing();
}

#[test]
fn a_client_that_only_closes_repeats_the_ack_of_the_handshake_with_its_fin() {
    let mut client = Trace::established_client(config());
    client.machine.close();
    client.expect(&fin(12));
    client.sleep(200, 213);
    client.expect(&ack(12));
    client.expect(&fin(12));
}

#[test]
fn a_client_that_begins_anew_replaces_its_unconfirmed_handshake() {
    let mut server = Trace::server(config(), "1|||0|||0|||10|||");
    server.expect("1|||1|||0|||11|||");
    server.peer_sends("1|||0|||0|||60|||");
    server.expect("1|||1|||0|||61|||");
    server.ignores(&ack(12), Ignored::Number);
    server.peer_sends(&ack(62));
    server.expect_event(Event::Connected);
}

#[test]
fn a_server_that_nobody_confirms_gives_up() {
    let mut server = Trace::server(config(), "1|||0|||0|||10|||");
    let mut sent = 0;
    while server.machine.ended().is_none() {
        while let Some((to, segment)) = server.poll() {
            assert_eq!((to, segment.as_str()), (CLIENT, "1|||1|||0|||11|||"));
            sent += 1;
        }
        server.now = server.machine.poll_timeout().unwrap();
        server.machine.handle_timeout(server.now);
    }
    assert!((8..=9).contains(&sent), "{sent}");
    server.ends(Reason::HandshakeTimedOut);
}

#[test]
fn a_client_takes_the_port_that_answers_and_everything_but_the_handshake_goes_there() {
    let mut client = Trace::client(config(), 10);
    client.machine.send(b"x").unwrap();
    client.expect("1|||0|||0|||10|||");
    let answer = "1|||1|||0|||11|||";
    assert_eq!(client.receive(At(9, 8_000), answer.as_bytes()), Handled::Ignored(Ignored::Address));
    let other = At(SERVER.0, 5_001);
    assert_eq!(client.receive(other, answer.as_bytes()), Handled::Accepted);
    assert_eq!(client.machine.peer(), other);
    client.expect_to(SERVER, &ack(12));
    client.expect_to(other, &data(12, "1"));
    // The port that was called is nobody now.
    client.ignores(&ack(13), Ignored::Address);
    client.peer = other;
    client.peer_sends(answer);
    client.expect_to(SERVER, &ack(12));
    client.peer_sends(&ack(13));
    client.expect_to(other, &data(13, "x"));
}

#[test]
fn a_client_that_is_told_so_takes_an_answer_from_another_host() {
    let mut client = Trace::client(Config { answer_from: AnswerFrom::AnyHost, ..config() }, 10);
    client.expect("1|||0|||0|||10|||");
    client.peer = At(9, 1);
    client.ignores("1|||1|||0|||10|||", Ignored::Number);
    client.peer_sends("1|||1|||0|||11|||");
    client.expect_to(SERVER, &ack(12));
}

#[test]
fn an_answer_before_syn_has_left_is_a_stray() {
    let mut client = Trace::client(config(), 10);
    client.ignores("1|||1|||0|||11|||", Ignored::Stage);
    client.ignores(&ack(12), Ignored::Stage);
}

#[test]
fn only_a_syn_with_numbers_to_come_is_accepted() {
    let accept = |text: &str| {
        let segment = Segment::decode(text.as_bytes()).unwrap();
        Machine::accept(rdt_proto::Instant::ZERO, config(), starting_with(0), CLIENT, &segment).map(drop)
    };
    assert_eq!(accept("1|||0|||0|||9223372036854775806|||"), Ok(()));
    assert_eq!(accept("1|||0|||0|||9223372036854775807|||"), Err(Ignored::Number));
    for stray in ["0|||1|||0|||12|||", "0|||0|||0|||12|||5", "0|||0|||1|||12|||", "1|||1|||0|||12|||"] {
        assert_eq!(accept(stray), Err(Ignored::Stage));
    }
}

#[test]
fn a_client_begins_with_a_number_up_to_100() {
    for seed in 0..=255 {
        let mut client = Trace::client(config(), seed);
        let (_, syn) = client.poll().unwrap();
        assert!(Segment::decode(syn.as_bytes()).unwrap().number <= 100);
    }
}

// Messages

#[test]
fn a_message_is_its_length_and_then_pieces_each_acknowledged() {
    let mut client = Trace::established_client(config());
    client.machine.send(b"Mensaje de largo 19").unwrap();
    client.expect(&data(12, "19"));
    client.expect_nothing();
    client.peer_sends(&ack(14));
    client.expect(&data(14, "Mensaje de largo"));
    client.expect_nothing();
    client.ignores(&ack(29), Ignored::OldAck);
    client.peer_sends(&ack(30));
    client.expect(&data(30, " 19"));
    assert!(!client.machine.is_all_acknowledged());
    client.peer_sends(&ack(33));
    assert!(client.machine.is_all_acknowledged());
    client.expect_nothing();
}

#[test]
fn a_lost_segment_or_a_lost_ack_is_repeated_with_doubled_timeouts() {
    let mut client = Trace::established_client(config());
    client.machine.send(b"hello").unwrap();
    client.expect(&data(12, "5"));
    client.elapse(10);
    client.peer_sends(&ack(13));
    for timeouts in [(20, 40), (40, 80), (80, 160), (160, 320)] {
        client.expect(&data(13, "hello"));
        client.sleep(timeouts.0, timeouts.1);
    }
    client.expect(&data(13, "hello"));
    assert_eq!(client.machine.stats().segments_repeated, 4);
    client.peer_sends(&ack(18));
    client.ignores(&ack(18), Ignored::OldAck);
    client.expect_nothing();
}

#[test]
fn a_repeated_segment_is_acknowledged_again_and_delivered_once() {
    let mut server = Trace::established_server(config());
    server.peer_sends(&data(12, "3"));
    server.expect(&ack(13));
    server.peer_sends(&data(12, "3"));
    server.expect(&ack(13));
    server.peer_sends(&data(13, "abc"));
    server.expect(&ack(16));
    server.peer_sends(&data(13, "abc"));
    server.expect(&ack(16));
    server.peer_sends(&data(12, "3"));
    server.expect(&ack(16));
    assert_eq!(server.machine.stats().segments_duplicate, 3);
    server.reads(b"abc", true);
    assert_eq!(server.machine.recv(&mut [0; 9]), None);
}

#[test]
fn an_empty_message_is_a_length_alone() {
    let mut client = Trace::established_client(config());
    client.machine.send(b"").unwrap();
    client.expect(&data(12, "0"));
    client.peer_sends(&ack(13));
    client.expect_nothing();
    assert!(client.machine.is_all_acknowledged());
    client.peer_sends(&data(13, "0"));
    client.expect(&ack(14));
    client.expect_event(Event::Readable);
    client.reads(b"", true);
    assert_eq!(client.machine.recv(&mut [0; 9]), None);
}

#[test]
fn any_byte_and_any_separator_may_be_in_a_message() {
    let body = b"|||\0\xff\xfe||||x|||";
    let mut server = Trace::established_server(config());
    server.peer_sends(&data(12, "14"));
    server.expect(&ack(14));
    let datagram = [b"0|||0|||0|||14|||".as_slice(), body].concat();
    assert_eq!(server.receive(CLIENT, &datagram), Handled::Accepted);
    server.expect(&ack(28));
    server.reads(body, true);
}

#[test]
fn what_arrives_is_read_in_pieces_of_any_size_or_whole() {
    let mut server = Trace::established_server(config());
    server.peer_sends(&data(12, "20"));
    server.peer_sends(&data(14, "0123456789abcdef"));
    assert_eq!(server.machine.message(), Some(Message { length: 20, arrived: 16, read: 0 }));
    let mut buf = [0; 64];
    assert_eq!(server.machine.recv_message(&mut buf), Ok(None), "not whole yet");
    assert_eq!(server.machine.recv_message(&mut [0; 19]), Err(RecvError::Buffer(BufferTooSmall { needed: 20 })));
    assert_eq!(server.machine.recv(&mut buf[..7]).map(|received| received.len), Some(7));
    server.peer_sends(&data(30, "ghij"));
    // As much as there is: what larger segments brought, or several.
    assert_eq!(server.machine.recv_message(&mut buf), Ok(Some(13)));
    assert_eq!(&buf[..13], b"789abcdefghij");
    assert_eq!(server.machine.message(), None);
}

#[test]
fn a_message_longer_than_the_memory_is_read_in_pieces_only() {
    let mut server = Trace::established_server(config());
    server.peer_sends(&data(12, "65"));
    let too_large = Err(RecvError::TooLarge { length: 65, limit: 64 });
    assert_eq!(server.machine.recv_message(&mut [0; 99]), too_large);
    server.peer_sends(&data(14, "0"));
    server.reads(b"0", false);
    assert_eq!(server.machine.recv_message(&mut [0; 99]), Ok(None));
}

#[test]
fn a_segment_without_room_is_not_acknowledged_until_it_is_repeated() {
    let mut server = Trace::established_server(config());
    server.peer_sends(&data(12, "70"));
    for piece in 0..4 {
        server.peer_sends(&data(14 + 16 * piece, "0123456789abcdef"));
    }
    server.expect(&ack(78));
    server.ignores(&data(78, "ghijkl"), Ignored::NoRoom);
    server.expect_nothing();
    assert_eq!(server.machine.recv(&mut [0; 6]).map(|received| received.len), Some(6));
    server.peer_sends(&data(78, "ghijkl"));
    server.expect(&ack(84));
}

#[test]
fn the_next_message_is_only_taken_once_the_one_before_is_read() {
    let mut server = Trace::established_server(config());
    server.peer_sends(&data(12, "1"));
    server.peer_sends(&data(13, "a"));
    server.expect(&ack(14));
    server.ignores(&data(14, "1"), Ignored::NoRoom);
    server.reads(b"a", true);
    server.peer_sends(&data(14, "1"));
    server.expect(&ack(15));
}

#[test]
fn content_is_written_as_there_is_room_and_leaves_in_full_pieces() {
    let mut client = Trace::established_client(config());
    client.machine.begin(100).unwrap();
    client.expect(&data(12, "100"));
    assert_eq!(client.machine.write(b"0123456789"), Ok(10));
    client.peer_sends(&ack(15));
    client.expect_nothing();
    assert_eq!(client.machine.write(&[b'x'; 90]), Ok(54), "there is room for 64 bytes");
    client.expect(&data(15, "0123456789xxxxxx"));
    client.expect_no_event();
    client.peer_sends(&ack(31));
    client.expect_event(Event::Writable);
    assert_eq!(client.machine.write(&[b'y'; 90]), Ok(16));
    for piece in 1..=3 {
        client.expect(&data(15 + 16 * piece, "xxxxxxxxxxxxxxxx"));
        client.peer_sends(&ack(31 + 16 * piece));
    }
    // 20 more than 16, of which there is room for all.
    assert_eq!(client.machine.write(&[b'y'; 90]), Ok(20));
    client.expect(&data(79, "yyyyyyyyyyyyyyyy"));
    client.peer_sends(&ack(95));
    client.expect(&data(95, "yyyyyyyyyyyyyyyy"));
    client.peer_sends(&ack(111));
    client.expect(&data(111, "yyyy"));
    assert_eq!(client.machine.write(b"z"), Err(SendError::NotAnnounced));
    assert_eq!(client.machine.send(b"z"), Err(SendError::Busy));
    client.peer_sends(&ack(115));
    client.expect_event(Event::Writable);
    assert_eq!(client.machine.send(b"z"), Ok(()));
}

#[test]
fn what_cannot_be_sent_is_an_error_of_that_call() {
    let mut client = Trace::established_client(config());
    let too_large = |length, limit| Err(SendError::TooLarge { length, limit });
    assert_eq!(client.machine.send(&[0; 65]), too_large(65, 64));
    assert_eq!(client.machine.begin(MAX_MESSAGE + 1), too_large(MAX_MESSAGE + 1, MAX_MESSAGE));
    assert_eq!(client.machine.write(b"x"), Err(SendError::NotAnnounced));
    assert_eq!(client.machine.begin(MAX_MESSAGE), Ok(()));
    client.expect(&data(12, "9999999999999999"));
    client.machine.close();
    assert_eq!(client.machine.write(b"x"), Err(SendError::Closing));
    client.machine.abort();
    assert_eq!(client.machine.begin(1), Err(SendError::Closed));
}

#[test]
fn what_is_no_segment_of_a_message_is_ignored() {
    let mut server = Trace::established_server(config());
    server.ignores(&data(12, "five"), Ignored::Length);
    server.ignores("hello", Ignored::Malformed(SegmentError::Separators));
    server.ignores(&fin_ack(13), Ignored::Stage);
    server.ignores("1|||1|||0|||11|||", Ignored::Stage);
    server.peer_sends(&data(12, "3"));
    server.ignores(&data(13, "abcd"), Ignored::Length);
    server.ignores(&data(14, "bc"), Ignored::Ahead);
    server.expect(&ack(13));
    assert_eq!(server.receive(At(3, 3), data(13, "abc").as_bytes()), Handled::Ignored(Ignored::Address));
    server.peer_sends(&data(13, "abc"));
}

// One counter for both directions

#[test]
fn whoever_sends_goes_on_from_where_the_last_message_ended() {
    let mut server = Trace::established_server(config());
    server.peer_sends(&data(12, "2"));
    server.peer_sends(&data(13, "hi"));
    server.expect(&ack(15));
    server.machine.send(b"you").unwrap();
    server.expect(&data(15, "3"));
    server.peer_sends(&ack(16));
    server.expect(&data(16, "you"));
    server.peer_sends(&ack(19));
    server.reads(b"hi", true);
    server.peer_sends(&data(19, "1"));
    server.expect(&ack(20));
}

#[test]
fn a_message_that_is_sent_while_another_comes_waits_for_its_end() {
    let mut server = Trace::established_server(config());
    server.peer_sends(&data(12, "2"));
    server.machine.send(b"you").unwrap();
    server.expect(&ack(13));
    server.expect_nothing();
    server.peer_sends(&data(13, "hi"));
    server.expect(&ack(15));
    server.expect(&data(15, "3"));
}

#[test]
fn where_both_send_at_once_the_server_gives_way() {
    let mut server = Trace::established_server(config());
    server.machine.send(b"you").unwrap();
    server.expect(&data(12, "3"));
    server.peer_sends(&data(12, "2"));
    server.expect(&ack(13));
    server.expect_nothing();
    // What the client says of the segment that was withdrawn means nothing.
    server.ignores(&ack(13), Ignored::OldAck);
    server.ignores(&ack(99), Ignored::OldAck);
    server.peer_sends(&data(13, "hi"));
    server.expect(&ack(15));
    server.expect(&data(15, "3"));
    server.peer_sends(&ack(16));
    server.expect(&data(16, "you"));
}

#[test]
fn where_both_send_at_once_the_client_goes_first() {
    let mut client = Trace::established_client(config());
    client.machine.send(b"hi").unwrap();
    client.expect(&data(12, "2"));
    client.ignores(&data(12, "3"), Ignored::Crossing);
    client.peer_sends(&ack(13));
    client.expect(&data(13, "hi"));
    // The server's ACK was lost; its own message acknowledges as well.
    client.peer_sends(&data(15, "3"));
    assert!(client.machine.is_all_acknowledged());
    client.expect(&ack(16));
}

#[test]
fn a_server_whose_memory_is_full_does_not_give_way() {
    let mut server = Trace::established_server(config());
    server.peer_sends(&data(12, "1"));
    server.peer_sends(&data(13, "x"));
    server.machine.send(b"you").unwrap();
    server.expect(&ack(14));
    server.expect(&data(14, "3"));
    server.ignores(&data(14, "1"), Ignored::NoRoom);
    server.sleep(1, 300);
    server.expect(&data(14, "3"));
}

#[test]
fn a_side_that_sends_answers_old_segments_with_its_own_number() {
    let mut server = Trace::established_server(config());
    server.peer_sends(&data(12, "1"));
    server.peer_sends(&data(13, "x"));
    server.expect(&ack(14));
    server.machine.send(b"you").unwrap();
    server.expect(&data(14, "3"));
    server.peer_sends(&data(13, "x"));
    server.expect(&ack(14));
    server.expect_nothing();
}

// Close

#[test]
fn the_side_that_closes_says_farewell_three_times() {
    let mut client = Trace::established_client(config());
    client.machine.send(b"x").unwrap();
    client.machine.close();
    client.expect(&data(12, "1"));
    client.peer_sends(&ack(13));
    client.expect(&data(13, "x"));
    client.expect_nothing();
    client.peer_sends(&ack(14));
    client.expect(&fin(14));
    client.peer_sends(&fin_ack(15));
    for _ in 0..3 {
        client.expect(&fin(16));
    }
    client.ignores(&fin_ack(15), Ignored::Closed);
    client.ends(Reason::Finished);
}

#[test]
fn the_side_that_is_closed_waits_for_the_farewell_however_it_is_flagged() {
    for farewell in [fin(14), ack(14), data(14, "")] {
        let mut server = Trace::established_server(config());
        server.peer_sends(&fin(12));
        server.expect_event(Event::PeerClosed);
        assert_eq!(server.machine.send(b"x"), Err(SendError::Closed));
        server.expect(&fin_ack(13));
        server.ignores(&ack(13), Ignored::Number);
        server.peer_sends(&farewell);
        server.ignores(&farewell, Ignored::Closed);
        server.ends(Reason::Finished);
    }
}

#[test]
fn a_fin_without_answer_is_sent_three_times() {
    let mut client = Trace::established_client(config());
    client.machine.close();
    for timeout in [200, 200, 200] {
        let _ = client.machine.stats();
        while let Some((_, segment)) = client.poll() {
            assert!([ack(12), fin(12)].contains(&segment), "{segment}");
        }
        client.sleep(timeout, 1_300);
    }
    client.ends(Reason::Finished);
}

#[test]
fn an_answer_to_fin_without_farewell_is_sent_three_times_and_for_each_fin() {
    let mut server = Trace::established_server(config());
    server.peer_sends(&fin(12));
    server.expect(&fin_ack(13));
    server.peer_sends(&fin(12));
    server.expect(&fin_ack(13));
    server.sleep(200, 430);
    server.expect(&fin_ack(13));
    server.sleep(200, 900);
    server.ends(Reason::Finished);
}

#[test]
fn crossing_fins_are_each_answered_and_both_are_done() {
    let mut client = Trace::established_client(config());
    client.machine.close();
    client.expect(&fin(12));
    client.peer_sends(&fin(12));
    client.expect(&fin_ack(13));
    client.ignores(&fin_ack(13), Ignored::Closed);
    client.ends(Reason::Finished);
}

#[test]
fn a_fin_acknowledges_the_last_piece() {
    let mut client = Trace::established_client(config());
    client.machine.send(b"x").unwrap();
    client.expect(&data(12, "1"));
    client.peer_sends(&ack(13));
    client.expect(&data(13, "x"));
    client.peer_sends(&fin(14));
    assert!(client.machine.is_all_acknowledged());
    client.expect(&fin_ack(15));
    client.peer_sends(&fin(16));
    client.ends(Reason::Finished);
}

#[test]
fn a_message_that_crosses_a_fin_goes_first() {
    // The side that closes takes its FIN back.
    let mut server = Trace::established_server(config());
    server.machine.close();
    server.expect(&fin(12));
    server.peer_sends(&data(12, "2"));
    server.expect(&ack(13));
    server.expect_nothing();
    server.peer_sends(&data(13, "hi"));
    server.expect(&ack(15));
    server.expect(&fin(15));
    server.reads(b"hi", true);

    // The side that sends does not answer it, sent or not.
    for sent in [true, false] {
        let mut client = Trace::established_client(config());
        client.machine.send(b"hi").unwrap();
        if sent {
            client.expect(&data(12, "2"));
        }
        client.ignores(&fin(12), Ignored::Crossing);
        if !sent {
            client.expect(&data(12, "2"));
        }
        client.expect_nothing();
        client.peer_sends(&ack(13));
        client.expect(&data(13, "hi"));
    }
}

#[test]
fn close_waits_for_the_message_that_is_coming_in() {
    let mut server = Trace::established_server(config());
    server.peer_sends(&data(12, "2"));
    server.machine.close();
    server.expect(&ack(13));
    server.expect_nothing();
    server.peer_sends(&data(13, "hi"));
    server.expect(&ack(15));
    server.expect(&fin(15));
}

#[test]
fn a_message_that_is_cut_short_is_told_on_both_sides() {
    let mut client = Trace::established_client(config());
    client.machine.begin(20).unwrap();
    assert_eq!(client.machine.write(b"012"), Ok(3));
    client.expect(&data(12, "20"));
    client.peer_sends(&ack(14));
    client.expect_nothing();
    client.machine.close();
    client.expect(&data(14, "012"));
    client.peer_sends(&ack(17));
    client.expect(&fin(17));

    let mut server = Trace::established_server(config());
    server.peer_sends(&data(12, "20"));
    server.peer_sends(&data(14, "012"));
    server.expect(&ack(17));
    server.peer_sends(&fin(17));
    server.expect(&fin_ack(18));
    server.peer_sends(&fin(19));
    server.ends(Reason::CutShort);
    server.reads(b"012", false);
}

#[test]
fn a_peer_that_leaves_in_the_middle_of_our_message_is_told() {
    let mut client = Trace::established_client(config());
    client.machine.send(b"0123456789abcdefg").unwrap();
    client.expect(&data(12, "17"));
    client.peer_sends(&ack(14));
    client.expect(&data(14, "0123456789abcdef"));
    client.peer_sends(&fin(14));
    client.expect(&fin_ack(15));
    client.peer_sends(&fin(16));
    client.ends(Reason::PeerLeft);
}

#[test]
fn abort_says_fin_once() {
    let mut client = Trace::established_client(config());
    client.machine.send(b"x").unwrap();
    client.expect(&data(12, "1"));
    client.machine.abort();
    client.expect(&fin(12));
    client.ends(Reason::Aborted);
    let mut early = Trace::client(config(), 1);
    early.expect("1|||0|||0|||1|||");
    early.machine.abort();
    early.ends(Reason::Aborted);
}

#[test]
fn what_was_received_is_read_after_the_end() {
    let mut server = Trace::established_server(config());
    server.peer_sends(&data(12, "2"));
    server.peer_sends(&data(13, "hi"));
    server.peer_sends(&fin(15));
    server.peer_sends(&fin(17));
    assert_eq!(server.machine.ended(), Some(Reason::Finished));
    server.reads(b"hi", true);
}

// Limits

#[test]
fn a_silent_peer_that_owes_an_answer_ends_it_after_the_idle_limit() {
    let mut client = Trace::established_client(config());
    client.elapse(5_000);
    client.machine.send(b"x").unwrap();
    let start = client.now;
    while client.machine.ended().is_none() {
        while client.poll().is_some() {}
        client.now = client.machine.poll_timeout().unwrap();
        client.machine.handle_timeout(client.now);
    }
    assert_eq!(client.now.saturating_since(start).as_millis(), 30_000);
    client.ends(Reason::TimedOut);
}

#[test]
fn a_quiet_peer_ends_it_after_the_quiet_limit() {
    let mut server = Trace::established_server(config());
    server.sleep(60_000, 60_000);
    server.ends(Reason::Quiet);
}

#[test]
fn numbers_end_instead_of_wrapping() {
    let mut server = Trace::server(config(), "1|||0|||0|||9223372036854775800|||");
    server.expect("1|||1|||0|||9223372036854775801|||");
    server.peer_sends(&ack(9_223_372_036_854_775_802));
    server.ignores(&data(9_223_372_036_854_775_807, "12"), Ignored::Number);
    server.peer_sends(&data(9_223_372_036_854_775_802, "2"));
    server.peer_sends(&data(9_223_372_036_854_775_803, "ab"));
    server.expect(&ack(9_223_372_036_854_775_805));
    server.ignores(&fin(9_223_372_036_854_775_807), Ignored::Number);
    server.reads(b"ab", true);
    server.machine.send(b"0123456789").unwrap();
    server.expect(&data(9_223_372_036_854_775_805, "10"));
    server.peer_sends(&ack(9_223_372_036_854_775_807));
    server.ends(Reason::NumbersExhausted);
}

#[test]
fn a_buffer_too_small_changes_nothing() {
    let mut client = Trace::client(config(), 10);
    let mut buf = [0; 64];
    assert_eq!(client.machine.poll_transmit(client.now, &mut buf[..16]), Err(BufferTooSmall { needed: 17 }));
    client.expect("1|||0|||0|||10|||");
}

#[test]
fn machines_with_any_room_of_a_segment_or_more_work() {
    let machine = Connection::<u8, 16, 16>::connect(rdt_proto::Instant::ZERO, config(), [0; 16], 1);
    assert!(!machine.is_established());
}
