//! The memory of tables: fixed, or on the heap.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// A list that grows in one kind of [`TableMemory`].
pub trait List<T>: AsRef<[T]> + AsMut<[T]> + Default {
    /// Adds `item` at the end.
    ///
    /// # Errors
    ///
    /// Returns the item if the list is full.
    fn push(&mut self, item: T) -> Result<(), T>;

    /// Clones the list. `Clone` cannot be a supertrait, since not all items are `Clone`.
    #[must_use]
    fn duplicate(&self) -> Self
    where
        T: Clone;
}

/// The kind of memory for the tables of a listener: [`FixedTables`] or [`HeapTables`].
pub trait TableMemory: Clone {
    /// A list in this kind of memory.
    type List<T>: List<T>;

    /// The largest number of items in one list.
    const CAPACITY: usize;
}

/// Memory for `N` connections and `N` pending handshakes inside the listener, without an allocator.
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

/// Memory on the heap, which grows up to the limits of the listener. Feature `alloc`.
///
/// The memory never shrinks.
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
        // A failed allocation must not abort the program: the list counts as full.
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
    fn a_full_list_returns_the_item() {
        let mut list = fill::<FixedTables<4>>(4);
        assert_eq!(List::push(&mut list, 9), Err(9));
        assert_eq!(list.duplicate(), list);
    }

    #[test]
    fn a_list_on_the_heap_grows() {
        assert_eq!(fill::<HeapTables>(1_000).len(), 1_000);
    }
}
