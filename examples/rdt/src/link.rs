//! A connection of a client to one address of its server.

use crate::endpoint::{Address, Outgoing};
use crate::entropy;
use crate::progress_line::PathView;
use crate::qlog::VantagePoint;
use crate::settings::{self, AnyStorage, Settings};
use rdt_proto::connection::{Connection, Gather, HeapWindow, Timer};
use rdt_proto::{BufferTooSmall, Duration, Instant};
use std::io;
use std::net::SocketAddr;

/// How long a client hopes for another answer after the system has reported that the server's port is closed.
///
/// Such a report may be forged, or a server may be starting.
const REFUSED_WAIT: Duration = Duration::from_millis(1_500);

pub(crate) struct Link {
    server: SocketAddr,
    pub(crate) connection: Connection<AnyStorage>,
    pub(crate) window: HeapWindow,
    /// The largest body that this side sends.
    segment: u16,
    started: Instant,
    /// Since when a datagram of the server is due that does not come.
    silent_since: Instant,
    has_request: bool,
    refusal: Refusal,
}

/// What the system reports about the server's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    None,
    /// The port is closed. A datagram of the server by this time refutes it.
    Reported {
        until: Instant,
    },
    /// No datagram came.
    Final,
}

impl Link {
    /// Begins a connection. `request` is written to it, if it fits.
    pub(crate) fn connect(now: Instant, server: SocketAddr, settings: &Settings, request: &[u8]) -> io::Result<Self> {
        let settings = settings.towards(server, u16::MAX);
        let storage = settings::storage(&settings, server, VantagePoint::Client).map_err(io::Error::other)?;
        let connection = Connection::connect(now, settings.config, entropy::random_bytes()?, storage);
        let mut connection = connection.map_err(io::Error::other)?;
        let has_request = connection.send_segment(request).is_ok();
        Ok(Self {
            server,
            connection,
            window: settings.heap_window(),
            segment: settings.config.segment,
            started: now,
            silent_since: now,
            has_request,
            refusal: Refusal::None,
        })
    }

    /// Whether the request was written.
    pub(crate) fn has_request(&self) -> bool {
        self.has_request
    }

    pub(crate) fn server(&self) -> SocketAddr {
        self.server
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// The most bytes that were sent and may not have arrived.
    pub(crate) fn in_flight(&self) -> u64 {
        in_flight(&self.connection, self.segment)
    }

    /// What this side knows about the path, and for how long the server owes an answer.
    pub(crate) fn path_view(&mut self, now: Instant, is_sender: bool) -> PathView {
        if !self.is_answer_due(is_sender) {
            self.silent_since = now;
        }
        let unheard = Some(now.saturating_since(self.silent_since));
        PathView { unheard, ..path_view(&self.connection, is_sender) }
    }

    /// Whether a server that is well would have answered. It is silent to a sender whose window it has closed, or which
    /// waits for its own input, and to a receiver that does not take what has arrived.
    fn is_answer_due(&self, is_sender: bool) -> bool {
        let (mut is_due, mut is_stopped) = (false, false);
        self.connection.for_each_deadline(|timer, _| match timer {
            Timer::Idle => is_due = true,
            // Base mode has no PROBE that a receiver could send.
            Timer::Quiet => is_due |= !is_sender,
            Timer::Persist => is_stopped = true,
            _ => {}
        });
        is_due && !is_stopped && (is_sender || self.connection.recv_chunk().is_empty())
    }

    /// Whether `address` is that of the server. The socket is not connected, so it receives datagrams from any address.
    pub(crate) fn is_with(&self, address: SocketAddr) -> bool {
        (address.ip(), address.port()) == (self.server.ip(), self.server.port())
    }

    /// Whether the connection ended because the port of the server is closed.
    pub(crate) fn is_port_closed(&self) -> bool {
        self.refusal == Refusal::Final
    }

    /// Handles a datagram of the server. `take` is offered the next bytes of the stream.
    pub(crate) fn handle_datagram(&mut self, now: Instant, datagram: &[u8], take: impl FnMut(&[u8]) -> usize) {
        (self.refusal, self.silent_since) = (Refusal::None, now);
        self.connection.handle_datagram_into(now, datagram, take);
    }

    /// Handles the report that the port of the server is closed.
    pub(crate) fn handle_closed_port(&mut self, now: Instant) {
        // A server refutes a forged report only if it has something to answer.
        let mut is_answer_due = false;
        self.connection.for_each_deadline(|timer, _| is_answer_due |= matches!(timer, Timer::Idle | Timer::Handshake));
        if is_answer_due && self.refusal == Refusal::None {
            self.refusal = Refusal::Reported { until: now + REFUSED_WAIT };
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.refusal, Refusal::Reported { until } if until <= now) {
            self.refusal = Refusal::Final;
            self.connection.evict(now);
        }
        self.connection.handle_timeout(now);
    }

    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<Outgoing>, BufferTooSmall> {
        let to = Address { peer: self.server, local: None };
        let polled = self.connection.poll_transmit_gather(now, max_datagrams, buf)?;
        Ok(polled.map(|Gather { transmit, body }| (to, Gather { transmit, body: body.map(|number| (None, number)) })))
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let refused = match self.refusal {
            Refusal::Reported { until } => Some(until),
            Refusal::None | Refusal::Final => None,
        };
        self.connection.poll_timeout().into_iter().chain(refused).min()
    }
}

/// What a connection knows about its path. Only a sender of content sees losses, since a receiver sends few packets.
pub(crate) fn path_view(connection: &Connection<AnyStorage>, is_sender: bool) -> PathView {
    let (path, sent) = (connection.path(), connection.stats().infos_sent);
    #[allow(clippy::cast_precision_loss, reason = "a percentage that is shown is rounded")]
    let loss = || path.lost.saturating_sub(path.spurious) as f64 * 100.0 / sent as f64;
    PathView { round_trip: path.srtt, loss: (is_sender && sent > 0).then(loss), unheard: None }
}

/// The most bytes that were sent and may not have arrived: a body of `segment` bytes for each packet in the send store.
pub(crate) fn in_flight(connection: &Connection<AnyStorage>, segment: u16) -> u64 {
    if connection.is_all_acknowledged() {
        return 0;
    }
    u64::from(connection.send_memory().used).saturating_mul(segment.into())
}
