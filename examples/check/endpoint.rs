//! The interface through which the explorer drives a connection.

use crate::scenario::{Lend, Received, Scenario, Sent, storage};
use rdt_proto::Instant;
use rdt_proto::arq::Arq;
use rdt_proto::connection::{CloseReason, Connection, Event, HandshakeParameters, Storage};
use std::hash::Hash;

/// The maximum length of a datagram.
const LONGEST_DATAGRAM: usize = 512;

/// The calls of a connection. The tests also implement them for a defective connection.
pub(crate) trait Endpoint: Clone + Hash {
    /// Opens a server for a CONNECT with `parameters`, or a client if there are none.
    ///
    /// Returns `None` if the memory of the scenario is too small.
    fn open(scenario: &Scenario, now: Instant, parameters: Option<HandshakeParameters>) -> Option<Self>;

    fn handle_datagram(&mut self, now: Instant, datagram: &[u8]);
    fn handle_timeout(&mut self, now: Instant);
    fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>>;
    fn poll_timeout(&self) -> Option<Instant>;
    fn poll_event(&mut self) -> Option<Event>;
    /// Writes a byte. Returns whether the connection accepted it.
    fn write(&mut self, byte: u8) -> bool;
    /// Reads everything that can be read.
    fn read(&mut self) -> Vec<u8>;
    fn close(&mut self);
    fn abort(&mut self);
    fn rebase(&mut self, from: Instant, to: Instant);

    fn is_established(&self) -> bool;
    fn ended(&self) -> Option<CloseReason>;
    fn is_drained(&self) -> bool;
    fn is_readable(&self) -> bool;
    fn is_finished_reading(&self) -> bool;
    fn is_all_acknowledged(&self) -> bool;
}

impl<A: Arq + Lend + Clone + Hash> Endpoint for Connection<Storage<Sent, Received, A>> {
    fn open(scenario: &Scenario, now: Instant, parameters: Option<HandshakeParameters>) -> Option<Self> {
        let (config, storage) = (scenario.config(), storage(scenario)?);
        let made = match parameters {
            None => Self::connect(now, config, [1; 32], storage),
            Some(parameters) => Self::accept(now, config, [2; 32], parameters, storage),
        };
        made.ok()
    }

    fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        self.handle_datagram(now, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        let mut buf = [0; LONGEST_DATAGRAM];
        let sent = self.poll_transmit(now, &mut buf).ok()??;
        buf.get(..sent.len).map(<[u8]>::to_vec)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.poll_event()
    }

    fn write(&mut self, byte: u8) -> bool {
        self.send(&[byte]) == Ok(1)
    }

    fn read(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while !self.recv_chunk().is_empty() {
            all.extend_from_slice(self.recv_chunk());
            self.consume(self.recv_chunk().len());
        }
        all
    }

    fn close(&mut self) {
        self.close();
    }

    fn abort(&mut self) {
        self.abort(7);
    }

    fn rebase(&mut self, from: Instant, to: Instant) {
        self.rebase(from, to);
    }

    fn is_established(&self) -> bool {
        self.is_established()
    }

    fn ended(&self) -> Option<CloseReason> {
        self.ended()
    }

    fn is_drained(&self) -> bool {
        self.is_drained()
    }

    fn is_readable(&self) -> bool {
        !self.recv_chunk().is_empty()
    }

    fn is_finished_reading(&self) -> bool {
        self.is_finished_reading()
    }

    fn is_all_acknowledged(&self) -> bool {
        self.is_all_acknowledged()
    }
}
