//! The phases of the model of the path, and what each makes of the estimates.
//!
//! ```text
//!                 queue builds, or
//!                 no more growth             in flight <= BDP
//!     Startup ----------------------> Drain -------------------+
//!                                                              v
//!        Up ---- a round, no growth ----> Down ---- a round -> Cruise
//!         ^                                                    |  |
//!         +------------------- some rounds --------------------+  | no new minimum for 10 s
//!                                                        ^        v
//!                                                        +---- ProbeRtt
//! ```

/// A gain of 1.
pub(super) const ONE: u64 = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// The window grows, as quickly as the path bears.
    Startup,
    /// What startup queued runs empty.
    Drain,
    /// Faster than the bandwidth, to see whether there is more.
    Up,
    /// Slower than it, so that the queue runs empty, and losses are those of the path.
    Down,
    Cruise,
    /// The queue runs empty, to see whether the path has become longer.
    ProbeRtt,
}

impl Phase {
    /// How many times the bandwidth leaves, and how many times the product of bandwidth and round trip may be in flight.
    /// Startup has a window of its own.
    pub(super) const fn gains(self) -> Option<(u64, u64)> {
        match self {
            Self::Startup => None,
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
            Self::Drain => "drain",
            Self::Up => "up",
            Self::Down => "down",
            Self::Cruise => "cruise",
            Self::ProbeRtt => "probe RTT",
        }
    }
}
