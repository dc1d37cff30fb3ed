//! A server: many connections, each with one request for a file in one folder.

use crate::disk::{self, Disk, Finished};
use crate::endpoint::{Address, Endpoint};
use crate::entropy;
use crate::exchange::Exchange;
use crate::file_storage::Files;
use crate::files::{Folder, Space};
use crate::messages::to_stderr;
use crate::network_error::{Call, NetworkErrors};
use crate::request_line::{self, End};
use crate::settings::{self, AnyStorage, Settings};
use indicatif::HumanBytes;
use mio::Waker;
use rdt_proto::connection::{Config, HeapBudget, HeapWindow, ProgressLimits, Transmit};
use rdt_proto::ftp::{ErrorCode, Outcome, Server, ServerConfig, Session};
use rdt_proto::listener::{
    AcceptError, Address as _, Busy, Dispatch, HeapPeers, Listener, ListenerConfig, PeerId, Retry,
};
use rdt_proto::{BufferTooSmall, Duration, Instant};
use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::sync::Arc;

/// The maximum time that the server stays after Ctrl-C, so that the clients receive the cancellation.
const STOP_LIMIT: Duration = Duration::from_secs(1);
/// The interval of status lines on a terminal.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// How long a client waits for a place before it is told that there is none.
const BUSY_AFTER: Duration = Duration::from_millis(1_500);
/// The longest time to the request of a client.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// The bytes that a client must send or acknowledge in twice the idle limit.
const LEAST_PROGRESS: u32 = 1_024;

/// The limits on the time without progress. They follow the limits on silence, which the user may set.
///
/// The span is longer than the keep-alive interval: a client that waits for the disk is heard in each span.
fn progress_limits(config: &Config) -> ProgressLimits {
    ProgressLimits {
        first: REQUEST_LIMIT.min(config.idle_limit),
        span: config.idle_limit.saturating_mul(2),
        least: LEAST_PROGRESS,
        // A client may still store what it has fetched.
        close: config.idle_limit.saturating_mul(2),
    }
}

/// The limits of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The maximum number of clients served at once. Further clients wait in the backlog.
    pub(crate) clients: usize,
    /// The maximum number of connections of one host.
    pub(crate) per_host: usize,
    pub(crate) retry: Retry,
    /// The bytes that the windows of all clients may take beyond the first memory of each.
    pub(crate) memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let ListenerConfig { peers, per_host, retry, .. } = ListenerConfig::default();
        Self { clients: peers, per_host, retry, memory: settings::MEMORY }
    }
}

/// Where a server stores its files. Its threads share it.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) folder: Folder,
    pub(crate) space: Arc<Space>,
}

pub(crate) struct FileServer {
    settings: Settings,
    limits: Limits,
    session_config: ServerConfig,
    store: Store,
    disk: Disk,
    finished: Finished,
    quiet: bool,
    peers: Listener<HeapPeers<Address, AnyStorage>>,
    budget: HeapBudget,
    /// The exchanges, at the index of their peer.
    exchanges: Vec<Option<Served>>,
    /// The deadlines of sessions, with the index of their peer.
    deadlines: BTreeSet<(Instant, usize)>,
    active: usize,
    stopping: bool,
    leave_at: Option<Instant>,
    expired: bool,
    errors: NetworkErrors,
    report: Report,
}

/// A client being served.
struct Served {
    peer: PeerId,
    exchange: Exchange<Server, Files>,
    window: HeapWindow,
    started: Instant,
    deadline: Option<Instant>,
    reported: bool,
}

impl FileServer {
    pub(crate) fn new(
        now: Instant,
        settings: Settings,
        limits: Limits,
        session_config: ServerConfig,
        store: Store,
        waker: Arc<Waker>,
        quiet: bool,
    ) -> io::Result<Self> {
        let (disk, finished) = Disk::new(waker, disk::SERVER_THREADS);
        let default = ListenerConfig::default();
        let config = ListenerConfig {
            connection: Config { progress: progress_limits(&settings.config), ..settings.config },
            busy: Some(Busy { after: BUSY_AFTER, code: ErrorCode::Busy.value() }),
            // A lingering connection still counts, although its client is no longer served. So the limit is twice the
            // number of clients.
            peers: limits.clients.saturating_mul(2),
            // By default, handshakes with unvalidated addresses, pending or accepted, are limited to half of the
            // backlog. The backlog is at most `limits.clients`, so they take at most half of the places for clients.
            backlog: default.backlog.min(limits.clients),
            per_host: limits.per_host,
            retry: limits.retry,
            ..default
        };
        Ok(Self {
            settings,
            limits,
            session_config,
            store,
            disk,
            finished,
            quiet,
            peers: Listener::new(now, config, entropy::random_bytes()?),
            budget: HeapBudget::new(limits.memory),
            exchanges: Vec::new(),
            deadlines: BTreeSet::new(),
            active: 0,
            stopping: false,
            leave_at: None,
            expired: false,
            errors: NetworkErrors::default(),
            report: Report::new(now, !quiet && io::stderr().is_terminal()),
        })
    }

    /// Tells clients of an earlier server that this one does not know them.
    pub(crate) fn with_reset_key(mut self, key: [u8; 16]) -> Self {
        self.peers.set_reset_key(key);
        self
    }

    /// Accepts waiting clients while there is room. A connection gets memory only when it is accepted.
    fn accept(&mut self, now: Instant) {
        while self.active < self.limits.clients
            && let Some(incoming) = self.peers.poll_incoming()
        {
            let Ok(entropy) = entropy::random_bytes() else {
                to_stderr("no entropy for a connection: the client is not accepted");
                self.peers.refuse(incoming, ErrorCode::Busy.value());
                continue;
            };
            let (settings, address) = (&self.settings, incoming.address().peer);
            let host = address.host();
            let peer = match self.peers.accept(now, incoming, entropy, || settings::storage(settings, address)) {
                Ok(peer) => peer,
                Err(AcceptError::Storage(error)) => {
                    to_stderr(format_args!("no connection can be made: {error}"));
                    continue;
                }
                Err(AcceptError::Gone) => continue,
                Err(AcceptError::Full) => return,
            };
            let files = Files::beneath(self.disk.with_key(peer.index()), &self.store.folder, &self.store.space, host);
            let exchange = Exchange::new(Server::new(self.session_config), files);
            let mut window = self.settings.heap_window();
            if let Some(connection) = self.peers.peer_mut(peer) {
                // CONNACK announces the window.
                window.update(connection, &mut self.budget);
            }
            if self.exchanges.len() <= peer.index() {
                self.exchanges.resize_with(peer.index() + 1, || None);
            }
            self.exchanges[peer.index()] =
                Some(Served { peer, exchange, window, started: now, deadline: None, reported: false });
            self.active += 1;
        }
    }

    /// Drives the exchange with this index, and releases it after its end.
    fn pump(&mut self, now: Instant, index: usize) {
        let Some(served) = self.exchanges.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(connection) = self.peers.peer_mut(served.peer) else { return };
        let outcome = served.exchange.pump(now, connection, &mut served.window, &mut self.budget);
        let ended = connection.ended();
        let deadline = served.exchange.session.poll_timeout();
        if deadline != served.deadline {
            served.deadline.map(|old| self.deadlines.remove(&(old, index)));
            self.deadlines.extend(deadline.map(|new| (new, index)));
            served.deadline = deadline;
        }
        let Some(outcome) = outcome else { return };
        // Only the end of the connection shows whether the client received the whole file.
        // A client leaves with RESET before its request if another address of its server has answered first.
        let is_request = !matches!((outcome, served.exchange.session.transfer()), (Outcome::Aborted(_), None));
        if is_request && !served.reported && (ended.is_some() || outcome != Outcome::Sent) {
            served.reported = true;
            self.report.served += 1;
            if !self.quiet {
                let client = self.peers.address(served.peer).map(|address| address.peer);
                let (error, took) = (served.exchange.error(), now.saturating_since(served.started));
                let end = End { outcome, reason: ended, error, took };
                request_line::print(client, &served.exchange.session, &end);
            }
        }
        if ended.is_some() {
            served.deadline.map(|old| self.deadlines.remove(&(old, index)));
            if let Some(served) = self.exchanges[index].take() {
                if let Some(connection) = self.peers.peer_mut(served.peer) {
                    served.window.give_back(connection, &mut self.budget);
                }
                self.peers.release(now, served.peer);
            }
            self.active -= 1;
            self.accept(now);
        }
    }

    /// Drives each exchange whose connection has an event.
    fn pump_events(&mut self, now: Instant) {
        while let Some((peer, _)) = self.peers.poll_event() {
            self.pump(now, peer.index());
        }
    }

    /// Prints the totals. `thread` is the index of the thread if there are several.
    pub(crate) fn print_totals(&self, thread: Option<u64>) {
        if !self.quiet {
            let of = thread.map_or(String::new(), |thread| format!("thread {}: ", thread + 1));
            let errors = match self.errors.total() {
                0 => String::new(),
                total => format!(", {total} network errors"),
            };
            to_stderr(format_args!("{of}{}{errors}", self.report.line(self.active, &self.peers)));
        }
    }
}

/// Statistics for the status lines.
struct Report {
    /// The time of the next line. `None` if no lines are shown.
    next: Option<Instant>,
    served: u64,
    bytes_in: u64,
    bytes_out: u64,
    /// The values of `bytes_in` and `bytes_out` at the last line.
    reported: (u64, u64),
}

impl Report {
    fn new(now: Instant, shown: bool) -> Self {
        let next = shown.then(|| now + REPORT_INTERVAL);
        Self { next, served: 0, bytes_in: 0, bytes_out: 0, reported: (0, 0) }
    }

    fn line(&self, active: usize, peers: &Listener<HeapPeers<Address, AnyStorage>>) -> String {
        let (waiting, stats) = (peers.backlog_len(), peers.stats());
        format!(
            "{active} clients, {waiting} waiting; {} requests served; {} in, {} out; {} datagrams ignored, {} retried, {} moved",
            self.served,
            HumanBytes(self.bytes_in),
            HumanBytes(self.bytes_out),
            stats.dropped.total(),
            stats.retried,
            stats.moved
        )
    }

    /// Prints a line after each interval in which data was transferred.
    fn handle_timeout(&mut self, now: Instant, active: usize, peers: &Listener<HeapPeers<Address, AnyStorage>>) {
        if self.next.is_some_and(|next| next <= now) {
            self.next = Some(now + REPORT_INTERVAL);
            let bytes = (self.bytes_in, self.bytes_out);
            if std::mem::replace(&mut self.reported, bytes) != bytes {
                to_stderr(self.line(active, peers));
            }
        }
    }
}

impl Endpoint for FileServer {
    fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]) {
        self.report.bytes_in += datagram.len() as u64;
        match self.peers.handle_datagram(now, from, datagram) {
            Dispatch::Peer(peer, _) => self.pump(now, peer.index()),
            Dispatch::Queued => self.accept(now),
            Dispatch::Retried | Dispatch::Dropped(_) => {}
        }
        self.pump_events(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.peers.handle_timeout(now);
        while let Some(&(at, index)) = self.deadlines.first().filter(|&&(at, _)| at <= now) {
            self.deadlines.remove(&(at, index));
            if let Some(served) = &mut self.exchanges[index] {
                served.deadline = None;
                served.exchange.session.handle_timeout(now);
            }
            self.pump(now, index);
        }
        self.pump_events(now);
        self.accept(now);
        self.report.handle_timeout(now, self.active, &self.peers);
        self.expired = self.leave_at.is_some_and(|limit| limit <= now);
    }

    fn handle_datagram_too_large(&mut self, now: Instant, to: Address, len: usize) {
        self.peers.handle_datagram_too_large(now, to, len);
    }

    fn handle_network_error(&mut self, now: Instant, call: Call, error: &io::Error) {
        self.errors.handle(now, call, error);
    }

    fn handle_wake(&mut self, now: Instant) {
        let mut any = false;
        while let Some(index) = self.finished.next() {
            self.pump(now, index);
            any = true;
        }
        if any {
            self.pump_events(now);
        }
    }

    fn handle_stop(&mut self, now: Instant) {
        self.stopping = true;
        self.peers.stop_accepting(ErrorCode::Cancelled.value());
        for index in 0..self.exchanges.len() {
            if let Some(served) = &mut self.exchanges[index] {
                // `refuse` fails if the outcome of the session is already known. The session then reports that outcome.
                let _ = served.exchange.session.refuse(now, ErrorCode::Cancelled);
            }
            self.pump(now, index);
        }
        self.leave_at = Some(now + STOP_LIMIT);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<(Address, Transmit)>, BufferTooSmall> {
        let polled = self.peers.poll_transmit_batch(now, max_datagrams, buf)?;
        self.report.bytes_out += polled.map_or(0, |(_, transmit)| transmit.len as u64);
        if polled.is_none() && self.peers.has_incoming() {
            // A connection may have sent its last datagram, so that there is room for a waiting client.
            self.accept(now);
        }
        Ok(polled)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let session = self.deadlines.first().map(|&(at, _)| at);
        // An idle server prints no status.
        let report = self.report.next.filter(|_| self.active > 0);
        [session, self.peers.poll_timeout(), self.leave_at, report].into_iter().flatten().min()
    }

    fn is_finished(&self) -> bool {
        self.expired || (self.stopping && self.active == 0)
    }
}
