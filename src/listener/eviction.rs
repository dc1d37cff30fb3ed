//! Eviction: a connection or handshake ends, and another one takes its quota.

use super::{Address, Listener, ListenerTypes};
use crate::listener::stats::increment;

/// A half-open entry, which an entry with a validated address may evict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    /// A handshake in the backlog.
    Pending(u32),
    /// A half-open connection.
    Peer(u32),
}

impl<T: ListenerTypes> Listener<T> {
    /// A validated connection of this address that began before `ticket`.
    ///
    /// `ticket` belongs to a new handshake of a restarted client. When the new connection is confirmed, it takes over
    /// the quota of the returned connection.
    pub(super) fn find_predecessor(&self, address: T::Address, ticket: u64) -> Option<u32> {
        self.peers.find_at(address, |_, peer| peer.state().is_validated() && peer.ticket < ticket)
    }

    /// An entry of this address that can be evicted.
    pub(super) fn find_victim(&self, address: T::Address) -> Option<Victim> {
        let pending = self.backlog.find_at(address, |pending| pending.state().is_half_open()).map(Victim::Pending);
        pending.or_else(|| self.peers.find_at(address, |_, peer| peer.state().is_half_open()).map(Victim::Peer))
    }

    pub(super) fn evict_victim(&mut self, victim: Victim) {
        match victim {
            Victim::Pending(index) => self.evict_pending(index),
            Victim::Peer(index) => self.evict(index),
        }
    }

    fn evict_pending(&mut self, index: u32) {
        self.backlog.remove(index);
        increment(&mut self.stats.evicted);
        increment(&mut self.stats.evicted_pending);
    }

    /// Ends a connection without a packet to its peer. From now on it counts for no quota, even before its release.
    pub(super) fn evict(&mut self, index: u32) {
        let now = self.now;
        self.peers.evict(index);
        let Some(peer) = self.peers.get_mut(index) else { return };
        if let Some(connection) = peer.connection_mut() {
            connection.evict(now);
            increment(&mut self.stats.evicted);
        }
        self.peers.scheduler_mut().mark_changed(index);
        self.peers.scheduler_mut().mark_event(index);
    }

    /// Handles the arrival of INFO 0.
    ///
    /// In extended mode INFO 0 validates the address. If the address has older entries, the client has restarted, and
    /// these entries are obsolete.
    pub(super) fn on_confirmed(&mut self, index: u32) {
        self.peers.on_handshake_over(index);
        let Some(peer) = self.peers.get(index) else { return };
        let (address, ticket, Some(_)) = (peer.address, peer.ticket, peer.tag) else { return };
        if !peer.state().is_validated() && !self.has_room_for_validated(address.host()) {
            let Some(predecessor) = self.find_predecessor(address, ticket) else {
                // The validated quota of the host is full.
                let code = self.config.busy.map_or(0, |busy| busy.code);
                if let Some(connection) = self.peers.get_mut(index).and_then(|peer| peer.connection_mut()) {
                    connection.evict_with_reset(self.now, code);
                }
                self.evict(index);
                return;
            };
            self.peers.evict(predecessor);
        }
        self.evict_older(address, ticket);
        self.peers.on_validated(index);
    }

    /// Evicts all entries of an address that began before this ticket and have not ended.
    fn evict_older(&mut self, address: T::Address, ticket: u64) {
        let mut next = self.peers.find_at(address, |_, _| true);
        while let Some(other) = next {
            next = self.peers.next_at(address, other);
            let is_older = self.peers.get(other).is_some_and(|peer| {
                peer.ticket < ticket && peer.connection().is_some_and(|connection| connection.ended().is_none())
            });
            if is_older {
                self.evict(other);
            }
        }
        let mut next = self.backlog.find_at(address, |_| true);
        while let Some(other) = next {
            next = self.backlog.next_at(address, other);
            if self.backlog.get(other).is_some_and(|pending| pending.ticket < ticket) {
                self.evict_pending(other);
            }
        }
    }
}
