//! Where tables are kept: in a fixed room, or on the heap.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// A growing list in one kind of [`TableMemory`].
pub trait List<T>: AsRef<[T]> + AsMut<[T]> + Default {
    /// Adds `item` at the end.
    ///
    /// # Errors
    ///
    /// Where there is no room: the item comes back.
    fn push(&mut self, item: T) -> Result<(), T>;

    /// A copy. (A method, since a list is not `Clone` for all items.)
    #[must_use]
    fn duplicate(&self) -> Self
    where
        T: Clone;
}

/// The kind of memory that a listener keeps its tables in: [`FixedTables`] or [`HeapTables`].
pub trait TableMemory: Clone {
    /// A table.
    type List<T>: List<T>;

    /// How many items a table has room for at most.
    const CAPACITY: usize;
}

/// Room for `N` connections and `N` pending handshakes inside the listener, without an allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct FixedTables<const N: usize>;

impl<const N: usize> TableMemory for FixedTables<N> {
    type List<T> = heapless::Vec<T, N>;

    const CAPACITY: usize = N;
}

impl<T, const N: usize> List<T> for heapless::Vec<T, N> {
    fn push(&mut self, item: T) -> Result<(), T> {
        heapless::Vec::push(self, item)
    }

    fn duplicate(&self) -> Self
    where
        T: Clone,
    {
        self.clone()
    }
}

/// Tables that grow on the heap, as far as the limits of the listener allow. They do not shrink.
/// Feature `alloc`.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct HeapTables;

#[cfg(feature = "alloc")]
impl TableMemory for HeapTables {
    type List<T> = Vec<T>;

    const CAPACITY: usize = usize::MAX;
}

#[cfg(feature = "alloc")]
impl<T> List<T> for Vec<T> {
    fn push(&mut self, item: T) -> Result<(), T> {
        // Memory that cannot be had is a limit like any other, and no end of the program.
        if self.try_reserve(1).is_err() {
            return Err(item);
        }
        Vec::push(self, item);
        Ok(())
    }

    fn duplicate(&self) -> Self
    where
        T: Clone,
    {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill<M: TableMemory>(count: u32) -> M::List<u32> {
        let mut list = M::List::default();
        for item in 0..count {
            assert_eq!(list.push(item), Ok(()));
        }
        list
    }

    #[test]
    fn fixed_memory_takes_so_many_and_gives_the_next_one_back() {
        let mut list = fill::<FixedTables<4>>(4);
        assert_eq!(List::push(&mut list, 9), Err(9));
        assert_eq!(list.duplicate(), list);
    }

    #[test]
    fn growable_memory_grows() {
        assert_eq!(fill::<HeapTables>(1_000).len(), 1_000);
    }
}
