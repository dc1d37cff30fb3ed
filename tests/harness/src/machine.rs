//! What all machines have in common, as far as a trace drives them.

use rdt_proto::connection::{Connection, ConnectionTypes, Event, Handled, Ignored};
use rdt_proto::listener::{PeerId, TableMemory};
use rdt_proto::socket_tcp::{
    SocketConnection, SocketDispatch, SocketEvent, SocketHandled, SocketIgnored, SocketListener,
};
use rdt_proto::{Address, Instant};
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

impl<T: ConnectionTypes> Machine for Connection<T> {
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

impl<T: ConnectionTypes> SinglePeer for Connection<T> {
    type Ignored = Ignored;

    const ACCEPTED: Handled = Handled::Accepted;

    fn ignored(reason: Ignored) -> Handled {
        Handled::Ignored(reason)
    }

    fn ignored_count(&self, reason: Ignored) -> u64 {
        self.stats().ignored.of(reason).into()
    }
}

impl<A: Address + Debug, const SEND: usize, const RECV: usize> Machine for SocketConnection<A, SEND, RECV> {
    type Address = A;
    type Handled = SocketHandled;
    type Event = SocketEvent;

    fn handle_datagram(&mut self, now: Instant, from: A, datagram: &[u8]) -> SocketHandled {
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

    fn poll_event(&mut self) -> Option<SocketEvent> {
        self.poll_event()
    }
}

impl<A: Address + Debug, const SEND: usize, const RECV: usize> SinglePeer for SocketConnection<A, SEND, RECV> {
    type Ignored = SocketIgnored;

    const ACCEPTED: SocketHandled = SocketHandled::Accepted;

    fn ignored(reason: SocketIgnored) -> SocketHandled {
        SocketHandled::Ignored(reason)
    }

    /// Its counters do not tell the reasons apart.
    fn ignored_count(&self, _reason: SocketIgnored) -> u64 {
        self.stats().ignored()
    }
}

impl<A: Address + Debug, M: TableMemory, const SEND: usize, const RECV: usize> Machine
    for SocketListener<A, M, SEND, RECV>
{
    type Address = A;
    type Handled = SocketDispatch<A>;
    type Event = (PeerId, SocketEvent);

    fn handle_datagram(&mut self, now: Instant, from: A, datagram: &[u8]) -> SocketDispatch<A> {
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

    fn poll_event(&mut self) -> Option<(PeerId, SocketEvent)> {
        self.poll_event()
    }
}
