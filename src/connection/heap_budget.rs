//! The memory that growing windows share.

/// The memory that windows may take in addition to their first memory. Feature `alloc`.
///
/// One budget serves one connection, or all connections of a listener. It cannot be copied: a copy would count the same
/// bytes twice.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct HeapBudget {
    pub(super) left: usize,
}

impl HeapBudget {
    /// A budget of `bytes`.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { left: bytes }
    }

    /// The bytes that are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }

    /// The most slots of one store, of those that are left for all.
    ///
    /// It is the dynamic threshold of switches with shared memory (Choudhury and Hahne 1998): a few connections may have
    /// large windows. Many have equal ones, and leave an eighth of one for the next.
    pub(super) fn share(&self, slot_bytes: usize) -> u32 {
        u32::try_from(self.left / SHARES / slot_bytes.max(1)).unwrap_or(u32::MAX)
    }
}

/// A store may take one part of so many of what is left of the budget.
const SHARES: usize = 8;
