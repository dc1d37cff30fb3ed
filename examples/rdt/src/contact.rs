//! The way of a client to its server: attempts at each address, then the connection that was established first.
//!
//! ```text
//! Connecting ── CONNACK at one address ──→ Connected
//! ```

use crate::attempt_failure::Failure;
use crate::attempts::{Abandoned, Attempts};
use crate::endpoint::{Address, Body, Outgoing};
use crate::link::Link;
use crate::patience::Patience;
use rdt_proto::connection::{CloseReason, HeapBudget};
use rdt_proto::ftp::ErrorCode;
use rdt_proto::{BufferTooSmall, Instant};
use std::io;
use std::net::SocketAddr;

pub(crate) struct Contact {
    state: State,
}

enum State {
    /// No server has answered.
    Connecting(Attempts),
    Connected(Box<Connected>),
}

/// The connection to the server.
pub(crate) struct Connected {
    pub(crate) link: Link,
    pub(crate) budget: HeapBudget,
    abandoned: Abandoned,
    patience: Patience,
}

/// What has become of the attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// They go on, or nothing has changed.
    Unchanged,
    Established,
    Failed,
}

impl Contact {
    pub(crate) fn new(attempts: Attempts) -> Self {
        Self { state: State::Connecting(attempts) }
    }

    pub(crate) fn link(&self) -> Option<&Link> {
        match &self.state {
            State::Connecting(_) => None,
            State::Connected(connected) => Some(&connected.link),
        }
    }

    pub(crate) fn connected(&mut self) -> Option<&mut Connected> {
        match &mut self.state {
            State::Connecting(_) => None,
            State::Connected(connected) => Some(connected),
        }
    }

    /// Takes the first connection that is established.
    pub(crate) fn advance(&mut self) -> Progress {
        let State::Connecting(attempts) = &mut self.state else { return Progress::Unchanged };
        if let Some((link, abandoned)) = attempts.take_established() {
            let (budget, patience) = (HeapBudget::new(attempts.client_memory()), attempts.patience());
            self.state = State::Connected(Box::new(Connected { link, budget, abandoned, patience }));
            return Progress::Established;
        }
        if attempts.have_failed() { Progress::Failed } else { Progress::Unchanged }
    }

    /// Why no connection was established. `None` if one was.
    pub(crate) fn failure(&self, request: &str, network: Option<&io::Error>) -> Option<String> {
        match &self.state {
            State::Connecting(attempts) => Some(attempts.failure(request, network)),
            State::Connected(_) => None,
        }
    }

    /// The failure that says most about the server. `None` if a connection was established.
    pub(crate) fn worst(&self) -> Option<&Failure> {
        match &self.state {
            State::Connecting(attempts) => attempts.worst(),
            State::Connected(_) => None,
        }
    }

    /// When another client may try again, because the server turned this one away as busy after the handshake.
    ///
    /// A server does so when the first packet of the request shows that the host has too many connections. The request
    /// is not executed.
    pub(crate) fn turned_away(&self, now: Instant) -> Option<Patience> {
        let State::Connected(connected) = &self.state else { return None };
        let (link, busy) = (&connected.link, ErrorCode::Busy.value());
        let is_busy = link.connection.ended() == Some(CloseReason::Reset { code: busy });
        let is_first = link.connection.path().delivered == 0;
        if is_busy && is_first { connected.patience.after_busy(now, link.server()) } else { None }
    }

    /// Handles a datagram. Returns whether it may have changed the connection, or the attempts. `take` is offered the
    /// next bytes of the stream.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        from: Address,
        datagram: &[u8],
        take: impl FnMut(&[u8]) -> usize,
    ) -> bool {
        match &mut self.state {
            State::Connecting(attempts) => attempts.handle_datagram(now, from.peer, datagram),
            State::Connected(connected) if connected.link.is_with(from.peer) => {
                connected.link.handle_datagram(now, datagram, take);
            }
            State::Connected(connected) => {
                connected.abandoned.handle_datagram(now, from.peer, datagram);
                return false;
            }
        }
        true
    }

    /// Handles the report that a port is closed. After the result of a client, its connection ends in order.
    pub(crate) fn handle_closed_port(&mut self, now: Instant, to: SocketAddr, has_result: bool) {
        match &mut self.state {
            State::Connecting(attempts) => attempts.handle_closed_port(now, to),
            State::Connected(connected) if connected.link.is_with(to) && !has_result => {
                connected.link.handle_closed_port(now);
            }
            State::Connected(_) => {}
        }
    }

    pub(crate) fn handle_unreachable(&mut self, now: Instant, to: SocketAddr) {
        match &mut self.state {
            State::Connecting(attempts) => attempts.handle_unreachable(now, to),
            State::Connected(_) => {}
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Connecting(attempts) => attempts.handle_timeout(now),
            State::Connected(connected) => connected.link.handle_timeout(now),
        }
    }

    pub(crate) fn handle_datagram_too_large(&mut self, now: Instant, to: Address, len: usize) {
        match &mut self.state {
            State::Connecting(attempts) => attempts.handle_datagram_too_large(now, to.peer, len),
            State::Connected(connected) => connected.link.connection.handle_datagram_too_large(now, len),
        }
    }

    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<Outgoing>, BufferTooSmall> {
        match &mut self.state {
            State::Connecting(attempts) => attempts.poll_transmit(now, max_datagrams, buf),
            State::Connected(connected) => match connected.link.poll_transmit(now, max_datagrams, buf)? {
                Some(polled) => Ok(Some(polled)),
                None => connected.abandoned.poll_transmit(now, buf),
            },
        }
    }

    /// The body that follows the datagrams which were polled last.
    pub(crate) fn body(&self, (_, number): Body) -> &[u8] {
        match &self.state {
            State::Connecting(_) => &[],
            State::Connected(connected) => connected.link.connection.body(number),
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Connecting(attempts) => attempts.poll_timeout(),
            State::Connected(connected) => connected.link.poll_timeout(),
        }
    }

    /// Whether there is a server to notify of an end.
    pub(crate) fn is_established(&self) -> bool {
        self.link().is_some_and(|link| link.connection.is_established())
    }

    /// Whether nothing is left to send.
    pub(crate) fn is_drained(&self) -> bool {
        self.link().is_none_or(|link| link.connection.is_drained())
    }
}
