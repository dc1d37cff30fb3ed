//! The number of entries of each host and of the backlog, by quota.

use super::address_state::{HostQuota, Quotas};
use crate::tables::{HashKey, Index, Slab, TableMemory};
use core::hash::Hash;

/// The number of entries of a host, by quota.
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

    const fn of(&mut self, quota: HostQuota) -> &mut u32 {
        match quota {
            HostQuota::Validated => &mut self.validated,
            HostQuota::Unvalidated => &mut self.unvalidated,
        }
    }
}

/// The number of entries of one table, by host and quota. A host without an entry takes no memory.
#[derive(Clone)]
pub(super) struct QuotaCounts<H, M: TableMemory> {
    key: HashKey,
    counts: Slab<Count<H>, M>,
    index: Index<M>,
    /// The number of entries that count for the quota of the backlog.
    half_open: usize,
}

#[derive(Clone)]
struct Count<H> {
    host: H,
    entries: Entries,
}

impl<H: Copy + Eq + Hash, M: TableMemory> QuotaCounts<H, M> {
    pub(super) fn new(key: HashKey) -> Self {
        Self { key, counts: Slab::new(), index: Index::new(), half_open: 0 }
    }

    /// The number of open handshakes with unvalidated addresses, which count for the quota of the backlog.
    pub(super) const fn half_open(&self) -> usize {
        self.half_open
    }

    /// The number of entries of this host.
    #[inline]
    pub(super) fn of(&self, host: H) -> Entries {
        self.find(self.key.hash(&host), host)
            .and_then(|index| self.counts.item(index))
            .map_or_else(Entries::default, |count| count.entries)
    }

    /// All hosts that have an entry, in any order.
    #[cfg(feature = "arbitrary")]
    pub(super) fn hosts(&self) -> impl Iterator<Item = H> + '_ {
        self.counts.iter().map(|(_, count)| count.host)
    }

    /// Whether one more host can be counted.
    pub(super) fn has_room(&self) -> bool {
        (self.counts.len() as usize) < M::CAPACITY
    }

    /// Counts a new entry. Returns false if there is no room to count its host.
    pub(super) fn enter(&mut self, host: H, quotas: Quotas) -> bool {
        if let Some(quota) = quotas.host
            && !self.enter_host(host, quota)
        {
            return false;
        }
        self.half_open += usize::from(quotas.backlog);
        true
    }

    /// Stops counting an entry.
    pub(super) fn leave(&mut self, host: H, quotas: Quotas) {
        self.half_open -= usize::from(quotas.backlog);
        if let Some(quota) = quotas.host {
            self.leave_host(host, quota);
        }
    }

    /// Moves an entry between quotas after its state has changed.
    pub(super) fn change(&mut self, host: H, from: Quotas, to: Quotas) {
        self.half_open = self.half_open + usize::from(to.backlog) - usize::from(from.backlog);
        if from.host == to.host {
            return;
        }
        let hash = self.key.hash(&host);
        let Some(index) = self.find(hash, host) else { return };
        let Some(count) = self.counts.item_mut(index) else { return };
        if let Some(quota) = to.host {
            *count.entries.of(quota) += 1;
        }
        if let Some(quota) = from.host {
            *count.entries.of(quota) -= 1;
        }
        self.forget_if_empty(hash, index);
    }

    /// Counts one more entry for a host. Returns false if there is no room for another host.
    pub(super) fn enter_host(&mut self, host: H, quota: HostQuota) -> bool {
        let hash = self.key.hash(&host);
        if let Some(count) = self.find(hash, host).and_then(|index| self.counts.item_mut(index)) {
            *count.entries.of(quota) += 1;
            return true;
        }
        let mut entries = Entries::default();
        *entries.of(quota) += 1;
        let Ok(index) = self.counts.insert(Count { host, entries }) else { return false };
        let added = self.index.insert(hash, index);
        if !added {
            self.counts.remove(index);
        }
        added
    }

    /// Stops counting one entry for a host.
    pub(super) fn leave_host(&mut self, host: H, quota: HostQuota) {
        let hash = self.key.hash(&host);
        let Some(index) = self.find(hash, host) else { return };
        if let Some(count) = self.counts.item_mut(index) {
            *count.entries.of(quota) -= 1;
            self.forget_if_empty(hash, index);
        }
    }

    fn forget_if_empty(&mut self, hash: u64, index: u32) {
        if self.counts.item(index).is_some_and(|count| count.entries.all() == 0) {
            self.index.remove(hash, index);
            self.counts.remove(index);
        }
    }

    fn find(&self, hash: u64, host: H) -> Option<u32> {
        self.index.find(hash, |index| self.counts.item(index).is_some_and(|count| count.host == host))
    }
}

#[cfg(test)]
mod tests {
    use super::super::address_state::{AddressState, Transition};
    use super::*;
    use crate::tables::FixedTables;

    fn of(counts: &QuotaCounts<u8, FixedTables<2>>, host: u8) -> (u32, u32) {
        let Entries { validated, unvalidated } = counts.of(host);
        (validated, unvalidated)
    }

    #[test]
    fn each_host_is_counted_apart_and_forgotten_when_empty() {
        let mut counts = QuotaCounts::<u8, FixedTables<2>>::new(HashKey([1; 16]));
        let (validated, half_open) = (AddressState::new(true).quotas(), AddressState::new(false).quotas());
        assert!(counts.enter(1, half_open) && counts.enter(1, validated) && counts.enter(2, half_open));
        assert!(!counts.enter(3, validated), "no room for a third host");
        assert_eq!(([1, 2, 3].map(|host| of(&counts, host)), counts.half_open()), ([(1, 1), (0, 1), (0, 0)], 2));
        counts.leave(2, half_open);
        counts.leave_host(2, HostQuota::Unvalidated);
        assert!(counts.enter(3, validated));
        assert_eq!(([1, 2, 3].map(|host| of(&counts, host)), counts.half_open()), ([(1, 1), (0, 0), (1, 0)], 1));
    }

    #[test]
    fn a_change_of_state_moves_an_entry_between_quotas() {
        let mut counts = QuotaCounts::<u8, FixedTables<2>>::new(HashKey([1; 16]));
        let mut state = AddressState::new(false);
        assert!(counts.enter(1, state.quotas()));
        let mut after = |transition| {
            let before = state.quotas();
            state.apply(transition);
            counts.change(1, before, state.quotas());
            (of(&counts, 1), counts.half_open())
        };
        assert_eq!(after(Transition::HandshakeOver), ((0, 1), 0));
        assert_eq!(after(Transition::Validated), ((1, 0), 0));
        assert_eq!(after(Transition::Evicted), ((0, 0), 0));
    }
}
