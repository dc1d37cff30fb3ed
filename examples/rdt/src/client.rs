//! A client: one request, on the first connection to its server that is established.

use crate::attempts::{Abandoned, Attempts};
use crate::disk::Finished;
use crate::endpoint::{Address, Endpoint};
use crate::exchange::{Exchange, Storage};
use crate::link::Link;
use crate::messages;
use crate::patience::Patience;
use crate::progress::Step;
use crate::progress_line::PathView;
use crate::report::Report;
use crate::settings::{self, Settings};
use rdt_proto::connection::{CloseReason, HeapBudget, HeapWindow, Stats, Transmit};
use rdt_proto::ftp::{Client, ErrorCode, Outcome, Output, Session, Transfer};
use rdt_proto::{BufferTooSmall, Duration, Instant};
use std::io;
use std::net::SocketAddr;

/// The maximum time that the client stays after Ctrl-C, so that the server receives the cancellation.
const STOP_LIMIT: Duration = Duration::from_secs(1);

pub(crate) struct FileClient<F> {
    settings: Settings,
    state: State,
    exchange: Exchange<Client, F>,
    /// The results of the disk. `None` if the storage needs none.
    finished: Option<Finished>,
    report: Report,
    started: Instant,
    result: Option<TransferResult>,
    stopped: bool,
    /// The time at which the client leaves, even if the connection is not drained.
    leave_at: Option<Instant>,
    expired: bool,
}

enum State {
    /// No server has answered. The session and its storage wait.
    Connecting(Attempts),
    Connected(Box<Connected>),
}

/// The connection on which the request is made.
struct Connected {
    link: Link,
    window: HeapWindow,
    budget: HeapBudget,
    abandoned: Abandoned,
    patience: Patience,
}

/// The result of a transfer.
#[derive(Clone, Copy)]
pub(crate) struct TransferResult {
    pub(crate) outcome: Outcome,
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
    /// When it was known. The close of the connection follows.
    pub(crate) at: Instant,
}

impl<F: Storage> FileClient<F> {
    pub(crate) fn new(
        attempts: Attempts,
        settings: Settings,
        mut exchange: Exchange<Client, F>,
        finished: Option<Finished>,
        report: Report,
    ) -> Self {
        let request = match exchange.session.poll_output() {
            Some(Output::Header(header)) => header.to_vec(),
            Some(Output::Close | Output::Abort(_)) | None => Vec::new(),
        };
        Self {
            settings,
            state: State::Connecting(attempts.with_request(request)),
            exchange,
            finished,
            report,
            started: Instant::ZERO,
            result: None,
            stopped: false,
            leave_at: None,
            expired: false,
        }
    }

    /// The result. `None` while the transfer runs.
    pub(crate) fn result(&self) -> Option<TransferResult> {
        self.result
    }

    pub(crate) fn was_stopped(&self) -> bool {
        self.stopped
    }

    /// The statistics of the connection. `None` before it is established.
    pub(crate) fn stats(&self) -> Option<&Stats> {
        match &self.state {
            State::Connecting(_) => None,
            State::Connected(connected) => Some(connected.link.connection.stats()),
        }
    }

    /// Begins the request on the first connection that is established. If all attempts have failed, there is no
    /// request.
    fn advance(&mut self, now: Instant) {
        if let State::Connecting(attempts) = &mut self.state {
            if let Some((link, abandoned)) = attempts.take_established() {
                self.started = link.started();
                if link.has_request()
                    && let Some(Output::Header(header)) = self.exchange.session.poll_output()
                {
                    let len = header.len();
                    // The header was written as a whole.
                    let _ = self.exchange.session.header_sent(len);
                }
                // The largest window is the only limit.
                let (window, budget) = (self.settings.heap_window(), HeapBudget::new(usize::MAX));
                let patience = attempts.patience();
                self.state = State::Connected(Box::new(Connected { link, window, budget, abandoned, patience }));
            } else if attempts.have_failed() && self.result.is_none() {
                self.report.progress.finish(None);
                self.result = Some(TransferResult { outcome: Outcome::Lost, bytes: 0, took: Duration::ZERO, at: now });
            }
        }
        self.pump(now);
    }

    /// Moves all data that can be moved now.
    fn pump(&mut self, now: Instant) {
        let State::Connected(connected) = &mut self.state else { return };
        let Connected { link, window, budget, .. } = &mut **connected;
        let outcome = self.exchange.pump(now, &mut link.connection, window, budget);
        if self.result.is_some() {
            // The user waits for the prompt, and no result depends on the linger.
            link.connection.leave();
            return;
        }
        let bytes = self.exchange.session.bytes_done();
        let step = || step(&self.exchange.session, link, &self.settings);
        self.report.progress.update(now, step);
        if let Some(outcome) = outcome {
            self.report.progress.finish(matches!(outcome, Outcome::Stored | Outcome::Received).then_some(bytes));
            let took = now.saturating_since(self.started);
            self.result = Some(TransferResult { outcome, bytes, took, at: now });
            // Only the close of the connection remains.
            if matches!(outcome, Outcome::Stored | Outcome::Received) {
                let session = &self.exchange.session;
                self.report.succeed(session.transfer(), session.name().as_str(), link.server(), bytes, took);
            }
            self.leave_by(now + settings::farewell(&self.settings.config));
        }
    }

    /// When the progress is to be drawn again.
    fn progress_due(&self) -> Option<Instant> {
        match &self.state {
            State::Connected(_) if self.result.is_none() => self.report.progress.poll_timeout(),
            State::Connecting(_) | State::Connected(_) => None,
        }
    }

    fn leave_by(&mut self, limit: Instant) {
        self.leave_at = Some(self.leave_at.map_or(limit, |earlier| earlier.min(limit)));
    }

    /// When another client may try again, because the server turned this one away as busy after the handshake.
    ///
    /// A server does so when the first packet of the request shows that the host has too many connections. The request
    /// is not executed.
    pub(crate) fn turned_away(&self, now: Instant) -> Option<Patience> {
        let State::Connected(connected) = &self.state else { return None };
        let (link, busy) = (&connected.link, ErrorCode::Busy.value());
        let is_busy = link.connection.ended() == Some(CloseReason::Reset { code: busy });
        let is_first = link.connection.path().delivered == 0 && !self.stopped;
        if is_busy && is_first { connected.patience.after_busy(now, link.server()) } else { None }
    }

    /// The failure, and how the user can fix it. `None` after a success.
    pub(crate) fn failure(&self, network_error: Option<&io::Error>) -> Option<String> {
        let name = self.exchange.session.name();
        let network = network_error.map_or(String::new(), |error| format!(" (network: {error})"));
        let link = match &self.state {
            State::Connecting(_) if self.stopped => return Some(self.report.stopped(name.as_str())),
            State::Connecting(attempts) => return Some(attempts.failure(name.as_str(), &network)),
            State::Connected(connected) => &connected.link,
        };
        let (server, reason) = (link.server(), link.connection.ended());
        let transfer = self.exchange.session.transfer();
        let again = self.report.aftermath(transfer);
        Some(match self.result.map(|result| result.outcome) {
            Some(Outcome::Stored | Outcome::Received) => return None,
            Some(Outcome::Refused(code)) => format!("{server} refused \"{name}\": {}", messages::refusal(code)),
            Some(Outcome::Lost) if link.is_port_closed() => {
                format!("lost {server} while transferring \"{name}\" (its program has ended): {again}")
            }
            Some(Outcome::Lost) => {
                let reached = link.connection.path().delivered > 0 || reason == Some(CloseReason::NoProgress);
                let hint = if reached { "" } else { ", and no data has reached it; try a smaller --segment" };
                let reason = messages::end_reason(reason);
                format!("lost {server} while transferring \"{name}\" ({reason}{hint}{network}): {again}")
            }
            None if self.exchange.is_committing() => {
                format!("stopped: \"{name}\" was being stored: look whether it is there")
            }
            Some(Outcome::Cancelled) | None => self.report.stopped(name.as_str()),
            Some(Outcome::Unconfirmed) => format!("{server} closed without confirming \"{name}\": {again}"),
            Some(Outcome::CutShort) => {
                format!("{server} closed before the end of \"{name}\" (did the file change there?): {again}")
            }
            Some(Outcome::Aborted(code)) if code == ErrorCode::Busy => {
                format!("{server} refused \"{name}\": {}", messages::refusal(code))
            }
            Some(Outcome::Aborted(code)) => format!("{server} ended the transfer of \"{name}\" ({code}): {again}"),
            Some(Outcome::Shrunk) => self.report.shrunk(name.as_str()),
            Some(Outcome::StorageFailed(error)) => self.report.storage_failure(transfer, error, self.exchange.error()),
            Some(Outcome::Violation) => format!("{server} sent an invalid answer: another version or --profile?"),
            Some(_) => format!("\"{name}\" was not transferred"),
        })
    }
}

/// What the request does now.
fn step(session: &Client, link: &Link, settings: &Settings) -> Step {
    let Some(total) = session.length() else { return Step::Asking };
    let done = arrived(session.bytes_done(), session, link, settings);
    if done >= total {
        return Step::Storing { total };
    }
    let (path, sent) = (link.connection.path(), link.connection.stats().infos_sent);
    // A receiver sees only the losses of its own few packets.
    let knows_loss = session.transfer() == Transfer::Upload && sent > 0;
    #[allow(clippy::cast_precision_loss, reason = "a percentage that is shown is rounded")]
    let loss = || path.lost.saturating_sub(path.spurious) as f64 * 100.0 / sent as f64;
    Step::Transferring { done, total, path: PathView { round_trip: path.srtt, loss: knows_loss.then(loss) } }
}

/// The number of the `done` bytes that have certainly crossed the network.
///
/// In an upload, the last bytes may still be in the connection. So the maximum that the send store holds is subtracted.
fn arrived(done: u64, session: &Client, link: &Link, settings: &Settings) -> u64 {
    if session.transfer() == Transfer::Download || link.connection.is_all_acknowledged() {
        return done;
    }
    let packets = u64::from(link.connection.send_memory().used);
    done.saturating_sub(packets * u64::from(settings.config.segment))
}

impl<F: Storage> Endpoint for FileClient<F> {
    fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]) {
        match &mut self.state {
            State::Connecting(attempts) => attempts.handle_datagram(now, from.peer, datagram),
            State::Connected(connected) if connected.link.is_with(from.peer) => {
                connected.link.handle_datagram(now, datagram);
            }
            State::Connected(connected) => return connected.abandoned.handle_datagram(now, from.peer, datagram),
        }
        self.advance(now);
    }

    fn handle_closed_port(&mut self, now: Instant, to: SocketAddr) {
        match &mut self.state {
            State::Connecting(attempts) => attempts.handle_closed_port(now, to),
            State::Connected(connected) if connected.link.is_with(to) && self.result.is_none() => {
                connected.link.handle_closed_port(now);
            }
            State::Connected(_) => {}
        }
    }

    fn handle_unreachable(&mut self, now: Instant, to: SocketAddr) {
        match &mut self.state {
            State::Connecting(attempts) => attempts.handle_unreachable(now, to),
            State::Connected(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Connecting(attempts) => attempts.handle_timeout(now),
            State::Connected(connected) => {
                connected.link.handle_timeout(now);
                self.exchange.session.handle_timeout(now);
            }
        }
        self.advance(now);
        self.expired = self.leave_at.is_some_and(|limit| limit <= now);
    }

    fn handle_datagram_too_large(&mut self, now: Instant, to: Address, len: usize) {
        match &mut self.state {
            State::Connecting(attempts) => attempts.handle_datagram_too_large(now, to.peer, len),
            State::Connected(connected) => connected.link.connection.handle_datagram_too_large(now, len),
        }
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
        let is_established = match &self.state {
            State::Connecting(_) => false,
            State::Connected(connected) => connected.link.connection.is_established(),
        };
        self.leave_by(if is_established { now + STOP_LIMIT } else { now });
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<(Address, Transmit)>, BufferTooSmall> {
        match &mut self.state {
            State::Connecting(attempts) => attempts.poll_transmit(now, max_datagrams, buf),
            State::Connected(connected) => match connected.link.poll_transmit(now, max_datagrams, buf)? {
                Some(polled) => Ok(Some(polled)),
                None => connected.abandoned.poll_transmit(now, buf),
            },
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let (link, session) = match &self.state {
            State::Connecting(attempts) => (attempts.poll_timeout(), None),
            State::Connected(connected) => (connected.link.poll_timeout(), self.exchange.poll_timeout()),
        };
        [link, session, self.leave_at, self.progress_due()].into_iter().flatten().min()
    }

    fn is_finished(&self) -> bool {
        let is_drained = match &self.state {
            State::Connecting(_) => true,
            State::Connected(connected) => connected.link.connection.is_drained(),
        };
        self.expired || (self.result.is_some() && is_drained)
    }
}
