//! A server: many connections, each with one request or many for the files beneath one folder.

mod endpoint;

use crate::access::{Access, Networks};
use crate::disk::{self, Disk, Finished};
use crate::endpoint::Address;
use crate::entropy;
use crate::files::{Space, Tree};
use crate::json;
use crate::lifecycle::{Lifecycle, Threads};
use crate::limits::Limits;
use crate::log::to_log;
use crate::memory_file::BenchLimits;
use crate::messages::to_stderr;
use crate::network_error::NetworkErrors;
use crate::observers::Verbosity;
use crate::output;
use crate::qlog::VantagePoint;
use crate::refusals::Refusals;
use crate::request_line::Line;
use crate::request_screen::SharedScreen;
use crate::served::{Offer, Served};
use crate::service_manager::Watchdog;
use crate::session::Committer;
use crate::settings::{self, AnyStorage, Settings};
use crate::status::Status;
use crate::stop::Stop;
use mio::Waker;
use rdt_proto::connection::HeapBudget;
use rdt_proto::ftp::{ErrorCode, ServerConfig};
use rdt_proto::listener::{AcceptError, Address as _, HeapPeers, Listener};
use rdt_proto::{Duration, Instant};
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
    /// The files beneath a folder, by path.
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
    /// The peers of which datagrams came, by index.
    touched: Vec<usize>,
    active: usize,
    lifecycle: Lifecycle,
    errors: NetworkErrors,
    status: Status,
    /// Which lines of requests are printed. `None`: all of them.
    screen: Option<SharedScreen>,
    watchdog: Watchdog,
    /// When parts of interrupted uploads that are too old are removed next.
    expire_at: Instant,
}

/// Whether the lines of requests are for people: a log, a pipe, objects and `-v` have all of them.
pub(crate) fn has_screen(verbosity: Verbosity) -> bool {
    verbosity == Verbosity::Nothing && !json::is_chosen() && !output::has_log() && io::stdout().is_terminal()
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
            peers: Listener::new(now, limits.listener_config(&settings.largest_config()), entropy::random_bytes()?),
            refusals: None,
            budget: HeapBudget::new(limits.memory),
            exchanges: Vec::new(),
            deadlines: BTreeSet::new(),
            touched: Vec::new(),
            active: 0,
            lifecycle: Lifecycle::new(Threads::new(1, Stop::default())),
            errors: NetworkErrors::default(),
            watchdog: Watchdog::default(),
            expire_at: now,
            screen: None,
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

    /// Prints only the lines of requests that `screen` chooses, and sums of the others.
    pub(crate) fn with_screen(self, screen: Option<SharedScreen>) -> Self {
        Self { screen, ..self }
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
            let address = incoming.address().peer;
            let settings = self.settings.towards(address, incoming.parameters().segment);
            let host = address.host();
            let storage = || settings::storage(&settings, address, VantagePoint::Server);
            let peer = match self.peers.accept(now, incoming, entropy, storage) {
                Ok(peer) => peer,
                Err(AcceptError::Storage(error)) => {
                    to_stderr(format_args!("no connection can be made: {error}"));
                    continue;
                }
                Err(AcceptError::Gone) => continue,
                Err(AcceptError::Full) => return,
            };
            let mut window = settings.heap_window();
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
                segment: settings.config.segment,
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
        if std::mem::take(&mut served.is_touched) {
            served.heard_at = now;
        }
        let Some(connection) = self.peers.peer_mut(served.peer) else { return };
        let mut lines = Vec::new();
        let is_over = served.pump(now, connection, &mut self.budget, &mut lines);
        let deadline = served.poll_timeout();
        if deadline != served.deadline {
            served.deadline.map(|old| self.deadlines.remove(&(old, index)));
            self.deadlines.extend(deadline.map(|new| (new, index)));
            served.deadline = deadline;
        }
        self.print(now, &lines);
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
    fn print(&mut self, now: Instant, lines: &[Line]) {
        self.status.served += lines.iter().filter(|line| line.is_of_content()).count() as u64;
        if self.quiet && !output::has_log() {
            return;
        }
        self.print_sums(now);
        for line in lines.iter().filter(|line| !line.is_of_no_interest()) {
            if self.screen.as_ref().is_none_or(|screen| screen.lock().handle(now, line)) {
                line.print();
            }
        }
    }

    /// Prints the sums of lines that the terminal does not show one by one.
    fn print_sums(&mut self, now: Instant) {
        let sums = self.screen.as_ref().map(|screen| screen.lock().take_sums(now));
        sums.into_iter().flatten().for_each(to_log);
    }

    /// Prints the lines of requests that have not ended in time.
    fn print_rest(&mut self, now: Instant) {
        let lines: Vec<_> = self.exchanges.iter_mut().flatten().filter_map(|served| served.last_line(now)).collect();
        self.print(now, &lines);
    }

    /// Drives each exchange whose connection has an event.
    fn pump_events(&mut self, now: Instant) {
        while let Some((peer, _)) = self.peers.poll_event() {
            self.pump(now, peer.index());
        }
    }

    /// Prints the totals. `thread` is the index of the thread if there are several.
    pub(crate) fn print_totals(&mut self, thread: Option<u64>) {
        let sums = self.screen.as_ref().map(|screen| screen.lock().take_all());
        sums.into_iter().flatten().for_each(to_log);
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
