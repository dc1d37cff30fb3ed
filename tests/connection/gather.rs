//! Large bodies that are sent from where they lie.

use harness::extended::*;
use rdt_proto::congestion::{Controller, FixedWindow};
use rdt_proto::connection::{
    Config, Connection, ConnectionTypes, HandshakeParameters, HeapStorage, Observer, Storage, TraceEvent,
};
use rdt_proto::store::SendSlots;
use rdt_proto::wire::Packet;
use rdt_proto::{BufferTooSmall, Instant};

const CONFIG: Config = Config { segment: 62_000, recv_segment: 62_000, ..Config::new() };

/// An established client. Its send store is [`uncut`](SendSlots::uncut), so that it sends large bodies from the start.
fn client<T: ConnectionTypes>(storage: T) -> ExtendedTrace<T> {
    let mut trace = ExtendedTrace::client_with(CONFIG, storage);
    trace.learns_tag();
    trace.peer_sends_connack(HandshakeParameters { segment: 62_000, ..PARAMETERS });
    trace.expect(info(0, b""));
    trace.elapse(100);
    trace.peer_sends(sack(1, 0, 1, &[]));
    trace.expect_nothing();
    trace
}

fn large() -> HeapStorage<Controller> {
    Storage::on_heap_with(&CONFIG, 8, |_| FixedWindow::new(1 << 20).into()).unwrap()
}

fn body(len: usize) -> Vec<u8> {
    (0..=250_u8).cycle().take(len).collect()
}

/// All that is due, as whole datagrams, and how many of them had a body apart.
fn gathered<T: ConnectionTypes>(connection: &mut Connection<T>, now: Instant) -> (Vec<Vec<u8>>, usize) {
    let (mut datagrams, mut apart, mut buf) = (Vec::new(), 0, vec![0; 65_507]);
    while let Some(gather) = connection.poll_transmit_gather(now, 64, &mut buf).unwrap() {
        let (written, size) = (&buf[..gather.transmit.len], gather.transmit.segment_size);
        let whole = [written, gather.body.map_or(&[], |number| connection.body(number))].concat();
        assert_eq!(whole.len(), gather.bytes());
        datagrams.extend(whole.chunks(size).map(Vec::from));
        apart += usize::from(gather.body.is_some());
    }
    (datagrams, apart)
}

/// Bodies of these lengths, as `poll_transmit` and as `poll_transmit_gather` send them.
fn both<T: ConnectionTypes>(storage: impl Fn() -> T, lens: &[usize]) -> [(Vec<Vec<u8>>, usize); 2] {
    let (mut whole, mut apart) = (client(storage()), client(storage()));
    for trace in [&mut whole, &mut apart] {
        for &len in lens {
            trace.machine.send_segment(&body(len)).unwrap();
        }
    }
    let datagrams = whole.drain().into_iter().map(|((), datagram)| datagram).collect();
    let gathered = gathered(&mut apart.machine, apart.now);
    assert_eq!(whole.machine.stats(), apart.machine.stats());
    assert_eq!(whole.machine.poll_timeout(), apart.machine.poll_timeout());
    [(datagrams, 0), gathered]
}

#[test]
fn the_head_and_the_body_are_the_datagram() {
    let lens = [62_000, 100, 100, 40_000, 32_768, 32_767, 1];
    let [(whole, _), (gathered, apart)] = both(|| large().map_send(SendSlots::uncut), &lens);
    assert!(gathered == whole);
    assert_eq!(apart, 3, "bodies of 32 KiB or more");
}

/// An observer sees each datagram, so it must be whole.
#[test]
fn datagrams_for_an_observer_are_whole() {
    struct Bodies(Vec<usize>);
    impl Observer for Bodies {
        fn observe(&mut self, _now: Instant, event: &TraceEvent<'_>) {
            if let TraceEvent::Sent { datagram, .. } = event
                && let Packet::Info { body, .. } = datagram.packet
            {
                self.0.push(body.len());
            }
        }
    }
    let mut client = client(large().map_send(SendSlots::uncut).observed(Bodies(Vec::new())));
    client.machine.send_segment(&body(62_000)).unwrap();
    assert_eq!(gathered(&mut client.machine, client.now).1, 0);
    assert_eq!(client.machine.observer().0, [0, 62_000]);
}

#[test]
fn the_buffer_must_hold_the_head() {
    let mut client = client(large().map_send(SendSlots::uncut));
    client.machine.send_segment(&body(40_000)).unwrap();
    let refused = client.machine.poll_transmit_gather(client.now, 64, &mut [0; 9]);
    assert!(matches!(refused, Err(BufferTooSmall { needed }) if needed > 9));
    assert_eq!(gathered(&mut client.machine, client.now).1, 1, "it stays due");
}

#[test]
fn a_body_is_gone_once_it_is_acknowledged() {
    let mut client = client(large().map_send(SendSlots::uncut));
    client.machine.send_segment(&body(40_000)).unwrap();
    let mut buf = [0; 64];
    let number = client.machine.poll_transmit_gather(client.now, 64, &mut buf).unwrap().unwrap().body.unwrap();
    assert_eq!(client.machine.body(number).len(), 40_000);
    client.peer_sends(sack(2, 1, 2, &[]));
    assert_eq!(client.machine.body(number), b"");
}

/// Regression: bodies of which several fit into one call left one by one.
#[test]
fn datagrams_of_which_two_fit_the_buffer_leave_together() {
    let mut client = client(large().map_send(SendSlots::uncut));
    for _ in 0..4 {
        client.machine.send_segment(&body(20_000)).unwrap();
    }
    let mut buf = vec![0; 65_507];
    let gather = client.machine.poll_transmit_gather(client.now, 64, &mut buf).unwrap().unwrap();
    assert_eq!((gather.body, gather.transmit.len), (None, 3 * gather.transmit.segment_size));
}
