//! A client that a server serves, with the session that it speaks.
//!
//! ```text
//! First ── the first byte is that of VERSION ──→ Many
//!   └───── any other: the session with one request
//! ```
//!
//! So a client in extended mode may speak either session.

use crate::exchange::Exchange;
use crate::file_storage::Files;
use crate::link::in_flight;
use crate::progress_line::{Moving, PathView};
use crate::request_line::{self, Line};
use crate::server::Store;
use crate::session::{Beneath, Committer, Ended, Failure, Kind, SessionExchange, Success};
use crate::settings::AnyStorage;
use rdt_proto::Instant;
use rdt_proto::connection::{CloseReason, Connection, HeapBudget, HeapWindow};
use rdt_proto::files::{FileServer, FileServerConfig};
use rdt_proto::ftp::{ErrorCode, Outcome, Server, ServerConfig, Session, StorageError, Transfer};
use rdt_proto::listener::PeerId;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// The type of VERSION, the first message of a session with many requests.
const VERSION: u8 = 16;

pub(crate) struct Served {
    pub(crate) peer: PeerId,
    pub(crate) window: HeapWindow,
    pub(crate) deadline: Option<Instant>,
    /// Whether a datagram came since the last pump.
    pub(crate) is_touched: bool,
    /// When the last datagram came.
    pub(crate) heard_at: Instant,
    client: Option<SocketAddr>,
    started: Instant,
    session: Spoken,
    /// What the client asked for with many requests, if it turns out to.
    beneath: Option<(Beneath, FileServerConfig, Committer)>,
    reported: bool,
    /// The code with which further requests are refused.
    leaving: Option<ErrorCode>,
    /// The code with which this side has ended the connection.
    stopped: Option<ErrorCode>,
    /// Content that was sent, until the client has all of it.
    sent: VecDeque<Ended>,
    /// The largest body that this side sends.
    segment: u16,
}

/// The session of a client.
enum Spoken {
    First(Box<Exchange<Server, Files<Beneath>>>),
    Many(Box<SessionExchange<FileServer, Beneath>>),
}

/// What a server offers to each client.
pub(crate) struct Offer<'s> {
    pub(crate) store: &'s Store,
    pub(crate) config: ServerConfig,
    /// The largest body of a packet.
    pub(crate) segment: u16,
    pub(crate) committer: &'s Committer,
}

impl Served {
    pub(crate) fn new(
        now: Instant,
        (peer, client, host): (PeerId, SocketAddr, IpAddr),
        disk: crate::disk::Disk,
        window: HeapWindow,
        offer: &Offer<'_>,
    ) -> Self {
        let beneath = Beneath::new(offer.store.clone(), host);
        let files = Files::new(disk, offer.committer.clone(), beneath.clone());
        // The place refuses what is too long, so that the refusal has a line.
        let config = FileServerConfig { max_length: u64::MAX, ..FileServerConfig::default() };
        Self {
            peer,
            window,
            deadline: None,
            is_touched: false,
            heard_at: now,
            client: Some(client),
            started: now,
            session: Spoken::First(Box::new(Exchange::new(Server::new(offer.config), files))),
            beneath: Some((beneath, config, offer.committer.clone())),
            reported: false,
            leaving: None,
            stopped: None,
            sent: VecDeque::new(),
            segment: offer.segment,
        }
    }

    /// Takes the next bytes of the stream straight from their datagram. Returns how many were taken.
    pub(crate) fn take(&mut self, now: Instant, bytes: &[u8]) -> usize {
        match &mut self.session {
            // The first byte may choose the other session.
            Spoken::First(exchange) if self.beneath.is_none() => exchange.take(now, bytes),
            Spoken::First(_) => 0,
            Spoken::Many(exchange) => exchange.take(now, bytes),
        }
    }

    /// Moves all data that can be moved now, and adds the lines of requests that have ended. Returns whether the
    /// client can be released.
    pub(crate) fn pump(
        &mut self,
        now: Instant,
        connection: &mut Connection<AnyStorage>,
        budget: &mut HeapBudget,
        lines: &mut Vec<Line>,
    ) -> bool {
        self.choose(connection);
        match &mut self.session {
            Spoken::First(exchange) => {
                let outcome = exchange.pump(now, connection, &mut self.window, budget);
                let ended = connection.ended();
                let Some(outcome) = outcome else { return false };
                // Only the end of the connection shows whether the client received the whole file.
                // A client leaves with RESET before its request if another address of its server has answered first.
                let is_request = !matches!((outcome, exchange.session.transfer()), (Outcome::Aborted(_), None));
                if is_request && !self.reported && (ended.is_some() || outcome != Outcome::Sent) {
                    self.reported = true;
                    lines.push(first_line(self.client, exchange, (outcome, ended), now, self.started));
                }
                ended.is_some()
            }
            Spoken::Many(exchange) => {
                loop {
                    let moved = exchange.turn(now, connection, false);
                    if !moved && !exchange.settle(now, connection, &mut self.window, budget) {
                        break;
                    }
                }
                let ended = connection.ended();
                while let Some(content) = exchange.poll_ended() {
                    if matches!(content.result, Ok(Success::Sent { .. })) {
                        self.sent.push_back(content);
                    } else {
                        lines.push(line(self.client, content, ended, self.stopped));
                    }
                }
                let arrived = exchange.sent().saturating_sub(in_flight(connection, self.segment));
                let is_all = ended.is_some() || connection.is_all_acknowledged();
                let reason = ended.unwrap_or(CloseReason::Finished);
                while self.sent.front().is_some_and(|content| is_all || content.sent <= arrived) {
                    lines.extend(self.sent.pop_front().map(|content| line(self.client, content, Some(reason), None)));
                }
                ended.is_some() && rdt_proto::files::FileSession::is_done(&exchange.session)
            }
        }
    }

    /// Learns from the first byte which session the client speaks.
    fn choose(&mut self, connection: &Connection<AnyStorage>) {
        let Some(first) = connection.recv_chunk().first() else { return };
        let Some((beneath, config, committer)) = self.beneath.take() else { return };
        if let Spoken::First(exchange) = &self.session
            && *first == VERSION
        {
            let disk = exchange.storage().disk().clone();
            let mut exchange = SessionExchange::new(FileServer::new(config), beneath, disk, committer);
            if let Some(code) = self.leaving {
                exchange.session.leave(code);
            }
            self.session = Spoken::Many(Box::new(exchange));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.session {
            Spoken::First(exchange) => exchange.session.poll_timeout(),
            Spoken::Many(_) => None,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.session {
            Spoken::First(exchange) => exchange.session.handle_timeout(now),
            Spoken::Many(_) => {}
        }
    }

    /// What moves now. The path is up to the caller.
    pub(crate) fn moving(&self) -> Option<Moving<'_>> {
        match &self.session {
            Spoken::First(exchange) => {
                let session = &exchange.session;
                let (name, path) = (session.name()?.as_str().into(), PathView::default());
                let moving = Moving { name, done: session.bytes_done(), total: session.length(), path };
                session.outcome().is_none().then_some(moving)
            }
            Spoken::Many(exchange) => exchange.moving(),
        }
    }

    /// Whether content leaves.
    pub(crate) fn is_sender(&self) -> bool {
        match &self.session {
            Spoken::First(exchange) => exchange.session.transfer() == Some(Transfer::Download),
            Spoken::Many(exchange) => exchange.progress().0 > 0,
        }
    }

    /// Serves no further request.
    pub(crate) fn leave(&mut self, code: ErrorCode) {
        self.leaving = Some(code);
        match &mut self.session {
            Spoken::First(_) => {}
            Spoken::Many(exchange) => exchange.session.leave(code),
        }
    }

    /// Ends the running requests.
    pub(crate) fn stop(&mut self, now: Instant, connection: &mut Connection<AnyStorage>, code: ErrorCode) {
        self.stopped = Some(code);
        // A client of extended mode that has sent nothing may speak either session: an ERROR of one is no message of the
        // other.
        let is_chosen = self.beneath.take().is_none() || !connection.is_extended();
        match &mut self.session {
            Spoken::First(exchange) if is_chosen => {
                // It fails if the outcome of the session is already known. The session then reports that outcome.
                let _ = exchange.session.refuse(now, code);
            }
            Spoken::First(_) | Spoken::Many(_) => {
                connection.abort(code.value());
                connection.leave();
            }
        }
    }

    /// The line of a request that was running when the server ended.
    pub(crate) fn last_line(&mut self, now: Instant) -> Option<Line> {
        match &self.session {
            Spoken::First(exchange) if !self.reported && exchange.session.transfer().is_some() => {
                self.reported = true;
                let outcome = Outcome::Refused(self.stopped.unwrap_or(ErrorCode::Cancelled));
                Some(first_line(self.client, exchange, (outcome, None), now, self.started))
            }
            Spoken::First(_) | Spoken::Many(_) => None,
        }
    }
}

fn first_line(
    client: Option<SocketAddr>,
    exchange: &Exchange<Server, Files<Beneath>>,
    (outcome, reason): (Outcome, Option<CloseReason>),
    now: Instant,
    started: Instant,
) -> Line {
    let (error, success) = (exchange.error().map(|error| &*error.text), exchange.storage().success());
    let took = now.saturating_since(started);
    let end = request_line::End { outcome, reason, error, success, took };
    request_line::of_session(client, &exchange.session, &end)
}

/// The line of content that has ended.
fn line(client: Option<SocketAddr>, content: Ended, reason: Option<CloseReason>, stopped: Option<ErrorCode>) -> Line {
    let Ended { kind, path, result, bytes, started, ended, .. } = content;
    let outcome = match (&result, kind, stopped) {
        (Ok(Success::Stored(_)), ..) => Outcome::Stored,
        (Ok(Success::Sent { .. } | Success::Listed { .. }), ..) => Outcome::Sent,
        (Err(Failure::Interrupted), _, Some(code)) => Outcome::Refused(code),
        (Err(Failure::Interrupted), _, None) if reason.is_none() => Outcome::Cancelled,
        (Err(Failure::Interrupted), ..) => match reason {
            Some(CloseReason::Reset { code }) if code == ErrorCode::Cancelled.value() => Outcome::Cancelled,
            Some(CloseReason::Reset { code }) => Outcome::Aborted(code.into()),
            _ => Outcome::Lost,
        },
        (Err(Failure::Length), ..) => Outcome::Refused(ErrorCode::Malformed),
        (Err(Failure::DigestMismatch), ..) => Outcome::Refused(ErrorCode::DigestMismatch),
        // The content has begun.
        (Err(Failure::Storage(error, _)), Kind::Sent, _) if bytes > 0 => Outcome::StorageFailed(*error),
        (Err(Failure::Storage(error @ (StorageError::Failed | StorageError::Unavailable), _)), ..)
            if kind != Kind::Received =>
        {
            Outcome::StorageFailed(*error)
        }
        (Err(Failure::Storage(error, _)), ..) => Outcome::Refused((*error).into()),
        (Err(Failure::Uncertain(error, _)), ..) => Outcome::StorageFailed(*error),
    };
    let (success, error) = match &result {
        Ok(success) => (Some(success), None),
        Err(Failure::Storage(_, error) | Failure::Uncertain(_, error)) => (None, Some(&*error.text)),
        Err(Failure::Interrupted | Failure::Length | Failure::DigestMismatch) => (None, None),
    };
    let took = ended.saturating_since(started);
    let end = request_line::End { outcome, reason, error, success, took };
    request_line::of_content(client, kind, path.as_deref(), bytes, &end)
}
