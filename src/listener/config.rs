//! The limits of a listener.

use crate::connection::Config;

/// The limits of a listener, with their defaults. What is over a limit is ignored and counted by the limit, in
/// [`ListenerStats`](super::ListenerStats).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerConfig {
    /// What every accepted connection is made with. By default only extended mode is allowed: base mode cannot prove an
    /// address. Whoever forges source addresses makes a base-mode listener send to others, more than they sent themselves, and
    /// fills its backlog.
    pub connection: Config,
    /// How many connections there may be at once, from `accept` until what was released has lingered. Whoever comes above that
    /// waits in the backlog, and the application is not told of it. Fixed [memory](super::FixedTables) may hold fewer. Default: 1,024.
    pub peers: usize,
    /// How many handshakes may be open. It bounds those who wait to be accepted, and also those whose address is not validated,
    /// accepted ones included. Further ones are ignored, and their clients repeat their CONNECT. Nobody waits longer than the
    /// [handshake limit](Config::handshake_limit); once accepted, a client whose address is validated by a cookie has the
    /// [idle limit](Config::idle_limit) to confirm, where that is longer. Fixed [memory](super::FixedTables) may hold fewer.
    /// Default: 128.
    pub backlog: usize,
    /// How many connections and handshakes one [host](super::Address::host) may have. Above that a client has to prove its
    /// address by a cookie, unless [`retry`](Self::retry) is [`Retry::Never`]: then it is ignored, as it is in base mode. Those
    /// who gave proof, by a cookie or by their first INFO, are counted apart, and only as many of them keep another one out. So
    /// nobody keeps a host out by forging its address. A handshake that is not validated ends as
    /// [`Evicted`](crate::connection::Reason::Evicted) where its first INFO finds that many who are; its client is told by
    /// RESET. A client that restarts takes the place of its old connection. One that lingers counts until that is over. In base
    /// mode, which proves nothing, all count as those who gave none. Default: 256.
    pub per_host: usize,
    /// How many connections and handshakes one address may have: more than one only while a client that has restarted opens its
    /// new connection beside the old one. Above that, a client whose address is validated evicts one that is not. So does a
    /// connection whose peer has [another address](super); it does not move to one where nobody makes way, nor to one of another
    /// host that has as many validated ones as [`per_host`](Self::per_host) says. Default: 4.
    pub per_address: usize,
    /// When a client has to prove its address before anything is kept of it. Default: [`Retry::Auto`].
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

/// When to answer a CONNECT with RETRY, which costs the client a round trip and the listener no memory (extended mode only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Retry {
    /// While half of the [backlog](ListenerConfig::backlog) or more, or of the [peers](ListenerConfig::peers) where those are
    /// fewer, is held by addresses that are not validated. The rest is open to those that are, however many others come.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never. A flood of forged addresses then fills the backlog, and keeps honest clients out while it lasts.
    Never,
}
