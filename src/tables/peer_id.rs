//! The id of a connection.

/// The id of a connection of a listener.
///
/// The id is unique until 2^32 later connections have had the same [index](Self::index).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl PeerId {
    /// The index of the connection, for tables of the application.
    ///
    /// No two connections of a listener have the same index at the same time. An index is below the largest number of
    /// connections that the listener has had at once.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}
