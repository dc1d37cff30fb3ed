//! The handling of datagrams.

use super::close::Close;
use super::handshake::Handshake;
use super::least_progress::Span;
use super::probe::{Probe, SIZE_PROBE};
use super::progress::Progress;
use super::state::{Remembered, State};
use super::{CloseReason, Connection, ConnectionTypes, Handled, HandshakeParameters, Ignored, Peer};
use crate::arq::{Ack, Acknowledged, Arq, ReceivedInfo};
use crate::counts::increase;
use crate::event::{Events, Role};
use crate::store::SendStore;
use crate::wire::{Datagram, DecodeError, MIN_CONNECT, Packet, PacketType, Sack, TaggedInfo, VERSION};
use crate::{Instant, SHORTCUTS, Seq};

/// The result of a packet: processed, or the reason why it is ignored.
pub(super) type Outcome = Result<(), Ignored>;

/// A function that receives the next bytes of the stream, and returns the number of bytes that it takes.
pub(super) type Take<'t> = dyn FnMut(&[u8]) -> usize + 't;

impl<T: ConnectionTypes> Connection<T> {
    /// Handles a datagram from the peer's address.
    ///
    /// No datagram is an error. A datagram that cannot be processed is [ignored](Handled::Ignored) and
    /// [counted](super::Stats::ignored) by reason. Afterwards call [`poll_transmit`](Self::poll_transmit),
    /// [`poll_event`](Self::poll_event) and [`poll_timeout`](Self::poll_timeout).
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> Handled {
        self.handle_datagram_into(now, datagram, |_| 0)
    }

    /// As [`handle_datagram`](Self::handle_datagram), but lends in-order data to `take` without a copy.
    ///
    /// `take` receives the next bytes of the stream and returns how many of them it takes. A larger value means all.
    /// The taken bytes count as read, and no [`Event::Readable`](super::Event::Readable) reports them. The receive
    /// store keeps the rest for [`recv`](Self::recv).
    ///
    /// To keep the stream in order, `take` is called only if no older data is unread. It is called at most once. Data
    /// behind a gap, and data that arrives while older data is unread, goes to the receive store. At a server `take`
    /// may be called before [`Event::Connected`](super::Event::Connected) is reported.
    ///
    /// ```
    /// # use rdt_proto::Instant;
    /// # use rdt_proto::connection::{Connection, HeapStorage};
    /// # use std::{fs::File, io::Write};
    /// # fn receive(connection: &mut Connection<HeapStorage>, now: Instant, datagram: &[u8], file: &mut File) {
    /// connection.handle_datagram_into(now, datagram, |bytes| file.write(bytes).unwrap_or(0));
    /// # }
    /// ```
    pub fn handle_datagram_into(&mut self, now: Instant, datagram: &[u8], take: impl FnMut(&[u8]) -> usize) -> Handled {
        self.advance(now);
        self.trace_received(datagram);
        let before = self.before();
        let handled = self.handle(datagram, take);
        self.trace_handled(handled);
        self.trace_changes(before);
        handled
    }

    #[inline]
    fn handle(&mut self, datagram: &[u8], mut take: impl FnMut(&[u8]) -> usize) -> Handled {
        self.count_received(datagram.len());
        let outcome = match SHORTCUTS.then(|| self.negotiation.decode_info(datagram)).flatten() {
            Some(TaggedInfo { counter, number, request, body }) if self.is_established() => {
                let info = ReceivedInfo { number, counter, request };
                // The fast path: an INFO changes nothing that `settle` updates, unless a probe is engaged.
                if !self.state.probe().is_some_and(Probe::is_engaged) {
                    let outcome = self.handle_info(info, body, &mut take);
                    return self.conclude(outcome);
                }
                self.handle_info(info, body, &mut take)
            }
            Some(_) | None => self.handle_packet(datagram, &mut take),
        };
        // An INFO without room is ignored, but shows that the peer is alive.
        self.settle();
        self.conclude(outcome)
    }

    #[inline]
    pub(super) fn count_received(&mut self, len: usize) {
        increase(&mut self.stats.datagrams_received, 1);
        increase(&mut self.stats.bytes_received, len as u64);
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

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn handle_packet(&mut self, datagram: &[u8], take: &mut Take<'_>) -> Outcome {
        let (framing, tagged) = self.negotiation.incoming(datagram);
        if !tagged && self.state.is_reset_by(datagram) {
            return self.handle_stateless_reset();
        }
        let Datagram { counter, packet } = framing.decode_datagram(datagram)?;
        let counter = counter.unwrap_or_default();
        let packet_type = packet.packet_type();
        if !self.negotiation.has(packet_type, tagged) {
            return Err(Ignored::Mode);
        }
        if self.state.ended().is_some() {
            return self.handle_after_end(packet_type);
        }
        let is_sent_by_peer = match self.role {
            Role::Client => packet_type.is_sent_by_server(),
            Role::Server => packet_type.is_sent_by_client(),
        };
        if !is_sent_by_peer {
            return Err(Ignored::Role);
        }
        match packet {
            Packet::Connect(options) => {
                self.handle_connect(&HandshakeParameters::from_options(&options).with_datagram_len(datagram.len()))
            }
            Packet::ConnAck(options) => self.handle_connack(&HandshakeParameters::from_options(&options), tagged),
            Packet::Info { number, body, request } => {
                self.handle_info(ReceivedInfo { number, counter, request }, body, take)
            }
            Packet::Ack { number } => self.handle_ack(number),
            Packet::Fin => self.handle_fin(),
            Packet::FinAck => self.handle_finack(),
            Packet::Sack(sack) => self.handle_sack(&sack),
            Packet::Reset { code } => self.handle_reset(code),
            Packet::Probe { nonce, for_window, .. } => self.handle_probe(nonce, counter, for_window),
            Packet::Echo { nonce, counter } => self.handle_echo(nonce, counter),
            Packet::Retry { cookie } => self.handle_retry(cookie),
        }
    }

    /// Handles a packet after the end. Until the connection is drained, FIN and FINACK still have an effect.
    ///
    /// A repeated FIN means that our FINACK was lost. A FIN or FINACK of a rostov peer can also cancel a FIN or FINACK
    /// of ours that is due.
    fn handle_after_end(&mut self, packet_type: PacketType) -> Outcome {
        let (listens, linger) = (!self.is_drained(), self.linger());
        let State::Ended { ended, close } = &mut self.state else { return Err(Ignored::State) };
        let counts = match packet_type {
            PacketType::Fin => listens && close.on_fin(self.now),
            PacketType::FinAck => listens && close.on_finack(self.now),
            PacketType::Connect
            | PacketType::ConnAck
            | PacketType::Info
            | PacketType::Ack
            | PacketType::Sack
            | PacketType::Retry
            | PacketType::Reset
            | PacketType::Probe
            | PacketType::Echo => false,
        };
        if !counts {
            return Err(Ignored::Closed);
        }
        ended.linger = close.linger_end(linger).filter(|&end| end > self.now);
        Ok(())
    }

    fn handle_connect(&mut self, parameters: &HandshakeParameters) -> Outcome {
        if !self.negotiation.is_peer(parameters.tag) {
            return Err(Ignored::State);
        }
        match &mut self.state {
            State::Opening(handshake) => {
                // RFC 9000 §8.1: the bytes of a short CONNECT allow one CONNACK, without its repeat.
                handshake.on_connect(parameters, usize::from(parameters.datagram_len) >= MIN_CONNECT);
                self.on_heard();
                Ok(())
            }
            // A late CONNECT does not restart the limits on silence. Otherwise a restarted peer would keep its old
            // connection alive.
            State::Established { .. } | State::Ended { .. } => Err(Ignored::LateConnect),
        }
    }

    fn handle_connack(&mut self, parameters: &HandshakeParameters, tagged: bool) -> Outcome {
        let Some(handshake) = self.state.handshake() else {
            self.on_heard();
            return Err(Ignored::State);
        };
        // A CONNACK that arrives before CONNECT is sent belongs to an earlier connection. The server cannot know this
        // connection yet.
        if handshake.sent() == 0 {
            return Err(Ignored::State);
        }
        let is_extended = tagged && parameters.tag.is_some() && parameters.is_our_version();
        if is_extended || !tagged && self.negotiation.tag().is_none() {
            self.sample_handshake(parameters.attempt);
        }
        self.on_heard();
        match (tagged, parameters.tag) {
            (true, _) if !parameters.is_our_version() => {
                self.give_up(CloseReason::Version { ours: VERSION, theirs: parameters.version });
                return Ok(());
            }
            (true, Some(theirs)) if theirs.starts_like(&self.negotiation.profile()) => {
                return Err(Ignored::Malformed(DecodeError::Options));
            }
            (true, Some(theirs)) => {
                self.on_connack(parameters.attempt);
                self.negotiation.agree_extended(theirs);
                self.on_parameters(parameters);
                if !self.cut_to_segment() {
                    self.give_up(CloseReason::SegmentTooLarge);
                    return Ok(());
                }
            }
            (true, None) => return Err(Ignored::Malformed(DecodeError::Options)),
            // An extended-mode answer may still be in flight: wait one RTO for it.
            (false, _) if self.negotiation.tag().is_some() => {
                if let Some(handshake) = self.state.handshake_mut() {
                    handshake.fall_back_at(self.now + self.rtt.rto());
                }
                return Ok(());
            }
            (false, _) => {}
        }
        self.confirm();
        if let (State::Established { remembered, .. }, Some(token)) = (&mut self.state, parameters.reset_token) {
            *remembered = Remembered::ResetToken(token);
        }
        Ok(())
    }

    /// Handles a stateless reset: the server does not know this connection.
    ///
    /// If only the last FIN is unanswered, the server has ended the connection as this side has.
    fn handle_stateless_reset(&mut self) -> Outcome {
        let is_finished = self.is_only_fin_unanswered();
        self.give_up(if is_finished { CloseReason::Finished } else { CloseReason::StatelessReset });
        Ok(())
    }

    /// Takes the round-trip time of the handshake: an answer to our CONNECT or CONNACK has arrived. `attempt` is the
    /// number of the CONNECT that a CONNACK answers.
    ///
    /// RFC 6298 §3: the answer to a packet that was repeated gives no sample. In base mode that of a rostov peer, whose
    /// pace it shows, gives none either.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn sample_handshake(&mut self, attempt: u8) {
        let Some(handshake) = self.state.handshake() else { return };
        let is_clear = match (self.negotiation.tag(), self.role) {
            (None, _) => handshake.is_sent_once() && self.peer == Peer::RdtProto,
            (Some(_), Role::Client) => handshake.is_first(attempt),
            // A CONNACK that only the timer has repeated counts from its first transmission.
            (Some(_), Role::Server) => handshake.is_first_answer(),
        };
        if let Some(asked) = self.idle.waiting_since().filter(|_| is_clear) {
            self.rtt.handshake_sample(self.now.saturating_since(asked));
        }
    }

    /// Handles RETRY: CONNECT is due again, with the cookie that validates this address.
    fn handle_retry(&mut self, cookie: &[u8]) -> Outcome {
        if !self.state.handshake_mut().is_some_and(|handshake| handshake.on_retry(cookie)) {
            return Err(Ignored::State);
        }
        self.on_heard();
        Ok(())
    }

    /// Handles the answer to CONNECT. If there is no data, an empty INFO 0 confirms the connection.
    pub(super) fn confirm(&mut self) {
        self.on_established();
        if self.send.end() == Seq::ZERO {
            self.start_empty_info();
        }
    }

    /// Records a valid packet of the peer: the limits on silence restart.
    pub(super) fn on_heard(&mut self) {
        if let State::Established { probe, progress, .. } = &mut self.state {
            probe.on_heard();
            progress.on_heard();
        }
        self.idle.on_heard(self.now);
    }

    fn handle_sack(&mut self, sack: &Sack<'_>) -> Outcome {
        if !self.state.is_established() {
            return Err(Ignored::State);
        }
        let acknowledged = if u64::from(sack.counter) < self.counter {
            let sack = self.on_received_by_peer(sack);
            self.arq.handle_ack(self.now, &Ack::Selective(sack), &mut self.rtt)
        } else {
            Acknowledged::NeverSent
        };
        match acknowledged {
            Acknowledged::New => {
                if let State::Established { progress, path, .. } = &mut self.state {
                    progress.on_acknowledged();
                    if T::Send::CUTS {
                        path.on_acknowledged(sack.counter);
                    }
                }
                if T::Send::DROPS_EARLY {
                    sack.numbers().for_each(|number| self.send.drop_body(number));
                }
            }
            Acknowledged::Old => {}
            Acknowledged::NeverSent => {
                self.reset(CloseReason::AcknowledgedUnsent, 0);
                return Ok(());
            }
        }
        self.on_heard();
        self.on_acknowledged();
        Ok(())
    }

    fn handle_reset(&mut self, code: u8) -> Outcome {
        let refused = self.role == Role::Client && !self.state.is_established();
        self.give_up(if refused { CloseReason::Refused { code } } else { CloseReason::Reset { code } });
        Ok(())
    }

    /// Handles PROBE: its one answer is due.
    fn handle_probe(&mut self, nonce: u64, counter: u32, for_window: bool) -> Outcome {
        let Some(probe) = self.state.probe_mut() else { return Err(Ignored::State) };
        if for_window {
            self.arq.request_ack();
        } else {
            probe.on_probe(nonce, counter);
        }
        self.on_heard();
        Ok(())
    }

    fn handle_echo(&mut self, nonce: u64, counter: u32) -> Outcome {
        let answers = |nonce| self.state.probe().is_some_and(|probe| probe.on_echo(&self.nonces, nonce));
        let tests_size = T::Send::CUTS && answers(nonce ^ SIZE_PROBE);
        if !(answers(nonce) || tests_size) {
            return Err(Ignored::NeverSent);
        }
        self.on_heard();
        if tests_size && self.state.path_mut().is_some_and(|path| path.on_echo(counter)) {
            self.fit_to_path();
        }
        Ok(())
    }

    /// Releases acknowledged bodies, which may make room to write.
    fn on_acknowledged(&mut self) {
        self.send.release(self.arq.base());
        self.retry_fit();
        self.report_room();
    }

    pub(super) fn on_established(&mut self) {
        let closes = self.state.handshake().is_some_and(Handshake::closes);
        let path = self.path_of_handshake();
        let (close, probe, progress) = (Close::new(self.peer, closes), Probe::default(), Progress::default());
        let span = Span::new(self.now, self.arq.delivered(), &self.limits.progress);
        self.state = State::Established { close, probe, progress, span, path, remembered: Remembered::Nothing };
        self.fit_to_path();
        self.idle.on_answered();
        self.events.insert(Events::CONNECTED);
    }

    fn handle_ack(&mut self, wire_number: Seq) -> Outcome {
        if !self.state.is_established() {
            return Err(Ignored::State);
        }
        let base = self.arq.base();
        let number = self.peer.expand(wire_number, base).ok_or(Ignored::NeverSent)?;
        match self.arq.handle_ack(self.now, &Ack::Single(number), &mut self.rtt) {
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
}
