//! The limits of a server.

use crate::settings;
use rdt_proto::Duration;
use rdt_proto::connection::{Config, ProgressLimits};
use rdt_proto::ftp::ErrorCode;
use rdt_proto::listener::{Busy, ListenerConfig, Retry};

/// How long a client waits for a place before it is told that there is none.
const BUSY_AFTER: Duration = Duration::from_millis(1_500);
/// The longest time to the request of a client.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// The bytes that a client must send or acknowledge in twice the idle limit. A client that works itself sends WORKING,
/// which has as many.
const LEAST_PROGRESS: u32 = 1_024;

/// The limits on the time without progress. They follow the limits on silence, which the user may set.
///
/// The span is longer than the keep-alive interval: a client that waits for the disk is heard in each span.
fn progress_limits(config: &Config) -> ProgressLimits {
    ProgressLimits {
        first: REQUEST_LIMIT.min(config.idle_limit),
        span: config.idle_limit.saturating_mul(2),
        least: LEAST_PROGRESS,
        // A client may still store what it has fetched.
        close: config.idle_limit.saturating_mul(2),
    }
}

/// The limits of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The maximum number of clients served at once. Further clients wait in the backlog.
    pub(crate) clients: usize,
    /// The maximum number of connections of one host.
    pub(crate) per_host: usize,
    pub(crate) retry: Retry,
    /// The bytes that the windows of all clients may take beyond the first memory of each.
    pub(crate) memory: usize,
    /// How long running transfers go on after a request to drain.
    pub(crate) drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let ListenerConfig { peers, per_host, retry, .. } = ListenerConfig::default();
        Self { clients: peers, per_host, retry, memory: settings::MEMORY, drain: Duration::ZERO }
    }
}

impl Limits {
    /// The configuration of a listener for connections with this configuration.
    pub(crate) fn listener_config(&self, connection: &Config) -> ListenerConfig {
        let default = ListenerConfig::default();
        ListenerConfig {
            connection: Config { progress: progress_limits(connection), ..*connection },
            busy: Some(Busy { after: BUSY_AFTER, code: ErrorCode::Busy.value() }),
            // A lingering connection still counts, although its client is no longer served. So the limit is twice the
            // number of clients.
            peers: self.clients.saturating_mul(2),
            // By default, handshakes with unvalidated addresses, pending or accepted, are limited to half of the
            // backlog. The backlog is at most `self.clients`, so they take at most half of the places for clients.
            backlog: default.backlog.min(self.clients),
            per_host: self.per_host,
            retry: self.retry,
            ..default
        }
    }
}
