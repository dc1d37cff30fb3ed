//! The invariants between the tables of a listener and its quotas, for fuzzing.

use super::address_state::{HostQuota, Quotas};
use super::path_validation::Paths;
use super::peers::Peer;
use super::quotas::Entries;
use super::{Address, Listener, ListenerTypes};
use crate::connection::Connection;

/// The host of an address.
type HostOf<T> = <<T as ListenerTypes>::Address as Address>::Host;

impl<T: ListenerTypes> Listener<T> {
    /// Checks that the counts of the quotas equal the tables, and that no limit is exceeded.
    ///
    /// This takes O(n²).
    ///
    /// # Panics
    ///
    /// If an invariant does not hold.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        let peers = || self.peers.iter().map(|(_, peer)| (peer.address, peer.state().quotas()));
        let pending = || self.backlog.iter().map(|(_, pending)| (pending.address, pending.state().quotas()));
        let (open_peers, open_pending) = (peers().filter(is_half_open), pending().filter(is_half_open));
        let half_open = (self.peers.half_open(), self.backlog.half_open());
        assert_eq!(half_open, (open_peers.count(), open_pending.count()), "the half-open counts equal the tables");
        assert!(self.half_open() <= self.config.backlog, "half-open handshakes exceed `backlog`");
        let addresses = || peers().chain(pending()).map(|(address, _)| address);
        addresses().for_each(|address| self.check_address(address));
        // A host without an entry must not be counted.
        let counted = self.peers.hosts().chain(self.backlog.hosts());
        addresses().map(|address| address.host()).chain(counted).for_each(|host| self.check_host(host));
    }

    /// Checks the limit of an address.
    fn check_address(&self, address: T::Address) {
        let limit = self.config.per_address;
        // An evicted connection stays in the table for a while, beside the entry that took its place. So does the
        // quarantine of an address. Neither counts here.
        let evicted = |peer: &Peer<_, Connection<T::Storage>>| {
            !peer.state().is_validated() && peer.connection().is_none_or(|connection| connection.ended().is_some())
        };
        let here = self.peers.iter().filter(|(_, peer)| peer.address == address && !evicted(peer)).count();
        assert!(here + self.backlog.count_at(address) <= limit, "{here} entries exceed `per_address`");
        assert!(self.count_at(address) <= 2 * limit, "{} entries exceed twice `per_address`", self.count_at(address));
    }

    /// Checks the counts of a host, and its limit.
    fn check_host(&self, host: HostOf<T>) {
        let peers = || self.peers.iter().map(|(_, peer)| (peer.address.host(), peer.state().quotas()));
        let pending = || self.backlog.iter().map(|(_, pending)| (pending.address.host(), pending.state().quotas()));
        let mut entries = entries_of(host, peers);
        // A connection that has moved may move back, so it still counts for its old host.
        let reserved = self.peers.all_paths().filter_map(Paths::reserved);
        entries.validated += number_of(reserved.filter(|address| address.host() == host));
        let counted = (self.peers.of_host(host), self.backlog.of_host(host));
        assert_eq!(counted, (entries, entries_of(host, pending)), "the counts of a host equal the tables");
        let Entries { validated, unvalidated } = self.of_host(host);
        let limit = self.config.per_host;
        assert!(validated as usize <= limit, "{validated} validated entries exceed `per_host`");
        assert!(unvalidated as usize <= limit, "{unvalidated} unvalidated entries exceed `per_host`");
    }
}

/// Whether an entry counts for the quota of the backlog.
fn is_half_open<A>((_, quotas): &(A, Quotas)) -> bool {
    quotas.backlog
}

/// The number of entries of a host, by quota.
fn entries_of<H: Eq, I: Iterator<Item = (H, Quotas)>>(host: H, entries: impl Fn() -> I) -> Entries {
    let of = |quota| number_of(entries().filter(|(of, quotas)| *of == host && quotas.host == Some(quota)));
    Entries { validated: of(HostQuota::Validated), unvalidated: of(HostQuota::Unvalidated) }
}

fn number_of(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
