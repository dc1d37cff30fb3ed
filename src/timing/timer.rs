//! The purposes of deadlines, and the earliest of several deadlines.

use crate::Instant;

/// The purpose of a deadline.
///
/// `handle_timeout` [handles](Self::is_handled) the expiry of some timers. The others only let `poll_transmit` write a
/// packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// The handshake limit expires, and the connection ends.
    Handshake,
    /// A packet of the handshake is sent again: CONNECT or CONNACK, SYN or SYN+ACK.
    RetransmitHandshake,
    /// A client with an answer in base mode accepts it, and stops waiting for an answer in extended mode.
    FallBack,
    /// The reordering window of a packet ends, and the packet is declared lost (RFC 8985 §6.2).
    Reordering,
    /// The tail loss probe is sent (RFC 8985 §7).
    TailLossProbe,
    /// The retransmission timeout: everything in flight counts as lost, and INFO or a segment is sent again (RFC 6298).
    Retransmission,
    /// A PROBE asks whether the peer's window has opened.
    Persist,
    /// A PROBE asks whether the peer is alive.
    KeepAlive,
    /// FIN, or the answer to it, is sent again.
    RetransmitFin,
    /// The idle limit expires: the peer has left a packet unanswered for too long.
    Idle,
    /// The quiet limit expires: the peer was silent for too long while it had left nothing unanswered.
    Quiet,
    /// A limit on the time without progress expires.
    Progress,
    /// The linger ends: repeated FINs are no longer answered.
    Linger,
    /// Pacing allows the next packet, or the delay before a proactive retransmission ends.
    Pacing,
    /// A delayed acknowledgement is due.
    AckDelay,
}

impl Timer {
    /// The timers of an [`Arq`](crate::arq::Arq) mechanism.
    pub const OF_ARQ: [Self; 4] = [Self::Reordering, Self::TailLossProbe, Self::Retransmission, Self::Pacing];

    /// Whether `handle_timeout` handles the expiry. Otherwise the expiry only lets `poll_transmit` write a packet.
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
            | Self::Progress
            | Self::Linger => true,
            Self::Pacing | Self::AckDelay => false,
        }
    }
}

/// The earlier of two deadlines.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, None) => one,
        (None, other) => other,
    }
}

/// The earliest of several deadlines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Earliest(Option<Instant>);

impl Earliest {
    /// Takes one more deadline into account.
    #[inline]
    pub(crate) fn see(&mut self, at: Instant) {
        self.0 = earlier(self.0, Some(at));
    }

    #[inline]
    pub(crate) const fn get(self) -> Option<Instant> {
        self.0
    }
}
