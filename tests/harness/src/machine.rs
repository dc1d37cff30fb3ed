//! The interface through which a trace drives any machine.

use rdt_proto::connection::{Connection, ConnectionTypes, Event, Handled, Ignored};
use rdt_proto::listener::{PeerId, TableMemory};
use rdt_proto::socket_tcp::{
    SocketConnection, SocketDispatch, SocketEvent, SocketHandled, SocketIgnored, SocketListener,
};
use rdt_proto::{Address, Instant};
use std::fmt::Debug;

/// A machine that a trace can drive.
pub trait Machine {
    /// The address of a datagram's source or destination. `()` for a machine that knows no address.
    type Address: Copy + Debug + PartialEq;
    /// The result of handling a datagram.
    type Handled: Debug + PartialEq;
    /// An event for the application.
    type Event: Debug + PartialEq;

    /// Delivers a datagram.
    fn handle_datagram(&mut self, now: Instant, from: Self::Address, datagram: &[u8]) -> Self::Handled;
    /// Handles timers that have expired.
    fn handle_timeout(&mut self, now: Instant);
    /// The next deadline.
    fn poll_timeout(&self) -> Option<Instant>;
    /// Writes the next datagram, and returns its destination and its length.
    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<(Self::Address, usize)>;
    /// Returns the next event.
    fn poll_event(&mut self) -> Option<Self::Event>;
}

/// A machine with one peer, which accepts or ignores each datagram.
pub trait SinglePeer: Machine {
    /// The reason to ignore a datagram.
    type Ignored: Copy;

    /// The result for a datagram that the machine accepted.
    const ACCEPTED: Self::Handled;

    /// The result for a datagram that the machine ignored for this reason.
    fn ignored(reason: Self::Ignored) -> Self::Handled;
    /// The number of datagrams ignored for this reason.
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

    /// The number of datagrams ignored for any reason. The machine does not count each reason separately.
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
