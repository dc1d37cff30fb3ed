//! Many clients on one socket.

use super::config::SocketConfig;
use super::connection::{SOCKET_ENTROPY_BYTES, SocketConnection, opens};
use super::event::{SocketEvent, SocketHandled, increment};
use super::segment::{Kind, Segment, SegmentError};
use crate::event::Transmit;
use crate::tables::{HashKey, Index, Memory, PeerId, Slab, Turns};
use crate::{Address, BufferTooSmall, Instant};
use core::fmt;
use thiserror::Error;

/// The limits of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketListenerConfig {
    /// What every accepted connection is made with.
    pub connection: SocketConfig,
    /// How many connections there may be at once, until they are [released](SocketListener::release). Fixed
    /// [memory](Memory) may hold fewer. Default: 1,024.
    pub peers: usize,
}

impl Default for SocketListenerConfig {
    fn default() -> Self {
        Self { connection: SocketConfig::default(), peers: 1_024 }
    }
}

/// Somebody wants to connect. Nothing is kept of it: give it to [`SocketListener::accept`], or drop it, and its client
/// repeats its SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "somebody who is not accepted waits in vain"]
pub struct SocketIncoming<A> {
    address: A,
    number: u64,
}

impl<A: Copy> SocketIncoming<A> {
    /// Who it is.
    #[must_use]
    pub fn address(&self) -> A {
        self.address
    }
}

/// Where a datagram went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "somebody may want to connect"]
pub enum SocketDispatch<A> {
    /// To this connection.
    Peer(PeerId, SocketHandled),
    /// It asks for a connection.
    Incoming(SocketIncoming<A>),
    /// Nowhere, for this reason, which is counted in [`SocketListenerStats`].
    Ignored(SocketDropReason),
}

/// Why a datagram went nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SocketDropReason {
    /// It is no segment.
    #[error("no segment: {0}")]
    Malformed(#[from] SegmentError),
    /// It is no SYN that a connection can begin with, and its address has no connection.
    #[error("no connection with this address")]
    UnknownPeer,
}

/// Why somebody was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum SocketAcceptError {
    /// Its address has a connection by now.
    #[error("the address has a connection")]
    Connected,
    /// There are as many connections as may be at once, or as there is memory for.
    #[error("there is no room for another connection")]
    Full,
}

/// Counters of a listener. They saturate. Those of a connection are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct SocketListenerStats {
    /// Connections accepted.
    pub accepted: u64,
    /// SYNs of those who have no connection.
    pub incoming: u64,
    /// Ignored: [`SocketDropReason::Malformed`].
    pub malformed: u64,
    /// Ignored: [`SocketDropReason::UnknownPeer`].
    pub unknown_peer: u64,
}

/// The server side of one socket: addresses `A`, tables in memory of kind `M`, and connections with so much room.
/// Connections are found by the address of their client, which must stay what it is.
///
/// Strangers can make it [accept](Self::accept) as many connections as it may: nobody's address is proven. What nobody
/// confirms ends by the handshake limit.
///
/// A server that sends back each message, for any link:
///
/// ```
/// use rdt_proto::Instant;
/// use rdt_proto::socket_tcp::{Fixed, SocketConfig, SocketConnection, SocketDispatch, SocketEvent};
/// use rdt_proto::socket_tcp::{SocketListener, SocketListenerConfig};
///
/// type Address = u16; // whatever it takes to answer
/// type Server = SocketListener<Address, Fixed<4>>;
///
/// /// To be called with each datagram, and with the time when `poll_timeout` is due; before `poll_transmit`.
/// fn serve(now: Instant, server: &mut Server, from: Address, datagram: &[u8]) {
///     if let SocketDispatch::Incoming(incoming) = server.handle_datagram(now, from, datagram) {
///         // From the system's generator, in earnest. Who finds no room calls again.
///         let _ = server.accept(now, incoming, [7; 16]);
///     }
///     while let Some((id, event)) = server.poll_event() {
///         let Some(peer) = server.peer_mut(id) else { continue };
///         let mut message = [0; 512];
///         if let Ok(Some(len)) = peer.recv_message(&mut message) {
///             // It waits for its turn; while one is on its way there is no other.
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
pub struct SocketListener<A: Address, M: Memory, const SEND: usize = 512, const RECV: usize = 512> {
    config: SocketListenerConfig,
    now: Instant,
    key: HashKey,
    peers: Slab<Peer<A, SEND, RECV>, M>,
    by_address: Index<M>,
    turns: Turns<M>,
    stats: SocketListenerStats,
}

struct Peer<A, const SEND: usize, const RECV: usize> {
    connection: SocketConnection<A, SEND, RECV>,
    /// The application does not need it any more.
    released: bool,
}

impl<A: Address, M: Memory, const SEND: usize, const RECV: usize> SocketListener<A, M, SEND, RECV> {
    /// A listener without connections. Who knows `key` can choose addresses that make finding a connection slow: give
    /// it bytes that a stranger cannot guess.
    #[must_use]
    pub fn new(now: Instant, config: SocketListenerConfig, key: [u8; 16]) -> Self {
        Self {
            config,
            now,
            key: HashKey(key),
            peers: Slab::new(),
            by_address: Index::new(),
            turns: Turns::new(),
            stats: SocketListenerStats::default(),
        }
    }

    /// What it was made with.
    #[must_use]
    pub fn config(&self) -> &SocketListenerConfig {
        &self.config
    }

    /// What it counted.
    #[must_use]
    pub fn stats(&self) -> &SocketListenerStats {
        &self.stats
    }

    /// How many connections there are, those included that were released and still have to say their last word.
    #[must_use]
    pub fn len(&self) -> usize {
        self.peers.len() as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a datagram that came from this address. Afterwards [`poll_transmit`](Self::poll_transmit) and
    /// [`poll_event`](Self::poll_event) may have something.
    pub fn handle_datagram(&mut self, now: Instant, from: A, datagram: &[u8]) -> SocketDispatch<A> {
        self.now = self.now.max(now);
        let now = self.now;
        if let Some(index) = self.find(from)
            && let Some(peer) = self.peers.item_mut(index)
        {
            let handled = peer.connection.handle_datagram(now, from, datagram);
            self.turns.touch(index);
            self.turns.tell(index);
            let generation = self.peers.generation(index).unwrap_or_default();
            return SocketDispatch::Peer(PeerId { index, generation }, handled);
        }
        let why = match Segment::decode(datagram) {
            Ok(Segment { kind: Kind::Syn, number, .. }) if opens(number) => {
                increment(&mut self.stats.incoming);
                return SocketDispatch::Incoming(SocketIncoming { address: from, number });
            }
            Ok(_) => SocketDropReason::UnknownPeer,
            Err(error) => SocketDropReason::Malformed(error),
        };
        increment(match why {
            SocketDropReason::Malformed(_) => &mut self.stats.malformed,
            SocketDropReason::UnknownPeer => &mut self.stats.unknown_peer,
        });
        SocketDispatch::Ignored(why)
    }

    /// Accepts a client: SYN+ACK is due at once. `entropy` as for a [`SocketConnection`].
    ///
    /// # Errors
    ///
    /// If its address has a connection by now, or there is no room for one: its client repeats its SYN.
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
        let index = accepted.ok().and_then(|connection| self.insert(connection)).ok_or(SocketAcceptError::Full)?;
        increment(&mut self.stats.accepted);
        Ok(PeerId { index, generation: self.peers.generation(index).unwrap_or_default() })
    }

    /// Where it was put; `None` where there is no room.
    fn insert(&mut self, connection: SocketConnection<A, SEND, RECV>) -> Option<u32> {
        let hash = self.key.hash(&connection.peer());
        let index = self.peers.insert(Peer { connection, released: false }).ok()?;
        // Whatever may be needed later has its place now.
        let placed = self.by_address.insert(hash, index) && self.turns.enter(index);
        if !placed {
            self.remove(index);
        }
        placed.then_some(index)
    }

    fn remove(&mut self, index: u32) {
        let Some(peer) = self.peers.remove(index) else { return };
        self.by_address.remove(self.key.hash(&peer.connection.peer()), index);
        self.turns.leave(index);
    }

    fn find(&self, address: A) -> Option<u32> {
        let is = |index| self.peers.item(index).is_some_and(|peer| peer.connection.peer() == address);
        self.by_address.find(self.key.hash(&address), is)
    }

    fn held(&self, id: PeerId) -> Option<&Peer<A, SEND, RECV>> {
        let peer = self.peers.item(id.index).filter(|peer| !peer.released)?;
        (self.peers.generation(id.index) == Some(id.generation)).then_some(peer)
    }

    /// The connection with this name; `None` once it was released.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<&SocketConnection<A, SEND, RECV>> {
        self.held(id).map(|peer| &peer.connection)
    }

    /// The connection with this name, to send, receive and close; `None` once it was released. Call
    /// [`poll_transmit`](Self::poll_transmit) afterwards.
    pub fn peer_mut(&mut self, id: PeerId) -> Option<&mut SocketConnection<A, SEND, RECV>> {
        self.held(id)?;
        // Nobody says what will be done with it: it is looked at when its turn comes.
        self.turns.touch(id.index);
        self.turns.tell(id.index);
        self.peers.item_mut(id.index).map(|peer| &mut peer.connection)
    }

    /// The application does not need this connection any more: it has read what it wanted. One that has not ended is
    /// aborted.
    pub fn release(&mut self, now: Instant, id: PeerId) {
        self.now = self.now.max(now);
        if self.held(id).is_none() {
            return;
        }
        let Some(peer) = self.peers.item_mut(id.index) else { return };
        peer.released = true;
        peer.connection.abort();
        if peer.connection.is_drained() {
            self.remove(id.index);
        } else {
            self.turns.touch(id.index);
        }
    }

    /// The connections that were accepted and not released, in no order. This looks at all of them.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        let held = self.peers.iter().filter(|(_, peer)| !peer.released);
        held.filter_map(|(index, _)| Some(PeerId { index, generation: self.peers.generation(index)? }))
    }

    /// Time has passed: as [`SocketConnection::handle_timeout`], for those whose deadline may have come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(index) = self.turns.next_to_wake(self.now) {
            let Some(peer) = self.peers.item_mut(index) else { continue };
            peer.connection.handle_timeout(self.now);
            self.turns.woken(index, self.now, true, peer.connection.next_timer());
            self.turns.tell(index);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest, and then
    /// [`poll_transmit`](Self::poll_transmit): as [`SocketConnection::poll_timeout`]. It is due at once after whatever
    /// may have changed something, until `poll_transmit` has returned `None`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.turns.poll_timeout(self.now)
    }

    /// Writes the next datagram into `buf` and says to which address it goes: as [`SocketConnection::poll_transmit`].
    /// The connections take turns, a datagram each.
    ///
    /// # Errors
    ///
    /// If the datagram does not fit into `buf`: nothing has changed.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Result<Option<(A, Transmit)>, BufferTooSmall> {
        self.now = self.now.max(now);
        while let Some(index) = self.turns.next_to_send() {
            let Some(peer) = self.peers.item_mut(index) else {
                self.turns.leave(index);
                continue;
            };
            let sent = peer.connection.poll_transmit(self.now, buf)?;
            if sent.is_some() {
                self.turns.sent(index);
                return Ok(sent);
            }
            self.turns.rest(index, peer.connection.poll_timeout());
            if peer.released && peer.connection.is_drained() {
                self.remove(index);
            }
        }
        Ok(None)
    }

    /// What to tell the application next, and of which connection. The connections take turns.
    pub fn poll_event(&mut self) -> Option<(PeerId, SocketEvent)> {
        while let Some(index) = self.turns.next_to_tell() {
            let Some(peer) = self.peers.item_mut(index).filter(|peer| !peer.released) else { continue };
            let Some(event) = peer.connection.poll_event() else { continue };
            // It may have more to tell, after all others.
            self.turns.tell(index);
            let generation = self.peers.generation(index)?;
            return Some((PeerId { index, generation }, event));
        }
        None
    }
}

/// The counts: what it holds may be much.
impl<A: Address, M: Memory, const SEND: usize, const RECV: usize> fmt::Debug for SocketListener<A, M, SEND, RECV> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SocketListener");
        shown.field("peers", &self.len()).field("stats", &self.stats).finish_non_exhaustive()
    }
}
