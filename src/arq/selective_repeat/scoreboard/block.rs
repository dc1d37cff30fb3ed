//! The memory that the caller lends: the state of each number.

use crate::uncompared::Uncompared;

/// Memory for 64 consecutive numbers in each direction.
///
/// The windows of a [`SelectiveRepeat`](crate::arq::SelectiveRepeat) have 64 numbers per block. The number of blocks is
/// rounded down to a power of two. A block takes 1,304 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// A bit for each number of this side that the peer has acknowledged.
    pub(super) acknowledged: u64,
    /// A bit for each number of the peer that has been received.
    pub(super) received: u64,
    /// A bit for each number of the peer whose acknowledgement is pending in base mode.
    pub(super) ack_pending: u64,
    pub(super) sent: [Sent; 64],
    /// The low 32 bits of transmission times in µs: in extended mode by the counter of the datagram, in base mode the
    /// first transmission of each number.
    ///
    /// Comparison ignores them. Most places hold the time of a packet that is acknowledged, which has no further
    /// effect.
    pub(super) times: Uncompared<[u32; 64]>,
}

impl Block {
    /// How many numbers of each direction a block holds.
    pub const NUMBERS: u32 = u64::BITS;

    /// A block without any number sent or received.
    pub const EMPTY: Self = Self {
        acknowledged: 0,
        received: 0,
        ack_pending: 0,
        sent: [Sent::UNSENT; 64],
        times: Uncompared::new([0; 64]),
    };
}

impl Default for Block {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// The state of a number that was sent. `state` determines the list that holds the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sent {
    /// The previous number of the list.
    pub(super) before: u32,
    /// The next number of the list.
    pub(super) after: u32,
    /// The low 32 bits of the time of the last transmission in µs.
    pub(super) at: u32,
    /// The size of its datagram in bytes.
    pub(super) bytes: u16,
    /// The number of transmissions.
    pub(super) transmissions: u8,
    pub(super) state: SentState,
}

impl Sent {
    pub(super) const UNSENT: Self =
        Self { before: 0, after: 0, at: 0, bytes: 0, transmissions: 0, state: SentState::Settled };
}

/// The state of a number in the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SentState {
    /// Not sent yet, or acknowledged.
    Settled,
    /// Passed over: later numbers were sent, but this one was not.
    HeldBack,
    /// Acknowledged at `at` after it was repeated, in base mode. `before` is the round trip in µs that a second ACK
    /// proves, if it comes at least `after` µs later.
    Ambiguous,
    /// In flight for the first time.
    Original,
    /// In flight again, after it was declared lost.
    Retransmitted,
    /// In flight again as a probe, or after it was held back. It was never declared lost.
    Probed,
    /// In flight again proactively. Its acknowledgement may be for an earlier transmission.
    Proactive,
    /// Declared lost. Its retransmission is pending.
    Lost,
}
