//! Many peers on one socket: routing by address, a backlog of those who want to connect, quarantine of those who left.
//!
//! ```text
//!               CONNECT            accept              release + drained, reclaim      linger over
//! (no entry) ------------> QUEUED --------> a Connection ---------------------> QUARANTINED -----> (no entry)
//!                            | refuse, or not accepted within the handshake limit
//!                            +----------------------------------------------------------------> (no entry)
//! ```
//!
//! A datagram belongs to the connection of the address that it came from. The type of an address is the caller's: what it
//! needs to answer. A server on a wildcard address names both ends in it, its own and the peer's, so that it answers from
//! the address that was called. From an address without a connection only CONNECT means anything.
//!
//! Memory is lent: an array, a slice or a `Vec` of [`Slot`]s, one for each address that is queued, connected or quarantined.
//! Finding a connection takes the same time whatever their number; [`Listener::poll_transmit`], [`Listener::poll_timeout`]
//! and [`Listener::poll_event`] look through all of them, so this listener is for hundreds of peers, not for thousands.
//!
//! A slot is taken from a CONNECT on until the quarantine is over, a [linger](Config::linger) after the end: lend as many as
//! there are connections at once, and some more for those that come and go. It holds a whole connection, even while it is
//! vacant; with stores that hold their bodies (an array) these as well, with stores that borrow them (a slice, a `Vec`) not.
//!
//! A server that sends back what it gets, for any link; `examples/echo.rs` puts it on a UDP socket:
//!
//! ```
//! use rdt_proto::Instant;
//! use rdt_proto::connection::{Config, Connection, Event, Storage};
//! use rdt_proto::listener::{Listener, ListenerConfig, PeerSlot};
//! use rdt_proto::store::{RecvSlots, SendSlots, StoreError, slot_bytes};
//! use std::error::Error;
//!
//! type Memory = [u8; slot_bytes(1_200)];
//! type Bodies = Storage<SendSlots<Memory>, RecvSlots<Memory>>;
//! type Address = u16; // whatever it takes to answer
//! type Slot = PeerSlot<Address, SendSlots<Memory>, RecvSlots<Memory>>;
//! type Server = Listener<Address, SendSlots<Memory>, RecvSlots<Memory>, [Slot; 4]>;
//!
//! fn bodies() -> Result<Bodies, StoreError> {
//!     let memory = || [0; slot_bytes(1_200)];
//!     Ok(Storage::stop_and_wait(SendSlots::new(memory(), 1_200)?, RecvSlots::new(memory(), 1_200)?))
//! }
//!
//! /// To be called after each datagram and each timeout, before `poll_transmit`.
//! fn serve(now: Instant, server: &mut Server) -> Result<(), Box<dyn Error>> {
//!     while server.incoming().is_some() {
//!         let bodies = bodies()?;
//!         server.accept(now, [7; 32], || bodies); // from the system's generator, in earnest
//!     }
//!     let mut buf = [0; 1_200];
//!     while let Some((id, event)) = server.poll_event() {
//!         let Some(peer) = server.peer_mut(id) else { continue };
//!         loop {
//!             // What there is no room for stays unread, until `Writable` tells.
//!             let room = peer.send_slot().map_or(0, |slot| slot.len());
//!             let len = peer.recv(&mut buf[..room]);
//!             if len == 0 {
//!                 break;
//!             }
//!             peer.send(&buf[..len])?;
//!         }
//!         if peer.is_finished_reading() {
//!             peer.close();
//!         }
//!         if let Event::Closed(_) = event {
//!             server.release(now, id);
//!         }
//!     }
//!     Ok(())
//! }
//!
//! let now = Instant::ZERO;
//! let slots = core::array::from_fn(|_| Slot::default()); // or `Default::default()`, or a `Vec`
//! let mut server = Server::new(now, ListenerConfig::default(), [7; 16], slots); // the key too
//! let mut client = Connection::connect(now, Config::default(), [7; 32], bodies()?);
//! client.send(b"hello")?;
//!
//! let mut buf = [0; 2_048];
//! while client.recv_chunk().is_empty() {
//!     while let Some(transmit) = client.poll_transmit(now, &mut buf)? {
//!         let _ = server.handle_datagram(now, 1, &buf[..transmit.len]);
//!         serve(now, &mut server)?;
//!     }
//!     while let Some((_to, transmit)) = server.poll_transmit(now, &mut buf)? {
//!         let _ = client.handle_datagram(now, &buf[..transmit.len]);
//!     }
//! }
//! assert_eq!(client.recv_chunk(), b"hello");
//! # Ok::<(), Box<dyn Error>>(())
//! ```

#[cfg(feature = "arbitrary")]
#[doc(hidden)]
pub mod fuzzing;
mod peers;
mod table;

pub use table::Slot;

use crate::Instant;
use crate::arq::{Arq, StopAndWait};
use crate::connection::{Config, Connection, ENTROPY_BYTES, Handled, Hello, Storage, after};
use crate::store::{RecvStore, SendStore};
use crate::wire::{DecodeError, Packet};
use core::hash::Hash;
use table::Table;
use thiserror::Error;

/// Memory for one peer with its connection.
pub type PeerSlot<A, S, R, Q = StopAndWait> = Slot<A, Place<Connection<S, R, Q>>>;

/// The limits of a listener, with their defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerConfig {
    /// What every accepted connection is made with.
    pub connection: Config,
    /// How many may wait to be accepted. When as many do, a further CONNECT is ignored, and its sender repeats it. Whoever
    /// is not heard again within the [handshake limit](Config::handshake_limit) waits no longer. Default: 16.
    pub backlog: usize,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self { connection: Config::default(), backlog: 16 }
    }
}

/// What names a connection of a listener. It is never used again for another one, but for 2^32 that came and went in its
/// slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerId {
    index: u32,
    generation: u32,
}

impl PeerId {
    /// Which of the lent slots it occupies: below their number, and no other connection has it at the same time. For tables
    /// that the application keeps beside the listener.
    #[must_use]
    pub fn index(self) -> usize {
        // A slot of memory has an index that fits.
        usize::try_from(self.index).unwrap_or(usize::MAX)
    }
}

/// What is known of an address.
#[derive(Clone, Debug)]
pub struct Place<C>(State<C>);

#[derive(Clone, Debug)]
enum State<C> {
    /// CONNECT has come. It waits to be accepted, in the order of its ticket, unless it is not heard again until `until`.
    Queued { ticket: u64, until: Option<Instant>, hello: Hello },
    /// The application has it; `released`: it does not need it any more.
    Connected { connection: C, released: bool },
    /// Late packets of the connection that ended must not fall into a new one.
    Quarantined { until: Instant },
}

/// Where a datagram went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a server may want to know who sends nonsense; `let _ =` where nobody does"]
pub enum Routed {
    /// To this connection.
    Peer(PeerId, Handled),
    /// Into the backlog, or it repeats what is there: see [`Listener::incoming`].
    Queued,
    /// Nowhere, for this reason, which is counted in [`ListenerStats`].
    Ignored(Unrouted),
}

/// Why a datagram went nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Unrouted {
    /// It is no packet.
    #[error("no packet: {0}")]
    Malformed(DecodeError),
    /// It is no CONNECT, and its address has no connection.
    #[error("no connection with this address")]
    UnknownPeer,
    /// A CONNECT for base mode, which is not allowed.
    #[error("it asks for base mode")]
    Mode,
    /// A CONNECT, while as many wait already as may.
    #[error("the backlog is full")]
    BacklogFull,
    /// A CONNECT, while no slot is vacant.
    #[error("all slots are taken")]
    NoSlot,
    /// The connection with this address has ended only just now.
    #[error("the address is in quarantine")]
    Quarantined,
}

/// Counters of a listener. They saturate. Those of a connection are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct ListenerStats {
    /// Connections accepted.
    pub accepted: u64,
    /// Ignored: no packet.
    pub malformed: u64,
    /// Ignored: no CONNECT, and no connection with its address.
    pub unknown_peer: u64,
    /// Ignored: a CONNECT for base mode, which is not allowed.
    pub mode: u64,
    /// Ignored: the backlog was full.
    pub backlog_full: u64,
    /// Ignored: no slot was vacant.
    pub no_slot: u64,
    /// Ignored: the address was in quarantine.
    pub quarantined: u64,
}

impl ListenerStats {
    fn count(&mut self, reason: Unrouted) {
        let counter = match reason {
            Unrouted::Malformed(_) => &mut self.malformed,
            Unrouted::UnknownPeer => &mut self.unknown_peer,
            Unrouted::Mode => &mut self.mode,
            Unrouted::BacklogFull => &mut self.backlog_full,
            Unrouted::NoSlot => &mut self.no_slot,
            Unrouted::Quarantined => &mut self.quarantined,
        };
        *counter = counter.saturating_add(1);
    }
}

/// The server side of one socket.
#[derive(Clone, Debug)]
pub struct Listener<A, S, R, M, Q = StopAndWait> {
    config: ListenerConfig,
    now: Instant,
    table: Table<A, Place<Connection<S, R, Q>>, M>,
    queued: usize,
    /// The ticket of the next CONNECT.
    ticket: u64,
    /// Whose turn it is to send, and to tell events: the connections take turns.
    sending_turn: u32,
    telling_turn: u32,
    stats: ListenerStats,
}

impl<A, S, R, M, Q> Listener<A, S, R, M, Q>
where
    A: Copy + Eq + Hash,
    S: SendStore,
    R: RecvStore,
    M: AsRef<[PeerSlot<A, S, R, Q>]> + AsMut<[PeerSlot<A, S, R, Q>]>,
    Q: Arq,
{
    /// A listener with as many peers as there are slots. `key` must be unpredictable to strangers: with it, they could choose
    /// addresses that make finding a connection slow.
    pub fn new(now: Instant, config: ListenerConfig, key: [u8; 16], slots: M) -> Self {
        Self {
            config,
            now,
            table: Table::new(key, slots),
            queued: 0,
            ticket: 0,
            sending_turn: 0,
            telling_turn: 0,
            stats: ListenerStats::default(),
        }
    }

    /// What it counted.
    #[must_use]
    pub fn stats(&self) -> &ListenerStats {
        &self.stats
    }

    /// How many addresses are queued, connected or quarantined.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no address is queued, connected or quarantined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a datagram that came `from` an address.
    pub fn handle_datagram(&mut self, now: Instant, from: A, datagram: &[u8]) -> Routed {
        self.handle_datagram_into(now, from, datagram, |_, _| 0)
    }

    /// As [`handle_datagram`](Self::handle_datagram), but lends what a peer may read at once straight out of the datagram: as
    /// [`Connection::handle_datagram_into`]. `take` is told whose it is.
    pub fn handle_datagram_into(
        &mut self,
        now: Instant,
        from: A,
        datagram: &[u8],
        mut take: impl FnMut(PeerId, &[u8]) -> usize,
    ) -> Routed {
        self.advance(now);
        // What has run out does not stand in the way of a datagram that comes before `handle_timeout`.
        if let Some(index) = self.table.find(&from) {
            self.vacate(index);
        }
        let Some(index) = self.table.find(&from) else {
            return self.handle_stranger(from, datagram).unwrap_or_else(|reason| self.ignore(reason));
        };
        let now = self.now;
        let generation = self.table.generation(index).unwrap_or_default();
        let until = after(now, self.config.connection.handshake_limit);
        match self.table.entry_mut(index) {
            Some((_, Place(State::Connected { connection, .. }))) => {
                let peer = PeerId { index, generation };
                Routed::Peer(peer, connection.handle_datagram_into(now, datagram, |bytes| take(peer, bytes)))
            }
            Some((_, Place(State::Queued { until: end, hello, .. }))) => {
                match self.config.connection.framing.decode(datagram) {
                    Ok(Packet::Connect(options)) if self.config.connection.accepts(&Hello::from_options(&options)) => {
                        // The latest one counts: an earlier one with another tag is that of a client that has restarted since.
                        *hello = Hello::from_options(&options);
                        *end = until;
                        Routed::Queued
                    }
                    Ok(_) => self.ignore(Unrouted::UnknownPeer),
                    Err(error) => self.ignore(Unrouted::Malformed(error)),
                }
            }
            Some((_, Place(State::Quarantined { .. }))) | None => self.ignore(Unrouted::Quarantined),
        }
    }

    /// A datagram from an address that nothing is known of.
    fn handle_stranger(&mut self, from: A, datagram: &[u8]) -> Result<Routed, Unrouted> {
        let hello = match self.config.connection.framing.decode(datagram).map_err(Unrouted::Malformed)? {
            Packet::Connect(options) => Hello::from_options(&options),
            Packet::ConnAck(_)
            | Packet::Info { .. }
            | Packet::Ack { .. }
            | Packet::Fin
            | Packet::FinAck
            | Packet::Sack(_)
            | Packet::Retry { .. }
            | Packet::Reset { .. }
            | Packet::Probe { .. }
            | Packet::Echo { .. } => return Err(Unrouted::UnknownPeer),
        };
        if !self.config.connection.accepts(&hello) {
            return Err(Unrouted::Mode);
        }
        if self.queued >= self.config.backlog {
            return Err(Unrouted::BacklogFull);
        }
        let until = after(self.now, self.config.connection.handshake_limit);
        let queued = Place(State::Queued { ticket: self.ticket, until, hello });
        self.table.insert(from, queued).ok_or(Unrouted::NoSlot)?;
        self.ticket += 1;
        self.queued += 1;
        Ok(Routed::Queued)
    }

    fn ignore(&mut self, reason: Unrouted) -> Routed {
        self.stats.count(reason);
        Routed::Ignored(reason)
    }

    /// The address that has waited longest to be accepted.
    #[must_use]
    pub fn incoming(&self) -> Option<A> {
        self.table.entry(self.oldest_queued()?).map(|(address, _)| address)
    }

    /// Accepts the [oldest](Self::incoming) that waits: CONNACK is due at once. `storage` is asked for only if somebody
    /// waits. `entropy` as for a [`Connection`].
    pub fn accept(
        &mut self,
        now: Instant,
        entropy: [u8; ENTROPY_BYTES],
        storage: impl FnOnce() -> Storage<S, R, Q>,
    ) -> Option<PeerId> {
        self.advance(now);
        let index = self.oldest_queued()?;
        let generation = self.table.generation(index)?;
        let (_, place) = self.table.entry_mut(index)?;
        let State::Queued { hello, .. } = place.0 else { return None };
        let connection = Connection::accept(self.now, self.config.connection, entropy, hello, storage());
        *place = Place(State::Connected { connection, released: false });
        self.queued -= 1;
        self.stats.accepted = self.stats.accepted.saturating_add(1);
        Some(PeerId { index, generation })
    }

    /// Forgets the [oldest](Self::incoming) that waits. In base mode nobody tells it: it queues again if it repeats its
    /// CONNECT, and otherwise ends by its handshake limit. Returns whether somebody waited.
    pub fn refuse(&mut self) -> bool {
        let Some(index) = self.oldest_queued() else { return false };
        self.table.remove(index);
        self.queued -= 1;
        true
    }

    fn oldest_queued(&self) -> Option<u32> {
        let ticket = |place: &Place<_>| match place.0 {
            State::Queued { ticket, .. } => Some(ticket),
            State::Connected { .. } | State::Quarantined { .. } => None,
        };
        if self.queued == 0 {
            return None;
        }
        self.table.iter().filter_map(|(index, place)| Some((ticket(place)?, index))).min().map(|(_, index)| index)
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}
