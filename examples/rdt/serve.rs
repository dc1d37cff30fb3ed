//! A server: many connections, each with a request, in one folder.

use crate::driver::{Address, Endpoint};
use crate::exchange::Exchange;
use crate::files::Folder;
use crate::link::{self, Arq, Recv, Send, Settings};
use crate::words::{amount, complain, served, tell};
use rdt_proto::connection::Transmit;
use rdt_proto::ftp::{ErrorCode, Outcome, Server, ServerConfig, Session, Transfer};
use rdt_proto::listener::{Growable, Listener, ListenerConfig, PeerId, Routed};
use rdt_proto::{BufferTooSmall, Duration, Instant};
use std::io;

/// How many are served at once. Others wait for their turn in the backlog.
const CLIENTS: usize = 64;
/// How long to stay after Ctrl-C, so that the clients hear of it.
const STOP_LIMIT: Duration = Duration::from_secs(1);

pub(crate) struct Serve<'d> {
    settings: Settings,
    session_config: ServerConfig,
    folder: &'d Folder,
    quiet: bool,
    peers: Listener<Address, Send, Recv, Growable, Arq>,
    /// By the index of their peer.
    exchanges: Vec<Option<Served<'d>>>,
    active: usize,
    stopping: bool,
    leave_at: Option<Instant>,
    expired: bool,
}

/// One client.
struct Served<'d> {
    peer: PeerId,
    exchange: Exchange<'d, Server>,
    started: Instant,
    told: bool,
}

impl<'d> Serve<'d> {
    pub(crate) fn new(
        now: Instant,
        settings: Settings,
        session_config: ServerConfig,
        folder: &'d Folder,
        quiet: bool,
    ) -> io::Result<Self> {
        let listener_config = ListenerConfig { connection: settings.config, ..ListenerConfig::default() };
        Ok(Self {
            settings,
            session_config,
            folder,
            quiet,
            peers: Listener::new(now, listener_config, link::entropy()?),
            exchanges: Vec::new(),
            active: 0,
            stopping: false,
            leave_at: None,
            expired: false,
        })
    }

    /// Accepts those who wait, as far as there is room.
    fn accept(&mut self, now: Instant) {
        while self.active < CLIENTS
            && let Some(incoming) = self.peers.poll_incoming()
        {
            let (Ok(entropy), Ok(storage)) = (link::entropy(), link::storage(&self.settings)) else {
                complain("no entropy or no memory for a connection: the client is not accepted");
                self.peers.refuse(incoming, ErrorCode::Busy.value());
                continue;
            };
            let Ok(peer) = self.peers.accept(now, incoming, entropy, || storage) else { return };
            let exchange = Exchange::in_folder(Server::new(self.session_config), self.folder);
            if self.exchanges.len() <= peer.index() {
                self.exchanges.resize_with(peer.index() + 1, || None);
            }
            self.exchanges[peer.index()] = Some(Served { peer, exchange, started: now, told: false });
            self.active += 1;
        }
    }

    /// Moves the exchange with this index on, and lets go what is over.
    fn pump(&mut self, now: Instant, index: usize) {
        let Some(served) = self.exchanges.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(link) = self.peers.peer_mut(served.peer) else { return };
        let outcome = served.exchange.pump(now, link);
        let ended = link.ended();
        let Some(outcome) = outcome else { return };
        // Whether all of a file has arrived shows at the end of the connection.
        if !served.told && (ended.is_some() || outcome != Outcome::Sent) {
            served.told = true;
            if !self.quiet {
                let address = self.peers.address(served.peer);
                tell_request(now, address, served, &served.outcome_words(outcome, ended));
            }
        }
        if ended.is_some() {
            self.peers.release(now, served.peer);
            self.exchanges[index] = None;
            self.active -= 1;
            self.accept(now);
        }
    }

    fn pump_all(&mut self, now: Instant) {
        for index in 0..self.exchanges.len() {
            self.pump(now, index);
        }
    }
}

impl Served<'_> {
    fn outcome_words(&self, outcome: Outcome, ended: Option<rdt_proto::connection::Reason>) -> String {
        served(outcome, ended, self.exchange.error())
    }
}

fn tell_request(now: Instant, address: Option<Address>, served: &Served<'_>, words: &str) {
    let session = &served.exchange.session;
    let client = address.map_or(String::new(), |address| address.peer.to_string());
    let request = match (session.transfer(), session.name()) {
        (Some(Transfer::Upload), Some(name)) => format!("put \"{name}\""),
        (Some(Transfer::Download), Some(name)) => format!("get \"{name}\""),
        _ => "request".into(),
    };
    match session.bytes_done() {
        0 => tell(format_args!("{client} {request}: {words}")),
        bytes => {
            let amount = amount(bytes, now.saturating_since(served.started));
            tell(format_args!("{client} {request}: {words}; {amount}"));
        }
    }
}

impl Endpoint for Serve<'_> {
    fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]) {
        match self.peers.handle_datagram(now, from, datagram) {
            Routed::Peer(peer, _) => self.pump(now, peer.index()),
            Routed::Queued => self.accept(now),
            Routed::Retried | Routed::Ignored(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.peers.handle_timeout(now);
        for served in self.exchanges.iter_mut().flatten() {
            served.exchange.session.handle_timeout(now);
        }
        self.pump_all(now);
        self.expired = self.leave_at.is_some_and(|limit| limit <= now);
    }

    fn handle_stop(&mut self, now: Instant) {
        self.stopping = true;
        self.peers.stop_accepting(ErrorCode::Cancelled.value());
        for served in self.exchanges.iter_mut().flatten() {
            // What is decided already only has to be told.
            let _ = served.exchange.session.refuse(now, ErrorCode::Cancelled);
        }
        self.pump_all(now);
        self.leave_at = Some(now + STOP_LIMIT);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<(Address, Transmit)>, BufferTooSmall> {
        self.peers.poll_transmit_batch(now, max_datagrams, buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let sessions = self.exchanges.iter().flatten().filter_map(|served| served.exchange.session.poll_timeout());
        sessions.chain(self.peers.poll_timeout()).chain(self.leave_at).min()
    }

    fn is_finished(&self) -> bool {
        self.expired || (self.stopping && self.active == 0)
    }
}
