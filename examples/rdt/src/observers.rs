//! What observes a connection: the log of packets, the lines for people, and the trace.

use crate::connection_trace::ConnectionTrace;
use crate::narrator::Narrator;
use crate::packet_log::PacketLog;
use crate::qlog::VantagePoint;
use rdt_proto::Instant;
use rdt_proto::connection::{Observer, TraceEvent};
use std::net::SocketAddr;

/// How much the program says about its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    Nothing,
    /// Short lines for people.
    Lines,
    /// Each packet, timer, loss and state.
    Packets,
}

impl Verbosity {
    /// The verbosity for a number of `-v`.
    pub(crate) const fn of(count: u8) -> Self {
        match count {
            0 => Self::Nothing,
            1 => Self::Lines,
            _ => Self::Packets,
        }
    }
}

/// All observers of one connection.
pub(crate) struct Observers {
    text: Option<Text>,
    trace: Option<Box<ConnectionTrace>>,
}

enum Text {
    Lines(Box<Narrator>),
    Packets(PacketLog),
}

impl Observers {
    pub(crate) fn new(verbosity: Verbosity, peer: SocketAddr, side: VantagePoint) -> Self {
        let text = match verbosity {
            Verbosity::Nothing => None,
            Verbosity::Lines => Some(Text::Lines(Box::new(Narrator::new(peer, side)))),
            Verbosity::Packets => Some(Text::Packets(PacketLog::new(peer))),
        };
        Self { text, trace: ConnectionTrace::new(peer, side) }
    }
}

impl Observer for Observers {
    fn is_enabled(&self) -> bool {
        self.text.is_some() || self.trace.is_some()
    }

    fn observe(&mut self, now: Instant, event: &TraceEvent<'_>) {
        match &mut self.text {
            None => {}
            Some(Text::Lines(narrator)) => narrator.observe(now, event),
            Some(Text::Packets(log)) => log.observe(now, event),
        }
        if let Some(trace) = &mut self.trace {
            trace.observe(now, event);
        }
    }
}
