//! The output of a connection. Each call derives it from the state, so no packet is queued twice or becomes stale.

use super::path_size::PathSize;
use super::probe::{Probe, SIZE_PROBE};
use super::state::{Farewell, State};
use super::{Connection, ConnectionTypes};
use crate::arq::{Ack, Arq, Sending};
use crate::counts::increase;
use crate::event::{Role, Transmit};
use crate::store::{RecvStore, SendStore};
use crate::wire::{Framing, InfoHeader, Options, Packet, PacketType, Writer};
use crate::{BufferTooSmall, Instant, Seq};

/// A datagram that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Info(Seq),
    Control(Control),
}

/// A packet without a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Connect,
    ConnAck,
    Ack,
    FinAck,
    Fin,
    Probe,
    /// PROBE with padding, which tests a datagram size.
    SizeProbe,
    Echo,
    /// The last packet: RESET.
    Reset,
    /// The last packet: CONNACK that carries only our version.
    Version,
}

impl Control {
    /// Whether the packet carries a counter in extended mode.
    const fn is_counted(self) -> bool {
        match self {
            Self::Connect | Self::ConnAck | Self::Version => false,
            Self::Ack | Self::FinAck | Self::Fin | Self::Probe | Self::SizeProbe | Self::Echo | Self::Reset => true,
        }
    }
}

impl<T: ConnectionTypes> Connection<T> {
    /// Writes the next datagram for the peer into `buf`, or returns `None` if nothing is due.
    ///
    /// The datagram counts as sent at `now`. After `handle_datagram`, `handle_timeout`, and each call that writes,
    /// reads or closes, call this until it returns `None`. A datagram that the socket does not accept may be dropped:
    /// it counts as lost.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if the datagram does not fit into `buf`. The datagram stays due: call again with a larger
    /// buffer. [`Config::max_datagram_len`](super::Config::max_datagram_len) bytes always suffice.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.advance(now);
        self.request_body();
        let Some(output) = self.next_output() else { return Ok(None) };
        let before = self.before();
        let len = self.write(output, buf)?;
        self.trace_changes(before);
        self.trace_sent(buf.get(..len).unwrap_or_default(), len);
        Ok(Some(Transmit { len, segment_size: len }))
    }

    /// The next datagram that is due. Acknowledgements come first, since the peer waits for them. FIN comes last.
    pub(super) fn next_output(&self) -> Option<Output> {
        let control = match &self.state {
            State::Opening(handshake) => match self.role {
                Role::Client if handshake.is_due() => Control::Connect,
                Role::Server if handshake.is_due() => Control::ConnAck,
                // A server may have received packets that follow INFO 0. Their acknowledgement makes the client repeat
                // INFO 0.
                Role::Client | Role::Server if self.is_ack_due() => Control::Ack,
                Role::Client | Role::Server => return None,
            },
            State::Established { close, probe, .. } => {
                // A delayed acknowledgement leaves with FIN: the peer may need it before its own FIN.
                if self.is_ack_due() || close.is_fin_due() && self.ack_at().is_some() {
                    Control::Ack
                } else if probe.is_echo_due() {
                    Control::Echo
                } else if close.is_finack_due() {
                    Control::FinAck
                } else if probe.is_due() {
                    Control::Probe
                } else if self.is_size_probe_due() {
                    Control::SizeProbe
                } else if let Some(number) = self.next_info() {
                    return Some(Output::Info(number));
                } else if close.is_fin_due() {
                    Control::Fin
                } else {
                    return None;
                }
            }
            State::Ended { ended, close } => {
                if let Some(farewell) = ended.farewell {
                    match farewell {
                        Farewell::Reset(_) => Control::Reset,
                        Farewell::Version => Control::Version,
                        Farewell::FinAck => Control::FinAck,
                    }
                } else if close.is_finack_due() {
                    Control::FinAck
                } else if close.is_fin_due() {
                    // After the end, FIN is due only if `abort` was called.
                    Control::Fin
                } else {
                    return None;
                }
            }
        };
        Some(Output::Control(control))
    }

    /// The INFO to send now, among those whose body is in memory.
    #[inline]
    pub(super) fn next_info(&self) -> Option<Seq> {
        self.arq.next_ready_info(self.now, self.sendable_end(), self.readiness())
    }

    /// Whether the body of a number is in memory.
    ///
    /// All callers share this closure, so that the code that takes it exists once.
    #[inline]
    pub(super) fn readiness(&self) -> impl Fn(Seq) -> bool {
        |number| self.send.is_ready(number)
    }

    /// Asks the store to fetch the body of the next retransmission, even if the window or pacing does not allow it yet.
    #[inline]
    pub(super) fn request_body(&mut self) {
        if !T::Send::FETCHES || !self.state.is_established() {
            return;
        }
        let due = || self.arq.next_info(self.now, self.sendable_end());
        if let Some(number) = self.arq.next_lost().or_else(due).filter(|&number| !self.send.is_ready(number)) {
            self.send.request(number);
        }
    }

    #[inline]
    fn is_ack_due(&self) -> bool {
        self.ack_at().is_some_and(|at| at <= self.now)
    }

    /// When the next acknowledgement is due.
    ///
    /// In extended mode none is due after the peer's FIN: the peer sends FIN only when all its data is acknowledged.
    #[inline]
    pub(super) fn ack_at(&self) -> Option<Instant> {
        let is_over = self.negotiation.is_extended() && self.is_incoming_closed();
        if is_over { None } else { self.arq.ack_at(self.recv.limit()) }
    }

    /// Writes `output` into `buf` and records it as sent.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn write(&mut self, output: Output, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        match output {
            Output::Info(number) => self.write_info(number, buf),
            Output::Control(control) => {
                let len = self.encode(control, buf)?;
                if control == Control::ConnAck {
                    self.on_connack_sent(len);
                }
                self.on_control_sent(control);
                self.count_sent(len, control.is_counted());
                Ok(len)
            }
        }
    }

    /// Writes INFO `number`. This is the hot path.
    pub(super) fn write_info(&mut self, number: Seq, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        self.send_info(number, |framing, info, body| framing.encode_info(info, body, buf))
    }

    /// Sends INFO `number`, as `encode` writes it. Returns what `encode` returns.
    #[inline(always)]
    pub(super) fn send_info(
        &mut self,
        number: Seq,
        encode: impl FnOnce(&Framing, InfoHeader, &[u8]) -> Result<usize, BufferTooSmall>,
    ) -> Result<usize, BufferTooSmall> {
        let body = self.send.body(number);
        let (now, end, counter) = (self.now, self.send.end(), self.next_counter());
        let framing = self.negotiation.outgoing();
        let len = framing.info_header_len().saturating_add(body.len());
        let bytes = u16::try_from(len).unwrap_or(u16::MAX);
        let sending = Sending { now, number, counter, bytes, end: self.sendable_end() };
        let info = InfoHeader { counter, number: self.peer.to_wire(number), request: self.arq.request(&sending, 1) };
        let written = encode(&framing, info, body)?;
        let repeated = self.arq.on_info_sent(sending, &mut self.rtt);
        // Sending a body seals it, since a retransmission must have the same body.
        if !repeated && number.next() == end {
            self.send.seal();
            self.take_back(number);
        }
        increase(&mut self.stats.infos_sent, 1);
        self.stats.infos_repeated = self.stats.infos_repeated.saturating_add(repeated.into());
        self.idle.on_asked(now);
        self.count_sent(len, true);
        Ok(written)
    }

    fn count_sent(&mut self, len: usize, is_counted: bool) {
        self.count_datagrams(is_counted.into());
        increase(&mut self.stats.datagrams_sent, 1);
        increase(&mut self.stats.bytes_sent, len as u64);
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn encode(&self, control: Control, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let framing = &self.negotiation.outgoing();
        let packet = match control {
            Control::Connect => return self.encode_handshake(PacketType::Connect, framing, buf),
            Control::ConnAck => return self.encode_handshake(PacketType::ConnAck, framing, buf),
            Control::Ack => return self.encode_ack(framing, buf),
            Control::SizeProbe if T::Send::CUTS => {
                let len = self.state.path().and_then(PathSize::probe_due).unwrap_or_default();
                let mut out = Writer::new(buf);
                framing.put_probe(self.probe_nonce() ^ SIZE_PROBE, len.into(), self.next_counter(), &mut out);
                return out.finish();
            }
            Control::Probe | Control::SizeProbe => {
                let for_window = self.state.probe().is_some_and(Probe::is_persisting);
                Packet::Probe { nonce: self.probe_nonce(), for_window, padding: &[] }
            }
            Control::Echo => {
                let (nonce, counter) = self.state.probe().map_or((0, 0), Probe::echo);
                Packet::Echo { nonce, counter }
            }
            Control::Reset => match self.state.ended().and_then(|ended| ended.farewell) {
                Some(Farewell::Reset(code)) => Packet::Reset { code },
                Some(Farewell::Version | Farewell::FinAck) | None => Packet::Reset { code: 0 },
            },
            Control::Version => Packet::ConnAck(Options::OUR_VERSION),
            Control::FinAck => Packet::FinAck,
            Control::Fin => Packet::Fin,
        };
        packet.write(framing, self.next_counter(), buf)
    }

    fn probe_nonce(&self) -> u64 {
        self.state.probe().map_or(0, |probe| probe.nonce(&self.nonces))
    }

    /// Encodes CONNECT or CONNACK with options, padded in extended mode.
    fn encode_handshake(
        &self,
        packet_type: PacketType,
        framing: &Framing,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let cookie = self.state.handshake().and_then(|handshake| handshake.cookie(self.role));
        let parameters = self.parameters();
        let mut out = Writer::new(buf);
        framing.put_type(packet_type, false, &mut out);
        parameters.write_options(cookie, &mut out);
        if parameters.tag.is_some() {
            if T::Send::CUTS {
                out.option_padding(self.handshake_len());
            } else {
                // The length shows nothing about the path.
                out.pad_to(self.handshake_len());
            }
        }
        out.finish()
    }

    /// Encodes ACK or SACK. Only this function needs memory for a bitmap.
    fn encode_ack(&self, framing: &Framing, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let (mut bitmap, counter) = (None, self.next_counter());
        match self.arq.ack(self.now, self.recv.limit(), &mut bitmap) {
            Some(Ack::Single(number)) => Packet::Ack { number: self.peer.to_wire(number) }.write(framing, counter, buf),
            Some(Ack::Selective(sack)) => Packet::Sack(sack).write(framing, counter, buf),
            // This function is called only while an acknowledgement is due.
            None => Ok(0),
        }
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn on_control_sent(&mut self, control: Control) {
        let now = self.now;
        match control {
            Control::Connect | Control::ConnAck => {
                // A server of extended mode repeats CONNACK once. A client has not agreed on a mode yet.
                if let Some(handshake) = self.state.handshake_mut() {
                    let least = self.peer.handshake_interval(self.role);
                    handshake.on_sent(now, least, self.negotiation.is_extended(), &mut self.rtt);
                }
            }
            Control::Ack => self.arq.on_ack_sent(self.recv.limit()),
            Control::Echo => {
                if let Some(probe) = self.state.probe_mut() {
                    probe.on_echo_sent();
                }
            }
            Control::Probe => {
                if let Some(probe) = self.state.probe_mut() {
                    probe.on_sent(now, &mut self.rtt);
                }
            }
            Control::SizeProbe => {
                let counter = self.next_counter();
                if let State::Established { probe, path, .. } = &mut self.state
                    && T::Send::CUTS
                {
                    probe.on_size_probe_sent();
                    path.on_probe_sent(counter);
                }
            }
            Control::FinAck => {
                if let State::Ended { ended, close } = &mut self.state
                    && !close.is_finack_due()
                {
                    ended.on_farewell_sent();
                } else if let Some(close) = self.state.close_mut() {
                    close.on_finack_sent();
                }
            }
            Control::Fin => {
                let losses = self.losses();
                if let Some(close) = self.state.close_mut() {
                    close.on_fin_sent(now, &mut self.rtt, losses);
                }
                if let Some(span) = self.state.span_mut() {
                    span.on_fin_sent(now, &self.limits.progress);
                }
            }
            Control::Reset | Control::Version => {
                if let State::Ended { ended, .. } = &mut self.state {
                    ended.on_farewell_sent();
                }
            }
        }
        if matches!(control, Control::Connect | Control::ConnAck | Control::Probe | Control::Fin) {
            self.idle.on_asked(now);
        }
        if let State::Ended { ended, .. } = &mut self.state {
            // The quarantine of the address begins with the last packet, which may be sent after the end.
            ended.at = now;
        }
    }
}
