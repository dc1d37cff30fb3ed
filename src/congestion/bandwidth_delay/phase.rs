//! The phases of `BandwidthDelay`, and their gains.
//!
//! ```text
//!                 queue builds, or
//!                 no more growth             in flight <= BDP
//!     Startup ----------------------> Drain -------------------+
//!     Restart -------------------------^                       |
//!         ^                                                    v
//!         | growth, no queue                                   |
//!        Up ---- a round, no growth ----> Down ---- a round -> Cruise ---- window too small ---> Restart
//!         ^                                                    |
//!         +------------------- some rounds --------------------+
//!
//!     Drain, Up, Down, Cruise ---- long round trips ----> ProbeRtt ---- a round ----> Cruise
//! ```

/// A gain of 1 in fixed-point arithmetic.
pub(super) const ONE: u64 = 256;
/// The unit of a rate that fits into 32 bits, in bytes per second.
pub(super) const TRAIN_UNIT: u64 = 16;
/// The fewest long rounds before the round-trip time is measured again.
pub(super) const SHORTEST_PATIENCE: u8 = 2;
/// The most long rounds before the round-trip time is measured again.
pub(super) const LONGEST_PATIENCE: u8 = 64;
/// The bits of the rounds in which a queue may have dropped packets whose loss this round reports.
pub(super) const RECENT_ROUNDS: u8 = 0b111;
/// Quiet rounds after which the ceiling grows.
pub(super) const QUIET_ROUNDS: u8 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// The window grows as fast as the path permits.
    Startup,
    /// The window grows again, because more arrives than before and no queue builds.
    Restart,
    /// The queue that startup built drains.
    Drain,
    /// Sends faster than the estimated bandwidth, to find out whether more is available.
    Up,
    /// Sends slower than the estimated bandwidth. The queue drains, and the remaining losses are not congestion.
    Down,
    /// Sends at the estimated bandwidth.
    Cruise,
    /// Drains the queue, to measure the round-trip time of the path again.
    ProbeRtt,
}

impl Phase {
    /// The gains of the pacing rate and of the window, relative to the bandwidth and to the bandwidth-delay product.
    ///
    /// `None` in startup, which grows its window from acknowledgements.
    pub(super) const fn gains(self) -> Option<(u64, u64)> {
        match self {
            Self::Startup | Self::Restart => None,
            Self::Drain => Some((ONE / 2, ONE * 2)),
            Self::Up => Some((ONE * 5 / 4, ONE / 4 * 9)),
            Self::Down => Some((ONE * 3 / 4, ONE * 2)),
            Self::Cruise => Some((ONE, ONE * 2)),
            Self::ProbeRtt => Some((ONE, ONE / 2)),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Restart => "restart",
            Self::Drain => "drain",
            Self::Up => "up",
            Self::Down => "down",
            Self::Cruise => "cruise",
            Self::ProbeRtt => "probe RTT",
        }
    }
}
