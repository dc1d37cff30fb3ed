//! Many peers on one socket: dispatch by tag and address, a backlog, and limits that resist forged addresses.
//!
//! ```text
//!  CONNECT                           accept                release, and drained
//! ---------> (admission) -> BACKLOG --------> Connection ----------------------> gone; base mode: QUARANTINED
//!                |             | refuse: RESET     | evicted for another connection
//!                | RETRY       | ignore, expired   v
//!                v             v              Closed(Evicted)
//!          (no state is kept)
//! ```
//!
//! A datagram of extended mode starts with the tag of its connection. It belongs to that connection, whatever its
//! source address. A datagram of base mode belongs to the connection of its address. From all other addresses, only
//! CONNECT is accepted. The caller chooses the type of an address: see [`Address`].
//!
//! # Cost
//!
//! The cost of a datagram or of a timeout does not depend on the number of connections. There are two exceptions: cache
//! misses of the processor, and the heap of deadlines, which is O(log n). An idle connection costs nothing. Connections
//! take turns in sending and in reporting events, so none starves another. A pending handshake in the
//! [backlog](Incoming) takes about a hundred bytes and no connection. A client that was answered with RETRY takes no
//! memory.
//!
//! All tables use the same kind of [`TableMemory`]. [`FixedTables`] lie inside the listener and need no allocator.
//! [`HeapTables`] grow up to the [limits](ListenerConfig).
//!
//! # Security
//!
//! By default only extended mode is allowed. In extended mode:
//!
//! - Until an address is validated, the listener sends no more bytes to it than came from it. A valid cookie validates
//!   the address. The first INFO does so too, since a client can send it only after it has received CONNACK.
//! - Once unvalidated addresses hold half of the backlog, the listener answers further clients with RETRY and keeps no
//!   state for them. They must validate their address first ([`Retry`]). Any number of forged CONNECTs therefore
//!   excludes no honest client.
//! - An attacker that does not see the datagrams of a connection has to guess the 64 bits of its tag.
//! - A client that restarts at its address opens a new connection beside the old one. The old one ends as
//!   [`Evicted`](crate::connection::CloseReason::Evicted) only once the new one is confirmed, so a forged CONNECT ends
//!   no connection.
//! - A peer whose address changes (a phone that leaves its wireless network, a NAT that loses its state) keeps its
//!   connection. The listener detects the new address by the next datagram of the peer, and challenges both addresses
//!   by PROBE. The connection moves when the new address answers, and the old one neither answers nor sends. It moves
//!   back if the old address answers as well. The address of the handshake takes the connection back at any time. Until
//!   the move, all other datagrams go to the old address, and the data from the new one is dropped. So an observer that
//!   copies the datagrams of a peer does not get the connection
//!   ([procedure](crate::guide::many_peers#a-changed-address)). If the quotas
//!   ([`per_address`](ListenerConfig::per_address), [`per_host`](ListenerConfig::per_host)) have no room for the new
//!   address, there is no challenge and no move. A peer that may be silent for long should turn
//!   [`keep_alive`](crate::connection::Config::keep_alive) on.
//!
//! Base mode has no protection, since it cannot validate an address. Where it is allowed, an attacker that forges
//! source addresses can open connections in base mode. It can inject data into any connection of base mode, or end it.
//! It can also make the listener send more to a victim than the attacker has sent. The CONNECT of a restarted client is
//! ignored until its old connection and the quarantine of its address have ended. A peer whose address changes is
//! treated as an unknown peer. Base mode never evicts or closes a connection of extended mode.
//!
//! # Example
//!
//! An echo server for any link; `examples/mio.rs` runs one on a UDP socket:
//!
//! ```
//! use rdt_proto::Instant;
//! use rdt_proto::connection::{Config, Connection, Event, Storage};
//! use rdt_proto::listener::{FixedPeers, Listener, ListenerConfig};
//! use rdt_proto::store::{RecvSlots, SendSlots, StoreError};
//! use std::error::Error;
//!
//! const CONFIG: Config = Config::new();
//! type Memory = [u8; CONFIG.send_bytes(1)]; // room for one body
//! type Bodies = Storage<SendSlots<Memory>, RecvSlots<Memory>>;
//! type Address = u16; // what the driver needs to send an answer
//! type Server = Listener<FixedPeers<4, Address, Bodies>>;
//!
//! fn bodies() -> Result<Bodies, StoreError> {
//!     Storage::stop_and_wait(&CONFIG, [0; CONFIG.send_bytes(1)], [0; CONFIG.recv_bytes(1)])
//! }
//!
//! /// Call this after each datagram and each timeout, before `poll_transmit`. If `has_incoming` is true after
//! /// `poll_transmit`, call this again: the last packet of a connection has made room for another connection.
//! fn serve(now: Instant, server: &mut Server) -> Result<(), Box<dyn Error>> {
//!     while let Some(incoming) = server.poll_incoming() {
//!         let entropy = [7; 32]; // from the generator of the system
//!         server.accept(now, incoming, entropy, bodies)?;
//!     }
//!     let mut buf = [0; 1_200];
//!     while let Some((id, event)) = server.poll_event() {
//!         let Some(peer) = server.peer_mut(id) else { continue };
//!         loop {
//!             // Data without room for its echo stays unread until `Event::Writable`.
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
//! let mut server = Server::new(now, ListenerConfig::default(), [7; 48]); // also from the generator of the system
//! let mut client = Connection::connect(now, CONFIG, [7; 32], bodies()?)?;
//! client.send(b"hello")?;
//!
//! let mut buf = [0; 2_048];
//! while client.recv_chunk().is_empty() {
//!     while let Some(transmit) = client.poll_transmit(now, &mut buf)? {
//!         server.handle_datagram(now, 1, &buf[..transmit.len]);
//!         serve(now, &mut server)?;
//!     }
//!     while let Some((_to, transmit)) = server.poll_transmit(now, &mut buf)? {
//!         client.handle_datagram(now, &buf[..transmit.len]);
//!     }
//! }
//! assert_eq!(client.recv_chunk(), b"hello");
//! # Ok::<(), Box<dyn Error>>(())
//! ```

mod address_state;
mod admission;
mod application;
mod backlog;
mod config;
mod cookie;
mod entropy;
mod eviction;
mod input;
#[cfg(feature = "arbitrary")]
mod invariants;
mod output;
mod path_validation;
mod peers;
mod quotas;
mod replies;
mod stateless_reset;
mod stats;
mod types;

pub use crate::Address;
#[cfg(feature = "alloc")]
pub use crate::tables::HeapTables;
pub use crate::tables::{FixedTables, List, PeerId, TableMemory};
pub use application::AcceptError;
pub use backlog::Incoming;
pub use config::{Busy, ListenerConfig, Retry};
pub use entropy::ListenerEntropy;
pub use output::{PeerBody, PeerGather};
pub use stats::{Dispatch, DropCounts, DropReason, ListenerStats};
#[cfg(feature = "alloc")]
pub use types::HeapPeers;
pub use types::{FixedPeers, ListenerTypes, PeerTypes};

use crate::Instant;
use crate::connection::Connection;
use backlog::Backlog;
use cookie::Cookies;
use core::fmt;
use peers::Peers;
use quotas::Entries;
use replies::Replies;
use stateless_reset::StatelessResets;

/// The server side of one socket: a backlog of handshakes, and the accepted connections.
pub struct Listener<T: ListenerTypes> {
    config: ListenerConfig,
    now: Instant,
    peers: Peers<T::Address, Connection<T::Storage>, T::Tables>,
    backlog: Backlog<T::Address, T::Tables>,
    /// The ticket of the next handshake. A lower ticket means an older handshake.
    ticket: u64,
    cookies: Cookies,
    replies: Replies<T::Address, T::Tables>,
    /// The key of the nonces in challenges.
    nonce_secret: [u8; 16],
    /// The number of nonces made so far.
    nonces: u64,
    resets: Option<StatelessResets>,
    /// The RESET code for all clients, after [`stop_accepting`](Self::stop_accepting); `None` before.
    stopped: Option<u8>,
    stats: ListenerStats,
}

impl<T: ListenerTypes> Listener<T> {
    /// Creates a listener without peers. `entropy`: an array of 48 random bytes.
    #[must_use]
    pub fn new(now: Instant, config: ListenerConfig, entropy: impl Into<ListenerEntropy>) -> Self {
        let ListenerEntropy { hash_key, cookie_key, nonce_secret } = entropy.into();
        Self {
            config,
            now,
            peers: Peers::new(hash_key),
            backlog: Backlog::new(hash_key),
            ticket: 0,
            cookies: Cookies::new(cookie_key),
            replies: Replies::new(&config),
            nonce_secret,
            nonces: 0,
            resets: None,
            stopped: None,
            stats: ListenerStats::default(),
        }
    }

    /// The configuration of the listener.
    #[must_use]
    pub fn config(&self) -> &ListenerConfig {
        &self.config
    }

    /// The counters since the start of the listener.
    #[must_use]
    pub fn stats(&self) -> &ListenerStats {
        &self.stats
    }

    /// The number of connections, including lingering ones and addresses in quarantine.
    #[must_use]
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there is no connection and no pending handshake.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.backlog_len() == 0
    }

    /// The number of pending handshakes.
    #[must_use]
    pub fn backlog_len(&self) -> usize {
        self.backlog.len()
    }

    /// Makes cookies with `key` from now on. The key must be unpredictable.
    ///
    /// Cookies of the previous key stay valid until they are 15 s old, or until the key changes again. A long-running
    /// server may change the key every hour or every day.
    pub fn rotate_cookie_key(&mut self, key: [u8; 16]) {
        self.cookies.rotate(key);
    }

    /// Answers datagrams of unknown connections by [stateless resets](crate::wire#stateless-reset), from now on.
    ///
    /// So the client of a server that has restarted, or has ended the connection, knows in a round trip: its connection
    /// ends as [`StatelessReset`](crate::connection::CloseReason::StatelessReset). Connections accepted earlier get no
    /// resets. By default there are none: a client then waits for its idle limit.
    ///
    /// Use the same key after a restart, and keep it secret: a client accepts only resets under the key that its
    /// connection was accepted with. An attacker that knows the key and a tag can end the connection. Listeners that
    /// share a port (`SO_REUSEPORT`) need different keys: a client whose address changes may reach a listener that does
    /// not know it.
    ///
    /// At most 100 resets are sent in a second. A reset has 10 bytes and answers only longer datagrams.
    pub fn set_reset_key(&mut self, key: [u8; 16]) {
        self.resets = Some(StatelessResets::new(key));
    }

    /// The number of open handshakes with unvalidated addresses.
    fn half_open(&self) -> usize {
        self.backlog.half_open() + self.peers.half_open()
    }

    /// The number of connections and handshakes of this host.
    fn of_host(&self, host: <T::Address as Address>::Host) -> Entries {
        self.peers.of_host(host).and(self.backlog.of_host(host))
    }

    /// Whether this host may have one more entry with a validated address.
    fn has_room_for_validated(&self, host: <T::Address as Address>::Host) -> bool {
        (self.of_host(host).validated as usize) < self.config.per_host
    }

    /// The number of connections and handshakes at this address.
    fn count_at(&self, address: T::Address) -> usize {
        self.peers.count_at(address) + self.backlog.count_at(address)
    }

    /// Whether this address may have one more connection or handshake.
    fn has_room_at(&self, address: T::Address) -> bool {
        self.count_at(address) < self.config.per_address
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}

impl<T: ListenerTypes> Clone for Listener<T>
where
    Connection<T::Storage>: Clone,
{
    fn clone(&self) -> Self {
        Self {
            peers: self.peers.clone(),
            backlog: self.backlog.clone(),
            cookies: self.cookies.clone(),
            replies: self.replies.clone(),
            resets: self.resets.clone(),
            ..*self
        }
    }
}

/// Shows only counts, since there may be many connections.
impl<T: ListenerTypes> fmt::Debug for Listener<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Listener");
        shown.field("peers", &self.peers.len()).field("backlog", &self.backlog.len()).field("stats", &self.stats);
        shown.finish_non_exhaustive()
    }
}
