//! SocketTCP: the limits on silence and on numbers.

use harness::socket_tcp::*;
use rdt_proto::BufferTooSmall;
use rdt_proto::socket_tcp::{SocketCloseReason, SocketConfig, SocketConnection, SocketIgnored};

fn config() -> SocketConfig {
    SocketConfig::default()
}

#[test]
fn silence_with_an_unanswered_segment_ends_at_the_idle_limit() {
    let mut client = SegmentTrace::established_client(config());
    client.elapse(5_000);
    client.machine.send(b"x").unwrap();
    let start = client.now;
    while client.machine.ended().is_none() {
        while client.next_segment().is_some() {}
        client.now = client.machine.poll_timeout().unwrap();
        client.machine.handle_timeout(client.now);
    }
    assert_eq!(client.now.saturating_since(start).as_millis(), 30_000);
    client.ends(SocketCloseReason::TimedOut);
}

#[test]
fn a_quiet_connection_ends_at_the_quiet_limit() {
    let mut server = SegmentTrace::established_server(config());
    server.sleep(60_000, 60_000);
    server.ends(SocketCloseReason::Quiet);
}

#[test]
fn a_new_syn_does_not_keep_the_old_connection_alive() {
    let mut server = SegmentTrace::established_server(config());
    for _ in 0..6 {
        server.elapse(9_000);
        server.ignores("1|||0|||0|||70|||", SocketIgnored::State);
    }
    server.sleep(6_000, 6_000);
    server.ends(SocketCloseReason::Quiet);
}

#[test]
fn repeated_syn_acks_do_not_keep_a_connection_alive() {
    // The server repeats SYN+ACK without end, because no ACK arrives.
    for sends in [true, false] {
        let mut client = SegmentTrace::established_client(config());
        if sends {
            client.machine.send(b"x").unwrap();
        }
        let (limit, reason) = if sends { (30, SocketCloseReason::TimedOut) } else { (60, SocketCloseReason::Quiet) };
        for _ in 1..limit {
            client.elapse_with_loss(1_000);
            client.peer_sends("1|||1|||0|||11|||");
        }
        client.elapse_with_loss(1_000);
        client.ends(reason);
    }
}

#[test]
fn two_sides_that_send_and_never_read_end_at_the_idle_limit() {
    // Each side repeats a segment for which the other side has no room.
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "1"));
    server.peer_sends(&data(13, "x"));
    server.expect(&ack(14));
    server.machine.send(b"y").unwrap();
    server.expect(&data(14, "1"));
    let start = server.now;
    while server.machine.ended().is_none() {
        while server.next_segment().is_some() {}
        server.now = server.machine.poll_timeout().unwrap();
        server.machine.handle_timeout(server.now);
        if server.machine.ended().is_none() {
            server.ignores(&data(14, "1"), SocketIgnored::NoRoom);
        }
    }
    assert_eq!(server.now.saturating_since(start).as_millis(), 30_000);
    server.ends(SocketCloseReason::TimedOut);
}

#[test]
fn numbers_do_not_wrap_and_the_connection_ends() {
    let mut server = SegmentTrace::server(config(), "1|||0|||0|||9223372036854775800|||");
    server.expect("1|||1|||0|||9223372036854775801|||");
    server.peer_sends(&ack(9_223_372_036_854_775_802));
    server.ignores(&data(9_223_372_036_854_775_807, "12"), SocketIgnored::Number);
    server.peer_sends(&data(9_223_372_036_854_775_802, "2"));
    server.peer_sends(&data(9_223_372_036_854_775_803, "ab"));
    server.expect(&ack(9_223_372_036_854_775_805));
    server.ignores(&fin(9_223_372_036_854_775_807), SocketIgnored::Number);
    server.reads(b"ab", true);
    server.machine.send(b"0123456789").unwrap();
    server.expect(&data(9_223_372_036_854_775_805, "10"));
    server.peer_sends(&ack(9_223_372_036_854_775_807));
    server.ends(SocketCloseReason::NumbersExhausted);
}

#[test]
fn a_buffer_too_small_changes_nothing() {
    let mut client = SegmentTrace::client(config(), 10);
    let mut buf = [0; 64];
    assert_eq!(client.machine.poll_transmit(client.now, &mut buf[..16]), Err(BufferTooSmall { needed: 17 }));
    client.expect("1|||0|||0|||10|||");
}

#[test]
fn room_for_one_segment_is_enough() {
    let machine = SocketConnection::<u8, 16, 16>::connect(rdt_proto::Instant::ZERO, config(), [0; 16], 1);
    assert!(!machine.is_established());
}
