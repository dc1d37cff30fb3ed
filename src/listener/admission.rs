//! Who may wait to be accepted, and who makes way for whom.

use super::backlog::Pending;
use super::stats::increment;
use super::{Address, DropReason, Listener, Retry, TableMemory};
use crate::arq::Arq;
use crate::connection::{Hello, after};
use crate::store::{RecvStore, SendStore};

/// Why somebody may not wait.
pub(super) enum Refusal {
    /// It has to prove its address first.
    Unvalidated,
    Limit(DropReason),
}

/// Who makes way.
pub(super) enum Victim {
    Pending(u32),
    Peer(u32),
}

impl<A: Address, S: SendStore, R: RecvStore, M: TableMemory, Q: Arq> Listener<A, S, R, M, Q> {
    /// Puts a new handshake into the backlog, if the limits allow it.
    pub(super) fn admit(&mut self, from: A, hello: Hello, validated: bool) -> Result<(), Refusal> {
        let host = self.of_host(from.host());
        let may_be = self.config.per_host;
        // A client that has restarted takes the place of its old connection.
        let validated_full = host.validated as usize >= may_be;
        if validated_full && self.find_predecessor(from, self.ticket).is_none() {
            return Err(Refusal::Limit(DropReason::HostLimit));
        }
        // Half of the places that there are, not of those that were asked for.
        let backlog = self.config.backlog.min(M::CAPACITY);
        let (may_validate, unvalidated) =
            (hello.tag.is_some() && self.config.retry != Retry::Never, self.unvalidated());
        let asks = match self.config.retry {
            Retry::Always => true,
            // Nor may they take more than half of the connections.
            Retry::Auto => unvalidated >= backlog.min(self.config.peers) / 2,
            Retry::Never => false,
        };
        // Those who pretend to be of a host keep out others who do, and nobody who is.
        let host_full = host.all() as usize >= may_be;
        let crowded = !self.has_room_at(from);
        if may_validate && !validated && (asks || host_full || crowded) {
            return Err(Refusal::Unvalidated);
        }
        if !validated && host_full {
            return Err(Refusal::Limit(DropReason::HostLimit));
        }
        let victim = if crowded && validated { self.find_victim(from) } else { None };
        if crowded && victim.is_none() {
            return Err(Refusal::Limit(DropReason::AddressLimit));
        }
        // Who has restarted in a full host counts as validated once it is confirmed: until then its old connection has that place.
        let counts = validated && !validated_full;
        // Nobody goes before it is clear that the newcomer fits.
        let pending = self.backlog.len() - usize::from(matches!(victim, Some(Victim::Pending(_))));
        if pending >= backlog || (!counts && unvalidated >= backlog) {
            return Err(Refusal::Limit(DropReason::BacklogFull));
        }
        // Its place is needed.
        let victim = match victim {
            Some(pending @ Victim::Pending(_)) => {
                self.evict_victim(pending);
                None
            }
            peer => peer,
        };
        let until = after(self.now, self.config.connection.handshake_limit);
        let pending = Pending { address: from, hello, ticket: self.ticket, until, validated: counts };
        if !self.backlog.insert(pending) {
            return Err(Refusal::Limit(DropReason::BacklogFull));
        }
        self.ticket += 1;
        increment(&mut self.stats.queued);
        self.stats.validated = self.stats.validated.saturating_add(validated.into());
        if let Some(peer) = victim {
            self.evict_victim(peer);
        }
        Ok(())
    }

    /// A connection of this address that is one of the validated entries of its host, and began before this ticket: its place goes
    /// to the one with the ticket when that is confirmed.
    pub(super) fn find_predecessor(&self, address: A, ticket: u64) -> Option<u32> {
        self.peers.find_at(address, |_, peer| peer.validated && peer.counted && peer.ticket < ticket)
    }

    /// This one is no entry of any host any more.
    pub(super) fn drop_quota(&mut self, index: u32) {
        self.end_validation(index);
        self.peers.discount(index);
    }

    /// Who makes way at an address for somebody who receives there: one that has not validated as much.
    pub(super) fn find_victim(&self, address: A) -> Option<Victim> {
        let pending = self.backlog.find_at(address, |pending| !pending.validated).map(Victim::Pending);
        pending.or_else(|| self.peers.find_at(address, |_, peer| peer.half_open).map(Victim::Peer))
    }

    pub(super) fn evict_victim(&mut self, victim: Victim) {
        match victim {
            Victim::Pending(index) => self.evict_pending(index),
            Victim::Peer(index) => {
                self.on_handshake_over(index);
                self.evict(index);
            }
        }
    }

    pub(super) fn evict_pending(&mut self, index: u32) {
        self.backlog.remove(index);
        increment(&mut self.stats.evicted);
        increment(&mut self.stats.evicted_pending);
    }

    pub(super) fn evict(&mut self, index: u32) {
        let now = self.now;
        self.drop_quota(index);
        let Some(peer) = self.peers.peer_mut(index) else { return };
        if let Some(connection) = peer.connection_mut() {
            connection.evict(now);
            increment(&mut self.stats.evicted);
        }
        self.peers.scheduler.mark_changed(index);
        self.peers.scheduler.mark_event(index);
    }
}
