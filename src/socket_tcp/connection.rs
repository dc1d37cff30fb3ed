//! One connection: what it holds, how it begins and how it ends.

use super::config::{SocketConfig, SocketPeer, Timeouts};
use super::event::{SocketCloseReason, SocketEvent, SocketIgnored, SocketStats};
use super::message::{Incoming, Outgoing};
use super::segment::{Kind, MAX_BODY, MAX_NUMBER, Segment};
use crate::event::{Events, Role};
use crate::timing::{Jitter, RetransmitTimer, Rtt, expiry, longest_opening_interval, rto_ceiling};
use crate::{Duration, Instant};
use bitflags::bitflags;

/// How many bytes of entropy a connection takes: the first number of a client and the jitter of timers are derived from
/// them. They keep nobody out: the protocol has no secret.
pub const SOCKET_ENTROPY_BYTES: usize = 16;

/// How often FIN, or the answer to it, is sent before the connection counts as closed.
pub(super) const CLOSE_TRIES: u8 = 3;

/// However fast the path is, three tries must outlast a peer whose process waits for its turn.
const LEAST_CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// One more than the largest number that a client begins with.
const INITIAL_NUMBERS: u64 = 101;

/// One side of a connection: messages in both directions, one after another, over datagrams that may be lost, repeated
/// or reordered.
///
/// `A` is an address. `SEND` bytes of a message may wait to be acknowledged, `RECV` bytes to be read; each must be at
/// least [`MAX_BODY`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SocketConnection<A, const SEND: usize = 512, const RECV: usize = 512> {
    pub(super) role: Role,
    pub(super) config: SocketConfig,
    /// The latest time that any call named.
    pub(super) now: Instant,
    pub(super) rtt: Rtt,
    /// Where SYN went, and the ACK of its answer goes; everything else goes to the peer.
    pub(super) called: A,
    pub(super) peer: A,
    /// The first number: that of the SYN.
    pub(super) initial: u64,
    /// The one counter: what is sent next, or is outstanding, has this number, and what is received next as well.
    pub(super) number: u64,
    pub(super) stage: Stage,
    /// What is repeated until it is answered: SYN, SYN+ACK, a segment of a message, FIN, FIN+ACK.
    pub(super) repeat: RetransmitTimer,
    /// When that was sent for the first time.
    pub(super) sent_at: Instant,
    /// When the peer was last heard, or began to owe an answer, whichever is later.
    pub(super) silent_since: Instant,
    /// When opening takes too long.
    pub(super) handshake_end: Option<Instant>,
    /// A client has not seen yet that its ACK of SYN+ACK has arrived.
    pub(super) unconfirmed: bool,
    /// The application has closed.
    pub(super) closes: bool,
    /// The application wanted to write more of a message than there was room for.
    pub(super) blocked: bool,
    pub(super) answers: Answers,
    pub(super) outgoing: Outgoing<SEND>,
    pub(super) incoming: Incoming<RECV>,
    pub(super) events: Events,
    pub(super) stats: SocketStats,
}

/// The states of RFC 9293 §3.3.2, as far as there are any here.
///
/// ```text
///           client                                server
///         SYN-SENT                             SYN-RECEIVED
///             | SYN+ACK                             | ACK, or the first segment of a message, or FIN
///             v                                     v
///        ESTABLISHED <----------------------> ESTABLISHED
///             | close, and all is acknowledged      | FIN
///             v                                     v
///         FIN-WAIT                              LAST-ACK
///             | FIN+ACK, FIN, or three tries        | the last FIN, or three tries
///             v                                     v
///           ENDED                                 ENDED
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    SynSent,
    SynReceived,
    Established,
    /// FIN is sent until it is answered.
    FinWait,
    /// The peer's FIN is answered until it says that it knows.
    LastAck,
    /// Why. This many segments still say to the peer that its answer has arrived.
    Ended {
        reason: SocketCloseReason,
        farewells: u8,
    },
}

bitflags! {
    /// What is to be sent once, and not by a timer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(super) struct Answers: u8 {
        /// The ACK of SYN+ACK.
        const HANDSHAKE_ACK = 1;
        /// The ACK of a segment.
        const ACK = 1 << 1;
        /// FIN+ACK of a FIN that crossed ours.
        const FIN_ACK = 1 << 2;
        /// The one FIN of a connection that was aborted.
        const FIN = 1 << 3;
    }
}

impl<A: Copy + Eq, const SEND: usize, const RECV: usize> SocketConnection<A, SEND, RECV> {
    /// Opens a connection to `server` as a client: SYN is due at once. What is [sent](Self::send) before the answer
    /// waits for it.
    #[must_use]
    pub fn connect(now: Instant, config: SocketConfig, entropy: [u8; SOCKET_ENTROPY_BYTES], server: A) -> Self {
        let initial = u64_at(&entropy, 0) % INITIAL_NUMBERS;
        Self::new(now, Role::Client, config, &entropy, server, initial)
    }

    /// Accepts a connection as a server, after this SYN has arrived from `client`: SYN+ACK is due at once. It is
    /// established once the client shows that this has arrived. A [`SocketListener`](super::SocketListener) does this
    /// for many clients.
    ///
    /// # Errors
    ///
    /// If the segment is no SYN, or its number is so large that no other can follow.
    pub fn accept(
        now: Instant,
        config: SocketConfig,
        entropy: [u8; SOCKET_ENTROPY_BYTES],
        client: A,
        syn: &Segment<'_>,
    ) -> Result<Self, SocketIgnored> {
        match syn.kind {
            Kind::Syn if opens(syn.number) => Ok(Self::new(now, Role::Server, config, &entropy, client, syn.number)),
            Kind::Syn => Err(SocketIgnored::Number),
            Kind::SynAck | Kind::Ack | Kind::Data | Kind::Fin | Kind::FinAck => Err(SocketIgnored::Stage),
        }
    }

    fn new(
        now: Instant,
        role: Role,
        config: SocketConfig,
        entropy: &[u8; SOCKET_ENTROPY_BYTES],
        peer: A,
        initial: u64,
    ) -> Self {
        const { assert!(SEND >= MAX_BODY && RECV >= MAX_BODY, "there must be room for one body each way") };
        let mut repeat = RetransmitTimer::default();
        repeat.request();
        Self {
            role,
            config,
            now,
            rtt: Rtt::new(rto_ceiling(config.idle_limit), Jitter::new(u64_at(entropy, 8))),
            called: peer,
            peer,
            initial,
            number: initial,
            stage: if role == Role::Client { Stage::SynSent } else { Stage::SynReceived },
            repeat,
            sent_at: now,
            silent_since: now,
            handshake_end: expiry(now, config.handshake_limit),
            unconfirmed: role == Role::Client,
            closes: false,
            blocked: false,
            answers: Answers::empty(),
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            events: Events::empty(),
            stats: SocketStats::default(),
        }
    }

    /// Who opened the connection.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The peer's address: for a client that which was called until the answer has come, and then that which answered.
    #[must_use]
    pub fn peer(&self) -> A {
        self.peer
    }

    /// Whether the handshake is complete, and the connection has not ended.
    #[must_use]
    pub fn is_established(&self) -> bool {
        matches!(self.stage, Stage::Established | Stage::FinWait | Stage::LastAck)
    }

    /// Why it has ended, if it has. What was received may still be read.
    #[must_use]
    pub fn ended(&self) -> Option<SocketCloseReason> {
        match self.stage {
            Stage::Ended { reason, .. } => Some(reason),
            Stage::SynSent | Stage::SynReceived | Stage::Established | Stage::FinWait | Stage::LastAck => None,
        }
    }

    /// Whether it has ended and nothing is left to be sent: the machine may be dropped once everything was read. Poll
    /// events once more after it has turned true.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.ended().is_some() && self.next_output().is_none()
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> &SocketStats {
        &self.stats
    }

    /// The estimate of the round-trip time.
    #[must_use]
    pub fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// What to tell the application next; `None` when there is nothing new. Each kind is told once however often it
    /// happened, in the order in which [`SocketEvent`] lists them. Events are hints: calls that read or write may be
    /// tried at any time.
    pub fn poll_event(&mut self) -> Option<SocketEvent> {
        SocketEvent::new(self.events.take_first()?, self.ended())
    }

    /// Time never goes back (a clock that does is held still).
    pub(super) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Whether a segment of a message is on its way.
    pub(super) fn is_outstanding(&self) -> bool {
        self.stage == Stage::Established && self.repeat.sent() > 0
    }

    /// Whether this side goes on where both send at once.
    pub(super) fn goes_first(&self) -> bool {
        self.role == Role::Client && self.config.peer == SocketPeer::RdtProto
    }

    /// After every change: what is to be sent next, if it is our turn.
    pub(super) fn settle(&mut self) {
        if self.stage != Stage::Established || self.incoming.is_receiving() || self.repeat.is_engaged() {
            return;
        }
        let body = self.outgoing.body(self.closes);
        if body.is_none() && !self.closes {
            return;
        }
        // FIN has no body, but the number of the last word is two more than its own.
        if self.number + body.as_ref().map_or(2, |body| body.len() as u64) > MAX_NUMBER {
            self.end(SocketCloseReason::NumbersExhausted, 0);
            return;
        }
        if body.is_none() {
            self.stage = Stage::FinWait;
        }
        self.repeat.request();
    }

    /// What is sent now is to be repeated so late.
    pub(super) fn deadline(&mut self) -> Instant {
        let opening = matches!(self.stage, Stage::SynSent | Stage::SynReceived);
        let closing = matches!(self.stage, Stage::FinWait | Stage::LastAck);
        match self.config.timeouts {
            Timeouts::Fixed { syn, .. } if self.stage == Stage::SynSent => self.now + at_least_1_ms(syn),
            Timeouts::Fixed { segment, .. } => self.now + at_least_1_ms(segment),
            Timeouts::Measured => {
                let longest =
                    if opening { longest_opening_interval(self.config.handshake_limit) } else { Duration::MAX };
                let at = self.rtt.deadline(self.now, self.repeat.sent(), longest);
                if closing { at.max(self.now + LEAST_CLOSE_TIMEOUT) } else { at }
            }
        }
    }

    /// The end after FIN, whichever side sent it.
    pub(super) fn finish(&mut self, farewells: u8) {
        let cut = self.outgoing.body(true).is_some() || !(self.outgoing.is_done() || self.closes);
        let reason = if cut {
            SocketCloseReason::PeerLeft
        } else if self.incoming.is_receiving() {
            SocketCloseReason::CutShort
        } else {
            SocketCloseReason::Finished
        };
        self.end(reason, farewells);
    }

    /// The end. What was received may still be read.
    pub(super) fn end(&mut self, reason: SocketCloseReason, farewells: u8) {
        self.stage = Stage::Ended { reason, farewells };
        self.repeat.stop();
        self.answers = Answers::empty();
        self.blocked = false;
        self.events.insert(Events::CLOSED);
        self.events.remove(Events::WRITABLE);
    }
}

/// Whether numbers can follow that of a SYN.
pub(super) const fn opens(number: u64) -> bool {
    number <= MAX_NUMBER - 2
}

fn at_least_1_ms(span: Duration) -> Duration {
    span.max(Duration::from_millis(1))
}

fn u64_at(entropy: &[u8; SOCKET_ENTROPY_BYTES], at: usize) -> u64 {
    entropy.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
