//! The peers of a listener, and the schedule by which each gets its turn.

use super::{AddressTable, Addressed, HashKey, Scheduler, TableMemory};
use core::ops::Deref;

/// Peers by number, name and address, each with its place in the [`Scheduler`]. It reads as an [`AddressTable`].
#[derive(Clone)]
pub(crate) struct PeerTable<T, M: TableMemory> {
    peers: AddressTable<T, M>,
    pub(crate) scheduler: Scheduler<M>,
}

impl<T: Addressed, M: TableMemory> PeerTable<T, M> {
    /// An empty table, whose hashes take this key.
    pub(crate) fn new(key: HashKey) -> Self {
        Self { peers: AddressTable::new(key), scheduler: Scheduler::new() }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.peers.get_mut(index)
    }

    /// The place of the new peer, which may have something to send; `None` where there is no room. A peer that has a
    /// place has room for whatever the scheduler may need for it later.
    pub(crate) fn insert(&mut self, peer: T) -> Option<u32> {
        let index = self.peers.insert(peer)?;
        if self.scheduler.add(index) {
            return Some(index);
        }
        self.remove(index);
        None
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let peer = self.peers.remove(index)?;
        self.scheduler.remove(index);
        Some(peer)
    }

    /// Changes a peer in a way that may change its address, too.
    pub(crate) fn rekey<C>(&mut self, index: u32, change: impl FnOnce(&mut T) -> C) -> Option<C> {
        self.peers.rekey(index, change)
    }
}

impl<T, M: TableMemory> Deref for PeerTable<T, M> {
    type Target = AddressTable<T, M>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.peers
    }
}
