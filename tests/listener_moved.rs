//! A peer whose address changes, and those who pretend that it did (RFC 9000 §9.3).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod door;

use door::*;
use rdt_proto::connection::{Event, Handled, Ignored};
use rdt_proto::listener::{Dispatch, ListenerConfig};
use rdt_proto::wire::{Framing, Packet};

const OLD: At = At(1, 1);
const NEW: At = At(2, 1);
const THIRD: At = At(3, 1);

fn connected() -> (Door, Client) {
    let mut door = Door::new(ListenerConfig::default());
    let client = door.established(OLD, tag(1));
    (door, client)
}

/// The peer writes from a new address, and the PROBEs are told: that to the old address, and that to the new.
#[track_caller]
fn moves(door: &mut Door, client: &Client, number: u32) -> (u64, u64) {
    door.takes_from(NEW, client, info(number, b"from elsewhere"));
    let (mut to_old, mut to_new) = (None, None);
    for (to, sent) in door.drain() {
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
fn expect_at(door: &mut Door, client: &Client, at: At) {
    assert_eq!(door.machine.address(client.id), Some(at));
}

#[test]
fn the_new_address_takes_over_when_it_answers() {
    let (mut door, client) = connected();
    let (_, nonce) = moves(&mut door, &client, 1);
    assert_eq!(door.peer(&client).recv_chunk(), b"from elsewhere", "what it holds counts");
    door.peer(&client).send(b"to the old one").unwrap();
    door.expect(OLD, &client, info(0, b"to the old one"));
    expect_at(&mut door, &client, OLD);
    door.takes_from(NEW, &client, echo(nonce));
    expect_at(&mut door, &client, NEW);
    door.takes_from(NEW, &client, sack(1));
    door.peer(&client).send(b"to the new one").unwrap();
    door.expect(NEW, &client, info(1, b"to the new one"));
    assert_eq!(door.machine.stats().moved, 1);
    // The examination is over some time, and the next change is another.
    door.elapse(20_000);
    expect_at(&mut door, &client, NEW);
}

#[test]
fn the_old_address_answers_first_and_the_connection_stays() {
    let (mut door, client) = connected();
    let (to_old, to_new) = moves(&mut door, &client, 1);
    door.takes(&client, echo(to_old));
    expect_at(&mut door, &client, OLD);
    let late = door.receive_under(NEW, client.theirs, echo(to_new));
    assert_eq!(late, Dispatch::Peer(client.id, Handled::Ignored(Ignored::NeverSent)));
    expect_at(&mut door, &client, OLD);
}

#[test]
fn the_old_address_answers_later_and_the_connection_returns() {
    let (mut door, client) = connected();
    let (to_old, to_new) = moves(&mut door, &client, 1);
    door.takes_from(NEW, &client, echo(to_new));
    expect_at(&mut door, &client, NEW);
    door.takes_from(OLD, &client, echo(to_old));
    expect_at(&mut door, &client, OLD);
    door.peer(&client).send(b"x").unwrap();
    door.expect(OLD, &client, info(0, b"x"));
}

#[test]
fn without_an_answer_the_connection_stays_and_a_later_datagram_asks_anew() {
    let (mut door, client) = connected();
    let first = moves(&mut door, &client, 1);
    door.elapse(4_000);
    expect_at(&mut door, &client, OLD);
    let late = door.receive_under(NEW, client.theirs, echo(first.1));
    assert_eq!(late, Dispatch::Peer(client.id, Handled::Ignored(Ignored::NeverSent)));
    let second = moves(&mut door, &client, 2);
    assert_ne!(first, second);
    door.takes_from(NEW, &client, echo(second.1));
    expect_at(&mut door, &client, NEW);
}

/// As long as the new address may get what it sent.
#[test]
fn a_lost_probe_is_repeated_by_the_timeout() {
    let (mut door, client) = connected();
    let (_, nonce) = moves(&mut door, &client, 1);
    door.takes_from(NEW, &client, info(2, b"more from there"));
    door.drain();
    let mut probes = Vec::new();
    while let Some(due) = door.machine.poll_timeout().filter(|_| probes.len() < 2) {
        door.now = due.max(door.now);
        door.machine.handle_timeout(door.now);
        probes.extend(door.drain().into_iter().filter(|(to, _)| *to == NEW));
    }
    let repeated = Framing::tagged(client.tag).decode(&probes[0].1).unwrap();
    assert_eq!(repeated, Packet::Probe { nonce, padding: &[] });
    door.takes_from(NEW, &client, echo(nonce));
    expect_at(&mut door, &client, NEW);
}

/// Somebody passes on what the peer sends, and does not see what is sent to it.
#[test]
fn who_cannot_answer_does_not_take_the_connection_over_nor_get_more_than_he_sent() {
    let (mut door, client) = connected();
    for number in 1..50 {
        // A copy from elsewhere overtakes the datagram, which comes after it.
        door.takes_from(NEW, &client, info(number, b"x"));
        door.takes(&client, info(number, b"x"));
        door.peer(&client).consume(1);
        for guess in 0..20 {
            let guessed = door.receive_under(NEW, client.theirs, echo(guess));
            assert_eq!(guessed, Dispatch::Peer(client.id, Handled::Ignored(Ignored::NeverSent)));
        }
        door.elapse(700);
        expect_at(&mut door, &client, OLD);
    }
    assert_eq!(door.machine.stats().moved, 0);
}

/// An ECHO answers only from the address that was asked.
#[test]
fn an_answer_from_the_wrong_address_decides_nothing() {
    let (mut door, client) = connected();
    let (to_old, to_new) = moves(&mut door, &client, 1);
    for (from, nonce) in [(NEW, to_old), (OLD, to_new), (THIRD, to_new), (THIRD, to_old)] {
        let wrong = door.receive_under(from, client.theirs, echo(nonce));
        assert_eq!(wrong, Dispatch::Peer(client.id, Handled::Ignored(Ignored::NeverSent)));
    }
    expect_at(&mut door, &client, OLD);
    door.takes_from(NEW, &client, echo(to_new));
    expect_at(&mut door, &client, NEW);
}

#[test]
fn one_change_is_examined_at_a_time() {
    let (mut door, client) = connected();
    let (_, nonce) = moves(&mut door, &client, 1);
    let before = door.machine.stats().other_address;
    door.takes_from(THIRD, &client, info(2, b"from a third"));
    assert_eq!(door.machine.stats().other_address, before + 1);
    assert!(door.drain().iter().all(|(to, _)| *to != THIRD));
    door.takes_from(NEW, &client, echo(nonce));
    expect_at(&mut door, &client, NEW);
}

#[test]
fn hosts_are_counted_where_their_peers_are() {
    let config = ListenerConfig { per_host: 1, ..ListenerConfig::default() };
    let mut door = Door::new(config);
    let client = door.established(OLD, tag(1));
    let (_, nonce) = moves(&mut door, &client, 1);
    door.takes_from(NEW, &client, echo(nonce));
    // It does not return.
    door.elapse(4_000);
    door.queues(At(1, 9), tag(2));
    door.ignores(At(2, 9), tag(2), rdt_proto::listener::DropReason::HostLimit);
}

/// A client that restarts at its address after it had moved there.
#[test]
fn a_connection_that_moved_is_superseded_at_its_new_address() {
    let (mut door, client) = connected();
    let (_, nonce) = moves(&mut door, &client, 1);
    door.expect_event(&client, Event::Readable);
    door.takes_from(NEW, &client, echo(nonce));
    let other = door.established(OLD, tag(2));
    assert!(door.peer(&client).is_established());
    door.established(NEW, tag(3));
    door.expect_event(&client, Event::Closed(rdt_proto::connection::Reason::Evicted));
    assert!(door.peer(&other).is_established());
}

/// An ECHO that answers the listener once was no sign of life for its connection.
#[test]
fn an_answer_to_the_listener_is_heard() {
    let (mut door, client) = connected();
    door.peer(&client).send(b"waits for an answer").unwrap();
    door.drain();
    let before = door.peer(&client).stats().clone();
    let (_, nonce) = moves(&mut door, &client, 1);
    door.elapse(1_000);
    door.takes_from(NEW, &client, echo(nonce));
    let stats = door.peer(&client).stats().clone();
    assert_eq!(stats.datagrams_received - before.datagrams_received, 2);
    assert_eq!(stats.bytes_received - before.bytes_received, 15 + 14 + 17);
    // Silence counts from there on.
    door.elapse(29_999);
    assert_eq!(door.peer(&client).ended(), None);
    door.elapse(1);
    assert_eq!(door.peer(&client).ended(), Some(rdt_proto::connection::Reason::TimedOut));
}

/// The end of a connection ends the examination, too.
#[test]
fn nothing_is_asked_after_the_end() {
    let (mut door, client) = connected();
    moves(&mut door, &client, 1);
    door.peer(&client).abort(1);
    let sent = door.drain();
    assert_eq!(sent.len(), 1, "RESET");
    door.expect_nothing();
    assert_eq!(door.machine.poll_timeout(), None);
    door.machine.release(door.now, client.id);
    assert!(door.machine.is_empty());
}

/// What was asked of whom since.
fn probes(door: &mut Door, client: &Client) -> Vec<(At, u64)> {
    let framing = Framing::tagged(client.tag);
    let sent = door.drain();
    let nonce = |sent: &[u8]| match framing.decode(sent).unwrap() {
        Packet::Probe { nonce, .. } => Some(nonce),
        _ => None,
    };
    sent.iter().filter_map(|(to, sent)| Some((*to, nonce(sent)?))).collect()
}

/// Time passes to the next deadline.
fn wake(door: &mut Door) -> bool {
    let Some(due) = door.machine.poll_timeout() else { return false };
    door.now = due.max(door.now);
    door.machine.handle_timeout(door.now);
    true
}

/// Three times each, if the new address has sent enough to be answered; then nobody is asked any more.
#[test]
fn each_address_is_asked_three_times_within_three_timeouts() {
    let (mut door, client) = connected();
    let start = door.now;
    let (to_old, to_new) = moves(&mut door, &client, 1);
    door.takes_from(NEW, &client, info(2, &[0; 40]));
    let mut asked = vec![(OLD, to_old), (NEW, to_new)];
    asked.extend(probes(&mut door, &client));
    while wake(&mut door) {
        asked.extend(probes(&mut door, &client));
    }
    let count = |at, nonce| asked.iter().filter(|probe| **probe == (at, nonce)).count();
    assert_eq!((count(OLD, to_old), count(NEW, to_new), asked.len()), (3, 3, 6), "{asked:?}");
    // The timeout is that of a connection without a sample.
    let took = door.now.saturating_since(start).as_millis();
    assert!((3_000..3_300).contains(&took), "{took} ms");
    expect_at(&mut door, &client, OLD);
}

#[test]
fn the_old_address_may_answer_a_repeated_probe() {
    let (mut door, client) = connected();
    let (to_old, to_new) = moves(&mut door, &client, 1);
    door.takes_from(NEW, &client, echo(to_new));
    expect_at(&mut door, &client, NEW);
    while !probes(&mut door, &client).contains(&(OLD, to_old)) {
        assert!(wake(&mut door), "it is not asked again");
    }
    door.takes_from(OLD, &client, echo(to_old));
    expect_at(&mut door, &client, OLD);
}

/// Nothing smaller than a PROBE is answered by one.
#[test]
fn a_new_address_that_has_sent_less_than_a_probe_is_asked_when_it_has_sent_more() {
    let (mut door, client) = connected();
    door.takes_from(NEW, &client, Packet::Fin);
    assert!(probes(&mut door, &client).iter().all(|(to, _)| *to == OLD));
    expect_at(&mut door, &client, OLD);
    door.takes_from(NEW, &client, Packet::Fin);
    let asked = probes(&mut door, &client);
    let [(NEW, nonce)] = asked[..] else { panic!("{asked:?}") };
    door.takes_from(NEW, &client, echo(nonce));
    expect_at(&mut door, &client, NEW);
}

/// One datagram of the peer, copied by somebody who sees it and sends it from elsewhere.
#[test]
fn a_copied_datagram_moves_nothing_whether_the_peer_answers_or_not() {
    let (mut door, client) = connected();
    door.takes(&client, info(1, b"once"));
    door.drain();
    for answers in [true, false] {
        door.takes_from(NEW, &client, info(1, b"once"));
        let asked = probes(&mut door, &client);
        let [(at, _), (other, _)] = asked[..] else { panic!("{asked:?}") };
        assert_ne!(at, other, "both are asked");
        if answers {
            let (_, nonce) = asked.iter().find(|(to, _)| *to == OLD).unwrap();
            door.takes(&client, echo(*nonce));
            door.expect_nothing();
            assert_eq!(door.machine.poll_timeout(), None, "the examination is over");
        } else {
            door.elapse(20_000);
        }
        expect_at(&mut door, &client, OLD);
    }
    assert_eq!(door.peer(&client).recv_chunk(), b"once");
    assert_eq!(door.machine.stats().moved, 0);
}

/// An examination that had run out once went on until `handle_timeout`.
#[test]
fn an_answer_after_three_timeouts_decides_nothing_even_before_the_timeout_was_handled() {
    let (mut door, client) = connected();
    let (_, to_new) = moves(&mut door, &client, 1);
    door.now = door.now + rdt_proto::Duration::from_millis(4_000);
    let late = door.receive_under(NEW, client.theirs, echo(to_new));
    assert_eq!(late, Dispatch::Peer(client.id, Handled::Ignored(Ignored::NeverSent)));
    expect_at(&mut door, &client, OLD);
}

/// The same.
#[test]
fn a_third_address_is_examined_when_the_examination_of_another_has_run_out_even_before_the_timeout_was_handled() {
    let (mut door, client) = connected();
    let _ = moves(&mut door, &client, 1);
    door.now = door.now + rdt_proto::Duration::from_millis(4_000);
    door.takes_from(THIRD, &client, info(2, b"from a third"));
    let asked = probes(&mut door, &client);
    let (_, nonce) = asked.iter().find(|(to, _)| *to == THIRD).expect("it is not asked");
    door.takes_from(THIRD, &client, echo(*nonce));
    expect_at(&mut door, &client, THIRD);
}
