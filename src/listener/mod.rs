//! Many peers on one socket: routing by address and by tag, a backlog of those who want to connect, limits that hold against
//! strangers.
//!
//! ```text
//!  CONNECT                        accept                  release, and drained
//! ---------> (limits) -> BACKLOG ---------> a Connection ----------------------> gone; base mode: QUARANTINED for a linger
//!                |          | refuse: RESET       | a newer one of its address is confirmed
//!                | RETRY    | ignore, too long    v
//!                v          v                 Closed(Superseded)
//!          (nothing is kept)
//! ```
//!
//! A datagram of extended mode begins with the tag of its connection, and goes there whatever address it comes from; one of
//! base mode belongs to the connection of its address. From anybody else only CONNECT means anything. The type of an address
//! is the caller's: see [`Address`].
//!
//! # What it costs
//!
//! A datagram, a timeout and a datagram to be sent cost the same with ten connections as with a hundred thousand, but for the
//! processor's caches and a heap of deadlines, which is O(log n); connections that nothing happens to cost nothing. They take
//! turns in sending and in telling events, so none can starve another. Somebody who waits in the [backlog](Incoming) costs
//! some hundred bytes and no connection; somebody who was answered with RETRY costs nothing at all.
//!
//! The tables are of one kind of [`Memory`]: [`Fixed`] within the listener, without an allocator, or [`Growable`] on the heap
//! up to the [limits](ListenerConfig).
//!
//! # Strangers
//!
//! In extended mode, which is all that is allowed by default:
//!
//! - No more bytes go to an address than came from it, until somebody has shown to receive there: by a cookie, or by the first
//!   INFO, which nobody can send who has not seen the CONNACK.
//! - Once half of the backlog is held by addresses that are not proven, further clients are answered with RETRY, and prove
//!   theirs first ([`Retry`]). Nothing is kept of them. So forged CONNECTs, however many, keep nobody out.
//! - Who does not see the datagrams of a connection has 64 bits of its tag to guess before anything that he sends is heard.
//! - A client that restarts at its address opens a new connection beside the old one, which ends
//!   ([`Superseded`](crate::connection::Reason::Superseded)) only once the new one is confirmed. So nobody ends a connection
//!   by forging a CONNECT.
//! - A peer whose address changes (a phone that leaves its wireless network, a NAT that forgets) keeps its connection once it
//!   has answered a PROBE at the new address, provided that the old one does not answer its own: both are asked, unless the
//!   new one has as many connections as [it](ListenerConfig::per_address) or [its host](ListenerConfig::per_host) may. What is
//!   sent goes to the old one meanwhile. It is noticed when the peer sends something; one that may only listen for long should
//!   have [`keep_alive`](crate::connection::Config::keep_alive) on.
//!
//! Base mode protects against nobody: it cannot prove an address. Where it is allowed, whoever forges source addresses opens
//! connections, injects data into them, ends them, and makes the listener send to a victim more than he sent himself; a
//! restarted client is not heard until its old connection has ended; a changed address is a stranger. It never supersedes or
//! closes a connection of extended mode.
//!
//! # Example
//!
//! A server that sends back what it gets, for any link; `examples/echo.rs` puts it on a UDP socket:
//!
//! ```
//! use rdt_proto::Instant;
//! use rdt_proto::connection::{Config, Connection, Event, Storage};
//! use rdt_proto::listener::{Fixed, Listener, ListenerConfig};
//! use rdt_proto::store::{RecvSlots, SendSlots, StoreError, slot_bytes};
//! use std::error::Error;
//!
//! type Memory = [u8; slot_bytes(1_200)];
//! type Bodies = Storage<SendSlots<Memory>, RecvSlots<Memory>>;
//! type Address = u16; // whatever it takes to answer
//! type Server = Listener<Address, SendSlots<Memory>, RecvSlots<Memory>, Fixed<4>>;
//!
//! fn bodies() -> Result<Bodies, StoreError> {
//!     let memory = || [0; slot_bytes(1_200)];
//!     Ok(Storage::stop_and_wait(SendSlots::new(memory(), 1_200)?, RecvSlots::new(memory(), 1_200)?))
//! }
//!
//! /// To be called after each datagram and each timeout, before `poll_transmit`; and again where that has made room, by the last
//! /// word of somebody: `has_incoming` tells.
//! fn serve(now: Instant, server: &mut Server) -> Result<(), Box<dyn Error>> {
//!     while let Some(incoming) = server.poll_incoming() {
//!         let bodies = bodies()?;
//!         let entropy = [7; 32]; // from the system's generator, in earnest
//!         if server.accept(now, incoming, entropy, || bodies).is_err() {
//!             break; // no room, as an exception: otherwise nobody is told of meanwhile
//!         }
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
//! let mut server = Server::new(now, ListenerConfig::default(), [7; 48]); // the entropy too
//! let mut client = Connection::connect(now, Config::default(), [7; 32], bodies()?);
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

mod admission;
mod application;
mod backlog;
mod config;
mod cookie;
mod examine;
#[cfg(feature = "arbitrary")]
#[doc(hidden)]
pub mod fuzzing;
mod hosts;
mod input;
mod output;
mod path;
mod peers;
mod replies;
mod stats;

pub use crate::Address;
#[cfg(feature = "alloc")]
pub use crate::tables::Growable;
pub use crate::tables::{Fixed, List, Memory, PeerId};
pub use application::AcceptError;
pub use backlog::Incoming;
pub use config::{LISTENER_ENTROPY_BYTES, ListenerConfig, Retry};
pub use stats::{ListenerStats, Routed, Unrouted};

use crate::Instant;
use crate::arq::{Arq, StopAndWait};
use crate::connection::Connection;
use crate::store::{RecvStore, SendStore};
use crate::tables::{HashKey, Slab};
use backlog::Backlog;
use cookie::Cookies;
use core::fmt;
use hosts::Entries;
use path::Path;
use peers::Peers;
use replies::Replies;

/// The server side of one socket: addresses `A`, connections with stores `S` and `R` and mechanism `Q`, and tables in memory
/// of kind `M`.
pub struct Listener<A: Address, S, R, M: Memory, Q = StopAndWait> {
    config: ListenerConfig,
    now: Instant,
    key: HashKey,
    peers: Peers<A, Connection<S, R, Q>, M>,
    backlog: Backlog<A, M>,
    /// How many of the accepted have not proven their address.
    half_open: usize,
    /// The ticket of the next handshake.
    ticket: u64,
    cookies: Cookies,
    replies: Replies<A>,
    paths: Slab<Path<A>, M>,
    /// Behind the nonces that examine an address, and how many there were.
    secret: [u8; 16],
    nonces: u64,
    /// Nobody is accepted any more, but refused with this code.
    stopped: Option<u8>,
    stats: ListenerStats,
}

impl<A: Address, S: SendStore, R: RecvStore, M: Memory, Q: Arq> Listener<A, S, R, M, Q> {
    /// A listener without peers. See [`LISTENER_ENTROPY_BYTES`] for `entropy`.
    #[must_use]
    pub fn new(now: Instant, config: ListenerConfig, entropy: [u8; LISTENER_ENTROPY_BYTES]) -> Self {
        let part = |at: usize| entropy.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        let key = HashKey(part(0));
        Self {
            config,
            now,
            key,
            peers: Peers::new(key),
            backlog: Backlog::new(key),
            half_open: 0,
            ticket: 0,
            cookies: Cookies::new(part(16)),
            replies: Replies::new(),
            paths: Slab::new(),
            secret: part(32),
            nonces: 0,
            stopped: None,
            stats: ListenerStats::default(),
        }
    }

    /// What it was made with.
    #[must_use]
    pub fn config(&self) -> &ListenerConfig {
        &self.config
    }

    /// What it counted.
    #[must_use]
    pub fn stats(&self) -> &ListenerStats {
        &self.stats
    }

    /// How many connections there are, those that linger and addresses that rest included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there are none, and nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.backlog_len() == 0
    }

    /// How many wait to be accepted.
    #[must_use]
    pub fn backlog_len(&self) -> usize {
        self.backlog.len()
    }

    /// Makes cookies with `key` from now on, which a stranger cannot guess. Those made with the last one stay valid until
    /// they are 15 s old, or the key changes again. A server that runs for long may do so every hour or every day.
    pub fn rotate_cookie_key(&mut self, key: [u8; 16]) {
        self.cookies.rotate(key);
    }

    /// How many handshakes are open with addresses that are not proven.
    fn unproven(&self) -> usize {
        self.backlog.unproven() + self.half_open
    }

    /// How many entries this host has, connections and handshakes.
    fn of_host(&self, host: A::Host) -> Entries {
        self.peers.of_host(host).and(self.backlog.of_host(host))
    }

    /// Whether one more entry of this host may be of an address that is proven.
    fn has_room_for_proven(&self, host: A::Host) -> bool {
        (self.of_host(host).proven as usize) < self.config.per_host
    }

    /// Whether one more entry may be of this address.
    fn has_room_at(&self, address: A) -> bool {
        self.peers.count(address) + self.backlog.count(address) < self.config.per_address
    }

    /// The handshake is over, in one way or another: it does not hold the backlog any more.
    fn on_handshake_over(&mut self, index: u32) {
        if let Some(peer) = self.peers.peer_mut(index).filter(|peer| peer.half_open) {
            peer.half_open = false;
            self.half_open -= 1;
        }
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}

impl<A: Address, S: Clone, R: Clone, M: Memory, Q: Clone> Clone for Listener<A, S, R, M, Q> {
    fn clone(&self) -> Self {
        Self {
            peers: self.peers.duplicate(),
            backlog: self.backlog.duplicate(),
            cookies: self.cookies.clone(),
            replies: self.replies.clone(),
            paths: self.paths.duplicate(),
            ..*self
        }
    }
}

/// The counts: what it holds may be much.
impl<A: Address, S, R, M: Memory, Q> fmt::Debug for Listener<A, S, R, M, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Listener");
        shown.field("peers", &self.peers.len()).field("backlog", &self.backlog.len()).field("stats", &self.stats);
        shown.finish_non_exhaustive()
    }
}
