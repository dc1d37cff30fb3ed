//! Where a datagram went, and what a listener counts.

use super::PeerId;
use crate::connection::Handled;
use crate::counts::{Countable, Counts, countable};
use crate::wire::DecodeError;
use thiserror::Error;

/// Where a datagram went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a driver may act on it, or discard it with `let _ =`"]
pub enum Dispatch {
    /// To this connection.
    Peer(PeerId, Handled),
    /// Into the backlog, or it repeats what is there: see [`Listener::poll_incoming`](super::Listener::poll_incoming).
    Queued,
    /// RETRY answers it: the client has to validate its address. No state is kept of it.
    Retried,
    /// It is dropped, for this reason, which is counted in [`ListenerStats::dropped`].
    Dropped(DropReason),
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum DropReason {
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
    /// A CONNECT, while as many handshakes are open as [`backlog`](super::ListenerConfig::backlog) allows.
    #[error("the backlog is full")]
    BacklogFull,
    /// A CONNECT, while its host has as many entries as [`per_host`](super::ListenerConfig::per_host) allows.
    #[error("the host has too many connections")]
    HostLimit,
    /// A CONNECT, while its address has as many entries as [`per_address`](super::ListenerConfig::per_address) allows.
    #[error("the address has too many connections")]
    AddressLimit,
    /// A datagram of base mode from an address whose last connection ended less than a linger ago.
    #[error("the address is in quarantine")]
    Quarantined,
    /// A CONNECT after [`stop_accepting`](super::Listener::stop_accepting). In extended mode it is answered with RESET.
    #[error("no more connections are accepted")]
    Stopped,
}

countable! {
    DropReason: [Malformed(DecodeError)]
    UnknownPeer, Mode, TooShort, BacklogFull, HostLimit, AddressLimit, Quarantined, Stopped,
}

/// Counters of a listener. They saturate. Each connection has counters of its own.
///
/// Each datagram reached a connection, or is one of `queued`, `repeated`, `retried` or `dropped`. Each of `queued` is
/// still pending, or is one of `accepted`, `refused`, `dismissed`, `expired` or `evicted_pending`.
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
    /// Handshakes that the application [ignored](super::Listener::ignore), or had no
    /// [storage](super::AcceptError::Storage) for.
    pub dismissed: u64,
    /// CONNECTs answered with RETRY.
    pub retried: u64,
    /// Handshakes whose address was validated by a cookie, those that were already pending included.
    pub validated: u64,
    /// CONNECTs whose cookie was forged, too old or for another address. They are handled as if they had none.
    pub bad_cookie: u64,
    /// Answers without a connection (RETRY, RESET) that were dropped, since 16 waited for `poll_transmit` already. The
    /// client repeats its CONNECT.
    pub replies_dropped: u64,
    /// Handshakes that were pending for longer than the handshake limit.
    pub expired: u64,
    /// Connections and handshakes that were evicted: a newer one of the same address was confirmed or needed their
    /// place, or the validated quota of their host was full.
    pub evicted: u64,
    /// The evicted handshakes that were pending.
    pub evicted_pending: u64,
    /// Connections that moved to a new address of their peer.
    pub moved: u64,
    /// Datagrams with the tag of a connection from another address than its peer's, which started or continued no path
    /// validation.
    pub other_address: u64,
    /// Datagrams that were dropped, by reason.
    pub dropped: DropCounts,
}

/// How many datagrams were dropped for each reason.
pub type DropCounts = Counts<DropReason, { DropReason::COUNT }>;

pub(super) fn increment(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
