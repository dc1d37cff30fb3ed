//! The name of each deadline.

use crate::Instant;

/// What a deadline is for.
///
/// The time of some timers must be told by `handle_timeout`; the others only let a packet leave, by `poll_transmit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// The handshake limit passes: the connection ends.
    Handshake,
    /// The packet that opens the connection is sent again: CONNECT or CONNACK; SYN or SYN+ACK.
    RetransmitHandshake,
    /// A client that waits for an answer of extended mode takes the answer of base mode.
    FallBack,
    /// What was sent before something acknowledged is judged lost (RFC 8985 §6.2).
    Reordering,
    /// The tail loss probe is sent (RFC 8985 §7).
    TailLossProbe,
    /// Everything in flight counts as lost (RFC 6298): INFO, or the segment of a message, is sent again.
    Retransmission,
    /// A PROBE asks whether the peer's window has opened.
    Persist,
    /// A PROBE asks whether the peer is still there.
    KeepAlive,
    /// FIN, or the answer to it, is sent again.
    RetransmitFin,
    /// The idle limit passes: the peer has left something unanswered for too long.
    Idle,
    /// The quiet limit passes: the peer, which has nothing to answer, was silent for too long.
    Quiet,
    /// No repeated FIN is answered any more.
    Linger,
    /// Pacing, or the wait before a proactive retransmission, is over.
    Pacing,
    /// An acknowledgement was delayed for long enough.
    AckDelay,
}

impl Timer {
    /// The timers of a mechanism that sends data again ([`Arq`](crate::arq::Arq)).
    pub const OF_ARQ: [Self; 4] = [Self::Reordering, Self::TailLossProbe, Self::Retransmission, Self::Pacing];

    /// Whether `handle_timeout` has something to do when it expires. Otherwise it only lets a packet leave.
    #[must_use]
    pub const fn is_handled(self) -> bool {
        match self {
            Self::Handshake
            | Self::RetransmitHandshake
            | Self::FallBack
            | Self::Reordering
            | Self::TailLossProbe
            | Self::Retransmission
            | Self::Persist
            | Self::KeepAlive
            | Self::RetransmitFin
            | Self::Idle
            | Self::Quiet
            | Self::Linger => true,
            Self::Pacing | Self::AckDelay => false,
        }
    }
}

/// The earliest of the deadlines that were seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Earliest(Option<Instant>);

impl Earliest {
    #[inline]
    pub(crate) fn see(&mut self, at: Instant) {
        self.0 = Some(self.0.map_or(at, |earliest| earliest.min(at)));
    }

    #[inline]
    pub(crate) const fn get(self) -> Option<Instant> {
        self.0
    }
}
