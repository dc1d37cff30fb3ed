//! The output of a connection. It is derived from state at each call, so that nothing is queued twice or goes stale.

use super::close::Close;
use super::handshake::Handshake;
use super::negotiation::OPTIONS_BYTES;
use super::state::State;
use super::{Connection, ConnectionTypes};
use crate::arq::{Ack, Arq, Sending};
use crate::counts::increase;
use crate::event::{Role, Transmit};
use crate::store::{RecvStore, SendStore};
use crate::wire::{Framing, MIN_CONNECT, Options, Packet};
use crate::{BufferTooSmall, Duration, Instant, Seq};

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
    Echo(u64),
    Reset(u8),
}

impl<T: ConnectionTypes> Connection<T> {
    /// Writes the next datagram for the peer into `buf`, or returns `None` if nothing is due.
    ///
    /// The datagram counts as sent at `now`. Call this until it returns `None` after every other call:
    /// `handle_datagram`, `handle_timeout`, and calls that write, read or close. A datagram that the socket cannot take
    /// may be dropped, as any datagram may be lost.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if the datagram does not fit into `buf`. The datagram stays due: call again with a larger
    /// buffer. [`Config::max_datagram_len`](super::Config::max_datagram_len) bytes always suffice.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.advance(now);
        self.request_body();
        let Some(output) = self.next_output() else { return Ok(None) };
        let len = self.write(output, buf)?;
        self.trace_sent(buf.get(..len).unwrap_or_default(), len);
        Ok(Some(Transmit { len, segment_size: len }))
    }

    /// As [`poll_transmit`](Self::poll_transmit), but writes several INFO packets into `buf`, one after the other.
    ///
    /// All have [`Transmit::segment_size`] bytes; only the last may be shorter. A kernel takes such a batch in one call
    /// and splits it (Linux `UDP_SEGMENT`: at most 64 datagrams and 65,507 bytes). The batch ends at `max_datagrams` (0
    /// counts as 1), at the end of `buf`, or before an INFO that is longer. A packet without a body is a batch by
    /// itself.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if the first datagram does not fit into `buf`. It stays due.
    /// [`Config::max_datagram_len`](super::Config::max_datagram_len) bytes always hold one datagram.
    pub fn poll_transmit_batch(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        self.advance(now);
        self.request_body();
        let Some(output) = self.next_output() else { return Ok(None) };
        let segment_size = self.write(output, buf)?;
        let mut len = segment_size;
        // Sending an INFO makes no packet due that precedes INFO.
        if matches!(output, Output::Info(_)) {
            let mut left = max_datagrams.saturating_sub(1);
            while left > 0 {
                let written = self.write_more(left, segment_size, buf.get_mut(len..).unwrap_or_default());
                len += written;
                left = left.saturating_sub(written / segment_size);
                if written == 0 || !written.is_multiple_of(segment_size) {
                    break;
                }
            }
        }
        self.trace_sent(buf.get(..len).unwrap_or_default(), segment_size);
        Ok(Some(Transmit { len, segment_size }))
    }

    /// Writes up to `most` further INFO of `size` bytes each, or one that is shorter. Returns the bytes written.
    fn write_more(&mut self, most: usize, size: usize, buf: &mut [u8]) -> usize {
        let (now, end) = (self.now, self.send.end());
        let Some(number) = self.next_info() else { return 0 };
        let bytes = u16::try_from(size).unwrap_or(u16::MAX);
        // A run never includes the newest body, which may still grow.
        let run = self.arq.next_run(now, end, bytes, u32::try_from(most).unwrap_or(u32::MAX));
        let framing = self.negotiation.outgoing();
        let mut count = 0;
        for (number, room) in (0..run).map(|ahead| number.add(ahead)).zip(buf.chunks_exact_mut(size)) {
            let body = self.send.body(number);
            if framing.info_header_len() + body.len() != size
                || framing.encode_info(self.peer.to_wire(number), body, room).is_err()
            {
                break;
            }
            count += 1;
        }
        if count == 0 {
            let room_len = size.min(buf.len());
            return self.write_info(number, buf.get_mut(..room_len).unwrap_or_default()).unwrap_or(0);
        }
        self.arq.on_run_sent(Sending { now, number, bytes, end }, count, &mut self.rtt);
        increase(&mut self.stats.infos_sent, count.into());
        self.idle.on_asked(now);
        let len = size * count as usize;
        increase(&mut self.stats.datagrams_sent, count.into());
        increase(&mut self.stats.bytes_sent, len as u64);
        len
    }

    /// The datagram that is due. Acknowledgements come first, since the peer waits for them. FIN comes last.
    pub(super) fn next_output(&self) -> Option<Output> {
        let finack = |close: &Close| close.is_finack_due().then_some(Control::FinAck);
        let fin = |close: &Close| close.is_fin_due().then_some(Output::Control(Control::Fin));
        match &self.state {
            State::Opening(handshake) => {
                let handshake = handshake.is_due().then_some(match self.role {
                    Role::Client => Control::Connect,
                    Role::Server => Control::ConnAck,
                });
                // A server may hold packets that follow INFO 0. Their acknowledgement makes the client repeat INFO 0.
                handshake.or_else(|| self.next_acknowledgement()).map(Output::Control)
            }
            State::Established { close, probe } => self
                .next_acknowledgement()
                .or_else(|| probe.echo().map(Control::Echo))
                .or_else(|| finack(close))
                .or_else(|| probe.is_due().then_some(Control::Probe))
                .map(Output::Control)
                .or_else(|| self.next_info().map(Output::Info))
                .or_else(|| fin(close)),
            // A FIN after the end comes from `abort`.
            State::Ended { ended, close } => {
                let reset = ended.reset.map(Control::Reset);
                reset.or_else(|| finack(close)).map(Output::Control).or_else(|| fin(close))
            }
        }
    }

    /// The INFO to send now, of those whose body is in memory.
    #[inline]
    fn next_info(&self) -> Option<Seq> {
        self.arq.next_ready_info(self.now, self.send.end(), |number| self.send.is_ready(number))
    }

    /// Asks the store to fetch the body that is to be repeated first, now or once the window and pacing allow it.
    #[inline]
    fn request_body(&mut self) {
        if !T::Send::FETCHES || !self.state.is_established() {
            return;
        }
        let due = || self.arq.next_info(self.now, self.send.end());
        if let Some(number) = self.arq.next_lost().or_else(due).filter(|&number| !self.send.is_ready(number)) {
            self.send.request(number);
        }
    }

    #[inline]
    fn next_acknowledgement(&self) -> Option<Control> {
        self.ack_at().filter(|&at| at <= self.now).map(|_| Control::Ack)
    }

    /// When the next acknowledgement is due. In extended mode there is none once the peer has
    /// closed: it has heard of all that it sent.
    #[inline]
    pub(super) fn ack_at(&self) -> Option<Instant> {
        let is_over = self.negotiation.is_extended() && self.is_incoming_closed();
        if is_over { None } else { self.arq.ack_at(self.recv.limit()) }
    }

    /// Writes `output` into `buf` and records it as sent.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn write(&mut self, output: Output, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        match output {
            Output::Info(number) => self.write_info(number, buf),
            Output::Control(control) => {
                let len = self.encode(control, buf)?;
                self.on_control_sent(control);
                self.count_sent(len);
                Ok(len)
            }
        }
    }

    /// Writes INFO `number`. This is the hot path.
    fn write_info(&mut self, number: Seq, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let body = self.send.body(number);
        let len = self.negotiation.outgoing().encode_info(self.peer.to_wire(number), body, buf)?;
        let (now, end) = (self.now, self.send.end());
        let bytes = u16::try_from(len).unwrap_or(u16::MAX);
        let repeated = self.arq.on_info_sent(Sending { now, number, bytes, end }, &mut self.rtt);
        // A retransmission has the same body: sending seals it.
        if !repeated && number.next() == end {
            self.send.seal();
            self.take_back(number);
        }
        increase(&mut self.stats.infos_sent, 1);
        self.stats.infos_repeated = self.stats.infos_repeated.saturating_add(repeated.into());
        self.idle.on_asked(now);
        self.count_sent(len);
        Ok(len)
    }

    fn count_sent(&mut self, len: usize) {
        increase(&mut self.stats.datagrams_sent, 1);
        increase(&mut self.stats.bytes_sent, len as u64);
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn encode(&self, control: Control, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let framing = &self.negotiation.outgoing();
        let packet = match control {
            Control::Connect => return self.encode_handshake(MIN_CONNECT, true, framing, buf),
            Control::ConnAck => return self.encode_handshake(0, false, framing, buf),
            Control::Ack => return self.encode_ack(framing, buf),
            Control::Probe => {
                let nonce = self.state.probe().map_or(0, |probe| probe.nonce(&self.nonces));
                Packet::Probe { nonce, padding: &[] }
            }
            Control::Echo(nonce) => Packet::Echo { nonce },
            Control::Reset(code) => Packet::Reset { code },
            Control::FinAck => Packet::FinAck,
            Control::Fin => Packet::Fin,
        };
        packet.write(framing, buf)
    }

    /// Encodes CONNECT or CONNACK. A function of its own: other packets need no zeroed memory for options.
    fn encode_handshake(
        &self,
        least: usize,
        connects: bool,
        framing: &Framing,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let mut options = [0; OPTIONS_BYTES];
        let options = self.options(least, framing, &mut options);
        let packet = if connects { Packet::Connect(options) } else { Packet::ConnAck(options) };
        packet.write(framing, buf)
    }

    /// The same for a SACK and its bitmap.
    fn encode_ack(&self, framing: &Framing, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut bitmap = None;
        match self.arq.ack(self.now, self.recv.limit(), &mut bitmap) {
            Some(Ack::Single(number)) => Packet::Ack { number: self.peer.to_wire(number) }.write(framing, buf),
            Some(Ack::Selective(sack)) => Packet::Sack(sack).write(framing, buf),
            // Only asked for while one is due.
            None => Ok(0),
        }
    }

    /// The parameters of this side as options, in a packet of at least `least` bytes.
    fn options<'b>(&self, least: usize, framing: &Framing, buf: &'b mut [u8; OPTIONS_BYTES]) -> Options<'b> {
        let cookie = self.state.handshake().and_then(Handshake::cookie);
        let pad_to = least.saturating_sub(framing.header_len());
        self.parameters().to_options(cookie, pad_to, buf)
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn on_control_sent(&mut self, control: Control) {
        let now = self.now;
        match (control, &mut self.state) {
            (Control::ConnAck, State::Opening(handshake)) if self.negotiation.is_extended() => handshake.on_sent_once(),
            (Control::Connect | Control::ConnAck, State::Opening(handshake)) => handshake.on_sent(now, &mut self.rtt),
            (Control::Ack, _) => self.arq.on_ack_sent(self.recv.limit()),
            (Control::Echo(_), State::Established { probe, .. }) => probe.on_echo_sent(),
            (Control::Probe, State::Established { probe, .. }) => {
                probe.on_sent(self.rtt.deadline(now, probe.sent(), Duration::MAX));
            }
            (Control::FinAck, State::Established { close, .. } | State::Ended { close, .. }) => close.on_finack_sent(),
            (Control::Fin, State::Established { close, .. } | State::Ended { close, .. }) => {
                close.on_fin_sent(now, &mut self.rtt);
            }
            (Control::Reset(_), State::Ended { ended, .. }) => ended.reset = None,
            // These packets are due in no other state.
            (
                Control::Connect
                | Control::ConnAck
                | Control::Echo(_)
                | Control::Probe
                | Control::FinAck
                | Control::Fin
                | Control::Reset(_),
                State::Opening(_) | State::Established { .. } | State::Ended { .. },
            ) => {}
        }
        if matches!(control, Control::Connect | Control::ConnAck | Control::Probe | Control::Fin) {
            self.idle.on_asked(now);
        }
        if let State::Ended { ended, .. } = &mut self.state {
            // The quarantine of the address begins when the last packet leaves, which may be after the end.
            ended.at = now;
        }
    }
}
