//! How many entries each host has.

use crate::tables::Index;
use crate::tables::Memory;
use crate::tables::Slab;

/// A count for each host that has an entry.
pub(super) struct Hosts<H, M: Memory> {
    counts: Slab<Count<H>, M>,
    index: Index<M>,
}

#[derive(Clone)]
struct Count<H> {
    host: H,
    entries: u32,
}

impl<H: Copy + Eq, M: Memory> Hosts<H, M> {
    pub(super) fn new() -> Self {
        Self { counts: Slab::new(), index: Index::new() }
    }

    pub(super) fn duplicate(&self) -> Self {
        Self { counts: self.counts.duplicate(), index: self.index.duplicate() }
    }

    fn find(&self, hash: u64, host: H) -> Option<u32> {
        self.index.find(hash, |index| self.counts.item(index).is_some_and(|count| count.host == host))
    }

    /// How many entries this host has.
    pub(super) fn of(&self, hash: u64, host: H) -> u32 {
        self.find(hash, host).and_then(|index| self.counts.item(index)).map_or(0, |count| count.entries)
    }

    /// One more. False where there is no room to count it.
    pub(super) fn add(&mut self, hash: u64, host: H) -> bool {
        if let Some(count) = self.find(hash, host).and_then(|index| self.counts.item_mut(index)) {
            count.entries += 1;
            return true;
        }
        let Ok(index) = self.counts.insert(Count { host, entries: 1 }) else { return false };
        let added = self.index.insert(hash, index);
        if !added {
            self.counts.remove(index);
        }
        added
    }

    /// One less.
    pub(super) fn subtract(&mut self, hash: u64, host: H) {
        let Some(index) = self.find(hash, host) else { return };
        let Some(count) = self.counts.item_mut(index) else { return };
        count.entries -= 1;
        if count.entries == 0 {
            self.index.remove(hash, index);
            self.counts.remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Fixed;

    #[test]
    fn counts_each_host_by_itself_and_forgets_those_that_left() {
        let mut hosts: Hosts<u8, Fixed<2>> = Hosts::new();
        // Both fall into one chain.
        assert!(hosts.add(7, 1) && hosts.add(7, 1) && hosts.add(7, 2));
        assert!(!hosts.add(8, 3), "no room");
        assert_eq!((hosts.of(7, 1), hosts.of(7, 2), hosts.of(8, 3)), (2, 1, 0));
        hosts.subtract(7, 2);
        hosts.subtract(7, 2);
        assert!(hosts.add(8, 3));
        assert_eq!((hosts.of(7, 1), hosts.of(7, 2), hosts.of(8, 3)), (2, 0, 1));
    }
}
