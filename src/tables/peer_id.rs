//! The name of a connection.

/// What names a connection of a listener. It is never used again for another one, but for 2^32 that came and went in
/// its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl PeerId {
    /// Which place it has: below the largest number of connections that there ever were at once, and no other
    /// connection has it at the same time. For tables that the application keeps beside the listener.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}
