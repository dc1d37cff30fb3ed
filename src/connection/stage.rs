//! Where a connection stands, and what only matters there.
//!
//! ```text
//!  OPENING ---- answered, confirmed ----> ESTABLISHED
//!     |                                        |
//!     +--- a limit, refused, aborted ---> ENDED <---+  closed by both sides, a limit, reset, aborted
//! ```

use super::Reason;
use super::close::Close;
use super::handshake::Handshake;
use super::probe::Probe;
use crate::Instant;

/// What belongs to different stages lies in the same memory: a server has many connections that rest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "a connection is made in the larger one, and nothing here is allocated")]
pub(super) enum Stage {
    Opening(Handshake),
    Established { close: Close, probe: Probe },
    Ended { ended: Ended, close: Close },
}

/// What is left of a connection that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ended {
    pub(super) reason: Reason,
    /// When it ended, or when something last left after that.
    pub(super) at: Instant,
    /// Until when a repeated FIN is answered.
    pub(super) linger: Option<Instant>,
    /// RESET with this code is to be sent.
    pub(super) reset: Option<u8>,
    /// Whether it had been established.
    pub(super) was_established: bool,
}

impl Stage {
    pub(super) const fn is_established(&self) -> bool {
        matches!(self, Self::Established { .. })
    }

    pub(super) const fn handshake(&self) -> Option<&Handshake> {
        match self {
            Self::Opening(handshake) => Some(handshake),
            Self::Established { .. } | Self::Ended { .. } => None,
        }
    }

    pub(super) const fn handshake_mut(&mut self) -> Option<&mut Handshake> {
        match self {
            Self::Opening(handshake) => Some(handshake),
            Self::Established { .. } | Self::Ended { .. } => None,
        }
    }

    pub(super) const fn ended(&self) -> Option<&Ended> {
        match self {
            Self::Ended { ended, .. } => Some(ended),
            Self::Opening(_) | Self::Established { .. } => None,
        }
    }

    pub(super) const fn probe(&self) -> Option<&Probe> {
        match self {
            Self::Established { probe, .. } => Some(probe),
            Self::Opening(_) | Self::Ended { .. } => None,
        }
    }

    pub(super) const fn probe_mut(&mut self) -> Option<&mut Probe> {
        match self {
            Self::Established { probe, .. } => Some(probe),
            Self::Opening(_) | Self::Ended { .. } => None,
        }
    }

    pub(super) const fn close(&self) -> Option<&Close> {
        match self {
            Self::Established { close, .. } | Self::Ended { close, .. } => Some(close),
            Self::Opening(_) => None,
        }
    }
}
