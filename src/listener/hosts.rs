//! How many entries each host has.

use crate::tables::{Index, Slab, TableMemory};

/// How many entries a host has, by whether the address of each is validated: others may have been forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Entries {
    pub(super) validated: u32,
    pub(super) unvalidated: u32,
}

impl Entries {
    pub(super) const fn all(self) -> u32 {
        self.validated.saturating_add(self.unvalidated)
    }

    pub(super) const fn and(self, other: Self) -> Self {
        let validated = self.validated.saturating_add(other.validated);
        Self { validated, unvalidated: self.unvalidated.saturating_add(other.unvalidated) }
    }

    const fn of(&mut self, validated: bool) -> &mut u32 {
        if validated { &mut self.validated } else { &mut self.unvalidated }
    }
}

/// The counts of each host that has an entry.
pub(super) struct Hosts<H, M: TableMemory> {
    counts: Slab<Count<H>, M>,
    index: Index<M>,
}

#[derive(Clone)]
struct Count<H> {
    host: H,
    entries: Entries,
}

impl<H: Copy + Eq, M: TableMemory> Hosts<H, M> {
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
    pub(super) fn add(&mut self, hash: u64, host: H, validated: bool) -> bool {
        if let Some(count) = self.find(hash, host).and_then(|index| self.counts.item_mut(index)) {
            *count.entries.of(validated) += 1;
            return true;
        }
        let mut entries = Entries::default();
        *entries.of(validated) += 1;
        let Ok(index) = self.counts.insert(Count { host, entries }) else { return false };
        let added = self.index.insert(hash, index);
        if !added {
            self.counts.remove(index);
        }
        added
    }

    /// One less.
    pub(super) fn subtract(&mut self, hash: u64, host: H, validated: bool) {
        let Some(index) = self.find(hash, host) else { return };
        let Some(count) = self.counts.item_mut(index) else { return };
        *count.entries.of(validated) -= 1;
        if count.entries.all() == 0 {
            self.index.remove(hash, index);
            self.counts.remove(index);
        }
    }

    /// One that was not validated is.
    pub(super) fn validate(&mut self, hash: u64, host: H) {
        if let Some(count) = self.find(hash, host).and_then(|index| self.counts.item_mut(index)) {
            count.entries.unvalidated -= 1;
            count.entries.validated += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::FixedTables;

    #[test]
    fn counts_each_host_by_itself_and_forgets_those_that_left() {
        let mut hosts: Hosts<u8, FixedTables<2>> = Hosts::new();
        let of = |hosts: &Hosts<u8, FixedTables<2>>, hash, host| {
            let Entries { validated, unvalidated } = hosts.of(hash, host);
            (validated, unvalidated)
        };
        // Both fall into one chain.
        assert!(hosts.add(7, 1, false) && hosts.add(7, 1, true) && hosts.add(7, 2, false));
        assert!(!hosts.add(8, 3, true), "no room");
        assert_eq!((of(&hosts, 7, 1), of(&hosts, 7, 2), of(&hosts, 8, 3)), ((1, 1), (0, 1), (0, 0)));
        hosts.validate(7, 1);
        hosts.subtract(7, 2, false);
        hosts.subtract(7, 2, false);
        assert!(hosts.add(8, 3, true));
        assert_eq!((of(&hosts, 7, 1), of(&hosts, 7, 2), of(&hosts, 8, 3)), ((2, 0), (0, 0), (1, 0)));
        hosts.subtract(7, 1, true);
        assert_eq!(hosts.of(7, 1).all(), 1);
    }
}
