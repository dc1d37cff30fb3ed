//! Observation of a connection, for logs, tests and simulations.
//!
//! [`Storage::observed`](super::Storage::observed) adds an [`Observer`] to a connection. Without an observer, no code
//! is generated for it.
//!
//! ```
//! use rdt_proto::Instant;
//! use rdt_proto::connection::{Config, Connection, Observer, Storage, TraceEvent};
//!
//! #[derive(Debug, Default)]
//! struct Log(Vec<String>);
//!
//! impl Observer for Log {
//!     fn observe(&mut self, now: Instant, event: &TraceEvent<'_>) {
//!         self.0.push(format!("{now:?} {event}"));
//!     }
//! }
//!
//! let config = Config::default();
//! let storage = Storage::on_heap(&config, 64)?.observed(Log::default());
//! let mut client = Connection::connect(Instant::ZERO, config, [7; 32], storage)?;
//! client.poll_transmit(Instant::ZERO, &mut [0; 1_500]).expect("the buffer is large enough");
//! assert!(client.observer().0[0].contains("> CONNECT, version 1, tag"));
//! # Ok::<(), rdt_proto::store::StoreError>(())
//! ```

use super::event::Ignored;
use super::path_snapshot::{ConnectionState, PathSnapshot};
use crate::timing::Timer;
use crate::wire::Datagram;
use crate::{Instant, Seq};
use core::fmt;

/// Receives the events of a connection.
///
/// Each event is reported before the call that causes it returns. Its time is the latest time that was passed to any
/// call.
pub trait Observer {
    /// Whether the observer wants events now. While this is false, no event is reported.
    fn is_enabled(&self) -> bool {
        true
    }

    /// Handles an event.
    fn observe(&mut self, now: Instant, event: &TraceEvent<'_>);
}

/// Ignores all events at no cost.
impl Observer for () {
    fn is_enabled(&self) -> bool {
        false
    }

    fn observe(&mut self, _now: Instant, _event: &TraceEvent<'_>) {}
}

impl<O: Observer> Observer for &mut O {
    fn is_enabled(&self) -> bool {
        (**self).is_enabled()
    }

    fn observe(&mut self, now: Instant, event: &TraceEvent<'_>) {
        (**self).observe(now, event);
    }
}

/// `None` ignores all events.
impl<O: Observer> Observer for Option<O> {
    fn is_enabled(&self) -> bool {
        self.as_ref().is_some_and(O::is_enabled)
    }

    fn observe(&mut self, now: Instant, event: &TraceEvent<'_>) {
        if let Some(observer) = self {
            observer.observe(now, event);
        }
    }
}

/// An event of a connection. Its `Display` form is one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TraceEvent<'a> {
    /// A packet was written by `poll_transmit`.
    Sent {
        /// The packet and its counter.
        datagram: Datagram<'a>,
        /// The length of the datagram in bytes.
        len: usize,
    },
    /// A packet arrived.
    Received {
        /// The packet and its counter.
        datagram: Datagram<'a>,
        /// The length of the datagram in bytes.
        len: usize,
    },
    /// A datagram was ignored. If it holds a packet, [`Received`](Self::Received) precedes this event.
    Ignored(Ignored),
    /// The latest transmission of the INFO with this number was declared lost.
    ///
    /// If several are declared lost at once, the one that was sent last comes first. With stop-and-wait, an INFO is
    /// declared lost when it is repeated.
    Lost(Seq),
    /// An estimate of the path or a limit has changed, or the bytes in flight: what it is now.
    ///
    /// The event ends the events of a call, but those of its datagrams sent. One call causes one event at most.
    Path(PathSnapshot),
    /// The peer has moved to another address. A [listener](crate::listener) has noticed it.
    Moved,
    /// A timer expired.
    Expired(Timer),
    /// The congestion controller entered this [phase](crate::congestion::Congestion::phase).
    Phase(&'static str),
    /// The connection entered this state.
    State(ConnectionState),
}

impl fmt::Display for TraceEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { datagram, len } => write!(f, "> {datagram} ({len} bytes)"),
            Self::Received { datagram, len } => write!(f, "< {datagram} ({len} bytes)"),
            Self::Ignored(reason) => write!(f, "ignored: {reason:?}"),
            Self::Lost(number) => write!(f, "lost: INFO {}", number.value()),
            Self::Path(path) => path.fmt(f),
            Self::Moved => f.write_str("the peer has moved"),
            Self::Expired(timer) => write!(f, "timer: {timer:?}"),
            Self::Phase(phase) => write!(f, "phase: {phase}"),
            Self::State(state) => write!(f, "state: {state}"),
        }
    }
}
