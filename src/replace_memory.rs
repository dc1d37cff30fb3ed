//! Memory that is replaced while it is in use.

/// Lent memory that can be replaced by other memory while it is in use.
///
/// A window grows by this: the caller lends larger memory, and gets the earlier memory back. Nothing that is kept is
/// lost, and no number changes.
pub trait ReplaceMemory {
    /// The lent memory.
    type Memory;

    /// How many bodies or numbers the memory holds.
    fn room(&self) -> u32;

    /// How many of these places are in use, from the oldest to the newest, gaps included.
    fn used(&self) -> u32;

    /// Moves what is kept to `memory`, and returns the earlier memory.
    ///
    /// The call takes time in proportion to the memory. If the memory doubles each time, this is O(1) for each packet.
    ///
    /// # Errors
    ///
    /// If `memory` is too small for what is kept, the call returns it and changes nothing.
    fn replace_memory(&mut self, memory: Self::Memory) -> Result<Self::Memory, Self::Memory>;
}
