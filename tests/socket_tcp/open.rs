//! SocketTCP: how a connection opens, and the loss of each segment.

use harness::socket_tcp::*;
use rdt_proto::socket_tcp::{
    AnswerFrom, Segment, SocketCloseReason, SocketConfig, SocketEvent, SocketHandled, SocketIgnored,
};

fn config() -> SocketConfig {
    SocketConfig::default()
}

#[test]
fn a_lost_syn_is_repeated_until_the_handshake_limit() {
    let mut client = SegmentTrace::client(config(), 7);
    client.expect("1|||0|||0|||7|||");
    client.sleep(1_000, 1_063);
    for _ in 2..=8 {
        client.expect("1|||0|||0|||7|||");
        client.sleep(1, 1_329);
    }
    client.ends(SocketCloseReason::HandshakeTimedOut);
}

#[test]
fn a_lost_syn_ack_is_repeated_by_a_timer_and_for_each_syn() {
    let mut server = SegmentTrace::server(config(), "1|||0|||0|||10|||");
    server.expect("1|||1|||0|||11|||");
    server.peer_sends("1|||0|||0|||10|||");
    server.expect("1|||1|||0|||11|||");
    server.sleep(1_000, 1_329);
    server.expect("1|||1|||0|||11|||");
    server.expect_no_event();
    server.peer_sends(&ack(12));
    server.expect_event(SocketEvent::Connected);
    server.ignores("1|||0|||0|||10|||", SocketIgnored::State);
}

#[test]
fn a_lost_ack_of_the_handshake_is_sent_again_for_each_syn_ack() {
    let mut client = SegmentTrace::established_client(config());
    client.elapse(1_000);
    client.peer_sends("1|||1|||0|||11|||");
    client.expect(&ack(12));
    client.ignores("1|||1|||0|||13|||", SocketIgnored::Number);
    client.expect_nothing();
}

#[test]
fn the_first_segment_replaces_a_lost_ack_of_the_handshake() {
    for close in [false, true] {
        let mut server = SegmentTrace::server(config(), "1|||0|||0|||10|||");
        server.expect("1|||1|||0|||11|||");
        server.ignores(&data(11, "5"), SocketIgnored::Number);
        server.peer_sends(&if close { fin(12) } else { data(12, "5") });
        server.expect_event(SocketEvent::Connected);
        server.expect(&if close { fin_ack(13) } else { ack(13) });
    }
}

#[test]
fn the_handshake_ack_repeats_with_the_first_segment() {
    let mut client = SegmentTrace::established_client(config());
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
fn a_client_that_only_closes_repeats_the_ack_with_its_fin() {
    let mut client = SegmentTrace::established_client(config());
    client.machine.close();
    client.expect(&fin(12));
    client.sleep(200, 213);
    client.expect(&ack(12));
    client.expect(&fin(12));
}

#[test]
fn a_new_syn_replaces_the_unconfirmed_handshake() {
    let mut server = SegmentTrace::server(config(), "1|||0|||0|||10|||");
    server.expect("1|||1|||0|||11|||");
    server.peer_sends("1|||0|||0|||60|||");
    server.expect("1|||1|||0|||61|||");
    server.ignores(&ack(12), SocketIgnored::Number);
    server.peer_sends(&ack(62));
    server.expect_event(SocketEvent::Connected);
}

#[test]
fn an_unconfirmed_server_ends_at_the_handshake_limit() {
    let mut server = SegmentTrace::server(config(), "1|||0|||0|||10|||");
    let mut sent = 0;
    while server.machine.ended().is_none() {
        while let Some((to, segment)) = server.next_segment() {
            assert_eq!((to, segment.as_str()), (CLIENT, "1|||1|||0|||11|||"));
            sent += 1;
        }
        server.now = server.machine.poll_timeout().unwrap();
        server.machine.handle_timeout(server.now);
    }
    assert!((8..=9).contains(&sent), "{sent}");
    server.ends(SocketCloseReason::HandshakeTimedOut);
}

#[test]
fn after_the_handshake_segments_go_to_the_answering_port() {
    let mut client = SegmentTrace::client(config(), 10);
    client.machine.send(b"x").unwrap();
    client.expect("1|||0|||0|||10|||");
    let answer = "1|||1|||0|||11|||";
    assert_eq!(
        client.receive_datagram(At(9, 8_000), answer.as_bytes()),
        SocketHandled::Ignored(SocketIgnored::Address)
    );
    let other = At(SERVER.0, 5_001);
    assert_eq!(client.receive_datagram(other, answer.as_bytes()), SocketHandled::Accepted);
    assert_eq!(client.machine.peer(), other);
    // One kind of server expects the ACK at the old port, others at the new one.
    client.expect_to(SERVER, &ack(12));
    client.expect_to(other, &ack(12));
    client.expect_to(other, &data(12, "1"));
    // Segments from the port to which SYN was sent are now ignored.
    client.ignores(&ack(13), SocketIgnored::Address);
    client.peer.at = other;
    client.peer_sends(answer);
    client.expect_to(SERVER, &ack(12));
    client.expect_to(other, &ack(12));
    client.expect_nothing();
    client.peer_sends(&ack(13));
    client.expect_to(other, &data(13, "x"));
}

#[test]
fn no_timer_repeats_the_handshake_ack_to_a_new_port() {
    for close in [false, true] {
        let mut client = SegmentTrace::client(config(), 10);
        client.expect("1|||0|||0|||10|||");
        let other = At(SERVER.0, 5_001);
        client.peer.at = other;
        client.peer_sends("1|||1|||0|||11|||");
        client.expect_to(SERVER, &ack(12));
        client.expect_to(other, &ack(12));
        client.expect_nothing();
        if close {
            client.machine.close();
        } else {
            client.machine.send(b"x").unwrap();
        }
        let first = if close { fin(12) } else { data(12, "1") };
        client.expect_to(other, &first);
        client.sleep(1, 1_100);
        client.expect_to(SERVER, &ack(12));
        client.expect_to(other, &first);
        client.expect_nothing();
    }
}

#[test]
fn a_client_may_be_configured_to_accept_another_host() {
    let mut client = SegmentTrace::client(SocketConfig { answer_from: AnswerFrom::AnyHost, ..config() }, 10);
    client.expect("1|||0|||0|||10|||");
    client.peer.at = At(9, 1);
    client.ignores("1|||1|||0|||10|||", SocketIgnored::Number);
    client.peer_sends("1|||1|||0|||11|||");
    client.expect_to(SERVER, &ack(12));
    client.expect_to(At(9, 1), &ack(12));
}

#[test]
fn a_segment_before_syn_is_sent_is_ignored() {
    let mut client = SegmentTrace::client(config(), 10);
    client.ignores("1|||1|||0|||11|||", SocketIgnored::State);
    client.ignores(&ack(12), SocketIgnored::State);
}

#[test]
fn a_server_accepts_only_a_syn_with_numbers_left() {
    let accept = |text: &str| {
        let segment = Segment::decode(text.as_bytes()).unwrap();
        Machine::accept(rdt_proto::Instant::ZERO, config(), starting_with(0), CLIENT, &segment).map(drop)
    };
    assert_eq!(accept("1|||0|||0|||9223372036854775806|||"), Ok(()));
    assert_eq!(accept("1|||0|||0|||9223372036854775807|||"), Err(SocketIgnored::Number));
    for stray in ["0|||1|||0|||12|||", "0|||0|||0|||12|||5", "0|||0|||1|||12|||", "1|||1|||0|||12|||"] {
        assert_eq!(accept(stray), Err(SocketIgnored::State));
    }
}

#[test]
fn a_client_begins_with_a_number_up_to_100() {
    for seed in 0..=255 {
        let mut client = SegmentTrace::client(config(), seed);
        let (_, syn) = client.next_segment().unwrap();
        assert!(Segment::decode(syn.as_bytes()).unwrap().number <= 100);
    }
}
