//! How data flows: INFO and ACK in both directions, loss and repetition, and the calls of the application.

use harness::base::*;
use rdt_proto::connection::{CloseReason, Config, Event, Ignored, SendError};
use rdt_proto::{BufferTooSmall, Duration};

/// An established client with `slots` slots of 4 bytes each way.
fn small_client(slots: u32) -> BaseTrace {
    let config = Config { segment: 4, recv_segment: 4, ..Config::base() };
    let mut client = BaseTrace::client_with(config, storage(&config, slots).unwrap());
    client.expect(CONNECT);
    client.peer_sends(CONNACK);
    client.expect_event(Event::Connected);
    client.expect(info(0, b""));
    client.elapse(10);
    client.peer_sends(ack(0));
    client
}

/// Regression: the rest of a packet stayed lent after the packet was sent. `commit` then counted for the next packet,
/// which sent old bytes.
#[test]
fn a_lent_slot_is_void_once_its_packet_is_sent() {
    let mut client = BaseTrace::established_client(Config::base());
    assert_eq!(client.machine.send(b"ab"), Ok(2));
    client.machine.send_slot().unwrap()[..2].copy_from_slice(b"cd");
    client.expect(info(1, b"ab"));
    assert_eq!(client.machine.commit(2), Err(SendError::NotLent));
    client.machine.send_slot().unwrap()[..2].copy_from_slice(b"cd");
    assert_eq!(client.machine.commit(2), Ok(()));
    assert_eq!(client.machine.commit(2), Err(SendError::NotLent), "a slot is committed once");
    client.peer_sends(ack(1));
    client.expect(info(2, b"cd"));
}

/// Regression: a lent slot was void once another packet was sent.
#[test]
fn a_lent_slot_outlives_the_sending_of_another_packet() {
    let mut client = BaseTrace::established_client(Config::base());
    assert_eq!(client.machine.send_segment(b"header"), Ok(()));
    client.machine.send_slot().unwrap()[..4].copy_from_slice(b"data");
    client.expect(info(1, b"header"));
    assert_eq!(client.machine.commit(4), Ok(()));
    client.peer_sends(ack(1));
    client.expect(info(2, b"data"));
}

/// An empty INFO 0 after CONNACK takes the number of the lent slot. A later `send` does the same.
#[test]
fn a_lent_slot_is_void_once_its_number_is_used() {
    let mut client = BaseTrace::client(Config::base());
    client.expect(CONNECT);
    client.machine.send_slot().unwrap()[..2].copy_from_slice(b"ab");
    client.peer_sends(CONNACK);
    assert_eq!(client.machine.commit(2), Err(SendError::NotLent));
    client.expect(info(0, b""));
    client.machine.send_slot().unwrap()[..2].copy_from_slice(b"ab");
    assert_eq!(client.machine.send(b"xyz"), Ok(3));
    assert_eq!(client.machine.commit(2), Err(SendError::NotLent));
    client.peer_sends(ack(0));
    client.expect(info(1, b"xyz"));
}

#[test]
fn one_info_at_a_time_with_numbers_in_order() {
    let mut client = small_client(4);
    assert_eq!(client.machine.send(b"abcdefghij"), Ok(10));
    client.expect(info(1, b"abcd"));
    client.expect_nothing();
    client.peer_sends(ack(1));
    client.expect(info(2, b"efgh"));
    client.expect_nothing();
    client.peer_sends(ack(2));
    client.expect(info(3, b"ij"));
    assert!(!client.machine.is_all_acknowledged());
    client.peer_sends(ack(3));
    client.expect_nothing();
    assert!(client.machine.is_all_acknowledged());
}

#[test]
fn data_written_while_an_info_is_in_flight_goes_into_the_next() {
    let mut client = BaseTrace::established_client(Config::base());
    assert_eq!(client.machine.send(b"a"), Ok(1));
    client.expect(info(1, b"a"));
    assert_eq!(client.machine.send(b"b"), Ok(1));
    assert_eq!(client.machine.send(b"c"), Ok(1));
    assert_eq!(client.machine.send(b""), Ok(0));
    client.sleep(20, 40);
    client.expect(info(1, b"a"));
    client.peer_sends(ack(1));
    client.expect(info(2, b"bc"));
}

#[test]
fn rfc6298_5_7_the_doubled_interval_stays_until_a_sample() {
    let mut client = BaseTrace::established_client(Config::base());
    assert_eq!(client.machine.send(b"one"), Ok(3));
    // RFC 6298 §2.2: the only RTT sample is 10 ms, so the RTO is 10 + 4 × 5 ms.
    client.expect(info(1, b"one"));
    for doubled in [30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_500, 7_500] {
        client.sleep(doubled, doubled + doubled / 16 + 1);
        client.expect(info(1, b"one"));
    }
    client.peer_sends(ack(1));
    assert_eq!(client.machine.send(b"two"), Ok(3));
    client.expect(info(2, b"two"));
    // The first INFO was repeated, so its ACK gives no sample.
    client.elapse(7_000);
    client.peer_sends(ack(2));
    assert_eq!(client.machine.rtt().srtt(), Some(Duration::from_secs(7)));
    assert_eq!((client.machine.stats().infos_repeated, client.machine.stats().timeouts), (10, 10));
}

#[test]
fn a_repeated_info_is_acknowledged_again_and_delivered_once() {
    let mut server = BaseTrace::established_server(Config::base());
    server.peer_sends(info(1, b"a"));
    server.expect(ack(1));
    server.peer_sends(info(1, b"a"));
    server.peer_sends(info(1, b"a"));
    server.expect(ack(1));
    server.expect_nothing();
    server.peer_sends(info(2, b"b"));
    // Old data is acknowledged again, since the peer may not have received the ACK.
    server.peer_sends(info(0, b""));
    server.expect(ack(0));
    server.expect(ack(2));
    server.expect_nothing();
    assert_eq!(server.machine.stats().infos_duplicate, 3);
    assert_eq!(server.read(), b"ab");
}

#[test]
fn numbers_beyond_the_window_are_not_acknowledged() {
    let mut server = BaseTrace::established_server(Config::base());
    for number in [2, 3, 1_000, 1 << 31, u32::MAX] {
        server.ignores(info(number, b"x"), Ignored::BeyondWindow);
    }
    server.expect_nothing();
    assert_eq!(server.read(), b"");
}

#[test]
fn acks_of_unsent_and_of_acknowledged_numbers_are_ignored() {
    let mut client = BaseTrace::established_client(Config::base());
    client.ignores(ack(1), Ignored::NeverSent);
    assert_eq!(client.machine.send(b"a"), Ok(1));
    // INFO 1 has a body, but has not been sent yet.
    client.ignores(ack(1), Ignored::NeverSent);
    client.expect(info(1, b"a"));
    client.ignores(ack(0), Ignored::OldAck);
    client.ignores(ack(2), Ignored::NeverSent);
    client.expect_nothing();
    client.peer_sends(ack(1));
    client.ignores(ack(1), Ignored::OldAck);
}

#[test]
fn both_directions_at_once() {
    let mut client = BaseTrace::established_client(Config::base());
    assert_eq!(client.machine.send(b"question"), Ok(8));
    client.peer_sends(info(0, b"hello"));
    client.expect(ack(0));
    client.expect(info(1, b"question"));
    client.peer_sends(info(1, b"answer"));
    client.expect(ack(1));
    client.expect_nothing();
    client.peer_sends(ack(1));
    assert_eq!(client.read(), b"helloanswer");
}

#[test]
fn a_body_larger_than_a_slot_is_ignored() {
    let mut client = small_client(2);
    client.ignores(info(0, b"abcde"), Ignored::BodyTooLarge);
    client.expect_nothing();
    client.peer_sends(info(0, b"abcd"));
    client.expect(ack(0));
    // An old INFO is acknowledged whatever the length of its body.
    client.peer_sends(info(0, b"abcde"));
    client.expect(ack(0));
    assert_eq!(client.read(), b"abcd");
}

#[test]
fn data_without_room_is_accepted_when_it_is_repeated() {
    let mut client = small_client(2);
    client.peer_sends(info(0, b"ab"));
    client.expect(ack(0));
    client.expect_event(Event::Readable);
    client.peer_sends(info(1, b"cd"));
    client.expect(ack(1));
    client.expect_event(Event::Readable);
    client.ignores(info(2, b"ef"), Ignored::NoRoom);
    client.expect_no_event();
    client.expect_nothing();
    client.machine.consume(1);
    client.ignores(info(2, b"ef"), Ignored::NoRoom);
    client.machine.consume(1);
    client.peer_sends(info(2, b"ef"));
    client.expect(ack(2));
    assert_eq!(client.read(), b"cdef");
}

/// Regression: `Readable` was reported only if no older data was unread. An application that read only a part received
/// no more events.
#[test]
fn readable_is_reported_again_while_data_is_unread() {
    let mut client = small_client(4);
    let mut buf = [0; 3];
    for (number, body) in [(0, b"abcd"), (1, b"efgh"), (2, b"ijkl")] {
        client.peer_sends(info(number, body));
        client.expect(ack(number));
        client.expect_event(Event::Readable);
        assert_eq!(client.machine.recv(&mut buf), 3);
    }
    client.expect_no_event();
    assert_eq!(client.read(), b"jkl");
}

#[test]
fn readable_is_reported_when_data_has_arrived() {
    let mut client = BaseTrace::established_client(Config::base());
    client.peer_sends(info(0, b""));
    client.expect_no_event();
    client.peer_sends(info(1, b"a"));
    client.expect_event(Event::Readable);
    client.peer_sends(info(2, b"b"));
    client.expect_event(Event::Readable);
    client.expect_no_event();
    assert_eq!(client.machine.recv_chunk(), b"a");
    client.machine.consume(99);
    assert_eq!(client.machine.recv_chunk(), b"b");
    assert_eq!(client.machine.recv(&mut []), 0);
    let mut buf = [0; 8];
    assert_eq!(client.machine.recv(&mut buf), 1);
    assert_eq!(client.machine.recv_chunk(), b"");
    client.machine.consume(1);
    client.peer_sends(info(3, b"c"));
    client.expect_event(Event::Readable);
    assert!(!client.machine.is_finished_reading());
}

#[test]
fn a_full_store_takes_a_part_and_reports_writable_later() {
    let mut client = small_client(2);
    assert_eq!(client.machine.send(b"abcdefghij"), Ok(8));
    assert_eq!(client.machine.send(b"ij"), Ok(0));
    assert!(client.machine.send_slot().unwrap().is_empty());
    client.expect_no_event();
    client.expect(info(1, b"abcd"));
    client.expect_no_event();
    client.peer_sends(ack(1));
    client.expect_event(Event::Writable);
    client.expect_no_event();
    assert_eq!(client.machine.send(b"ij"), Ok(2));
    client.expect(info(2, b"efgh"));
    client.peer_sends(ack(2));
    // The last `send` took everything, so no write waits for room.
    client.expect_no_event();
    client.expect(info(3, b"ij"));
}

#[test]
fn send_segment_takes_all_or_nothing_in_an_info_of_its_own() {
    let mut client = small_client(3);
    assert_eq!(client.machine.send_segment(b"abcde"), Err(SendError::TooLarge { length: 5, limit: 4 }));
    assert_eq!(client.machine.send_segment(b""), Ok(()));
    client.expect_nothing();
    assert_eq!(client.machine.send(b"a"), Ok(1));
    assert_eq!(client.machine.send_segment(b"bc"), Ok(()));
    assert_eq!(client.machine.send(b"d"), Ok(1));
    assert_eq!(client.machine.send_segment(b"e"), Err(SendError::Full));
    client.expect(info(1, b"a"));
    client.peer_sends(ack(1));
    client.expect_event(Event::Writable);
    assert_eq!(client.machine.send_segment(b"e"), Ok(()));
    client.expect(info(2, b"bc"));
    client.peer_sends(ack(2));
    client.expect(info(3, b"d"));
    client.peer_sends(ack(3));
    client.expect(info(4, b"e"));
}

#[test]
fn a_slot_is_filled_in_place() {
    let mut client = small_client(2);
    assert_eq!(client.machine.commit(1), Err(SendError::NotLent));
    let slot = client.machine.send_slot().unwrap();
    assert_eq!(slot.len(), 4);
    slot.copy_from_slice(b"abcd");
    assert_eq!(client.machine.commit(3), Ok(()));
    assert_eq!(client.machine.send_slot().unwrap().len(), 1, "the rest of the same packet");
    client.machine.send_slot().unwrap()[0] = b'z';
    assert_eq!(client.machine.commit(99), Ok(()), "a count above the lent length commits all of it");
    client.expect(info(1, b"abcz"));
    client.machine.send_slot().unwrap();
    assert_eq!(client.machine.commit(0), Ok(()));
    client.peer_sends(ack(1));
    client.expect_nothing();
}

#[test]
fn a_segment_below_the_size_of_a_slot_limits_bodies() {
    let mut client = BaseTrace::established_client(Config { segment: 2, ..Config::base() });
    assert_eq!(client.machine.send(b"abc"), Ok(3));
    assert_eq!(client.machine.send_segment(b"abc"), Err(SendError::TooLarge { length: 3, limit: 2 }));
    client.expect(info(1, b"ab"));
    client.peer_sends(ack(1));
    client.expect(info(2, b"c"));
}

#[test]
fn a_buffer_too_small_is_an_error_and_changes_nothing() {
    let mut client = BaseTrace::established_client(Config::base());
    client.peer_sends(info(0, b"hello"));
    assert_eq!(client.machine.send(b"abc"), Ok(3));
    for (needed, packet) in [(4 + 1 + 4, ack(0)), (4 + 1 + 6 + 3, info(1, b"abc"))] {
        let before = client.machine.clone();
        for len in 0..needed {
            assert_eq!(client.machine.poll_transmit(client.now, &mut vec![0; len]), Err(BufferTooSmall { needed }));
        }
        assert_eq!(client.machine, before);
        let sent = client.machine.clone().poll_transmit(client.now, &mut vec![0; needed]).unwrap().unwrap();
        assert_eq!((sent.len, sent.segment_size), (needed, needed));
        client.expect(packet);
    }
}

#[test]
fn acknowledged_data_can_be_read_after_the_end() {
    let mut client = BaseTrace::established_client(Config::base());
    client.peer_sends(info(0, b"kept"));
    client.expect(ack(0));
    client.machine.abort(0);
    client.expect_event(Event::Readable);
    client.expect_event(Event::Closed(CloseReason::Aborted));
    client.expect(FIN);
    assert!(!client.machine.is_finished_reading());
    assert_eq!(client.read(), b"kept");
    assert!(client.machine.is_finished_reading());
}

#[test]
fn a_clock_that_goes_back_is_clamped() {
    let mut client = BaseTrace::established_client(Config::base());
    let late = client.now;
    client.now = late - Duration::from_millis(500);
    assert_eq!(client.machine.send(b"a"), Ok(1));
    let mut buf = [0; 64];
    let sent = client.machine.poll_transmit(client.now, &mut buf).unwrap();
    assert!(sent.is_some());
    client.machine.handle_timeout(client.now);
    let due = client.machine.poll_timeout().unwrap();
    assert!(due >= late + Duration::from_millis(30), "the timer starts at the latest time seen");
    client.now = late + Duration::from_millis(10);
    client.peer_sends(ack(1));
    assert_eq!(client.machine.rtt().srtt(), Some(Duration::from_millis(10)));
}

/// A second ACK of an INFO shows that the timeout was too short. Without this rule every INFO would be repeated for
/// ever, since a repeated INFO gives no RTT sample (Karn's algorithm).
#[test]
fn a_path_that_has_become_slower_is_measured() {
    let mut client = BaseTrace::established_client(Config::base());
    let mut sent = 0;
    for number in 1..=8 {
        assert_eq!(client.machine.send(b"x"), Ok(1));
        client.expect(info(number, b"x"));
        let answer = client.now + Duration::from_millis(100);
        while client.machine.poll_timeout().is_some_and(|due| due < answer) {
            client.sleep(1, 100);
            client.expect(info(number, b"x"));
            sent += 1;
        }
        client.now = answer;
        client.peer_sends(ack(number));
        // Each repetition is acknowledged too.
        while client.machine.stats().ignored.of(Ignored::OldAck) < sent {
            client.ignores(ack(number), Ignored::OldAck);
        }
    }
    assert_eq!(sent, 2, "only the first INFO is repeated: after 30 ms, and after 60 ms more");
}

/// `max_datagram_len` is the length of the largest datagram. With a small segment, it is the longest control packet.
#[test]
fn the_largest_datagram_has_the_configured_length() {
    for (segment, len) in [(1_200, 1_211), (0, 167), (200, 211), (u16::MAX, 65_507)] {
        let config = Config { segment, ..Config::base() };
        assert_eq!(config.max_datagram_len(), len);
        let mut client = BaseTrace::client_with(config, storage(&Config { segment: u16::MAX, ..config }, 1).unwrap());
        client.expect(CONNECT);
        client.machine.send(&[1; 70_000]).unwrap();
        client.peer_sends(CONNACK);
        let sent = client.machine.poll_transmit(client.now, &mut vec![0; len]).unwrap().unwrap().len;
        assert!(sent == len || (sent < 167 && len == 167), "{sent}");
    }
}
