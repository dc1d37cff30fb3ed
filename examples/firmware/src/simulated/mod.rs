//! The other end, in the same image. The link in between loses, delays and reorders datagrams, in virtual time.

mod clients;
mod servers;

pub use clients::Clients;
pub use servers::{EchoServer, FileServer};

use crate::{Check, DATAGRAM, Link, board};
use core::cell::{Cell, UnsafeCell};
use rdt_proto::{Duration, Instant};

/// The other end of a program's connections.
pub trait Peer: Sized {
    /// The state before the first call.
    const NEW: Self;

    /// Handles a datagram that has arrived at `node`.
    fn handle_datagram(&mut self, now: Instant, node: u8, datagram: &[u8]);

    fn handle_timeout(&mut self, now: Instant);

    /// Writes the next datagram to `buf`. Returns the node that sends it, and its length.
    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<(u8, usize)>;

    fn poll_timeout(&self) -> Option<Instant>;

    /// The check of the received data, for each connection.
    fn received(&self) -> &[Check];
}

/// Runs a program against its peer, and prints the results.
///
/// Returns whether the program succeeded, the peer received all data unchanged, and the link lost at least one
/// datagram.
pub fn run<P: Peer>(place: &'static Place<P>, program: impl FnOnce(&mut Simulated<P>) -> bool) -> bool {
    let Some((peer, network)) = place.take() else { return false };
    let mut link = Simulated { peer, now: Instant::ZERO, random: 1, network, lost: 0 };
    let worked = program(&mut link);
    for check in link.peer.received() {
        board::print(c"received ");
        board::print_hex(check.count);
        board::print(c" bytes, hash ");
        board::print_hex(check.hash);
        board::print(c"\n");
    }
    board::print(c"lost ");
    board::print_hex(link.lost);
    board::print(c" datagrams, used ");
    board::print_hex(board::stack_used() as u32);
    board::print(c" bytes of stack\n");
    worked && link.lost > 0 && link.peer.received().iter().all(Check::is_whole)
}

/// The maximum number of datagrams in flight. Further datagrams are lost, as in a full queue.
const MAX_IN_FLIGHT: usize = 16;
const LOSS_PERCENT: u32 = 10;
const DELAY_MICROS: u64 = 5_000;
const JITTER_MICROS: u32 = 2_000;
/// The time limit of a program. A program that runs longer has failed.
const LIMIT: Instant = Instant::from_millis(600_000);

/// The link, the clock, and the peer.
pub struct Simulated<P: 'static> {
    peer: &'static mut P,
    now: Instant,
    random: u32,
    network: &'static mut Network,
    lost: u32,
}

type Network = [Option<InFlight>; MAX_IN_FLIGHT];

/// Memory for a peer and the link. It is static, so that the measured stack does not include it.
pub struct Place<P> {
    taken: Cell<bool>,
    content: UnsafeCell<(P, Network)>,
}

// SAFETY: there is one thread and no interrupt.
unsafe impl<P> Sync for Place<P> {}

impl<P: Peer> Place<P> {
    #[allow(clippy::new_without_default, reason = "a static needs a const fn")]
    pub const fn new() -> Self {
        Self { taken: Cell::new(false), content: UnsafeCell::new((P::NEW, [const { None }; MAX_IN_FLIGHT])) }
    }

    #[allow(clippy::mut_from_ref, reason = "the content is lent only once")]
    fn take(&'static self) -> Option<(&'static mut P, &'static mut Network)> {
        if self.taken.replace(true) {
            return None;
        }
        // SAFETY: `taken` makes sure that the content is lent only once.
        let (peer, network) = unsafe { &mut *self.content.get() };
        Some((peer, network))
    }
}

struct InFlight {
    at: Instant,
    node: u8,
    to_peer: bool,
    length: usize,
    bytes: [u8; DATAGRAM],
}

impl<P: Peer> Simulated<P> {
    /// The next number of xorshift32.
    fn next_random(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }

    fn forward(&mut self, node: u8, to_peer: bool, datagram: &[u8]) {
        let is_lost = self.next_random() % 100 < LOSS_PERCENT;
        let delay = DELAY_MICROS + u64::from(self.next_random() % JITTER_MICROS);
        let at = self.now + Duration::from_micros(delay);
        let place = self.network.iter_mut().find(|place| place.is_none()).filter(|_| !is_lost);
        let mut packet = InFlight { at, node, to_peer, length: datagram.len(), bytes: [0; DATAGRAM] };
        if let (Some(place), Some(bytes)) = (place, packet.bytes.get_mut(..datagram.len())) {
            bytes.copy_from_slice(datagram);
            *place = Some(packet);
        } else {
            self.lost += 1;
        }
    }

    /// Removes the packet that arrives first, if it arrives by `now`.
    fn take_arrived(&mut self) -> Option<InFlight> {
        let first = self.network.iter_mut().filter(|place| place.is_some());
        let first = first.min_by_key(|place| place.as_ref().map(|packet| packet.at))?;
        if first.as_ref().is_some_and(|packet| packet.at <= self.now) { first.take() } else { None }
    }

    fn poll_peer(&mut self) {
        let mut buf = [0; DATAGRAM];
        while let Some((node, length)) = self.peer.poll_transmit(self.now, &mut buf) {
            self.forward(node, false, buf.get(..length).unwrap_or_default());
        }
    }
}

impl<P: Peer> Link for Simulated<P> {
    fn now(&mut self) -> Instant {
        self.now
    }

    fn entropy<const N: usize>(&mut self) -> [u8; N] {
        core::array::from_fn(|_| self.next_random().to_le_bytes()[0])
    }

    fn send(&mut self, node: u8, datagram: &[u8]) {
        self.forward(node, true, datagram);
    }

    fn recv<'b>(&mut self, due: Option<Instant>, buf: &'b mut [u8]) -> Option<(u8, &'b [u8])> {
        loop {
            self.poll_peer();
            while let Some(packet) = self.take_arrived() {
                let datagram = packet.bytes.get(..packet.length)?;
                if packet.to_peer {
                    self.peer.handle_datagram(self.now, packet.node, datagram);
                    self.poll_peer();
                } else {
                    let place = buf.get_mut(..packet.length)?;
                    place.copy_from_slice(datagram);
                    return Some((packet.node, place));
                }
            }
            if due.is_some_and(|due| due <= self.now) {
                return None;
            }
            let arrival = self.network.iter().flatten().map(|packet| packet.at).min();
            self.now =
                [due, arrival, self.peer.poll_timeout()].into_iter().flatten().min().unwrap_or(LIMIT).max(self.now);
            if self.now >= LIMIT {
                board::print(c"the time limit has passed\n");
                board::exit(false);
            }
            self.peer.handle_timeout(self.now);
        }
    }
}
