//! One end of a path: a connection of the server, or its simulated peer.

use super::meter::Meter;
use rdt_proto::connection::{Config, Connection, Entropy, GrowingStorage, HandshakeParameters, HeapBudget, HeapWindow};
use rdt_proto::sim::{Node, Outgoing, SimAddress};
use rdt_proto::wire::Packet;
use rdt_proto::{Duration, Instant};
use std::cell::RefCell;
use std::rc::Rc;

/// The settings of `rdt serve`: the largest body, the keep-alive interval, the windows, and the memory for them.
const CONFIG: Config =
    Config { segment: 1_432, recv_segment: 1_432, keep_alive: Duration::from_secs(15), ..Config::new() };
const FIRST_WINDOW: u32 = 64;
const WINDOW: u32 = 16_384;
const MEMORY: usize = 256 << 20;

/// What the connections of the server share.
pub(crate) struct Server {
    budget: RefCell<HeapBudget>,
    pub(crate) meter: Meter,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self { budget: RefCell::new(HeapBudget::new(MEMORY)), meter: Meter::default() }
    }
}

struct Open {
    connection: Connection<GrowingStorage>,
    window: HeapWindow,
}

/// One end. The sender writes without end.
pub(crate) struct End {
    peer: SimAddress,
    open: Option<Box<Open>>,
    sends: bool,
    /// The bytes that were read.
    pub(crate) read: u64,
    /// At a peer of the server, a server of its own, whose meter has no reader.
    server: Rc<Server>,
}

impl End {
    pub(crate) fn client(peer: SimAddress, sends: bool) -> Self {
        let connection = Connection::connect(Instant::ZERO, CONFIG, [1; Entropy::BYTES], storage()).unwrap();
        let (budget, meter) = (RefCell::new(HeapBudget::new(usize::MAX)), Meter::default());
        Self { peer, open: Some(Open::new(connection)), sends, read: 0, server: Rc::new(Server { budget, meter }) }
    }

    pub(crate) fn server(peer: SimAddress, sends: bool, server: Rc<Server>) -> Self {
        Self { peer, open: None, sends, read: 0, server }
    }
}

fn storage() -> GrowingStorage {
    GrowingStorage::pooled(&CONFIG, FIRST_WINDOW).unwrap()
}

impl Open {
    fn new(connection: Connection<GrowingStorage>) -> Box<Self> {
        Box::new(Self { connection, window: HeapWindow::new(FIRST_WINDOW, WINDOW) })
    }

    fn accept(now: Instant, datagram: &[u8], budget: &mut HeapBudget) -> Option<Box<Self>> {
        let Ok(Packet::Connect(options)) = CONFIG.framing.decode(datagram) else { return None };
        let parameters = HandshakeParameters::from_options(&options).with_datagram_len(datagram.len());
        let mut open = Self::new(Connection::accept(now, CONFIG, [2; Entropy::BYTES], parameters, storage()).unwrap());
        open.window.update(&mut open.connection, budget);
        Some(open)
    }

    /// Reads and writes all that is possible. Returns the bytes read and written.
    fn turn(&mut self, sends: bool, budget: &mut HeapBudget) -> (u64, u64) {
        let (mut read, mut written) = (0, 0);
        loop {
            while let count @ 1.. = self.connection.recv_chunk().len() {
                read += count as u64;
                self.connection.consume(count);
            }
            while sends && let count @ 1.. = self.connection.send_slot().map_or(0, |slot| slot.len()) {
                self.connection.commit(count).unwrap();
                written += count as u64;
            }
            if !self.window.update(&mut self.connection, budget) {
                return (read, written);
            }
        }
    }
}

impl Node for End {
    fn handle_datagram(&mut self, now: Instant, _from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        let Self { open, server, .. } = self;
        server.meter.count(|| match open {
            Some(open) => drop(open.connection.handle_datagram(now, datagram)),
            None => *open = Open::accept(now, datagram, &mut server.budget.borrow_mut()),
        });
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            self.server.meter.count(|| open.connection.handle_timeout(now));
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let open = self.open.as_mut()?;
        let transmit = self.server.meter.count(|| open.connection.poll_transmit(now, buf)).unwrap()?;
        Some(Outgoing::new(self.peer, transmit.len))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.open.as_ref()?.connection.poll_timeout()
    }

    fn poll_app(&mut self, _now: Instant) -> bool {
        let Some(open) = &mut self.open else { return false };
        let server = &self.server;
        let (read, written) = server.meter.count(|| open.turn(self.sends, &mut server.budget.borrow_mut()));
        self.read += read;
        read + written > 0
    }

    fn is_done(&self) -> bool {
        false
    }
}
