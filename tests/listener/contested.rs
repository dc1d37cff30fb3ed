//! An observer copies datagrams of a peer, and answers challenges from an address of its own (RFC 9000 §9.3.3).

use super::moved::{NEW, OLD, THIRD, connected, moves, probes};
use harness::listener::*;
use harness::packets::datagram;
use rdt_proto::connection::{CloseReason, Event, Handled};
use rdt_proto::listener::Dispatch;
use rdt_proto::wire::{Framing, Packet};

/// The duration of a validation.
const VALIDATION_MS: u64 = 3_000;

/// Delivers a packet of the client with this counter.
fn receive(listener: &mut ListenerTrace, from: At, client: &Client, counter: u32, packet: Packet<'_>) -> Dispatch {
    let mut datagram = datagram(&Framing::tagged(client.theirs), packet);
    datagram[9..13].copy_from_slice(&counter.to_be_bytes());
    listener.receive_datagram(from, &datagram)
}

/// Delivers a copy from the new address, and returns whether it is challenged.
fn is_challenged(listener: &mut ListenerTrace, client: &Client) -> bool {
    listener.drops_from(NEW, client, info(1, b"a copy, longer than a PROBE"));
    probes(listener, client).iter().any(|(to, _)| *to == NEW)
}

/// The connection moves to the new address, and the old one is silent for a whole validation.
fn stolen() -> (ListenerTrace, Client) {
    let (mut listener, client) = connected();
    let (_, nonce) = moves(&mut listener, &client, 1);
    listener.answers(NEW, &client, nonce);
    listener.elapse_with_loss(VALIDATION_MS);
    listener.expect_at(&client, NEW);
    (listener, client)
}

#[test]
fn rfc9000_9_3_3_a_later_datagram_keeps_the_old_address() {
    let (mut listener, client) = connected();
    receive(&mut listener, NEW, &client, 7, info(1, b"a copy, longer than a PROBE"));
    let probed = probes(&mut listener, &client);
    let (_, nonce) = *probed.iter().find(|(to, _)| *to == NEW).expect("no PROBE");
    // The original of the copy shows nothing. It may have left before the peer moved.
    let accepted = Dispatch::Peer(client.id, Handled::Accepted);
    assert_eq!(receive(&mut listener, OLD, &client, 7, info(1, b"a copy, longer than a PROBE")), accepted);
    listener.takes_from(NEW, &client, echo(nonce));
    listener.peer(&client).consume(100);
    assert_eq!(receive(&mut listener, OLD, &client, 8, info(2, b"a later one")), accepted);
    listener.elapse_with_loss(VALIDATION_MS);
    listener.expect_at(&client, OLD);
    assert_eq!(listener.machine.stats().moved, 0);
}

/// The observer forwards its challenge to the peer, and copies the answer.
#[test]
fn the_old_address_may_answer_the_challenge_to_the_new_one() {
    let (mut listener, client) = connected();
    let (_, to_new) = moves(&mut listener, &client, 1);
    listener.takes_from(NEW, &client, echo(to_new));
    listener.takes(&client, echo(to_new));
    listener.elapse_with_loss(VALIDATION_MS);
    listener.expect_at(&client, OLD);
}

#[test]
fn each_failure_doubles_the_pause_before_the_next_validation() {
    let (mut listener, client) = connected();
    for pause_ms in [1_000, 2_000, 4_000, 8_000, 8_000] {
        let (to_old, _) = moves(&mut listener, &client, 1);
        listener.takes(&client, echo(to_old));
        listener.elapse_with_loss(pause_ms - 1);
        assert!(!is_challenged(&mut listener, &client), "{pause_ms} ms");
        listener.elapse_with_loss(1);
    }
    // Each calm minute halves the pause again.
    listener.elapse_with_loss(4 * 60_000);
    let (to_old, _) = moves(&mut listener, &client, 1);
    listener.takes(&client, echo(to_old));
    listener.elapse_with_loss(1_000);
    assert!(is_challenged(&mut listener, &client));
}

#[test]
fn a_confirmed_move_ends_the_doubt() {
    let (mut listener, client) = connected();
    let (to_old, _) = moves(&mut listener, &client, 1);
    listener.takes(&client, echo(to_old));
    listener.elapse_with_loss(1_000);
    let (_, to_new) = moves(&mut listener, &client, 1);
    listener.takes_from(NEW, &client, echo(to_new));
    listener.elapse_with_loss(2 * VALIDATION_MS);
    listener.expect_at(&client, NEW);
    // The next move waits only for the usual time.
    listener.drops_from(THIRD, &client, info(1, b"from a third, longer than a PROBE"));
    let probed = probes(&mut listener, &client);
    let (_, nonce) = *probed.iter().find(|(to, _)| *to == THIRD).expect("no PROBE");
    listener.answers(THIRD, &client, nonce);
    listener.expect_at(&client, THIRD);
}

#[test]
fn rfc9000_9_3_2_the_address_of_the_handshake_wins_the_stream_back() {
    let (mut listener, client) = stolen();
    listener.takes(&client, info(1, b"x"));
    let probed = probes(&mut listener, &client);
    let [(OLD, nonce)] = probed[..] else { panic!("only the address of the handshake is challenged: {probed:?}") };
    // The observer has no say.
    listener.takes_from(NEW, &client, info(1, b"x"));
    listener.takes(&client, echo(nonce));
    listener.expect_at(&client, OLD);
    assert_eq!(listener.machine.stats().moved, 2);
    // What comes from the other address starts nothing for a while.
    listener.drain();
    assert!(!is_challenged(&mut listener, &client));
}

#[test]
fn the_address_of_the_handshake_needs_no_pause() {
    let (mut listener, client) = stolen();
    for _ in 0..3 {
        // Another observer challenges the address that the connection has now.
        listener.drops_from(THIRD, &client, info(1, b"from a third, longer than a PROBE"));
        listener.drain();
        listener.takes(&client, info(1, b"x"));
        let probed = probes(&mut listener, &client);
        let (_, nonce) = *probed.iter().find(|(to, _)| *to == OLD).expect("no PROBE");
        listener.elapse_with_loss(VALIDATION_MS);
        listener.expect_at(&client, NEW);
        listener.drops_from(THIRD, &client, echo(nonce));
    }
}

#[test]
fn a_forged_datagram_from_the_old_host_does_not_move_the_connection() {
    let (mut listener, client) = stolen();
    for _ in 0..10 {
        listener.takes(&client, info(1, b"x"));
        let probed = probes(&mut listener, &client);
        assert!(probed.iter().all(|(to, _)| *to == OLD), "{probed:?}");
        listener.elapse_with_loss(1_000);
    }
    listener.expect_at(&client, NEW);
}

#[test]
fn a_reset_from_another_address_ends_nothing() {
    let (mut listener, client) = connected();
    listener.drops_from(NEW, &client, Packet::Reset { code: 1 });
    assert!(listener.peer(&client).is_established());
    listener.takes(&client, Packet::Reset { code: 1 });
    listener.expect_event(&client, Event::Closed(CloseReason::Reset { code: 1 }));
}
