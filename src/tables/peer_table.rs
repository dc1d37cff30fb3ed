//! The peers of a listener, and their schedule.

use super::{AddressTable, Addressed, HashKey, Scheduler, TableMemory};
use core::ops::Deref;

/// Peers by index, id and address, each with an entry in the [`Scheduler`].
///
/// The table dereferences to its [`AddressTable`].
#[derive(Clone)]
pub(crate) struct PeerTable<T, M: TableMemory> {
    peers: AddressTable<T, M>,
    pub(crate) scheduler: Scheduler<M>,
}

impl<T: Addressed, M: TableMemory> PeerTable<T, M> {
    /// An empty table that hashes addresses with `key`.
    pub(crate) fn new(key: HashKey) -> Self {
        Self { peers: AddressTable::new(key), scheduler: Scheduler::new() }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.peers.get_mut(index)
    }

    /// Adds a peer that is ready to send, and returns its index; `None` if the table is full.
    ///
    /// The call also reserves the memory that the scheduler needs for this peer.
    pub(crate) fn insert(&mut self, peer: T) -> Option<u32> {
        let index = self.peers.insert(peer)?;
        if self.scheduler.add(index) {
            return Some(index);
        }
        self.remove(index);
        None
    }

    pub(crate) fn remove(&mut self, index: u32) {
        if self.peers.remove(index) {
            self.scheduler.remove(index);
        }
    }

    /// Applies `change` to a peer, and moves the peer to its new address.
    ///
    /// Returns the result of `change`; `None` if there is no such peer.
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
