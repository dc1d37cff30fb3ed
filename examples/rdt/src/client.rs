//! A client: one connection with one request.

use crate::disk::Finished;
use crate::endpoint::{Address, Endpoint};
use crate::entropy;
use crate::exchange::{Exchange, Storage};
use crate::messages;
use crate::progress::Progress;
use crate::settings::{self, AnyStorage, Settings};
use rdt_proto::connection::{CloseReason, Connection, HeapBudget, HeapWindow, Stats, Timer, Transmit};
use rdt_proto::ftp::{Client, ErrorCode, Outcome, Session, Transfer};
use rdt_proto::{BufferTooSmall, Duration, Instant};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How long a client hopes for another answer after the system has reported that the server's port is closed.
///
/// Such a report may be forged, or a server may be starting.
const REFUSED_WAIT: Duration = Duration::from_millis(1_500);
/// The maximum time that the client stays after Ctrl-C, so that the server receives the cancellation.
const STOP_LIMIT: Duration = Duration::from_secs(1);

pub(crate) struct FileClient<F> {
    server: SocketAddr,
    settings: Settings,
    connection: Connection<AnyStorage>,
    window: HeapWindow,
    budget: HeapBudget,
    exchange: Exchange<Client, F>,
    /// The results of the disk. `None` if the storage needs none.
    finished: Option<Finished>,
    progress: Progress,
    /// Whether to print a message after a success.
    announce: bool,
    started: Instant,
    result: Option<TransferResult>,
    stopped: bool,
    refusal: Refusal,
    /// The time at which the client leaves, even if the connection is not drained.
    leave_at: Option<Instant>,
    expired: bool,
}

/// Why an attempt failed, as far as another one may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// No server has answered at this address.
    Unreachable,
    /// The server has no place.
    Busy,
    Other,
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

/// The result of a transfer.
#[derive(Clone, Copy)]
pub(crate) struct TransferResult {
    pub(crate) outcome: Outcome,
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
}

/// The unspecified address of the server's address family.
pub(crate) fn any_address_for(server: SocketAddr) -> SocketAddr {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(any, 0)
}

impl<F: Storage> FileClient<F> {
    pub(crate) fn new(
        now: Instant,
        server: SocketAddr,
        settings: Settings,
        exchange: Exchange<Client, F>,
        finished: Option<Finished>,
        progress: Progress,
        announce: bool,
    ) -> io::Result<Self> {
        let storage = settings::storage(&settings, server).map_err(io::Error::other)?;
        let connection = Connection::connect(now, settings.config, entropy::random_bytes()?, storage);
        let connection = connection.map_err(io::Error::other)?;
        let mut client = Self {
            server,
            settings,
            connection,
            window: settings.heap_window(),
            // The largest window is the only limit.
            budget: HeapBudget::new(usize::MAX),
            exchange,
            finished,
            progress,
            announce,
            started: now,
            result: None,
            stopped: false,
            refusal: Refusal::None,
            leave_at: None,
            expired: false,
        };
        client.pump(now);
        Ok(client)
    }

    /// The result. `None` while the transfer runs.
    pub(crate) fn result(&self) -> Option<TransferResult> {
        self.result
    }

    pub(crate) fn was_stopped(&self) -> bool {
        self.stopped
    }

    pub(crate) fn stats(&self) -> &Stats {
        self.connection.stats()
    }

    fn pump(&mut self, now: Instant) {
        let outcome = self.exchange.pump(now, &mut self.connection, &mut self.window, &mut self.budget);
        if self.result.is_some() {
            // The user waits for the prompt, and no result depends on the linger.
            self.connection.leave();
            return;
        }
        let (bytes, length) = (self.exchange.session.bytes_done(), self.exchange.session.length());
        self.progress.update(self.arrived(bytes), length);
        if let Some(outcome) = outcome {
            self.progress.finish(matches!(outcome, Outcome::Stored | Outcome::Received).then_some(bytes));
            let took = now.saturating_since(self.started);
            self.result = Some(TransferResult { outcome, bytes, took });
            // Only the close of the connection remains.
            if self.announce && matches!(outcome, Outcome::Stored | Outcome::Received) {
                let (name, done) = (self.exchange.session.name(), messages::amount(bytes, took));
                match outcome {
                    Outcome::Stored => {
                        messages::to_stdout(format_args!("stored \"{name}\" on {}: {done}", self.server));
                    }
                    _ => messages::to_stdout(format_args!("received \"{name}\" from {}: {done}", self.server)),
                }
            }
            self.leave_by(now + settings::farewell(&self.settings.config));
        }
    }

    /// The number of the `done` bytes that have certainly crossed the network.
    ///
    /// In an upload, the last bytes may still be in the connection. So the maximum that the send store holds is
    /// subtracted.
    fn arrived(&self, done: u64) -> u64 {
        if self.exchange.session.transfer() == Transfer::Download || self.connection.is_all_acknowledged() {
            return done;
        }
        let packets = u64::from(self.connection.send_memory().used);
        done.saturating_sub(packets * u64::from(self.settings.config.segment))
    }

    fn leave_by(&mut self, limit: Instant) {
        self.leave_at = Some(self.leave_at.map_or(limit, |earlier| earlier.min(limit)));
    }

    /// The failure, and how the user can fix it. `None` after a success.
    pub(crate) fn failure(&self, network_error: Option<&io::Error>) -> Option<String> {
        let server = self.server;
        let name = self.exchange.session.name();
        let upload = self.exchange.session.transfer() == Transfer::Upload;
        let reason = self.connection.ended();
        let network = network_error.map_or(String::new(), |error| format!(" (network: {error})"));
        let again = if upload { "it may be stored there or not; send it again" } else { "nothing was kept; try again" };
        Some(match self.result.map(|result| result.outcome) {
            Some(Outcome::Stored | Outcome::Received) => return None,
            Some(Outcome::Refused(code)) => format!("{server} refused \"{name}\": {}", messages::refusal(code)),
            Some(Outcome::Lost) if self.refusal == Refusal::Final => {
                if self.connection.path().delivered > 0 {
                    format!("lost {server} while transferring \"{name}\" (its program has ended): {again}")
                } else {
                    format!("nothing listens on {server}: start the server there, or give its port")
                }
            }
            Some(Outcome::Lost) if !self.has_met() => {
                format!("no answer from {server}{network}: is a server running there, on this port and --profile?")
            }
            Some(Outcome::Lost) => {
                let reached = self.connection.path().delivered > 0 || reason == Some(CloseReason::NoProgress);
                let hint = if reached { "" } else { ", and no data has reached it; try a smaller --segment" };
                let reason = messages::end_reason(reason);
                format!("lost {server} while transferring \"{name}\" ({reason}{hint}{network}): {again}")
            }
            None if self.exchange.is_committing() => {
                format!("stopped: \"{name}\" was being stored: look whether it is there")
            }
            Some(Outcome::Cancelled) | None => format!("stopped: \"{name}\" was not transferred"),
            Some(Outcome::Unconfirmed) => format!("{server} closed without confirming \"{name}\": {again}"),
            Some(Outcome::CutShort) => {
                format!("{server} closed before the end of \"{name}\" (did the file change there?): {again}")
            }
            Some(Outcome::Aborted(code)) if matches!(reason, Some(CloseReason::Refused { .. })) => {
                format!("{server} refused \"{name}\": {}", messages::refusal(code))
            }
            Some(Outcome::Aborted(code)) => format!("{server} ended the transfer of \"{name}\" ({code}): {again}"),
            Some(Outcome::Shrunk) => {
                format!("\"{name}\" became shorter while it was sent: it is not stored; try again")
            }
            Some(Outcome::StorageFailed(error)) => {
                let what = if upload { "cannot read on this machine" } else { "cannot write on this machine" };
                format!("{what}: \"{name}\": {}", messages::storage_error(error, self.exchange.error()))
            }
            Some(Outcome::Violation) => format!("{server} sent an invalid answer: another version or --profile?"),
            Some(_) => format!("\"{name}\" was not transferred"),
        })
    }

    /// The cause of a failure.
    pub(crate) fn cause(&self) -> Cause {
        let delivered = self.connection.path().delivered;
        match self.connection.ended() {
            Some(CloseReason::Refused { code }) if ErrorCode::from(code) == ErrorCode::Busy => Cause::Busy,
            Some(CloseReason::HandshakeTimedOut) => Cause::Unreachable,
            Some(_) if self.refusal == Refusal::Final && delivered == 0 => Cause::Unreachable,
            Some(_) | None => Cause::Other,
        }
    }

    /// Whether the server has answered: the handshake did not time out.
    fn has_met(&self) -> bool {
        self.connection.ended() != Some(CloseReason::HandshakeTimedOut)
    }
}

impl<F: Storage> Endpoint for FileClient<F> {
    fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]) {
        // The socket is not connected, so it receives datagrams from any address.
        if (from.peer.ip(), from.peer.port()) == (self.server.ip(), self.server.port()) {
            self.refusal = Refusal::None;
            self.connection.handle_datagram(now, datagram);
            self.pump(now);
        }
    }

    fn handle_closed_port(&mut self, now: Instant, to: SocketAddr) {
        let is_server = (to.ip(), to.port()) == (self.server.ip(), self.server.port());
        // A server refutes a forged report only if it has something to answer.
        let mut is_answer_due = false;
        self.connection.for_each_deadline(|timer, _| is_answer_due |= matches!(timer, Timer::Idle | Timer::Handshake));
        if is_server && is_answer_due && self.refusal == Refusal::None && self.result.is_none() {
            self.refusal = Refusal::Reported { until: now + REFUSED_WAIT };
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.refusal, Refusal::Reported { until } if until <= now) && self.result.is_none() {
            self.refusal = Refusal::Final;
            self.connection.evict(now);
        }
        self.connection.handle_timeout(now);
        self.exchange.session.handle_timeout(now);
        self.pump(now);
        self.expired = self.leave_at.is_some_and(|limit| limit <= now);
    }

    fn handle_datagram_too_large(&mut self, now: Instant, _to: Address, len: usize) {
        self.connection.handle_datagram_too_large(now, len);
    }

    fn handle_wake(&mut self, now: Instant) {
        let finished = self.finished.as_ref();
        if finished.is_some_and(|finished| std::iter::from_fn(|| finished.next()).count() > 0) {
            self.pump(now);
        }
    }

    fn handle_stop(&mut self, now: Instant) {
        if self.result.is_none() {
            self.stopped = true;
            // `cancel` fails only during a commit. The client then waits a little for its end.
            let _ = self.exchange.session.cancel();
            self.pump(now);
        }
        // Before the handshake is complete, there is no server to notify.
        self.leave_by(if self.connection.is_established() { now + STOP_LIMIT } else { now });
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<(Address, Transmit)>, BufferTooSmall> {
        let to = Address { peer: self.server, local: None };
        Ok(self.connection.poll_transmit_batch(now, max_datagrams, buf)?.map(|transmit| (to, transmit)))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let session = self.exchange.session.poll_timeout();
        let refused = match self.refusal {
            Refusal::Reported { until } if self.result.is_none() => Some(until),
            Refusal::Reported { .. } | Refusal::None | Refusal::Final => None,
        };
        [self.connection.poll_timeout(), session, self.leave_at, refused].into_iter().flatten().min()
    }

    fn is_finished(&self) -> bool {
        self.expired || (self.result.is_some() && self.connection.is_drained())
    }
}
