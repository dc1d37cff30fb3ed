//! A server: many connections, each with one request or many for the files beneath one folder.

use crate::access::{Access, Networks};
use crate::contact::path_view;
use crate::disk::{self, Disk, Finished, Work};
use crate::endpoint::{Address, Endpoint};
use crate::entropy;
use crate::files::{Folder, Space, Tree};
use crate::lifecycle::{Lifecycle, Threads};
use crate::limits::Limits;
use crate::memory_file::BenchLimits;
use crate::messages::to_stderr;
use crate::network_error::{Call, NetworkErrors};
use crate::qlog::VantagePoint;
use crate::refusals::Refusals;
use crate::request_line::Line;
use crate::served::{Offer, Served};
use crate::service_manager::Watchdog;
use crate::session::Committer;
use crate::settings::{self, AnyStorage, Settings};
use crate::status::Status;
use crate::stop::Stop;
use mio::Waker;
use rdt_proto::connection::{HeapBudget, Transmit};
use rdt_proto::ftp::{ErrorCode, ServerConfig};
use rdt_proto::listener::{AcceptError, Address as _, Dispatch, HeapPeers, Listener};
use rdt_proto::{BufferTooSmall, Duration, Instant};
use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::sync::Arc;

/// The interval at which parts of interrupted uploads are looked through.
const EXPIRE_INTERVAL: Duration = Duration::from_secs(600);

/// Where a server stores its files. Its threads share it.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) access: Access,
    /// The limits of measurements, if they are allowed.
    pub(crate) bench: Option<BenchLimits>,
    pub(crate) folder: Folder,
    /// The files beneath the folder, by path.
    pub(crate) tree: Tree,
    /// Whether a file may replace another.
    pub(crate) replaces: bool,
    /// The length of the longest file to store.
    pub(crate) max_size: u64,
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
    committer: Committer,
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
    /// When parts of interrupted uploads that are too old are removed next.
    expire_at: Instant,
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
            committer: Committer::default(),
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
            expire_at: now,
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
        self.status.has_terminal &= threads.is_one();
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
            let mut window = self.settings.heap_window();
            if let Some(connection) = self.peers.peer_mut(peer) {
                // CONNACK announces the window.
                window.update(connection, &mut self.budget);
            }
            if self.exchanges.len() <= peer.index() {
                self.exchanges.resize_with(peer.index() + 1, || None);
            }
            let offer = Offer {
                store: &self.store,
                config: self.session_config,
                segment: self.settings.config.segment,
                committer: &self.committer,
            };
            let disk = self.disk.with_key(peer.index());
            self.exchanges[peer.index()] = Some(Served::new(now, (peer, address, host), disk, window, &offer));
            self.active += 1;
        }
    }

    /// Drives the exchange with this index, and releases it after its end.
    fn pump(&mut self, now: Instant, index: usize) {
        let Some(served) = self.exchanges.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(connection) = self.peers.peer_mut(served.peer) else { return };
        let mut lines = Vec::new();
        let is_over = served.pump(now, connection, &mut self.budget, &mut lines);
        let deadline = served.poll_timeout();
        if deadline != served.deadline {
            served.deadline.map(|old| self.deadlines.remove(&(old, index)));
            self.deadlines.extend(deadline.map(|new| (new, index)));
            served.deadline = deadline;
        }
        self.print(&lines);
        if is_over {
            if let Some(deadline) = self.exchanges[index].as_ref().and_then(|served| served.deadline) {
                self.deadlines.remove(&(deadline, index));
            }
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

    /// Prints the lines of requests that have ended.
    fn print(&mut self, lines: &[Line]) {
        self.status.served += lines.len() as u64;
        if !self.quiet {
            lines.iter().for_each(Line::print);
        }
    }

    /// Prints the lines of requests that have not ended in time.
    fn print_rest(&mut self, now: Instant) {
        let lines: Vec<_> = self.exchanges.iter_mut().flatten().filter_map(|served| served.last_line(now)).collect();
        self.print(&lines);
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
                served.handle_timeout(now);
            }
            self.pump(now, index);
        }
        self.pump_events(now);
        self.accept(now);
        self.status.handle_timeout(now, self.active, &self.peers, self.refusals.as_ref());
        let moving = self.exchanges.iter().flatten().filter_map(|served| {
            let (name, done, length) = served.moving()?;
            let connection = self.peers.peer(served.peer)?;
            let is_sender = served.is_sender();
            Some((name, done, length, path_view(connection, is_sender)))
        });
        self.status.draw(now, moving);
        self.watchdog.handle_timeout(now);
        if self.expire_at <= now {
            self.expire_at = now + EXPIRE_INTERVAL;
            let (tree, space) = (self.store.tree.clone(), self.store.space.clone());
            self.disk.run(Work::Write, move || {
                tree.expire(Some(&space));
            });
        }
        if self.lifecycle.update(now, self.active) {
            self.handle_stop(now);
        }
        if self.lifecycle.is_expired() {
            self.print_rest(now);
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
        for index in 0..self.exchanges.len() {
            if let Some(served) = &mut self.exchanges[index] {
                served.leave(ErrorCode::Busy);
                self.pump(now, index);
            }
        }
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
            if let Some(served) = &mut self.exchanges[index]
                && let Some(connection) = self.peers.peer_mut(served.peer)
            {
                served.stop(now, connection, ErrorCode::Cancelled);
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
            Some(self.expire_at),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn is_finished(&self) -> bool {
        self.lifecycle.is_finished()
    }
}
