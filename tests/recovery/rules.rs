//! Loss recovery of selective repeat, rule by rule (RFC 8985, RFC 6298).

use harness::extended::*;
use rdt_proto::congestion::{Controller, NewReno};
use rdt_proto::connection::{Config, HandshakeParameters, HeapStorage};
use rdt_proto::wire::{Packet, Sack, SackDelay};
use rdt_proto::{Duration, Seq};

/// An established client with an RTT of 100 ms.
fn client() -> ExtendedTrace {
    ExtendedTrace::established(Config::default())
}

#[test]
fn rfc8985_6_2_three_later_acknowledgements_mark_a_packet_lost() {
    let mut client = client();
    client.sends(1, 5);
    client.elapse(100);
    client.peer_sends(sack(1, 2, 1, &[0b00010]));
    client.expect_nothing();
    client.peer_sends(sack(1, 3, 1, &[0b00110]));
    client.expect_nothing();
    client.peer_sends(sack(1, 4, 1, &[0b01110]));
    client.expect(info(1, b"x"));
    client.expect_nothing();
}

#[test]
fn rfc8985_6_2_one_later_ack_marks_a_loss_after_a_quarter_rtt() {
    let mut client = client();
    client.sends(1, 2);
    client.elapse(100);
    client.peer_sends(sack(1, 2, 1, &[0b10]));
    client.sleep(25, 25);
    client.expect(info(1, b"x"));
}

#[test]
fn rfc8985_6_2_step_3_reordering_widens_the_window() {
    let mut client = client();
    client.sends(1, 4);
    client.elapse(100);
    // Packet 2 arrives before packet 1, so the path reorders.
    client.peer_sends(sack(1, 2, 1, &[0b0010]));
    client.peer_sends(sack(3, 1, 3, &[]));
    client.peer_sends(sack(5, 4, 5, &[]));
    client.sends(5, 6);
    client.elapse(100);
    // Five later packets are acknowledged, and packet 5 is not marked lost yet.
    client.peer_sends(sack(5, 10, 5, &[0b11_1110]));
    client.sleep(25, 25);
    client.expect(info(5, b"x"));
}

/// The original of packet 66 is 41 ms late. The minimum round-trip time is 60 ms, so two quarters of it are shorter.
#[test]
fn a_late_packet_widens_the_window_by_what_it_was_late() {
    let mut client = client_with_credit();
    client.sends(65, 1);
    client.elapse(60);
    client.peer_sends(sack(66, 65, 66, &[]));
    client.sends(66, 1);
    let counter = client.peer.machine_counter - 1;
    client.elapse(1);
    client.sends(67, 4);
    client.elapse(99);
    client.peer_sends(sack(66, 70, 66, &[0b11110]));
    client.expect(info(66, b"x"));
    client.elapse(40);
    client.peer_sends(sack_of(71, 66, counter, 71, &[]));
    assert_eq!(client.machine.path().spurious, 1);
    client.sends(71, 4);
    client.elapse(100);
    // Three later packets are acknowledged. Packet 71 may be as late as packet 66 was.
    client.peer_sends(sack(71, 74, 71, &[0b1110]));
    client.sleep(45, 45);
    client.expect(info(71, b"x"));
}

#[test]
fn rfc8985_3_3_a_lost_retransmission_is_found_too() {
    let mut client = client();
    client.sends(1, 4);
    client.elapse(100);
    client.peer_sends(sack(1, 4, 1, &[0b1110]));
    client.expect(info(1, b"x"));
    client.elapse(10);
    client.sends(5, 3);
    client.elapse(100);
    // Packets sent after the retransmission are acknowledged, but the retransmission is not.
    client.peer_sends(sack(1, 7, 1, &[0b111_1110]));
    client.expect(info(1, b"x"));
    client.expect_nothing();
}

#[test]
fn rfc8985_7_3_a_probe_repeats_the_last_packet_of_a_silent_tail() {
    let mut client = client();
    client.sends(1, 3);
    // The probe follows after two round trips. With several packets in flight, no time is added for a delayed ACK.
    client.sleep(200, 200);
    client.expect(info(3, b"x"));
    // The SACK of the probe shows that 1 and 2 are lost.
    client.elapse(100);
    client.peer_sends(sack(1, 3, 1, &[0b100]));
    client.expect(info(1, b"x"));
    client.expect(info(2, b"x"));
}

#[test]
fn rfc8985_7_2_a_probe_for_one_packet_waits_for_a_delayed_ack() {
    let mut client = client();
    client.sends(1, 1);
    client.sleep(205, 205);
    client.expect(info(1, b"x"));
}

/// Regression: with an RTT of 0, as on loopback with a coarse clock, the probe was due in the instant of sending.
#[test]
fn rfc8985_7_2_a_probe_is_never_due_at_once() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.peer_sends_connack(PARAMETERS);
    client.expect(info(0, b""));
    client.peer_sends(sack(1, 0, 1, &[]));
    client.sends(1, 3);
    client.sleep(1, 1);
    client.expect(info(3, b"x"));
    client.expect_nothing();
}

#[test]
fn rfc8985_7_3_a_probe_carries_new_data_if_there_is_any() {
    let mut client = ExtendedTrace::established_with(Config::default(), storage(&Config::default(), 32, 1));
    client.machine.send(&[7; 2_400]).unwrap();
    client.expect(info(1, &[7; 1_200]));
    // The probe is sent although the congestion window is full.
    client.sleep(205, 205);
    client.expect(info(2, &[7; 1_200]));
    client.expect_nothing();
}

#[test]
fn rfc6298_5_4_a_timeout_repeats_all_packets_the_oldest_first() {
    let mut client = client();
    client.sends(1, 3);
    client.sleep(200, 200);
    client.expect(info(3, b"x"));
    // RTO = SRTT + 4 RTTVAR + 5 ms = 100 + 200 + 5 ms, with its jitter.
    client.sleep(305, 325);
    client.expect(info(1, b"x"));
    client.expect(info(2, b"x"));
    client.expect(info(3, b"x"));
    client.expect_nothing();
}

#[test]
fn rfc6298_5_5_the_timeout_doubles_until_a_sample() {
    let mut client = client();
    client.sends(1, 1);
    client.sleep(205, 205);
    client.expect(info(1, b"x"));
    client.sleep(305, 325);
    client.expect(info(1, b"x"));
    // While the peer is silent, the probe backs off too.
    client.sleep(410, 410);
    client.expect(info(1, b"x"));
    client.sleep(610, 650);
    client.expect(info(1, b"x"));
    client.elapse(100);
    // The SACK answers the last transmission, 100 ms ago.
    client.peer_sends(sack(2, 1, 2, &[]));
    assert_eq!(client.machine.rtt().srtt(), Some(Duration::from_millis(100)));
    client.sends(2, 1);
    client.sleep(205, 205);
    client.expect(info(2, b"x"));
}

#[test]
fn a_sample_is_of_the_transmission_that_the_sack_names() {
    let mut client = client();
    client.sends(1, 1);
    client.sleep(205, 205);
    client.expect(info(1, b"x"));
    client.elapse(120);
    client.peer_sends(sack(2, 1, 2, &[]));
    // 7/8 of 100 ms and 1/8 of 120 ms.
    assert_eq!(client.machine.rtt().srtt(), Some(Duration::from_micros(102_500)));
}

#[test]
fn a_late_packet_is_not_sent_again_once_acknowledged() {
    let mut client = client();
    client.sends(1, 7);
    client.elapse(100);
    // Packets 1 to 3 are marked lost, and then acknowledged before they are repeated.
    client.peer_sends(sack(1, 7, 1, &[0b0111_1000]));
    client.peer_sends(sack(8, 3, 8, &[]));
    client.expect_nothing();
    assert_eq!(client.machine.stats().infos_repeated, 0);
    assert!(client.machine.is_all_acknowledged());
}

#[test]
fn a_late_sack_moves_nothing_back() {
    let mut client = client();
    client.sends(1, 6);
    client.elapse(100);
    client.peer_sends(sack(5, 4, 5, &[]));
    client.peer_sends(sack(2, 1, 2, &[]));
    client.peer_sends(sack(3, 5, 3, &[0b100]));
    client.expect_nothing();
    client.peer_sends(sack(7, 6, 7, &[]));
    assert!(client.machine.is_all_acknowledged());
    assert_eq!(client.machine.poll_timeout(), None);
    assert!(client.machine.rtt().srtt() <= Some(Duration::from_millis(100)));
}

/// A client with credit for proactive retransmissions, which has just detected four losses among eight packets.
///
/// Its next number is 105.
fn client_on_a_lossy_path() -> ExtendedTrace {
    let mut client = client_after(3);
    client.sends(97, 8);
    client.elapse(100);
    client.peer_sends(sack(97, 104, 97, &[0b1111_0000]));
    (97..101).for_each(|number| client.expect(info(number, b"x")));
    client.sleep(50, 50);
    (97..101).for_each(|number| client.expect(info(number, b"x")));
    client.elapse(10);
    // Counter 0 is too old to be known, so the SACK gives no sample.
    client.peer_sends(sack_of(105, 100, 0, 105, &[]));
    client
}

#[test]
fn at_high_loss_the_last_packets_are_sent_twice() {
    let mut client = client_on_a_lossy_path();
    client.sends(105, 3);
    // The first copies are sent after an eighth of an RTT, the newest first. The next copies follow half an RTT later,
    // if no SACK arrives.
    let srtt_ms = client.machine.rtt().srtt().unwrap().as_millis();
    client.sleep(srtt_ms / 8, srtt_ms / 8 + 1);
    for number in [107, 106, 105] {
        client.expect(info(number, b"x"));
    }
    client.sleep(srtt_ms / 2, srtt_ms / 2 + 1);
}

#[test]
fn at_high_loss_copies_repeat_before_probes() {
    let mut client = client_on_a_lossy_path();
    for number in 105..112 {
        client.sends(number, 1);
        client.elapse(10);
    }
    // Packets older than half an RTT get no copy, since their acknowledgement is due soon.
    client.sleep(1, 4);
    for number in [111, 110, 109, 108] {
        client.expect(info(number, b"x"));
    }
    client.elapse(35);
    // Counter 0 is too old to be known, so the SACK gives no sample.
    client.peer_sends(sack_of(105, 110, 0, 105, &[0b11_1000]));
    client.sleep(10, 20);
    client.expect(info(111, b"x"));
    (0..2).for_each(|_| {
        client.sleep(12, 13);
        client.expect(info(111, b"x"));
    });
    client.sleep(1, 10);
    client.expect(info(105, b"x"));
}

/// A client with credit for some proactive retransmissions. Its next number is 65.
fn client_with_credit() -> ExtendedTrace {
    client_after(2)
}

/// A client that has sent 32 datagrams in each of `rounds` round trips. Its credit is an eighth of all of them.
fn client_after(rounds: u32) -> ExtendedTrace {
    let mut client = client();
    for first in (0..rounds).map(|round| round * 32 + 1) {
        client.sends(first, 32);
        client.elapse(100);
        client.peer_sends(sack(first + 32, first + 31, first + 32, &[]));
    }
    client
}

#[test]
fn an_idle_sender_repeats_a_loss_again_after_half_a_round_trip() {
    let mut client = client_with_credit();
    client.sends(65, 4);
    client.elapse(100);
    client.peer_sends(sack(65, 68, 65, &[0b1110]));
    client.expect(info(65, b"x"));
    client.sleep(50, 50);
    client.expect(info(65, b"x"));
    // After a second loss the interval is shorter.
    client.sleep(12, 12);
    client.expect(info(65, b"x"));
    // The SACK answers the last transmission, and does not show that a retransmission was spurious.
    client.elapse(10);
    client.peer_sends(sack(69, 65, 69, &[]));
    assert!(client.machine.is_all_acknowledged());
    // Nor does it show a round trip shorter than the least one.
    assert_eq!(client.machine.rtt().srtt(), Some(Duration::from_millis(100)));
    assert_eq!(client.machine.path().spurious, 0);
    // The path does not count as reordering, so three later acknowledgements still mark a loss.
    client.sends(69, 4);
    client.elapse(100);
    client.peer_sends(sack(69, 72, 69, &[0b1110]));
    client.expect(info(69, b"x"));
}

#[test]
fn a_packet_never_lost_is_not_sent_proactively() {
    let mut client = client_with_credit();
    client.sends(65, 3);
    client.sleep(200, 200);
    client.expect(info(67, b"x"));
}

#[test]
fn nothing_is_sent_proactively_while_the_peer_is_silent() {
    let mut client = client_with_credit();
    client.sends(65, 1);
    client.sleep(205, 205);
    client.expect(info(65, b"x"));
    // The timeout follows, and then another probe.
    client.sleep(200, 240);
    client.expect(info(65, b"x"));
    client.sleep(410, 410);
    client.expect(info(65, b"x"));
}

#[test]
fn rfc9002_7_8_no_growth_while_the_peers_window_is_the_limit() {
    let config = Config::default();
    let controller = |datagram: u32| NewReno::new(datagram).into();
    let storage: HeapStorage<Controller> = HeapStorage::on_heap_with(&config, 64, controller).unwrap();
    let mut client = ExtendedTrace::client_with(config, storage);
    client.learns_tag();
    client.peer_sends_connack(HandshakeParameters { window: 8, ..PARAMETERS });
    client.expect(info(0, b""));
    client.elapse(100);
    let sack = |next| Sack { window: 8, ..sack_to(next) };
    client.peer_sends(Packet::Sack(sack(1)));
    let before = client.machine.path().window;
    for _ in 0..60 {
        client.machine.send_segment(b"x").unwrap();
    }
    for next in [9, 17, 25, 33] {
        assert_eq!(client.drain().len(), 8);
        client.elapse(100);
        client.peer_sends(Packet::Sack(sack(next)));
    }
    assert_eq!(client.machine.path().window, before);
}

/// A SACK that acknowledges each number before `next`.
fn sack_to(next: u32) -> Sack<'static> {
    let (next, counter) = (Seq::new(next), LAST_TRANSMISSION);
    let delay = SackDelay::new(0);
    Sack { next, window: 64, latest: next.sub(1), counter, delay, ce: 0, base: next, bitmap: &[] }
}

/// Regression: after one large packet no small one ever gave a sample, and the backoff only grew.
#[test]
fn a_small_packet_alone_gives_the_first_sample() {
    let mut client = ExtendedTrace::client(Config::default());
    client.machine.send_segment(&[7; 1_200]).unwrap();
    client.machine.send_segment(b"hello").unwrap();
    client.learns_tag();
    client.peer_sends_connack(PARAMETERS);
    while client.next_datagram().is_some() {}
    client.elapse_with_loss(20);
    client.peer_sends(sack(2, 1, 2, &[]));
    assert_eq!(client.machine.path().srtt, None, "on a slow line the large packet takes longer");
    client.machine.send_segment(b"alone").unwrap();
    client.next_datagram().unwrap();
    client.elapse_with_loss(20);
    client.peer_sends(sack(3, 2, 3, &[]));
    assert!(client.machine.path().srtt.is_some());
}
