//! The log of `-vv`: a line for each packet, timer, loss and state of a connection.

use crate::output::{self, Stream};
use rdt_proto::Instant;
use rdt_proto::connection::TraceEvent;
use std::net::SocketAddr;

/// Prints the events of one connection to the standard error output.
pub(crate) struct PacketLog(SocketAddr);

impl PacketLog {
    /// Creates the log of a connection to `peer`. Each line has the address of `peer`.
    pub(crate) const fn new(peer: SocketAddr) -> Self {
        Self(peer)
    }

    pub(crate) fn observe(&self, now: Instant, event: &TraceEvent<'_>) {
        // They change with each packet.
        if matches!(event, TraceEvent::Path(_)) {
            return;
        }
        let (peer, micros) = (self.0, now.saturating_since(Instant::ZERO).as_micros());
        let line = format!("{}.{:06} {peer} {event}", micros / 1_000_000, micros % 1_000_000);
        output::print(Stream::Stderr, &line);
    }
}
