//! What arrives.

use super::config::{AnswerFrom, SocketPeer};
use super::connection::{Answers, CLOSE_TRIES, SocketConnection, Stage, opens};
use super::event::{SocketHandled, SocketIgnored, increment};
use super::segment::{Kind, MAX_NUMBER, Segment};
use crate::event::{Events, Role};
use crate::timing::RetransmitTimer;
use crate::{Address, Instant};

impl<A: Address, const SEND: usize, const RECV: usize> SocketConnection<A, SEND, RECV> {
    /// Takes a datagram that came from this address. Afterwards [`poll_transmit`](Self::poll_transmit) and
    /// [`poll_event`](Self::poll_event) may have something.
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
        if self.stage == Stage::SynSent {
            return self.on_answer(from, segment);
        }
        if from != self.peer {
            return Err(SocketIgnored::Address);
        }
        let handled = self.on_segment(segment);
        if handled.is_ok() {
            self.silent_since = self.now;
        }
        self.settle();
        handled
    }

    fn on_segment(&mut self, segment: &Segment<'_>) -> Result<(), SocketIgnored> {
        match (self.stage, segment.kind) {
            (Stage::Ended { .. }, _) => Err(SocketIgnored::Closed),
            (Stage::SynReceived, Kind::Syn) => self.on_syn(segment.number),
            (Stage::SynReceived, Kind::Ack | Kind::Data | Kind::Fin) => self.on_confirmation(segment),
            (Stage::Established | Stage::FinWait | Stage::LastAck, Kind::SynAck) => {
                self.on_repeated_answer(segment.number)
            }
            (Stage::Established, Kind::Ack) => self.on_ack(segment.number),
            (Stage::FinWait, Kind::Ack) => Err(SocketIgnored::OldAck),
            (Stage::Established | Stage::FinWait, Kind::Data) => self.on_data(segment),
            (Stage::Established, Kind::Fin) => self.on_fin(segment.number),
            (Stage::FinWait, Kind::Fin | Kind::FinAck) => self.on_fin_answered(segment),
            (Stage::LastAck, Kind::Ack | Kind::Data | Kind::Fin) => self.on_farewell(segment),
            (Stage::SynSent, _)
            | (Stage::SynReceived, Kind::SynAck | Kind::FinAck)
            | (Stage::Established, Kind::Syn | Kind::FinAck)
            | (Stage::FinWait, Kind::Syn)
            | (Stage::LastAck, Kind::Syn | Kind::FinAck) => Err(SocketIgnored::Stage),
        }
    }

    /// SYN-SENT: whoever answers with the right number is the peer from now on.
    fn on_answer(&mut self, from: A, segment: &Segment<'_>) -> Result<(), SocketIgnored> {
        if segment.kind != Kind::SynAck {
            return Err(SocketIgnored::Stage);
        }
        if self.config.answer_from == AnswerFrom::SameHost && from.host() != self.called.host() {
            return Err(SocketIgnored::Address);
        }
        // Before SYN has left, it answers that of an earlier connection.
        if self.repeat.sent() == 0 {
            return Err(SocketIgnored::Stage);
        }
        if segment.number != self.initial + 1 {
            return Err(SocketIgnored::Number);
        }
        self.peer = from;
        self.establish();
        self.answers.insert(Answers::HANDSHAKE_ACK);
        self.settle();
        Ok(())
    }

    /// The server has not heard the ACK of its answer.
    fn on_repeated_answer(&mut self, number: u64) -> Result<(), SocketIgnored> {
        if self.role == Role::Server {
            return Err(SocketIgnored::Stage);
        }
        if number != self.initial + 1 {
            return Err(SocketIgnored::Number);
        }
        self.answers.insert(Answers::HANDSHAKE_ACK);
        Ok(())
    }

    /// SYN-RECEIVED: the client has not heard our answer, or has begun anew.
    fn on_syn(&mut self, number: u64) -> Result<(), SocketIgnored> {
        if !opens(number) {
            return Err(SocketIgnored::Number);
        }
        if number != self.initial {
            (self.initial, self.number) = (number, number);
            self.repeat = RetransmitTimer::default();
        }
        self.repeat.request();
        Ok(())
    }

    /// SYN-RECEIVED: ACK, or what a client sends after it.
    fn on_confirmation(&mut self, segment: &Segment<'_>) -> Result<(), SocketIgnored> {
        if segment.number != self.initial + 2 {
            return Err(SocketIgnored::Number);
        }
        self.establish();
        if segment.kind == Kind::Ack { Ok(()) } else { self.on_segment(segment) }
    }

    fn establish(&mut self) {
        if self.repeat.sent() == 1 {
            self.rtt.handshake_sample(self.now.saturating_since(self.sent_at));
        }
        self.stage = Stage::Established;
        self.number = self.initial + 2;
        self.repeat = RetransmitTimer::default();
        self.silent_since = self.now;
        self.events.insert(Events::CONNECTED);
    }

    fn on_ack(&mut self, number: u64) -> Result<(), SocketIgnored> {
        // Who has given way waits for the end of the other's message.
        if self.incoming.is_receiving() || number <= self.number {
            return Err(SocketIgnored::OldAck);
        }
        if !self.is_outstanding() {
            // The report's code counts what it took twice, and may say so late.
            self.number = number;
            return Ok(());
        }
        if number < self.awaited() {
            return Err(SocketIgnored::OldAck);
        }
        self.on_acknowledged(number);
        Ok(())
    }

    /// The least number that acknowledges what is outstanding. The report's code takes the length of a message for two
    /// bytes, whatever it has: for a length any number above its own counts.
    fn awaited(&self) -> u64 {
        let body = self.outgoing.body(self.closes).filter(|_| !self.outgoing.is_unannounced());
        self.number + body.map_or(1, |body| body.len() as u64)
    }

    fn on_acknowledged(&mut self, number: u64) {
        if self.repeat.sent() == 1 {
            // Karn's rule (RFC 6298 §3).
            self.rtt.sample(self.now.saturating_since(self.sent_at));
        }
        self.number = number;
        self.unconfirmed = false;
        self.repeat = RetransmitTimer::default();
        self.outgoing.advance(self.closes);
        let has_room = self.blocked && self.outgoing.unwritten() != Some(0);
        if (self.outgoing.is_done() || has_room) && !self.closes {
            self.blocked = false;
            self.events.insert(Events::WRITABLE);
        }
    }

    fn on_data(&mut self, segment: &Segment<'_>) -> Result<(), SocketIgnored> {
        self.unconfirmed = false;
        if segment.number < self.number {
            // Our ACK was lost. Now it has a larger number, which is as good.
            increment(&mut self.stats.segments_duplicate);
            self.answers.insert(Answers::ACK);
            return Ok(());
        }
        if self.is_outstanding() && segment.number >= self.awaited() {
            self.on_acknowledged(segment.number);
        }
        let crosses = self.is_outstanding() || self.stage == Stage::FinWait;
        if segment.number > self.number && (crosses || self.incoming.is_receiving()) {
            return Err(SocketIgnored::Ahead);
        }
        if self.is_outstanding() && self.goes_first() {
            return Err(SocketIgnored::Crossing);
        }
        let end = segment.number.saturating_add(segment.body.len() as u64);
        if end > MAX_NUMBER {
            return Err(SocketIgnored::Number);
        }
        self.incoming.take(segment.body)?;
        // Who has sent at the same time gives way: the segment, or FIN, follows the other's message.
        self.number = end;
        self.repeat = RetransmitTimer::default();
        self.stage = Stage::Established;
        self.answers.insert(Answers::ACK);
        if !segment.body.is_empty() {
            self.events.insert(Events::READABLE);
        }
        Ok(())
    }

    fn on_fin(&mut self, number: u64) -> Result<(), SocketIgnored> {
        let aborted = self.incoming.begun_at(self.number) == Some(number);
        if (number < self.number && !aborted) || number > MAX_NUMBER - 2 {
            return Err(SocketIgnored::Number);
        }
        if self.is_outstanding() && number >= self.awaited() {
            self.on_acknowledged(number);
        }
        let ours_follows = self.outgoing.is_unannounced() && !self.incoming.is_receiving();
        if ours_follows && self.config.peer == SocketPeer::RdtProto {
            // It was sent before the peer knew of our message, which it takes first.
            return Err(SocketIgnored::Crossing);
        }
        self.unconfirmed = false;
        self.number = self.number.max(number);
        self.stage = Stage::LastAck;
        self.repeat = RetransmitTimer::default();
        self.repeat.request();
        self.blocked = false;
        self.events.remove(Events::WRITABLE);
        self.events.insert(Events::PEER_CLOSED);
        Ok(())
    }

    /// FIN-WAIT: the answer to our FIN, or a FIN that crossed it.
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

    /// LAST-ACK: a FIN that is repeated because our answer was lost, or the last word. That has the flag FIN in the
    /// report's code, where ACK would be expected.
    fn on_farewell(&mut self, segment: &Segment<'_>) -> Result<(), SocketIgnored> {
        if segment.number >= self.number + 2 {
            self.finish(0);
            return Ok(());
        }
        if segment.kind != Kind::Fin || segment.number != self.number {
            return Err(SocketIgnored::Number);
        }
        self.repeat.request();
        Ok(())
    }
}
