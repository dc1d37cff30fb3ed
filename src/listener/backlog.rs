//! Pending handshakes, which take about a hundred bytes each and no connection.

use super::Address;
use super::address_state::{AddressState, Transition};
use super::quotas::{Entries, QuotaCounts};
use crate::Instant;
use crate::connection::HandshakeParameters;
use crate::tables::{AddressTable, Addressed, HashKey, PeerId, Queue, TableMemory};
use crate::wire::Tag;
use core::ops::Deref;

/// A pending handshake, to accept, refuse or ignore.
///
/// Pass it to [`accept`](super::Listener::accept), [`refuse`](super::Listener::refuse) or
/// [`ignore`](super::Listener::ignore). If this value is dropped, the handshake stays in the backlog until its limit
/// expires.
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use = "accept, refuse or ignore it: otherwise it stays in the backlog"]
pub struct Incoming<A> {
    pub(super) slot: PeerId,
    pub(super) address: A,
    pub(super) parameters: HandshakeParameters,
    pub(super) validated: bool,
}

impl<A: Copy> Incoming<A> {
    /// The source address of the CONNECT.
    pub fn address(&self) -> A {
        self.address
    }

    /// The handshake parameters of the client.
    pub fn parameters(&self) -> HandshakeParameters {
        self.parameters
    }

    /// Whether a cookie has validated the address. If not, the address may be forged.
    pub fn is_validated(&self) -> bool {
        self.validated
    }
}

/// A handshake in the backlog.
#[derive(Clone)]
pub(super) struct Pending<A> {
    pub(super) address: A,
    pub(super) parameters: HandshakeParameters,
    /// The number of the handshake. A lower ticket means an older handshake.
    pub(super) ticket: u64,
    /// When the handshake limit expires.
    pub(super) until: Option<Instant>,
    state: AddressState,
}

impl<A> Pending<A> {
    pub(super) const fn new(
        address: A,
        parameters: HandshakeParameters,
        ticket: u64,
        until: Option<Instant>,
        state: AddressState,
    ) -> Self {
        Self { address, parameters, ticket, until, state }
    }

    /// The state of the address.
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

/// All pending handshakes. Dereferences to its [`AddressTable`].
#[derive(Clone)]
pub(super) struct Backlog<A: Address, M: TableMemory> {
    table: AddressTable<Pending<A>, M>,
    quotas: QuotaCounts<A::Host, M>,
    /// Handshakes by age. Their limits expire in the same order.
    order: Queue<M>,
    /// Handshakes that `poll_incoming` has not yet returned.
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

    /// The number of handshakes with unvalidated addresses.
    pub(super) const fn half_open(&self) -> usize {
        self.quotas.half_open()
    }

    /// The number of handshakes of this host.
    pub(super) fn of_host(&self, host: A::Host) -> Entries {
        self.quotas.of(host)
    }

    /// All hosts of pending handshakes, in any order.
    #[cfg(feature = "arbitrary")]
    pub(super) fn hosts(&self) -> impl Iterator<Item = A::Host> + '_ {
        self.quotas.hosts()
    }

    /// The handshake with this address and tag.
    pub(super) fn find_same(&self, address: A, tag: Option<Tag>) -> Option<u32> {
        self.find_at(address, |pending| pending.parameters.tag == tag)
    }

    /// The first handshake at this address that satisfies `is`.
    pub(super) fn find_at(&self, address: A, mut is: impl FnMut(&Pending<A>) -> bool) -> Option<u32> {
        self.table.find_at(address, |_, pending| is(pending))
    }

    /// Adds a handshake. Returns false if there is no room.
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

    pub(super) fn remove(&mut self, index: u32) {
        let Some(pending) = self.table.get(index) else { return };
        self.quotas.leave(pending.address.host(), pending.state.quotas());
        self.table.remove(index);
        self.order.remove(index);
        self.unreported.remove(index);
    }

    /// Records that a cookie has validated the address. Returns whether the state has changed.
    pub(super) fn on_validated(&mut self, index: u32) -> bool {
        let Some(pending) = self.table.get_mut(index) else { return false };
        let before = pending.state;
        pending.state.apply(Transition::Validated);
        let after = pending.state;
        self.quotas.change(pending.address.host(), before.quotas(), after.quotas());
        before != after
    }

    /// Records the CONNECT that arrived last, which CONNACK answers.
    pub(super) fn on_repeated(&mut self, index: u32, parameters: &HandshakeParameters) {
        if let Some(pending) = self.table.get_mut(index) {
            pending.parameters.attempt = parameters.attempt;
            pending.parameters.datagram_len = parameters.datagram_len;
        }
    }

    /// Whether `next_incoming` would return a handshake.
    pub(super) fn has_unreported(&self) -> bool {
        !self.unreported.is_empty()
    }

    /// Takes the oldest handshake that was not yet returned.
    pub(super) fn next_incoming(&mut self) -> Option<Incoming<A>> {
        let index = self.unreported.pop()?;
        self.incoming(index)
    }

    pub(super) fn incoming(&self, index: u32) -> Option<Incoming<A>> {
        let pending = self.get(index)?;
        let (address, parameters, validated) = (pending.address, pending.parameters, pending.state.is_validated());
        Some(Incoming { slot: self.id(index), address, parameters, validated })
    }

    /// Makes `next_incoming` return a handshake again, in the order of age.
    ///
    /// The search is short, since only other handshakes that were put back can be older.
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

    /// When the limit of the oldest handshake expires.
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
