//! One connection: its fields, its creation and its end.

use super::config::{SocketConfig, SocketPeer, Timeouts};
use super::event::{SocketCloseReason, SocketEvent, SocketIgnored, SocketStats};
use super::message::{Body, Incoming, Outgoing};
use super::segment::{Kind, MAX_BODY, MAX_NUMBER, Segment};
use crate::event::{Events, Role};
use crate::timing::{Jitter, RetransmitTimer, Rtt, expiry, longest_opening_interval, rto_ceiling};
use crate::{Duration, Instant};
use bitflags::bitflags;

/// The number of entropy bytes that a connection takes.
///
/// They determine a client's first number and the jitter of timers. They provide no security.
pub const SOCKET_ENTROPY_BYTES: usize = 16;

/// How many times FIN or FIN+ACK is sent before the connection counts as closed.
pub(super) const CLOSE_TRIES: u8 = 3;

/// The minimum interval between two of these tries. Three tries must outlast a pause of the peer's process.
const LEAST_CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// A client's first number is below this.
const INITIAL_NUMBERS: u64 = 101;

/// One side of a connection that carries messages in both directions.
///
/// It runs over datagrams that may be lost, duplicated or reordered. Messages follow one another: only one is in
/// transit at a time.
///
/// `A` is the address type. Up to `SEND` bytes of a message wait for acknowledgement, and up to `RECV` bytes wait to be
/// read. Both must be at least [`MAX_BODY`]. A peer may send longer bodies: up to `RECV` bytes fit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SocketConnection<A, const SEND: usize = 512, const RECV: usize = 512> {
    pub(super) role: Role,
    pub(super) config: SocketConfig,
    /// The latest time passed to any call.
    pub(super) now: Instant,
    pub(super) rtt: Rtt,
    /// The destination of SYN and of the ACK of SYN+ACK. That ACK may go to `peer` as well; everything else goes there.
    pub(super) syn_destination: A,
    pub(super) peer: A,
    /// The number of the SYN.
    pub(super) initial: u64,
    /// The number of the next or outstanding segment, in both directions.
    pub(super) number: u64,
    pub(super) state: State,
    /// Repeats SYN, SYN+ACK, a segment of a message, FIN or FIN+ACK until an answer arrives.
    pub(super) retransmit: RetransmitTimer,
    /// When the segment of `retransmit` was first sent.
    pub(super) sent_at: Instant,
    /// When the silence of the peer began: at its last accepted segment, repeated SYN+ACKs aside, or at `sent_at` if
    /// that is later.
    pub(super) silent_since: Instant,
    /// When the handshake times out.
    pub(super) handshake_expiry: Option<Instant>,
    /// Client: no segment has yet proved that the ACK of SYN+ACK arrived.
    pub(super) ack_unconfirmed: bool,
    /// The application called `close`.
    pub(super) close_requested: bool,
    pub(super) answers: Answers,
    pub(super) outgoing: Outgoing<SEND>,
    pub(super) incoming: Incoming<RECV>,
    pub(super) events: Events,
    pub(super) stats: SocketStats,
}

/// The states of RFC 9293 §3.3.2 that this protocol has.
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
///             | FIN+ACK, FIN, or three tries        | the final segment, or three tries
///             v                                     v
///           ENDED                                 ENDED
/// ```
///
/// Below ESTABLISHED, the left side is the one that closes first, whether client or server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    SynSent,
    SynReceived,
    Established,
    /// FIN is repeated until it is answered, or withdrawn for a message of the peer.
    FinWait,
    /// FIN+ACK is repeated until the final segment arrives.
    LastAck,
    /// The connection has ended. `finals` counts the final segments still to be sent.
    Ended {
        reason: SocketCloseReason,
        finals: u8,
    },
}

bitflags! {
    /// Segments to be sent once, without a timer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(super) struct Answers: u8 {
        /// The ACK of SYN+ACK.
        const HANDSHAKE_ACK = 1;
        /// The same ACK, to the address from which SYN+ACK came.
        const HANDSHAKE_ACK_TO_PEER = 1 << 4;
        /// The ACK of a segment.
        const ACK = 1 << 1;
        /// The FIN+ACK in answer to a FIN that crossed the FIN of this side.
        const FIN_ACK = 1 << 2;
        /// The FIN of an aborted connection.
        const FIN = 1 << 3;
    }
}

impl<A: Copy + Eq, const SEND: usize, const RECV: usize> SocketConnection<A, SEND, RECV> {
    /// Opens a connection to `server` as a client; SYN is due at once.
    ///
    /// A message that is [sent](Self::send) before SYN+ACK arrives waits for the end of the handshake.
    #[must_use]
    pub fn connect(now: Instant, config: SocketConfig, entropy: [u8; SOCKET_ENTROPY_BYTES], server: A) -> Self {
        let initial = u64_at(&entropy, 0) % INITIAL_NUMBERS;
        Self::new(now, Role::Client, config, &entropy, server, initial)
    }

    /// Accepts a connection from `client` as a server; SYN+ACK is due at once.
    ///
    /// The connection is established once the client proves that SYN+ACK arrived. A
    /// [`SocketListener`](super::SocketListener) accepts many clients.
    ///
    /// # Errors
    ///
    /// [`SocketIgnored::State`] if `syn` is not a SYN, and [`SocketIgnored::Number`] if its number is too close to
    /// [`MAX_NUMBER`].
    pub fn accept(
        now: Instant,
        config: SocketConfig,
        entropy: [u8; SOCKET_ENTROPY_BYTES],
        client: A,
        syn: &Segment<'_>,
    ) -> Result<Self, SocketIgnored> {
        match syn.kind {
            Kind::Syn if is_initial(syn.number) => {
                Ok(Self::new(now, Role::Server, config, &entropy, client, syn.number))
            }
            Kind::Syn => Err(SocketIgnored::Number),
            Kind::SynAck | Kind::Ack | Kind::Data | Kind::Fin | Kind::FinAck => Err(SocketIgnored::State),
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
        const { assert!(SEND >= MAX_BODY && RECV >= MAX_BODY, "SEND and RECV must be at least MAX_BODY") };
        let mut retransmit = RetransmitTimer::default();
        retransmit.request();
        Self {
            role,
            config,
            now,
            rtt: Rtt::new(rto_ceiling(config.idle_limit), Jitter::new(u64_at(entropy, 8))),
            syn_destination: peer,
            peer,
            initial,
            number: initial,
            state: if role == Role::Client { State::SynSent } else { State::SynReceived },
            retransmit,
            sent_at: now,
            silent_since: now,
            handshake_expiry: expiry(now, config.handshake_limit),
            ack_unconfirmed: role == Role::Client,
            close_requested: false,
            answers: Answers::empty(),
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            events: Events::empty(),
            stats: SocketStats::default(),
        }
    }

    /// Whether this side opened or accepted the connection.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The peer's address. A client adopts the source address of SYN+ACK.
    #[must_use]
    pub fn peer(&self) -> A {
        self.peer
    }

    /// Whether the handshake is complete and the connection has not ended.
    #[must_use]
    pub fn is_established(&self) -> bool {
        matches!(self.state, State::Established | State::FinWait | State::LastAck)
    }

    /// Why the connection ended; `None` before that. Received bytes can still be read.
    #[must_use]
    pub fn ended(&self) -> Option<SocketCloseReason> {
        match self.state {
            State::Ended { reason, .. } => Some(reason),
            State::SynSent | State::SynReceived | State::Established | State::FinWait | State::LastAck => None,
        }
    }

    /// Whether the connection has ended and has nothing left to send.
    ///
    /// A drained connection may be dropped. Read the received data and poll the remaining events before that.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.ended().is_some() && self.next_output().is_none()
    }

    /// Counters since the start of the connection.
    #[must_use]
    pub fn stats(&self) -> &SocketStats {
        &self.stats
    }

    /// The round-trip time estimate.
    #[must_use]
    pub fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// Returns the next event; `None` if there is none.
    ///
    /// Repeated events of one kind are merged. Events are returned in the order in which [`SocketEvent`] lists them.
    /// An event is only a hint, since reads and writes are legal at any time.
    pub fn poll_event(&mut self) -> Option<SocketEvent> {
        SocketEvent::new(self.events.take_first()?, self.ended())
    }

    /// Advances the time. An earlier `now` changes nothing.
    pub(super) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Whether a segment of a message is in flight.
    pub(super) fn is_outstanding(&self) -> bool {
        self.state == State::Established && self.retransmit.sent() > 0
    }

    /// Whether this side continues when both sides send at once.
    pub(super) fn has_priority(&self) -> bool {
        self.role == Role::Client && self.config.peer == SocketPeer::RdtProto
    }

    /// The body of the next or outstanding segment of a message.
    pub(super) fn body(&self) -> Option<Body> {
        self.outgoing.body(self.config.pieces, self.close_requested)
    }

    /// Selects the next segment after a change, if this side may send.
    pub(super) fn settle(&mut self) {
        if self.state != State::Established || self.incoming.is_receiving() || self.retransmit.is_engaged() {
            return;
        }
        let body = self.body();
        if body.is_none() && !self.close_requested {
            return;
        }
        // FIN has no body, but the final segment carries the number of the FIN plus two.
        if self.number + body.as_ref().map_or(2, |body| body.len() as u64) > MAX_NUMBER {
            self.end(SocketCloseReason::NumbersExhausted, 0);
            return;
        }
        if body.is_none() {
            self.state = State::FinWait;
        }
        self.retransmit.request();
    }

    /// When to repeat the segment that is being sent now.
    pub(super) fn deadline(&mut self) -> Instant {
        let opening = matches!(self.state, State::SynSent | State::SynReceived);
        let closing = matches!(self.state, State::FinWait | State::LastAck);
        match self.config.timeouts {
            Timeouts::Fixed { syn, .. } if self.state == State::SynSent => self.now + at_least_1_ms(syn),
            Timeouts::Fixed { segment, .. } => self.now + at_least_1_ms(segment),
            Timeouts::Measured => {
                let longest =
                    if opening { longest_opening_interval(self.config.handshake_limit) } else { Duration::MAX };
                let at = self.rtt.deadline(self.now, self.retransmit.sent(), longest);
                if closing { at.max(self.now + LEAST_CLOSE_TIMEOUT) } else { at }
            }
        }
    }

    /// Ends the connection after a FIN of either side.
    pub(super) fn finish(&mut self, finals: u8) {
        let cut = self.outgoing.body(self.config.pieces, true).is_some()
            || !(self.outgoing.is_done() || self.close_requested);
        let reason = if cut {
            SocketCloseReason::PeerLeft
        } else if self.incoming.is_receiving() {
            SocketCloseReason::CutShort
        } else {
            SocketCloseReason::Finished
        };
        self.end(reason, finals);
    }

    /// Ends the connection. Received bytes can still be read.
    pub(super) fn end(&mut self, reason: SocketCloseReason, finals: u8) {
        self.state = State::Ended { reason, finals };
        self.retransmit.stop();
        self.answers = Answers::empty();
        self.events.insert(Events::CLOSED);
        self.events.remove(Events::WRITABLE | Events::BLOCKED);
    }
}

/// Whether a SYN may carry `number`: the handshake needs the two numbers after it.
pub(super) const fn is_initial(number: u64) -> bool {
    number <= MAX_NUMBER - 2
}

fn at_least_1_ms(span: Duration) -> Duration {
    span.max(Duration::from_millis(1))
}

fn u64_at(entropy: &[u8; SOCKET_ENTROPY_BYTES], at: usize) -> u64 {
    entropy.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
