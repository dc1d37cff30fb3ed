//! The limits of a listener.

use crate::Duration;
use crate::connection::Config;

/// The limits of a listener, with their defaults.
///
/// [`ListenerStats::dropped`](super::ListenerStats::dropped) counts each CONNECT that is dropped at a limit, by reason.
/// The client repeats its CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerConfig {
    /// The configuration of every accepted connection.
    ///
    /// By default only extended mode is allowed, since base mode [cannot validate an address](super).
    pub connection: Config,
    /// The maximum number of connections. Default: 1,024.
    ///
    /// A connection counts from `accept` until it is released and its linger has ended. In base mode it counts until
    /// the quarantine of its address has ended. Further clients stay in the backlog, and
    /// [`poll_incoming`](super::Listener::poll_incoming) does not return them. [Fixed tables](super::FixedTables) may
    /// hold fewer.
    pub peers: usize,
    /// The maximum number of open handshakes. Default: 128.
    ///
    /// The limit applies to two counts. One is the number of pending handshakes. The other is the number of open
    /// handshakes with unvalidated addresses, pending or accepted. [Fixed tables](super::FixedTables) may hold fewer.
    ///
    /// A handshake is pending for at most the [handshake limit](Config::handshake_limit). After `accept`, the client
    /// has the same time to confirm the connection. If a cookie has validated the address, the client has at least the
    /// [idle limit](Config::idle_limit).
    pub backlog: usize,
    /// The maximum number of connections and handshakes of one [host](super::Address::host). Default: 256.
    ///
    /// Above the limit, a CONNECT without a valid cookie gets RETRY. It is dropped if [`retry`](Self::retry) is
    /// [`Retry::Never`], or in base mode.
    ///
    /// Validated addresses have a separate quota of the same size, which unvalidated addresses do not use up. Forged
    /// addresses of a host therefore do not exclude validated clients of that host. If the quota is full, every CONNECT
    /// of the host is dropped, except that of a restarted client, which takes over the quota of its old connection. If
    /// the quota is full when INFO 0 confirms a connection with an unvalidated address, the connection ends as
    /// [`Evicted`](crate::connection::CloseReason::Evicted), and its client gets RESET with the code of
    /// [`busy`](Self::busy), or 0. Lingering connections count. Connections of base mode count as unvalidated.
    pub per_host: usize,
    /// The maximum number of connections and handshakes at one address. Default: 4.
    ///
    /// A client needs a second entry only after a restart, while its old connection still exists.
    ///
    /// Above the limit, a CONNECT without a valid cookie gets RETRY or is dropped, as for [`per_host`](Self::per_host).
    /// A CONNECT with a valid cookie evicts a *half-open* entry of its address: an open handshake without a valid
    /// cookie. If there is no such entry, the CONNECT is dropped. A connection that moves to [another address](super)
    /// evicts a half-open entry there in the same way. It does not move if the new address is full and has no half-open
    /// entry. It also does not move to another host whose validated quota is full.
    pub per_address: usize,
    /// What a client is told that finds no room. Default: `None`, so that it repeats its CONNECT until its own limit.
    ///
    /// Only extended mode can tell it.
    pub busy: Option<Busy>,
    /// When a client must validate its address before the listener keeps state for it. Default: [`Retry::Auto`].
    pub retry: Retry,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self {
            connection: Config::default(),
            peers: 1_024,
            backlog: 128,
            per_host: 256,
            per_address: 4,
            busy: None,
            retry: Retry::Auto,
        }
    }
}

/// An answer to clients that find no room: RESET.
///
/// A client above the limit of its host or its address, or that finds the backlog full, is told at once. Its connection
/// ends as [`Refused`](crate::connection::CloseReason::Refused). The answer has 14 bytes, and CONNECT at least 124.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Busy {
    /// How long a handshake may be pending. Where the [handshake limit](Config::handshake_limit) is shorter, it
    /// applies.
    ///
    /// Choose less than the handshake limit of the clients, which would otherwise take the server for absent.
    pub after: Duration,
    /// The code of the RESET.
    pub code: u8,
}

/// When to answer a CONNECT with RETRY (extended mode only).
///
/// RETRY costs the client a round trip and the listener no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Retry {
    /// While unvalidated addresses hold half of the [backlog](ListenerConfig::backlog), or of the
    /// [peers](ListenerConfig::peers) if these are fewer. The other half stays open to validated addresses.
    ///
    /// RETRY also answers while the limit of the client's [host](ListenerConfig::per_host) or
    /// [address](ListenerConfig::per_address) is reached.
    #[default]
    Auto,
    /// For every CONNECT without a valid cookie.
    Always,
    /// Never. A flood of forged addresses then fills the backlog and keeps honest clients out.
    Never,
}
