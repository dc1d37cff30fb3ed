//! Many clients on one socket.

use super::config::Config;
use super::connection::{Connection, ENTROPY_BYTES, opens};
use super::event::{Handled, increment};
use super::segment::{Kind, Segment, SegmentError};
use crate::connection::{Event, Transmit};
use crate::counts::{Countable, Counts, countable};
use crate::tables::{Addressed, HashKey, PeerId, PeerTable, TableMemory};
use crate::{Address, BufferTooSmall, Instant};
use core::fmt;
use thiserror::Error;

/// The limits of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerConfig {
    /// What every accepted connection is made with.
    pub connection: Config,
    /// How many connections there may be at once, until they are [released](Listener::release). Fixed
    /// [memory](TableMemory) may hold fewer. Default: 1,024.
    pub peers: usize,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self { connection: Config::default(), peers: 1_024 }
    }
}

/// A client that asks for a connection. The listener keeps no state of it.
///
/// Give it to [`Listener::accept`], or drop it: its client repeats its SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a client that is not accepted waits until its handshake limit"]
pub struct Incoming<A> {
    address: A,
    number: u64,
}

impl<A: Copy> Incoming<A> {
    /// The address of the client.
    #[must_use]
    pub fn address(&self) -> A {
        self.address
    }
}

/// Where a datagram went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a client may ask for a connection"]
pub enum Dispatch<A> {
    /// To this connection.
    Peer(PeerId, Handled),
    /// It asks for a connection.
    Incoming(Incoming<A>),
    /// It is dropped, for this reason, which is counted in [`ListenerStats::dropped`].
    Dropped(DropReason),
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum DropReason {
    /// It is no segment.
    #[error("no segment: {0}")]
    Malformed(#[from] SegmentError),
    /// It is no SYN that a connection can begin with, and its address has no connection.
    #[error("no connection with this address")]
    UnknownPeer,
}

/// Why a client was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum AcceptError {
    /// Its address has a connection by now.
    #[error("the address has a connection")]
    Connected,
    /// There are as many connections as may be at once, or as there is memory for.
    #[error("there is no room for another connection")]
    Full,
}

/// Counters of a listener. They saturate. Each connection has counters of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct ListenerStats {
    /// Connections accepted.
    pub accepted: u64,
    /// SYNs of clients without a connection.
    pub incoming: u64,
    /// Datagrams that were dropped, by reason.
    pub dropped: DropCounts,
}

/// How many datagrams were dropped for each reason.
pub type DropCounts = Counts<DropReason, { DropReason::COUNT }>;

countable!(SegmentError: Separators, Flags, Number, Body);
countable!(DropReason: [Malformed(SegmentError)] UnknownPeer);

/// The server side of one socket: addresses `A`, tables in memory of kind `M`, and connections with so much room.
/// Connections are found by the address of their client, which must stay what it is.
///
/// SocketTCP cannot validate an address: an attacker can make it [accept](Self::accept) as many connections as it may
/// have. A connection that is not confirmed ends by the handshake limit.
///
/// A server that sends back each message, for any link:
///
/// ```
/// use rdt_proto::Instant;
/// use rdt_proto::socket_tcp::{Config, Connection, Event, FixedTables, Listener, ListenerConfig, Dispatch};
///
/// type Address = u16; // whatever it takes to answer
/// type Server = Listener<Address, FixedTables<4>>;
///
/// /// To be called with each datagram, and with the time when `poll_timeout` is due; before `poll_transmit`.
/// fn serve(now: Instant, server: &mut Server, from: Address, datagram: &[u8]) {
///     if let Dispatch::Incoming(incoming) = server.handle_datagram(now, from, datagram) {
///         // The entropy comes from the system's generator. A client that finds no room repeats its SYN.
///         let _ = server.accept(now, incoming, [7; 16]);
///     }
///     while let Some((id, event)) = server.poll_event() {
///         let Some(peer) = server.peer_mut(id) else { continue };
///         let mut message = [0; 512];
///         if let Ok(Some(len)) = peer.recv_message(&mut message) {
///             // It waits for its turn; while one is on its way there is no other.
///             let _ = peer.send(&message[..len]);
///         }
///         if let Event::Closed(_) = event {
///             server.release(now, id);
///         }
///     }
/// }
///
/// let now = Instant::ZERO;
/// let mut server = Server::new(now, ListenerConfig::default(), [7; 16]);
/// let mut client = Connection::<Address>::connect(now, Config::default(), [7; 16], 1);
/// client.send(b"hello")?;
///
/// let (mut buf, mut answer) = ([0; 64], [0; 64]);
/// let len = loop {
///     while let Some((_to, transmit)) = client.poll_transmit(now, &mut buf)? {
///         serve(now, &mut server, 2, &buf[..transmit.len]);
///     }
///     while let Some((_to, transmit)) = server.poll_transmit(now, &mut buf)? {
///         let _ = client.handle_datagram(now, 1, &buf[..transmit.len]);
///     }
///     if let Some(len) = client.recv_message(&mut answer)? {
///         break len;
///     }
/// };
/// assert_eq!(&answer[..len], b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Listener<A: Address, M: TableMemory, const SEND: usize = 512, const RECV: usize = 512> {
    config: ListenerConfig,
    now: Instant,
    peers: PeerTable<Peer<A, SEND, RECV>, M>,
    stats: ListenerStats,
}

struct Peer<A, const SEND: usize, const RECV: usize> {
    connection: Connection<A, SEND, RECV>,
    /// The application does not need it any more.
    released: bool,
}

impl<A: Address, const SEND: usize, const RECV: usize> Addressed for Peer<A, SEND, RECV> {
    type Address = A;

    fn address(&self) -> A {
        self.connection.peer()
    }
}

impl<A: Address, M: TableMemory, const SEND: usize, const RECV: usize> Listener<A, M, SEND, RECV> {
    /// A listener without connections.
    ///
    /// An attacker that knows `key` can choose addresses that make finding a connection slow: give it bytes from the
    /// system's generator.
    #[must_use]
    pub fn new(now: Instant, config: ListenerConfig, key: [u8; 16]) -> Self {
        Self { config, now, peers: PeerTable::new(HashKey(key)), stats: ListenerStats::default() }
    }

    /// The limits that it was made with.
    #[must_use]
    pub fn config(&self) -> &ListenerConfig {
        &self.config
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> &ListenerStats {
        &self.stats
    }

    /// How many connections there are, those included that were released and still have something to send.
    #[must_use]
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a datagram that came from this address. Afterwards [`poll_transmit`](Self::poll_transmit) and
    /// [`poll_event`](Self::poll_event) may have something.
    pub fn handle_datagram(&mut self, now: Instant, from: A, datagram: &[u8]) -> Dispatch<A> {
        self.now = self.now.max(now);
        let now = self.now;
        if let Some(index) = self.find(from)
            && let Some(peer) = self.peers.get_mut(index)
        {
            let handled = peer.connection.handle_datagram(now, from, datagram);
            self.peers.scheduler.mark_changed(index);
            self.peers.scheduler.mark_event(index);
            return Dispatch::Peer(self.peers.id(index), handled);
        }
        let why = match Segment::decode(datagram) {
            Ok(Segment { kind: Kind::Syn, number, .. }) if opens(number) => {
                increment(&mut self.stats.incoming);
                return Dispatch::Incoming(Incoming { address: from, number });
            }
            Ok(_) => DropReason::UnknownPeer,
            Err(error) => DropReason::Malformed(error),
        };
        self.stats.dropped.count(why);
        Dispatch::Dropped(why)
    }

    /// Accepts a client: SYN+ACK is due at once. `entropy` as for a [`Connection`].
    ///
    /// # Errors
    ///
    /// If its address has a connection by now, or there is no room for one: its client repeats its SYN.
    pub fn accept(
        &mut self,
        now: Instant,
        incoming: Incoming<A>,
        entropy: [u8; ENTROPY_BYTES],
    ) -> Result<PeerId, AcceptError> {
        self.now = self.now.max(now);
        if self.find(incoming.address).is_some() {
            return Err(AcceptError::Connected);
        }
        if self.len() >= self.config.peers {
            return Err(AcceptError::Full);
        }
        let syn = Segment::bare(Kind::Syn, incoming.number);
        let accepted = Connection::accept(self.now, self.config.connection, entropy, incoming.address, &syn);
        let peer = accepted.ok().map(|connection| Peer { connection, released: false });
        let index = peer.and_then(|peer| self.peers.insert(peer)).ok_or(AcceptError::Full)?;
        increment(&mut self.stats.accepted);
        Ok(self.peers.id(index))
    }

    fn find(&self, address: A) -> Option<u32> {
        self.peers.find_at(address, |_, _| true)
    }

    fn held(&self, id: PeerId) -> Option<&Peer<A, SEND, RECV>> {
        self.peers.find(id).filter(|peer| !peer.released)
    }

    /// The connection with this name; `None` once it was released.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<&Connection<A, SEND, RECV>> {
        self.held(id).map(|peer| &peer.connection)
    }

    /// The connection with this name, to send, receive and close; `None` once it was released. Call
    /// [`poll_transmit`](Self::poll_transmit) afterwards.
    pub fn peer_mut(&mut self, id: PeerId) -> Option<&mut Connection<A, SEND, RECV>> {
        self.held(id)?;
        // What the caller does with it is not known: the listener looks when its turn comes.
        self.peers.scheduler.mark_changed(id.index);
        self.peers.scheduler.mark_event(id.index);
        self.peers.get_mut(id.index).map(|peer| &mut peer.connection)
    }

    /// The application does not need this connection any more: it has read what it wanted. One that has not ended is
    /// aborted.
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

    /// The connections that were accepted and not released, in no order. This looks at all of them.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        let held = self.peers.iter().filter(|(_, peer)| !peer.released);
        held.map(|(index, _)| self.peers.id(index))
    }

    /// Time has passed: as [`Connection::handle_timeout`] for each connection whose deadline may have come.
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

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest, and then
    /// [`poll_transmit`](Self::poll_transmit): as [`Connection::poll_timeout`]. It is due at once after whatever may
    /// have changed something, until `poll_transmit` has returned `None`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.peers.scheduler.poll_timeout(self.now)
    }

    /// Writes the next datagram into `buf` and says to which address it goes: as [`Connection::poll_transmit`]. The
    /// connections take scheduler, a datagram each.
    ///
    /// # Errors
    ///
    /// If the datagram does not fit into `buf`: nothing has changed.
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

    /// The next event, and the connection that it happened to. The connections take turns.
    pub fn poll_event(&mut self) -> Option<(PeerId, Event)> {
        while let Some(index) = self.peers.scheduler.next_with_event() {
            let Some(peer) = self.peers.get_mut(index).filter(|peer| !peer.released) else { continue };
            let Some(event) = peer.connection.poll_event() else { continue };
            // It may have more, after all others.
            self.peers.scheduler.mark_event(index);
            return Some((self.peers.id(index), event));
        }
        None
    }
}

/// Only counts: its connections may be many.
impl<A: Address, M: TableMemory, const SEND: usize, const RECV: usize> fmt::Debug for Listener<A, M, SEND, RECV> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Listener");
        shown.field("peers", &self.len()).field("stats", &self.stats).finish_non_exhaustive()
    }
}
