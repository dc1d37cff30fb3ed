//! The limits of a listener in extended mode, and its answers to clients beyond them.

use harness::listener::*;
use rdt_proto::connection::{CloseReason, Config, Event, Handled};
use rdt_proto::listener::{AcceptError, Dispatch, DropReason, ListenerConfig, Retry};
use rdt_proto::store::StoreError;
use rdt_proto::wire::{DecodeError, Framing, MIN_CONNECT, OptionsWriter, Packet, Tag, VERSION};

const HERE: At = At(1, 1);

fn config(retry: Retry) -> ListenerConfig {
    ListenerConfig {
        connection: Config::default(),
        peers: 16,
        backlog: 8,
        per_host: 8,
        per_address: 4,
        busy: None,
        retry,
    }
}

/// One wrong bit, a shortened tag, and the framing of base mode are all rejected.
#[test]
fn a_tag_is_accepted_only_if_all_64_bits_match() {
    let mut listener = ListenerTrace::new(config(Retry::Never));
    let client = listener.established(HERE, tag(1));
    let before = listener.machine.peer(client.id).unwrap().clone();
    let right = u64::from_be_bytes(*client.theirs.as_bytes());
    let mut reset = [0; 14];
    assert_eq!(Packet::Reset { code: 1 }.encode(&Framing::tagged(client.theirs), &mut reset), Ok(14));
    let malformed = DropReason::Malformed(DecodeError::Prefix);
    for bit in 0..64 {
        reset[..8].copy_from_slice(&(right ^ 1 << bit).to_be_bytes());
        assert_eq!(listener.receive_datagram(HERE, &reset), Dispatch::Dropped(malformed));
    }
    for len in 0..8 {
        let dispatch = listener.receive_datagram(HERE, &client.theirs.as_bytes()[..len]);
        assert_eq!(dispatch, Dispatch::Dropped(malformed));
    }
    assert_eq!(listener.dropped(malformed), 72);
    for packet in [info(1, b"x"), Packet::Fin, Packet::FinAck, Packet::Ack { number: rdt_proto::Seq::ZERO }] {
        let mut datagram = [0; 64];
        let len = packet.encode(&Framing::NOTE, &mut datagram).unwrap();
        assert_eq!(listener.receive_datagram(HERE, &datagram[..len]), Dispatch::Dropped(DropReason::UnknownPeer));
    }
    assert!(listener.machine.peer(client.id) == Some(&before));
    listener.expect_nothing();
}

#[test]
fn no_answer_to_a_connect_is_larger_than_the_connect() {
    let sizes = |listener: &mut ListenerTrace| listener.drain().iter().map(|(_, sent)| sent.len()).collect::<Vec<_>>();
    let mut listener = ListenerTrace::new(config(Retry::Always));
    assert_eq!(listener.connect(HERE, tag(1), None), Dispatch::Retried);
    let [retry] = sizes(&mut listener)[..] else { panic!("the answer is one RETRY") };
    let mut listener = ListenerTrace::new(config(Retry::Never));
    listener.queues(HERE, tag(1));
    let incoming = listener.incoming(HERE);
    listener.machine.refuse(incoming, 1);
    let [reset] = sizes(&mut listener)[..] else { panic!("the answer is one RESET") };
    listener.queues(HERE, tag(1));
    let incoming = listener.incoming(HERE);
    let id = listener.accept(incoming);
    // Data of the application is sent only after INFO 0.
    assert_eq!(listener.machine.peer_mut(id).unwrap().send(&[0; 1_000]), Ok(1_000));
    let [connack] = sizes(&mut listener)[..] else { panic!("the answer is one CONNACK") };
    listener.sleep(125, 133);
    assert_eq!(sizes(&mut listener), [connack], "which the timer repeats once");
    listener.machine.peer_mut(id).unwrap().abort(1);
    let [aborted] = sizes(&mut listener)[..] else { panic!("the answer is one RESET") };
    assert!(retry <= MIN_CONNECT && reset <= MIN_CONNECT && 2 * connack + aborted <= MIN_CONNECT);
}

/// The application accepts late, so the first CONNECT is no measure of the round trip.
#[test]
fn connack_names_the_last_connect_that_arrived_before_accept() {
    let mut listener = ListenerTrace::new(config(Retry::Never));
    for attempt in [0, 1, 2] {
        let mut list = [0; 2 * MIN_CONNECT];
        let options = OptionsWriter::new(&mut list).version(VERSION).unwrap().tag(tag(1)).unwrap();
        let options = options.attempt(attempt).unwrap().pad_to(MIN_CONNECT).unwrap().finish();
        let mut datagram = [0; 2 * MIN_CONNECT];
        let len = Packet::Connect(options).encode(&Framing::NOTE, &mut datagram).unwrap();
        assert_eq!(listener.receive_datagram(HERE, &datagram[..len]), Dispatch::Queued);
    }
    let incoming = listener.incoming(HERE);
    listener.accept(incoming);
    let (_, connack) = listener.transmit().unwrap();
    let Ok(Packet::ConnAck(options)) = Framing::tagged(tag(1)).decode(&connack) else { panic!("{connack:?}") };
    assert_eq!(options.attempt(), Some(2));
}

#[test]
fn at_the_connection_limit_clients_wait_and_are_not_reported() {
    let mut listener = ListenerTrace::new(ListenerConfig { peers: 1, ..config(Retry::Never) });
    let client = listener.established(HERE, tag(1));
    listener.queues(At(2, 1), tag(2));
    assert!(!listener.machine.has_incoming() && listener.machine.poll_incoming().is_none());
    assert_eq!((listener.machine.len(), listener.machine.backlog_len()), (1, 1));
    listener.peer(&client).abort(0);
    listener.drain();
    listener.machine.release(listener.now, client.id);
    assert!(listener.machine.has_incoming());
    let client = listener.accepts(At(2, 1));
    listener.confirms(&client);
}

/// Regression: a client that `accept` refused for lack of room went to the end of the backlog.
///
/// A loop that accepted clients until none waited never ended, and the order of the clients was lost.
#[test]
fn a_client_refused_for_lack_of_room_keeps_its_order() {
    let mut listener = ListenerTrace::new(ListenerConfig { peers: 1, ..config(Retry::Never) });
    for host in 1..=4 {
        listener.queues(At(host, 1), tag(1));
    }
    let incoming = [1, 2, 3].map(|host| listener.incoming(At(host, 1)));
    let [first, second, third] = incoming;
    let id = listener.accept(second);
    listener.drain();
    for incoming in [first, third] {
        let full = listener
            .machine
            .accept(listener.now, incoming, [9; 32], || panic!("storage is made only if there is room"));
        assert_eq!((full, listener.machine.poll_incoming()), (Err(AcceptError::<StoreError>::Full), None));
    }
    listener.machine.release(listener.now, id);
    listener.drain();
    let order: Vec<At> =
        std::iter::from_fn(|| listener.machine.poll_incoming()).map(|incoming| incoming.address()).collect();
    assert_eq!(order, [At(1, 1), At(3, 1), At(4, 1)]);
}

/// Without RETRY, a flood fills the backlog until the handshake limit.
#[test]
fn without_retry_a_full_backlog_ignores_new_clients() {
    let mut listener = ListenerTrace::new(config(Retry::Never));
    for host in 1..=8 {
        listener.queues(At(host, 1), tag(1));
    }
    for _ in 0..8 {
        let incoming = listener.machine.poll_incoming().unwrap();
        listener.accept(incoming);
    }
    listener.drain();
    listener.ignores(At(9, 1), tag(1), DropReason::BacklogFull);
    listener.expect_nothing();
    assert_eq!((listener.dropped(DropReason::BacklogFull), listener.machine.stats().retried), (1, 0));
    listener.elapse_with_loss(10_000);
    listener.queues(At(9, 1), tag(1));
}

/// RETRY is sent only while unvalidated handshakes hold half of the backlog.
#[test]
fn once_forged_handshakes_have_ended_no_retry_is_sent() {
    let mut listener = ListenerTrace::new(config(Retry::Auto));
    for host in 1..=4 {
        listener.queues(At(host, 1), tag(1));
        listener.accepts(At(host, 1));
    }
    listener.elapse_with_loss(9_999);
    let _ = listener.retries(At(9, 1), tag(1));
    listener.elapse_with_loss(1);
    listener.queues(At(9, 1), tag(1));
    let client = listener.accepts(At(9, 1));
    listener.confirms(&client);
}

#[test]
fn validated_addresses_fill_the_rest_of_the_backlog() {
    let mut listener = ListenerTrace::new(config(Retry::Auto));
    for host in 1..=4 {
        listener.queues(At(host, 1), tag(1));
    }
    for host in 5..=8 {
        let cookie = listener.retries(At(host, 1), tag(1));
        assert_eq!(listener.connect(At(host, 1), tag(1), Some(&cookie)), Dispatch::Queued);
        assert_eq!(listener.connect(At(host, 1), tag(1), Some(&cookie)), Dispatch::Queued, "a repeated CONNECT");
    }
    let cookie = listener.retries(At(9, 1), tag(1));
    let dispatch = listener.connect(At(9, 1), tag(1), Some(&cookie));
    assert_eq!(dispatch, Dispatch::Dropped(DropReason::BacklogFull));
    assert_eq!((listener.machine.backlog_len(), listener.machine.stats().bad_cookie), (8, 0));
}

/// Regression: a handshake was evicted for a new client that was then dropped, since the backlog was full.
#[test]
fn no_handshake_is_evicted_for_a_client_that_does_not_fit() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_address: 1, backlog: 4, ..config(Retry::Auto) });
    listener.queues(HERE, tag(1));
    let honest = listener.accepts(HERE);
    listener.queues(At(2, 1), tag(1));
    for host in 3..6 {
        let cookie = listener.retries(At(host, 1), tag(1));
        assert_eq!(listener.connect(At(host, 1), tag(1), Some(&cookie)), Dispatch::Queued);
    }
    let cookie = listener.retries(HERE, tag(2));
    let dispatch = listener.connect(HERE, tag(2), Some(&cookie));
    assert_eq!(dispatch, Dispatch::Dropped(DropReason::BacklogFull));
    assert_eq!((listener.peer(&honest).ended(), listener.machine.stats().evicted), (None, 0));
    // A client in the backlog is replaced by its own new handshake, even if the backlog is full.
    let cookie = listener.retries(At(2, 1), tag(2));
    assert_eq!(listener.connect(At(2, 1), tag(2), Some(&cookie)), Dispatch::Queued);
    assert_eq!((listener.machine.backlog_len(), listener.machine.stats().evicted), (4, 1));
    listener.confirms(&honest);
}

/// A late copy of the first CONNECT may enter the backlog before the CONNECT with the cookie arrives.
#[test]
fn a_cookie_validates_the_address_of_a_client_in_the_backlog() {
    let mut listener = ListenerTrace::new(config(Retry::Auto));
    for host in 1..=4 {
        listener.queues(At(host, 1), tag(1));
    }
    let cookie = listener.retries(HERE, tag(2));
    let first = listener.incoming(HERE);
    listener.machine.ignore(first);
    listener.queues(HERE, tag(2));
    let _ = listener.retries(At(9, 1), tag(1));
    assert_eq!(listener.connect(HERE, tag(2), Some(&cookie)), Dispatch::Queued);
    assert_eq!((listener.machine.backlog_len(), listener.machine.stats().validated), (4, 1));
    listener.queues(At(9, 1), tag(1));
    // A repeated cookie does not count again.
    assert_eq!(listener.connect(HERE, tag(2), Some(&cookie)), Dispatch::Queued);
    assert_eq!(listener.machine.stats().validated, 1);
}

/// Regression: clients that entered the backlog, and clients that the application ignored, were not counted.
#[test]
fn the_counters_account_for_every_connect() {
    let mut listener = ListenerTrace::new(ListenerConfig { backlog: 6, ..config(Retry::Never) });
    for host in 1..=6 {
        listener.queues(At(host, 1), tag(1));
        listener.queues(At(host, 1), tag(1));
    }
    listener.ignores(At(7, 1), tag(1), DropReason::BacklogFull);
    listener.accepts(At(1, 1));
    let (refused, dismissed) = (listener.incoming(At(2, 1)), listener.incoming(At(3, 1)));
    listener.machine.refuse(refused, 1);
    listener.machine.ignore(dismissed);
    listener.queues(At(4, 1), tag(2));
    let [_, _, dismissed] = [4, 5, 6].map(|host| listener.incoming(At(host, 1)));
    listener.machine.ignore(dismissed);
    listener.drain();
    let newer = listener.accepts(At(4, 1));
    listener.confirms(&newer);
    listener.elapse_with_loss(10_000);
    let stats = *listener.machine.stats();
    assert_eq!((stats.queued, stats.repeated, stats.dropped.total()), (7, 6, 1));
    assert_eq!((stats.accepted, stats.refused, stats.dismissed), (2, 1, 2));
    assert_eq!((stats.evicted_pending, stats.expired, listener.machine.backlog_len()), (1, 1, 0));
}

#[test]
fn all_clients_get_a_reset_when_accepting_stops() {
    let mut listener = ListenerTrace::new(ListenerConfig { backlog: 32, ..config(Retry::Never) });
    for host in 1..=20 {
        listener.queues(At(host, 1), tag(1));
    }
    listener.machine.stop_accepting(4);
    assert!(listener.machine.is_empty());
    let refused: Vec<At> = listener.drain().into_iter().map(|(to, _)| to).collect();
    assert!(refused.into_iter().eq((1..=20).map(|host| At(host, 1))));
    listener.ignores(At(21, 1), tag(1), DropReason::Stopped);
    let (to, reset) = listener.transmit().expect("no RESET");
    assert_eq!((to, Framing::tagged(tag(1)).decode(&reset)), (At(21, 1), Ok(Packet::Reset { code: 4 })));
    assert_eq!(listener.machine.poll_incoming(), None);
}

#[test]
fn a_datagram_from_elsewhere_before_info_0_starts_no_validation() {
    let mut listener = ListenerTrace::new(config(Retry::Never));
    listener.queues(HERE, tag(1));
    let client = listener.accepts(HERE);
    listener.drops_from(At(2, 1), &client, info(1, b"early"));
    assert!(listener.drain().iter().all(|(to, _)| *to == HERE));
    assert_eq!(listener.machine.stats().other_address, 1);
    listener.elapse_with_loss(10_000);
    listener.expect_event(&client, Event::Closed(CloseReason::HandshakeTimedOut));
}

/// A congested network may lose INFO 0 for longer than the handshake limit.
///
/// Regression: the listener ended the handshake at that limit, and the client repeated INFO 0 until its idle limit.
#[test]
fn a_client_of_a_validated_address_may_confirm_late() {
    let mut listener = ListenerTrace::new(config(Retry::Always));
    let cookie = listener.retries(HERE, tag(1));
    assert_eq!(listener.connect(HERE, tag(1), Some(&cookie)), Dispatch::Queued);
    let client = listener.accepts(HERE);
    listener.elapse_with_loss(29_000);
    listener.confirms(&client);
    let cookie = listener.retries(At(2, 1), tag(2));
    assert_eq!(listener.connect(At(2, 1), tag(2), Some(&cookie)), Dispatch::Queued);
    let client = listener.accepts(At(2, 1));
    listener.elapse_with_loss(30_000);
    listener.expect_event(&client, Event::Closed(CloseReason::HandshakeTimedOut));
}

mod fixed {
    use super::*;
    use rdt_proto::connection::HeapStopAndWait;
    use rdt_proto::listener::{FixedPeers, Listener};
    use rdt_proto::{Duration, Instant};

    /// Regression: with fixed tables for less than half of the configured backlog, RETRY was never sent.
    #[test]
    fn a_flood_does_not_fill_a_listener_of_fixed_memory() {
        let mut now = Instant::ZERO;
        let config = ListenerConfig::default();
        let storage = || HeapStopAndWait::stop_and_wait_on_heap(&config.connection);
        let mut machine = Listener::<FixedPeers<4, u16, HeapStopAndWait>>::new(now, config, [7; 48]);
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
        assert_eq!(machine.handle_datagram(now, 1_000, &connect(tag(1), None)), Dispatch::Retried);
        let (to, retry) = machine.poll_transmit(now, &mut buf).unwrap().unwrap();
        let Ok(Packet::Retry { cookie }) = Framing::tagged(tag(1)).decode(&buf[..retry.len]) else {
            panic!("no RETRY")
        };
        assert_eq!(to, 1_000);
        let cookie = cookie.to_vec();
        assert_eq!(machine.handle_datagram(now, 1_000, &connect(tag(1), Some(&cookie))), Dispatch::Queued);
        let incoming = machine.poll_incoming().unwrap();
        assert_eq!(incoming.address(), 1_000);
        let id = machine.accept(now, incoming, [255; 32], storage).unwrap();
        let dispatch = machine.handle_datagram(now, 1_000, &connect(tag(1), Some(&cookie)));
        assert_eq!(dispatch, Dispatch::Peer(id, Handled::Accepted));
    }
}

/// A CONNECT of this version, padded.
fn connect_of(version: u32) -> Vec<u8> {
    let mut list = [0; 2 * MIN_CONNECT];
    let options = OptionsWriter::new(&mut list).tag(tag(1)).unwrap();
    let options = if version == 0 { options } else { options.version(version).unwrap() };
    let options = options.pad_to(MIN_CONNECT - Framing::NOTE.header_len()).unwrap().finish();
    let mut datagram = vec![0; MIN_CONNECT];
    assert_eq!(Packet::Connect(options).encode(&Framing::NOTE, &mut datagram), Ok(MIN_CONNECT));
    datagram
}

#[test]
fn a_connect_of_another_version_is_answered_with_ours_and_kept_nowhere() {
    for retry in [Retry::Never, Retry::Always] {
        let mut listener = ListenerTrace::new(config(retry));
        for theirs in [0, VERSION + 1] {
            let dispatch = listener.receive_datagram(HERE, &connect_of(theirs));
            assert_eq!(dispatch, Dispatch::Dropped(DropReason::Version));
            let (to, answer) = listener.transmit().expect("the client must learn our version");
            let Ok(Packet::ConnAck(options)) = Framing::tagged(tag(1)).decode(&answer) else { panic!("{answer:?}") };
            assert_eq!((to, options.version(), options.tag(), answer.len()), (HERE, Some(VERSION), None, 15));
        }
        assert!(listener.machine.poll_incoming().is_none());
        assert_eq!((listener.machine.backlog_len(), listener.dropped(DropReason::Version)), (0, 2));
    }
}

/// The identity of a handshake is its address and its tag.
#[test]
fn a_connect_with_a_cookie_or_other_padding_repeats_its_handshake() {
    let mut listener = ListenerTrace::new(config(Retry::Never));
    listener.queues(HERE, tag(1));
    assert_eq!(listener.connect(HERE, tag(1), Some(b"a cookie")), Dispatch::Queued);
    let longer = [&connect_of(VERSION)[..], &[0], &[7; 100]].concat();
    assert_eq!(listener.receive_datagram(HERE, &longer), Dispatch::Queued);
    assert_eq!((listener.machine.backlog_len(), listener.machine.stats().repeated), (1, 2));
}
