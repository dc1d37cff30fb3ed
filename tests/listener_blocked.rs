//! A socket that takes nothing: what waits to be sent costs nothing until it does, and no deadline is missed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use rdt_proto::connection::{Config, Event, Handled, Reason, Storage};
use rdt_proto::listener::{Dispatch, HeapTables, Listener, ListenerConfig, PeerId};
use rdt_proto::store::{RecvSlots, SendSlots, SendStore};
use rdt_proto::wire::{Framing, Options, Packet};
use rdt_proto::{Duration, Instant, Seq};
use std::cell::Cell;
use std::rc::Rc;

/// Counts how often its connection asks for its end: whenever that is told the time, or asked what it has to send.
struct Watched {
    slots: SendSlots<Vec<u8>>,
    looks: Rc<Cell<u32>>,
}

impl SendStore for Watched {
    fn segment(&self) -> usize {
        self.slots.segment()
    }

    fn end(&self) -> Seq {
        self.looks.set(self.looks.get() + 1);
        self.slots.end()
    }

    fn has_room(&self, limit: usize) -> bool {
        self.slots.has_room(limit)
    }

    fn has_free_slot(&self) -> bool {
        self.slots.has_free_slot()
    }

    fn spare_number(&self, limit: usize) -> Seq {
        self.slots.spare_number(limit)
    }

    fn spare(&mut self, limit: usize) -> &mut [u8] {
        self.slots.spare(limit)
    }

    fn commit(&mut self, count: usize) {
        self.slots.commit(count);
    }

    fn write(&mut self, data: &[u8], limit: usize) -> usize {
        self.slots.write(data, limit)
    }

    fn start(&mut self) -> bool {
        self.slots.start()
    }

    fn seal(&mut self) {
        self.slots.seal();
    }

    fn body(&self, number: Seq) -> &[u8] {
        self.slots.body(number)
    }

    fn release(&mut self, base: Seq) {
        self.slots.release(base);
    }
}

const PEERS: u16 = 200;

/// A listener in base mode, whose connections are watched as one.
struct House {
    machine: Listener<u16, Watched, RecvSlots<Vec<u8>>, HeapTables>,
    now: Instant,
    looks: Rc<Cell<u32>>,
    ids: Vec<PeerId>,
}

impl House {
    /// Everybody is connected, and the application has written something to each.
    fn new() -> Self {
        let config = ListenerConfig { connection: Config::base(), ..ListenerConfig::default() };
        let now = Instant::from_millis(1_000);
        let machine = Listener::new(now, config, [7; 48]);
        let mut house = Self { machine, now, looks: Rc::default(), ids: Vec::new() };
        for address in 0..PEERS {
            assert_eq!(house.receive(address, Packet::Connect(Options::NONE)), Dispatch::Queued);
            let (slots, looks) = (SendSlots::with_slots(2, 64).unwrap(), Rc::clone(&house.looks));
            let (send, recv) = (Watched { slots, looks }, RecvSlots::with_slots(2, 64).unwrap());
            let incoming = house.machine.poll_incoming().unwrap();
            let id = house
                .machine
                .accept(now, incoming, [1; 32], || {
                    Ok::<_, std::convert::Infallible>(Storage::stop_and_wait(send, recv))
                })
                .unwrap();
            house.ids.push(id);
            house.takes(address, Packet::Info { number: Seq::ZERO, body: b"" });
        }
        while house.transmit().is_some() {}
        for id in &house.ids {
            house.machine.peer_mut(*id).unwrap().send(b"hello").unwrap();
        }
        house
    }

    fn receive(&mut self, from: u16, packet: Packet<'_>) -> Dispatch {
        let mut datagram = [0; 128];
        let len = packet.encode(&Framing::NOTE, &mut datagram).unwrap();
        self.machine.handle_datagram(self.now, from, &datagram[..len])
    }

    #[track_caller]
    fn takes(&mut self, from: u16, packet: Packet<'_>) {
        let routed = self.receive(from, packet);
        assert_eq!(routed, Dispatch::Peer(self.ids[usize::from(from)], Handled::Accepted));
    }

    fn transmit(&mut self) -> Option<u16> {
        self.machine.poll_transmit(self.now, &mut [0; 128]).unwrap().map(|(to, _)| to)
    }

    /// How many looks at connections it takes to tell the time.
    fn looks_of_a_timeout(&mut self) -> u32 {
        let before = self.looks.get();
        self.machine.handle_timeout(self.now);
        assert_eq!(self.machine.poll_timeout(), Some(self.now), "there is something to be sent");
        self.looks.get() - before
    }
}

/// Each call once looked at all that had something to send.
#[test]
fn a_timeout_looks_at_nobody_to_whom_nothing_has_happened() {
    let mut house = House::new();
    let all = house.looks_of_a_timeout();
    assert!(all >= u32::from(PEERS));
    assert_eq!(house.looks_of_a_timeout(), 0);
    house.takes(7, Packet::Info { number: Seq::new(1), body: b"x" });
    let one = house.looks_of_a_timeout();
    assert!((1..=all / u32::from(PEERS)).contains(&one), "{one} looks for one, {all} for all");
    assert_eq!(house.looks_of_a_timeout(), 0);
    // One that sends waits for its answer from then on.
    assert!(house.transmit().is_some());
    assert!((1..=one).contains(&house.looks_of_a_timeout()));
    house.now = house.now + Duration::from_millis(10);
    assert_eq!(house.looks_of_a_timeout(), 0);
}

/// What waits to be sent holds no deadline up.
#[test]
fn deadlines_are_kept_while_the_socket_takes_nothing() {
    let mut house = House::new();
    let first = house.transmit().unwrap();
    let _ = house.looks_of_a_timeout();
    // The retransmission timer of the one that has sent.
    house.now = house.now + Duration::from_millis(1_100);
    let looks = house.looks_of_a_timeout();
    assert!((1..u32::from(PEERS)).contains(&looks), "{looks} looks");
    let id = house.ids[usize::from(first)];
    assert_eq!(house.machine.peer(id).unwrap().stats().timeouts, 1);
    // Its idle limit, and the quiet limits of all others.
    for (millis, count, reason) in [(28_900, 1, Reason::TimedOut), (30_000, PEERS - 1, Reason::Quiet)] {
        house.now = house.now + Duration::from_millis(millis);
        house.machine.handle_timeout(house.now);
        let told = std::iter::from_fn(|| house.machine.poll_event());
        let ended = told.filter(|(_, event)| *event == Event::Closed(reason)).count();
        assert_eq!(ended, usize::from(count), "{reason:?}");
    }
}

/// The turns stay fair: who has waited longest sends first, whatever happens to it meanwhile.
#[test]
fn a_peer_that_is_heard_keeps_its_turn() {
    let mut house = House::new();
    let order: Vec<u16> = std::iter::from_fn(|| house.transmit()).collect();
    let mut house = House::new();
    let mut heard = Vec::new();
    for (turn, &expected) in order.iter().enumerate() {
        let _ = house.looks_of_a_timeout();
        // The last one in the order hears from its peer all the time.
        let last = order[order.len() - 1];
        house.takes(last, Packet::Info { number: Seq::new(1 + u32::try_from(turn % 2).unwrap()), body: b"" });
        heard.push(house.transmit().unwrap());
        assert!(heard[turn] == expected || turn >= usize::from(PEERS), "{heard:?}");
    }
}
