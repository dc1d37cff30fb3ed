//! The handling of INFO, and the delivery of its data.

use super::input::{Outcome, Take};
use super::{Connection, ConnectionTypes, Ignored};
use crate::Seq;
use crate::arq::{Arq, Arrival, Offer, ReceivedInfo};
use crate::event::{Events, Role};
use crate::store::RecvStore;

impl<T: ConnectionTypes> Connection<T> {
    /// Handles an INFO. Its number may be the low bits that the wire carries.
    pub(super) fn handle_info(&mut self, info: ReceivedInfo, body: &[u8], take: &mut Take<'_>) -> Outcome {
        let number = self.peer.expand(info.number, self.arq.next()).ok_or(Ignored::BeyondWindow)?;
        match (self.role, self.state.is_established()) {
            (_, true) => {}
            (Role::Client, false) => return Err(Ignored::State),
            // In extended mode an INFO that overtakes INFO 0 is kept. Its tag shows that the client has received
            // CONNACK.
            (Role::Server, false) if number != Seq::ZERO && !self.negotiation.is_extended() => {
                return Err(Ignored::BeyondWindow);
            }
            (Role::Server, false) => {}
        }
        if self.is_incoming_closed() {
            return Err(Ignored::State);
        }
        let offer = Offer { limit: self.recv.limit(), fits: self.recv.fits(number, body.len()) };
        let arrival = self.arq.handle_info(self.now, ReceivedInfo { number, ..info }, offer);
        if arrival == Arrival::Next && info.counter == 0 {
            self.sample_handshake(0);
        }
        self.on_heard();
        if let Some(probe) = self.state.probe_mut().filter(|_| !body.is_empty()) {
            probe.on_data();
        }
        match arrival {
            Arrival::Early => self.recv.put(number, body),
            Arrival::Next => {
                if !self.state.is_established() {
                    self.on_established();
                }
                self.deliver(number, body, take);
            }
            Arrival::Old => self.stats.infos_duplicate = self.stats.infos_duplicate.saturating_add(1),
            Arrival::NoRoom if body.len() <= self.recv.segment() => return Err(Ignored::NoRoom),
            Arrival::NoRoom => return Err(Ignored::BodyTooLarge),
            Arrival::BeyondWindow => return Err(Ignored::BeyondWindow),
        }
        Ok(())
    }

    /// Delivers INFO `number`, the next one, and all stored INFO packets that follow it without a gap.
    ///
    /// If no older data is unread, `take` receives the body directly from the datagram. The store keeps the bytes that
    /// `take` leaves.
    fn deliver(&mut self, number: Seq, body: &[u8], take: &mut Take<'_>) {
        let recv = &mut self.recv;
        let taken = if recv.chunk().is_empty() && !body.is_empty() { take(body) } else { 0 };
        let next = self.arq.next();
        if let Some(span) = self.state.span_mut() {
            span.on_read(taken.min(body.len()));
        }
        if taken > 0 && taken >= body.len() {
            recv.pass(number);
            if next == number.next() {
                return;
            }
        } else {
            recv.put(number, body);
        }
        recv.deliver(next);
        if taken < body.len() {
            recv.consume(taken);
        }
        // The event is repeated even if older data is unread. An application that has read only a part must learn of
        // new data.
        if !recv.chunk().is_empty() {
            self.events.insert(Events::READABLE);
        }
    }
}
