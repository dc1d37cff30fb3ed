//! The client. It has one connection at a time. A restart drops the connection, and the client opens another one.

use super::ledger::{Ledger, Side};
use super::plan::{AnyStorage, End, Plan};
use super::session::Session;
use crate::pair::CLIENT;
use rdt_proto::connection::{CloseReason, Connection};
use rdt_proto::sim::{Node, Outgoing, Rng, SimAddress};
use rdt_proto::{Duration, Instant};
use std::cell::RefCell;
use std::rc::Rc;

/// The maximum number of connections of a client.
///
/// A client whose handshake timed out connects again, since the server may still have had its earlier connection.
const MAX_CONNECTIONS: u32 = 12;

/// The client, as a node of the simulation.
pub(crate) struct Client {
    server: SimAddress,
    end: End,
    rng: Rng,
    ledger: Rc<RefCell<Ledger>>,
    running: Option<(Connection<AnyStorage>, Session)>,
    /// When the client returns after a restart.
    back_at: Option<Instant>,
    /// The number of connections so far.
    connections: u32,
    port: u32,
}

impl Client {
    pub(crate) fn new(server: SimAddress, plan: &Plan, ledger: Rc<RefCell<Ledger>>) -> Self {
        let rng = Rng::new(plan.seed ^ 0xC11E);
        let end = plan.client.clone();
        let mut client = Self { server, end, rng, ledger, running: None, back_at: None, connections: 0, port: 0 };
        client.connect(Instant::ZERO);
        client
    }

    fn connect(&mut self, now: Instant) {
        let mut entropy = [0; 32];
        self.rng.fill(&mut entropy);
        let storage = self.end.storage().unwrap();
        let stream = Connection::connect(now, self.end.config, entropy, storage).unwrap();
        let id = self.ledger.borrow_mut().next_id(Side::Client);
        self.running = Some((stream, Session::new(id, self.end.size)));
        self.connections += 1;
    }

    fn drop_running(&mut self) {
        if let Some((_, session)) = self.running.take() {
            self.ledger.borrow_mut().note(Side::Client, session);
        }
    }

    /// When the client restarts next.
    fn restart_at(&self) -> Option<Instant> {
        self.running.as_ref().and(self.end.restarts.first()).map(|&(at, _)| at)
    }
}

impl Node for Client {
    fn handle_datagram(&mut self, now: Instant, _from: SimAddress, to: SimAddress, datagram: &[u8]) {
        if let Some((stream, _)) = self.running.as_mut().filter(|_| to.port == self.port) {
            stream.handle_datagram(now, datagram);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.restart_at().is_some_and(|at| at <= now) {
            let (_, away) = self.end.restarts.remove(0);
            self.drop_running();
            self.back_at = Some(now + away);
        }
        if self.back_at.take_if(|at| *at <= now).is_some() {
            self.port += u32::from(!self.end.same_port);
            if let Some((at, _)) = self.end.restarts.first_mut() {
                // If the next restart is already overdue, it follows after a millisecond.
                *at = (*at).max(now + Duration::from_millis(1));
            }
            self.connect(now);
        }
        if let Some((stream, _)) = &mut self.running {
            stream.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let transmit = self.running.as_mut()?.0.poll_transmit(now, buf).unwrap()?;
        assert!(transmit.len <= self.end.config.max_datagram_len());
        Some(Outgoing::new(self.server, transmit.len).with_source(CLIENT.port(self.port)))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let stream = self.running.as_ref().and_then(|(stream, _)| stream.poll_timeout());
        [stream, self.restart_at(), self.back_at].into_iter().flatten().min()
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        let Some((stream, session)) = &mut self.running else { return false };
        while let Some(event) = stream.poll_event() {
            session.on_event(event);
        }
        if session.turn(stream, &mut self.rng) {
            return true;
        }
        if !stream.is_drained() {
            return false;
        }
        let again = session.end == Some(CloseReason::HandshakeTimedOut) && self.connections < MAX_CONNECTIONS;
        self.drop_running();
        if again {
            self.connect(now);
        }
        true
    }

    fn is_done(&self) -> bool {
        self.running.is_none() && self.back_at.is_none()
    }
}
