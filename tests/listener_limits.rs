//! What a listener in extended mode holds at most, for whom, and what it says to the others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod door;

use door::*;
use rdt_proto::connection::{Config, Event, Handled, Ignored, Reason};
use rdt_proto::listener::{AcceptError, ListenerConfig, Retry, Routed, Unrouted};
use rdt_proto::wire::{DecodeError, Framing, MIN_CONNECT, Packet, Tag};

const HERE: At = At(1, 1);

fn config(retry: Retry) -> ListenerConfig {
    ListenerConfig { connection: Config::default(), peers: 16, backlog: 8, per_host: 8, per_address: 4, retry }
}

/// Each of the 64 bits of a tag counts, all of them have to be there, and the framing of base mode is none.
#[test]
fn a_tag_that_is_nearly_right_is_wrong() {
    let mut door = Door::new(config(Retry::Never));
    let client = door.established(HERE, tag(1));
    let before = door.machine.peer(client.id).unwrap().clone();
    let right = u64::from_be_bytes(*client.theirs.as_bytes());
    let mut reset = [0; 10];
    assert_eq!(Packet::Reset { code: 1 }.encode(&Framing::tagged(client.theirs), &mut reset), Ok(10));
    for bit in 0..64 {
        reset[..8].copy_from_slice(&(right ^ 1 << bit).to_be_bytes());
        assert_eq!(door.receive(HERE, &reset), Routed::Ignored(Unrouted::Malformed(DecodeError::Prefix)));
    }
    for len in 0..8 {
        let routed = door.receive(HERE, &client.theirs.as_bytes()[..len]);
        assert_eq!(routed, Routed::Ignored(Unrouted::Malformed(DecodeError::Prefix)));
    }
    assert_eq!(door.machine.stats().malformed, 72);
    for packet in [info(1, b"x"), Packet::Fin, Packet::FinAck, Packet::Ack { number: rdt_proto::Seq::ZERO }] {
        let mut datagram = [0; 64];
        let len = packet.encode(&Framing::NOTE, &mut datagram).unwrap();
        assert_eq!(door.receive(HERE, &datagram[..len]), Routed::Ignored(Unrouted::UnknownPeer));
    }
    assert!(door.machine.peer(client.id) == Some(&before));
    door.expect_nothing();
}

#[test]
fn no_answer_to_a_connect_is_larger_than_it() {
    let sizes = |door: &mut Door| door.drain().iter().map(|(_, sent)| sent.len()).collect::<Vec<_>>();
    let mut door = Door::new(config(Retry::Always));
    assert_eq!(door.connect(HERE, tag(1), None), Routed::Retried);
    let [retry] = sizes(&mut door)[..] else { panic!("one RETRY") };
    let mut door = Door::new(config(Retry::Never));
    door.queues(HERE, tag(1));
    let incoming = door.incoming(HERE);
    door.machine.refuse(incoming, 1);
    let [reset] = sizes(&mut door)[..] else { panic!("one RESET") };
    door.queues(HERE, tag(1));
    let incoming = door.incoming(HERE);
    let id = door.accept(incoming);
    // What the application writes waits for INFO 0.
    assert_eq!(door.machine.peer_mut(id).unwrap().send(&[0; 1_000]), Ok(1_000));
    let [connack] = sizes(&mut door)[..] else { panic!("one CONNACK") };
    door.machine.peer_mut(id).unwrap().abort(1);
    let [aborted] = sizes(&mut door)[..] else { panic!("one RESET") };
    assert!(retry <= MIN_CONNECT && reset <= MIN_CONNECT && connack + aborted <= MIN_CONNECT);
}

#[test]
fn above_the_limit_of_connections_clients_wait_and_are_not_told_of() {
    let mut door = Door::new(ListenerConfig { peers: 1, ..config(Retry::Never) });
    let client = door.established(HERE, tag(1));
    door.queues(At(2, 1), tag(2));
    assert!(!door.machine.has_incoming() && door.machine.poll_incoming().is_none());
    assert_eq!((door.machine.len(), door.machine.backlog_len()), (1, 1));
    door.peer(&client).abort(0);
    door.drain();
    door.machine.release(door.now, client.id);
    assert!(door.machine.has_incoming());
    let client = door.accepts(At(2, 1));
    door.confirms(&client);
}

/// A loop that accepts whoever it is told of once never ended where there was no room: each was told of again behind the
/// others, so that they lost their order as well.
#[test]
fn who_finds_no_room_is_told_of_again_in_the_order_of_all() {
    let mut door = Door::new(ListenerConfig { peers: 1, ..config(Retry::Never) });
    for host in 1..=4 {
        door.queues(At(host, 1), tag(1));
    }
    let told = [1, 2, 3].map(|host| door.incoming(At(host, 1)));
    let [first, second, third] = told;
    let id = door.accept(second);
    door.drain();
    for incoming in [first, third] {
        let full = door.machine.accept(door.now, incoming, [9; 32], || panic!("there is no room"));
        assert_eq!((full, door.machine.poll_incoming()), (Err(AcceptError::Full), None));
    }
    door.machine.release(door.now, id);
    door.drain();
    let order: Vec<At> = std::iter::from_fn(|| door.machine.poll_incoming()).map(|who| who.address()).collect();
    assert_eq!(order, [At(1, 1), At(3, 1), At(4, 1)]);
}

/// Without RETRY a flood holds all places until the handshake limit.
#[test]
fn without_retry_the_backlog_is_full_when_it_is_full() {
    let mut door = Door::new(config(Retry::Never));
    for host in 1..=8 {
        door.queues(At(host, 1), tag(1));
    }
    for _ in 0..8 {
        let incoming = door.machine.poll_incoming().unwrap();
        door.accept(incoming);
    }
    door.drain();
    door.ignores(At(9, 1), tag(1), Unrouted::BacklogFull);
    door.expect_nothing();
    assert_eq!((door.machine.stats().backlog_full, door.machine.stats().retried), (1, 0));
    door.elapse(10_000);
    door.queues(At(9, 1), tag(1));
}

/// Clients are asked for as long as half of the places are held by those who proved nothing.
#[test]
fn when_forged_handshakes_have_run_out_nobody_is_asked_any_more() {
    let mut door = Door::new(config(Retry::Auto));
    for host in 1..=4 {
        door.queues(At(host, 1), tag(1));
        door.accepts(At(host, 1));
    }
    door.elapse(9_999);
    let _ = door.retries(At(9, 1), tag(1));
    door.elapse(1);
    door.queues(At(9, 1), tag(1));
    let client = door.accepts(At(9, 1));
    door.confirms(&client);
}

#[test]
fn those_who_proved_their_address_fill_the_rest_of_the_backlog() {
    let mut door = Door::new(config(Retry::Auto));
    for host in 1..=4 {
        door.queues(At(host, 1), tag(1));
    }
    for host in 5..=8 {
        let cookie = door.retries(At(host, 1), tag(1));
        assert_eq!(door.connect(At(host, 1), tag(1), Some(&cookie)), Routed::Queued);
        assert_eq!(door.connect(At(host, 1), tag(1), Some(&cookie)), Routed::Queued, "a repeat");
    }
    let cookie = door.retries(At(9, 1), tag(1));
    let routed = door.connect(At(9, 1), tag(1), Some(&cookie));
    assert_eq!(routed, Routed::Ignored(Unrouted::BacklogFull));
    assert_eq!((door.machine.backlog_len(), door.machine.stats().bad_cookie), (8, 0));
}

/// Whoever has to make way for a newcomer once ended before it was known that there was room for that.
#[test]
fn nobody_is_displaced_for_a_newcomer_that_does_not_fit() {
    let mut door = Door::new(ListenerConfig { per_address: 1, backlog: 4, ..config(Retry::Auto) });
    door.queues(HERE, tag(1));
    let honest = door.accepts(HERE);
    door.queues(At(2, 1), tag(1));
    for host in 3..6 {
        let cookie = door.retries(At(host, 1), tag(1));
        assert_eq!(door.connect(At(host, 1), tag(1), Some(&cookie)), Routed::Queued);
    }
    let cookie = door.retries(HERE, tag(2));
    let routed = door.connect(HERE, tag(2), Some(&cookie));
    assert_eq!(routed, Routed::Ignored(Unrouted::BacklogFull));
    assert_eq!((door.peer(&honest).ended(), door.machine.stats().superseded), (None, 0));
    // One that waits gives its own place, also in a full backlog.
    let cookie = door.retries(At(2, 1), tag(2));
    assert_eq!(door.connect(At(2, 1), tag(2), Some(&cookie)), Routed::Queued);
    assert_eq!((door.machine.backlog_len(), door.machine.stats().superseded), (4, 1));
    door.confirms(&honest);
}

/// A late copy of the first CONNECT may be queued before that with the cookie comes.
#[test]
fn a_cookie_proves_the_address_of_a_client_that_waits_already() {
    let mut door = Door::new(config(Retry::Auto));
    for host in 1..=4 {
        door.queues(At(host, 1), tag(1));
    }
    let cookie = door.retries(HERE, tag(2));
    let first = door.incoming(HERE);
    door.machine.ignore(first);
    door.queues(HERE, tag(2));
    let _ = door.retries(At(9, 1), tag(1));
    assert_eq!(door.connect(HERE, tag(2), Some(&cookie)), Routed::Queued);
    assert_eq!((door.machine.backlog_len(), door.machine.stats().proven), (4, 1));
    door.queues(At(9, 1), tag(1));
    // Once.
    assert_eq!(door.connect(HERE, tag(2), Some(&cookie)), Routed::Queued);
    assert_eq!(door.machine.stats().proven, 1);
}

/// Those that waited and those that the application ignored once were counted nowhere.
#[test]
fn the_counters_say_what_became_of_every_connect() {
    let mut door = Door::new(ListenerConfig { backlog: 6, ..config(Retry::Never) });
    for host in 1..=6 {
        door.queues(At(host, 1), tag(1));
        door.queues(At(host, 1), tag(1));
    }
    door.ignores(At(7, 1), tag(1), Unrouted::BacklogFull);
    door.accepts(At(1, 1));
    let (refused, dismissed) = (door.incoming(At(2, 1)), door.incoming(At(3, 1)));
    door.machine.refuse(refused, 1);
    door.machine.ignore(dismissed);
    door.queues(At(4, 1), tag(2));
    let [_, _, dismissed] = [4, 5, 6].map(|host| door.incoming(At(host, 1)));
    door.machine.ignore(dismissed);
    door.drain();
    let newer = door.accepts(At(4, 1));
    door.confirms(&newer);
    door.elapse(10_000);
    let stats = *door.machine.stats();
    assert_eq!((stats.queued, stats.repeated, stats.ignored()), (7, 6, 1));
    assert_eq!((stats.accepted, stats.refused, stats.dismissed), (2, 1, 2));
    assert_eq!((stats.superseded_waiting, stats.expired, door.machine.backlog_len()), (1, 1, 0));
}

/// No more answers wait than 16: the others are told when they ask again.
#[test]
fn everybody_is_told_that_nobody_is_accepted_any_more() {
    let mut door = Door::new(ListenerConfig { backlog: 32, ..config(Retry::Never) });
    for host in 1..=20 {
        door.queues(At(host, 1), tag(1));
    }
    door.machine.stop_accepting(4);
    assert!(door.machine.is_empty());
    let told: Vec<At> = door.drain().into_iter().map(|(to, _)| to).collect();
    assert_eq!((told.len(), door.machine.stats().replies_dropped), (16, 4));
    for host in (1..=20).filter(|&host| !told.contains(&At(host, 1))) {
        door.ignores(At(host, 1), tag(1), Unrouted::Stopped);
        let (to, reset) = door.transmit().expect("no RESET");
        assert_eq!((to, Framing::tagged(tag(1)).decode(&reset)), (At(host, 1), Ok(Packet::Reset { code: 4 })));
    }
    assert_eq!(door.machine.poll_incoming(), None);
}

/// A datagram from elsewhere may come before INFO 0: it asks nobody anything.
#[test]
fn before_the_handshake_is_over_no_address_is_examined() {
    let mut door = Door::new(config(Retry::Never));
    door.queues(HERE, tag(1));
    let client = door.accepts(HERE);
    let early = door.receive_under(At(2, 1), client.theirs, info(1, b"early"));
    assert_eq!(early, Routed::Peer(client.id, Handled::Ignored(Ignored::BeyondWindow)));
    assert!(door.drain().iter().all(|(to, _)| *to == HERE));
    assert_eq!(door.machine.stats().other_address, 1);
    door.elapse(10_000);
    door.expect_event(&client, Event::Closed(Reason::HandshakeTimedOut));
}

/// A busy network may lose INFO 0 for longer than the handshake limit. A client that had got CONNACK then repeated it to
/// nobody, up to its idle limit.
#[test]
fn a_client_whose_address_is_proven_may_confirm_as_long_as_it_tries() {
    let mut door = Door::new(config(Retry::Always));
    let cookie = door.retries(HERE, tag(1));
    assert_eq!(door.connect(HERE, tag(1), Some(&cookie)), Routed::Queued);
    let client = door.accepts(HERE);
    door.elapse(29_000);
    door.confirms(&client);
    let cookie = door.retries(At(2, 1), tag(2));
    assert_eq!(door.connect(At(2, 1), tag(2), Some(&cookie)), Routed::Queued);
    let client = door.accepts(At(2, 1));
    door.elapse(30_000);
    door.expect_event(&client, Event::Closed(Reason::HandshakeTimedOut));
}

mod fixed {
    use super::*;
    use rdt_proto::connection::Storage;
    use rdt_proto::listener::{Fixed, Listener};
    use rdt_proto::store::{RecvSlots, SendSlots};
    use rdt_proto::{Duration, Instant};

    fn storage() -> Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>> {
        Storage::stop_and_wait(SendSlots::with_slots(2, 1_200).unwrap(), RecvSlots::with_slots(2, 1_200).unwrap())
    }

    /// With room for fewer than half of the configured backlog, clients once were never asked to prove their address.
    #[test]
    fn a_flood_does_not_fill_a_listener_of_fixed_memory() {
        let mut now = Instant::ZERO;
        let mut machine: Listener<u16, _, _, Fixed<4>> = Listener::new(now, ListenerConfig::default(), [7; 48]);
        let mut buf = [0; 2_048];
        let mut entropy = 0;
        for address in 0..200 {
            now = now + Duration::from_millis(1);
            machine.handle_datagram(now, address, &connect(Tag::new([9; 8]), None));
            while let Some(incoming) = machine.poll_incoming() {
                entropy += 1;
                let accepted = machine.accept(now, incoming, [entropy; 32], storage);
                if accepted.is_err() {
                    break;
                }
            }
            while machine.poll_transmit(now, &mut buf).unwrap().is_some() {}
        }
        assert_eq!(machine.handle_datagram(now, 1_000, &connect(tag(1), None)), Routed::Retried);
        let (to, retry) = machine.poll_transmit(now, &mut buf).unwrap().unwrap();
        let Ok(Packet::Retry { cookie }) = Framing::tagged(tag(1)).decode(&buf[..retry.len]) else {
            panic!("no RETRY")
        };
        assert_eq!(to, 1_000);
        let cookie = cookie.to_vec();
        assert_eq!(machine.handle_datagram(now, 1_000, &connect(tag(1), Some(&cookie))), Routed::Queued);
        let incoming = machine.poll_incoming().unwrap();
        assert_eq!(incoming.address(), 1_000);
        let id = machine.accept(now, incoming, [255; 32], storage).unwrap();
        let routed = machine.handle_datagram(now, 1_000, &connect(tag(1), Some(&cookie)));
        assert_eq!(routed, Routed::Peer(id, Handled::Accepted));
    }
}
