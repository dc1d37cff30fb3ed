//! What is kept of each number: the memory that a caller lends.

/// Memory for 64 consecutive numbers in each direction.
///
/// The window of a [`SelectiveRepeat`](super::SelectiveRepeat) is 64 times as many numbers as it has blocks. A block takes
/// 1,048 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// A bit for each number of this side that the peer has acknowledged.
    pub(super) acknowledged: u64,
    /// A bit for each number of the peer that has been received.
    pub(super) received: u64,
    /// A bit for each number of the peer that waits for its acknowledgement in base mode.
    pub(super) owed: u64,
    pub(super) sent: [Sent; 64],
}

impl Block {
    /// A block of numbers that nothing is known of.
    pub const EMPTY: Self = Self { acknowledged: 0, received: 0, owed: 0, sent: [Sent::UNSENT; 64] };
}

impl Default for Block {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// What is kept of a number that was sent. It is in one of three lists, by its state.
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
    pub(super) state: State,
}

/// Where a number stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// Not sent yet, or acknowledged.
    Settled,
    /// On its way for the first time, as far as is known: in the list by order of sending.
    InFlight,
    /// On its way again: in a list of its own, by order of sending.
    Again,
    /// The same, but only ever as a probe: it was never judged lost.
    Probed,
    /// The same, sent last in advance: an acknowledgement may answer an earlier transmission.
    InAdvance,
    /// Judged lost: in the list of what is to be sent again.
    Lost,
}

impl Sent {
    pub(super) const UNSENT: Self =
        Self { before: 0, after: 0, at: 0, bytes: 0, transmissions: 0, state: State::Settled };
}
