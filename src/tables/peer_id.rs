//! The id of a connection.

/// The id of a connection of a listener.
///
/// An id recurs only after 2^32 later connections at the same [index](Self::index).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl PeerId {
    /// The index of the connection, for tables of the application.
    ///
    /// No two connections of a listener have the same index at the same time. Every index is below the largest number
    /// of connections that the listener has had at the same time.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}
