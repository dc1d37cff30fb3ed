//! Stores of an application: one that fetches sent bodies again, and two with a variable number of usable slots.

use harness::extended::*;
use rdt_proto::Seq;
use rdt_proto::congestion::{Controller, FixedWindow};
use rdt_proto::connection::{Config, ConnectionTypes, HeapStorage, Storage};
use rdt_proto::store::{RecvSlots, RecvStore, SendSlots, SendStore};

/// Slots that lose sent bodies. A test says which bodies are lost, and which one has been fetched again.
struct FetchingSlots {
    slots: SendSlots<Vec<u8>>,
    /// Bodies before this number are lost until they are fetched.
    given_up: Seq,
    /// The number of the body that has been fetched again.
    fetched: Option<Seq>,
    /// The numbers of the bodies that the connection has requested, in order.
    requested: Vec<Seq>,
}

/// Slots of which the connection may use a part. A test changes this part.
struct Elastic<S> {
    slots: S,
    /// The number of slots that a sender may still take, or the end of the numbers that a receiver accepts.
    usable: u32,
}

/// Forwards the calls that both send stores leave unchanged to their slots.
macro_rules! same_as_slots {
    () => {
        fn segment(&self) -> usize {
            self.slots.segment()
        }
        fn end(&self) -> Seq {
            self.slots.end()
        }
        fn spare_number(&self, limit: usize) -> Seq {
            self.slots.spare_number(limit)
        }
        fn seal(&mut self) {
            self.slots.seal();
        }
        fn body(&self, number: Seq) -> &[u8] {
            self.slots.body(number)
        }
        fn cut(&mut self, from: Seq, limit: u16) -> bool {
            self.slots.cut(from, limit)
        }
        fn can_cut(&self, from: Seq) -> bool {
            self.slots.can_cut(from)
        }
    };
}

impl SendStore for FetchingSlots {
    const FETCHES: bool = true;

    same_as_slots!();

    fn is_ready(&self, number: Seq) -> bool {
        !number.precedes(self.given_up) || self.fetched == Some(number)
    }

    fn request(&mut self, number: Seq) {
        self.requested.push(number);
    }

    fn commit(&mut self, count: usize) {
        self.slots.commit(count);
    }

    fn has_room(&self, limit: usize) -> bool {
        self.slots.has_room(limit)
    }

    fn has_free_slot(&self) -> bool {
        self.slots.has_free_slot()
    }

    fn spare(&mut self, limit: usize) -> &mut [u8] {
        self.slots.spare(limit)
    }

    fn write(&mut self, data: &[u8], limit: usize) -> usize {
        self.slots.write(data, limit)
    }

    fn start(&mut self) -> bool {
        self.slots.start()
    }

    fn release(&mut self, base: Seq) {
        self.slots.release(base);
    }
}

impl<S: SendStore> SendStore for Elastic<S> {
    same_as_slots!();

    fn commit(&mut self, count: usize) {
        let before = self.end();
        self.slots.commit(count);
        self.usable -= self.end().distance_from(before);
    }

    fn has_room(&self, limit: usize) -> bool {
        self.slots.has_room(limit) && (self.usable > 0 || self.slots.spare_number(limit) != self.end())
    }

    fn has_free_slot(&self) -> bool {
        self.usable > 0 && self.slots.has_free_slot()
    }

    fn spare(&mut self, limit: usize) -> &mut [u8] {
        if self.has_room(limit) { self.slots.spare(limit) } else { &mut [] }
    }

    fn write(&mut self, data: &[u8], limit: usize) -> usize {
        // One call writes at most one body, as a pair of `spare` and `commit` does.
        if !self.has_room(limit) {
            return 0;
        }
        let (before, room) = (self.end(), self.slots.spare(limit).len());
        let taken = self.slots.write(&data[..room.min(data.len())], limit);
        self.usable -= self.end().distance_from(before);
        taken
    }

    fn start(&mut self) -> bool {
        let starts = self.has_free_slot() && self.slots.start();
        self.usable -= u32::from(starts);
        starts
    }

    fn release(&mut self, base: Seq) {
        self.slots.release(base);
    }
}

impl<R: RecvStore> RecvStore for Elastic<R> {
    fn segment(&self) -> usize {
        self.slots.segment()
    }

    /// The end of the numbers that the store accepts. It is at most `usable`.
    ///
    /// A test must not lower `usable` below a limit that was returned: the peer may already use those numbers.
    fn limit(&self) -> Seq {
        let (limit, usable) = (self.slots.limit(), Seq::new(self.usable));
        if usable.precedes(limit) { usable } else { limit }
    }

    fn put(&mut self, number: Seq, body: &[u8]) {
        self.slots.put(number, body);
    }

    fn pass(&mut self, number: Seq) {
        self.slots.pass(number);
    }

    fn deliver(&mut self, next: Seq) {
        self.slots.deliver(next);
    }

    fn chunk(&self) -> &[u8] {
        self.slots.chunk()
    }

    fn consume(&mut self, count: usize) {
        self.slots.consume(count);
    }
}

/// An established client with a constant congestion window of 32 datagrams. `storage` replaces its stores.
fn established<T: ConnectionTypes>(storage: impl FnOnce(HeapStorage<Controller>) -> T) -> ExtendedTrace<T> {
    let config = Config::default();
    ExtendedTrace::established_with(config, storage(self::storage(&config, 32, 32)))
}

fn fetching() -> ExtendedTrace<impl ConnectionTypes<Send = FetchingSlots>> {
    established(|storage| storage.map_send(fetching_slots))
}

fn fetching_slots(slots: SendSlots<Vec<u8>>) -> FetchingSlots {
    FetchingSlots { slots, given_up: Seq::ZERO, fetched: None, requested: Vec::new() }
}

fn send<T: ConnectionTypes>(client: &mut ExtendedTrace<T>, number: u32, body: &[u8]) {
    client.machine.send_segment(body).unwrap();
    client.expect(info(number, body));
}

#[test]
fn while_a_lost_body_is_fetched_new_data_is_sent() {
    let mut client = fetching();
    for (number, body) in [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d")] {
        send(&mut client, number, body);
    }
    client.machine.send_store_mut().given_up = Seq::new(5);
    client.elapse(100);
    client.peer_sends(sack(1, 4, 2, &[0b111]));
    client.expect_nothing();
    assert_eq!(client.machine.send_store().requested.first(), Some(&Seq::new(1)), "the lost body was requested");
    send(&mut client, 5, b"new");
    client.expect_nothing();
    client.machine.send_store_mut().fetched = Some(Seq::new(1));
    client.expect(info(1, b"a"));
}

#[test]
fn a_lost_body_is_requested_while_pacing_holds_it_back() {
    let config = Config::default();
    let storage = HeapStorage::on_heap_with(&config, 32, |_| FixedWindow::new(100_000).paced(2_000)).unwrap();
    let mut client = ExtendedTrace::established_with(config, storage.map_send(fetching_slots));
    for body in [[1; 1_200], [2; 1_200], [3; 1_200]] {
        client.machine.send_segment(&body).unwrap();
        while client.next_datagram().is_none() {
            client.now = client.machine.poll_timeout().unwrap();
        }
    }
    client.machine.send_store_mut().given_up = Seq::new(4);
    client.peer_sends(sack(1, 3, 2, &[0b11]));
    client.expect_nothing();
    assert_eq!(client.machine.send_store().requested.first(), Some(&Seq::new(1)));
}

#[test]
fn a_missing_body_does_not_wake_the_driver_in_a_loop() {
    let mut client = fetching();
    send(&mut client, 1, b"a");
    client.machine.send_store_mut().given_up = Seq::new(2);
    // The tail loss probe and the timeouts expire without the body. After each, the next deadline lies in the future.
    for _ in 0..20 {
        let due = client.machine.poll_timeout().unwrap();
        client.now = client.now.max(due);
        client.machine.handle_timeout(client.now);
        client.expect_nothing();
        assert!(
            client.machine.poll_timeout().is_none_or(|due| due > client.now),
            "a handled deadline lies in the future"
        );
        if client.machine.ended().is_some() {
            return;
        }
    }
    panic!("the idle limit ends a connection whose body is never fetched");
}

#[test]
fn memory_that_is_added_to_a_full_store_takes_more_data() {
    let mut client =
        established(|Storage { send, recv, arq }| Storage { send: Elastic { slots: send, usable: 2 }, recv, arq });
    send(&mut client, 1, b"a");
    assert!(client.machine.send_segment(b"b").is_err(), "INFO 0 took the other slot");
    client.machine.send_store_mut().usable += 1;
    send(&mut client, 2, b"b");
    client.peer_sends(sack(3, 2, 3, &[]));
    assert!(client.machine.is_all_acknowledged());
}

#[test]
fn memory_that_is_added_to_a_full_receiver_opens_the_window() {
    let config = Config::default();
    let mut client = established(|Storage { send, arq, .. }| {
        let slots = RecvSlots::with_slots(8, config.recv_segment).unwrap();
        Storage { send, recv: Elastic { slots, usable: 2 }, arq }
    });
    for (number, body) in [(0, b"a"), (1, b"b")] {
        client.peer_sends(info(number, body));
    }
    let window = |datagram: Option<Vec<u8>>| {
        let datagram = datagram.expect("no SACK");
        let rdt_proto::wire::Packet::Sack(sack) = rdt_proto::wire::Framing::tagged(PEER).decode(&datagram).unwrap()
        else {
            panic!("{datagram:?}")
        };
        (sack.next, sack.window)
    };
    assert_eq!(window(client.next_datagram()), (Seq::new(2), 0));
    client.machine.recv_store_mut().usable = 6;
    assert_eq!(window(client.next_datagram()), (Seq::new(2), 4), "the larger window is announced");
    client.peer_sends(info(2, b"c"));
    let mut buf = [0; 3];
    assert_eq!((client.machine.recv(&mut buf), &buf), (3, b"abc"));
}
