//! The server: a listener that accepts every client. A restart drops the listener, and a new one knows no client.

use super::ledger::{Ledger, Side};
use super::plan::{AnyStorage, End, Plan};
use super::session::Session;
use harness::byte_account::AccountedListener;
use rdt_proto::Instant;
use rdt_proto::connection::Event;
use rdt_proto::listener::{HeapPeers, ListenerConfig, PeerId};
use rdt_proto::sim::{Node, Outgoing, Rng, SimAddress};
use std::cell::RefCell;
use std::rc::Rc;

/// The server, as a node of the simulation.
pub(crate) struct Server {
    end: End,
    rng: Rng,
    ledger: Rc<RefCell<Ledger>>,
    /// The listener. `None` during a restart.
    listener: Option<AccountedListener<HeapPeers<SimAddress, AnyStorage>>>,
    sessions: Vec<(PeerId, Session)>,
    /// When the server returns after a restart.
    back_at: Option<Instant>,
}

impl Server {
    pub(crate) fn new(plan: &Plan, ledger: Rc<RefCell<Ledger>>) -> Self {
        let rng = Rng::new(plan.seed ^ 0x5E27);
        let end = plan.server.clone();
        let mut server = Self { end, rng, ledger, listener: None, sessions: Vec::new(), back_at: None };
        server.open(Instant::ZERO);
        server
    }

    fn open(&mut self, now: Instant) {
        let mut key = [0; 48];
        self.rng.fill(&mut key);
        let config = ListenerConfig { connection: self.end.config, ..ListenerConfig::default() };
        self.listener = Some(AccountedListener::new(now, config, key));
    }

    fn accept(&mut self, now: Instant) {
        let Some(listener) = &mut self.listener else { return };
        while let Some(incoming) = listener.poll_incoming() {
            let mut entropy = [0; 32];
            self.rng.fill(&mut entropy);
            let id = listener.accept(now, incoming, entropy, || self.end.storage()).unwrap();
            let name = self.ledger.borrow_mut().next_id(Side::Server);
            self.sessions.push((id, Session::new(name, self.end.size)));
        }
    }

    fn note(&mut self, session: Session) {
        self.ledger.borrow_mut().note(Side::Server, session);
    }

    /// When the server restarts next. `None` while there is no session to interrupt.
    fn restart_at(&self) -> Option<Instant> {
        self.listener.as_ref().filter(|_| !self.sessions.is_empty())?;
        self.end.restarts.first().map(|&(at, _)| at)
    }
}

impl Node for Server {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        if let Some(listener) = &mut self.listener {
            listener.handle_datagram(now, from, datagram);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.restart_at().is_some_and(|at| at <= now) {
            let (_, away) = self.end.restarts.remove(0);
            self.listener = None;
            for (_, session) in std::mem::take(&mut self.sessions) {
                self.note(session);
            }
            self.back_at = Some(now + away);
        }
        if self.back_at.take_if(|at| *at <= now).is_some() {
            self.open(now);
        }
        if let Some(listener) = &mut self.listener {
            listener.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let (to, transmit) = self.listener.as_mut()?.poll_transmit(now, buf).unwrap()?;
        assert!(transmit.len <= self.end.config.max_datagram_len());
        Some(Outgoing::new(to, transmit.len))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let listener = self.listener.as_ref().and_then(|listener| listener.poll_timeout());
        [listener, self.restart_at(), self.back_at].into_iter().flatten().min()
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        self.accept(now);
        let Some(listener) = &mut self.listener else { return false };
        let mut ended = Vec::new();
        while let Some((id, event)) = listener.poll_event() {
            let (_, session) = self.sessions.iter_mut().find(|(of, _)| *of == id).unwrap();
            session.on_event(event);
            if let Event::Closed(_) = event {
                ended.push(id);
            }
        }
        let mut acted = false;
        for (id, session) in &mut self.sessions {
            acted |= session.turn(listener.peer_mut(*id).unwrap(), &mut self.rng);
        }
        for id in ended {
            listener.release(now, id);
            let index = self.sessions.iter().position(|(of, _)| *of == id).unwrap();
            let (_, session) = self.sessions.swap_remove(index);
            self.ledger.borrow_mut().note(Side::Server, session);
            acted = true;
        }
        acted
    }

    fn is_done(&self) -> bool {
        self.sessions.is_empty()
    }
}
