//! The dispatch of a datagram, and the counters of a listener.

use super::PeerId;
use crate::connection::Handled;
use crate::counts::{Countable, Counts, countable, increase};
use crate::wire::DecodeError;
use thiserror::Error;

/// What the listener did with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dispatch {
    /// The datagram was delivered to this connection, with this result.
    Peer(PeerId, Handled),
    /// The handshake of a CONNECT is in the backlog. It is new, or the CONNECT repeats it.
    ///
    /// See [`Listener::poll_incoming`](super::Listener::poll_incoming).
    Queued,
    /// RETRY answers a CONNECT: the client must validate its address. The listener keeps no state for the client.
    Retried,
    /// The datagram was dropped for this reason. [`ListenerStats::dropped`] counts it.
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
    /// A CONNECT of extended mode shorter than [`MIN_CONNECT`](crate::wire::MIN_CONNECT). An answer might be longer
    /// than the CONNECT.
    #[error("the CONNECT is too short for an answer")]
    TooShort,
    /// A CONNECT that offers another [version](crate::wire::VERSION) of extended mode. A CONNACK with only our version
    /// answers it.
    #[error("the client speaks another version")]
    Version,
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
    /// A datagram under the tag of a connection, from another address than the peer's. It may start or continue a path
    /// validation. Its data counts only once the connection has moved to that address.
    #[error("the peer has another address")]
    OtherAddress,
    /// A CONNECT after [`stop_accepting`](super::Listener::stop_accepting). In extended mode RESET answers it.
    #[error("no more connections are accepted")]
    Stopped,
}

countable! {
    DropReason: [Malformed(DecodeError)]
    UnknownPeer, Mode, TooShort, Version, BacklogFull, HostLimit, AddressLimit, Quarantined, OtherAddress,
    Stopped,
}

/// The counters of a listener, which saturate.
///
/// Each connection also has its own counters. A datagram is delivered to a connection, or counts once in `queued`,
/// `repeated`, `retried` or `dropped`. A handshake that counts in `queued` is still pending, or counts once in
/// `accepted`, `refused`, `dismissed`, `expired` or `evicted_pending`.
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
    /// Handshakes that the application [ignored](super::Listener::ignore), or for which it had no
    /// [storage](super::AcceptError::Storage).
    pub dismissed: u64,
    /// CONNECTs answered with RETRY.
    pub retried: u64,
    /// Handshakes whose address a cookie has validated, at once or while they were pending.
    pub validated: u64,
    /// CONNECTs with an invalid cookie: forged, expired, or made for another address or tag. They are handled as
    /// CONNECTs without a cookie.
    pub bad_cookie: u64,
    /// Answers to CONNECTs (RETRY, RESET, our version) that were dropped, since as many answers as the listener admits
    /// clients already waited for `poll_transmit`. The client repeats its CONNECT.
    pub replies_dropped: u64,
    /// [Stateless resets](super::Listener::set_reset_key) that answered a datagram with an unknown tag.
    pub stateless_resets: u64,
    /// Handshakes that were pending for longer than the handshake limit.
    pub expired: u64,
    /// Connections and handshakes that were evicted.
    ///
    /// The cause is a newer confirmed connection of the same address, another entry that needed the place, or a full
    /// quota.
    pub evicted: u64,
    /// Handshakes that were evicted while they were pending. [`evicted`](Self::evicted) includes them.
    pub evicted_pending: u64,
    /// Moves of a connection to a new address of its peer, including moves that were reverted.
    pub moved: u64,
    /// Datagrams that carry the tag of a connection, but come from another address than the peer's and do not start or
    /// continue a path validation.
    pub other_address: u64,
    /// Datagrams that were dropped, by reason.
    pub dropped: DropCounts,
}

/// The number of datagrams dropped for each reason.
pub type DropCounts = Counts<DropReason, { DropReason::COUNT }>;

pub(super) fn increment(counter: &mut u64) {
    increase(counter, 1);
}
