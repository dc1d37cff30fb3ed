//! `--verbose`: what a connection does, a line for each packet, timer, loss and state.

use rdt_proto::Instant;
use rdt_proto::connection::{Observer, TraceEvent};
use std::io::Write;
use std::net::SocketAddr;

/// Prints the events of one connection to the standard error output, or nothing.
pub(crate) struct PacketLog(Option<SocketAddr>);

impl PacketLog {
    /// `peer`: the other end of the connection, which begins each line.
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
        // A log that cannot be written ends no transfer.
        writeln!(std::io::stderr(), "{}.{:06} {peer} {event}", micros / 1_000_000, micros % 1_000_000).ok();
    }
}
