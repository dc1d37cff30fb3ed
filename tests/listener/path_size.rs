//! The datagram size of the path at a listener.

use harness::listener::*;
use rdt_proto::Duration;
use rdt_proto::connection::Config;
use rdt_proto::listener::{Dispatch, ListenerConfig, Retry};
use rdt_proto::wire::{Framing, MIN_CONNECT, OptionsWriter, Packet, Tag, VERSION};

const HERE: At = At(1, 1);
const THERE: At = At(2, 1);
/// The size of a full INFO.
const FULL: usize = 1_220;

fn listener() -> ListenerTrace {
    let connection = Config::default();
    ListenerTrace::new(ListenerConfig {
        connection,
        peers: 16,
        backlog: 8,
        per_host: 8,
        per_address: 4,
        busy: None,
        retry: Retry::Never,
    })
}

/// Delivers a CONNECT of `len` bytes.
fn connects(listener: &mut ListenerTrace, from: At, tag: Tag, len: usize) {
    let (mut list, mut datagram) = ([0; FULL], [0; FULL]);
    let options = OptionsWriter::new(&mut list).version(VERSION).unwrap().tag(tag).unwrap().segment(1_200).unwrap();
    let options = options.pad_to(len - Framing::NOTE.header_len()).unwrap().finish();
    let written = Packet::Connect(options).encode(&Framing::NOTE, &mut datagram).unwrap();
    assert_eq!(listener.receive_datagram(from, &datagram[..written]), Dispatch::Queued);
}

/// Accepts the next client. Returns the length of its CONNACK.
fn accepts(listener: &mut ListenerTrace, from: At) -> usize {
    let incoming = listener.incoming(from);
    listener.accept(incoming);
    listener.transmit().unwrap().1.len()
}

#[test]
fn connack_is_as_long_as_the_last_connect_before_accept_allows() {
    let mut listener = listener();
    connects(&mut listener, HERE, tag(1), FULL);
    connects(&mut listener, HERE, tag(1), MIN_CONNECT);
    assert_eq!(accepts(&mut listener, HERE), 44);
    connects(&mut listener, HERE, tag(2), MIN_CONNECT);
    connects(&mut listener, HERE, tag(2), FULL);
    assert_eq!(accepts(&mut listener, HERE), FULL - 68);
}

#[test]
fn a_refused_size_reaches_each_connection_at_the_address() {
    let mut listener = listener();
    for (at, tag) in [(HERE, tag(1)), (HERE, tag(2)), (THERE, tag(3))] {
        connects(&mut listener, at, tag, FULL);
        assert_eq!(accepts(&mut listener, at), FULL - 68);
    }
    listener.machine.handle_datagram_too_large(listener.now, HERE, FULL - 68);
    let sent = listener.drain().into_iter().map(|(to, sent)| (to, sent.len()));
    assert_eq!(sent.collect::<Vec<_>>(), [(HERE, 44), (HERE, 44)]);
}

/// Regression: CONNACK was repeated twice, and its bytes exceeded those of CONNECT.
#[test]
fn a_report_about_another_datagram_costs_no_byte_beyond_connect() {
    for (connect, reported, after) in
        [(FULL, FULL - 68, vec![44]), (FULL, 1_400, vec![44]), (MIN_CONNECT, 1_000, vec![44])]
    {
        let mut listener = listener();
        connects(&mut listener, HERE, tag(1), connect);
        let connack = accepts(&mut listener, HERE);
        listener.machine.handle_datagram_too_large(listener.now, HERE, reported);
        let mut sent = vec![];
        for _ in 0..20 {
            sent.extend(listener.drain().into_iter().map(|(_, datagram)| datagram.len()));
            listener.now = listener.now + Duration::from_millis(10);
            listener.machine.handle_timeout(listener.now);
        }
        assert_eq!(sent, after);
        assert!(connack + sent.iter().sum::<usize>() <= connect);
    }
}
