//! The counters of a connection.

use super::event::Ignored;
use crate::counts::{Countable, Counts};
use core::hash::Hash;

/// The counters of one connection.
///
/// They count from the start of the connection, or from the last [`take_stats`](super::Connection::take_stats). They
/// saturate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Stats {
    /// Datagrams written by `poll_transmit`.
    pub datagrams_sent: u64,
    /// The bytes of these datagrams.
    pub bytes_sent: u64,
    /// Datagrams passed to `handle_datagram`.
    pub datagrams_received: u64,
    /// The bytes of these datagrams.
    pub bytes_received: u64,
    /// INFO packets sent, including retransmissions.
    pub infos_sent: u64,
    /// INFO packets retransmitted.
    pub infos_repeated: u32,
    /// INFO packets received more than once.
    pub infos_duplicate: u32,
    /// Timeouts at which a retransmission or a probe became due, including those of the handshake and the close.
    pub timeouts: u32,
    /// Datagrams ignored, by reason.
    pub ignored: IgnoredCounts,
}

/// The number of datagrams ignored for each reason.
pub type IgnoredCounts = Counts<Ignored, { Ignored::COUNT }, u32>;
