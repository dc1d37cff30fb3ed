//! The memory for each number, which the caller lends.

/// Memory for 64 consecutive numbers in each direction.
///
/// A [`SelectiveRepeat`](crate::arq::SelectiveRepeat) has windows of 64 numbers per block, for the largest power of two
/// of blocks. A block takes 1,048 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// A bit for each number of this side that the peer has acknowledged.
    pub(super) acknowledged: u64,
    /// A bit for each number of the peer that has been received.
    pub(super) received: u64,
    /// A bit for each number of the peer whose acknowledgement is pending in base mode.
    pub(super) ack_pending: u64,
    pub(super) sent: [Sent; 64],
}

impl Block {
    /// The numbers of each direction that a block holds.
    pub const NUMBERS: u32 = u64::BITS;

    /// A block without any number sent or received.
    pub const EMPTY: Self = Self { acknowledged: 0, received: 0, ack_pending: 0, sent: [Sent::UNSENT; 64] };
}

impl Default for Block {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// The state of a number that was sent. `state` determines the list that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sent {
    /// The numbers before and after it in its list.
    pub(super) before: u32,
    pub(super) after: u32,
    /// The time of its last transmission: the low 32 bits in µs.
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
    /// In flight for the first time.
    Original,
    /// In flight again, after it was judged lost.
    Retransmitted,
    /// In flight again, but only as a probe: it was never judged lost.
    Probed,
    /// In flight again, proactively: an acknowledgement may answer an earlier transmission.
    Proactive,
    /// Judged lost: its retransmission is pending.
    Lost,
}
