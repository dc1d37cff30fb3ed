//! A peer whose address changes, and those who pretend that it did (RFC 9000 §9.3).

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

/// The peer writes from a new address, and the PROBEs are told: that to the old address, and that to the new.
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
    (to_old.expect("the old address was not asked"), to_new.expect("the new address was not asked"))
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
    assert_eq!(listener.peer(&client).recv_chunk(), b"from elsewhere", "what it holds counts");
    listener.peer(&client).send(b"to the old one").unwrap();
    listener.expect(OLD, &client, info(0, b"to the old one"));
    expect_at(&mut listener, &client, OLD);
    listener.takes_from(NEW, &client, echo(nonce));
    expect_at(&mut listener, &client, NEW);
    listener.takes_from(NEW, &client, sack(1));
    listener.peer(&client).send(b"to the new one").unwrap();
    listener.expect(NEW, &client, info(1, b"to the new one"));
    assert_eq!(listener.machine.stats().moved, 1);
    // The examination is over some time, and the next change is another.
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

/// As long as the new address may get what it sent.
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

/// Somebody passes on what the peer sends, and does not see what is sent to it.
#[test]
fn a_sender_that_cannot_echo_moves_nothing_and_gains_no_bytes() {
    let (mut listener, client) = connected();
    for number in 1..50 {
        // A copy from elsewhere overtakes the datagram, which comes after it.
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

/// An ECHO answers only from the address that was asked.
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

/// A client that restarts at its address after it had moved there.
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

/// An ECHO that answers the listener once was no sign of life for its connection.
#[test]
fn an_answer_to_the_listener_is_heard() {
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
    // Silence counts from there on.
    listener.elapse_with_loss(29_999);
    assert_eq!(listener.peer(&client).ended(), None);
    listener.elapse_with_loss(1);
    assert_eq!(listener.peer(&client).ended(), Some(rdt_proto::connection::CloseReason::TimedOut));
}

/// The end of a connection ends the examination, too.
#[test]
fn nothing_is_asked_after_the_end() {
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

/// What was asked of whom since.
fn probes(listener: &mut ListenerTrace, client: &Client) -> Vec<(At, u64)> {
    let framing = Framing::tagged(client.tag);
    let sent = listener.drain();
    let nonce = |sent: &[u8]| match framing.decode(sent).unwrap() {
        Packet::Probe { nonce, .. } => Some(nonce),
        _ => None,
    };
    sent.iter().filter_map(|(to, sent)| Some((*to, nonce(sent)?))).collect()
}

/// Time passes to the next deadline.
fn wake(listener: &mut ListenerTrace) -> bool {
    let Some(due) = listener.machine.poll_timeout() else { return false };
    listener.now = due.max(listener.now);
    listener.machine.handle_timeout(listener.now);
    true
}

/// Three times each, if the new address has sent enough to be answered; then nobody is asked any more.
#[test]
fn each_address_is_asked_three_times_within_three_timeouts() {
    let (mut listener, client) = connected();
    let start = listener.now;
    let (to_old, to_new) = moves(&mut listener, &client, 1);
    listener.takes_from(NEW, &client, info(2, &[0; 40]));
    let mut asked = vec![(OLD, to_old), (NEW, to_new)];
    asked.extend(probes(&mut listener, &client));
    while wake(&mut listener) {
        asked.extend(probes(&mut listener, &client));
    }
    let count = |at, nonce| asked.iter().filter(|probe| **probe == (at, nonce)).count();
    assert_eq!((count(OLD, to_old), count(NEW, to_new), asked.len()), (3, 3, 6), "{asked:?}");
    // The timeout is that of a connection without a sample.
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
        assert!(wake(&mut listener), "it is not asked again");
    }
    listener.takes_from(OLD, &client, echo(to_old));
    expect_at(&mut listener, &client, OLD);
}

/// Nothing smaller than a PROBE is answered by one.
#[test]
fn a_new_address_is_probed_once_it_has_sent_a_probes_length() {
    let (mut listener, client) = connected();
    listener.takes_from(NEW, &client, Packet::Fin);
    assert!(probes(&mut listener, &client).iter().all(|(to, _)| *to == OLD));
    expect_at(&mut listener, &client, OLD);
    listener.takes_from(NEW, &client, Packet::Fin);
    let asked = probes(&mut listener, &client);
    let [(NEW, nonce)] = asked[..] else { panic!("{asked:?}") };
    listener.takes_from(NEW, &client, echo(nonce));
    expect_at(&mut listener, &client, NEW);
}

/// One datagram of the peer, copied by somebody who sees it and sends it from elsewhere.
#[test]
fn a_copied_datagram_moves_nothing_with_or_without_an_answer() {
    let (mut listener, client) = connected();
    listener.takes(&client, info(1, b"once"));
    listener.drain();
    for answers in [true, false] {
        listener.takes_from(NEW, &client, info(1, b"once"));
        let asked = probes(&mut listener, &client);
        let [(at, _), (other, _)] = asked[..] else { panic!("{asked:?}") };
        assert_ne!(at, other, "both are asked");
        if answers {
            let (_, nonce) = asked.iter().find(|(to, _)| *to == OLD).unwrap();
            listener.takes(&client, echo(*nonce));
            listener.expect_nothing();
            assert_eq!(listener.machine.poll_timeout(), None, "the examination is over");
        } else {
            listener.elapse_with_loss(20_000);
        }
        expect_at(&mut listener, &client, OLD);
    }
    assert_eq!(listener.peer(&client).recv_chunk(), b"once");
    assert_eq!(listener.machine.stats().moved, 0);
}

/// An examination that had run out once went on until `handle_timeout`.
#[test]
fn an_echo_after_three_timeouts_is_late_before_any_timer_runs() {
    let (mut listener, client) = connected();
    let (_, to_new) = moves(&mut listener, &client, 1);
    listener.now = listener.now + rdt_proto::Duration::from_millis(4_000);
    let late = listener.receive_under(NEW, client.theirs, echo(to_new));
    assert_eq!(late, Dispatch::Peer(client.id, Handled::Ignored(Ignored::NeverSent)));
    expect_at(&mut listener, &client, OLD);
}

/// The same.
#[test]
fn a_third_address_is_challenged_once_the_last_challenge_ends() {
    let (mut listener, client) = connected();
    let _ = moves(&mut listener, &client, 1);
    listener.now = listener.now + rdt_proto::Duration::from_millis(4_000);
    listener.takes_from(THIRD, &client, info(2, b"from a third"));
    let asked = probes(&mut listener, &client);
    let (_, nonce) = asked.iter().find(|(to, _)| *to == THIRD).expect("it is not asked");
    listener.takes_from(THIRD, &client, echo(*nonce));
    expect_at(&mut listener, &client, THIRD);
}
