//! The laws that hold after any call.

use super::Run;
use rdt_proto::listener::TableMemory;

impl<M: TableMemory> Run<M> {
    /// Checks the laws that hold after any call.
    ///
    /// After a timeout and a drain, the next deadline must lie in the future. A copy takes these calls, so that the
    /// machine stays as it is.
    pub(super) fn check(&self) {
        let mut copy = Self { traffic: self.traffic, now: self.now, ..Self::new(self.start, self.machine.clone()) };
        copy.pass(copy.now);
        copy.drain();
        let due = copy.machine.poll_timeout();
        assert!(
            due.is_none_or(|due| due > copy.now),
            "after a drain at {:?} the deadline {due:?} must be later",
            copy.now
        );
        assert!(self.machine.len() <= self.max_peers() && self.ids.len() <= self.machine.len());
        assert!(self.machine.backlog_len() <= self.machine.config().backlog.min(M::CAPACITY));
        assert_eq!(self.machine.peers().count(), self.ids.len());
        self.check_stats();
        // Checks the quotas of hosts, addresses and half-open handshakes.
        self.machine.check_invariants();
    }

    /// The maximum number of connections at once.
    pub(super) fn max_peers(&self) -> usize {
        self.machine.config().peers.min(M::CAPACITY)
    }

    /// Checks that each datagram and each handshake is counted once.
    fn check_stats(&self) {
        let stats = self.machine.stats();
        let (dropped, pending) = (stats.dropped.total(), self.machine.backlog_len() as u64);
        assert_eq!(self.datagrams, self.delivered + stats.queued + stats.repeated + stats.retried + dropped);
        let removed = stats.accepted + stats.refused + stats.dismissed + stats.expired + stats.evicted_pending;
        assert_eq!(stats.queued, removed + pending);
    }
}
