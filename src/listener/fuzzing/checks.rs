//! The laws that hold after any call.

use super::super::address_state::HostQuota;
use super::super::path_validation::PathValidation;
use super::super::peers::Peer;
use super::{ADDRESSES, FuzzAddress, Run};
use crate::connection::{Connection, Storage};
use crate::listener::{Address, ListenerConfig, TableMemory};

impl<M: TableMemory> Run<M> {
    /// Checks the laws that hold after any call.
    ///
    /// After a timeout and a drain the next deadline lies in the future. This is checked on a copy, so that the machine
    /// stays as it is.
    pub(super) fn check(&self) {
        let mut copy = Self { traffic: self.traffic, now: self.now, ..Self::new(self.start, self.machine.clone()) };
        copy.pass(copy.now);
        copy.drain();
        let due = copy.machine.poll_timeout();
        assert!(due.is_none_or(|due| due > copy.now), "due at {due:?} although all output was sent at {:?}", copy.now);
        let config = &self.machine.config;
        assert!(self.machine.len() <= self.max_peers() && self.ids.len() <= self.machine.len());
        assert!(self.machine.backlog_len() <= config.backlog.min(M::CAPACITY));
        assert!(self.machine.half_open() <= config.backlog);
        assert_eq!(self.machine.peers().count(), self.ids.len());
        self.check_stats();
        (0..ADDRESSES).for_each(|address| self.check_limits_at(FuzzAddress(address)));
    }

    /// The most connections at once.
    pub(super) fn max_peers(&self) -> usize {
        self.machine.config.peers.min(M::CAPACITY)
    }

    /// Checks that each datagram and each handshake is counted once.
    fn check_stats(&self) {
        let stats = self.machine.stats();
        let (dropped, pending) = (stats.dropped.total(), self.machine.backlog_len() as u64);
        assert_eq!(self.datagrams, self.delivered + stats.queued + stats.repeated + stats.retried + dropped);
        let removed = stats.accepted + stats.refused + stats.dismissed + stats.expired + stats.evicted_pending;
        assert_eq!(stats.queued, removed + pending);
    }

    /// Checks the limits of an address and of its host.
    fn check_limits_at(&self, address: FuzzAddress) {
        let ListenerConfig { per_host, per_address, .. } = self.machine.config;
        let (peers, backlog) = (&self.machine.peers, &self.machine.backlog);
        // An evicted connection and a quarantine count for no limit, although they are still in the table.
        let evicted = |peer: &Peer<_, Connection<Storage<_, _, _>>>| {
            !peer.state().is_validated() && peer.connection().is_none_or(|connection| connection.ended().is_some())
        };
        let here = peers.iter().filter(|(_, peer)| peer.address == address && !evicted(peer)).count();
        assert!(here + backlog.count_at(address) <= per_address, "{here} connections at {address:?}");
        assert!(peers.count_at(address) + backlog.count_at(address) <= 2 * per_address);

        let host = address.host();
        let of_host = |quota| {
            let entries = peers.iter().filter(|(_, peer)| peer.address.host() == host);
            let count = entries.filter(|(_, peer)| peer.state().quotas().host == Some(quota)).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        // The old host keeps the quota of a connection that has moved, and may move back.
        let reserved = peers.validations().filter_map(PathValidation::reserved);
        let moved = u32::try_from(reserved.filter(|address| address.host() == host).count()).unwrap_or(u32::MAX);
        let (counted, pending) = (peers.of_host(host), backlog.of_host(host));
        let (validated, unvalidated) = (of_host(HostQuota::Validated), of_host(HostQuota::Unvalidated));
        assert_eq!((validated + moved, unvalidated), (counted.validated, counted.unvalidated), "host {host}");
        assert!((counted.validated + pending.validated) as usize <= per_host, "validated entries of host {host}");
        assert!((counted.unvalidated + pending.unvalidated) as usize <= per_host, "unvalidated entries of host {host}");
    }
}
