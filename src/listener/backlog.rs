//! Those who want to connect: a few bytes each, no connection.

use super::Address;
use super::hosts::{Entries, Hosts};
use crate::Instant;
use crate::connection::Hello;
use crate::tables::{HashKey, Index, Queue, Slab, TableMemory};
use crate::wire::Tag;

/// A client that waits to be accepted: give it to [`accept`](super::Listener::accept), [`refuse`](super::Listener::refuse) or
/// [`ignore`](super::Listener::ignore). One that is dropped keeps its place in the backlog until the handshake limit.
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use = "accept, refuse or ignore it: otherwise it holds its place in the backlog"]
pub struct Incoming<A> {
    pub(super) index: u32,
    pub(super) generation: u32,
    pub(super) address: A,
    pub(super) hello: Hello,
    pub(super) validated: bool,
}

impl<A: Copy> Incoming<A> {
    /// Where its CONNECT came from.
    pub fn address(&self) -> A {
        self.address
    }

    /// What the client says of itself.
    pub fn hello(&self) -> Hello {
        self.hello
    }

    /// Whether it has shown, by a cookie, that it receives at its address. Others may only pretend to be there.
    pub fn is_validated(&self) -> bool {
        self.validated
    }
}

/// A CONNECT that was understood.
#[derive(Clone)]
pub(super) struct Pending<A> {
    pub(super) address: A,
    pub(super) hello: Hello,
    /// The order in which handshakes began.
    pub(super) ticket: u64,
    pub(super) until: Option<Instant>,
    pub(super) validated: bool,
}

/// All who wait.
pub(super) struct Backlog<A: Address, M: TableMemory> {
    key: HashKey,
    entries: Slab<Pending<A>, M>,
    /// By address.
    index: Index<M>,
    hosts: Hosts<A::Host, M>,
    /// By age, which also is the order of their limits.
    order: Queue<M>,
    /// Those of whom the application was not told.
    unreported: Queue<M>,
    unvalidated: usize,
}

impl<A: Address, M: TableMemory> Backlog<A, M> {
    pub(super) fn new(key: HashKey) -> Self {
        Self {
            key,
            entries: Slab::new(),
            index: Index::new(),
            hosts: Hosts::new(),
            order: Queue::new(),
            unreported: Queue::new(),
            unvalidated: 0,
        }
    }

    pub(super) fn duplicate(&self) -> Self {
        Self {
            key: self.key,
            entries: self.entries.duplicate(),
            index: self.index.duplicate(),
            hosts: self.hosts.duplicate(),
            order: self.order.duplicate(),
            unreported: self.unreported.duplicate(),
            unvalidated: self.unvalidated,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() as usize
    }

    /// How many have not validated their address.
    pub(super) const fn unvalidated(&self) -> usize {
        self.unvalidated
    }

    /// Whether the application has yet to be told of somebody.
    pub(super) fn has_pending(&self) -> bool {
        !self.unreported.is_empty()
    }

    /// The same handshake: that of the same address and tag.
    pub(super) fn find(&self, address: A, tag: Option<Tag>) -> Option<u32> {
        self.find_at(address, |pending| pending.hello.tag == tag)
    }

    /// The first handshake of this address for which `is` holds.
    pub(super) fn find_at(&self, address: A, mut is: impl FnMut(&Pending<A>) -> bool) -> Option<u32> {
        let found = |index| self.entries.item(index).is_some_and(|pending| pending.address == address && is(pending));
        self.index.find(self.key.hash(&address), found)
    }

    /// The next of this address behind `index`, which has it.
    pub(super) fn next_at(&self, address: A, index: u32) -> Option<u32> {
        let found = |index| self.entries.item(index).is_some_and(|pending| pending.address == address);
        self.index.find_after(self.key.hash(&address), index, found)
    }

    /// How many handshakes this address has.
    pub(super) fn count(&self, address: A) -> usize {
        let mut count = 0;
        self.find_at(address, |_| {
            count += 1;
            false
        });
        count
    }

    /// How many handshakes this host has.
    pub(super) fn of_host(&self, host: A::Host) -> Entries {
        self.hosts.of(self.key.hash(&host), host)
    }

    pub(super) fn entry(&self, index: u32) -> Option<&Pending<A>> {
        self.entries.item(index)
    }

    /// False where there is no room.
    pub(super) fn insert(&mut self, pending: Pending<A>) -> bool {
        let (address, host, validated) = (pending.address, pending.address.host(), pending.validated);
        if !self.hosts.add(self.key.hash(&host), host, validated) {
            return false;
        }
        let Ok(index) = self.entries.insert(pending) else {
            self.hosts.subtract(self.key.hash(&host), host, validated);
            return false;
        };
        self.unvalidated += usize::from(!validated);
        let placed =
            self.index.insert(self.key.hash(&address), index) && self.order.push(index) && self.unreported.push(index);
        if !placed {
            self.remove(index);
        }
        placed
    }

    /// It has shown a cookie. Returns whether that is new.
    pub(super) fn validate(&mut self, index: u32) -> bool {
        let Some(pending) = self.entries.item_mut(index).filter(|pending| !pending.validated) else { return false };
        pending.validated = true;
        self.unvalidated -= 1;
        let host = pending.address.host();
        self.hosts.validate(self.key.hash(&host), host);
        true
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Pending<A>> {
        let pending = self.entries.remove(index)?;
        let host = pending.address.host();
        self.index.remove(self.key.hash(&pending.address), index);
        self.hosts.subtract(self.key.hash(&host), host, pending.validated);
        self.order.remove(index);
        self.unreported.remove(index);
        self.unvalidated -= usize::from(!pending.validated);
        Some(pending)
    }

    /// The oldest of those of whom the application was not told.
    pub(super) fn next_incoming(&mut self) -> Option<Incoming<A>> {
        let index = self.unreported.pop()?;
        self.incoming(index)
    }

    pub(super) fn incoming(&self, index: u32) -> Option<Incoming<A>> {
        let Pending { address, hello, validated, .. } = *self.entries.item(index)?;
        Some(Incoming { index, generation: self.entries.generation(index)?, address, hello, validated })
    }

    /// The application is to be told again, the oldest first as ever: only those who are to be told again, too, may be older.
    pub(super) fn report_again(&mut self, index: u32) {
        let Some(ticket) = self.entries.item(index).map(|pending| pending.ticket) else { return };
        let is_older = |other: &u32| self.entries.item(*other).is_some_and(|pending| pending.ticket < ticket);
        let mut next = self.unreported.first();
        while let Some(older) = next.filter(is_older) {
            next = self.unreported.after(older);
        }
        self.unreported.insert(index, next);
    }

    /// Whether it still waits.
    pub(super) fn has(&self, incoming: &Incoming<A>) -> bool {
        self.entries.generation(incoming.index) == Some(incoming.generation)
    }

    /// The one that has waited longest.
    pub(super) fn oldest(&self) -> Option<u32> {
        self.order.first()
    }

    /// When the next one has waited too long.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.entries.item(self.oldest()?)?.until
    }
}
