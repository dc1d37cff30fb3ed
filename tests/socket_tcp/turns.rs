//! SocketTCP: one counter for both directions, and the side that sends first.

use harness::socket_tcp::*;
use rdt_proto::socket_tcp::{SocketConfig, SocketIgnored};

fn config() -> SocketConfig {
    SocketConfig::default()
}

#[test]
fn each_sender_continues_after_the_last_message() {
    let mut server = SegmentTrace::established_server(config());
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
fn a_message_waits_for_the_end_of_an_incoming_message() {
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "2"));
    server.machine.send(b"you").unwrap();
    server.expect(&ack(13));
    server.expect_nothing();
    server.peer_sends(&data(13, "hi"));
    server.expect(&ack(15));
    server.expect(&data(15, "3"));
}

#[test]
fn if_both_send_at_once_the_server_withdraws_its_message() {
    let mut server = SegmentTrace::established_server(config());
    server.machine.send(b"you").unwrap();
    server.expect(&data(12, "3"));
    server.peer_sends(&data(12, "2"));
    server.expect(&ack(13));
    server.expect_nothing();
    // An ACK of the withdrawn segment is ignored.
    server.ignores(&ack(13), SocketIgnored::OldAck);
    server.ignores(&ack(99), SocketIgnored::OldAck);
    server.peer_sends(&data(13, "hi"));
    server.expect(&ack(15));
    server.expect(&data(15, "3"));
    server.peer_sends(&ack(16));
    server.expect(&data(16, "you"));
}

#[test]
fn if_both_send_at_once_the_client_sends_first() {
    let mut client = SegmentTrace::established_client(config());
    client.machine.send(b"hi").unwrap();
    client.expect(&data(12, "2"));
    client.ignores(&data(12, "3"), SocketIgnored::Crossing);
    client.peer_sends(&ack(13));
    client.expect(&data(13, "hi"));
    // The server's ACK was lost. The server's message acknowledges the client's message, too.
    client.peer_sends(&data(15, "3"));
    assert!(client.machine.is_all_acknowledged());
    client.expect(&ack(16));
}

#[test]
fn a_server_whose_memory_is_full_does_not_withdraw() {
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "1"));
    server.peer_sends(&data(13, "x"));
    server.machine.send(b"you").unwrap();
    server.expect(&ack(14));
    server.expect(&data(14, "3"));
    server.ignores(&data(14, "1"), SocketIgnored::NoRoom);
    server.sleep(1, 300);
    server.expect(&data(14, "3"));
}

#[test]
fn a_side_that_sends_answers_old_segments_with_its_own_number() {
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "1"));
    server.peer_sends(&data(13, "x"));
    server.expect(&ack(14));
    server.machine.send(b"you").unwrap();
    server.expect(&data(14, "3"));
    server.peer_sends(&data(13, "x"));
    server.expect(&ack(14));
    server.expect_nothing();
}
