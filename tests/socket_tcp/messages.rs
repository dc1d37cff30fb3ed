//! SocketTCP: messages, the loss of each segment, and the calls that write and read messages.

use harness::socket_tcp::*;
use rdt_proto::BufferTooSmall;
use rdt_proto::socket_tcp::{
    MAX_MESSAGE, Message, RecvError, SegmentError, SocketCloseReason, SocketConfig, SocketEvent, SocketHandled,
    SocketIgnored, SocketSendError,
};

fn config() -> SocketConfig {
    SocketConfig::default()
}

#[test]
fn a_message_is_its_length_and_then_acknowledged_pieces() {
    let mut client = SegmentTrace::established_client(config());
    client.machine.send(b"Mensaje de largo 19").unwrap();
    client.expect(&data(12, "19"));
    client.expect_nothing();
    client.peer_sends(&ack(14));
    client.expect(&data(14, "Mensaje de largo"));
    client.expect_nothing();
    client.ignores(&ack(29), SocketIgnored::OldAck);
    client.peer_sends(&ack(30));
    client.expect(&data(30, " 19"));
    assert!(!client.machine.is_all_acknowledged());
    client.peer_sends(&ack(33));
    assert!(client.machine.is_all_acknowledged());
    client.expect_nothing();
}

#[test]
fn a_lost_segment_or_ack_repeats_with_doubled_timeouts() {
    let mut client = SegmentTrace::established_client(config());
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
    client.ignores(&ack(18), SocketIgnored::OldAck);
    client.expect_nothing();
}

#[test]
fn a_repeated_segment_is_acknowledged_again_and_delivered_once() {
    let mut server = SegmentTrace::established_server(config());
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
    let mut client = SegmentTrace::established_client(config());
    client.machine.send(b"").unwrap();
    client.expect(&data(12, "0"));
    client.peer_sends(&ack(13));
    client.expect_nothing();
    assert!(client.machine.is_all_acknowledged());
    client.peer_sends(&data(13, "0"));
    client.expect(&ack(14));
    client.expect_event(SocketEvent::Readable);
    client.reads(b"", true);
    assert_eq!(client.machine.recv(&mut [0; 9]), None);
}

#[test]
fn a_message_may_contain_any_byte_and_separators() {
    let body = b"|||\0\xff\xfe||||x|||";
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "14"));
    server.expect(&ack(14));
    let datagram = [b"0|||0|||0|||14|||".as_slice(), body].concat();
    assert_eq!(server.receive_datagram(CLIENT, &datagram), SocketHandled::Accepted);
    server.expect(&ack(28));
    server.reads(body, true);
}

#[test]
fn zeros_in_front_of_a_number_and_bodies_of_control_are_ignored() {
    for zeros in ["", "000000", "00000000"] {
        let mut server = SegmentTrace::server(config(), &format!("1|||0|||0|||{zeros}10|||0"));
        server.expect("1|||1|||0|||11|||");
        server.peer_sends(&format!("0|||1|||0|||{zeros}12|||0"));
        server.expect_event(SocketEvent::Connected);
        server.peer_sends(&format!("0|||0|||0|||{zeros}12|||2"));
        server.expect(&ack(13));
        server.peer_sends(&format!("0|||0|||0|||{zeros}13|||hi"));
        server.expect(&ack(15));
        server.reads(b"hi", true);
        server.peer_sends(&format!("0|||0|||1|||{zeros}15|||-"));
        server.expect(&fin_ack(16));
        server.peer_sends(&format!("0|||1|||0|||{zeros}17|||0"));
        server.ends(SocketCloseReason::Finished);
    }
}

#[test]
fn a_piece_may_be_as_long_as_the_receive_memory() {
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "129"));
    server.expect(&ack(15));
    let piece = "0123456789abcdef".repeat(4);
    server.peer_sends(&data(15, &piece));
    server.expect(&ack(79));
    server.ignores(&data(79, &piece), SocketIgnored::NoRoom);
    server.reads(piece.as_bytes(), false);
    // The memory has room for 64 bytes.
    server.ignores(&data(79, &format!("{piece}x")), SocketIgnored::NoRoom);
    server.peer_sends(&data(79, &piece));
    server.expect(&ack(143));
    server.peer_sends(&data(15, &piece));
    server.expect(&ack(143));
    server.reads(piece.as_bytes(), false);
}

#[test]
fn a_message_is_read_in_pieces_of_any_size_or_whole() {
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "20"));
    server.peer_sends(&data(14, "0123456789abcdef"));
    assert_eq!(server.machine.message(), Some(Message { length: 20, arrived: 16, read: 0 }));
    let mut buf = [0; 64];
    assert_eq!(server.machine.recv_message(&mut buf), Ok(None), "the message is incomplete");
    assert_eq!(server.machine.recv_message(&mut [0; 19]), Err(RecvError::Buffer(BufferTooSmall { needed: 20 })));
    assert_eq!(server.machine.recv(&mut buf[..7]).map(|received| received.len), Some(7));
    server.peer_sends(&data(30, "ghij"));
    // One read returns the rest of the message, here from two segments.
    assert_eq!(server.machine.recv_message(&mut buf), Ok(Some(13)));
    assert_eq!(&buf[..13], b"789abcdefghij");
    assert_eq!(server.machine.message(), None);
}

#[test]
fn a_message_longer_than_the_memory_is_read_in_pieces_only() {
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "65"));
    let too_large = Err(RecvError::TooLarge { length: 65, limit: 64 });
    assert_eq!(server.machine.recv_message(&mut [0; 99]), too_large);
    server.peer_sends(&data(14, "0"));
    server.reads(b"0", false);
    assert_eq!(server.machine.recv_message(&mut [0; 99]), Ok(None));
}

#[test]
fn a_segment_without_room_is_acknowledged_when_repeated() {
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "70"));
    for piece in 0..4 {
        server.peer_sends(&data(14 + 16 * piece, "0123456789abcdef"));
    }
    server.expect(&ack(78));
    server.ignores(&data(78, "ghijkl"), SocketIgnored::NoRoom);
    server.expect_nothing();
    assert_eq!(server.machine.recv(&mut [0; 6]).map(|received| received.len), Some(6));
    server.peer_sends(&data(78, "ghijkl"));
    server.expect(&ack(84));
}

#[test]
fn the_next_message_waits_until_the_last_one_is_read() {
    let mut server = SegmentTrace::established_server(config());
    server.peer_sends(&data(12, "1"));
    server.peer_sends(&data(13, "a"));
    server.expect(&ack(14));
    server.ignores(&data(14, "1"), SocketIgnored::NoRoom);
    server.reads(b"a", true);
    server.peer_sends(&data(14, "1"));
    server.expect(&ack(15));
}

#[test]
fn content_fills_the_free_room_and_is_sent_in_full_pieces() {
    let mut client = SegmentTrace::established_client(config());
    client.machine.begin(100).unwrap();
    client.expect(&data(12, "100"));
    assert_eq!(client.machine.write(b"0123456789"), Ok(10));
    client.peer_sends(&ack(15));
    client.expect_nothing();
    assert_eq!(client.machine.write(&[b'x'; 90]), Ok(54), "there is room for 64 bytes");
    client.expect(&data(15, "0123456789xxxxxx"));
    client.expect_no_event();
    client.peer_sends(&ack(31));
    client.expect_event(SocketEvent::Writable);
    assert_eq!(client.machine.write(&[b'y'; 90]), Ok(16));
    for piece in 1..=3 {
        client.expect(&data(15 + 16 * piece, "xxxxxxxxxxxxxxxx"));
        client.peer_sends(&ack(31 + 16 * piece));
    }
    // The last 20 bytes of the message. There is room for all of them.
    assert_eq!(client.machine.write(&[b'y'; 90]), Ok(20));
    client.expect(&data(79, "yyyyyyyyyyyyyyyy"));
    client.peer_sends(&ack(95));
    client.expect(&data(95, "yyyyyyyyyyyyyyyy"));
    client.peer_sends(&ack(111));
    client.expect(&data(111, "yyyy"));
    assert_eq!(client.machine.write(b"z"), Err(SocketSendError::NotAnnounced));
    assert_eq!(client.machine.send(b"z"), Err(SocketSendError::Busy));
    client.peer_sends(&ack(115));
    client.expect_event(SocketEvent::Writable);
    assert_eq!(client.machine.send(b"z"), Ok(()));
}

#[test]
fn data_that_cannot_be_sent_is_an_error_of_the_call() {
    let mut client = SegmentTrace::established_client(config());
    let too_large = |length, limit| Err(SocketSendError::TooLarge { length, limit });
    assert_eq!(client.machine.send(&[0; 65]), too_large(65, 64));
    assert_eq!(client.machine.begin(MAX_MESSAGE + 1), too_large(MAX_MESSAGE + 1, MAX_MESSAGE));
    assert_eq!(client.machine.write(b"x"), Err(SocketSendError::NotAnnounced));
    assert_eq!(client.machine.begin(MAX_MESSAGE), Ok(()));
    client.expect(&data(12, "9999999999999999"));
    client.machine.close();
    assert_eq!(client.machine.write(b"x"), Err(SocketSendError::Closing));
    client.machine.abort();
    assert_eq!(client.machine.begin(1), Err(SocketSendError::Closed));
}

#[test]
fn a_segment_that_does_not_continue_the_message_is_ignored() {
    let mut server = SegmentTrace::established_server(config());
    server.ignores(&data(12, "five"), SocketIgnored::Length);
    server.ignores("hello", SocketIgnored::Malformed(SegmentError::Separators));
    server.ignores(&fin_ack(13), SocketIgnored::State);
    server.ignores("1|||1|||0|||11|||", SocketIgnored::State);
    server.peer_sends(&data(12, "3"));
    server.ignores(&data(13, "abcd"), SocketIgnored::Length);
    server.ignores(&data(14, "bc"), SocketIgnored::Ahead);
    server.expect(&ack(13));
    assert_eq!(
        server.receive_datagram(At(3, 3), data(13, "abc").as_bytes()),
        SocketHandled::Ignored(SocketIgnored::Address)
    );
    server.peer_sends(&data(13, "abc"));
}
