//! SocketTCP: how a connection closes, the loss of each segment, and segments that cross.

use harness::socket_tcp::*;
use rdt_proto::Duration;
use rdt_proto::socket_tcp::{RecvError, SocketCloseReason, SocketConfig, SocketEvent, SocketIgnored, SocketSendError};

fn config() -> SocketConfig {
    SocketConfig::default()
}

#[test]
fn the_closing_side_sends_the_final_ack_three_times() {
    let mut client = SegmentTrace::established_client(config());
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
        client.expect(&ack(16));
    }
    client.ignores(&fin_ack(15), SocketIgnored::Closed);
    client.ends(SocketCloseReason::Finished);
}

#[test]
fn the_closed_side_waits_for_a_final_segment_with_any_flags() {
    for last in [fin(14), ack(14), data(14, "")] {
        let mut server = SegmentTrace::established_server(config());
        server.peer_sends(&fin(12));
        server.expect_event(SocketEvent::PeerClosed);
        assert_eq!(server.machine.send(b"x"), Err(SocketSendError::Closed));
        server.expect(&fin_ack(13));
        server.ignores(&ack(13), SocketIgnored::Number);
        server.peer_sends(&last);
        server.ignores(&last, SocketIgnored::Closed);
        server.ends(SocketCloseReason::Finished);
    }
}

#[test]
fn a_fin_without_answer_is_sent_three_times() {
    let mut client = SegmentTrace::established_client(config());
    client.machine.close();
    for _ in 0..3 {
        while let Some((_, segment)) = client.next_segment() {
            assert!([ack(12), fin(12)].contains(&segment), "{segment}");
        }
        client.sleep(200, 1_300);
    }
    client.ends(SocketCloseReason::Finished);
}

#[test]
fn fin_ack_repeats_by_a_timer_and_for_each_fin() {
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&fin(12));
    server.expect(&fin_ack(13));
    server.peer_sends(&fin(12));
    server.expect(&fin_ack(13));
    server.sleep(200, 430);
    server.expect(&fin_ack(13));
    server.sleep(200, 900);
    server.ends(SocketCloseReason::Finished);
}

#[test]
fn crossing_fins_are_answered_and_end_both_sides() {
    let mut client = SegmentTrace::established_client(config());
    client.machine.close();
    client.expect(&fin(12));
    client.peer_sends(&fin(12));
    client.expect(&fin_ack(13));
    client.ignores(&fin_ack(13), SocketIgnored::Closed);
    client.ends(SocketCloseReason::Finished);
}

#[test]
fn a_fin_acknowledges_the_last_piece() {
    let mut client = SegmentTrace::established_client(config());
    client.machine.send(b"x").unwrap();
    client.expect(&data(12, "1"));
    client.peer_sends(&ack(13));
    client.expect(&data(13, "x"));
    client.peer_sends(&fin(14));
    assert!(client.machine.is_all_acknowledged());
    client.expect(&fin_ack(15));
    client.peer_sends(&fin(16));
    client.ends(SocketCloseReason::Finished);
}

#[test]
fn a_message_that_crosses_a_fin_goes_first() {
    // The closing side withdraws its FIN.
    let mut server = SegmentTrace::established_server(config());
    server.machine.close();
    server.expect(&fin(12));
    server.peer_sends(&data(12, "2"));
    server.expect(&ack(13));
    server.expect_nothing();
    server.peer_sends(&data(13, "hi"));
    server.expect(&ack(15));
    server.expect(&fin(15));
    server.reads(b"hi", true);

    // The sending side ignores the FIN, whether or not it has sent the length of its message.
    for sent in [true, false] {
        let mut client = SegmentTrace::established_client(config());
        client.machine.send(b"hi").unwrap();
        if sent {
            client.expect(&data(12, "2"));
        }
        client.ignores(&fin(12), SocketIgnored::Crossing);
        if !sent {
            client.expect(&data(12, "2"));
        }
        client.expect_nothing();
        client.peer_sends(&ack(13));
        client.expect(&data(13, "hi"));
    }
}

#[test]
fn close_waits_for_the_end_of_an_incoming_message() {
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "2"));
    server.machine.close();
    server.expect(&ack(13));
    server.expect_nothing();
    server.peer_sends(&data(13, "hi"));
    server.expect(&ack(15));
    server.expect(&fin(15));
}

#[test]
fn an_incomplete_message_is_reported_on_both_sides() {
    let mut client = SegmentTrace::established_client(config());
    client.machine.begin(20).unwrap();
    assert_eq!(client.machine.write(b"012"), Ok(3));
    client.expect(&data(12, "20"));
    client.peer_sends(&ack(14));
    client.expect_nothing();
    client.machine.close();
    client.expect(&data(14, "012"));
    client.peer_sends(&ack(17));
    client.expect(&fin(17));

    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "20"));
    server.peer_sends(&data(14, "012"));
    server.expect(&ack(17));
    server.peer_sends(&fin(17));
    server.expect(&fin_ack(18));
    server.peer_sends(&fin(19));
    server.ends(SocketCloseReason::CutShort);
    assert_eq!(server.machine.recv_message(&mut [0; 64]), Err(RecvError::CutShort));
    server.reads(b"012", false);
}

#[test]
fn a_fin_in_the_middle_of_our_message_ends_the_connection() {
    let mut client = SegmentTrace::established_client(config());
    client.machine.send(b"0123456789abcdefg").unwrap();
    client.expect(&data(12, "17"));
    client.peer_sends(&ack(14));
    client.expect(&data(14, "0123456789abcdef"));
    client.peer_sends(&fin(14));
    client.expect(&fin_ack(15));
    client.peer_sends(&fin(16));
    client.ends(SocketCloseReason::PeerLeft);
}

#[test]
fn a_lost_fin_that_crosses_another_is_not_repeated() {
    // The client's FIN is lost. The client answers the peer's FIN, and has finished.
    let mut client = SegmentTrace::established_client(config());
    client.machine.close();
    client.expect(&fin(12));
    client.peer_sends(&fin(12));
    client.expect(&fin_ack(13));
    client.ends(SocketCloseReason::Finished);
    let mut server = SegmentTrace::established_server(config());
    server.machine.close();
    server.expect(&fin(12));
    server.peer_sends(&fin_ack(13));
    for _ in 0..3 {
        server.expect(&ack(14));
    }
    server.ends(SocketCloseReason::Finished);
}

#[test]
fn a_crossing_fin_whose_answer_is_lost_is_sent_three_times() {
    let mut server = SegmentTrace::established_server(config());
    server.machine.close();
    for _ in 0..3 {
        server.expect(&fin(12));
        server.sleep(200, 900);
    }
    server.ends(SocketCloseReason::Finished);
}

#[test]
fn a_fin_withdrawn_for_a_message_has_three_new_tries() {
    let mut server = SegmentTrace::established_server(config());
    server.machine.close();
    server.expect(&fin(12));
    server.sleep(200, 430);
    server.expect(&fin(12));
    server.peer_sends(&data(12, "0"));
    server.expect(&ack(13));
    // The FIN after the message has three tries of its own.
    for _ in 0..3 {
        server.expect(&fin(13));
        server.sleep(200, 900);
    }
    server.ends(SocketCloseReason::Finished);
}

#[test]
fn a_fin_within_a_message_is_answered_while_a_reply_waits() {
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "20"));
    server.machine.send(b"reply").unwrap();
    server.peer_sends(&data(14, "012"));
    server.expect(&ack(17));
    server.peer_sends(&fin(17));
    server.expect(&fin_ack(18));
    server.peer_sends(&fin(19));
    server.ends(SocketCloseReason::PeerLeft);
    assert!(!server.machine.is_all_acknowledged());
}

#[test]
fn abort_closes_the_peer_despite_an_outstanding_segment() {
    for arrived in [true, false] {
        let mut client = SegmentTrace::established_client(config());
        client.machine.send(b"0123456789abcdefg").unwrap();
        client.expect(&data(12, "17"));
        client.peer_sends(&ack(14));
        client.expect(&data(14, "0123456789abcdef"));
        client.machine.abort();
        client.expect(&fin(30));
        client.ends(SocketCloseReason::Aborted);

        let mut server = SegmentTrace::established_server(config());
        server.peer_sends(&data(12, "17"));
        if arrived {
            server.peer_sends(&data(14, "0123456789abcdef"));
        }
        server.peer_sends(&fin(30));
        server.expect_event(SocketEvent::Readable);
        server.expect_event(SocketEvent::PeerClosed);
        assert!(server.next_segment().is_some() && server.machine.ended().is_none());
    }
}

#[test]
fn abort_ends_the_peer_before_and_after_the_length_arrives() {
    let mut client = SegmentTrace::established_client(config());
    client.machine.send(b"0123456789abcdefg").unwrap();
    client.expect(&data(12, "17"));
    client.machine.abort();
    client.expect(&fin(12));
    client.ends(SocketCloseReason::Aborted);
    for arrived in [true, false] {
        let mut server = SegmentTrace::established_server(config());
        let number = if arrived { 14 } else { 12 };
        if arrived {
            server.peer_sends(&data(12, "17"));
            server.expect(&ack(14));
            server.ignores(&fin(13), SocketIgnored::Number);
        }
        server.peer_sends(&fin(12));
        server.expect(&fin_ack(number + 1));
        server.peer_sends(&fin(number + 2));
        server.ends(if arrived { SocketCloseReason::CutShort } else { SocketCloseReason::Finished });
    }
}

#[test]
fn an_abort_acknowledges_no_message_that_crosses_it() {
    let mut server = SegmentTrace::established_server(config());
    server.machine.send(b"hello").unwrap();
    server.expect(&data(12, "5"));
    server.machine.abort();
    server.expect(&fin(12));
    let mut client = SegmentTrace::established_client(config());
    client.machine.send(b"").unwrap();
    client.expect(&data(12, "0"));
    client.ignores(&fin(12), SocketIgnored::Crossing);
    assert!(!client.machine.is_all_acknowledged());
}

#[test]
fn lost_data_is_not_reported_as_acknowledged() {
    for end in ["abort", "time", "fin"] {
        let mut client = SegmentTrace::established_client(config());
        client.machine.send(b"x").unwrap();
        client.expect(&data(12, "1"));
        match end {
            "abort" => client.machine.abort(),
            "time" => client.machine.handle_timeout(client.now + Duration::from_secs(40)),
            _ => {
                client.peer_sends(&ack(13));
                client.expect(&data(13, "x"));
                client.peer_sends(&fin(13));
                client.expect(&fin_ack(14));
                client.peer_sends(&fin(15));
            }
        }
        assert!(client.machine.ended().is_some() && !client.machine.is_all_acknowledged(), "{end}");
    }
}

#[test]
fn abort_sends_fin_once() {
    let mut client = SegmentTrace::established_client(config());
    client.machine.send(b"x").unwrap();
    client.expect(&data(12, "1"));
    client.machine.abort();
    client.expect(&fin(12));
    client.ends(SocketCloseReason::Aborted);
    let mut early = SegmentTrace::client(config(), 1);
    early.expect("1|||0|||0|||1|||");
    early.machine.abort();
    early.ends(SocketCloseReason::Aborted);
}

#[test]
fn received_data_can_be_read_after_the_end() {
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "2"));
    server.peer_sends(&data(13, "hi"));
    server.peer_sends(&fin(15));
    server.peer_sends(&fin(17));
    assert_eq!(server.machine.ended(), Some(SocketCloseReason::Finished));
    server.reads(b"hi", true);
}
