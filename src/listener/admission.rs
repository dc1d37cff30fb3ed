//! Who may wait to be accepted, and who makes way for whom.

use super::backlog::Waiting;
use super::stats::increment;
use super::{Address, Listener, Memory, Retry, Unrouted};
use crate::arq::Arq;
use crate::connection::{Hello, after};
use crate::store::{RecvStore, SendStore};

/// Why somebody may not wait.
pub(super) enum Refusal {
    /// It has to prove its address first.
    Unproven,
    Limit(Unrouted),
}

impl<A: Address, S: SendStore, R: RecvStore, M: Memory, Q: Arq> Listener<A, S, R, M, Q> {
    /// Puts a new handshake into the backlog, if the limits allow it.
    pub(super) fn admit(&mut self, from: A, hello: Hello, proven: bool) -> Result<(), Refusal> {
        let host = self.of_host(from.host());
        let may_be = self.config.per_host;
        if host.proven as usize >= may_be {
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
        let crowded = self.peers.count(from) + self.backlog.count(from) >= self.config.per_address;
        if may_prove && !proven && (asks || host_full || crowded) {
            return Err(Refusal::Unproven);
        }
        if !proven && host_full {
            return Err(Refusal::Limit(Unrouted::HostLimit));
        }
        if crowded && !(proven && self.displace(from)) {
            return Err(Refusal::Limit(Unrouted::AddressLimit));
        }
        if self.backlog.len() >= backlog || (!proven && unproven >= backlog) {
            return Err(Refusal::Limit(Unrouted::BacklogFull));
        }
        let until = after(self.now, self.config.connection.handshake_limit);
        let waiting = Waiting { address: from, hello, ticket: self.ticket, until, proven };
        if !self.backlog.insert(waiting) {
            return Err(Refusal::Limit(Unrouted::BacklogFull));
        }
        self.ticket += 1;
        Ok(())
    }

    /// Makes room at an address for somebody who receives there: whoever has not proven as much goes. Returns whether
    /// somebody did.
    fn displace(&mut self, address: A) -> bool {
        if let Some(index) = self.backlog.find_at(address, |waiting| !waiting.proven) {
            self.backlog.remove(index);
            increment(&mut self.stats.superseded);
            return true;
        }
        let Some(index) = self.peers.find_at(address, |_, peer| peer.half_open) else { return false };
        self.on_handshake_over(index);
        self.supersede(index);
        true
    }

    pub(super) fn supersede(&mut self, index: u32) {
        let now = self.now;
        let Some(peer) = self.peers.peer_mut(index) else { return };
        if let Some(connection) = peer.connection_mut() {
            connection.supersede(now);
            increment(&mut self.stats.superseded);
        }
        self.peers.ready.push(index);
        self.peers.telling.push(index);
    }
}
