//! The other end in the same image, behind a link that loses, delays and reorders datagrams, in virtual time.

mod clients;
mod servers;

pub use clients::Clients;
pub use servers::{EchoServer, FileServer};

use crate::{Check, DATAGRAM, Link, board};
use core::cell::{Cell, UnsafeCell};
use rdt_proto::{Duration, Instant};

/// What a program talks to.
pub trait Peer: Sized {
    /// Before it has been called.
    const NEW: Self;

    /// A datagram has arrived at `node`.
    fn handle_datagram(&mut self, now: Instant, node: u8, datagram: &[u8]);

    fn handle_timeout(&mut self, now: Instant);

    /// The next datagram to send: which node sends it, and how long it is.
    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<(u8, usize)>;

    fn poll_timeout(&self) -> Option<Instant>;

    /// What has arrived, for each stream of bytes.
    fn received(&self) -> &[Check];
}

/// Runs a program against its peer, prints what has arrived, and says whether all of it is as it was sent.
pub fn run<P: Peer>(place: &'static Place<P>, program: impl FnOnce(&mut Simulated<P>) -> bool) -> bool {
    let Some((peer, air)) = place.take() else { return false };
    let mut link = Simulated { peer, now: Instant::ZERO, random: 1, air, lost: 0 };
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

/// How many datagrams may be on their way. Further ones are lost, as in a full queue.
const AIR: usize = 16;
const LOSS_PERCENT: u32 = 10;
const DELAY_MICROS: u64 = 5_000;
const JITTER_MICROS: u32 = 2_000;
/// A program that still runs then has not worked.
const LIMIT: Instant = Instant::from_millis(600_000);

/// The link, the clock, and the peer.
pub struct Simulated<P: 'static> {
    peer: &'static mut P,
    now: Instant,
    random: u32,
    air: &'static mut Air,
    lost: u32,
}

type Air = [Option<Flying>; AIR];

/// Memory for a peer and the link, beside the stack, which a program shall have for itself.
pub struct Place<P> {
    taken: Cell<bool>,
    content: UnsafeCell<(P, Air)>,
}

// SAFETY: there is one thread and no interrupt.
unsafe impl<P> Sync for Place<P> {}

impl<P: Peer> Place<P> {
    #[allow(clippy::new_without_default, reason = "a static needs a const fn")]
    pub const fn new() -> Self {
        Self { taken: Cell::new(false), content: UnsafeCell::new((P::NEW, [const { None }; AIR])) }
    }

    #[allow(clippy::mut_from_ref, reason = "it is lent once")]
    fn take(&'static self) -> Option<(&'static mut P, &'static mut Air)> {
        if self.taken.replace(true) {
            return None;
        }
        // SAFETY: it is lent once.
        let (peer, air) = unsafe { &mut *self.content.get() };
        Some((peer, air))
    }
}

struct Flying {
    at: Instant,
    node: u8,
    to_peer: bool,
    length: usize,
    bytes: [u8; DATAGRAM],
}

impl<P: Peer> Simulated<P> {
    /// xorshift32.
    fn next_random(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }

    fn fly(&mut self, node: u8, to_peer: bool, datagram: &[u8]) {
        let is_lost = self.next_random() % 100 < LOSS_PERCENT;
        let delay = DELAY_MICROS + u64::from(self.next_random() % JITTER_MICROS);
        let at = self.now + Duration::from_micros(delay);
        let place = self.air.iter_mut().find(|place| place.is_none()).filter(|_| !is_lost);
        let mut flying = Flying { at, node, to_peer, length: datagram.len(), bytes: [0; DATAGRAM] };
        if let (Some(place), Some(bytes)) = (place, flying.bytes.get_mut(..datagram.len())) {
            bytes.copy_from_slice(datagram);
            *place = Some(flying);
        } else {
            self.lost += 1;
        }
    }

    /// Takes out of the air what arrives first, if it arrives by `now`.
    fn land(&mut self) -> Option<Flying> {
        let first = self.air.iter_mut().filter(|place| place.is_some());
        let first = first.min_by_key(|place| place.as_ref().map(|flying| flying.at))?;
        if first.as_ref().is_some_and(|flying| flying.at <= self.now) { first.take() } else { None }
    }

    fn poll_peer(&mut self) {
        let mut buf = [0; DATAGRAM];
        while let Some((node, length)) = self.peer.poll_transmit(self.now, &mut buf) {
            self.fly(node, false, buf.get(..length).unwrap_or_default());
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
        self.fly(node, true, datagram);
    }

    fn recv<'b>(&mut self, due: Option<Instant>, buf: &'b mut [u8]) -> Option<(u8, &'b [u8])> {
        loop {
            self.poll_peer();
            while let Some(flying) = self.land() {
                let datagram = flying.bytes.get(..flying.length)?;
                if flying.to_peer {
                    self.peer.handle_datagram(self.now, flying.node, datagram);
                    self.poll_peer();
                } else {
                    let place = buf.get_mut(..flying.length)?;
                    place.copy_from_slice(datagram);
                    return Some((flying.node, place));
                }
            }
            if due.is_some_and(|due| due <= self.now) {
                return None;
            }
            let landing = self.air.iter().flatten().map(|flying| flying.at).min();
            self.now =
                [due, landing, self.peer.poll_timeout()].into_iter().flatten().min().unwrap_or(LIMIT).max(self.now);
            if self.now >= LIMIT {
                board::print(c"nothing happens any more\n");
                board::exit(false);
            }
            self.peer.handle_timeout(self.now);
        }
    }
}
