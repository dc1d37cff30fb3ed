//! A table that finds its items by index, id or address.

use super::{HashKey, Index, PeerId, Slab, TableMemory};
use core::hash::Hash;

/// An item that has an address.
pub(crate) trait Addressed {
    /// The key of the item, which several items may share.
    type Address: Copy + Eq + Hash;

    /// The current address.
    fn address(&self) -> Self::Address;
}

/// Items at fixed indexes, found by address in O(1).
///
/// Several items may have the same address.
#[derive(Clone)]
pub(crate) struct AddressTable<T, M: TableMemory> {
    key: HashKey,
    slab: Slab<T, M>,
    by_address: Index<M>,
}

impl<T: Addressed, M: TableMemory> AddressTable<T, M> {
    /// An empty table that hashes addresses with `key`.
    pub(crate) fn new(key: HashKey) -> Self {
        Self { key, slab: Slab::new(), by_address: Index::new() }
    }

    /// The hash key, for other tables of the same listener.
    #[inline]
    pub(crate) const fn key(&self) -> HashKey {
        self.key
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.slab.len() as usize
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.slab.item(index)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slab.item_mut(index)
    }

    /// The id of the item at this index.
    #[inline]
    pub(crate) fn id(&self, index: u32) -> PeerId {
        PeerId { index, generation: self.slab.generation(index).unwrap_or_default() }
    }

    /// The item with this id; `None` once the item is removed.
    #[inline]
    pub(crate) fn find(&self, id: PeerId) -> Option<&T> {
        let item = self.slab.item(id.index)?;
        (self.slab.generation(id.index) == Some(id.generation)).then_some(item)
    }

    /// All items with their indexes, in any order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> + '_ {
        self.slab.iter()
    }

    /// The index of the first item at this address for which `is` returns true.
    #[inline]
    pub(crate) fn find_at(&self, address: T::Address, mut is: impl FnMut(u32, &T) -> bool) -> Option<u32> {
        let found = |index| self.slab.item(index).is_some_and(|item| item.address() == address && is(index, item));
        self.by_address.find(self.key.hash(&address), found)
    }

    /// The index of the item after `index` at the same address.
    ///
    /// `index` must be the index of an item at this address.
    pub(crate) fn next_at(&self, address: T::Address, index: u32) -> Option<u32> {
        let found = |index| self.slab.item(index).is_some_and(|item| item.address() == address);
        self.by_address.find_after(self.key.hash(&address), index, found)
    }

    /// The number of items at this address.
    pub(crate) fn count_at(&self, address: T::Address) -> usize {
        let mut count = 0;
        self.find_at(address, |_, _| {
            count += 1;
            false
        });
        count
    }

    /// Adds an item and returns its index; `None` if the table is full.
    pub(crate) fn insert(&mut self, item: T) -> Option<u32> {
        let hash = self.key.hash(&item.address());
        let index = self.slab.insert(item).ok()?;
        if self.by_address.insert(hash, index) {
            return Some(index);
        }
        self.slab.remove(index);
        None
    }

    /// Removes the item at `index`. Returns whether there was an item.
    pub(crate) fn remove(&mut self, index: u32) -> bool {
        let Some(item) = self.slab.item(index) else { return false };
        self.by_address.remove(self.key.hash(&item.address()), index);
        self.slab.remove(index)
    }

    /// Applies `change` to an item, and moves the item to its new address.
    ///
    /// Returns the result of `change`; `None` if there is no such item.
    pub(crate) fn rekey<C>(&mut self, index: u32, change: impl FnOnce(&mut T) -> C) -> Option<C> {
        let item = self.slab.item_mut(index)?;
        let old = item.address();
        let changed = change(item);
        let new = item.address();
        self.by_address.remove(self.key.hash(&old), index);
        self.by_address.insert(self.key.hash(&new), index);
        Some(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::FixedTables;
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Item(u8, &'static str);

    impl Addressed for Item {
        type Address = u8;

        fn address(&self) -> u8 {
            self.0
        }
    }

    #[test]
    fn items_of_one_address_are_found_and_counted() {
        let mut table = AddressTable::<Item, FixedTables<3>>::new(HashKey([1; 16]));
        let (a, b, c) = (Item(1, "a"), Item(2, "b"), Item(1, "c"));
        assert_eq!([a, b, c].map(|item| table.insert(item)), [Some(0), Some(1), Some(2)]);
        assert_eq!(table.insert(b), None, "the table is full");
        assert_eq!((table.count_at(1), table.count_at(2), table.count_at(3)), (2, 1, 0));
        assert_eq!(table.find_at(1, |_, item| item.1 == "a"), Some(0));
        let first = table.find_at(1, |_, _| true).unwrap();
        assert_eq!(table.next_at(1, first), Some(2 - first));
        assert_eq!(table.rekey(1, |item| core::mem::replace(&mut item.0, 1)), Some(2));
        assert_eq!((table.count_at(1), table.count_at(2)), (3, 0));
        assert_eq!(table.clone().count_at(1), 3);
    }

    #[test]
    fn the_id_of_a_removed_item_does_not_find_a_later_item() {
        let mut table = AddressTable::<Item, FixedTables<1>>::new(HashKey([1; 16]));
        let index = table.insert(Item(1, "a")).unwrap();
        let id = table.id(index);
        assert_eq!(table.find(id), Some(&Item(1, "a")));
        assert_eq!((table.remove(index), table.remove(index)), (true, false));
        assert_eq!(table.insert(Item(1, "b")), Some(index));
        assert_eq!((table.find(id), table.len()), (None, 1));
    }
}
