//! Where a datagram went, and what a listener counts.

use super::PeerId;
use crate::connection::Handled;
use crate::wire::DecodeError;
use thiserror::Error;

/// Where a datagram went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Routed {
    /// To this connection.
    Peer(PeerId, Handled),
    /// Into the backlog, or it repeats what is there: see [`Listener::poll_incoming`](super::Listener::poll_incoming).
    Queued,
    /// It is answered with RETRY: the client has to prove its address. Nothing is kept of it.
    Retried,
    /// Nowhere, for this reason, which is counted in [`ListenerStats`].
    Ignored(Unrouted),
}

/// Why a datagram went nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Unrouted {
    /// It is no packet, and has no tag of ours.
    #[error("no packet: {0}")]
    Malformed(DecodeError),
    /// It is no CONNECT, and its address has no connection in base mode.
    #[error("no connection with this address")]
    UnknownPeer,
    /// A CONNECT for base mode, which is not allowed.
    #[error("it asks for base mode")]
    Mode,
    /// A CONNECT of extended mode below the least size: an answer might be larger than it.
    #[error("a CONNECT that is too short to be answered")]
    TooShort,
    /// A CONNECT, while as many handshakes are open as may.
    #[error("the backlog is full")]
    BacklogFull,
    /// A CONNECT, while its host has as many connections and handshakes as it may.
    #[error("the host has too many connections")]
    HostLimit,
    /// A CONNECT, while its address has as many connections and handshakes as it may.
    #[error("the address has too many connections")]
    AddressLimit,
    /// A CONNECT in base mode: the connection with this address has ended only just now.
    #[error("the address is in quarantine")]
    Quarantined,
    /// A CONNECT after [`stop_accepting`](super::Listener::stop_accepting). In extended mode it is answered with RESET.
    #[error("no more connections are accepted")]
    Stopped,
}

/// Counters of a listener. They saturate. Those of a connection are its own.
///
/// Each datagram was given to a connection, or is one of `queued`, `repeated`, `retried` or [ignored](Self::ignored). Each of
/// `queued` still waits, or is one of `accepted`, `refused`, `dismissed`, `expired` or `superseded_waiting`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct ListenerStats {
    /// Handshakes that were put into the backlog.
    pub queued: u64,
    /// CONNECTs that repeat a handshake in the backlog.
    pub repeated: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Handshakes that the application refused.
    pub refused: u64,
    /// Handshakes that the application [ignored](super::Listener::ignore).
    pub dismissed: u64,
    /// CONNECTs answered with RETRY.
    pub retried: u64,
    /// Handshakes whose address was proven by a cookie, also those that waited in the backlog already.
    pub proven: u64,
    /// CONNECTs whose cookie was forged, too old or for another address. They count as such without a cookie.
    pub bad_cookie: u64,
    /// Answers without a connection (RETRY, RESET) for which there was no room: 16 waited for `poll_transmit` already. Whoever
    /// misses one repeats its CONNECT.
    pub replies_dropped: u64,
    /// Handshakes that waited in the backlog for longer than the handshake limit.
    pub expired: u64,
    /// Connections and handshakes that ended because a new one of the same address was confirmed, or displaced them, or
    /// because their host had as many as it may whose address is proven.
    pub superseded: u64,
    /// Those of them that waited in the backlog.
    pub superseded_waiting: u64,
    /// Connections that moved to a new address of their peer.
    pub moved: u64,
    /// Datagrams with the tag of a connection from an address that is not its peer's, nor was examined.
    pub other_address: u64,
    /// Ignored: no packet, or the tag of no connection.
    pub malformed: u64,
    /// Ignored: no CONNECT, and no connection with its address.
    pub unknown_peer: u64,
    /// Ignored: a CONNECT for base mode, which is not allowed.
    pub mode: u64,
    /// Ignored: a CONNECT that is too short.
    pub too_short: u64,
    /// Ignored: the backlog was full.
    pub backlog_full: u64,
    /// Ignored: the host had too many connections.
    pub host_limit: u64,
    /// Ignored: the address had too many connections.
    pub address_limit: u64,
    /// Ignored: the address was in quarantine.
    pub quarantined: u64,
    /// Ignored, or answered with RESET: no more connections were accepted.
    pub stopped: u64,
}

impl ListenerStats {
    pub(super) fn count(&mut self, reason: Unrouted) {
        increment(match reason {
            Unrouted::Malformed(_) => &mut self.malformed,
            Unrouted::UnknownPeer => &mut self.unknown_peer,
            Unrouted::Mode => &mut self.mode,
            Unrouted::TooShort => &mut self.too_short,
            Unrouted::BacklogFull => &mut self.backlog_full,
            Unrouted::HostLimit => &mut self.host_limit,
            Unrouted::AddressLimit => &mut self.address_limit,
            Unrouted::Quarantined => &mut self.quarantined,
            Unrouted::Stopped => &mut self.stopped,
        });
    }

    /// All datagrams that were ignored.
    #[must_use]
    pub fn ignored(&self) -> u64 {
        let Self { malformed, unknown_peer, mode, too_short, .. } = *self;
        let Self { backlog_full, host_limit, address_limit, quarantined, stopped, .. } = *self;
        [malformed, unknown_peer, mode, too_short, backlog_full, host_limit, address_limit, quarantined, stopped]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

pub(super) fn increment(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
