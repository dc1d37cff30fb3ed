//! What must hold for any calls on a listener in any order: the body of the fuzz target `listener_any_order`, which a
//! property test calls too.

use super::{Listener, ListenerConfig, PeerId, PeerSlot};
use crate::connection::fuzzing::{AnyHello, Mechanism, OPTIONS_BYTES, ROOM, Start};
use crate::store::{RecvSlots, SendSlots};
use crate::wire::{Framing, Packet, Tag};
use crate::{Duration, Instant};
use arbitrary::{Arbitrary, Unstructured};
use std::vec::Vec;

/// One call. Addresses and names are few, so that they meet.
#[derive(Arbitrary, Debug)]
enum Call<'a> {
    Datagram { from: u8, datagram: &'a [u8] },
    Packet { from: u8, tagged: bool, packet: Packet<'a> },
    Connect { from: u8, hello: AnyHello },
    Timeout { later_us: u32 },
    TimeoutWhenDue,
    Transmit { room: u8 },
    Event,
    Accept,
    Refuse,
    Release(u8),
    Reclaim(u8),
    Send(u8, &'a [u8]),
    Recv(u8),
    Close(u8),
    Abort(u8),
}

type Send = SendSlots<Vec<u8>>;
type Recv = RecvSlots<Vec<u8>>;
type Slots = Vec<PeerSlot<u8, Send, Recv, Mechanism>>;
type Machine = Listener<u8, Send, Recv, Slots, Mechanism>;

/// All connections have the same, so that each takes what was meant for another.
const ENTROPY: [u8; 32] = [3; 32];
const SLOTS: usize = 4;
const ADDRESSES: u8 = 6;

/// Makes the calls that `bytes` describe on a listener, and checks after each what a listener promises; at last that it
/// becomes empty once everything was released.
///
/// # Panics
///
/// A promise is broken.
pub fn any_order(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok((start, backlog)) = <(Start, u8)>::arbitrary(&mut input) else { return };
    let config = ListenerConfig { connection: start.config(), backlog: usize::from(backlog) % (SLOTS + 1) };
    let slots = (0..SLOTS).map(|_| PeerSlot::default()).collect();
    let machine = Listener::new(Instant::ZERO, config, [1; 16], slots);
    let mut run = Run { start, machine, now: Instant::ZERO, ids: Vec::new() };
    while let Ok(call) = Call::arbitrary(&mut input) {
        run.make(&call);
        run.check();
        if input.is_empty() {
            break;
        }
    }
    run.end();
}

#[derive(Clone)]
struct Run {
    start: Start,
    machine: Machine,
    now: Instant,
    /// Those that were accepted and not given back.
    ids: Vec<PeerId>,
}

impl Run {
    fn make(&mut self, call: &Call<'_>) {
        let now = self.now;
        match *call {
            Call::Datagram { from, datagram } => {
                let _ = self.machine.handle_datagram(now, from % ADDRESSES, datagram);
            }
            Call::Packet { from, tagged, packet } => self.receive(from, tagged, packet),
            Call::Connect { from, hello } => {
                self.receive(from, false, Packet::Connect(hello.say(&mut [0; OPTIONS_BYTES])));
            }
            Call::Timeout { later_us } => self.pass(now + Duration::from_micros(later_us.into())),
            Call::TimeoutWhenDue => self.pass(self.machine.poll_timeout().unwrap_or(now)),
            Call::Transmit { room } => drop(self.transmit(usize::from(room).min(ROOM))),
            Call::Event => drop(self.machine.poll_event()),
            Call::Accept => drop(self.accept()),
            Call::Refuse => {
                assert_eq!(self.machine.incoming().is_some(), self.machine.refuse());
            }
            Call::Release(which) => {
                let Some(id) = self.id(which) else { return };
                self.machine.release(now, id);
                assert!(self.machine.peer(id).is_none());
                self.ids.retain(|&held| held != id);
            }
            Call::Reclaim(which) => {
                let Some(id) = self.id(which) else { return };
                let back = self.machine.reclaim(now, id).is_some();
                assert_eq!(back, self.machine.peer(id).is_none());
                self.ids.retain(|&held| held != id || !back);
            }
            Call::Send(which, data) => self.with(which, |peer| {
                assert!(peer.send(data).is_ok_and(|count| count <= data.len()) || peer.send_slot().is_err());
            }),
            Call::Recv(which) => self.with(which, |peer| assert!(peer.recv(&mut [0; ROOM]) <= ROOM)),
            Call::Close(which) => self.with(which, super::Connection::close),
            Call::Abort(which) => self.with(which, |peer| peer.abort(which)),
        }
    }

    fn id(&self, which: u8) -> Option<PeerId> {
        self.ids.get(usize::from(which).checked_rem(self.ids.len())?).copied()
    }

    fn with(&mut self, which: u8, call: impl FnOnce(&mut super::Connection<Send, Recv, Mechanism>)) {
        let Some(id) = self.id(which) else { return };
        assert!(self.machine.peer(id).is_some(), "{id:?} was not given back");
        if let Some(peer) = self.machine.peer_mut(id) {
            call(peer);
        }
    }

    fn receive(&mut self, from: u8, tagged: bool, packet: Packet<'_>) {
        let mut datagram = [0; 2_048];
        let tag = ENTROPY.get(8..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        let framing = if tagged { Framing::tagged(Tag::new(tag)) } else { self.machine.config.connection.framing };
        if let Ok(len) = packet.encode(&framing, &mut datagram) {
            let _ = self.machine.handle_datagram(self.now, from % ADDRESSES, datagram.get(..len).unwrap_or_default());
        }
    }

    fn pass(&mut self, until: Instant) {
        self.now = self.now.max(until);
        self.machine.handle_timeout(self.now);
    }

    fn accept(&mut self) -> bool {
        let waits = self.machine.incoming();
        let Some(storage) = self.start.storage() else { return false };
        let id = self.machine.accept(self.now, ENTROPY, || storage);
        assert_eq!(id.and_then(|id| self.machine.address(id)), waits);
        self.ids.extend(id);
        id.is_some()
    }

    /// What was sent was due.
    fn transmit(&mut self, room: usize) -> bool {
        let due = self.machine.poll_timeout();
        let mut buf = [0; ROOM];
        match self.machine.poll_transmit(self.now, buf.get_mut(..room).unwrap_or_default()) {
            Ok(None) => return false,
            Ok(Some((to, _))) => assert!(to < ADDRESSES),
            Err(error) => assert!(error.needed > room && error.needed <= ROOM),
        }
        assert!(due.is_some_and(|due| due <= self.now), "poll_timeout kept silent about what was to be sent");
        true
    }

    fn drain(&mut self) {
        let mut count = 0;
        while self.transmit(ROOM) {
            count += 1;
            assert!(count < 4_000, "sends without end");
        }
    }

    /// After a timeout and a drain the next deadline lies in the future: on a copy, so that the calls stay as described.
    fn check(&self) {
        let mut copy = self.clone();
        copy.pass(copy.now);
        copy.drain();
        let due = copy.machine.poll_timeout();
        assert!(due.is_none_or(|due| due > copy.now), "due at {due:?} after everything was done at {:?}", copy.now);
        assert!(self.machine.len() <= SLOTS && self.ids.len() <= self.machine.len());
        assert_eq!(copy.machine.incoming().is_some(), copy.machine.queued > 0);
    }

    /// Nothing stays for ever once nobody needs it.
    fn end(mut self) {
        for id in core::mem::take(&mut self.ids) {
            self.machine.release(self.now, id);
        }
        while self.machine.refuse() {}
        let mut steps = 0;
        while let Some(due) = self.machine.poll_timeout() {
            self.pass(due);
            self.drain();
            steps += 1;
            assert!(steps < 1_000, "never ends");
        }
        assert!(self.machine.is_empty(), "{} entries stay without a deadline", self.machine.len());
    }
}
