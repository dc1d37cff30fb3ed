//! A hash table of item indexes, with one chain for each bucket.

use super::{Table, TableMemory};

/// The end of a chain.
const END: u32 = u32::MAX;

/// Item indexes by keyed hash.
///
/// Several items may have the same hash; the caller tells them apart. There are at least as many buckets as items, up
/// to the capacity of the memory. A full table doubles its buckets and moves every item, so an insertion is O(1)
/// amortized.
#[derive(Clone)]
pub(crate) struct Index<M: TableMemory> {
    /// The first item of each bucket.
    heads: Table<u32, M>,
    /// The chain link of each item, by the index of the item.
    links: Table<Link, M>,
    /// The number of items.
    used: usize,
}

#[derive(Clone, Copy)]
struct Link {
    /// The upper half of the hash.
    ///
    /// A look-up compares it first, to skip other items of the chain. `grow` computes the new bucket from it.
    hash: u32,
    /// The next item of the chain.
    next: u32,
}

impl<M: TableMemory> Index<M> {
    pub(crate) fn new() -> Self {
        Self { heads: Table::default(), links: Table::default(), used: 0 }
    }

    /// The first item with this hash for which `is` returns true.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let hash = upper(hash);
        let first = *self.heads.as_ref().get(self.bucket(hash))?;
        self.find_from(first, hash, &mut is)
    }

    /// The next item after `item` with this hash for which `is` returns true.
    ///
    /// `item` must be in the table and have this hash.
    pub(crate) fn find_after(&self, hash: u64, item: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let next = self.links.as_ref().get(item as usize)?.next;
        self.find_from(next, upper(hash), &mut is)
    }

    #[inline]
    fn find_from(&self, mut item: u32, hash: u32, is: &mut impl FnMut(u32) -> bool) -> Option<u32> {
        while let Some(link) = self.links.as_ref().get(item as usize) {
            if link.hash == hash && is(item) {
                return Some(item);
            }
            item = link.next;
        }
        None
    }

    /// Adds an item that is not in the table. Returns false if there is no memory for it.
    pub(crate) fn insert(&mut self, hash: u64, item: u32) -> bool {
        while self.links.as_ref().len() <= item as usize {
            if self.links.push(Link { hash: 0, next: END }).is_err() {
                return false;
            }
        }
        if self.used >= self.heads.as_ref().len() {
            self.grow();
        }
        let is_linked = self.link(upper(hash), item);
        self.used += usize::from(is_linked);
        is_linked
    }

    pub(crate) fn remove(&mut self, hash: u64, item: u32) {
        let hash = upper(hash);
        let Some(&Link { next, .. }) = self.links.as_ref().get(item as usize) else { return };
        let bucket = self.bucket(hash);
        let Some(head) = self.heads.as_mut().get_mut(bucket) else { return };
        if *head == item {
            *head = next;
            self.used -= 1;
            return;
        }
        let mut before = *head;
        while let Some(link) = self.links.as_mut().get_mut(before as usize) {
            if link.next == item {
                link.next = next;
                self.used -= 1;
                return;
            }
            before = link.next;
        }
    }

    fn link(&mut self, hash: u32, item: u32) -> bool {
        let bucket = self.bucket(hash);
        let (Some(head), Some(link)) =
            (self.heads.as_mut().get_mut(bucket), self.links.as_mut().get_mut(item as usize))
        else {
            return false;
        };
        *link = Link { hash, next: *head };
        *head = item;
        true
    }

    /// Doubles the number of buckets, as far as the memory allows, and moves every item to its new bucket.
    fn grow(&mut self) {
        let old = self.heads.as_ref().len();
        for _ in 0..old.max(8) {
            if self.heads.push(END).is_err() {
                break;
            }
        }
        if self.heads.as_ref().len() == old {
            return;
        }
        // First all items join one chain, which needs no further memory.
        let mut all = END;
        for bucket in 0..old {
            let Some(head) = self.heads.as_mut().get_mut(bucket) else { break };
            let mut item = core::mem::replace(head, END);
            while let Some(link) = self.links.as_mut().get_mut(item as usize) {
                let next = core::mem::replace(&mut link.next, all);
                all = item;
                item = next;
            }
        }
        while let Some(&Link { hash, next }) = self.links.as_ref().get(all as usize) {
            self.link(hash, all);
            all = next;
        }
    }

    /// The bucket of a hash. Each bucket has an equal share of the range of hashes.
    #[inline]
    fn bucket(&self, hash: u32) -> usize {
        let buckets = self.heads.as_ref().len() as u64;
        usize::try_from(u64::from(hash).wrapping_mul(buckets) >> 32).unwrap_or(usize::MAX)
    }
}

const fn upper(hash: u64) -> u32 {
    let [a, b, c, d, ..] = hash.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::super::{FixedTables, HeapTables};
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// One of seven hashes, spread over the whole range. So few hashes make long chains.
    fn hash(of: u8) -> u64 {
        u64::from(of % 7).wrapping_mul(0x2492_4924_9249_2492)
    }

    fn agrees_with_a_map<M: TableMemory>(items: u32, steps: &[(bool, u32)]) {
        let (mut index, mut model) = (Index::<M>::new(), HashMap::new());
        for &(insert, item) in steps {
            let item = item % items;
            let key = hash(item.to_ne_bytes()[0]);
            if insert && !model.contains_key(&item) {
                assert!(index.insert(key, item));
                model.insert(item, key);
            } else if !insert {
                index.remove(key, item);
                model.remove(&item);
            }
            assert_eq!(index.used, model.len());
            for item in 0..items {
                let key = hash(item.to_ne_bytes()[0]);
                assert_eq!(index.find(key, |found| found == item), model.get(&item).map(|_| item));
                let first = index.find(key, |_| true);
                let walked = core::iter::successors(first, |&item| index.find_after(key, item, |_| true)).count();
                assert_eq!(walked, model.values().filter(|&&of| of == key).count());
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_hash_map(steps in prop::collection::vec((any::<bool>(), any::<u32>()), 0..200)) {
            agrees_with_a_map::<FixedTables<11>>(11, &steps);
            agrees_with_a_map::<HeapTables>(40, &steps);
        }
    }

    #[test]
    fn a_table_without_memory_accepts_no_item() {
        let mut index = Index::<FixedTables<0>>::new();
        assert!(!index.insert(1, 0));
        assert_eq!(index.find(1, |_| true), None);
        index.remove(1, 0);
    }
}
