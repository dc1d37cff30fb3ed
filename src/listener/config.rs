//! The limits of a listener.

use crate::connection::Config;

/// The limits of a listener, with their defaults.
///
/// A CONNECT above a limit is dropped and counted by the limit
/// ([`ListenerStats::dropped`](super::ListenerStats::dropped)). Its client repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerConfig {
    /// The configuration of every accepted connection.
    ///
    /// By default only extended mode is allowed, since base mode [cannot validate an address](super).
    pub connection: Config,
    /// How many connections there may be at once. Default: 1,024.
    ///
    /// A connection counts from `accept` until it was released and has lingered. Further clients stay in the backlog,
    /// and [`poll_incoming`](super::Listener::poll_incoming) does not return them. [Fixed tables](super::FixedTables)
    /// may hold fewer.
    pub peers: usize,
    /// How many handshakes may be open. Default: 128.
    ///
    /// This bounds the pending handshakes, and also all open handshakes of unvalidated addresses, accepted ones
    /// included. A handshake is pending for the [handshake limit](Config::handshake_limit) at most. Once accepted, a
    /// client whose address was validated by a cookie has the [idle limit](Config::idle_limit) to confirm, if that is
    /// longer. [Fixed tables](super::FixedTables) may hold fewer.
    pub backlog: usize,
    /// How many connections and handshakes one [host](super::Address::host) may have. Default: 256.
    ///
    /// Above that a client has to validate its address by a cookie, unless [`retry`](Self::retry) is [`Retry::Never`]
    /// or the CONNECT is of base mode: then it is dropped. Validated addresses have a quota of their own, which
    /// unvalidated ones do not use up. So a forged address does not keep its host out. If the quota is full when a
    /// half-open connection is confirmed, it ends as [`Evicted`](crate::connection::Reason::Evicted), and RESET informs
    /// its client. A restarted client takes the quota of its old connection. A lingering connection counts. Connections
    /// of base mode count as unvalidated.
    pub per_host: usize,
    /// How many connections and handshakes one address may have. Default: 4.
    ///
    /// A client needs a second one only while it has restarted and opens its new connection beside the old one. Above
    /// the limit a client with a validated address evicts a half-open entry. So does a connection whose peer has
    /// [another address](super): it does not move to a full address without such an entry, nor to another host
    /// whose validated quota ([`per_host`](Self::per_host)) is full.
    pub per_address: usize,
    /// When a client has to validate its address before any state is kept of it. Default: [`Retry::Auto`].
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
            retry: Retry::Auto,
        }
    }
}

/// When to answer a CONNECT with RETRY (extended mode only).
///
/// RETRY costs the client a round trip and the listener no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Retry {
    /// While unvalidated addresses hold half of the [backlog](ListenerConfig::backlog), or of the
    /// [peers](ListenerConfig::peers) if these are fewer. The other half stays open to validated addresses.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never. A flood of forged addresses then fills the backlog and keeps honest clients out.
    Never,
}
