//! Who may wait to be accepted, and who makes way for whom.

use super::backlog::Waiting;
use super::stats::increment;
use super::{Address, Listener, Memory, Retry, Unrouted};
use crate::arq::Arq;
use crate::connection::Hello;
use crate::store::{RecvStore, SendStore};
use crate::timing::expiry;

/// Why somebody may not wait.
pub(super) enum Refusal {
    /// It has to prove its address first.
    Unproven,
    Limit(Unrouted),
}

/// Who makes way.
pub(super) enum Displaced {
    Waiting(u32),
    Peer(u32),
}

impl<A: Address, S: SendStore, R: RecvStore, M: Memory, Q: Arq> Listener<A, S, R, M, Q> {
    /// Puts a new handshake into the backlog, if the limits allow it.
    pub(super) fn admit(&mut self, from: A, hello: Hello, proven: bool) -> Result<(), Refusal> {
        let host = self.of_host(from.host());
        let may_be = self.config.per_host;
        // A client that has restarted takes the place of its old connection.
        let proven_full = host.proven as usize >= may_be;
        if proven_full && self.find_predecessor(from, self.ticket).is_none() {
            return Err(Refusal::Limit(Unrouted::HostLimit));
        }
        // Half of the places that there are, not of those that were asked for.
        let backlog = self.config.backlog.min(M::CAPACITY);
        let (may_prove, unproven) = (hello.tag.is_some() && self.config.retry != Retry::Never, self.unproven());
        let asks = match self.config.retry {
            Retry::Always => true,
            // Nor may they take more than half of the connections.
            Retry::Auto => unproven >= backlog.min(self.config.peers) / 2,
            Retry::Never => false,
        };
        // Those who pretend to be of a host keep out others who do, and nobody who is.
        let host_full = host.all() as usize >= may_be;
        let crowded = !self.has_room_at(from);
        if may_prove && !proven && (asks || host_full || crowded) {
            return Err(Refusal::Unproven);
        }
        if !proven && host_full {
            return Err(Refusal::Limit(Unrouted::HostLimit));
        }
        let displaced = if crowded && proven { self.find_displaced(from) } else { None };
        if crowded && displaced.is_none() {
            return Err(Refusal::Limit(Unrouted::AddressLimit));
        }
        // Who has restarted in a full host counts as proven once it is confirmed: until then its old connection has that place.
        let counts = proven && !proven_full;
        // Nobody goes before it is clear that the newcomer fits.
        let waiting = self.backlog.len() - usize::from(matches!(displaced, Some(Displaced::Waiting(_))));
        if waiting >= backlog || (!counts && unproven >= backlog) {
            return Err(Refusal::Limit(Unrouted::BacklogFull));
        }
        // Its place is needed.
        let displaced = match displaced {
            Some(waiting @ Displaced::Waiting(_)) => {
                self.displace(waiting);
                None
            }
            peer => peer,
        };
        let until = expiry(self.now, self.config.connection.handshake_limit);
        let waiting = Waiting { address: from, hello, ticket: self.ticket, until, proven: counts };
        if !self.backlog.insert(waiting) {
            return Err(Refusal::Limit(Unrouted::BacklogFull));
        }
        self.ticket += 1;
        increment(&mut self.stats.queued);
        self.stats.proven = self.stats.proven.saturating_add(proven.into());
        if let Some(peer) = displaced {
            self.displace(peer);
        }
        Ok(())
    }

    /// A connection of this address that is one of the proven entries of its host, and began before this ticket: its place goes
    /// to the one with the ticket when that is confirmed.
    pub(super) fn find_predecessor(&self, address: A, ticket: u64) -> Option<u32> {
        self.peers.find_at(address, |_, peer| peer.proven && peer.counted && peer.ticket < ticket)
    }

    /// This one is no entry of any host any more.
    pub(super) fn give_way(&mut self, index: u32) {
        self.stop_examining(index);
        self.peers.discount(index);
    }

    /// Who makes way at an address for somebody who receives there: one that has not proven as much.
    pub(super) fn find_displaced(&self, address: A) -> Option<Displaced> {
        let waiting = self.backlog.find_at(address, |waiting| !waiting.proven).map(Displaced::Waiting);
        waiting.or_else(|| self.peers.find_at(address, |_, peer| peer.half_open).map(Displaced::Peer))
    }

    pub(super) fn displace(&mut self, displaced: Displaced) {
        match displaced {
            Displaced::Waiting(index) => self.supersede_waiting(index),
            Displaced::Peer(index) => {
                self.on_handshake_over(index);
                self.supersede(index);
            }
        }
    }

    pub(super) fn supersede_waiting(&mut self, index: u32) {
        self.backlog.remove(index);
        increment(&mut self.stats.superseded);
        increment(&mut self.stats.superseded_waiting);
    }

    pub(super) fn supersede(&mut self, index: u32) {
        let now = self.now;
        self.give_way(index);
        let Some(peer) = self.peers.peer_mut(index) else { return };
        if let Some(connection) = peer.connection_mut() {
            connection.evict(now);
            increment(&mut self.stats.superseded);
        }
        self.peers.turns.touch(index);
        self.peers.turns.tell(index);
    }
}
