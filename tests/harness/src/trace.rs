//! A trace: a machine under test, its peer, and virtual time.

use crate::machine::{Machine, SinglePeer};
use rdt_proto::{Duration, Instant};
use std::fmt::Debug;

/// The largest datagram of a trace, in bytes.
const MAX_DATAGRAM: usize = 66_000;

/// The peer, or all peers, of the machine under test.
pub trait Peer {
    /// Formats the packet in a datagram of the machine, for the message of a failed test.
    fn describe(&self, datagram: &[u8]) -> String;

    /// Records a datagram of the machine.
    fn on_sent(&mut self, datagram: &[u8]) {
        let _ = datagram;
    }
}

/// A single peer whose packets the test scripts.
pub trait ScriptedPeer: Peer {
    /// The address type of the machine.
    type Address;
    /// A packet in the notation of the test.
    type Packet<'p>: Copy + Debug;

    /// The peer's address: the source of its datagrams, and the destination of the machine's.
    fn address(&self) -> Self::Address;
    /// Encodes this packet as the peer sends it.
    fn datagram(&mut self, packet: Self::Packet<'_>) -> Vec<u8>;
    /// Whether the machine's datagram `sent` is this packet.
    fn is_expected(&self, packet: Self::Packet<'_>, sent: &[u8]) -> bool;
}

/// One machine, its peer, and the current time.
pub struct Trace<M, P> {
    /// The machine under test.
    pub machine: M,
    /// The current time.
    pub now: Instant,
    /// The peer of the machine.
    pub peer: P,
}

impl<M: Machine, P: Peer> Trace<M, P> {
    /// Delivers a datagram unchanged.
    pub fn receive_datagram(&mut self, from: M::Address, datagram: &[u8]) -> M::Handled {
        self.machine.handle_datagram(self.now, from, datagram)
    }

    /// Returns the machine's next datagram and its destination. Asserts that `poll_timeout` was due.
    #[track_caller]
    pub fn transmit(&mut self) -> Option<(M::Address, Vec<u8>)> {
        let mut datagram = vec![0; MAX_DATAGRAM];
        let due = self.machine.poll_timeout().is_some_and(|due| due <= self.now);
        let (to, len) = self.machine.poll_transmit(self.now, &mut datagram)?;
        assert!(due, "a datagram was sent before poll_timeout was due");
        datagram.truncate(len);
        self.peer.on_sent(&datagram);
        Some((to, datagram))
    }

    /// Returns all datagrams that the machine sends now, with their destinations.
    pub fn drain(&mut self) -> Vec<(M::Address, Vec<u8>)> {
        std::iter::from_fn(|| self.transmit()).collect()
    }

    /// Returns the names of all packets that the machine sends now.
    pub fn drain_names(&mut self) -> Vec<String> {
        let name = |text: String| text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned();
        self.drain().iter().map(|(_, datagram)| name(self.peer.describe(datagram))).collect()
    }

    /// Asserts that the machine sends nothing now, and that its next deadline lies in the future.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        if let Some((to, sent)) = self.transmit() {
            panic!("expected nothing, sent {} to {to:?}", self.peer.describe(&sent));
        }
        let due = self.machine.poll_timeout();
        assert!(due.is_none_or(|due| due > self.now), "due at {due:?}, now is {:?}", self.now);
    }

    /// Asserts that the machine has no event.
    #[track_caller]
    pub fn expect_no_event(&mut self) {
        assert_eq!(self.machine.poll_event(), None);
    }

    /// Advances the time by `millis`, handles each deadline, and asserts that the machine sends nothing.
    #[track_caller]
    pub fn elapse(&mut self, millis: u64) {
        self.pass(millis, Self::expect_nothing);
    }

    /// Advances the time by `millis`, handles each deadline, and drops each datagram that the machine sends.
    pub fn elapse_with_loss(&mut self, millis: u64) {
        self.drain();
        self.pass(millis, |trace| drop(trace.drain()));
    }

    /// Advances the time to the next deadline with all datagrams lost, and handles the deadline.
    #[track_caller]
    pub fn pass_with_loss(&mut self) {
        self.drain();
        self.now = self.machine.poll_timeout().expect("the machine has no deadline");
        self.machine.handle_timeout(self.now);
    }

    #[track_caller]
    fn pass(&mut self, millis: u64, mut after_timeout: impl FnMut(&mut Self)) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(due) = self.machine.poll_timeout().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.machine.handle_timeout(self.now);
            after_timeout(self);
        }
        self.now = end;
    }

    /// Advances the time to the next deadline, and handles it.
    ///
    /// Asserts that the machine sends nothing before, and that the deadline is `from` to `to` ms away.
    #[track_caller]
    pub fn sleep(&mut self, from: u64, to: u64) {
        self.expect_nothing();
        let due = self.machine.poll_timeout().expect("the machine has no deadline");
        let millis = due.saturating_since(self.now).as_millis();
        assert!((from..=to).contains(&millis), "the next deadline is in {millis} ms, not in {from} to {to}");
        self.now = due;
        self.machine.handle_timeout(due);
    }
}

impl<M: SinglePeer, P: ScriptedPeer<Address = M::Address>> Trace<M, P> {
    /// Delivers a packet of the peer.
    pub fn receive(&mut self, packet: P::Packet<'_>) -> M::Handled {
        let datagram = self.peer.datagram(packet);
        self.receive_datagram(self.peer.address(), &datagram)
    }

    /// Delivers a packet of the peer, and asserts that the machine accepts it.
    #[track_caller]
    pub fn peer_sends(&mut self, packet: P::Packet<'_>) {
        assert_eq!(self.receive(packet), M::ACCEPTED, "{packet:?}");
    }

    /// Delivers a packet of the peer, and asserts that the machine ignores it for this reason.
    #[track_caller]
    pub fn ignores(&mut self, packet: P::Packet<'_>, reason: M::Ignored) {
        let before = self.machine.ignored_count(reason);
        assert_eq!(self.receive(packet), M::ignored(reason), "{packet:?}");
        assert_eq!(self.machine.ignored_count(reason), before + 1, "an ignored datagram is counted");
    }

    /// Returns the machine's next datagram, for any destination.
    #[track_caller]
    pub fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.transmit().map(|(_, datagram)| datagram)
    }

    /// Asserts that the machine's next datagram is this packet, to its peer.
    #[track_caller]
    pub fn expect(&mut self, packet: P::Packet<'_>) {
        self.expect_to(self.peer.address(), packet);
    }

    /// Asserts that the machine's next datagram is this packet, to this address.
    #[track_caller]
    pub fn expect_to(&mut self, address: M::Address, packet: P::Packet<'_>) {
        let Some((to, sent)) = self.transmit() else { panic!("expected {packet:?}, but nothing was sent") };
        assert!(self.peer.is_expected(packet, &sent), "expected {packet:?}, sent {}", self.peer.describe(&sent));
        assert_eq!(to, address, "the destination of {packet:?}");
    }

    /// Asserts that the machine's next event is this one.
    #[track_caller]
    pub fn expect_event(&mut self, event: M::Event) {
        assert_eq!(self.machine.poll_event(), Some(event));
    }
}
