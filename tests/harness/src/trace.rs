//! The trace: a machine under test, its peer, and the time.

use crate::machine::{Machine, SinglePeer};
use rdt_proto::{Duration, Instant};
use std::fmt::Debug;

/// The largest datagram of a trace.
const MAX_DATAGRAM: usize = 66_000;

/// What a trace knows of the other side of its machine.
pub trait Peer {
    /// What a datagram of the machine says, for the message of a test that fails.
    fn describe(&self, datagram: &[u8]) -> String;
}

/// One peer, whose packets the test writes.
pub trait ScriptedPeer: Peer {
    /// Where its datagrams come from, and those of the machine go to.
    type Address;
    /// A packet as the test writes it.
    type Packet<'p>: Copy + Debug;

    /// Where it is.
    fn address(&self) -> Self::Address;
    /// The datagram in which the peer sends this packet.
    fn datagram(&self, packet: Self::Packet<'_>) -> Vec<u8>;
    /// The datagram in which the machine sends this packet.
    fn expected(&self, packet: Self::Packet<'_>) -> Vec<u8>;
}

/// One machine, its peer, and the time between them.
pub struct Trace<M, P> {
    /// The machine under test.
    pub machine: M,
    /// The time of the trace.
    pub now: Instant,
    /// The other side.
    pub peer: P,
}

impl<M: Machine, P: Peer> Trace<M, P> {
    /// A datagram arrives, as it is.
    pub fn receive_datagram(&mut self, from: M::Address, datagram: &[u8]) -> M::Handled {
        self.machine.handle_datagram(self.now, from, datagram)
    }

    /// The next datagram of the machine, which was due, and where it goes.
    #[track_caller]
    pub fn transmit(&mut self) -> Option<(M::Address, Vec<u8>)> {
        let mut datagram = vec![0; MAX_DATAGRAM];
        let due = self.machine.poll_timeout().is_some_and(|due| due <= self.now);
        let (to, len) = self.machine.poll_transmit(self.now, &mut datagram)?;
        assert!(due, "poll_timeout did not tell that something was to be sent");
        datagram.truncate(len);
        Some((to, datagram))
    }

    /// All datagrams that the machine sends now, and where they go.
    pub fn drain(&mut self) -> Vec<(M::Address, Vec<u8>)> {
        std::iter::from_fn(|| self.transmit()).collect()
    }

    /// The names of all packets that the machine sends now.
    pub fn drain_names(&mut self) -> Vec<String> {
        let name = |text: String| text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned();
        self.drain().iter().map(|(_, datagram)| name(self.peer.describe(datagram))).collect()
    }

    /// The machine has nothing to send now, and its next deadline lies in the future.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        if let Some((to, sent)) = self.transmit() {
            panic!("expected nothing, sent {} to {to:?}", self.peer.describe(&sent));
        }
        let due = self.machine.poll_timeout();
        assert!(due.is_none_or(|due| due > self.now), "due at {due:?}, now is {:?}", self.now);
    }

    /// The machine has no event.
    #[track_caller]
    pub fn expect_no_event(&mut self) {
        assert_eq!(self.machine.poll_event(), None);
    }

    /// Time passes in which the machine sends nothing; its deadlines are handled when they are due.
    #[track_caller]
    pub fn elapse(&mut self, millis: u64) {
        self.pass(millis, Self::expect_nothing);
    }

    /// Time passes; whatever the machine sends meanwhile is lost.
    pub fn elapse_with_loss(&mut self, millis: u64) {
        self.drain();
        self.pass(millis, |trace| drop(trace.drain()));
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

    /// The machine sends nothing until its next deadline, which is at least `from` and at most `to` ms away; time passes
    /// until then.
    #[track_caller]
    pub fn sleep(&mut self, from: u64, to: u64) {
        self.expect_nothing();
        let due = self.machine.poll_timeout().expect("sleeps for ever");
        let millis = due.saturating_since(self.now).as_millis();
        assert!((from..=to).contains(&millis), "sleeps for {millis} ms, not {from} to {to}");
        self.now = due;
        self.machine.handle_timeout(due);
    }
}

impl<M: SinglePeer, P: ScriptedPeer<Address = M::Address>> Trace<M, P> {
    /// The peer sends a packet, whatever becomes of it.
    pub fn receive(&mut self, packet: P::Packet<'_>) -> M::Handled {
        self.receive_datagram(self.peer.address(), &self.peer.datagram(packet))
    }

    /// The peer sends a packet that the machine takes.
    #[track_caller]
    pub fn peer_sends(&mut self, packet: P::Packet<'_>) {
        assert_eq!(self.receive(packet), M::ACCEPTED, "{packet:?}");
    }

    /// The peer sends a packet that the machine ignores.
    #[track_caller]
    pub fn ignores(&mut self, packet: P::Packet<'_>, reason: M::Ignored) {
        let before = self.machine.ignored_count(reason);
        assert_eq!(self.receive(packet), M::ignored(reason), "{packet:?}");
        assert_eq!(self.machine.ignored_count(reason), before + 1, "not counted");
    }

    /// The next datagram of the machine, wherever it goes.
    #[track_caller]
    pub fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.transmit().map(|(_, datagram)| datagram)
    }

    /// The next datagram of the machine is this packet, to its peer.
    #[track_caller]
    pub fn expect(&mut self, packet: P::Packet<'_>) {
        self.expect_to(self.peer.address(), packet);
    }

    /// The next datagram of the machine is this packet, to this address.
    #[track_caller]
    pub fn expect_to(&mut self, address: M::Address, packet: P::Packet<'_>) {
        let Some((to, sent)) = self.transmit() else { panic!("expected {packet:?}, nothing was sent") };
        assert!(sent == self.peer.expected(packet), "expected {packet:?}, sent {}", self.peer.describe(&sent));
        assert_eq!(to, address, "{packet:?} goes elsewhere");
    }

    /// The next event of the machine is this one.
    #[track_caller]
    pub fn expect_event(&mut self, event: M::Event) {
        assert_eq!(self.machine.poll_event(), Some(event));
    }
}
