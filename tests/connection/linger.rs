//! How long a side that has answered the last FIN lingers.

use harness::base::*;
use harness::extended::{ExtendedTrace, PEER, sack};
use rdt_proto::Duration;
use rdt_proto::connection::{CloseReason, Config, Ignored};
use rdt_proto::wire::{Framing, Packet};

/// Both sides close, this side first. Asserts how long it lingers.
#[track_caller]
fn lingers_for(side: &mut BaseTrace, millis: u64) {
    side.machine.close();
    side.expect(FIN);
    side.peer_sends(FINACK);
    side.peer_sends(FIN);
    side.expect(FINACK);
    side.sleep(millis, millis);
    assert!(side.machine.is_drained());
}

/// Regression: a side that had only received lingered for 3 s, three times the timeout without a sample.
#[test]
fn a_side_that_only_received_lingers_by_the_handshake() {
    for (round_trip, linger) in [(0, 1_000), (20, 1_000), (500, 4_500)] {
        let mut server = BaseTrace::server(Config::base());
        server.expect(CONNACK);
        server.elapse(round_trip);
        server.peer_sends(info(0, b""));
        server.expect(ack(0));
        lingers_for(&mut server, linger);

        let mut client = BaseTrace::client(Config::base());
        client.expect(CONNECT);
        client.elapse(round_trip);
        client.peer_sends(CONNACK);
        client.expect(info(0, b""));
        // The timeout of data stays 1 s. The ACK of a repeated INFO gives no sample.
        client.sleep(1_000, 1_063);
        client.expect(info(0, b""));
        client.peer_sends(ack(0));
        lingers_for(&mut client, linger);
    }
}

/// Karn's rule: an answer to a packet of the handshake that was repeated gives no sample.
#[test]
fn a_repeated_handshake_packet_measures_no_linger() {
    let mut server = BaseTrace::server(Config::base());
    server.expect(CONNACK);
    server.sleep(1_000, 1_063);
    server.expect(CONNACK);
    server.peer_sends(info(0, b""));
    server.expect(ack(0));
    lingers_for(&mut server, 3_000);

    // INFO 0 answers the first CONNACK. The repeated CONNECT has restarted the wait.
    let mut server = BaseTrace::server(Config::base());
    server.expect(CONNACK);
    server.elapse(600);
    server.peer_sends(CONNECT);
    server.peer_sends(info(0, b""));
    server.expect(ack(0));
    lingers_for(&mut server, 3_000);
}

#[test]
fn linger_follows_the_config_and_is_at_least_three_timeouts() {
    let mut client = BaseTrace::established_client(Config { linger: Duration::from_secs(20), ..Config::base() });
    client.machine.close();
    client.expect(FIN);
    client.peer_sends(FINACK);
    client.peer_sends(FIN);
    client.expect(FINACK);
    client.sleep(20_000, 20_000);
    assert!(client.machine.is_drained());
}

/// Regression: a peer that had closed, and answered anything but FIN, held its place for its progress limit.
#[test]
fn a_peer_that_never_answers_the_last_fin_is_left_after_thirteen() {
    for answer in [Packet::Probe { nonce: 1, for_window: false, padding: &[] }, Packet::Fin, sack(1, 0, 1, &[])] {
        let mut client = ExtendedTrace::established(Config::default());
        client.peer_sends(Packet::Fin);
        client.machine.close();
        let (start, mut fins) = (client.now, 0);
        while client.machine.ended().is_none() {
            fins += client.drain_names().iter().filter(|name| *name == "Fin").count();
            client.receive(answer);
            client.elapse_with_loss(100);
        }
        assert_eq!(client.machine.ended(), Some(CloseReason::Finished), "{answer:?}");
        let seconds = client.now.saturating_since(start).as_secs();
        assert!((4..=6).contains(&seconds), "{seconds} s, {fins} FINs");
    }
}

/// An outage before the peer's FIN does not count.
#[test]
fn a_last_fin_is_counted_from_the_fin_of_the_peer_on() {
    let mut client = ExtendedTrace::established(Config::default());
    client.machine.close();
    client.elapse_with_loss(20_000);
    client.peer_sends(Packet::Fin);
    client.elapse_with_loss(2_000);
    assert_eq!(client.machine.ended(), None);
    client.peer_sends(Packet::FinAck);
    assert_eq!(client.machine.ended(), Some(CloseReason::Finished));
}

/// Both sides close, the peer first. The machine has not yet answered the last packet of the peer.
fn ended() -> ExtendedTrace {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer_sends(Packet::Fin);
    client.machine.close();
    client.expect(Packet::FinAck);
    client.expect(Packet::Fin);
    client.peer_sends(Packet::FinAck);
    client
}

#[test]
fn a_side_that_leaves_repeats_its_last_finack_twice() {
    let mut client = ended();
    client.expect_nothing();
    assert!(!client.machine.is_drained());
    client.machine.leave();
    client.machine.leave();
    client.expect(Packet::FinAck);
    assert!(!client.machine.is_drained());
    client.expect(Packet::FinAck);
    client.expect_nothing();
    assert!(client.machine.is_drained());
    client.ignores(Packet::Fin, Ignored::Closed);
}

#[test]
fn a_side_that_leaves_answers_a_fin_that_has_arrived() {
    let mut client = ended();
    client.peer_sends(Packet::Fin);
    client.machine.leave();
    assert_eq!(client.drain_names(), ["FinAck", "FinAck", "FinAck"]);
    assert!(client.machine.is_drained());
}

/// Regression: RESET left once. If it was lost, the peer waited for its idle limit.
#[test]
fn a_side_that_aborts_and_leaves_repeats_its_reset_twice() {
    let mut client = ExtendedTrace::established(Config::default());
    client.machine.abort(7);
    client.machine.leave();
    client.machine.leave();
    for _ in 0..3 {
        assert!(!client.machine.is_drained());
        client.expect(Packet::Reset { code: 7 });
        client.machine.leave();
    }
    client.expect_nothing();
    assert!(client.machine.is_drained());
    let mut client = ExtendedTrace::established(Config::default());
    client.machine.abort(7);
    client.expect(Packet::Reset { code: 7 });
    client.machine.leave();
    client.expect_nothing();
}

#[test]
fn leaving_changes_nothing_before_the_end_and_in_base_mode() {
    let mut client = ExtendedTrace::established(Config::default());
    client.machine.leave();
    client.sends(1, 1);
    let mut client = BaseTrace::established_client(Config::base());
    client.machine.close();
    client.expect(FIN);
    client.peer_sends(FINACK);
    client.peer_sends(FIN);
    client.expect(FINACK);
    client.machine.leave();
    client.peer_sends(FIN);
    client.expect(FINACK);
}

#[test]
fn leaving_a_connection_that_was_reset_sends_nothing() {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer_sends(Packet::Reset { code: 1 });
    client.machine.leave();
    client.expect_nothing();
}

/// The path has lost nothing that this side knows of. The peer has sent data, whose SACK FIN repeats.
#[test]
fn an_unanswered_fin_of_extended_mode_is_repeated_with_a_sack() {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer_sends(info(0, b"x"));
    client.machine.close();
    client.expect_sack(1, &[]);
    client.expect(FIN);
    // Two round trips and the acknowledgement delay, and a sixteenth of jitter at most.
    for _ in 0..4 {
        client.sleep(200, 239);
        client.expect_sack(1, &[]);
        client.expect(FIN);
    }
    client.peer_sends(FIN);
    client.expect(FINACK);
    // The peer has closed, so it needs no SACK.
    client.sleep(200, 400);
    client.expect(FIN);
}

/// Regression: such a SACK named the pause before it as its delay. The peer took most of it for the round trip.
#[test]
fn a_sack_that_repeats_with_fin_gives_no_rtt_sample() {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer_sends(info(0, b"x"));
    client.machine.close();
    let delay = |client: &mut ExtendedTrace| {
        let sent = client.next_datagram().expect("a SACK is due");
        let Ok(Packet::Sack(sack)) = Framing::tagged(PEER).decode(&sent) else { panic!("{sent:?}") };
        client.expect(FIN);
        sack.delay.duration()
    };
    assert!(delay(&mut client).is_some());
    client.sleep(200, 239);
    assert_eq!(delay(&mut client), None);
}
