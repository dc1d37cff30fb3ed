//! A server: many connections, each with one request for a file in one folder.

use crate::access::{Access, Networks};
use crate::disk::{self, Disk, Finished};
use crate::endpoint::{Address, Endpoint};
use crate::entropy;
use crate::exchange::Exchange;
use crate::file_storage::Files;
use crate::files::{Folder, Space};
use crate::lifecycle::{Lifecycle, Threads};
use crate::limits::Limits;
use crate::memory_file::BenchLimits;
use crate::messages::to_stderr;
use crate::network_error::{Call, NetworkErrors};
use crate::qlog::VantagePoint;
use crate::refusals::Refusals;
use crate::request_line::{self, End};
use crate::service_manager::Watchdog;
use crate::settings::{self, AnyStorage, Settings};
use crate::status::Status;
use crate::stop::Stop;
use mio::Waker;
use rdt_proto::connection::{HeapBudget, HeapWindow, Transmit};
use rdt_proto::ftp::{ErrorCode, Outcome, Server, ServerConfig, Session};
use rdt_proto::listener::{AcceptError, Address as _, Dispatch, HeapPeers, Listener, PeerId};
use rdt_proto::{BufferTooSmall, Duration, Instant};
use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::sync::Arc;

/// Where a server stores its files. Its threads share it.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) access: Access,
    /// The limits of measurements, if they are allowed.
    pub(crate) bench: Option<BenchLimits>,
    pub(crate) folder: Folder,
    pub(crate) space: Arc<Space>,
}

/// The clients of a server.
pub(crate) type Peers = Listener<HeapPeers<Address, AnyStorage>>;

pub(crate) struct FileServer {
    settings: Settings,
    limits: Limits,
    session_config: ServerConfig,
    store: Store,
    disk: Disk,
    finished: Finished,
    quiet: bool,
    peers: Peers,
    /// `None` if all addresses are admitted.
    refusals: Option<Refusals>,
    budget: HeapBudget,
    /// The exchanges, at the index of their peer.
    exchanges: Vec<Option<Served>>,
    /// The deadlines of sessions, with the index of their peer.
    deadlines: BTreeSet<(Instant, usize)>,
    active: usize,
    lifecycle: Lifecycle,
    errors: NetworkErrors,
    status: Status,
    watchdog: Watchdog,
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
        Ok(Self {
            settings,
            limits,
            session_config,
            store,
            disk,
            finished,
            quiet,
            peers: Listener::new(now, limits.listener_config(&settings.config), entropy::random_bytes()?),
            refusals: None,
            budget: HeapBudget::new(limits.memory),
            exchanges: Vec::new(),
            deadlines: BTreeSet::new(),
            active: 0,
            lifecycle: Lifecycle::new(Threads::new(1, Stop::default())),
            errors: NetworkErrors::default(),
            watchdog: Watchdog::default(),
            status: Status::new(now, !quiet && io::stderr().is_terminal()),
        })
    }

    /// Tells clients of an earlier server that this one does not know them.
    pub(crate) fn with_reset_key(mut self, key: [u8; 16]) -> Self {
        self.peers.set_reset_key(key);
        self
    }

    /// Tells the service manager that this thread works.
    pub(crate) fn with_watchdog(mut self, watchdog: Watchdog) -> Self {
        self.watchdog = watchdog;
        self
    }

    /// Ends together with `threads`.
    pub(crate) fn with_threads(mut self, threads: Threads) -> Self {
        self.lifecycle = Lifecycle::new(threads);
        self
    }

    /// Admits only addresses in `networks`, if there are any.
    pub(crate) fn with_networks(mut self, now: Instant, networks: &Networks) -> io::Result<Self> {
        if !networks.is_empty() {
            self.refusals = Some(Refusals::new(now, networks.clone(), self.settings.config)?);
        }
        Ok(self)
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
            let storage = || settings::storage(settings, address, VantagePoint::Server);
            let peer = match self.peers.accept(now, incoming, entropy, storage) {
                Ok(peer) => peer,
                Err(AcceptError::Storage(error)) => {
                    to_stderr(format_args!("no connection can be made: {error}"));
                    continue;
                }
                Err(AcceptError::Gone) => continue,
                Err(AcceptError::Full) => return,
            };
            let files = Files::beneath(self.disk.with_key(peer.index()), &self.store, host);
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
            self.status.served += 1;
            if !self.quiet {
                let client = self.peers.address(served.peer).map(|address| address.peer);
                let (exchange, took) = (&served.exchange, now.saturating_since(served.started));
                let (error, stored_as) = (exchange.error(), exchange.storage().stored_as());
                let end = End { outcome, reason: ended, error, stored_as, took };
                request_line::print(client, &exchange.session, &end);
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
            self.lifecycle.update(now, self.active);
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
            let line = self.status.line(self.active, &self.peers, self.refusals.as_ref());
            to_stderr(format_args!("{of}{line}{errors}"));
        }
    }
}

impl Endpoint for FileServer {
    fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]) {
        self.status.bytes_in += datagram.len() as u64;
        if self.refusals.as_mut().is_some_and(|refusals| refusals.handle_datagram(now, from, datagram)) {
            return;
        }
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
        self.status.handle_timeout(now, self.active, &self.peers, self.refusals.as_ref());
        self.watchdog.handle_timeout(now);
        if self.lifecycle.update(now, self.active) {
            self.handle_stop(now);
        }
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

    fn handle_drain(&mut self, now: Instant) {
        if self.limits.drain == Duration::ZERO {
            return self.handle_stop(now);
        }
        if !self.lifecycle.drain(now, self.limits.drain) {
            return;
        }
        // The clients try again, perhaps at the next server.
        self.peers.stop_accepting(ErrorCode::Busy.value());
        let (active, limit) = (self.active, self.limits.drain.as_micros() / 1_000_000);
        let status = format!("ending: no new clients; running transfers: {active}, for at most {limit} s");
        self.watchdog.stopping(&status);
        if active > 0 && !self.quiet {
            to_stderr(status);
        }
        self.lifecycle.update(now, active);
    }

    fn handle_stop(&mut self, now: Instant) {
        self.lifecycle.stop(now);
        self.watchdog.stopping("transfers are cancelled");
        self.peers.stop_accepting(ErrorCode::Cancelled.value());
        for index in 0..self.exchanges.len() {
            if let Some(served) = &mut self.exchanges[index] {
                // `refuse` fails if the outcome of the session is already known. The session then reports that outcome.
                let _ = served.exchange.session.refuse(now, ErrorCode::Cancelled);
            }
            self.pump(now, index);
        }
        self.lifecycle.update(now, self.active);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<(Address, Transmit)>, BufferTooSmall> {
        if let Some(refusals) = &mut self.refusals
            && let Some(answer) = refusals.poll_transmit(now, buf)?
        {
            return Ok(Some(answer));
        }
        let polled = self.peers.poll_transmit_batch(now, max_datagrams, buf)?;
        self.status.bytes_out += polled.map_or(0, |(_, transmit)| transmit.len as u64);
        if polled.is_none() && self.peers.has_incoming() {
            // A connection may have sent its last datagram, so that there is room for a waiting client.
            self.accept(now);
        }
        Ok(polled)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let session = self.deadlines.first().map(|&(at, _)| at);
        let status = self.status.poll_timeout(self.active);
        let refusals = self.refusals.as_ref().and_then(Refusals::poll_timeout);
        [
            session,
            self.peers.poll_timeout(),
            self.lifecycle.poll_timeout(),
            status,
            refusals,
            self.watchdog.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn is_finished(&self) -> bool {
        self.lifecycle.is_finished()
    }
}
