//! One connection: handshake, data in both directions, close. It knows no address.
//!
#![doc = include_str!("guide.md")]

mod application;
mod batch;
mod close;
mod closing;
mod config;
mod data;
mod datagram_size;
mod entropy;
mod event;
mod gather;
mod handshake;
#[cfg(feature = "alloc")]
mod heap_budget;
#[cfg(feature = "alloc")]
mod heap_window;
mod idle;
mod input;
mod least_progress;
mod limits;
mod moved;
mod negotiation;
mod numbers;
mod observer;
mod output;
mod path_size;
mod path_snapshot;
#[cfg(feature = "alloc")]
mod pooled_storage;
mod probe;
mod progress;
mod rebase;
mod routing;
mod state;
mod stats;
mod storage;
#[cfg(feature = "alloc")]
mod swap;
mod timers;
mod trace;
mod windows;

pub use config::{Config, Method, Peer};
pub use entropy::Entropy;
pub use event::{CloseReason, Event, Handled, Ignored, SendError};
pub use gather::Gather;
#[cfg(feature = "alloc")]
pub use heap_budget::HeapBudget;
#[cfg(feature = "alloc")]
pub use heap_window::HeapWindow;
pub use least_progress::ProgressLimits;
pub use negotiation::{HandshakeParameters, Mode};
pub(crate) use routing::{Changes, Turn, accepted_tag};
pub use stats::{IgnoredCounts, Stats};

pub use crate::event::{Role, Transmit};
pub use crate::timing::Timer;

use crate::arq::Arq;
use crate::event::Events;
use crate::store::{RecvStore, SendStore, StoreError};
use crate::timing::{Jitter, Limit, Rtt, rto_ceiling};
use crate::uncompared::Uncompared;
use crate::wire::{AckRequest, VERSION};
use crate::{Instant, Seq};
use handshake::Handshake;
use idle::IdleTimer;
use limits::Limits;
use negotiation::Negotiation;
pub use observer::{Observer, TraceEvent};
pub use path_snapshot::{ConnectionState, PathSnapshot};
use probe::Nonces;
use state::State;
pub use storage::{ConnectionTypes, LentStopAndWait, LentStorage, Memory, Observed, Storage, blocks_for};
#[cfg(feature = "alloc")]
pub use storage::{GrowingStorage, HeapStopAndWait, HeapStorage};
pub use windows::MemoryUse;

/// A reliable, ordered byte stream in each direction.
///
/// The datagrams that carry it may be lost, repeated or reordered. The [module documentation](self) describes the
/// states, the packets and the limits. No call allocates memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Connection<T: ConnectionTypes> {
    role: Role,
    peer: Peer,
    limits: Limits,
    /// The latest time that was passed to a call.
    now: Instant,
    rtt: Rtt,
    idle: IdleTimer,
    negotiation: Negotiation,
    nonces: Nonces,
    /// The counter of the next datagram in extended mode. It never repeats.
    counter: u64,
    state: State,
    /// The largest body to send that the config, the peer and the path allow.
    segment: u16,
    events: Events,
    lent: Lent,
    stats: Uncompared<Stats>,
    send: T::Send,
    recv: T::Recv,
    arq: T::Arq,
    observer: T::Observer,
}

/// The memory of the send store that `send_slot` has lent: the application may fill and commit it.
///
/// An `Option` of a struct would take 12 bytes instead of 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
enum Lent {
    #[default]
    Nothing,
    Spare {
        /// The number of the packet whose body the memory belongs to.
        number: Seq,
        /// The length of the memory in bytes.
        len: u16,
    },
}

impl<T: ConnectionTypes> Connection<T> {
    /// Opens a connection as a client.
    ///
    /// `entropy`: an array of 32 random bytes. CONNECT is due at once. Data that is [sent](Self::send) before CONNACK
    /// arrives waits in the send store.
    ///
    /// # Errors
    ///
    /// - [`StoreError::Used`]: the storage served another connection. Make new storage from its memory.
    /// - [`StoreError::SegmentTooSmall`]: the mode needs a receive store with larger bodies.
    /// - [`StoreError::SegmentTooLarge`]: the send store holds bodies larger than [`Config::segment`] and cannot cut
    ///   them.
    pub fn connect(now: Instant, config: Config, entropy: impl Into<Entropy>, storage: T) -> Result<Self, StoreError> {
        let entropy = entropy.into();
        let negotiation = Negotiation::client(config.framing, config.mode, entropy.tag());
        let mut connection = Self::new(now, Role::Client, config, &entropy, negotiation, None, storage);
        if config.peer.wants_empty_info_0() {
            connection.start_empty_info();
        }
        connection.check_stores(&config)?;
        Ok(connection)
    }

    /// Accepts a connection as a server.
    ///
    /// `parameters` come from the CONNECT that has arrived. CONNACK is due at once. The connection is established once
    /// the client's INFO 0 arrives. Data that is [sent](Self::send) before then waits in the send store.
    ///
    /// The connection uses extended mode if the CONNECT offers it and `config` allows it. Otherwise the connection uses
    /// base mode, even if `config` does not allow base mode. Call [`Config::accepts`] first to exclude this case.
    ///
    /// If the CONNECT offers another [version](crate::wire::VERSION) of extended mode, the connection ends at once. Its
    /// only packet tells the client our version.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect). In extended mode the bodies of the send store must also fit the peer's limit.
    pub fn accept(
        now: Instant,
        config: Config,
        entropy: impl Into<Entropy>,
        parameters: HandshakeParameters,
        storage: T,
    ) -> Result<Self, StoreError> {
        let entropy = entropy.into();
        let negotiation = Negotiation::server(config.framing, config.mode, entropy.tag(), &parameters);
        let answers = negotiation.tag().map(|_| parameters);
        let mut connection = Self::new(now, Role::Server, config, &entropy, negotiation, answers, storage);
        if connection.negotiation.is_extended() {
            connection.on_parameters(&parameters);
        }
        connection.check_stores(&config)?;
        if connection.negotiation.is_extended() && !parameters.is_our_version() {
            connection.refuse_version(parameters.version);
        }
        Ok(connection)
    }

    /// Checks that the storage is unused and that its stores fit the mode and the segment.
    fn check_stores(&mut self, config: &Config) -> Result<(), StoreError> {
        if self.arq.is_used() {
            return Err(StoreError::Used);
        }
        if self.negotiation.tag().is_some() {
            config.check_recv_segment(self.recv.segment())?;
        }
        let limit = usize::from(self.segment);
        if self.cut_to_segment() {
            Ok(())
        } else {
            Err(StoreError::SegmentTooLarge { limit, available: self.send.segment() })
        }
    }

    fn new(
        now: Instant,
        role: Role,
        config: Config,
        entropy: &Entropy,
        negotiation: Negotiation,
        answers: Option<HandshakeParameters>,
        storage: T,
    ) -> Self {
        let (send, recv, arq, observer) = storage.into_parts();
        let mut rtt = Rtt::new(rto_ceiling(config.idle_limit), Jitter::new(entropy.jitter_seed()));
        rtt.repeat_early(negotiation.tag().is_some());
        Self {
            role,
            peer: config.peer,
            limits: Limits::new(&config),
            now,
            rtt,
            idle: IdleTimer::new(now),
            negotiation,
            nonces: Nonces::new(entropy.nonce_secret()),
            counter: 0,
            state: State::Opening(Handshake::new(now, config.handshake_limit, answers.as_ref())),
            segment: u16::try_from(config.max_body_len()).unwrap_or(u16::MAX),
            events: Events::empty(),
            lent: Lent::Nothing,
            stats: Uncompared::default(),
            send,
            recv,
            arq,
            observer,
        }
    }

    /// The role of this side: the client opened the connection, the server accepted it.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether the handshake is complete and the connection has not ended.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.state.is_established()
    }

    /// Why the connection ended; `None` before its end.
    ///
    /// Received data stays readable after the end. The connection may still have to [linger](Self::is_drained).
    #[must_use]
    pub fn ended(&self) -> Option<CloseReason> {
        self.state.ended().map(|ended| ended.reason)
    }

    /// Whether the connection has ended and has nothing left to send.
    ///
    /// Once the application has also read everything, the connection may be dropped, or the memory of its
    /// [storage](Self::into_storage) reused. The address should stay unused until
    /// [`quarantine_end`](Self::quarantine_end).
    ///
    /// Poll events once more after this becomes true. A limit ends and drains a connection at once, so
    /// [`Event::Closed`] may still be pending.
    ///
    /// The [linger](Config::linger) starts at the peer's last FIN and lasts at least 1 s by default, 5 s with
    /// [`Config::rostov`]. Each repeated FIN restarts it. Before the end, this side repeats an unanswered last FIN for
    /// up to four lingers. The linger serves only the peer: a program that knows its own result need not wait until the
    /// connection is drained. It calls [`leave`](Self::leave), or drops the connection after three lingers at the
    /// latest.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.state.ended().is_some_and(|ended| ended.linger.is_none()) && self.next_output().is_none()
    }

    /// When the address may be used for another connection; `None` before the end.
    ///
    /// Late packets of this connection may arrive until then, even after it [is drained](Self::is_drained). A
    /// [`Listener`](crate::listener::Listener) enforces this quarantine in base mode. A client that uses a new port for
    /// each connection may ignore it.
    #[must_use]
    pub fn quarantine_end(&self) -> Option<Instant> {
        self.state.ended().map(|ended| ended.at + self.linger())
    }

    /// Returns the storage, whose memory can serve another connection.
    ///
    /// Unsent and unread data is lost, and the peer is not informed. Call this once the connection [is
    /// drained](Self::is_drained). [`Storage::into_memory`] returns the memory. [`connect`](Self::connect) and
    /// [`accept`](Self::accept) refuse used storage: make new storage from its memory.
    #[must_use]
    pub fn into_storage(self) -> T {
        T::from_parts(self.send, self.recv, self.arq, self.observer)
    }

    /// The counters since the start, or since the last [`take_stats`](Self::take_stats).
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Returns the counters and resets them to zero.
    pub fn take_stats(&mut self) -> Stats {
        core::mem::take(&mut *self.stats)
    }

    /// The round-trip time estimate (RFC 6298).
    #[must_use]
    pub fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// Returns the next pending event, or `None`.
    ///
    /// An event that occurs again while it is pending is returned once. Pending events come in the order of the
    /// variants of [`Event`], not in the order of their occurrence. Events are hints: reading and writing may be tried
    /// at any time.
    pub fn poll_event(&mut self) -> Option<Event> {
        Event::new(self.events.take_first()?, self.ended())
    }

    /// Whether both sides have agreed on extended mode; false at a client before CONNACK.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        self.negotiation.is_extended()
    }

    /// Applies the parameters that the peer announced in extended mode.
    fn on_parameters(&mut self, parameters: &HandshakeParameters) {
        if parameters.segment < self.segment {
            self.segment = parameters.segment;
            // The lent memory may be larger than the peer's limit.
            self.lent = Lent::Nothing;
        }
        self.arq.start_extended(Seq::new(parameters.window), &mut self.rtt);
        if let Some(limit) = parameters.idle_limit {
            self.limits.idle = self.limits.idle.min(Limit::new(limit));
            self.rtt.lower_ceiling(rto_ceiling(self.limits.idle.get()));
        }
        self.rtt.set_ack_delay(AckRequest::DEFAULT.delay());
    }

    /// The parameters that this side announces.
    fn parameters(&self) -> HandshakeParameters {
        let window = self.recv.limit().distance_from(self.arq.next()).min(self.arq.places());
        HandshakeParameters {
            version: VERSION,
            tag: self.negotiation.tag(),
            segment: u16::try_from(self.recv.segment()).unwrap_or(u16::MAX),
            window,
            idle_limit: Some(self.limits.idle.get()),
            attempt: self.state.handshake().map_or(0, |handshake| handshake.attempt(self.role)),
            reset_token: self.state.handshake().and_then(|handshake| handshake.reset_token(self.role)),
            datagram_len: 0,
        }
    }

    /// Advances the connection's time, which never goes back: an earlier `now` is ignored.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Whether some written data is not yet acknowledged.
    fn has_unacknowledged(&self) -> bool {
        self.arq.base() != self.send.end()
    }

    /// Writes an INFO 0 without data, which confirms the connection before the application writes.
    fn start_empty_info(&mut self) {
        self.lent = Lent::Nothing;
        self.send.start();
        self.send.seal();
    }

    /// Updates the close, the idle timer and the probe after a change.
    fn settle(&mut self) {
        let unacknowledged = self.has_unacknowledged();
        let State::Established { close, probe, .. } = &mut self.state else { return };
        if !unacknowledged {
            close.on_all_acknowledged();
        }
        if close.is_finished() {
            let reason = if unacknowledged { CloseReason::PeerLeft } else { CloseReason::Finished };
            let close = *close;
            let linger = close.linger_end(self.linger());
            self.end(reason, close, linger);
            return;
        }
        if !close.is_outstanding() && !unacknowledged && !probe.is_outstanding() {
            self.idle.on_answered();
        }
        self.settle_probe();
    }
}
