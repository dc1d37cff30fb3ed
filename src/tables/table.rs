//! A list that can be cloned, in any kind of memory.

use super::{List, TableMemory};

/// A list that grows in memory of kind `M`.
///
/// The list is `Clone` if its items are, so that types with tables can derive `Clone`. [`TableMemory::List`] itself
/// has no `Clone` bound, because the bound would exclude items that are not `Clone`.
pub(crate) struct Table<T, M: TableMemory>(M::List<T>);

impl<T, M: TableMemory> Table<T, M> {
    /// Adds `item` at the end. Returns the item if the list is full.
    #[inline]
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        self.0.push(item)
    }
}

impl<T: Clone, M: TableMemory> Clone for Table<T, M> {
    fn clone(&self) -> Self {
        Self(self.0.duplicate())
    }
}

impl<T, M: TableMemory> Default for Table<T, M> {
    fn default() -> Self {
        Self(M::List::default())
    }
}

impl<T, M: TableMemory> AsRef<[T]> for Table<T, M> {
    #[inline]
    fn as_ref(&self) -> &[T] {
        self.0.as_ref()
    }
}

impl<T, M: TableMemory> AsMut<[T]> for Table<T, M> {
    #[inline]
    fn as_mut(&mut self) -> &mut [T] {
        self.0.as_mut()
    }
}
