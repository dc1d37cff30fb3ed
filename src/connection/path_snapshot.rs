//! The state of a connection, and a snapshot of its path.

use super::event::CloseReason;
use crate::Duration;
use core::fmt;

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The handshake is not complete.
    Opening,
    /// The handshake is complete, and this side has not closed its direction.
    Established,
    /// This side has [closed](super::Connection::close) its direction; the peer may still send.
    Closing,
    /// The connection has ended.
    Ended(CloseReason),
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening => f.write_str("opening"),
            Self::Established => f.write_str("established"),
            Self::Closing => f.write_str("closing"),
            Self::Ended(reason) => write!(f, "ended, {reason}"),
        }
    }
}

/// The state of a connection and its estimates of the path, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PathSnapshot {
    /// The state of the connection.
    pub state: ConnectionState,
    /// The smoothed round-trip time (RFC 6298 §2); `None` before the first sample.
    pub srtt: Option<Duration>,
    /// The minimum of the measured round-trip times; `None` before the first sample.
    pub min_rtt: Option<Duration>,
    /// The retransmission timeout, without backoff.
    pub rto: Duration,
    /// The largest body of a new INFO, in bytes: what config, peer and path allow now.
    pub segment: usize,
    /// Bytes of datagrams in flight: sent, and neither acknowledged nor declared lost.
    pub in_flight: u64,
    /// The congestion window in bytes; `None` for stop-and-wait, which sends one datagram at a time.
    pub window: Option<u64>,
    /// The pacing rate in bytes per second; `None` without pacing.
    pub pacing_rate: Option<u64>,
    /// Bytes of acknowledged datagrams. Each datagram counts once.
    pub delivered: u64,
    /// The number of times that an INFO was declared lost. Stop-and-wait declares an INFO lost when it repeats it.
    pub lost: u64,
    /// The number of retransmissions of INFO.
    pub retransmitted: u64,
    /// The number of spurious losses: an INFO was declared lost, but was only late.
    pub spurious: u64,
    /// The [phase](crate::congestion::Congestion::phase) of the congestion controller.
    pub phase: &'static str,
}

/// One line, with what is known:
/// `path: round trip 20100us (least 20000us), in flight 2400 of 14720 bytes, segment 1200`.
impl fmt::Display for PathSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("path: ")?;
        if let (Some(srtt), Some(min_rtt)) = (self.srtt, self.min_rtt) {
            write!(f, "round trip {}us (least {}us), ", srtt.as_micros(), min_rtt.as_micros())?;
        }
        write!(f, "in flight {}", self.in_flight)?;
        if let Some(window) = self.window {
            write!(f, " of {window}")?;
        }
        write!(f, " bytes, segment {}", self.segment)
    }
}
