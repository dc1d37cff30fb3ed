//! The dispatch of a datagram, and the counters of a listener.

use super::PeerId;
use crate::connection::Handled;
use crate::counts::{Countable, Counts, countable, increase};
use crate::wire::DecodeError;
use thiserror::Error;

/// What the listener did with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dispatch {
    /// Delivered it to this connection, with this result.
    Peer(PeerId, Handled),
    /// Put a CONNECT into the backlog, which may hold it already.
    ///
    /// See [`Listener::poll_incoming`](super::Listener::poll_incoming).
    Queued,
    /// Answered a CONNECT with RETRY, without state: the client must validate its address.
    Retried,
    /// Dropped it for this reason, which is counted in [`ListenerStats::dropped`].
    Dropped(DropReason),
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum DropReason {
    /// A datagram that is not a packet, or whose tag is unknown.
    #[error("not a packet: {0}")]
    Malformed(DecodeError),
    /// A packet that is not CONNECT, from an address without a connection of base mode.
    #[error("no connection has this address")]
    UnknownPeer,
    /// A CONNECT of base mode, which the [configuration](super::ListenerConfig::connection) does not allow.
    #[error("base mode is not allowed")]
    Mode,
    /// A CONNECT of extended mode below [`MIN_CONNECT`](crate::wire::MIN_CONNECT): an answer might be longer.
    #[error("the CONNECT is too short for an answer")]
    TooShort,
    /// A CONNECT above the limit of open handshakes, [`backlog`](super::ListenerConfig::backlog).
    #[error("the backlog is full")]
    BacklogFull,
    /// A CONNECT above the limit of its host, [`per_host`](super::ListenerConfig::per_host).
    #[error("the host has too many connections")]
    HostLimit,
    /// A CONNECT above the limit of its address, [`per_address`](super::ListenerConfig::per_address).
    #[error("the address has too many connections")]
    AddressLimit,
    /// A datagram of base mode from an address whose last connection ended less than a linger ago.
    #[error("the address is in quarantine")]
    Quarantined,
    /// A CONNECT after [`stop_accepting`](super::Listener::stop_accepting). In extended mode RESET answers it.
    #[error("no more connections are accepted")]
    Stopped,
}

countable! {
    DropReason: [Malformed(DecodeError)]
    UnknownPeer, Mode, TooShort, BacklogFull, HostLimit, AddressLimit, Quarantined, Stopped,
}

/// The counters of a listener, which saturate.
///
/// Each connection has counters of its own. Each datagram was delivered to a connection, or counts once in `queued`,
/// `repeated`, `retried` or `dropped`. Each of `queued` is still pending, or counts once in `accepted`, `refused`,
/// `dismissed`, `expired` or `evicted_pending`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct ListenerStats {
    /// Handshakes that have entered the backlog.
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
    /// Handshakes whose address a cookie has validated, at once or while they were pending.
    pub validated: u64,
    /// CONNECTs with a forged or expired cookie, or with that of another address or tag. They are handled as CONNECTs
    /// without a cookie.
    pub bad_cookie: u64,
    /// Answers to CONNECTs (RETRY, RESET) that were dropped, since 16 already waited for `poll_transmit`. The client
    /// repeats its CONNECT.
    pub replies_dropped: u64,
    /// Handshakes that were pending for longer than the handshake limit.
    pub expired: u64,
    /// Connections and handshakes that were evicted.
    ///
    /// A newer connection or handshake of the same address was confirmed or needed their place, or the validated quota
    /// of their host was full.
    pub evicted: u64,
    /// Handshakes that were evicted while they were pending. [`evicted`](Self::evicted) includes them.
    pub evicted_pending: u64,
    /// Connections that have moved to a new address of their peer.
    pub moved: u64,
    /// Datagrams with the tag of a connection, from an address that is not the peer's, which started or continued no
    /// path validation.
    pub other_address: u64,
    /// Datagrams that were dropped, by reason.
    pub dropped: DropCounts,
}

/// The number of datagrams dropped for each reason.
pub type DropCounts = Counts<DropReason, { DropReason::COUNT }>;

pub(super) fn increment(counter: &mut u64) {
    increase(counter, 1);
}
