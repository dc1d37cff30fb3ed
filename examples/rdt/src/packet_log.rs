//! The log of `--verbose`: a line for each packet, timer, loss and state of a connection.

use crate::output::{self, Stream};
use rdt_proto::Instant;
use rdt_proto::connection::{Observer, TraceEvent};
use std::net::SocketAddr;

/// Prints the events of one connection to the standard error output. With `None` it prints nothing.
pub(crate) struct PacketLog(Option<SocketAddr>);

impl PacketLog {
    /// Creates the log of a connection to `peer`. Each line has the address of `peer`.
    pub(crate) fn new(is_verbose: bool, peer: SocketAddr) -> Self {
        Self(is_verbose.then_some(peer))
    }
}

impl Observer for PacketLog {
    fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    fn observe(&mut self, now: Instant, event: &TraceEvent<'_>) {
        let Some(peer) = self.0 else { return };
        let micros = now.saturating_since(Instant::ZERO).as_micros();
        let line = format!("{}.{:06} {peer} {event}", micros / 1_000_000, micros % 1_000_000);
        output::print(Stream::Stderr, &line);
    }
}
