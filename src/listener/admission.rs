//! Whether a new handshake may enter the backlog.
//!
//! The first rule that applies decides. *Full* means that a quota is used up; a validated CONNECT is one with a valid
//! cookie.
//!
//! | # | CONNECT | condition | decision |
//! |---|---|---|---|
//! | 1 | any | the validated quota of its host is full, and there is no predecessor | drop: host limit |
//! | 2 | unvalidated, and RETRY can answer it | RETRY is demanded, or its host or its address is full | RETRY |
//! | 3 | unvalidated | its host is full | drop: host limit |
//! | 4 | unvalidated, or without a victim | its address is full | drop: address limit |
//! | 5 | any | the backlog is full, less a pending victim | drop: backlog full |
//! | 6 | not counted as validated | unvalidated handshakes fill the backlog | drop: backlog full |
//! | 7 | any | its address is full | queue, and evict the victim |
//! | 8 | any | | queue |
//!
//! - A *predecessor* is a validated connection of the same address: the client has restarted, and takes the quota of
//!   its old connection once it is confirmed. Until then the handshake is not counted as validated.
//! - A *victim* is a half-open entry of the same address. A client that receives there may evict it.
//! - Unvalidated addresses may be forged: they count for the quota of a host and of the backlog, but keep only each
//!   other out.

use super::address_state::AddressState;
use super::backlog::Pending;
use super::eviction::Victim;
use super::quotas::Entries;
use super::stats::increment;
use super::{Address, DropReason, Listener, ListenerConfig, Retry, TableMemory};
use crate::arq::Arq;
use crate::connection::{Hello, after};
use crate::store::{RecvStore, SendStore};

/// What becomes of a CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is pending.
    Queue,
    /// It is pending in the place of a victim.
    QueueEvicting(Victim),
    /// It is answered with RETRY.
    Retry,
    Drop(DropReason),
}

/// A CONNECT, and all counts that its admission depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    /// It has a valid cookie.
    has_cookie: bool,
    /// RETRY can answer it: it is of extended mode.
    is_extended: bool,
    /// How many entries its host has.
    host: Entries,
    /// How many entries its address has.
    at_address: usize,
    has_predecessor: bool,
    victim: Option<Victim>,
    /// How many handshakes are pending.
    pending: usize,
    /// How many handshakes with unvalidated addresses are open, accepted ones included.
    half_open: usize,
}

/// The limits that its admission depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    peers: usize,
    backlog: usize,
    per_host: usize,
    per_address: usize,
    retry: Retry,
}

impl Limits {
    /// Tables of this capacity bound the backlog, too: half of it means half of the places that there are.
    fn new(config: &ListenerConfig, capacity: usize) -> Self {
        let ListenerConfig { peers, backlog, per_host, per_address, retry, .. } = *config;
        Self { peers, backlog: backlog.min(capacity), per_host, per_address, retry }
    }

    /// Whether so many half-open handshakes demand that new addresses are validated first.
    fn demands_retry(&self, half_open: usize) -> bool {
        match self.retry {
            Retry::Always => true,
            // They hold at most half of the connections, too.
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

impl<A: Address, S: SendStore, R: RecvStore, M: TableMemory, Q: Arq> Listener<A, S, R, M, Q> {
    /// Puts a new handshake into the backlog, if the limits allow it.
    pub(super) fn admit(&mut self, from: A, hello: Hello, has_cookie: bool) -> Admission {
        let at_address = self.count_at(from);
        let is_known = at_address > 0;
        let request = Request {
            has_cookie,
            is_extended: hello.tag.is_some(),
            host: self.of_host(from.host()),
            at_address,
            has_predecessor: is_known && self.find_predecessor(from, self.ticket).is_some(),
            victim: if is_known && has_cookie { self.find_victim(from) } else { None },
            pending: self.backlog.len(),
            half_open: self.half_open(),
        };
        let limits = Limits::new(&self.config, M::CAPACITY);
        let admission = request.decide(&limits);
        let victim = match admission {
            Admission::Queue => None,
            Admission::QueueEvicting(victim) => Some(victim),
            Admission::Retry | Admission::Drop(_) => return admission,
        };
        // A pending victim leaves first, since its place is needed; a connection only once the handshake has a place.
        let (before, behind) = match victim {
            Some(Victim::Pending(_)) => (victim, None),
            Some(Victim::Peer(_)) | None => (None, victim),
        };
        if let Some(victim) = before {
            self.evict_victim(victim);
        }
        let until = after(self.now, self.config.connection.handshake_limit);
        let state = AddressState::new(request.counts_as_validated(&limits));
        if !self.backlog.insert(Pending::new(from, hello, self.ticket, until, state)) {
            return Admission::Drop(DropReason::BacklogFull);
        }
        self.ticket += 1;
        increment(&mut self.stats.queued);
        self.stats.validated = self.stats.validated.saturating_add(has_cookie.into());
        if let Some(victim) = behind {
            self.evict_victim(victim);
        }
        admission
    }
}

#[cfg(test)]
mod tests;
