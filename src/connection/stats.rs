//! What a connection counts.

use super::event::Ignored;
use crate::counts::{Countable, Counts};

/// Counters of one connection since its start, or since they were last taken. They saturate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Stats {
    /// Datagrams written by `poll_transmit`.
    pub datagrams_sent: u64,
    /// Bytes of these.
    pub bytes_sent: u64,
    /// Datagrams given to `handle_datagram`.
    pub datagrams_received: u64,
    /// Bytes of these.
    pub bytes_received: u64,
    /// INFO packets among the datagrams sent, repeated ones included.
    pub infos_sent: u64,
    /// INFO packets sent again.
    pub infos_repeated: u32,
    /// INFO packets that arrived again after they had been received.
    pub infos_duplicate: u32,
    /// Expired retransmission timers, those of handshake and close included.
    pub timeouts: u32,
    /// Datagrams ignored, by reason.
    pub ignored: IgnoredCounts,
}

/// How many datagrams were ignored for each reason.
pub type IgnoredCounts = Counts<Ignored, { Ignored::COUNT }, u32>;
