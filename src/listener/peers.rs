//! The table of connections by index, id, address and tag, with their quotas and path validations.

use super::Address;
use super::address_state::{AddressState, HostQuota, Transition};
use super::path_validation::{Ending, Paths};
use super::quotas::{Entries, QuotaCounts};
use crate::Instant;
use crate::tables::{AddressTable, Addressed, HashKey, Index, PeerTable, Scheduler, Slab, TableMemory};
use crate::wire::Tag;
use core::num::NonZeroU32;
use core::ops::Deref;

/// A connection with its address, or an address in quarantine.
#[derive(Clone)]
pub(super) struct Peer<A, C> {
    pub(super) address: A,
    /// The tag that datagrams from the peer start with; `None` in base mode.
    pub(super) tag: Option<Tag>,
    /// The number of the handshake. A lower ticket means an older handshake.
    pub(super) ticket: u64,
    state: AddressState,
    paths: Option<PathsId>,
    pub(super) lifecycle: Lifecycle<C>,
}

/// The connection of a peer, or the quarantine of its address.
#[derive(Clone)]
pub(super) enum Lifecycle<C> {
    /// A connection. `is_held` is true until the application releases the connection.
    Live { connection: C, is_held: bool },
    /// A connection of base mode has ended. Its late packets must not reach a new connection of the same address.
    ///
    /// It is also the placeholder while an entry has no connection, in `accept` and `reclaim`.
    Quarantined { until: Instant },
}

/// The index of the [`Paths`] of a peer plus one, so that an `Option` of it takes no extra memory.
#[derive(Clone, Copy)]
struct PathsId(NonZeroU32);

impl PathsId {
    fn new(index: u32) -> Option<Self> {
        NonZeroU32::new(index.wrapping_add(1)).map(Self)
    }

    const fn index(self) -> u32 {
        self.0.get() - 1
    }
}

impl<A, C> Peer<A, C> {
    /// Reserves a place for a connection that does not exist yet.
    pub(super) const fn reserved(address: A, tag: Option<Tag>, ticket: u64, state: AddressState, now: Instant) -> Self {
        Self { address, tag, ticket, state, paths: None, lifecycle: Lifecycle::Quarantined { until: now } }
    }

    pub(super) const fn connection(&self) -> Option<&C> {
        match &self.lifecycle {
            Lifecycle::Live { connection, .. } => Some(connection),
            Lifecycle::Quarantined { .. } => None,
        }
    }

    pub(super) const fn connection_mut(&mut self) -> Option<&mut C> {
        match &mut self.lifecycle {
            Lifecycle::Live { connection, .. } => Some(connection),
            Lifecycle::Quarantined { .. } => None,
        }
    }

    /// The connection, unless the application has released it.
    pub(super) const fn held(&self) -> Option<&C> {
        match &self.lifecycle {
            Lifecycle::Live { connection, is_held: true } => Some(connection),
            Lifecycle::Live { is_held: false, .. } | Lifecycle::Quarantined { .. } => None,
        }
    }

    /// The connection, unless the application has released it.
    pub(super) const fn held_mut(&mut self) -> Option<&mut C> {
        match &mut self.lifecycle {
            Lifecycle::Live { connection, is_held: true } => Some(connection),
            Lifecycle::Live { is_held: false, .. } | Lifecycle::Quarantined { .. } => None,
        }
    }

    /// The state of the address.
    pub(super) const fn state(&self) -> AddressState {
        self.state
    }

    /// Whether a datagram of the peer has come from another address.
    pub(super) const fn has_paths(&self) -> bool {
        self.paths.is_some()
    }
}

impl<A: Address, C> Addressed for Peer<A, C> {
    type Address = A;

    fn address(&self) -> A {
        self.address
    }
}

/// All peers. Dereferences to its [`AddressTable`].
#[derive(Clone)]
pub(super) struct Peers<A: Address, C, M: TableMemory> {
    table: PeerTable<Peer<A, C>, M>,
    by_tag: Index<M>,
    quotas: QuotaCounts<A::Host, M>,
    paths: Slab<Paths<A>, M>,
}

impl<A: Address, C, M: TableMemory> Peers<A, C, M> {
    pub(super) fn new(key: HashKey) -> Self {
        Self { table: PeerTable::new(key), by_tag: Index::new(), quotas: QuotaCounts::new(key), paths: Slab::new() }
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Peer<A, C>> {
        self.table.get_mut(index)
    }

    #[inline]
    pub(super) const fn scheduler(&self) -> &Scheduler<M> {
        &self.table.scheduler
    }

    #[inline]
    pub(super) const fn scheduler_mut(&mut self) -> &mut Scheduler<M> {
        &mut self.table.scheduler
    }

    /// The peer whose tag `datagram` starts with.
    #[inline]
    pub(super) fn find_tagged(&self, datagram: &[u8]) -> Option<u32> {
        self.find_tag(Tag::new(*datagram.first_chunk()?))
    }

    #[inline]
    pub(super) fn find_tag(&self, tag: Tag) -> Option<u32> {
        let is = |index| self.table.get(index).is_some_and(|peer| peer.tag == Some(tag));
        self.by_tag.find(self.hash_of(tag), is)
    }

    fn hash_of(&self, tag: Tag) -> u64 {
        self.table.key().hash(&u64::from_ne_bytes(*tag.as_bytes()))
    }

    /// Adds a peer, counts it for its quotas, and returns its index; `None` if there is no room.
    pub(super) fn insert(&mut self, peer: Peer<A, C>) -> Option<u32> {
        let (host, tag, quotas) = (peer.address.host(), peer.tag, peer.state.quotas());
        if !self.quotas.enter(host, quotas) {
            return None;
        }
        let Some(index) = self.table.insert(peer) else {
            self.quotas.leave(host, quotas);
            return None;
        };
        if tag.is_none_or(|tag| self.by_tag.insert(self.hash_of(tag), index)) {
            return Some(index);
        }
        self.remove(index);
        None
    }

    pub(super) fn remove(&mut self, index: u32) {
        self.evict(index);
        if let Some(tag) = self.table.get(index).and_then(|peer| peer.tag) {
            self.by_tag.remove(self.hash_of(tag), index);
        }
        self.table.remove(index);
    }

    /// The number of peers of this host, by quota.
    pub(super) fn of_host(&self, host: A::Host) -> Entries {
        self.quotas.of(host)
    }

    /// Whether one more host can be counted.
    pub(super) fn has_room_for_host(&self) -> bool {
        self.quotas.has_room()
    }

    /// The number of half-open peers, which count for the quota of the backlog.
    pub(super) const fn half_open(&self) -> usize {
        self.quotas.half_open()
    }

    /// Records that the handshake is over: the peer no longer counts for the quota of the backlog.
    pub(super) fn on_handshake_over(&mut self, index: u32) {
        self.apply(index, Transition::HandshakeOver);
    }

    /// Records that the address of the peer is validated.
    pub(super) fn on_validated(&mut self, index: u32) {
        self.apply(index, Transition::Validated);
    }

    /// Removes the peer from all quotas, and forgets its other addresses.
    pub(super) fn evict(&mut self, index: u32) {
        self.forget_paths(index);
        self.apply(index, Transition::Evicted);
    }

    fn apply(&mut self, index: u32, transition: Transition) {
        let Some(peer) = self.table.get_mut(index) else { return };
        let before = peer.state.quotas();
        peer.state.apply(transition);
        let (host, after) = (peer.address.host(), peer.state.quotas());
        self.quotas.change(host, before, after);
    }

    /// The addresses of this peer, if a datagram has come from another address.
    pub(super) fn paths(&self, index: u32) -> Option<&Paths<A>> {
        self.paths.item(self.table.get(index)?.paths?.index())
    }

    /// The addresses of this peer; `None` if there is no room.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn paths_or_new(&mut self, index: u32, now: Instant) -> Option<&mut Paths<A>> {
        let peer = self.table.get_mut(index)?;
        if peer.paths.is_none() {
            // The peer has not moved yet, so its address is that of the handshake.
            peer.paths = PathsId::new(self.paths.insert(Paths::new(peer.address, now)).ok()?);
        }
        self.paths.item_mut(peer.paths?.index())
    }

    /// This peer and its addresses, if a datagram has come from another address.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn with_paths_mut(&mut self, index: u32) -> Option<(&mut Peer<A, C>, &mut Paths<A>)> {
        let peer = self.table.get_mut(index)?;
        let paths = self.paths.item_mut(peer.paths?.index())?;
        Some((peer, paths))
    }

    /// Ends the path validation, and frees the quota that is reserved at the host of the other address.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn end_validation(&mut self, index: u32, now: Instant, ending: Ending) {
        if let Some(reserved) = self.with_paths_mut(index).and_then(|(_, paths)| paths.end(now, ending)) {
            self.quotas.leave_host(reserved.host(), HostQuota::Validated);
        }
    }

    /// Forgets the other addresses of a peer, with the path validation and its quota.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn forget_paths(&mut self, index: u32) {
        let Some(id) = self.table.get_mut(index).and_then(|peer| peer.paths.take()) else { return };
        if let Some(reserved) = self.paths.take(id.index()).and_then(|paths| paths.reserved()) {
            self.quotas.leave_host(reserved.host(), HostQuota::Validated);
        }
    }

    /// Moves the peer to the other address.
    ///
    /// If the new address belongs to another host, the quota at the old host stays reserved. Returns false if there is
    /// no room to count the new host. In this case nothing changes.
    pub(super) fn migrate(&mut self, index: u32, now: Instant) -> bool {
        let Some((old, Some(new))) = self.with_paths_mut(index).map(|(peer, paths)| (peer.address, paths.other()))
        else {
            return false;
        };
        let other_host = old.host() != new.host();
        if other_host && !self.quotas.enter_host(new.host(), HostQuota::Validated) {
            return false;
        }
        self.table.rekey(index, |peer| peer.address = new);
        if let Some((_, paths)) = self.with_paths_mut(index) {
            paths.on_migrated(now, old, other_host);
        }
        true
    }

    /// Moves the peer back to the old address, whose quota was reserved, and ends the path validation.
    pub(super) fn revert(&mut self, index: u32, now: Instant) {
        let Some((peer, paths)) = self.with_paths_mut(index) else { return };
        let (Some(old), new) = (paths.other(), peer.address) else { return };
        paths.on_reverted(new);
        self.table.rekey(index, |peer| peer.address = old);
        self.end_validation(index, now, Ending::Failed);
    }

    /// All hosts that a peer or a path validation counts for, in any order.
    #[cfg(feature = "arbitrary")]
    pub(super) fn hosts(&self) -> impl Iterator<Item = A::Host> + '_ {
        self.quotas.hosts()
    }

    /// The addresses of all peers that have used more than one, in any order.
    #[cfg(feature = "arbitrary")]
    pub(super) fn all_paths(&self) -> impl Iterator<Item = &Paths<A>> + '_ {
        self.paths.iter().map(|(_, paths)| paths)
    }
}

impl<A: Address, C, M: TableMemory> Deref for Peers<A, C, M> {
    type Target = AddressTable<Peer<A, C>, M>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.table
    }
}
