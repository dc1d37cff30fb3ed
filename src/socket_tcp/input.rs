//! Processing of incoming datagrams.

use super::config::{AnswerFrom, SocketPeer};
use super::connection::{Answers, CLOSE_TRIES, SocketConnection, State, is_initial};
use super::event::{SocketHandled, SocketIgnored, increment};
use super::segment::{Kind, MAX_NUMBER, Segment};
use crate::event::{Events, Role};
use crate::timing::RetransmitTimer;
use crate::{Address, Instant};

impl<A: Address, const SEND: usize, const RECV: usize> SocketConnection<A, SEND, RECV> {
    /// Processes a datagram received from the address `from`.
    ///
    /// Afterwards [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) may return something.
    pub fn handle_datagram(&mut self, now: Instant, from: A, datagram: &[u8]) -> SocketHandled {
        self.advance(now);
        increment(&mut self.stats.datagrams_received);
        self.stats.bytes_received = self.stats.bytes_received.saturating_add(datagram.len() as u64);
        let handled = match Segment::decode(datagram) {
            Ok(segment) => self.handle_segment(from, &segment),
            Err(error) => Err(error.into()),
        };
        match handled {
            Ok(()) => SocketHandled::Accepted,
            Err(reason) => {
                self.stats.count(reason);
                SocketHandled::Ignored(reason)
            }
        }
    }

    pub(super) fn handle_segment(&mut self, from: A, segment: &Segment<'_>) -> Result<(), SocketIgnored> {
        if self.state == State::SynSent {
            return self.on_answer(from, segment);
        }
        if from != self.peer {
            return Err(SocketIgnored::Address);
        }
        let handled = self.on_segment(segment);
        // A server that repeats SYN+ACK without end has heard nothing.
        if handled.is_ok() && segment.kind != Kind::SynAck {
            self.silent_since = self.now;
        }
        self.settle();
        handled
    }

    fn on_segment(&mut self, segment: &Segment<'_>) -> Result<(), SocketIgnored> {
        match (self.state, segment.kind) {
            (State::Ended { .. }, _) => Err(SocketIgnored::Closed),
            (State::SynReceived, Kind::Syn) => self.on_syn(segment.number),
            (State::SynReceived, Kind::Ack | Kind::Data | Kind::Fin) => self.on_confirmation(segment),
            (State::Established | State::FinWait | State::LastAck, Kind::SynAck) => {
                self.on_repeated_answer(segment.number)
            }
            (State::Established, Kind::Ack) => self.on_ack(segment.number),
            (State::FinWait, Kind::Ack) => Err(SocketIgnored::OldAck),
            (State::Established | State::FinWait, Kind::Data) => self.on_data(segment),
            (State::Established, Kind::Fin) => self.on_fin(segment.number),
            (State::FinWait, Kind::Fin | Kind::FinAck) => self.on_fin_answered(segment),
            (State::LastAck, Kind::Ack | Kind::Data | Kind::Fin) => self.on_final_segment(segment),
            (State::SynSent, _)
            | (State::SynReceived, Kind::SynAck | Kind::FinAck)
            | (State::Established, Kind::Syn | Kind::FinAck)
            | (State::FinWait, Kind::Syn)
            | (State::LastAck, Kind::Syn | Kind::FinAck) => Err(SocketIgnored::State),
        }
    }

    /// SYN-SENT: the source of a SYN+ACK with the right number becomes the peer.
    fn on_answer(&mut self, from: A, segment: &Segment<'_>) -> Result<(), SocketIgnored> {
        if segment.kind != Kind::SynAck {
            return Err(SocketIgnored::State);
        }
        if self.config.answer_from == AnswerFrom::SameHost && from.host() != self.syn_destination.host() {
            return Err(SocketIgnored::Address);
        }
        // No SYN was sent yet, so this SYN+ACK belongs to an earlier connection.
        if self.retransmit.sent() == 0 {
            return Err(SocketIgnored::State);
        }
        if segment.number != self.initial + 1 {
            return Err(SocketIgnored::Number);
        }
        self.peer = from;
        self.establish();
        self.answer_server();
        self.settle();
        Ok(())
    }

    /// Sends the ACK of SYN+ACK.
    ///
    /// A server that answers from another address may expect the ACK at either of them. The report's server expects it
    /// at the old address, and nothing but a length at the new one.
    fn answer_server(&mut self) {
        self.answers.insert(Answers::HANDSHAKE_ACK);
        if self.peer != self.syn_destination && self.config.peer == SocketPeer::RdtProto {
            self.answers.insert(Answers::HANDSHAKE_ACK_TO_PEER);
        }
    }

    /// A repeated SYN+ACK: the ACK did not reach the server.
    fn on_repeated_answer(&mut self, number: u64) -> Result<(), SocketIgnored> {
        if self.role == Role::Server {
            return Err(SocketIgnored::State);
        }
        if number != self.initial + 1 {
            return Err(SocketIgnored::Number);
        }
        self.answer_server();
        Ok(())
    }

    /// SYN-RECEIVED: a repeated SYN, or the SYN of a restarted client.
    fn on_syn(&mut self, number: u64) -> Result<(), SocketIgnored> {
        if !is_initial(number) {
            return Err(SocketIgnored::Number);
        }
        if number != self.initial {
            (self.initial, self.number) = (number, number);
            self.retransmit = RetransmitTimer::default();
        }
        self.retransmit.request();
        Ok(())
    }

    /// SYN-RECEIVED: the ACK of SYN+ACK, or a later segment of the client that replaces a lost ACK.
    fn on_confirmation(&mut self, segment: &Segment<'_>) -> Result<(), SocketIgnored> {
        if segment.number != self.initial + 2 {
            return Err(SocketIgnored::Number);
        }
        self.establish();
        if segment.kind == Kind::Ack { Ok(()) } else { self.on_segment(segment) }
    }

    fn establish(&mut self) {
        if self.retransmit.sent() == 1 {
            self.rtt.handshake_sample(self.now.saturating_since(self.sent_at));
        }
        self.state = State::Established;
        self.number = self.initial + 2;
        self.retransmit = RetransmitTimer::default();
        self.silent_since = self.now;
        self.events.insert(Events::CONNECTED);
    }

    fn on_ack(&mut self, number: u64) -> Result<(), SocketIgnored> {
        // While it receives a message, this side has no segment in flight that an ACK could acknowledge.
        if self.incoming.is_receiving() || number <= self.number {
            return Err(SocketIgnored::OldAck);
        }
        if !self.is_outstanding() {
            // A late ACK of the report's code, which counts the bytes of a repeated segment again.
            self.number = number;
            return Ok(());
        }
        if number < self.least_ack() {
            return Err(SocketIgnored::OldAck);
        }
        self.on_acknowledged(number);
        Ok(())
    }

    /// The lowest number that acknowledges the outstanding segment.
    ///
    /// The report's code counts every length as two bytes, so any higher number acknowledges a length.
    fn least_ack(&self) -> u64 {
        let body = self.body().filter(|_| !self.outgoing.is_unannounced());
        self.number + body.map_or(1, |body| body.len() as u64)
    }

    fn on_acknowledged(&mut self, number: u64) {
        if self.retransmit.sent() == 1 {
            // Karn's algorithm (RFC 6298 §3): a repeated segment gives no sample.
            self.rtt.sample(self.now.saturating_since(self.sent_at));
        }
        self.number = number;
        self.ack_unconfirmed = false;
        self.retransmit = RetransmitTimer::default();
        self.outgoing.advance(self.config.pieces, self.close_requested);
        let has_room = self.events.contains(Events::BLOCKED) && self.outgoing.unwritten() != Some(0);
        if (self.outgoing.is_done() || has_room) && !self.close_requested {
            self.events.remove(Events::BLOCKED);
            self.events.insert(Events::WRITABLE);
        }
    }

    fn on_data(&mut self, segment: &Segment<'_>) -> Result<(), SocketIgnored> {
        self.ack_unconfirmed = false;
        if segment.number < self.number {
            // The ACK was lost. A new ACK carries the current number, which covers this segment.
            increment(&mut self.stats.segments_duplicate);
            self.answers.insert(Answers::ACK);
            return Ok(());
        }
        if self.is_outstanding() && segment.number >= self.least_ack() {
            self.on_acknowledged(segment.number);
        }
        let crosses = self.is_outstanding() || self.state == State::FinWait;
        if segment.number > self.number && (crosses || self.incoming.is_receiving()) {
            return Err(SocketIgnored::Ahead);
        }
        if self.is_outstanding() && self.has_priority() {
            return Err(SocketIgnored::Crossing);
        }
        let end = segment.number.saturating_add(segment.body.len() as u64);
        if end > MAX_NUMBER {
            return Err(SocketIgnored::Number);
        }
        self.incoming.take(segment.body)?;
        // This side withdraws its own segment or FIN, and sends it again after the peer's message.
        self.number = end;
        self.retransmit = RetransmitTimer::default();
        self.state = State::Established;
        self.answers.insert(Answers::ACK);
        if !segment.body.is_empty() {
            self.events.insert(Events::READABLE);
        }
        Ok(())
    }

    fn on_fin(&mut self, number: u64) -> Result<(), SocketIgnored> {
        let aborted = self.incoming.length_number(self.number) == Some(number);
        if (number < self.number && !aborted) || number > MAX_NUMBER - 2 {
            return Err(SocketIgnored::Number);
        }
        if self.is_outstanding() && number >= self.least_ack() {
            self.on_acknowledged(number);
        }
        let own_message_follows = self.outgoing.is_unannounced() && !self.incoming.is_receiving();
        if own_message_follows && self.config.peer == SocketPeer::RdtProto {
            // The peer sent FIN before the length of this message arrived. The peer will withdraw its FIN.
            return Err(SocketIgnored::Crossing);
        }
        self.ack_unconfirmed = false;
        self.number = self.number.max(number);
        self.state = State::LastAck;
        self.retransmit = RetransmitTimer::default();
        self.retransmit.request();
        self.events.remove(Events::WRITABLE | Events::BLOCKED);
        self.events.insert(Events::PEER_CLOSED);
        Ok(())
    }

    /// FIN-WAIT: FIN+ACK, or a FIN that crossed the FIN of this side.
    fn on_fin_answered(&mut self, segment: &Segment<'_>) -> Result<(), SocketIgnored> {
        let least = self.number + u64::from(segment.kind == Kind::FinAck);
        if segment.number < least || segment.number >= MAX_NUMBER {
            return Err(SocketIgnored::Number);
        }
        self.number = segment.number;
        if segment.kind == Kind::FinAck {
            self.finish(CLOSE_TRIES);
        } else {
            self.events.insert(Events::PEER_CLOSED);
            self.finish(0);
            self.answers.insert(Answers::FIN_ACK);
        }
        Ok(())
    }

    /// LAST-ACK: a repeated FIN, or the final segment.
    ///
    /// TCP ends with an ACK, but the report's code sends a FIN.
    fn on_final_segment(&mut self, segment: &Segment<'_>) -> Result<(), SocketIgnored> {
        if segment.number >= self.number + 2 {
            self.finish(0);
            return Ok(());
        }
        if segment.kind != Kind::Fin || segment.number != self.number {
            return Err(SocketIgnored::Number);
        }
        self.retransmit.request();
        Ok(())
    }
}
