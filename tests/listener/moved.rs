//! A peer whose address changes, and senders that forge such a change (RFC 9000 §9.3).

use harness::listener::*;
use rdt_proto::connection::{Event, Handled, Ignored};
use rdt_proto::listener::{Dispatch, ListenerConfig};
use rdt_proto::wire::{Framing, Packet};

const OLD: At = At(1, 1);
const NEW: At = At(2, 1);
const THIRD: At = At(3, 1);

fn connected() -> (ListenerTrace, Client) {
    let mut listener = ListenerTrace::new(ListenerConfig::default());
    let client = listener.established(OLD, tag(1));
    (listener, client)
}

/// Delivers a datagram from the new address, and returns the nonces of the PROBEs to the old and to the new address.
#[track_caller]
fn moves(listener: &mut ListenerTrace, client: &Client, number: u32) -> (u64, u64) {
    listener.takes_from(NEW, client, info(number, b"from elsewhere"));
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

fn echo(nonce: u64) -> Packet<'static> {
    Packet::Echo { nonce }
}

#[track_caller]
fn expect_at(listener: &mut ListenerTrace, client: &Client, at: At) {
    assert_eq!(listener.machine.address(client.id), Some(at));
}

#[test]
fn the_new_address_takes_over_when_it_answers() {
    let (mut listener, client) = connected();
    let (_, nonce) = moves(&mut listener, &client, 1);
    assert_eq!(listener.peer(&client).recv_chunk(), b"from elsewhere", "its data is accepted");
    listener.peer(&client).send(b"to the old one").unwrap();
    listener.expect(OLD, &client, info(0, b"to the old one"));
    expect_at(&mut listener, &client, OLD);
    listener.takes_from(NEW, &client, echo(nonce));
    expect_at(&mut listener, &client, NEW);
    listener.takes_from(NEW, &client, sack(1));
    listener.peer(&client).send(b"to the new one").unwrap();
    listener.expect(NEW, &client, info(1, b"to the new one"));
    assert_eq!(listener.machine.stats().moved, 1);
    // Path validation ends. A later change of address starts another one.
    listener.elapse_with_loss(20_000);
    expect_at(&mut listener, &client, NEW);
}

#[test]
fn the_old_address_answers_first_and_the_connection_stays() {
    let (mut listener, client) = connected();
    let (to_old, to_new) = moves(&mut listener, &client, 1);
    listener.takes(&client, echo(to_old));
    expect_at(&mut listener, &client, OLD);
    let late = listener.receive_under(NEW, client.theirs, echo(to_new));
    assert_eq!(late, Dispatch::Peer(client.id, Handled::Ignored(Ignored::NeverSent)));
    expect_at(&mut listener, &client, OLD);
}

#[test]
fn the_old_address_answers_later_and_the_connection_returns() {
    let (mut listener, client) = connected();
    let (to_old, to_new) = moves(&mut listener, &client, 1);
    listener.takes_from(NEW, &client, echo(to_new));
    expect_at(&mut listener, &client, NEW);
    listener.takes_from(OLD, &client, echo(to_old));
    expect_at(&mut listener, &client, OLD);
    listener.peer(&client).send(b"x").unwrap();
    listener.expect(OLD, &client, info(0, b"x"));
}

#[test]
fn without_an_answer_nothing_moves_and_validation_can_restart() {
    let (mut listener, client) = connected();
    let first = moves(&mut listener, &client, 1);
    listener.elapse_with_loss(4_000);
    expect_at(&mut listener, &client, OLD);
    let late = listener.receive_under(NEW, client.theirs, echo(first.1));
    assert_eq!(late, Dispatch::Peer(client.id, Handled::Ignored(Ignored::NeverSent)));
    let second = moves(&mut listener, &client, 2);
    assert_ne!(first, second);
    listener.takes_from(NEW, &client, echo(second.1));
    expect_at(&mut listener, &client, NEW);
}

/// A PROBE is repeated as long as the new address may receive as many bytes as it sent.
#[test]
fn a_lost_probe_is_repeated_by_the_timeout() {
    let (mut listener, client) = connected();
    let (_, nonce) = moves(&mut listener, &client, 1);
    listener.takes_from(NEW, &client, info(2, b"more from there"));
    listener.drain();
    let mut probes = Vec::new();
    while let Some(due) = listener.machine.poll_timeout().filter(|_| probes.len() < 2) {
        listener.now = due.max(listener.now);
        listener.machine.handle_timeout(listener.now);
        probes.extend(listener.drain().into_iter().filter(|(to, _)| *to == NEW));
    }
    let repeated = Framing::tagged(client.tag).decode(&probes[0].1).unwrap();
    assert_eq!(repeated, Packet::Probe { nonce, padding: &[] });
    listener.takes_from(NEW, &client, echo(nonce));
    expect_at(&mut listener, &client, NEW);
}

/// A forwarder copies the peer's datagrams, and does not receive datagrams to the peer.
#[test]
fn a_sender_that_cannot_echo_moves_nothing_and_gains_no_bytes() {
    let (mut listener, client) = connected();
    for number in 1..50 {
        // A copy from another address overtakes the original.
        listener.takes_from(NEW, &client, info(number, b"x"));
        listener.takes(&client, info(number, b"x"));
        listener.peer(&client).consume(1);
        for guess in 0..20 {
            let guessed = listener.receive_under(NEW, client.theirs, echo(guess));
            assert_eq!(guessed, Dispatch::Peer(client.id, Handled::Ignored(Ignored::NeverSent)));
        }
        listener.elapse_with_loss(700);
        expect_at(&mut listener, &client, OLD);
    }
    assert_eq!(listener.machine.stats().moved, 0);
}

/// An ECHO is accepted only from the address of its PROBE.
#[test]
fn an_answer_from_the_wrong_address_decides_nothing() {
    let (mut listener, client) = connected();
    let (to_old, to_new) = moves(&mut listener, &client, 1);
    for (from, nonce) in [(NEW, to_old), (OLD, to_new), (THIRD, to_new), (THIRD, to_old)] {
        let wrong = listener.receive_under(from, client.theirs, echo(nonce));
        assert_eq!(wrong, Dispatch::Peer(client.id, Handled::Ignored(Ignored::NeverSent)));
    }
    expect_at(&mut listener, &client, OLD);
    listener.takes_from(NEW, &client, echo(to_new));
    expect_at(&mut listener, &client, NEW);
}

#[test]
fn one_path_is_validated_at_a_time() {
    let (mut listener, client) = connected();
    let (_, nonce) = moves(&mut listener, &client, 1);
    let before = listener.machine.stats().other_address;
    listener.takes_from(THIRD, &client, info(2, b"from a third"));
    assert_eq!(listener.machine.stats().other_address, before + 1);
    assert!(listener.drain().iter().all(|(to, _)| *to != THIRD));
    listener.takes_from(NEW, &client, echo(nonce));
    expect_at(&mut listener, &client, NEW);
}

#[test]
fn hosts_are_counted_where_their_peers_are() {
    let config = ListenerConfig { per_host: 1, ..ListenerConfig::default() };
    let mut listener = ListenerTrace::new(config);
    let client = listener.established(OLD, tag(1));
    let (_, nonce) = moves(&mut listener, &client, 1);
    listener.takes_from(NEW, &client, echo(nonce));
    // It does not return.
    listener.elapse_with_loss(4_000);
    listener.queues(At(1, 9), tag(2));
    listener.ignores(At(2, 9), tag(2), rdt_proto::listener::DropReason::HostLimit);
}

/// A client that restarts at the address to which it had moved evicts its old connection.
#[test]
fn a_connection_that_moved_is_evicted_at_its_new_address() {
    let (mut listener, client) = connected();
    let (_, nonce) = moves(&mut listener, &client, 1);
    listener.expect_event(&client, Event::Readable);
    listener.takes_from(NEW, &client, echo(nonce));
    let other = listener.established(OLD, tag(2));
    assert!(listener.peer(&client).is_established());
    listener.established(NEW, tag(3));
    listener.expect_event(&client, Event::Closed(rdt_proto::connection::CloseReason::Evicted));
    assert!(listener.peer(&other).is_established());
}

/// An ECHO for the listener once did not restart the idle limit of its connection.
#[test]
fn an_echo_for_the_listener_restarts_the_idle_limit() {
    let (mut listener, client) = connected();
    listener.peer(&client).send(b"waits for an answer").unwrap();
    listener.drain();
    let before = listener.peer(&client).stats().clone();
    let (_, nonce) = moves(&mut listener, &client, 1);
    listener.elapse_with_loss(1_000);
    listener.takes_from(NEW, &client, echo(nonce));
    let stats = listener.peer(&client).stats().clone();
    assert_eq!(stats.datagrams_received - before.datagrams_received, 2);
    assert_eq!(stats.bytes_received - before.bytes_received, 15 + 14 + 17);
    // The idle limit counts from the ECHO.
    listener.elapse_with_loss(29_999);
    assert_eq!(listener.peer(&client).ended(), None);
    listener.elapse_with_loss(1);
    assert_eq!(listener.peer(&client).ended(), Some(rdt_proto::connection::CloseReason::TimedOut));
}

/// The end of a connection also ends path validation.
#[test]
fn nothing_is_probed_after_the_end() {
    let (mut listener, client) = connected();
    moves(&mut listener, &client, 1);
    listener.peer(&client).abort(1);
    let sent = listener.drain();
    assert_eq!(sent.len(), 1, "RESET");
    listener.expect_nothing();
    assert_eq!(listener.machine.poll_timeout(), None);
    listener.machine.release(listener.now, client.id);
    assert!(listener.machine.is_empty());
}

/// The PROBEs sent since the last call: destination and nonce.
fn probes(listener: &mut ListenerTrace, client: &Client) -> Vec<(At, u64)> {
    let framing = Framing::tagged(client.tag);
    let sent = listener.drain();
    let nonce = |sent: &[u8]| match framing.decode(sent).unwrap() {
        Packet::Probe { nonce, .. } => Some(nonce),
        _ => None,
    };
    sent.iter().filter_map(|(to, sent)| Some((*to, nonce(sent)?))).collect()
}

/// Advances the time to the next deadline.
fn wake(listener: &mut ListenerTrace) -> bool {
    let Some(due) = listener.machine.poll_timeout() else { return false };
    listener.now = due.max(listener.now);
    listener.machine.handle_timeout(listener.now);
    true
}

/// Each address gets three PROBEs, if the new address has sent enough bytes. Then no more are sent.
#[test]
fn each_address_is_probed_three_times_in_three_timeouts() {
    let (mut listener, client) = connected();
    let start = listener.now;
    let (to_old, to_new) = moves(&mut listener, &client, 1);
    listener.takes_from(NEW, &client, info(2, &[0; 40]));
    let mut probed = vec![(OLD, to_old), (NEW, to_new)];
    probed.extend(probes(&mut listener, &client));
    while wake(&mut listener) {
        probed.extend(probes(&mut listener, &client));
    }
    let count = |at, nonce| probed.iter().filter(|probe| **probe == (at, nonce)).count();
    assert_eq!((count(OLD, to_old), count(NEW, to_new), probed.len()), (3, 3, 6), "{probed:?}");
    // The timeout is that of a connection without an RTT sample.
    let took = listener.now.saturating_since(start).as_millis();
    assert!((3_000..3_300).contains(&took), "{took} ms");
    expect_at(&mut listener, &client, OLD);
}

#[test]
fn the_old_address_may_answer_a_repeated_probe() {
    let (mut listener, client) = connected();
    let (to_old, to_new) = moves(&mut listener, &client, 1);
    listener.takes_from(NEW, &client, echo(to_new));
    expect_at(&mut listener, &client, NEW);
    while !probes(&mut listener, &client).contains(&(OLD, to_old)) {
        assert!(wake(&mut listener), "the PROBE is not repeated");
    }
    listener.takes_from(OLD, &client, echo(to_old));
    expect_at(&mut listener, &client, OLD);
}

/// A datagram smaller than a PROBE is not answered with one.
#[test]
fn a_new_address_is_probed_once_it_has_sent_a_probes_length() {
    let (mut listener, client) = connected();
    listener.takes_from(NEW, &client, Packet::Fin);
    assert!(probes(&mut listener, &client).iter().all(|(to, _)| *to == OLD));
    expect_at(&mut listener, &client, OLD);
    listener.takes_from(NEW, &client, Packet::Fin);
    let probed = probes(&mut listener, &client);
    let [(NEW, nonce)] = probed[..] else { panic!("{probed:?}") };
    listener.takes_from(NEW, &client, echo(nonce));
    expect_at(&mut listener, &client, NEW);
}

/// An observer copies one datagram of the peer, and sends it from another address.
#[test]
fn a_copied_datagram_moves_nothing_with_or_without_an_answer() {
    let (mut listener, client) = connected();
    listener.takes(&client, info(1, b"once"));
    listener.drain();
    for answers in [true, false] {
        listener.takes_from(NEW, &client, info(1, b"once"));
        let probed = probes(&mut listener, &client);
        let [(at, _), (other, _)] = probed[..] else { panic!("{probed:?}") };
        assert_ne!(at, other, "both PROBEs went to one address");
        if answers {
            let (_, nonce) = probed.iter().find(|(to, _)| *to == OLD).unwrap();
            listener.takes(&client, echo(*nonce));
            listener.expect_nothing();
            assert_eq!(listener.machine.poll_timeout(), None, "path validation goes on");
        } else {
            listener.elapse_with_loss(20_000);
        }
        expect_at(&mut listener, &client, OLD);
    }
    assert_eq!(listener.peer(&client).recv_chunk(), b"once");
    assert_eq!(listener.machine.stats().moved, 0);
}

/// An expired path validation once continued until `handle_timeout`.
#[test]
fn an_echo_after_three_timeouts_is_late_before_any_timer_runs() {
    let (mut listener, client) = connected();
    let (_, to_new) = moves(&mut listener, &client, 1);
    listener.now = listener.now + rdt_proto::Duration::from_millis(4_000);
    let late = listener.receive_under(NEW, client.theirs, echo(to_new));
    assert_eq!(late, Dispatch::Peer(client.id, Handled::Ignored(Ignored::NeverSent)));
    expect_at(&mut listener, &client, OLD);
}

/// An expired path validation once blocked the next one until `handle_timeout`.
#[test]
fn a_third_address_is_challenged_once_the_last_challenge_ends() {
    let (mut listener, client) = connected();
    let _ = moves(&mut listener, &client, 1);
    listener.now = listener.now + rdt_proto::Duration::from_millis(4_000);
    listener.takes_from(THIRD, &client, info(2, b"from a third"));
    let probed = probes(&mut listener, &client);
    let (_, nonce) = probed.iter().find(|(to, _)| *to == THIRD).expect("no PROBE");
    listener.takes_from(THIRD, &client, echo(*nonce));
    expect_at(&mut listener, &client, THIRD);
}
