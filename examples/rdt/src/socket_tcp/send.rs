//! The side that sends one message.

use super::end_reason;
use crate::args::CloseRole;
use crate::endpoint::{Address, Body, Endpoint, Outgoing};
use crate::entropy;
use crate::messages::{amount, to_stderr};
use rdt_proto::socket_tcp::{SocketCloseReason, SocketConfig, SocketConnection, SocketSendError};
use rdt_proto::{BufferTooSmall, Duration, Instant};
use std::io;
use std::net::SocketAddr;

pub(super) struct Send {
    server: SocketAddr,
    connection: SocketConnection<SocketAddr>,
    message: Vec<u8>,
    written: usize,
    close: CloseRole,
    started: Instant,
    /// The time until the whole message was acknowledged.
    took: Option<Duration>,
    stopped: bool,
}

impl Send {
    pub(super) fn new(
        now: Instant,
        config: SocketConfig,
        server: SocketAddr,
        message: Vec<u8>,
        close: CloseRole,
    ) -> io::Result<Self> {
        let mut connection = SocketConnection::connect(now, config, entropy::random_bytes()?, server);
        connection.begin(message.len() as u64).map_err(io::Error::other)?;
        let mut send =
            Self { server, connection, message, written: 0, close, started: now, took: None, stopped: false };
        send.pump(now);
        Ok(send)
    }

    fn pump(&mut self, now: Instant) {
        while self.connection.poll_event().is_some() {}
        if self.took.is_some() || self.connection.ended().is_some() {
            return;
        }
        while self.written < self.message.len() {
            match self.connection.write(&self.message[self.written..]) {
                Ok(0) | Err(SocketSendError::Closed | SocketSendError::Closing) => return,
                Ok(taken) => self.written += taken,
                Err(error) => return to_stderr(error),
            }
        }
        if self.connection.is_all_acknowledged() {
            self.took = Some(now.saturating_since(self.started));
            if self.close == CloseRole::Active {
                self.connection.close();
            }
        }
    }

    pub(super) fn was_stopped(&self) -> bool {
        self.stopped
    }

    /// The line to print, or the failure and how the user can fix it.
    pub(super) fn result(&self) -> Result<String, String> {
        let (server, reason) = (self.server, self.connection.ended());
        match (self.took, reason) {
            (Some(took), _) => {
                if reason != Some(SocketCloseReason::Finished) {
                    to_stderr(format_args!("{server} has the message, but did not close: {}", end_reason(reason)));
                }
                Ok(format!("sent to {server}: {}", amount(self.message.len() as u64, took)))
            }
            (None, _) if self.stopped => Err("stopped: the message was not sent".into()),
            (None, Some(SocketCloseReason::HandshakeTimedOut)) => {
                Err(format!("no answer from {server}: does `rdt socket-tcp listen` run there, on this port?"))
            }
            (None, Some(SocketCloseReason::PeerLeft)) => Err(format!(
                "{server} closed before it had all of the message. If it accepts messages of this length, send it again"
            )),
            (None, _) => {
                Err(format!("lost {server} ({}): it may have a part of the message; send it again", end_reason(reason)))
            }
        }
    }
}

impl Endpoint for Send {
    fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]) {
        self.connection.handle_datagram(now, from.peer, datagram);
        self.pump(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
        self.pump(now);
    }

    /// SocketTCP has segments of one size.
    fn handle_datagram_too_large(&mut self, _now: Instant, _to: Address, _len: usize) {}

    fn handle_stop(&mut self, _now: Instant) {
        self.stopped = self.took.is_none();
        self.connection.abort();
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        _max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<Outgoing>, BufferTooSmall> {
        let sent = self.connection.poll_transmit(now, buf)?;
        Ok(sent.map(|(peer, transmit)| (Address { peer, local: None }, transmit.into())))
    }

    fn body(&self, _body: Body) -> &[u8] {
        &[]
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.connection.poll_timeout()
    }

    fn is_finished(&self) -> bool {
        self.connection.is_drained()
    }
}
