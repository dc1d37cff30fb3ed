//! A client: one request, on the first connection to its server that is established.

use crate::attempt_failure;
use crate::attempts::Attempts;
use crate::contact::{self, Connected, Contact};
use crate::disk::Finished;
use crate::early_end::Early;
use crate::endpoint::{Address, Body, Endpoint, Outgoing};
use crate::exchange::{Exchange, Storage};
use crate::link::Link;
use crate::messages;
use crate::patience::Patience;
use crate::progress::Step;
use crate::report::Report;
use crate::session::stopped;
use crate::settings::{self, Settings};
use rdt_proto::connection::{CloseReason, Stats};
use rdt_proto::files::SessionEnd;
use rdt_proto::ftp::{Client, Outcome, Output, Session, Transfer};
use rdt_proto::{BufferTooSmall, Duration, Instant};
use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;

/// The maximum time that the client stays after Ctrl-C, so that the server receives the cancellation.
const STOP_LIMIT: Duration = Duration::from_secs(1);

pub(crate) struct FileClient<F> {
    settings: Settings,
    contact: Contact,
    exchange: Exchange<Client, F>,
    /// The results of the disk. `None` if the storage needs none.
    finished: Option<Finished>,
    report: Report,
    started: Instant,
    result: Option<TransferResult>,
    /// How far it had come when the user stopped it.
    stopped: Option<String>,
    /// Whether a datagram came since the last step.
    is_touched: bool,
    /// The time at which the client leaves, even if the connection is not drained.
    leave_at: Option<Instant>,
    expired: bool,
}

/// What a failure is, whatever it says about how far the transfer has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// No connection was established.
    NotConnected(Option<attempt_failure::Failure>),
    Ended {
        transfer: Transfer,
        outcome: Option<Outcome>,
        reason: Option<CloseReason>,
    },
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
            contact: Contact::new(attempts.with_request(request)),
            exchange,
            finished,
            report,
            started: Instant::ZERO,
            result: None,
            stopped: None,
            is_touched: false,
            leave_at: None,
            expired: false,
        }
    }

    /// The result. `None` while the transfer runs.
    pub(crate) fn result(&self) -> Option<TransferResult> {
        self.result
    }

    pub(crate) fn storage(&self) -> &F {
        self.exchange.storage()
    }

    pub(crate) fn was_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// The statistics of the connection. `None` before it is established.
    pub(crate) fn stats(&self) -> Option<&Stats> {
        self.contact.link().map(|link| link.connection.stats())
    }

    /// Begins the request on the first connection that is established. If all attempts have failed, there is no
    /// request.
    fn advance(&mut self, now: Instant) {
        match self.contact.advance() {
            contact::Progress::Established => {
                if let Some(link) = self.contact.link() {
                    self.started = link.started();
                    if link.has_request()
                        && let Some(Output::Header(header)) = self.exchange.session.poll_output()
                    {
                        let len = header.len();
                        // The header was written as a whole.
                        let _ = self.exchange.session.header_sent(len);
                    }
                }
            }
            contact::Progress::Failed if self.result.is_none() => {
                self.report.progress.finish(None);
                self.result = Some(TransferResult { outcome: Outcome::Lost, bytes: 0, took: Duration::ZERO, at: now });
            }
            contact::Progress::Failed | contact::Progress::Unchanged => {}
        }
        self.pump(now);
    }

    /// Moves all data that can be moved now.
    fn pump(&mut self, now: Instant) {
        let Some(Connected { link, budget, .. }) = self.contact.connected() else { return };
        let outcome = self.exchange.pump(now, &mut link.connection, &mut link.window, budget);
        if self.result.is_some() {
            // The user waits for the prompt, and no result depends on the linger.
            link.connection.leave();
            return;
        }
        let bytes = self.exchange.session.bytes_done();
        let step = || step(now, &self.exchange.session, link);
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
        let is_running = self.contact.link().is_some() && self.result.is_none();
        if is_running { self.report.progress.poll_timeout() } else { None }
    }

    fn leave_by(&mut self, limit: Instant) {
        self.leave_at = Some(self.leave_at.map_or(limit, |earlier| earlier.min(limit)));
    }

    /// When another client may try again, because the server turned this one away as busy after the handshake.
    pub(crate) fn turned_away(&self, now: Instant) -> Option<Patience> {
        if self.was_stopped() { None } else { self.contact.turned_away(now) }
    }

    /// The failure, and how the user can fix it. `None` after a success.
    pub(crate) fn failure(&self, network_error: Option<&io::Error>) -> Option<String> {
        let name = self.exchange.session.name();
        let title = format!("\"{name}\"");
        let Some(link) = self.contact.link() else {
            return self.stopped.clone().or_else(|| self.contact.failure(&title, network_error));
        };
        let (server, transfer) = (link.server(), self.exchange.session.transfer());
        let again = self.aftermath(link);
        let early = |end, again: &str| Early { title: &title, again, network_error }.text(end, link);
        Some(match self.result.map(|result| result.outcome) {
            Some(Outcome::Stored | Outcome::Received) => return None,
            Some(Outcome::Refused(code)) => messages::refused(server, name.as_str(), code),
            Some(Outcome::Lost) => early(SessionEnd::Lost(None), &again),
            Some(Outcome::Aborted(code)) => early(SessionEnd::Lost(Some(code)), &again),
            Some(Outcome::CutShort) => early(SessionEnd::Closed, &format!("did the file change there? {again}")),
            Some(Outcome::Violation) => early(SessionEnd::Violation, &again),
            None if self.exchange.is_committing() => stopped::while_storing(&title),
            Some(Outcome::Unconfirmed) => format!("{server} closed without confirming {title}: {again}"),
            Some(Outcome::Shrunk) => self.report.shrunk(),
            Some(Outcome::StorageFailed(error)) => self.report.storage_failure(transfer, error, self.exchange.error()),
            Some(_) | None => self.stopped.clone().unwrap_or_else(|| format!("{title} was not transferred: {again}")),
        })
    }

    /// What the failure is, by which those of many clients are compared.
    pub(crate) fn failure_kind(&self) -> FailureKind {
        let Some(link) = self.contact.link() else { return FailureKind::NotConnected(self.contact.worst().cloned()) };
        let (transfer, outcome) = (self.exchange.session.transfer(), self.result.map(|result| result.outcome));
        FailureKind::Ended { transfer, outcome, reason: link.connection.ended() }
    }

    fn how_far(&mut self, now: Instant) -> String {
        let session = &self.exchange.session;
        let step = self.contact.connected().map_or(Step::Asking, |connected| step(now, session, &mut connected.link));
        stopped::text(&format!("\"{}\"", session.name()), &step, |_| self.report.after_stop())
    }

    /// What has become of the content after a failure, and what the user can do.
    fn aftermath(&self, link: &Link) -> Cow<'static, str> {
        let session = &self.exchange.session;
        let left = session.length().filter(|length| session.bytes_done() < *length);
        match left.filter(|_| session.transfer() == Transfer::Upload) {
            // It ends with its last byte, so that it cannot be stored.
            Some(length) => {
                let sent = arrived(session.bytes_done(), session, link);
                stopped::unsent(sent, Some(length), self.report.after_stop()).into()
            }
            None => self.report.aftermath(session.transfer()).into(),
        }
    }
}

/// What the request does now.
fn step(now: Instant, session: &Client, link: &mut Link) -> Step {
    let Some(total) = session.length() else { return Step::Asking };
    let done = arrived(session.bytes_done(), session, link);
    if done >= total {
        return Step::Storing { total };
    }
    Step::Transferring { done, total: Some(total), path: link.path_view(now, session.transfer() == Transfer::Upload) }
}

/// The number of the `done` bytes that have certainly crossed the network.
fn arrived(done: u64, session: &Client, link: &Link) -> u64 {
    if session.transfer() == Transfer::Download { done } else { done.saturating_sub(link.in_flight()) }
}

impl<F: Storage> Endpoint for FileClient<F> {
    fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]) {
        let Self { contact, exchange, .. } = self;
        self.is_touched |= contact.handle_datagram(now, from, datagram, |bytes| exchange.take(now, bytes));
    }

    fn handle_batch_end(&mut self, now: Instant) {
        if std::mem::take(&mut self.is_touched) {
            self.advance(now);
        }
    }

    fn handle_closed_port(&mut self, now: Instant, to: SocketAddr) {
        self.contact.handle_closed_port(now, to, self.result.is_some());
    }

    fn handle_unreachable(&mut self, now: Instant, to: SocketAddr) {
        self.contact.handle_unreachable(now, to);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.contact.handle_timeout(now);
        if self.contact.link().is_some() {
            self.exchange.session.handle_timeout(now);
        }
        self.advance(now);
        self.expired = self.leave_at.is_some_and(|limit| limit <= now);
    }

    fn handle_datagram_too_large(&mut self, now: Instant, to: Address, len: usize) {
        self.contact.handle_datagram_too_large(now, to, len);
    }

    fn handle_wake(&mut self, now: Instant) {
        let finished = self.finished.as_ref();
        if finished.is_some_and(|finished| std::iter::from_fn(|| finished.next()).count() > 0) {
            self.pump(now);
        }
    }

    fn handle_stop(&mut self, now: Instant) {
        if self.result.is_none() {
            self.stopped = Some(self.how_far(now));
            // `cancel` fails only during a commit. The client then waits a little for its end.
            let _ = self.exchange.session.cancel();
            self.pump(now);
        }
        // Before the handshake is complete, there is no server to notify.
        self.leave_by(if self.contact.is_established() { now + STOP_LIMIT } else { now });
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<Outgoing>, BufferTooSmall> {
        self.contact.poll_transmit(now, max_datagrams, buf)
    }

    fn body(&self, body: Body) -> &[u8] {
        self.contact.body(body)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let session = self.contact.link().and_then(|_| self.exchange.poll_timeout());
        [self.contact.poll_timeout(), session, self.leave_at, self.progress_due()].into_iter().flatten().min()
    }

    fn is_finished(&self) -> bool {
        self.expired || (self.result.is_some() && self.contact.is_drained())
    }
}
