//! The values that the scoreboard takes and returns.

use super::SentState;
use crate::{Instant, Seq};

/// One of the two lists of numbers in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Flight {
    /// Sent once, in the order of the numbers.
    Originals,
    /// Sent more than once, for any reason.
    Retransmissions,
}

/// The record of a number that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Record {
    /// The time of the last transmission.
    pub(in super::super) sent_at: Instant,
    /// The size of its datagram in bytes.
    pub(in super::super) bytes: u16,
    /// The number of transmissions.
    pub(in super::super) transmissions: u8,
    pub(in super::super) state: SentState,
}

/// The kind of a transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Transmitted {
    /// The first transmission of a number.
    Original,
    /// The first transmission of a number that was held back.
    HeldBack,
    /// A retransmission of a number that was declared lost after `transmissions` transmissions.
    Retransmission { transmissions: u8 },
    /// A number in flight, sent again as a probe.
    Probe,
    /// A number in flight, sent again proactively.
    Proactive,
    /// A number that is not outstanding, because it is acknowledged.
    Needless,
}

/// Consecutive originals that were acknowledged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Run {
    pub(in super::super) count: u32,
    pub(in super::super) bytes: u64,
    /// The last number of the run.
    pub(in super::super) newest: Seq,
    /// The transmission time of `newest`.
    pub(in super::super) newest_sent_at: Instant,
}
