//! Datagrams of connections that the listener does not know (any more) (RFC 9000 §10.3).

use harness::base::storage;
use harness::listener::*;
use rdt_proto::Instant;
use rdt_proto::connection::{CloseReason, Config, Connection, HeapStopAndWait};
use rdt_proto::listener::{DropReason, ListenerConfig};
use rdt_proto::wire::{DecodeError, Framing, Packet};

const HERE: At = At(1, 1);
const KEY: [u8; 16] = [3; 16];

fn listener(key: Option<[u8; 16]>) -> ListenerTrace {
    let mut listener = ListenerTrace::new(ListenerConfig::default());
    if let Some(key) = key {
        listener.machine.set_reset_key(key);
    }
    listener
}

/// Connects a client to a listener with this key.
fn client_of(key: Option<[u8; 16]>) -> Connection<HeapStopAndWait> {
    let (mut listener, config) = (listener(key), Config::new());
    let mut client = Connection::connect(listener.now, config, [5; 32], storage(&config, 2).unwrap()).unwrap();
    let connect = send(&mut client, listener.now);
    listener.receive_datagram(HERE, &connect);
    let incoming = listener.incoming(HERE);
    listener.accept(incoming);
    let (_, connack) = listener.transmit().unwrap();
    client.handle_datagram(listener.now, &connack);
    assert!(client.is_established());
    client
}

fn send(client: &mut Connection<HeapStopAndWait>, now: Instant) -> Vec<u8> {
    let mut buf = [0; 2_048];
    let sent = client.poll_transmit(now, &mut buf).unwrap().expect("nothing is due");
    buf[..sent.len].to_vec()
}

#[test]
fn a_client_of_a_restarted_server_knows_in_a_round_trip() {
    for (before, after, reason) in [
        (Some(KEY), Some(KEY), Some(CloseReason::StatelessReset)),
        (Some(KEY), Some([4; 16]), None),
        (None, Some(KEY), None),
    ] {
        let mut client = client_of(before);
        let mut restarted = listener(after);
        let info = send(&mut client, restarted.now);
        restarted.receive_datagram(HERE, &info);
        let (to, reset) = restarted.transmit().expect("no reset");
        assert_eq!((to, reset.len()), (HERE, 10));
        client.handle_datagram(restarted.now, &reset);
        assert_eq!(client.ended(), reason);
    }
}

#[test]
fn the_token_in_connack_is_that_of_the_reset() {
    let mut listener = listener(Some(KEY));
    listener.queues(HERE, tag(1));
    let incoming = listener.incoming(HERE);
    let id = listener.accept(incoming);
    let (_, connack) = listener.transmit().unwrap();
    let Ok(Packet::ConnAck(options)) = Framing::tagged(tag(1)).decode(&connack) else { panic!("{connack:?}") };
    let (token, theirs) = (options.reset_token().expect("no token"), options.tag().unwrap());
    // The application gives up the connection, and its client does not hear of it.
    listener.machine.peer_mut(id).unwrap().abort(0);
    listener.drain();
    listener.machine.release(listener.now, id);
    listener.receive_under(HERE, theirs, Packet::Fin);
    let (to, reset) = listener.transmit().expect("no reset");
    assert_eq!((to, &reset[..8], &reset[8..]), (HERE, &token.as_bytes()[..], &b"\x08\x00"[..]));
    assert_eq!(listener.machine.stats().stateless_resets, 1);
    assert_eq!(listener.dropped(DropReason::Malformed(DecodeError::Prefix)), 1);
}

#[test]
fn without_a_key_nothing_answers_an_unknown_tag() {
    let mut listener = listener(None);
    listener.receive_under(HERE, tag(9), info(0, b"x"));
    listener.expect_nothing();
}

/// Two servers that reset each other's resets would never stop.
#[test]
fn a_reset_gets_no_reset() {
    let mut listener = listener(Some(KEY));
    listener.receive_under(HERE, tag(9), info(0, b"x"));
    let (_, reset) = listener.transmit().expect("no reset");
    listener.receive_datagram(At(2, 1), &reset);
    listener.expect_nothing();
}

#[test]
fn a_flood_of_unknown_tags_gets_at_most_100_resets_a_second() {
    let mut listener = listener(Some(KEY));
    let mut resets = 0;
    for number in 0..10_000_u32 {
        listener.now = listener.now + rdt_proto::Duration::from_micros(100);
        listener.receive_under(HERE, tag(9), info(number, b"x"));
        resets += listener.drain().len();
    }
    assert!((90..=100).contains(&resets), "{resets}");
}
