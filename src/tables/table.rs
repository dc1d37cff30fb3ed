//! A list in one kind of memory that can be cloned.

use super::{List, TableMemory};

/// A growing list in memory of kind `M`.
///
/// It is `Clone` where its items are, in every kind of memory: so whatever is made of it derives `Clone`. The list of
/// [`TableMemory`] cannot say so itself, since a bound on it would have to hold for items that are not `Clone`, too.
pub(crate) struct Table<T, M: TableMemory>(M::List<T>);

impl<T, M: TableMemory> Table<T, M> {
    /// Adds `item` at the end. The item comes back where there is no room.
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
