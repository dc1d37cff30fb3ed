//! What a datagram does.

use super::close::Close;
use super::handshake::{Handshake, Role};
use super::probe::Probe;
use super::stage::Stage;
use super::{Connection, Events, Handled, Hello, Ignored, Reason};
use crate::arq::{Ack, Acknowledged, Arq, Arrival, Offer};
use crate::store::{RecvStore, SendStore};
use crate::wire::{Packet, Sack};
use crate::{Instant, Seq};

/// Understood, or the reason why not.
type Outcome = Result<(), Ignored>;

/// Takes what is in order, and says how many bytes.
type Take<'t> = dyn FnMut(&[u8]) -> usize + 't;

impl<S: SendStore, R: RecvStore, A: Arq> Connection<S, R, A> {
    /// Takes a datagram that came from the peer's address. Whatever it holds, it is no error: at worst it changes nothing,
    /// and the reason is told and counted.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> Handled {
        self.handle_datagram_into(now, datagram, |_| 0)
    }

    /// As [`handle_datagram`](Self::handle_datagram), but lends what may be read at once straight out of the datagram, which
    /// saves a copy: `take` gets the bytes that come next in the stream and returns how many of them it took. The rest is
    /// kept, and read as usual. More than it got counts as all of it.
    ///
    /// It is called once at most, on a server also before [`Event::Connected`](super::Event::Connected) can be polled, and only
    /// while nothing older is unread: what follows a gap, and all that arrives while something is unread, is
    /// [read](Self::recv) later. What it takes counts as read: no [`Event::Readable`](super::Event::Readable) tells of it.
    pub fn handle_datagram_into(
        &mut self,
        now: Instant,
        datagram: &[u8],
        mut take: impl FnMut(&[u8]) -> usize,
    ) -> Handled {
        self.advance(now);
        self.count_received(datagram.len());
        let outcome = match self.dialect.decode_info(datagram) {
            Some((number, body)) if self.is_established() => {
                // Nothing but a probe is settled by hearing of the peer.
                if !self.stage.probe().is_some_and(Probe::is_engaged) {
                    let outcome = self.handle_info(number, body, &mut take);
                    return self.conclude(outcome);
                }
                self.handle_info(number, body, &mut take)
            }
            Some(_) | None => {
                let decoded = self.dialect.decode(datagram);
                decoded.and_then(|(packet, tagged)| self.handle_packet(packet, tagged, &mut take))
            }
        };
        if outcome.is_ok() {
            self.settle();
        }
        self.conclude(outcome)
    }

    #[inline]
    pub(super) fn count_received(&mut self, len: usize) {
        self.stats.datagrams_received = self.stats.datagrams_received.saturating_add(1);
        self.stats.bytes_received = self.stats.bytes_received.saturating_add(len as u64);
    }

    fn conclude(&mut self, outcome: Outcome) -> Handled {
        match outcome {
            Ok(()) => Handled::Accepted,
            Err(reason) => {
                self.stats.ignored.count(reason);
                Handled::Ignored(reason)
            }
        }
    }

    fn handle_packet(&mut self, packet: Packet<'_>, tagged: bool, take: &mut Take<'_>) -> Outcome {
        if self.stage.ended().is_some() {
            return self.handle_after_end(packet);
        }
        match packet {
            Packet::Connect(options) => self.handle_connect(&Hello::from_options(&options)),
            Packet::ConnAck(options) => self.handle_connack(&Hello::from_options(&options), tagged),
            Packet::Info { number, body } => self.handle_info(number, body, take),
            Packet::Ack { number } => self.handle_ack(number),
            Packet::Fin => self.handle_fin(),
            Packet::FinAck => self.handle_finack(),
            Packet::Sack(sack) => self.handle_sack(&sack),
            Packet::Reset { code } => self.handle_reset(code),
            Packet::Probe { nonce, .. } => self.handle_probe(nonce),
            Packet::Echo { nonce } => self.handle_echo(nonce),
            Packet::Retry { cookie } => self.handle_retry(cookie),
        }
    }

    /// Until it is drained: a FIN is repeated because our FINACK was lost, or takes back the FIN of `abort`, or a FINACK takes
    /// back ours, which have not left yet.
    fn handle_after_end(&mut self, packet: Packet<'_>) -> Outcome {
        let (listens, linger) = (!self.is_drained(), self.linger());
        let Stage::Ended { ended, close } = &mut self.stage else { return Err(Ignored::Stage) };
        let counts = match packet {
            Packet::Fin => listens && close.on_fin(self.now),
            Packet::FinAck => listens && close.on_finack(self.now),
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::Info { .. }
            | Packet::Ack { .. }
            | Packet::Sack(_)
            | Packet::Retry { .. }
            | Packet::Reset { .. }
            | Packet::Probe { .. }
            | Packet::Echo { .. } => false,
        };
        if !counts {
            return Err(Ignored::Closed);
        }
        ended.linger = close.linger_end(linger).filter(|&end| end > self.now);
        Ok(())
    }

    fn handle_connect(&mut self, hello: &Hello) -> Outcome {
        if !self.dialect.is_peer(hello.tag) {
            return Err(Ignored::Stage);
        }
        match (self.role, &mut self.stage) {
            (Role::Client, _) => Err(Ignored::Role),
            (Role::Server, Stage::Opening(handshake)) => {
                handshake.on_connect();
                self.on_heard();
                Ok(())
            }
            // No sign of life of this connection: a restarted peer would keep its predecessor's from timing out.
            (Role::Server, Stage::Established { .. } | Stage::Ended { .. }) => Err(Ignored::LateConnect),
        }
    }

    fn handle_connack(&mut self, hello: &Hello, tagged: bool) -> Outcome {
        if self.role == Role::Server {
            return Err(Ignored::Role);
        }
        let Some(handshake) = self.stage.handshake() else {
            self.on_heard();
            return Err(Ignored::Stage);
        };
        // Before CONNECT has left it answers an earlier connection: a server may not know us yet, and INFO 0 would surprise it.
        if handshake.sent() == 0 {
            return Err(Ignored::Stage);
        }
        let asked = self.silence.since().filter(|_| handshake.sent() == 1);
        self.on_heard();
        match (tagged, hello.tag) {
            (true, Some(theirs)) => {
                // RFC 6298 §3: of a CONNECT that was repeated nobody knows which one is answered.
                if let Some(asked) = asked {
                    self.rtt.handshake_sample(self.now.saturating_since(asked));
                }
                self.dialect.agree_extended(theirs);
                self.on_hello(hello);
                if !self.written_fits() {
                    self.give_up(Reason::SegmentTooLarge);
                    return Ok(());
                }
            }
            (true, None) => return Err(Ignored::Options),
            // An extended answer may still be on its way.
            (false, _) if self.dialect.tag().is_some() => {
                if let Some(handshake) = self.stage.handshake_mut() {
                    handshake.fall_back_at(self.now + self.rtt.rto());
                }
                return Ok(());
            }
            (false, _) => {}
        }
        self.confirm();
        Ok(())
    }

    /// The server keeps nothing of us before we have shown that we receive what it sends here.
    fn handle_retry(&mut self, cookie: &[u8]) -> Outcome {
        if self.role == Role::Server {
            return Err(Ignored::Role);
        }
        if !self.stage.handshake_mut().is_some_and(|handshake| handshake.on_retry(cookie)) {
            return Err(Ignored::Stage);
        }
        self.on_heard();
        Ok(())
    }

    /// The answer has come: INFO 0 confirms, at once.
    pub(super) fn confirm(&mut self) {
        self.on_established();
        if self.storage.send.end() == Seq::ZERO {
            self.start_empty_info();
        }
    }

    /// Whether what stands in the send store already is not too large: for the peer, which says so only when it answers, and,
    /// where the store was [filled elsewhere](crate::store::SendSource), for the config.
    pub(super) fn written_fits(&self) -> bool {
        let limit = self.segment.into();
        if self.storage.send.segment() <= limit {
            return true;
        }
        let written = self.storage.send.end().value();
        (0..written).all(|number| self.storage.send.body(Seq::new(number)).len() <= limit)
    }

    /// A sign of life.
    pub(super) fn on_heard(&mut self) {
        self.silence.on_heard(self.now);
        if let Some(probe) = self.stage.probe_mut() {
            probe.on_heard();
        }
    }

    fn handle_sack(&mut self, sack: &Sack<'_>) -> Outcome {
        if !self.stage.is_established() {
            return Err(Ignored::Stage);
        }
        let acknowledged = self.storage.arq.handle_ack(self.now, &Ack::Selective(*sack), &mut self.rtt);
        if acknowledged == Acknowledged::NeverSent {
            return Err(Ignored::NeverSent);
        }
        self.on_heard();
        self.on_acknowledged();
        Ok(())
    }

    fn handle_reset(&mut self, code: u8) -> Outcome {
        let refused = self.role == Role::Client && !self.stage.is_established();
        self.give_up(if refused { Reason::Refused { code } } else { Reason::Reset { code } });
        Ok(())
    }

    fn handle_probe(&mut self, nonce: u64) -> Outcome {
        let Some(probe) = self.stage.probe_mut() else { return Err(Ignored::Stage) };
        probe.on_probe(nonce);
        self.on_heard();
        self.storage.arq.request_ack();
        Ok(())
    }

    fn handle_echo(&mut self, nonce: u64) -> Outcome {
        if !self.stage.probe().is_some_and(|probe| probe.on_echo(&self.nonces, nonce)) {
            return Err(Ignored::NeverSent);
        }
        self.on_heard();
        Ok(())
    }

    /// Something may have been acknowledged: there may be room to write.
    fn on_acknowledged(&mut self) {
        self.storage.send.release(self.storage.arq.base());
        if self.blocked && self.check_open().is_ok() && self.storage.send.has_free_slot() {
            self.blocked = false;
            self.events.insert(Events::WRITABLE);
        }
    }

    fn on_established(&mut self) {
        let closes = self.stage.handshake().is_some_and(Handshake::closes);
        self.stage = Stage::Established { close: Close::new(self.peer, closes), probe: Probe::default() };
        self.silence.on_answered();
        self.events.insert(Events::CONNECTED);
    }

    fn handle_info(&mut self, wire_number: Seq, body: &[u8], take: &mut Take<'_>) -> Outcome {
        let next = self.storage.arq.next();
        let number = self.peer.expand(wire_number, next).ok_or(Ignored::BeyondWindow)?;
        match (self.role, self.stage.is_established()) {
            (_, true) => {}
            (Role::Client, false) => return Err(Ignored::Stage),
            // Who knows our tag has got our CONNACK: what overtakes INFO 0, or follows a lost one, is kept.
            (Role::Server, false) if number != Seq::ZERO && !self.dialect.is_extended() => {
                return Err(Ignored::BeyondWindow);
            }
            (Role::Server, false) => {}
        }
        if self.is_incoming_closed() {
            return Err(Ignored::Stage);
        }
        self.on_heard();
        let fits = body.len() <= self.storage.recv.segment();
        let offer = Offer { limit: self.storage.recv.limit(), fits };
        let arrival = self.storage.arq.handle_info(self.now, number, offer);
        match arrival {
            Arrival::Early => self.storage.recv.put(number, body),
            Arrival::Next => {
                if !self.stage.is_established() {
                    self.on_established();
                }
                self.deliver(number, body, take);
            }
            Arrival::Old => self.stats.infos_duplicate = self.stats.infos_duplicate.saturating_add(1),
            Arrival::NoRoom if fits => return Err(Ignored::NoRoom),
            Arrival::NoRoom => return Err(Ignored::BodyTooLarge),
            Arrival::BeyondWindow => return Err(Ignored::BeyondWindow),
        }
        Ok(())
    }

    /// Gives the application what is in order: the body of INFO `number` out of the datagram while nothing older is unread,
    /// and whatever it does not take is kept.
    fn deliver(&mut self, number: Seq, body: &[u8], take: &mut Take<'_>) {
        let recv = &mut self.storage.recv;
        let taken = if recv.chunk().is_empty() && !body.is_empty() { take(body) } else { 0 };
        let next = self.storage.arq.next();
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
        // Said again while something older is unread: whoever reads less than everything must hear of what comes.
        if !recv.chunk().is_empty() {
            self.events.insert(Events::READABLE);
        }
    }

    fn handle_ack(&mut self, wire_number: Seq) -> Outcome {
        if !self.stage.is_established() {
            return Err(Ignored::Stage);
        }
        let base = self.storage.arq.base();
        let number = self.peer.expand(wire_number, base).ok_or(Ignored::NeverSent)?;
        match self.storage.arq.handle_ack(self.now, &Ack::Single(number), &mut self.rtt) {
            Acknowledged::New => self.on_heard(),
            Acknowledged::Old => {
                self.on_heard();
                return Err(Ignored::OldAck);
            }
            Acknowledged::NeverSent => return Err(Ignored::NeverSent),
        }
        self.on_acknowledged();
        Ok(())
    }

    fn handle_fin(&mut self) -> Outcome {
        // Before INFO 0 there is nothing to close: a late copy from an earlier connection.
        if !self.stage.is_established() {
            return Err(Ignored::Stage);
        }
        self.on_heard();
        self.with_close(Close::on_fin)
    }

    fn handle_finack(&mut self) -> Outcome {
        if !self.stage.is_established() {
            return Err(Ignored::Stage);
        }
        self.on_heard();
        self.with_close(Close::on_finack)
    }

    /// Hands a FIN or FINACK to the close, which says whether it means anything.
    fn with_close(&mut self, handle: impl FnOnce(&mut Close, Instant) -> bool) -> Outcome {
        let Stage::Established { close, .. } = &mut self.stage else { return Err(Ignored::Stage) };
        let first = !close.is_incoming_closed();
        if !handle(close, self.now) {
            return Err(Ignored::Stage);
        }
        if first && close.is_incoming_closed() {
            self.events.insert(Events::PEER_CLOSED);
        }
        Ok(())
    }

    /// Whether the peer has ended its direction.
    pub(super) fn is_incoming_closed(&self) -> bool {
        self.stage.close().is_some_and(Close::is_incoming_closed)
    }
}
