//! A listener: many clients on one socket.

use super::config::SocketConfig;
use super::connection::{SOCKET_ENTROPY_BYTES, SocketConnection, is_initial};
use super::event::{SocketEvent, SocketHandled, increment};
use super::segment::{Kind, Segment, SegmentError};
use crate::counts::{Countable, Counts, countable};
use crate::event::Transmit;
use crate::tables::{Addressed, HashKey, PeerId, PeerTable, TableMemory};
use crate::{Address, BufferTooSmall, Instant};
use core::fmt;
use thiserror::Error;

/// The limits of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketListenerConfig {
    /// The configuration of each accepted connection.
    pub connection: SocketConfig,
    /// The maximum number of connections. Default: 1,024.
    ///
    /// Fixed [memory](TableMemory) may hold fewer. A connection counts until it is [released](SocketListener::release)
    /// and has no more output.
    pub peers: usize,
}

impl Default for SocketListenerConfig {
    fn default() -> Self {
        Self { connection: SocketConfig::default(), peers: 1_024 }
    }
}

/// A client that requests a connection. The listener keeps no state for it.
///
/// Pass it to [`SocketListener::accept`], or drop it: the client repeats its SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a client that is not accepted waits until its handshake limit"]
pub struct SocketIncoming<A> {
    address: A,
    number: u64,
}

impl<A: Copy> SocketIncoming<A> {
    /// The address of the client.
    #[must_use]
    pub fn address(&self) -> A {
        self.address
    }
}

/// What a listener did with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "it may be a request for a connection"]
pub enum SocketDispatch<A> {
    /// An existing connection processed the datagram.
    Peer(PeerId, SocketHandled),
    /// A client requests a connection.
    Incoming(SocketIncoming<A>),
    /// The datagram was dropped. [`SocketListenerStats::dropped`] counts the reason.
    Dropped(SocketDropReason),
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SocketDropReason {
    /// The datagram is not a segment.
    #[error("not a segment: {0}")]
    Malformed(#[from] SegmentError),
    /// The source address has no connection, and the datagram is not a valid SYN.
    #[error("no connection with this address")]
    UnknownPeer,
}

/// Why a client was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum SocketAcceptError {
    /// The address already has a connection.
    #[error("the address already has a connection")]
    Connected,
    /// The maximum number of connections is reached, or the memory of the tables is full.
    #[error("no space for another connection")]
    Full,
}

/// Counters of a listener. They saturate.
///
/// Each connection has its own [counters](SocketConnection::stats).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct SocketListenerStats {
    /// Connections accepted.
    pub accepted: u64,
    /// SYNs from addresses without a connection.
    pub incoming: u64,
    /// Dropped datagrams by reason.
    pub dropped: SocketDropCounts,
}

/// The number of dropped datagrams for each reason.
pub type SocketDropCounts = Counts<SocketDropReason, { SocketDropReason::COUNT }>;

countable!(SegmentError: Separators, Flags, Number);
countable!(SocketDropReason: [Malformed(SegmentError)] UnknownPeer);

/// The server side of a socket: it assigns datagrams to connections by address.
///
/// `A` is the address type, `M` the memory of the tables. `SEND` and `RECV` are the buffer sizes of each
/// [`SocketConnection`]. A connection does not follow its client to another address.
///
/// SocketTCP cannot validate an address. An attacker that forges source addresses can therefore take all connections
/// that [`accept`](Self::accept) allows. A connection that its client does not confirm ends at the handshake limit.
///
/// An echo server for any kind of link:
///
/// ```
/// use rdt_proto::Instant;
/// use rdt_proto::socket_tcp::{SocketConfig, SocketConnection, SocketEvent, FixedTables, SocketListener, SocketListenerConfig, SocketDispatch};
///
/// type Address = u16; // any type that identifies a client
/// type Server = SocketListener<Address, FixedTables<4>>;
///
/// /// Call it with each datagram, and then call `poll_transmit`.
/// fn serve(now: Instant, server: &mut Server, from: Address, datagram: &[u8]) {
///     if let SocketDispatch::Incoming(incoming) = server.handle_datagram(now, from, datagram) {
///         // Take the entropy from the system's generator. A client that is not accepted repeats its SYN.
///         let _ = server.accept(now, incoming, [7; 16]);
///     }
///     while let Some((id, event)) = server.poll_event() {
///         let Some(peer) = server.peer_mut(id) else { continue };
///         let mut message = [0; 512];
///         if let Ok(Some(len)) = peer.recv_message(&mut message) {
///             // `send` fails while the previous answer is in transit. The new answer is then lost.
///             let _ = peer.send(&message[..len]);
///         }
///         if let SocketEvent::Closed(_) = event {
///             server.release(now, id);
///         }
///     }
/// }
///
/// let now = Instant::ZERO;
/// let mut server = Server::new(now, SocketListenerConfig::default(), [7; 16]);
/// let mut client = SocketConnection::<Address>::connect(now, SocketConfig::default(), [7; 16], 1);
/// client.send(b"hello")?;
///
/// let (mut buf, mut answer) = ([0; 64], [0; 64]);
/// let len = loop {
///     while let Some((_to, transmit)) = client.poll_transmit(now, &mut buf)? {
///         serve(now, &mut server, 2, &buf[..transmit.len]);
///     }
///     while let Some((_to, transmit)) = server.poll_transmit(now, &mut buf)? {
///         client.handle_datagram(now, 1, &buf[..transmit.len]);
///     }
///     if let Some(len) = client.recv_message(&mut answer)? {
///         break len;
///     }
/// };
/// assert_eq!(&answer[..len], b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SocketListener<A: Address, M: TableMemory, const SEND: usize = 512, const RECV: usize = 512> {
    config: SocketListenerConfig,
    now: Instant,
    peers: PeerTable<Peer<A, SEND, RECV>, M>,
    stats: SocketListenerStats,
}

struct Peer<A, const SEND: usize, const RECV: usize> {
    connection: SocketConnection<A, SEND, RECV>,
    /// The application released the connection.
    released: bool,
}

impl<A: Address, const SEND: usize, const RECV: usize> Addressed for Peer<A, SEND, RECV> {
    type Address = A;

    fn address(&self) -> A {
        self.connection.peer()
    }
}

impl<A: Address, M: TableMemory, const SEND: usize, const RECV: usize> SocketListener<A, M, SEND, RECV> {
    /// A listener without connections.
    ///
    /// Take `key` from the system's generator. If an attacker knows the key, it can choose addresses that collide in
    /// the index.
    #[must_use]
    pub fn new(now: Instant, config: SocketListenerConfig, key: [u8; 16]) -> Self {
        Self { config, now, peers: PeerTable::new(HashKey(key)), stats: SocketListenerStats::default() }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &SocketListenerConfig {
        &self.config
    }

    /// Counters since the start of the listener.
    #[must_use]
    pub fn stats(&self) -> &SocketListenerStats {
        &self.stats
    }

    /// The number of connections, including released ones that still have output.
    #[must_use]
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there are no connections.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Processes a datagram received from the address `from`.
    ///
    /// Afterwards [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) may return something.
    pub fn handle_datagram(&mut self, now: Instant, from: A, datagram: &[u8]) -> SocketDispatch<A> {
        self.now = self.now.max(now);
        let now = self.now;
        if let Some(index) = self.find(from)
            && let Some(peer) = self.peers.get_mut(index)
        {
            let handled = peer.connection.handle_datagram(now, from, datagram);
            self.peers.scheduler.mark_changed(index);
            self.peers.scheduler.mark_event(index);
            return SocketDispatch::Peer(self.peers.id(index), handled);
        }
        let why = match Segment::decode(datagram) {
            Ok(Segment { kind: Kind::Syn, number, .. }) if is_initial(number) => {
                increment(&mut self.stats.incoming);
                return SocketDispatch::Incoming(SocketIncoming { address: from, number });
            }
            Ok(_) => SocketDropReason::UnknownPeer,
            Err(error) => SocketDropReason::Malformed(error),
        };
        self.stats.dropped.count(why);
        SocketDispatch::Dropped(why)
    }

    /// Accepts a client; SYN+ACK is due at once.
    ///
    /// `entropy` is passed to [`SocketConnection::accept`].
    ///
    /// # Errors
    ///
    /// If the address already has a connection, or if there is no space for another one. The client repeats its SYN.
    pub fn accept(
        &mut self,
        now: Instant,
        incoming: SocketIncoming<A>,
        entropy: [u8; SOCKET_ENTROPY_BYTES],
    ) -> Result<PeerId, SocketAcceptError> {
        self.now = self.now.max(now);
        if self.find(incoming.address).is_some() {
            return Err(SocketAcceptError::Connected);
        }
        if self.len() >= self.config.peers {
            return Err(SocketAcceptError::Full);
        }
        let syn = Segment::bare(Kind::Syn, incoming.number);
        let accepted = SocketConnection::accept(self.now, self.config.connection, entropy, incoming.address, &syn);
        let peer = accepted.ok().map(|connection| Peer { connection, released: false });
        let index = peer.and_then(|peer| self.peers.insert(peer)).ok_or(SocketAcceptError::Full)?;
        increment(&mut self.stats.accepted);
        Ok(self.peers.id(index))
    }

    fn find(&self, address: A) -> Option<u32> {
        self.peers.find_at(address, |_, _| true)
    }

    fn held(&self, id: PeerId) -> Option<&Peer<A, SEND, RECV>> {
        self.peers.find(id).filter(|peer| !peer.released)
    }

    /// The connection with this identifier; `None` once it is released.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<&SocketConnection<A, SEND, RECV>> {
        self.held(id).map(|peer| &peer.connection)
    }

    /// The connection with this identifier, mutable; `None` once it is released.
    ///
    /// Call [`poll_transmit`](Self::poll_transmit) afterwards.
    pub fn peer_mut(&mut self, id: PeerId) -> Option<&mut SocketConnection<A, SEND, RECV>> {
        self.held(id)?;
        // The caller may cause output and events, so the scheduler must poll this connection again.
        self.peers.scheduler.mark_changed(id.index);
        self.peers.scheduler.mark_event(id.index);
        self.peers.get_mut(id.index).map(|peer| &mut peer.connection)
    }

    /// Releases a connection that the application no longer needs.
    ///
    /// A connection that has not ended is aborted.
    pub fn release(&mut self, now: Instant, id: PeerId) {
        self.now = self.now.max(now);
        if self.held(id).is_none() {
            return;
        }
        let Some(peer) = self.peers.get_mut(id.index) else { return };
        peer.released = true;
        peer.connection.abort();
        if peer.connection.is_drained() {
            self.peers.remove(id.index);
        } else {
            self.peers.scheduler.mark_changed(id.index);
        }
    }

    /// The connections that are not released, in no particular order. The cost is linear.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        let held = self.peers.iter().filter(|(_, peer)| !peer.released);
        held.map(|(index, _)| self.peers.id(index))
    }

    /// Calls [`SocketConnection::handle_timeout`] for each connection whose deadline may have passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(index) = self.peers.scheduler.next_to_wake(self.now) {
            let Some(peer) = self.peers.get_mut(index) else { continue };
            peer.connection.handle_timeout(self.now);
            let due = peer.connection.next_timer();
            self.peers.scheduler.on_woken(index, self.now, true, due);
            self.peers.scheduler.mark_event(index);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), and then [`poll_transmit`](Self::poll_transmit).
    ///
    /// The returned time is due after each call that may cause output, until `poll_transmit` returns `None`. See
    /// [`SocketConnection::poll_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.peers.scheduler.poll_timeout(self.now)
    }

    /// Writes the next datagram into `buf` and returns its destination.
    ///
    /// The connections take turns, one datagram each. See [`SocketConnection::poll_transmit`].
    ///
    /// # Errors
    ///
    /// If the datagram does not fit into `buf`. Nothing changes then.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Result<Option<(A, Transmit)>, BufferTooSmall> {
        self.now = self.now.max(now);
        while let Some(index) = self.peers.scheduler.next_to_send() {
            let Some(peer) = self.peers.get_mut(index) else {
                self.peers.scheduler.remove(index);
                continue;
            };
            let sent = peer.connection.poll_transmit(self.now, buf)?;
            if sent.is_some() {
                self.peers.scheduler.on_sent(index);
                return Ok(sent);
            }
            let (due, gone) = (peer.connection.poll_timeout(), peer.released && peer.connection.is_drained());
            self.peers.scheduler.park(index, due);
            if gone {
                self.peers.remove(index);
            }
        }
        Ok(None)
    }

    /// The next event and its connection. The connections take turns.
    pub fn poll_event(&mut self) -> Option<(PeerId, SocketEvent)> {
        while let Some(index) = self.peers.scheduler.next_with_event() {
            let Some(peer) = self.peers.get_mut(index).filter(|peer| !peer.released) else { continue };
            let Some(event) = peer.connection.poll_event() else { continue };
            // Each other connection with an event reports one before this connection reports its next.
            self.peers.scheduler.mark_event(index);
            return Some((self.peers.id(index), event));
        }
        None
    }
}

/// Shows counts only: there may be many connections.
impl<A: Address, M: TableMemory, const SEND: usize, const RECV: usize> fmt::Debug for SocketListener<A, M, SEND, RECV> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SocketListener");
        shown.field("peers", &self.len()).field("stats", &self.stats).finish_non_exhaustive()
    }
}
