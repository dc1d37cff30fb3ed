//! The state of a connection, with the data of each state.
//!
//! ```text
//!  OPENING ---- CONNACK, INFO 0 --------> ESTABLISHED
//!     |                                        |
//!     +--- a limit, refused, aborted ---> ENDED <---+  both directions closed, a limit, reset, aborted
//! ```

use super::CloseReason;
use super::close::Close;
use super::handshake::Handshake;
use super::least_progress::Span;
use super::path_size::PathSize;
use super::probe::Probe;
use super::progress::Progress;
use crate::Instant;
use crate::wire::{Tag, is_stateless_reset};

/// The state of a connection.
///
/// The states share memory, since a server holds many idle connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "a new connection starts in the larger variant; nothing is allocated")]
pub(super) enum State {
    Opening(Handshake),
    Established { close: Close, probe: Probe, progress: Progress, span: Span, path: PathSize, remembered: Remembered },
    Ended { ended: Ended, close: Close },
}

/// What one of the two roles remembers of its peer. A connection has one role, so the memory is shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Remembered {
    Nothing,
    /// At a client: the token of a stateless reset that the server has announced.
    ResetToken(Tag),
    /// At a server: a move of the client whose path has not been seen to carry data. `counter` is that of the first
    /// datagram after the move, as bytes: without alignment, no connection is larger for it.
    Moved {
        counter: [u8; 4],
    },
}

/// The data of a connection that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ended {
    pub(super) reason: CloseReason,
    /// When the connection ended, or sent its last packet if that is later.
    pub(super) at: Instant,
    /// When the linger ends; `None` if it has ended. Until then a repeated FIN is answered.
    pub(super) linger: Option<Instant>,
    /// The last packets, if they are due.
    pub(super) farewell: Option<Farewell>,
    /// One more than the number of them that are due, once the application has left; 0 before, when one is.
    pub(super) copies: u8,
    /// Whether the connection was established before its end.
    pub(super) was_established: bool,
}

/// The last packets of a connection in extended mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Farewell {
    /// RESET with this code.
    Reset(u8),
    /// CONNACK that carries only our version.
    Version,
    /// FINACK.
    FinAck,
}

impl Ended {
    /// Makes the last packet due so many times, once: another call changes nothing.
    pub(super) const fn repeat(&mut self, farewell: Farewell, times: u8) {
        if self.copies == 0 {
            (self.farewell, self.copies) = (Some(farewell), times.saturating_add(1));
        }
    }

    /// Records that the last packet has left once.
    pub(super) const fn on_farewell_sent(&mut self) {
        self.copies = self.copies.saturating_sub(1);
        if self.copies <= 1 {
            self.farewell = None;
        }
    }
}

impl State {
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

    /// Whether `datagram` is a stateless reset of this connection.
    pub(super) fn is_reset_by(&self, datagram: &[u8]) -> bool {
        match self {
            Self::Established { remembered: Remembered::ResetToken(token), .. } => is_stateless_reset(*token, datagram),
            Self::Opening(_) | Self::Established { .. } | Self::Ended { .. } => false,
        }
    }

    /// Makes the last packet due, after the end.
    pub(super) const fn say_farewell(&mut self, farewell: Farewell) {
        if let Self::Ended { ended, .. } = self {
            ended.farewell = Some(farewell);
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

    pub(super) const fn remembered_mut(&mut self) -> Option<&mut Remembered> {
        match self {
            Self::Established { remembered, .. } => Some(remembered),
            Self::Opening(_) | Self::Ended { .. } => None,
        }
    }

    pub(super) const fn path(&self) -> Option<&PathSize> {
        match self {
            Self::Established { path, .. } => Some(path),
            Self::Opening(_) | Self::Ended { .. } => None,
        }
    }

    pub(super) const fn path_mut(&mut self) -> Option<&mut PathSize> {
        match self {
            Self::Established { path, .. } => Some(path),
            Self::Opening(_) | Self::Ended { .. } => None,
        }
    }

    pub(super) const fn span_mut(&mut self) -> Option<&mut Span> {
        match self {
            Self::Established { span, .. } => Some(span),
            Self::Opening(_) | Self::Ended { .. } => None,
        }
    }

    pub(super) const fn close(&self) -> Option<&Close> {
        match self {
            Self::Established { close, .. } | Self::Ended { close, .. } => Some(close),
            Self::Opening(_) => None,
        }
    }

    pub(super) const fn close_mut(&mut self) -> Option<&mut Close> {
        match self {
            Self::Established { close, .. } | Self::Ended { close, .. } => Some(close),
            Self::Opening(_) => None,
        }
    }
}
