//! Early data: data written before the peer has announced its segment.

use harness::base;
use harness::extended::*;
use rdt_proto::arq::Arq;
use rdt_proto::congestion::Controller;
use rdt_proto::connection::{
    CloseReason, Config, Connection, ConnectionTypes, Event, HandshakeParameters, HeapStorage, Storage,
};
use rdt_proto::store::{RecvStore, SendSlots, SendSource, SendStore, StoreError};
use rdt_proto::wire::{Framing, Packet};
use rdt_proto::{Instant, Seq};

/// The handshake parameters of a server that accepts bodies of at most 128 bytes.
const SMALL: HandshakeParameters = HandshakeParameters { segment: 128, ..PARAMETERS };

/// Data for three full bodies. Adjacent bytes differ.
fn image() -> Vec<u8> {
    (0..3 * Config::new().segment).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

/// Asserts that the next INFO has this number and at most 128 bytes, and returns its body.
#[track_caller]
fn next_body<T: ConnectionTypes>(client: &mut ExtendedTrace<T>, expected: u32) -> Vec<u8> {
    let datagram = client.next_datagram().expect("no INFO");
    let Packet::Info { number, body, .. } = Framing::tagged(PEER).decode(&datagram).unwrap() else {
        panic!("{datagram:?}")
    };
    assert_eq!(number, Seq::new(expected));
    assert!(body.len() <= 128, "{} bytes", body.len());
    body.to_vec()
}

/// Completes the handshake with [`SMALL`]. Asserts that all data arrives in order, in INFOs with consecutive numbers.
#[track_caller]
fn arrives_in_pieces<T: ConnectionTypes>(mut client: ExtendedTrace<T>, image: &[u8]) {
    client.learns_tag();
    client.peer_sends_connack(SMALL);
    client.expect_event(Event::Connected);
    let (mut arrived, mut number) = (Vec::new(), 0);
    while arrived.len() < image.len() {
        let body = next_body(&mut client, number);
        arrived.extend(body);
        number += 1;
        client.peer_sends(sack(number, number - 1, number, &[]));
    }
    assert!(arrived == image);
    assert!(client.machine.is_all_acknowledged());
    client.expect_nothing();
}

/// Creates a client, and writes three full bodies before its CONNECT.
fn writes_early<T: ConnectionTypes>(storage: T) -> ExtendedTrace<T> {
    let mut client = ExtendedTrace::client_with(Config::default(), storage);
    assert_eq!(client.machine.send(&image()), Ok(image().len()));
    client
}

#[test]
fn selective_repeat_cuts_early_data_to_the_peers_segment() {
    arrives_in_pieces(writes_early(storage(&Config::default(), 3, 1)), &image());
}

#[test]
fn stop_and_wait_cuts_early_data_to_the_peers_segment() {
    arrives_in_pieces(writes_early(base::storage(&Config::default(), 3).unwrap()), &image());
}

#[test]
fn a_source_is_cut_to_the_peers_segment() {
    let (image, config) = (image(), Config::default());
    let send = || SendSource::new(&image[..], config.segment).unwrap();
    let Storage { recv, arq, .. } = storage(&config, 64, 1);
    arrives_in_pieces(ExtendedTrace::client_with(config, Storage { send: send(), recv, arq }), &image);
    let Storage { recv, arq, .. } = base::storage(&config, 2).unwrap();
    arrives_in_pieces(ExtendedTrace::client_with(config, Storage { send: send(), recv, arq }), &image);
}

#[test]
fn data_after_the_cut_has_bodies_of_the_same_size() {
    let mut client = writes_early(storage(&Config::default(), 5, 64));
    client.learns_tag();
    client.peer_sends_connack(SMALL);
    let more = [7; 200];
    assert_eq!(client.machine.send(&more), Ok(more.len()));
    let sent: Vec<u8> = (0..32).flat_map(|number| next_body(&mut client, number)).collect();
    client.expect_nothing();
    assert!(sent == [&image()[..], &more].concat());
}

#[test]
fn a_lost_piece_is_repeated_unchanged() {
    let mut client = writes_early(storage(&Config::default(), 3, 4));
    client.learns_tag();
    client.peer_sends_connack(SMALL);
    let first = next_body(&mut client, 0);
    client.elapse_with_loss(5);
    client.peer_sends(sack(0, 3, 0, &[0b1110]));
    client.expect(info(0, &first));
}

/// A store that cannot cut its bodies.
struct Whole(SendSlots<Vec<u8>>);

impl SendStore for Whole {
    fn segment(&self) -> usize {
        self.0.segment()
    }

    fn end(&self) -> Seq {
        self.0.end()
    }

    fn has_room(&self, limit: usize) -> bool {
        self.0.has_room(limit)
    }

    fn has_free_slot(&self) -> bool {
        self.0.has_free_slot()
    }

    fn spare_number(&self, limit: usize) -> Seq {
        self.0.spare_number(limit)
    }

    fn spare(&mut self, limit: usize) -> &mut [u8] {
        self.0.spare(limit)
    }

    fn commit(&mut self, count: usize) {
        self.0.commit(count);
    }

    fn write(&mut self, data: &[u8], limit: usize) -> usize {
        self.0.write(data, limit)
    }

    fn start(&mut self) -> bool {
        self.0.start()
    }

    fn seal(&mut self) {
        self.0.seal();
    }

    fn body(&self, number: Seq) -> &[u8] {
        self.0.body(number)
    }

    fn cut(&mut self, _from: Seq, _limit: u16) -> bool {
        false
    }

    fn release(&mut self, base: Seq) {
        self.0.release(base);
    }
}

/// Storage with a send store that cannot cut its bodies.
fn whole(segment: u16) -> Storage<Whole, impl RecvStore, impl Arq> {
    let HeapStorage::<Controller> { send: _, recv, arq } = storage(&Config::default(), 4, 4);
    Storage { send: Whole(SendSlots::with_slots(4, segment).unwrap()), recv, arq }
}

#[test]
fn a_store_that_cannot_cut_is_refused_if_its_body_is_too_large() {
    let (now, config) = (Instant::from_millis(1_000), Config::default());
    let too_large = |limit, available| Some(StoreError::SegmentTooLarge { limit, available });
    assert_eq!(Connection::connect(now, config, [1; 32], whole(1_201)).err(), too_large(1_200, 1_201));
    assert_eq!(Connection::accept(now, config, [1; 32], SMALL, whole(129)).err(), too_large(128, 129));
    assert!(Connection::accept(now, config, [1; 32], SMALL, whole(128)).is_ok());
}

#[test]
fn a_client_that_cannot_cut_ends_at_a_smaller_peer_segment() {
    let mut client = writes_early(whole(1_200));
    client.learns_tag();
    client.peer_sends_connack(SMALL);
    client.expect_event(Event::Closed(CloseReason::SegmentTooLarge));
    client.expect_nothing();
    let mut client = ExtendedTrace::client_with(Config::default(), whole(128));
    client.machine.send(&[7; 130]).unwrap();
    client.learns_tag();
    client.peer_sends_connack(SMALL);
    client.expect(info(0, &[7; 128]));
    client.expect(info(1, &[7; 2]));
}

#[test]
fn uncut_slots_need_a_peer_with_their_segment() {
    let uncut = || base::storage(&Config::default(), 3).unwrap().map_send(SendSlots::uncut);
    let mut client = writes_early(uncut());
    client.learns_tag();
    client.peer_sends_connack(HandshakeParameters { segment: 1_199, ..PARAMETERS });
    client.expect_event(Event::Closed(CloseReason::SegmentTooLarge));
    let mut client = writes_early(uncut());
    client.learns_tag();
    client.peer_sends_connack(PARAMETERS);
    client.expect(info(0, &image()[..1_200]));
}

/// Regression: uncut slots were refused although nothing was written.
#[test]
fn uncut_slots_without_bodies_take_any_peer() {
    let uncut = || base::storage(&Config::default(), 3).unwrap().map_send(SendSlots::uncut);
    let mut client = ExtendedTrace::client_with(Config::default(), uncut());
    client.learns_tag();
    client.peer_sends_connack(SMALL);
    client.expect_event(Event::Connected);
    client.expect(info(0, b""));
    client.peer_sends(sack(1, 0, 1, &[]));
    client.machine.send(&[7; 130]).unwrap();
    client.expect(info(1, &[7; 128]));
    client.peer_sends(sack(2, 1, 2, &[]));
    client.expect(info(2, &[7; 2]));
    let accepted = Connection::accept(Instant::from_millis(1_000), Config::default(), [1; 32], SMALL, uncut());
    assert_eq!(accepted.err(), None);
}
