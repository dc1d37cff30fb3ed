//! Admission: the decision whether a new handshake enters the backlog.
//!
//! The first rule that applies decides. A CONNECT is validated if it has a valid cookie. A quota, a host or an address
//! is *full* when its limit is reached. For a host, validated and unvalidated entries count together.
//!
//! | # | CONNECT | condition | decision |
//! |---|---|---|---|
//! | 1 | any | the validated quota of its host is full, and there is no predecessor | drop: host limit |
//! | 2 | unvalidated, and RETRY is possible | [`Retry`] demands RETRY, or its host or its address is full | RETRY |
//! | 3 | unvalidated | its host is full | drop: host limit |
//! | 4 | unvalidated, or without a victim | its address is full | drop: address limit |
//! | 5 | any | the backlog is full, not counting a pending victim | drop: backlog full |
//! | 6 | not counted as validated | half-open entries reach the limit of the backlog | drop: backlog full |
//! | 7 | any | its address is full | queue, and evict the victim |
//! | 8 | any | | queue |
//!
//! - A *predecessor* is a validated connection of the same address. Its client has restarted. When the new connection
//!   is confirmed, it takes over the quota of the predecessor. If the validated quota is full, the handshake does not
//!   count as validated until then.
//! - A *half-open* entry is an open handshake with an unvalidated address, in the backlog or accepted.
//! - A *victim* is a half-open entry of the same address. A client with a valid cookie may evict it.
//! - Unvalidated addresses may be forged. They count for the quotas of the host and of the backlog, but exclude only
//!   other unvalidated addresses.

use super::address_state::AddressState;
use super::backlog::Pending;
use super::eviction::Victim;
use super::quotas::Entries;
use super::stats::increment;
use super::{Address, DropReason, Listener, ListenerConfig, ListenerTypes, Retry, TableMemory};
use crate::connection::HandshakeParameters;
use crate::counts::increase;
use crate::timing::expiry;

/// The decision about a CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// The handshake enters the backlog.
    Queue,
    /// The handshake enters the backlog and evicts a victim.
    QueueEvicting(Victim),
    /// RETRY answers the CONNECT.
    Retry,
    /// The CONNECT is dropped.
    Drop(DropReason),
}

/// A CONNECT, with all counts that its admission depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    /// Whether the CONNECT has a valid cookie.
    has_cookie: bool,
    /// Whether the CONNECT offers extended mode, so that RETRY can answer it.
    is_extended: bool,
    /// The entries of its host.
    host: Entries,
    /// The number of entries at its address.
    at_address: usize,
    has_predecessor: bool,
    victim: Option<Victim>,
    /// The number of pending handshakes.
    pending: usize,
    /// The number of open handshakes with unvalidated addresses, including accepted ones.
    half_open: usize,
}

/// The limits that admission depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    peers: usize,
    backlog: usize,
    per_host: usize,
    per_address: usize,
    retry: Retry,
}

impl Limits {
    /// The limits of `config`. The capacity of the tables also limits the backlog.
    fn new(config: &ListenerConfig, capacity: usize) -> Self {
        let ListenerConfig { peers, backlog, per_host, per_address, retry, .. } = *config;
        Self { peers, backlog: backlog.min(capacity), per_host, per_address, retry }
    }

    /// Whether new addresses must be validated before they enter the backlog.
    fn demands_retry(&self, half_open: usize) -> bool {
        match self.retry {
            Retry::Always => true,
            // Unvalidated addresses also take at most half of the connections.
            Retry::Auto => half_open >= self.backlog.min(self.peers) / 2,
            Retry::Never => false,
        }
    }
}

impl Request {
    /// Whether the handshake counts as validated from the beginning.
    fn counts_as_validated(&self, limits: &Limits) -> bool {
        self.has_cookie && (self.host.validated as usize) < limits.per_host
    }

    #[inline]
    fn decide(&self, limits: &Limits) -> Admission {
        let host_full = self.host.all() as usize >= limits.per_host;
        let address_full = self.at_address >= limits.per_address;
        if self.host.validated as usize >= limits.per_host && !self.has_predecessor {
            return Admission::Drop(DropReason::HostLimit);
        }
        if !self.has_cookie {
            let can_retry = self.is_extended && limits.retry != Retry::Never;
            if can_retry && (limits.demands_retry(self.half_open) || host_full || address_full) {
                return Admission::Retry;
            }
            if host_full {
                return Admission::Drop(DropReason::HostLimit);
            }
        }
        let victim = self.victim.filter(|_| address_full && self.has_cookie);
        if address_full && victim.is_none() {
            return Admission::Drop(DropReason::AddressLimit);
        }
        let pending = self.pending.saturating_sub(usize::from(matches!(victim, Some(Victim::Pending(_)))));
        let is_validated = self.counts_as_validated(limits);
        if pending >= limits.backlog || (!is_validated && self.half_open >= limits.backlog) {
            return Admission::Drop(DropReason::BacklogFull);
        }
        victim.map_or(Admission::Queue, Admission::QueueEvicting)
    }
}

impl<T: ListenerTypes> Listener<T> {
    /// Puts a new handshake into the backlog, if the limits allow it.
    pub(super) fn admit(&mut self, from: T::Address, parameters: HandshakeParameters, has_cookie: bool) -> Admission {
        let at_address = self.count_at(from);
        let is_known = at_address > 0;
        let request = Request {
            has_cookie,
            is_extended: parameters.tag.is_some(),
            host: self.of_host(from.host()),
            at_address,
            has_predecessor: is_known && self.find_predecessor(from, self.ticket).is_some(),
            victim: if is_known && has_cookie { self.find_victim(from) } else { None },
            pending: self.backlog.len(),
            half_open: self.half_open(),
        };
        let limits = Limits::new(&self.config, <T::Tables as TableMemory>::CAPACITY);
        let admission = request.decide(&limits);
        let victim = match admission {
            Admission::Queue => None,
            Admission::QueueEvicting(victim) => Some(victim),
            Admission::Retry | Admission::Drop(_) => return admission,
        };
        // A pending victim is evicted first, since the handshake needs its place. A connection is evicted only after
        // the handshake has a place.
        let (before, behind) = match victim {
            Some(Victim::Pending(_)) => (victim, None),
            Some(Victim::Peer(_)) | None => (None, victim),
        };
        if let Some(victim) = before {
            self.evict_victim(victim);
        }
        let limit = self.config.connection.handshake_limit;
        let until = expiry(self.now, self.config.busy.map_or(limit, |busy| busy.after.min(limit)));
        let state = AddressState::new(request.counts_as_validated(&limits));
        if !self.backlog.insert(Pending::new(from, parameters, self.ticket, until, state)) {
            return Admission::Drop(DropReason::BacklogFull);
        }
        self.ticket += 1;
        increment(&mut self.stats.queued);
        increase(&mut self.stats.validated, has_cookie.into());
        if let Some(victim) = behind {
            self.evict_victim(victim);
        }
        admission
    }
}

#[cfg(test)]
mod tests;
