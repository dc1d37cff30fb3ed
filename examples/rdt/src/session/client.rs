//! A client with many requests on one connection.

use super::answer::Answer;
use super::destinations::Destinations;
use super::exchange::SessionExchange;
use super::keep_place::KeepPlace;
use super::stopped::{self, After};
use crate::contact::{self, Connected, Contact};
use crate::disk::Finished;
use crate::early_end::Early;
use crate::endpoint::{Address, Body, Endpoint, Outgoing};
use crate::link::Link;
use crate::patience::Patience;
use crate::progress::{Progress, Step};
use crate::settings::{self, Settings};
use rdt_proto::files::{FileClient, SessionEnd};
use rdt_proto::ftp::ErrorCode;
use rdt_proto::{BufferTooSmall, Duration, Instant};
use std::io;
use std::net::SocketAddr;

/// The maximum time that the client stays after Ctrl-C, so that the server hears of it, and files take their names.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// The session of a client, with its files.
pub(crate) type ClientExchange = SessionExchange<FileClient, Destinations>;

/// What a client asks for.
pub(crate) trait Requests {
    /// Makes the requests that can be made now, once the connection is established. Returns whether it did something.
    fn advance(&mut self, now: Instant, exchange: &mut ClientExchange) -> bool;
    /// The disk may have answered.
    fn handle_wake(&mut self);
    /// Handles an answer to one of them.
    fn handle_answer(&mut self, now: Instant, exchange: &mut ClientExchange, answer: Answer, server: SocketAddr);
    /// Whether nothing is left to ask.
    fn are_complete(&self) -> bool;
    /// What moves now. `in_flight` bytes of what was sent may not have arrived.
    fn step(&self, exchange: &ClientExchange, in_flight: u64) -> Step;
    /// Whether this side sends most content.
    fn is_sender(&self) -> bool;
    /// What the user calls all of it.
    fn title(&self) -> String;
    /// What has become of the content after an early end, and what the user can do.
    fn aftermath(&self) -> &'static str;
    /// How much was sent, if the end of the content has not left, so that it cannot be stored. `in_flight` bytes of that may
    /// not have arrived.
    fn unsent(&self, _exchange: &ClientExchange, _in_flight: u64) -> Option<String> {
        None
    }
    /// What has become of `done` bytes after a request to stop, and what the user can do.
    fn after_stop(&self, _exchange: &ClientExchange, _done: u64) -> After {
        After::Nothing
    }
    /// Whether nothing can be saved by going on: content that cannot be stored keeps coming.
    fn gives_up(&self, _exchange: &ClientExchange) -> bool {
        false
    }
    /// Whether another connection is to serve the rest, after this side has given up.
    fn need_another_connection(&mut self) -> bool {
        false
    }
    /// Takes back what an ended connection has not answered, for another one with another disk.
    fn take_back(&mut self) {}
}

pub(crate) struct SessionClient<R> {
    settings: Settings,
    contact: Contact,
    exchange: ClientExchange,
    requests: R,
    finished: Finished,
    progress: Progress,
    keep_place: KeepPlace,
    end: Option<End>,
    ended_at: Option<Instant>,
    /// How far it had come when the user stopped it.
    stopped: Option<String>,
    /// Whether a datagram came since the last step.
    is_touched: bool,
    /// The time at which the client leaves, even if the connection is not drained.
    leave_at: Option<Instant>,
    expired: bool,
}

/// How the session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Every request is answered.
    Answered,
    /// It ended before.
    Early(SessionEnd),
    /// This side ended it: [`Requests`] say why.
    GivenUp,
    /// No connection was established.
    NotConnected,
}

impl<R: Requests> SessionClient<R> {
    pub(crate) fn new(
        contact: Contact,
        settings: Settings,
        exchange: ClientExchange,
        requests: R,
        finished: Finished,
        progress: Progress,
    ) -> Self {
        Self {
            keep_place: KeepPlace::new(settings.config.idle_limit),
            settings,
            contact,
            exchange,
            requests,
            finished,
            progress,
            end: None,
            ended_at: None,
            stopped: None,
            is_touched: false,
            leave_at: None,
            expired: false,
        }
    }

    pub(crate) fn was_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// The time from the handshake to the last answer, or to the request to stop.
    pub(crate) fn took(&self) -> Duration {
        let started = self.contact.link().map(Link::started);
        started.zip(self.ended_at).map_or(Duration::ZERO, |(start, end)| end.saturating_since(start))
    }

    pub(crate) fn into_requests(self) -> R {
        self.requests
    }

    /// When another client may try again, because the server turned this one away as busy after the handshake.
    pub(crate) fn turned_away(&self, now: Instant) -> Option<Patience> {
        if self.was_stopped() { None } else { self.contact.turned_away(now) }
    }

    /// Whether this side ended the session, and its user did not.
    pub(crate) fn has_given_up(&self) -> bool {
        self.end == Some(End::GivenUp) && !self.was_stopped()
    }

    /// Why the session ended before every request was answered, and how the user can fix it.
    pub(crate) fn failure(&self, network_error: Option<&io::Error>) -> Option<String> {
        let title = self.requests.title();
        let end = match self.end {
            Some(End::Answered | End::GivenUp) => return None,
            // All of it is there.
            _ if self.was_stopped() && self.requests.are_complete() => return None,
            _ if self.was_stopped() && self.exchange.is_committing() => {
                return Some(stopped::while_storing(&title));
            }
            Some(End::Early(end)) => end,
            Some(End::NotConnected) | None => SessionEnd::Lost(None),
        };
        if self.stopped.is_some() {
            return self.stopped.clone();
        }
        let Some(link) = self.contact.link() else { return self.contact.failure(&title, network_error) };
        let unsent = self.requests.unsent(&self.exchange, link.in_flight());
        let again = unsent.unwrap_or_else(|| self.requests.aftermath().into());
        Some(Early { title: &title, again: &again, network_error }.text(end, link))
    }

    fn advance(&mut self, now: Instant) {
        match self.contact.advance() {
            contact::Progress::Failed if self.end.is_none() => {
                self.progress.finish(None);
                self.end = Some(End::NotConnected);
            }
            contact::Progress::Established | contact::Progress::Failed | contact::Progress::Unchanged => {}
        }
        self.pump(now);
    }

    fn how_far(&self) -> String {
        let in_flight = self.contact.link().map_or(0, Link::in_flight);
        let step = self.requests.step(&self.exchange, in_flight);
        stopped::text(&self.requests.title(), &step, |done| self.requests.after_stop(&self.exchange, done))
    }

    /// Moves all data that can be moved now.
    fn pump(&mut self, now: Instant) {
        let Some(Connected { link, budget, .. }) = self.contact.connected() else { return };
        let server = link.server();
        let (is_working, moved) = (self.exchange.disk().is_working(), self.exchange.moved());
        if self.end.is_none() && self.stopped.is_none() && self.keep_place.is_due(now, is_working, moved) {
            // Otherwise another message leaves.
            let _ = self.exchange.session.keep_place();
        }
        loop {
            let mut moved = self.exchange.turn(now, &mut link.connection, true);
            while let Some(answer) = Answer::poll(&mut self.exchange) {
                moved = true;
                match answer {
                    Answer::Ended { unanswered: 0, end: SessionEnd::Closed } if self.stopped.is_none() => {
                        self.end.get_or_insert(End::Answered);
                    }
                    Answer::Ended { end, .. } => {
                        self.end.get_or_insert(End::Early(end));
                    }
                    // What is there counts, whenever its confirmation comes.
                    answer @ (Answer::Confirmed { .. } | Answer::Received { .. }) => {
                        self.requests.handle_answer(now, &mut self.exchange, answer, server);
                    }
                    _ if self.stopped.is_some() => {}
                    answer => self.requests.handle_answer(now, &mut self.exchange, answer, server),
                }
            }
            if self.end.is_none() && self.stopped.is_none() {
                moved |= self.requests.advance(now, &mut self.exchange);
                if self.requests.are_complete() && self.exchange.session.unanswered() == 0 {
                    self.end = Some(End::Answered);
                    self.exchange.session.finish();
                    moved = true;
                }
            }
            if self.end.is_none() && self.requests.gives_up(&self.exchange) {
                self.end = Some(End::GivenUp);
                link.connection.abort(ErrorCode::Cancelled.value());
                moved = true;
            }
            if !moved && !self.exchange.settle(now, &mut link.connection, &mut link.window, budget) {
                break;
            }
        }
        if self.end.is_some() {
            // The user waits for the prompt, and no result depends on the linger.
            link.connection.leave();
            if self.leave_at.is_none() {
                self.progress.finish(None);
                self.ended_at = Some(now);
                self.leave_at = Some(now + settings::farewell(&self.settings.config));
            }
            return;
        }
        let in_flight = link.in_flight();
        let step = || match self.requests.step(&self.exchange, in_flight) {
            Step::Transferring { done, total, .. } => {
                Step::Transferring { done, total, path: link.path_view(now, self.requests.is_sender()) }
            }
            step @ (Step::Asking | Step::Storing { .. }) => step,
        };
        self.progress.update(now, step);
    }
}

impl<R: Requests> Endpoint for SessionClient<R> {
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
        self.contact.handle_closed_port(now, to, self.end.is_some());
    }

    fn handle_unreachable(&mut self, now: Instant, to: SocketAddr) {
        self.contact.handle_unreachable(now, to);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.contact.handle_timeout(now);
        self.advance(now);
        self.expired = self.leave_at.is_some_and(|limit| limit <= now);
        if self.expired
            && let Some(Connected { link, .. }) = self.contact.connected()
        {
            // The server did not answer in time, or a pipe holds up the end of the content.
            link.connection.abort(ErrorCode::Cancelled.value());
            link.connection.leave();
        }
    }

    fn handle_datagram_too_large(&mut self, now: Instant, to: Address, len: usize) {
        self.contact.handle_datagram_too_large(now, to, len);
    }

    fn handle_wake(&mut self, now: Instant) {
        if std::iter::from_fn(|| self.finished.next()).count() > 0 {
            self.requests.handle_wake();
            self.pump(now);
        }
    }

    fn handle_stop(&mut self, now: Instant) {
        if self.end.is_none() {
            self.stopped = Some(self.how_far());
            self.ended_at.get_or_insert(now);
            if self.exchange.is_sending() {
                // CANCEL and FIN are repeated until the server has them, other than RESET.
                self.exchange.session.cancel_put(ErrorCode::Cancelled);
                self.exchange.session.finish();
            } else if let Some(Connected { link, .. }) = self.contact.connected() {
                link.connection.abort(ErrorCode::Cancelled.value());
                // RESET leaves three times: a server that hears none holds the place of this client.
                link.connection.leave();
            }
            self.pump(now);
        }
        // A second signal does not prolong the stay.
        let is_open = self.contact.is_established() || self.exchange.is_committing();
        let limit = if is_open { now + STOP_LIMIT } else { now };
        self.leave_at = Some(self.leave_at.map_or(limit, |earlier| earlier.min(limit)));
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
        let is_running = self.contact.link().is_some() && self.end.is_none();
        let progress = if is_running { self.progress.poll_timeout() } else { None };
        let is_working = is_running && self.stopped.is_none() && self.exchange.disk().is_working();
        let keep_place = if is_working { self.keep_place.poll_timeout() } else { None };
        let own = [self.exchange.poll_timeout(), self.leave_at, progress, keep_place];
        own.into_iter().chain([self.contact.poll_timeout()]).flatten().min()
    }

    fn is_finished(&self) -> bool {
        self.expired || (self.end.is_some() && self.contact.is_drained())
    }
}
