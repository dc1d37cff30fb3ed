//! The connections by number, by address and by tag, and when each is to be woken.

use super::Address;
use super::hosts::{Entries, Hosts};
use crate::Instant;
use crate::tables::{HashKey, Index, Scheduler, Slab, TableMemory};
use crate::wire::Tag;

/// No examination of an address is under way.
pub(super) const NO_PATH: u32 = u32::MAX;

/// A connection with its address, or an address that rests.
#[derive(Clone)]
pub(super) struct Peer<A, C> {
    pub(super) address: A,
    /// What comes from it begins with this, in extended mode.
    pub(super) tag: Option<Tag>,
    /// The order in which handshakes began.
    pub(super) ticket: u64,
    /// The examination of another address.
    pub(super) path: u32,
    /// It receives at its address, as it has shown by a cookie, or by INFO 0 in extended mode.
    pub(super) validated: bool,
    /// It is an entry of its host. One that was victim is not, however long the application keeps it.
    pub(super) counted: bool,
    /// Its handshake is open, and its address not validated: it counts among those who hold the backlog.
    pub(super) half_open: bool,
    /// The application does not need it any more.
    pub(super) released: bool,
    pub(super) state: State<C>,
}

#[derive(Clone)]
pub(super) enum State<C> {
    Live(C),
    /// Base mode: late packets of the connection that ended must not fall into a new one.
    Quarantined {
        until: Instant,
    },
}

impl<A, C> Peer<A, C> {
    pub(super) const fn connection(&self) -> Option<&C> {
        match &self.state {
            State::Live(connection) => Some(connection),
            State::Quarantined { .. } => None,
        }
    }

    pub(super) const fn connection_mut(&mut self) -> Option<&mut C> {
        match &mut self.state {
            State::Live(connection) => Some(connection),
            State::Quarantined { .. } => None,
        }
    }
}

/// All of them.
pub(super) struct Peers<A: Address, C, M: TableMemory> {
    key: HashKey,
    slab: Slab<Peer<A, C>, M>,
    by_address: Index<M>,
    by_tag: Index<M>,
    hosts: Hosts<A::Host, M>,
    pub(super) scheduler: Scheduler<M>,
}

impl<A: Address, C, M: TableMemory> Peers<A, C, M> {
    pub(super) fn new(key: HashKey) -> Self {
        Self {
            key,
            slab: Slab::new(),
            by_address: Index::new(),
            by_tag: Index::new(),
            hosts: Hosts::new(),
            scheduler: Scheduler::new(),
        }
    }

    pub(super) fn duplicate(&self) -> Self
    where
        C: Clone,
    {
        Self {
            key: self.key,
            slab: self.slab.duplicate(),
            by_address: self.by_address.duplicate(),
            by_tag: self.by_tag.duplicate(),
            hosts: self.hosts.duplicate(),
            scheduler: self.scheduler.duplicate(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len() as usize
    }

    #[inline]
    pub(super) fn peer(&self, index: u32) -> Option<&Peer<A, C>> {
        self.slab.item(index)
    }

    #[inline]
    pub(super) fn peer_mut(&mut self, index: u32) -> Option<&mut Peer<A, C>> {
        self.slab.item_mut(index)
    }

    #[inline]
    pub(super) fn generation(&self, index: u32) -> Option<u32> {
        self.slab.generation(index)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Peer<A, C>)> + '_ {
        self.slab.iter()
    }

    /// Whose tag `datagram` begins with.
    #[inline]
    pub(super) fn find_tagged(&self, datagram: &[u8]) -> Option<u32> {
        self.find_tag(Tag::new(*datagram.first_chunk()?))
    }

    #[inline]
    pub(super) fn find_tag(&self, tag: Tag) -> Option<u32> {
        let is = |index| self.slab.item(index).is_some_and(|peer| peer.tag == Some(tag));
        self.by_tag.find(self.hash_of(tag), is)
    }

    fn hash_of(&self, tag: Tag) -> u64 {
        self.key.hash(&u64::from_ne_bytes(*tag.as_bytes()))
    }

    /// The first of this address for which `is` holds.
    #[inline]
    pub(super) fn find_at(&self, address: A, mut is: impl FnMut(u32, &Peer<A, C>) -> bool) -> Option<u32> {
        let found = |index| self.slab.item(index).is_some_and(|peer| peer.address == address && is(index, peer));
        self.by_address.find(self.key.hash(&address), found)
    }

    /// The next of this address behind `index`, which has it.
    pub(super) fn next_at(&self, address: A, index: u32) -> Option<u32> {
        let found = |index| self.slab.item(index).is_some_and(|peer| peer.address == address);
        self.by_address.find_after(self.key.hash(&address), index, found)
    }

    /// How many of this address there are.
    pub(super) fn count(&self, address: A) -> usize {
        let mut count = 0;
        self.find_at(address, |_, _| {
            count += 1;
            false
        });
        count
    }

    /// How many of this host there are.
    pub(super) fn of_host(&self, host: A::Host) -> Entries {
        self.hosts.of(self.key.hash(&host), host)
    }

    /// It has shown that it receives at its address.
    pub(super) fn validate(&mut self, index: u32) {
        if let Some(peer) = self.slab.item_mut(index).filter(|peer| peer.counted && !peer.validated) {
            peer.validated = true;
            let host = peer.address.host();
            self.hosts.validate(self.key.hash(&host), host);
        }
    }

    /// It is no entry of its host any more.
    pub(super) fn discount(&mut self, index: u32) {
        if let Some(peer) = self.slab.item_mut(index).filter(|peer| peer.counted) {
            peer.counted = false;
            let (host, validated) = (peer.address.host(), peer.validated);
            self.hosts.subtract(self.key.hash(&host), host, validated);
        }
    }

    /// Where it was put, as an entry of its host; `None` where there is no room.
    pub(super) fn insert(&mut self, peer: Peer<A, C>) -> Option<u32> {
        let (address, host, tag, validated) = (peer.address, peer.address.host(), peer.tag, peer.validated);
        if !self.hosts.add(self.key.hash(&host), host, validated) {
            return None;
        }
        let Ok(index) = self.slab.insert(peer) else {
            self.hosts.subtract(self.key.hash(&host), host, validated);
            return None;
        };
        // Whatever may be needed later has its place now.
        let placed = self.by_address.insert(self.key.hash(&address), index)
            && tag.is_none_or(|tag| self.by_tag.insert(self.hash_of(tag), index))
            && self.scheduler.add(index);
        if !placed {
            self.remove(index);
        }
        placed.then_some(index)
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Peer<A, C>> {
        self.discount(index);
        let peer = self.slab.remove(index)?;
        self.by_address.remove(self.key.hash(&peer.address), index);
        if let Some(tag) = peer.tag {
            self.by_tag.remove(self.hash_of(tag), index);
        }
        self.scheduler.remove(index);
        Some(peer)
    }

    /// The peer has moved to `address`. Returns the one that it had. For which hosts it counts is told apart.
    pub(super) fn set_address(&mut self, index: u32, address: A) -> Option<A> {
        let peer = self.slab.item_mut(index)?;
        let old = core::mem::replace(&mut peer.address, address);
        self.by_address.remove(self.key.hash(&old), index);
        self.by_address.insert(self.key.hash(&address), index);
        Some(old)
    }

    /// A peer that is validated counts for this host, too. False where there is no room to count it.
    pub(super) fn enter(&mut self, host: A::Host) -> bool {
        self.hosts.add(self.key.hash(&host), host, true)
    }

    /// Whether one more host can be counted.
    pub(super) fn has_room_for_host(&self) -> bool {
        self.hosts.has_room()
    }

    /// It counts for this host no more.
    pub(super) fn leave(&mut self, host: A::Host) {
        self.hosts.subtract(self.key.hash(&host), host, true);
    }
}
