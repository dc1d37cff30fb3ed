//! Peers that move to another address, and attackers that forge such a move (RFC 9000 §9.3).

use harness::listener::*;
use rdt_proto::connection::Event;
use rdt_proto::listener::ListenerConfig;
use rdt_proto::wire::{Framing, Packet, Sack, SackDelay};

pub(crate) const OLD: At = At(1, 1);
pub(crate) const NEW: At = At(2, 1);
pub(crate) const THIRD: At = At(3, 1);

pub(crate) fn connected() -> (ListenerTrace, Client) {
    let mut listener = ListenerTrace::new(ListenerConfig::default());
    let client = listener.established(OLD, tag(1));
    (listener, client)
}

/// Delivers INFO `number` from the new address. Returns the nonces of the PROBEs to the old and to the new address.
#[track_caller]
pub(crate) fn moves(listener: &mut ListenerTrace, client: &Client, number: u32) -> (u64, u64) {
    listener.drops_from(NEW, client, info(number, b"from elsewhere"));
    let (mut to_old, mut to_new) = (None, None);
    for (to, sent) in listener.drain() {
        match (to, Framing::tagged(client.tag).decode(&sent).unwrap()) {
            (OLD, Packet::Probe { nonce, .. }) => to_old = Some(nonce),
            (NEW, Packet::Probe { nonce, .. }) => to_new = Some(nonce),
            (to, packet) => assert!(to == OLD, "{packet:?} to {to:?}"),
        }
    }
    (to_old.expect("no PROBE to the old address"), to_new.expect("no PROBE to the new address"))
}

#[test]
fn the_new_address_takes_over_when_it_answers() {
    let (mut listener, client) = connected();
    let (_, nonce) = moves(&mut listener, &client, 1);
    assert!(listener.peer(&client).recv_chunk().is_empty(), "the data of a new address does not count");
    listener.peer(&client).send(b"to the old one").unwrap();
    listener.expect(OLD, &client, info(0, b"to the old one"));
    listener.takes_from(NEW, &client, echo(nonce));
    listener.expect_at(&client, OLD);
    listener.elapse_with_loss(PATIENCE_MS);
    listener.expect_at(&client, NEW);
    listener.takes_from(NEW, &client, info(1, b"from elsewhere"));
    assert_eq!(listener.peer(&client).recv_chunk(), b"from elsewhere");
    listener.takes_from(NEW, &client, sack(1));
    listener.elapse_with_loss(30);
    listener.peer(&client).send(b"to the new one").unwrap();
    listener.expect(NEW, &client, info(1, b"to the new one"));
    assert_eq!(listener.machine.stats().moved, 1);
    // The connection stays at the new address when path validation is over.
    listener.elapse_with_loss(20_000);
    listener.expect_at(&client, NEW);
}

/// Regression: the validation lasted for three timeouts of the old path, and no slower path could answer in time.
#[test]
fn a_path_much_slower_than_the_old_one_takes_over() {
    let (mut listener, client) = connected();
    let (_, nonce) = moves(&mut listener, &client, 1);
    listener.elapse_with_loss(900);
    listener.takes_from(NEW, &client, echo(nonce));
    listener.expect_at(&client, NEW);
}

#[test]
fn the_old_address_answers_first_and_the_connection_stays() {
    let (mut listener, client) = connected();
    let (to_old, to_new) = moves(&mut listener, &client, 1);
    listener.takes(&client, echo(to_old));
    listener.expect_at(&client, OLD);
    listener.drops_from(NEW, &client, echo(to_new));
    listener.expect_at(&client, OLD);
}

#[test]
fn the_old_address_answers_later_and_the_connection_returns() {
    let (mut listener, client) = connected();
    let (to_old, to_new) = moves(&mut listener, &client, 1);
    listener.answers(NEW, &client, to_new);
    listener.expect_at(&client, NEW);
    listener.takes_from(OLD, &client, echo(to_old));
    listener.expect_at(&client, OLD);
    listener.elapse_with_loss(30);
    listener.peer(&client).send(b"x").unwrap();
    listener.expect(OLD, &client, info(0, b"x"));
}

#[test]
fn without_an_answer_nothing_moves_until_a_later_validation() {
    let (mut listener, client) = connected();
    let first = moves(&mut listener, &client, 1);
    listener.elapse_with_loss(4_000);
    listener.expect_at(&client, OLD);
    listener.drops_from(NEW, &client, echo(first.1));
    let second = moves(&mut listener, &client, 2);
    assert_ne!(first, second);
    listener.takes_from(NEW, &client, echo(second.1));
    // After a failure, the old address has precedence for a whole validation.
    listener.elapse_with_loss(2_999);
    listener.expect_at(&client, OLD);
    listener.elapse_with_loss(1);
    listener.expect_at(&client, NEW);
}

/// A PROBE to the new address is repeated only if this address has sent enough bytes for it.
#[test]
fn a_lost_probe_is_repeated_by_the_timeout() {
    let (mut listener, client) = connected();
    let (_, nonce) = moves(&mut listener, &client, 1);
    listener.drops_from(NEW, &client, info(2, b"more from there"));
    listener.drain();
    let mut probes = Vec::new();
    while let Some(due) = listener.machine.poll_timeout().filter(|_| probes.len() < 2) {
        listener.now = due.max(listener.now);
        listener.machine.handle_timeout(listener.now);
        probes.extend(listener.drain().into_iter().filter(|(to, _)| *to == NEW));
    }
    let repeated = Framing::tagged(client.tag).decode(&probes[0].1).unwrap();
    assert_eq!(repeated, Packet::Probe { nonce, for_window: false, padding: &[] });
    listener.answers(NEW, &client, nonce);
    listener.expect_at(&client, NEW);
}

/// The attacker copies datagrams of the peer, and receives none that are sent to the peer.
#[test]
fn a_sender_that_cannot_echo_moves_nothing_and_gains_no_bytes() {
    let (mut listener, client) = connected();
    for number in 1..50 {
        // The copy from another address overtakes the original.
        listener.drops_from(NEW, &client, info(number, b"x"));
        listener.takes(&client, info(number, b"x"));
        listener.peer(&client).consume(1);
        for guess in 0..20 {
            listener.drops_from(NEW, &client, echo(guess));
        }
        listener.elapse_with_loss(700);
        listener.expect_at(&client, OLD);
    }
    assert_eq!(listener.machine.stats().moved, 0);
}

#[test]
fn an_echo_counts_only_from_the_address_of_its_probe() {
    let (mut listener, client) = connected();
    let (to_old, to_new) = moves(&mut listener, &client, 1);
    for (from, nonce) in [(NEW, to_old), (THIRD, to_new), (THIRD, to_old)] {
        listener.drops_from(from, &client, echo(nonce));
    }
    listener.expect_at(&client, OLD);
    listener.answers(NEW, &client, to_new);
    listener.expect_at(&client, NEW);
}

#[test]
fn one_path_is_validated_at_a_time() {
    let (mut listener, client) = connected();
    let (_, nonce) = moves(&mut listener, &client, 1);
    let before = listener.machine.stats().other_address;
    listener.drops_from(THIRD, &client, info(2, b"from a third"));
    assert_eq!(listener.machine.stats().other_address, before + 1);
    assert!(listener.drain().iter().all(|(to, _)| *to != THIRD));
    listener.answers(NEW, &client, nonce);
    listener.expect_at(&client, NEW);
}

#[test]
fn a_moved_peer_counts_for_its_new_host() {
    let config = ListenerConfig { per_host: 1, ..ListenerConfig::default() };
    let mut listener = ListenerTrace::new(config);
    let client = listener.established(OLD, tag(1));
    let (_, nonce) = moves(&mut listener, &client, 1);
    listener.takes_from(NEW, &client, echo(nonce));
    // Path validation ends, and the old address has not answered.
    listener.elapse_with_loss(4_000);
    listener.queues(At(1, 9), tag(2));
    listener.ignores(At(2, 9), tag(2), rdt_proto::listener::DropReason::HostLimit);
}

/// Another port of the same host may be another mapping of a NAT, or another path behind a relay.
#[test]
fn rfc9000_9_4_at_another_address_the_estimates_start_again() {
    for to in [NEW, At(OLD.0, 2)] {
        let (mut listener, client) = connected();
        listener.peer(&client).send(b"x").unwrap();
        let (_, sent) = listener.transmit().unwrap();
        let counter = u32::from_be_bytes(sent[9..13].try_into().unwrap());
        listener.elapse(70);
        let Packet::Sack(all) = sack(1) else { panic!() };
        listener.takes(&client, Packet::Sack(Sack { counter, delay: SackDelay::new(0), ..all }));
        let before = listener.peer(&client).path();
        assert!(before.srtt.is_some());
        listener.drops_from(to, &client, info(1, b"from elsewhere"));
        let probes = listener.drain();
        let mut nonces = probes.iter().filter(|(at, _)| *at == to).map(|(_, sent)| {
            match Framing::tagged(client.tag).decode(sent).unwrap() {
                Packet::Probe { nonce, .. } => nonce,
                packet => panic!("{packet:?}"),
            }
        });
        let nonce = nonces.next_back().unwrap();
        listener.answers(to, &client, nonce);
        listener.expect_at(&client, to);
        assert_eq!(listener.peer(&client).path().srtt, before.srtt, "the old address may still answer");
        listener.elapse_with_loss(3_000);
        let after = listener.peer(&client).path();
        assert_eq!((after.srtt, after.min_rtt), (None, None));
    }
}

/// A client that restarts at the address to which it had moved evicts its old connection.
#[test]
fn a_connection_that_moved_is_evicted_at_its_new_address() {
    let (mut listener, client) = connected();
    let (_, nonce) = moves(&mut listener, &client, 1);
    listener.answers(NEW, &client, nonce);
    let other = listener.established(OLD, tag(2));
    assert!(listener.peer(&client).is_established());
    listener.established(NEW, tag(3));
    listener.expect_event(&client, Event::Closed(rdt_proto::connection::CloseReason::Evicted));
    assert!(listener.peer(&other).is_established());
}

/// Regression: the ECHO that ended path validation did not restart the idle limit of its connection.
#[test]
fn an_echo_of_path_validation_restarts_the_idle_limit() {
    let (mut listener, client) = connected();
    listener.peer(&client).send(b"waits for an answer").unwrap();
    listener.drain();
    let before = listener.peer(&client).stats().clone();
    let (_, nonce) = moves(&mut listener, &client, 1);
    listener.elapse_with_loss(200);
    listener.takes_from(NEW, &client, echo(nonce));
    let stats = listener.peer(&client).stats().clone();
    assert_eq!(stats.datagrams_received - before.datagrams_received, 1);
    assert_eq!(stats.bytes_received - before.bytes_received, 25);
    // The idle limit runs from the ECHO.
    listener.elapse_with_loss(29_999);
    assert_eq!(listener.peer(&client).ended(), None);
    listener.elapse_with_loss(1);
    assert_eq!(listener.peer(&client).ended(), Some(rdt_proto::connection::CloseReason::TimedOut));
}

#[test]
fn the_end_of_a_connection_ends_path_validation() {
    let (mut listener, client) = connected();
    moves(&mut listener, &client, 1);
    listener.peer(&client).abort(1);
    let sent = listener.drain();
    assert_eq!(sent.len(), 1, "only RESET is sent");
    listener.expect_nothing();
    assert_eq!(listener.machine.poll_timeout(), None);
    listener.machine.release(listener.now, client.id);
    assert!(listener.machine.is_empty());
}

/// Drains all datagrams, and returns the destination and the nonce of each PROBE.
pub(crate) fn probes(listener: &mut ListenerTrace, client: &Client) -> Vec<(At, u64)> {
    let framing = Framing::tagged(client.tag);
    let sent = listener.drain();
    let nonce = |sent: &[u8]| match framing.decode(sent).unwrap() {
        Packet::Probe { nonce, .. } => Some(nonce),
        _ => None,
    };
    sent.iter().filter_map(|(to, sent)| Some((*to, nonce(sent)?))).collect()
}

/// Advances the time to the next deadline and handles it. Returns whether there was one.
fn wake(listener: &mut ListenerTrace) -> bool {
    let Some(due) = listener.machine.poll_timeout() else { return false };
    listener.now = due.max(listener.now);
    listener.machine.handle_timeout(listener.now);
    true
}

/// The new address has sent enough bytes for five PROBEs.
#[test]
fn each_address_is_probed_five_times_in_three_timeouts() {
    let (mut listener, client) = connected();
    let start = listener.now;
    let (to_old, to_new) = moves(&mut listener, &client, 1);
    listener.drops_from(NEW, &client, info(2, &[0; 100]));
    let mut probed = vec![(OLD, to_old), (NEW, to_new)];
    probed.extend(probes(&mut listener, &client));
    while wake(&mut listener) {
        probed.extend(probes(&mut listener, &client));
    }
    let count = |at, nonce| probed.iter().filter(|probe| **probe == (at, nonce)).count();
    assert_eq!((count(OLD, to_old), count(NEW, to_new), probed.len()), (5, 5, 10), "{probed:?}");
    // Each timeout is one second, although the path answers sooner.
    let took = listener.now.saturating_since(start).as_millis();
    assert!((3_000..3_300).contains(&took), "{took} ms");
    listener.expect_at(&client, OLD);
}

#[test]
fn the_old_address_may_answer_a_repeated_probe() {
    let (mut listener, client) = connected();
    let (to_old, to_new) = moves(&mut listener, &client, 1);
    listener.answers(NEW, &client, to_new);
    listener.expect_at(&client, NEW);
    while !probes(&mut listener, &client).contains(&(OLD, to_old)) {
        assert!(wake(&mut listener), "the PROBE to the old address is repeated");
    }
    listener.takes_from(OLD, &client, echo(to_old));
    listener.expect_at(&client, OLD);
}

/// One FIN is shorter than a PROBE. Two together are longer.
#[test]
fn a_new_address_is_probed_once_it_has_sent_as_many_bytes() {
    let (mut listener, client) = connected();
    listener.drops_from(NEW, &client, Packet::Fin);
    assert!(probes(&mut listener, &client).iter().all(|(to, _)| *to == OLD));
    listener.expect_at(&client, OLD);
    listener.drops_from(NEW, &client, Packet::Fin);
    let probed = probes(&mut listener, &client);
    let [(NEW, nonce)] = probed[..] else { panic!("{probed:?}") };
    listener.answers(NEW, &client, nonce);
    listener.expect_at(&client, NEW);
}

/// An attacker copies one datagram of the peer, and sends it from another address.
#[test]
fn a_copied_datagram_does_not_move_the_connection() {
    let (mut listener, client) = connected();
    listener.takes(&client, info(1, b"once"));
    listener.drain();
    for answers in [true, false] {
        listener.drops_from(NEW, &client, info(1, b"once"));
        let probed = probes(&mut listener, &client);
        let [(at, _), (other, _)] = probed[..] else { panic!("{probed:?}") };
        assert_ne!(at, other, "each address gets one PROBE");
        if answers {
            let (_, nonce) = probed.iter().find(|(to, _)| *to == OLD).unwrap();
            listener.takes(&client, echo(*nonce));
            listener.expect_nothing();
            assert_eq!(listener.machine.poll_timeout(), None, "the answer ends path validation");
        } else {
            listener.elapse_with_loss(20_000);
        }
        listener.expect_at(&client, OLD);
        // The pause after a failure.
        listener.elapse_with_loss(1_000);
    }
    assert_eq!(listener.peer(&client).recv_chunk(), b"once");
    assert_eq!(listener.machine.stats().moved, 0);
}

/// Regression: an expired path validation continued until `handle_timeout`.
#[test]
fn an_echo_after_three_timeouts_is_ignored() {
    let (mut listener, client) = connected();
    let (_, to_new) = moves(&mut listener, &client, 1);
    listener.now = listener.now + rdt_proto::Duration::from_millis(4_000);
    listener.drops_from(NEW, &client, echo(to_new));
    listener.expect_at(&client, OLD);
}

/// Regression: an expired path validation blocked the next one until `handle_timeout`.
#[test]
fn a_third_address_is_probed_after_an_expired_validation() {
    let (mut listener, client) = connected();
    let _ = moves(&mut listener, &client, 1);
    listener.now = listener.now + rdt_proto::Duration::from_millis(4_000);
    listener.drops_from(THIRD, &client, info(2, b"from a third"));
    let probed = probes(&mut listener, &client);
    let (_, nonce) = probed.iter().find(|(to, _)| *to == THIRD).expect("no PROBE");
    listener.takes_from(THIRD, &client, echo(*nonce));
    listener.elapse_with_loss(3_000);
    listener.expect_at(&client, THIRD);
}
