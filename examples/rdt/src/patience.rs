//! How long a client tries again while its server is busy.

use crate::messages;
use crate::settings::Settings;
use rdt_proto::{Duration, Instant};
use std::net::SocketAddr;

/// The interval of attempts at a busy server. They go on for as long as a client waits for a silent one.
const BUSY_INTERVAL: Duration = Duration::from_secs(1);

/// When a client connects, and how long it waits for a busy server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    start: Instant,
    until: Instant,
    /// Whether to print a line when a server is busy for the first time.
    announce: bool,
}

impl Patience {
    pub(crate) fn new(now: Instant, settings: &Settings, announce: bool) -> Self {
        Self { start: now, until: now + settings.config.handshake_limit, announce }
    }

    /// When the next attempt starts.
    pub(crate) fn start(self) -> Instant {
        self.start
    }

    /// The patience after a busy server has turned the client away. `None` if there is no time left.
    pub(crate) fn after_busy(self, now: Instant, server: SocketAddr) -> Option<Self> {
        let left = self.until.saturating_since(now);
        if left < BUSY_INTERVAL {
            return None;
        }
        if self.announce {
            messages::to_stderr(format_args!("{server} is busy: trying again for {} s", left.as_secs()));
        }
        Some(Self { start: now + BUSY_INTERVAL, announce: false, ..self })
    }
}
