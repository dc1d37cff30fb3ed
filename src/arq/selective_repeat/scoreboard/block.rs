//! What is kept of each number: the memory that a caller lends.

/// Memory for 64 consecutive numbers in each direction.
///
/// The window of a [`SelectiveRepeat`](crate::arq::SelectiveRepeat) is 64 times as many numbers as it has blocks. A block
/// takes 1,048 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// A bit for each number of this side that the peer has acknowledged.
    pub(super) acknowledged: u64,
    /// A bit for each number of the peer that has been received.
    pub(super) received: u64,
    /// A bit for each number of the peer that waits for its acknowledgement in base mode.
    pub(super) ack_pending: u64,
    pub(super) sent: [Sent; 64],
}

impl Block {
    /// How many numbers of each direction a block keeps.
    pub const NUMBERS: u32 = u64::BITS;

    /// A block of numbers that nothing is known of.
    pub const EMPTY: Self = Self { acknowledged: 0, received: 0, ack_pending: 0, sent: [Sent::UNSENT; 64] };
}

impl Default for Block {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// What is kept of a number that was sent. Its state says which list it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sent {
    /// The neighbours in its list.
    pub(super) before: u32,
    pub(super) after: u32,
    /// When it was sent last: the low 32 bits of the µs.
    pub(super) at: u32,
    /// How many bytes of datagram it takes.
    pub(super) bytes: u16,
    /// How often it was sent.
    pub(super) transmissions: u8,
    pub(super) state: SentState,
}

impl Sent {
    pub(super) const UNSENT: Self =
        Self { before: 0, after: 0, at: 0, bytes: 0, transmissions: 0, state: SentState::Settled };
}

/// Where a number stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SentState {
    /// Not sent yet, or acknowledged.
    Settled,
    /// In flight for the first time.
    Original,
    /// In flight again, after it was judged lost.
    Retransmitted,
    /// In flight again, but only ever as a probe: it was never judged lost.
    Probed,
    /// In flight again, sent last as a proactive retransmission: an acknowledgement may answer an earlier transmission.
    Proactive,
    /// Judged lost: it waits for its retransmission.
    Lost,
}
