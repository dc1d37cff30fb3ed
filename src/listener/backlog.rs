//! Pending handshakes: a few bytes each, and no connection.

use super::Address;
use super::address_state::{AddressState, Transition};
use super::quotas::{Entries, QuotaCounts};
use crate::Instant;
use crate::connection::Hello;
use crate::tables::{AddressTable, Addressed, HashKey, PeerId, Queue, TableMemory};
use crate::wire::Tag;
use core::ops::Deref;

/// A pending handshake: give it to [`accept`](super::Listener::accept), [`refuse`](super::Listener::refuse) or
/// [`ignore`](super::Listener::ignore). A dropped one keeps its place in the backlog until the handshake limit.
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use = "accept, refuse or ignore it: otherwise it holds its place in the backlog"]
pub struct Incoming<A> {
    pub(super) slot: PeerId,
    pub(super) address: A,
    pub(super) hello: Hello,
    pub(super) validated: bool,
}

impl<A: Copy> Incoming<A> {
    /// The address that its CONNECT came from.
    pub fn address(&self) -> A {
        self.address
    }

    /// What the client says of itself.
    pub fn hello(&self) -> Hello {
        self.hello
    }

    /// Whether the client has shown, by a cookie, that it receives at its address. Any other address may be forged.
    pub fn is_validated(&self) -> bool {
        self.validated
    }
}

/// A CONNECT that was understood, and is not accepted yet.
#[derive(Clone)]
pub(super) struct Pending<A> {
    pub(super) address: A,
    pub(super) hello: Hello,
    /// The order in which handshakes began.
    pub(super) ticket: u64,
    pub(super) until: Option<Instant>,
    state: AddressState,
}

impl<A> Pending<A> {
    pub(super) const fn new(
        address: A,
        hello: Hello,
        ticket: u64,
        until: Option<Instant>,
        state: AddressState,
    ) -> Self {
        Self { address, hello, ticket, until, state }
    }

    /// What is known of its address.
    pub(super) const fn state(&self) -> AddressState {
        self.state
    }
}

impl<A: Address> Addressed for Pending<A> {
    type Address = A;

    fn address(&self) -> A {
        self.address
    }
}

/// All pending handshakes. They read as an [`AddressTable`].
#[derive(Clone)]
pub(super) struct Backlog<A: Address, M: TableMemory> {
    table: AddressTable<Pending<A>, M>,
    quotas: QuotaCounts<A::Host, M>,
    /// By age, which also is the order of their limits.
    order: Queue<M>,
    /// Those that `poll_incoming` has not returned yet.
    unreported: Queue<M>,
}

impl<A: Address, M: TableMemory> Backlog<A, M> {
    pub(super) fn new(key: HashKey) -> Self {
        Self {
            table: AddressTable::new(key),
            quotas: QuotaCounts::new(key),
            order: Queue::new(),
            unreported: Queue::new(),
        }
    }

    /// How many have an unvalidated address.
    pub(super) const fn half_open(&self) -> usize {
        self.quotas.half_open()
    }

    /// How many handshakes this host has.
    pub(super) fn of_host(&self, host: A::Host) -> Entries {
        self.quotas.of(host)
    }

    /// The same handshake: that of the same address and tag.
    pub(super) fn find_same(&self, address: A, tag: Option<Tag>) -> Option<u32> {
        self.find_at(address, |pending| pending.hello.tag == tag)
    }

    /// The first handshake of this address for which `is` holds.
    pub(super) fn find_at(&self, address: A, mut is: impl FnMut(&Pending<A>) -> bool) -> Option<u32> {
        self.table.find_at(address, |_, pending| is(pending))
    }

    /// False where there is no room.
    pub(super) fn insert(&mut self, pending: Pending<A>) -> bool {
        let (host, quotas) = (pending.address.host(), pending.state.quotas());
        if !self.quotas.enter(host, quotas) {
            return false;
        }
        let Some(index) = self.table.insert(pending) else {
            self.quotas.leave(host, quotas);
            return false;
        };
        let placed = self.order.push(index) && self.unreported.push(index);
        if !placed {
            self.remove(index);
        }
        placed
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Pending<A>> {
        let pending = self.table.remove(index)?;
        self.quotas.leave(pending.address.host(), pending.state.quotas());
        self.order.remove(index);
        self.unreported.remove(index);
        Some(pending)
    }

    /// The client has shown a cookie. Returns whether that is new.
    pub(super) fn on_validated(&mut self, index: u32) -> bool {
        let Some(pending) = self.table.get_mut(index) else { return false };
        let before = pending.state;
        pending.state.apply(Transition::Validated);
        let after = pending.state;
        self.quotas.change(pending.address.host(), before.quotas(), after.quotas());
        before != after
    }

    /// Whether `next_incoming` has one.
    pub(super) fn has_unreported(&self) -> bool {
        !self.unreported.is_empty()
    }

    /// The oldest of those that were not returned yet.
    pub(super) fn next_incoming(&mut self) -> Option<Incoming<A>> {
        let index = self.unreported.pop()?;
        self.incoming(index)
    }

    pub(super) fn incoming(&self, index: u32) -> Option<Incoming<A>> {
        let pending = self.get(index)?;
        let (address, hello, validated) = (pending.address, pending.hello, pending.state.is_validated());
        Some(Incoming { slot: self.id(index), address, hello, validated })
    }

    /// `next_incoming` is to return it again, the oldest first as ever. Only handshakes that were put back, too, may be
    /// older.
    pub(super) fn report_again(&mut self, index: u32) {
        let Some(ticket) = self.get(index).map(|pending| pending.ticket) else { return };
        let is_older = |other: &u32| self.get(*other).is_some_and(|pending| pending.ticket < ticket);
        let mut next = self.unreported.first();
        while let Some(older) = next.filter(is_older) {
            next = self.unreported.after(older);
        }
        self.unreported.insert(index, next);
    }

    /// The oldest handshake.
    pub(super) fn oldest(&self) -> Option<u32> {
        self.order.first()
    }

    /// When the limit of the oldest handshake passes.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.get(self.oldest()?)?.until
    }
}

impl<A: Address, M: TableMemory> Deref for Backlog<A, M> {
    type Target = AddressTable<Pending<A>, M>;

    fn deref(&self) -> &Self::Target {
        &self.table
    }
}
