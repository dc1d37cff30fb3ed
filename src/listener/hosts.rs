//! How many entries each host has.

use crate::tables::{Index, Memory, Slab};

/// How many entries a host has, by whether the address of each is proven: others may have been forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Entries {
    pub(super) proven: u32,
    pub(super) unproven: u32,
}

impl Entries {
    pub(super) const fn all(self) -> u32 {
        self.proven.saturating_add(self.unproven)
    }

    pub(super) const fn and(self, other: Self) -> Self {
        let proven = self.proven.saturating_add(other.proven);
        Self { proven, unproven: self.unproven.saturating_add(other.unproven) }
    }

    const fn of(&mut self, proven: bool) -> &mut u32 {
        if proven { &mut self.proven } else { &mut self.unproven }
    }
}

/// The counts of each host that has an entry.
pub(super) struct Hosts<H, M: Memory> {
    counts: Slab<Count<H>, M>,
    index: Index<M>,
}

#[derive(Clone)]
struct Count<H> {
    host: H,
    entries: Entries,
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
    pub(super) fn of(&self, hash: u64, host: H) -> Entries {
        self.find(hash, host)
            .and_then(|index| self.counts.item(index))
            .map_or_else(Entries::default, |count| count.entries)
    }

    /// Whether one more host can be counted.
    pub(super) fn has_room(&self) -> bool {
        (self.counts.len() as usize) < M::CAPACITY
    }

    /// One more. False where there is no room to count it.
    pub(super) fn add(&mut self, hash: u64, host: H, proven: bool) -> bool {
        if let Some(count) = self.find(hash, host).and_then(|index| self.counts.item_mut(index)) {
            *count.entries.of(proven) += 1;
            return true;
        }
        let mut entries = Entries::default();
        *entries.of(proven) += 1;
        let Ok(index) = self.counts.insert(Count { host, entries }) else { return false };
        let added = self.index.insert(hash, index);
        if !added {
            self.counts.remove(index);
        }
        added
    }

    /// One less.
    pub(super) fn subtract(&mut self, hash: u64, host: H, proven: bool) {
        let Some(index) = self.find(hash, host) else { return };
        let Some(count) = self.counts.item_mut(index) else { return };
        *count.entries.of(proven) -= 1;
        if count.entries.all() == 0 {
            self.index.remove(hash, index);
            self.counts.remove(index);
        }
    }

    /// One that was not proven is.
    pub(super) fn prove(&mut self, hash: u64, host: H) {
        if let Some(count) = self.find(hash, host).and_then(|index| self.counts.item_mut(index)) {
            count.entries.unproven -= 1;
            count.entries.proven += 1;
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
        let of = |hosts: &Hosts<u8, Fixed<2>>, hash, host| {
            let Entries { proven, unproven } = hosts.of(hash, host);
            (proven, unproven)
        };
        // Both fall into one chain.
        assert!(hosts.add(7, 1, false) && hosts.add(7, 1, true) && hosts.add(7, 2, false));
        assert!(!hosts.add(8, 3, true), "no room");
        assert_eq!((of(&hosts, 7, 1), of(&hosts, 7, 2), of(&hosts, 8, 3)), ((1, 1), (0, 1), (0, 0)));
        hosts.prove(7, 1);
        hosts.subtract(7, 2, false);
        hosts.subtract(7, 2, false);
        assert!(hosts.add(8, 3, true));
        assert_eq!((of(&hosts, 7, 1), of(&hosts, 7, 2), of(&hosts, 8, 3)), ((2, 0), (0, 0), (1, 0)));
        hosts.subtract(7, 1, true);
        assert_eq!(hosts.of(7, 1).all(), 1);
    }
}
