//! One connection: handshake, data in both directions, close. Knows no address.
//!
//! ```text
//! client                                         server
//!   | --- CONNECT ---------------------------->    |    repeated until answered, at most for the handshake limit
//!   | <-- CONNACK -----------------------------    |
//!   | --- INFO 0 (may be empty) -------------->    |    confirms: only now the server delivers and sends data
//!   | <-- ACK 0 -------------------------------    |
//!   |                                              |
//!   | --- INFO n ----------------------------->    |    repeated by the retransmission timer (RFC 6298)
//!   | <-- ACK n -------------------------------    |    both directions alike, and at once
//!   |                                              |
//!   | --- FIN -------------------------------->    |    once all was acknowledged; ends one direction
//!   | <-- FINACK ------------------------------    |
//!   | <-- FIN ---------------------------------    |
//!   | --- FINACK ----------------------------->    |    and again for each repeated FIN, while lingering
//! ```
//!
//! | number of an INFO | the receiver |
//! |---|---|
//! | the next one | keeps, acknowledges and delivers it, if it has room; otherwise it does nothing and the sender repeats it |
//! | one ahead, within the window | keeps and acknowledges it, and delivers it later |
//! | an earlier one | acknowledges it again: when an acknowledgement is lost, the sender would repeat it for ever |
//! | any other | ignores it |
//!
//! An application opens a [`Connection`] with [`connect`](Connection::connect) or [`accept`](Connection::accept), drives it
//! as described in [the crate's documentation](crate), and writes and reads at any time. Each direction closes by itself: after
//! [`close`](Connection::close) what the peer still sends is received, and its application should close as well. The
//! [limits](Config) end what does not end by itself, and the one [`Event::Closed`] says [why](Reason). A closed connection
//! may have to stay a little, to answer a FIN that is repeated because its answer was lost: drive it until it
//! [is drained](Connection::is_drained).
//!
//! # Two modes
//!
//! In *extended mode*, the default, CONNECT and CONNACK carry options: a tag that everything sent to a side begins with, the
//! largest body and the window that it takes, its idle limit. SACK replaces ACK: it tells of many numbers at once, and of the
//! window, whose opening a PROBE asks for; RESET refuses and aborts. *Base mode* has an ACK for each INFO and nothing else. A
//! [`Mode`] says which of them an endpoint speaks.
//!
//! # What base mode does not do
//!
//! It has no secret and no window, and like extended mode no checksum.
//!
//! - The link must discard damaged datagrams, as UDP does by its checksum and a serial link by that of its frames.
//! - Anyone who can forge a source address can open a connection, inject data into one, end one, and make a server send
//!   to somebody else. Use it where that cannot happen, or does not matter.
//! - A receiver whose application does not read stays silent, and the sender cannot tell that from a peer that is gone: it
//!   ends by its idle limit.
//! - A client that restarts on the same port is not heard until its old connection has ended by a limit.
//! - What is on its way for longer than the [linger](Config::linger) may fall into the next connection of the same addresses.

mod application;
mod close;
mod config;
mod dialect;
mod event;
#[cfg(feature = "arbitrary")]
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod input;
mod numbers;
mod output;
mod probe;
mod rebase;
mod repeat;
mod routing;
mod stage;
mod stats;
mod timers;

pub(crate) use config::LONGEST_RTO;
pub use config::{Config, Method, Peer};
pub use dialect::{Hello, Mode};
pub(crate) use event::Events;
pub use event::{Event, Handled, Ignored, Reason, SendError, Transmit};
pub use handshake::Role;
pub(crate) use repeat::Repeat;
pub(crate) use routing::accepted_tag;
pub use stats::{IgnoredCounts, Stats};
pub(crate) use timers::after;

use crate::arq::{Arq, Jitter, MAX_ACK_DELAY, Rtt, StopAndWait};
use crate::store::{RecvStore, SendStore};
use crate::uncompared::Uncompared;
use crate::wire::{MIN_SEGMENT, Tag};
use crate::{Instant, Seq};
use close::Close;
use dialect::Dialect;
use handshake::Handshake;
use probe::Nonces;
use stage::{Ended, Stage};
use timers::{Limit, Limits, Silence};

/// How many bytes of entropy a connection takes. It has no randomness of its own: give it bytes that a stranger cannot
/// guess, different ones for each connection. Base mode only derives the jitter of its timers from them; in extended mode
/// they are what keeps strangers out.
pub const ENTROPY_BYTES: usize = 32;

/// What the caller lends to a connection: memory for bodies, and the mechanism that repeats them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Storage<S, R, A = StopAndWait> {
    /// What was written and is not yet acknowledged.
    pub send: S,
    /// What was received and is not yet read.
    pub recv: R,
    /// Numbers and timers of both directions.
    pub arq: A,
}

impl<S: SendStore, R: RecvStore> Storage<S, R> {
    /// Storage for stop-and-wait.
    pub fn stop_and_wait(send: S, recv: R) -> Self {
        Self { send, recv, arq: StopAndWait::new() }
    }
}

/// A reliable, ordered stream of bytes in both directions, over datagrams that may be lost, repeated or reordered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Connection<S, R, A = StopAndWait> {
    role: Role,
    peer: Peer,
    limits: Limits,
    /// The latest time that any call named.
    now: Instant,
    rtt: Rtt,
    silence: Silence,
    dialect: Dialect,
    nonces: Nonces,
    stage: Stage,
    /// The largest body that is sent, as far as the config and the peer decide.
    segment: u16,
    events: Events,
    /// The application wanted to write more than there was room for.
    blocked: bool,
    /// The memory that the application may fill in and commit.
    lent: Option<Lent>,
    stats: Uncompared<Stats>,
    storage: Storage<S, R, A>,
}

/// Room in the send store, lent to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Lent {
    /// The packet whose body it is part of.
    number: Seq,
    /// How many bytes.
    len: u16,
}

impl<S: SendStore, R: RecvStore, A: Arq> Connection<S, R, A> {
    /// Opens a connection as a client: CONNECT is due at once. What is [sent](Self::send) before the answer waits for it.
    pub fn connect(now: Instant, config: Config, entropy: [u8; ENTROPY_BYTES], storage: Storage<S, R, A>) -> Self {
        let dialect = Dialect::client(config.framing, config.mode, tag_of(&entropy));
        let mut connection = Self::new(now, Role::Client, config, entropy, dialect, storage);
        if config.peer.wants_empty_info_0() {
            connection.start_empty_info();
        }
        connection.check_stores();
        connection
    }

    /// Accepts a connection as a server, after a CONNECT that said `hello` has arrived: CONNACK is due at once. The connection
    /// is established once the client's INFO 0 has arrived; what is [sent](Self::send) before waits for it.
    ///
    /// It is in extended mode if the CONNECT asked for it and `config` allows it, in base mode otherwise.
    pub fn accept(
        now: Instant,
        config: Config,
        entropy: [u8; ENTROPY_BYTES],
        hello: Hello,
        storage: Storage<S, R, A>,
    ) -> Self {
        let dialect = Dialect::server(config.framing, config.mode, tag_of(&entropy), &hello);
        let mut connection = Self::new(now, Role::Server, config, entropy, dialect, storage);
        if connection.dialect.is_extended() {
            connection.on_hello(&hello);
        }
        connection.check_stores();
        connection
    }

    /// The stores that were lent must be such that the connection can do what it says.
    fn check_stores(&mut self) {
        if self.dialect.tag().is_some() && self.storage.recv.segment() < MIN_SEGMENT.into() {
            self.give_up(Reason::StoreTooSmall);
        } else if !self.written_fits() {
            self.give_up(Reason::SegmentTooLarge);
        }
    }

    fn new(
        now: Instant,
        role: Role,
        config: Config,
        entropy: [u8; ENTROPY_BYTES],
        dialect: Dialect,
        storage: Storage<S, R, A>,
    ) -> Self {
        let secret = entropy.last_chunk().copied().unwrap_or_default();
        let seed = entropy.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        Self {
            role,
            peer: config.peer,
            limits: Limits::new(&config),
            now,
            rtt: Rtt::new(config.rto_ceiling(), Jitter::new(seed)),
            silence: Silence::new(now),
            dialect,
            nonces: Nonces::new(secret),
            stage: Stage::Opening(Handshake::new(now, config.handshake_limit)),
            segment: u16::try_from(config.max_body_len()).unwrap_or(u16::MAX),
            events: Events::empty(),
            blocked: false,
            lent: None,
            stats: Uncompared::default(),
            storage,
        }
    }

    /// Who opened the connection.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether the handshake is complete, and the connection has not ended.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.stage.is_established()
    }

    /// Why it has ended, if it has. The connection may still have to [linger](Self::is_drained), and what was received may
    /// still be read.
    #[must_use]
    pub fn ended(&self) -> Option<Reason> {
        self.stage.ended().map(|ended| ended.reason)
    }

    /// Whether it has ended and nothing is left to be sent: the machine may be dropped, or its
    /// [storage](Self::into_storage) reused, once everything was read. The address should rest a little longer, until
    /// [`quarantine_end`](Self::quarantine_end).
    ///
    /// Poll events once more after it has turned true: the one [`Event::Closed`] may come in the same moment, since a limit
    /// ends and drains a connection at once.
    ///
    /// From the end it takes a [linger](Config::linger) (1 s by default; 5 s with [`Config::rostov`]), and as long again
    /// after each repeated FIN. But a FIN of ours that nobody answers is repeated before the end, for up to 30 s by default.
    /// All that is a courtesy to the peer, which may wait for an answer: a program that knows its outcome may drop the
    /// machine earlier, and should bound its waiting, by some three lingers.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.stage.ended().is_some_and(|ended| ended.linger.is_none()) && self.next_output().is_none()
    }

    /// Until when the address should not be used for another connection: late packets of this one may still arrive. That
    /// may be later than [`is_drained`](Self::is_drained): nothing is sent then, but what the peer sent may still be on its
    /// way. A [`Listener`](crate::listener::Listener) keeps to it; a client that takes a new port each time needs not. `None`
    /// while it has not ended.
    #[must_use]
    pub fn quarantine_end(&self) -> Option<Instant> {
        self.stage.ended().map(|ended| ended.at + self.linger())
    }

    /// The storage that it was made with, to be used for another connection: see
    /// [`SendSlots::into_memory`](crate::store::SendSlots::into_memory). What was not sent or read is lost, and nobody is
    /// told; so ask only once it [is drained](Self::is_drained).
    #[must_use]
    pub fn into_storage(self) -> Storage<S, R, A> {
        self.storage
    }

    /// Counters since the start, or since they were last [taken](Self::take_stats).
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The counters, which start again at zero.
    pub fn take_stats(&mut self) -> Stats {
        core::mem::take(&mut *self.stats)
    }

    /// The estimate of the round-trip time.
    #[must_use]
    pub fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// What to tell the application next; `None` when there is nothing new. Each kind is told once however often it
    /// happened, and they come in the order in which [`Event`] lists them, not in that in which they happened.
    ///
    /// Events are hints: calls that read or write may be tried at any time.
    pub fn poll_event(&mut self) -> Option<Event> {
        let reason = self.ended();
        self.events.take_first(reason)
    }

    /// Whether both sides have agreed on extended mode.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        self.dialect.is_extended()
    }

    /// What the peer said of itself in extended mode.
    fn on_hello(&mut self, hello: &Hello) {
        if hello.segment < self.segment {
            self.segment = hello.segment;
            // What was lent may be more than the peer takes.
            self.lent = None;
        }
        self.storage.arq.start_extended(Seq::new(hello.window));
        if let Some(limit) = hello.idle_limit {
            self.limits.idle = self.limits.idle.min(Limit::new(limit));
        }
        self.rtt.set_ack_delay(MAX_ACK_DELAY);
    }

    /// What this side says of itself.
    fn hello(&self) -> Hello {
        let window = self.storage.recv.limit().distance_from(self.storage.arq.next()).min(self.storage.arq.places());
        Hello {
            tag: self.dialect.tag(),
            segment: u16::try_from(self.storage.recv.segment()).unwrap_or(u16::MAX),
            window,
            idle_limit: Some(self.limits.idle.get()),
        }
    }

    /// Time never goes back (a clock that does is held still).
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Whether something that was written is not yet acknowledged.
    fn has_unacknowledged(&self) -> bool {
        self.storage.arq.base() != self.storage.send.end()
    }

    /// INFO 0 without data, which confirms the connection where the application has nothing to send yet.
    fn start_empty_info(&mut self) {
        self.lent = None;
        self.storage.send.start();
        self.storage.send.seal();
    }

    /// After every change: what follows for the close.
    fn settle(&mut self) {
        let unacknowledged = self.has_unacknowledged();
        let Stage::Established { close, probe } = &mut self.stage else { return };
        if !unacknowledged {
            close.on_all_acknowledged();
        }
        if close.is_finished() {
            let reason = if unacknowledged { Reason::PeerLeft } else { Reason::Finished };
            let close = close.clone();
            let linger = close.linger_end(self.linger());
            self.end(reason, close, linger);
            return;
        }
        if !close.is_outstanding() && !unacknowledged && !probe.is_outstanding() {
            self.silence.on_answered();
        }
        self.settle_probe();
    }

    /// The end without the peer: nothing is repeated, and nothing it sends is answered.
    fn give_up(&mut self, reason: Reason) {
        self.end(reason, Close::new(self.peer, true), None);
    }

    /// The end. What was received may still be read; `close` has the last word to the peer, until `linger` at the least.
    fn end(&mut self, reason: Reason, close: Close, linger: Option<Instant>) {
        let linger = linger.filter(|&end| end > self.now);
        let was_established = self.stage.is_established();
        let ended = Ended { reason, at: self.now, linger, reset: None, was_established };
        self.stage = Stage::Ended { ended, close };
        self.events.insert(Events::CLOSED);
        self.events.remove(Events::WRITABLE);
        self.blocked = false;
    }
}

/// The part of the entropy that the tag takes; jitter takes what is before it, probes take what is after it.
fn tag_of(entropy: &[u8; ENTROPY_BYTES]) -> Tag {
    let bytes = entropy.get(8..).and_then(|rest| rest.first_chunk());
    Tag::new(bytes.copied().unwrap_or_default())
}
