//! What all machines have in common, as far as a trace drives them.

use rdt_proto::arq::Arq;
use rdt_proto::connection::{Connection, Event, Handled, Ignored};
use rdt_proto::listener::{Memory, PeerId};
use rdt_proto::store::{RecvStore, SendStore};
use rdt_proto::{Address, Instant, socket_tcp};
use std::fmt::Debug;

/// A machine that a trace can drive.
pub trait Machine {
    /// Where datagrams come from and go to. `()` where the machine knows no address.
    type Address: Copy + Debug + PartialEq;
    /// What became of a datagram.
    type Handled: Debug + PartialEq;
    /// What the application is told.
    type Event: Debug + PartialEq;

    /// A datagram arrives.
    fn handle_datagram(&mut self, now: Instant, from: Self::Address, datagram: &[u8]) -> Self::Handled;
    /// Time has passed.
    fn handle_timeout(&mut self, now: Instant);
    /// When the machine wants to be called next.
    fn poll_timeout(&self) -> Option<Instant>;
    /// The next datagram: where it goes, and its length.
    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<(Self::Address, usize)>;
    /// The next event.
    fn poll_event(&mut self) -> Option<Self::Event>;
}

/// A machine with one peer, which takes or ignores what that sends.
pub trait SinglePeer: Machine {
    /// Why a datagram was ignored.
    type Ignored: Copy;

    /// The datagram did its work.
    const ACCEPTED: Self::Handled;

    /// The datagram did nothing.
    fn ignored(reason: Self::Ignored) -> Self::Handled;
    /// How many datagrams were ignored for this reason.
    fn ignored_count(&self, reason: Self::Ignored) -> u64;
}

impl<S: SendStore, R: RecvStore, Q: Arq> Machine for Connection<S, R, Q> {
    type Address = ();
    type Handled = Handled;
    type Event = Event;

    fn handle_datagram(&mut self, now: Instant, (): (), datagram: &[u8]) -> Handled {
        self.handle_datagram(now, datagram)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<((), usize)> {
        self.poll_transmit(now, buf).unwrap().map(|transmit| ((), transmit.len))
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.poll_event()
    }
}

impl<S: SendStore, R: RecvStore, Q: Arq> SinglePeer for Connection<S, R, Q> {
    type Ignored = Ignored;

    const ACCEPTED: Handled = Handled::Accepted;

    fn ignored(reason: Ignored) -> Handled {
        Handled::Ignored(reason)
    }

    fn ignored_count(&self, reason: Ignored) -> u64 {
        self.stats().ignored.of(reason).into()
    }
}

impl<A: Address + Debug, const SEND: usize, const RECV: usize> Machine for socket_tcp::Connection<A, SEND, RECV> {
    type Address = A;
    type Handled = socket_tcp::Handled;
    type Event = Event;

    fn handle_datagram(&mut self, now: Instant, from: A, datagram: &[u8]) -> socket_tcp::Handled {
        self.handle_datagram(now, from, datagram)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<(A, usize)> {
        self.poll_transmit(now, buf).unwrap().map(|(to, transmit)| (to, transmit.len))
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.poll_event()
    }
}

impl<A: Address + Debug, const SEND: usize, const RECV: usize> SinglePeer for socket_tcp::Connection<A, SEND, RECV> {
    type Ignored = socket_tcp::Ignored;

    const ACCEPTED: socket_tcp::Handled = socket_tcp::Handled::Accepted;

    fn ignored(reason: socket_tcp::Ignored) -> socket_tcp::Handled {
        socket_tcp::Handled::Ignored(reason)
    }

    /// Its counters do not tell the reasons apart.
    fn ignored_count(&self, _reason: socket_tcp::Ignored) -> u64 {
        self.stats().ignored()
    }
}

impl<A: Address + Debug, M: Memory, const SEND: usize, const RECV: usize> Machine
    for socket_tcp::Listener<A, M, SEND, RECV>
{
    type Address = A;
    type Handled = socket_tcp::Routed<A>;
    type Event = (PeerId, Event);

    fn handle_datagram(&mut self, now: Instant, from: A, datagram: &[u8]) -> socket_tcp::Routed<A> {
        self.handle_datagram(now, from, datagram)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<(A, usize)> {
        self.poll_transmit(now, buf).unwrap().map(|(to, transmit)| (to, transmit.len))
    }

    fn poll_event(&mut self) -> Option<(PeerId, Event)> {
        self.poll_event()
    }
}
