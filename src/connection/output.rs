//! What is to be sent: derived from state each time, so that nothing is queued twice or goes stale.

use super::close::Close;
use super::dialect::OPTIONS_BYTES;
use super::handshake::{Handshake, Role};
use super::stage::Stage;
use super::{Connection, Transmit};
use crate::arq::{Ack, Arq, Sending};
use crate::store::{RecvStore, SendStore};
use crate::wire::{Framing, MIN_CONNECT, Options, Packet};
use crate::{BufferTooSmall, Duration, Instant, Seq};

/// The datagram that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Info(Seq),
    Control(Control),
}

/// One without a body.
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

impl<S: SendStore, R: RecvStore, A: Arq> Connection<S, R, A> {
    /// Writes the next datagram to the peer into `buf`, or returns `None` if nothing is to be sent now. What it wrote counts
    /// as sent at `now`.
    ///
    /// Call it until it returns `None` after each call that may have changed something: after a datagram, a timeout, after
    /// sending, reading or closing.
    ///
    /// # Errors
    ///
    /// If the datagram does not fit into `buf`: nothing has changed, call again with a larger one. One of
    /// [`Config::max_datagram_len`](super::Config::max_datagram_len) bytes is always large enough.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.advance(now);
        let Some(output) = self.next_output() else { return Ok(None) };
        let len = self.write(output, buf)?;
        Ok(Some(Transmit { len, segment_size: len }))
    }

    /// As [`poll_transmit`](Self::poll_transmit), but fills `buf` with INFO packets one after the other, as many as are due
    /// and fit, `max_datagrams` at most (0 counts as 1). A packet without a body goes by itself, and a longer INFO begins a batch
    /// of its own. All have [`Transmit::segment_size`] bytes, only the last may have fewer: what a kernel takes in one call and
    /// cuts apart (`UDP_SEGMENT`: 64 datagrams and 65,507 bytes at most).
    ///
    /// # Errors
    ///
    /// If not even the first fits into `buf`: nothing has changed. [`Config::max_datagram_len`](super::Config::max_datagram_len)
    /// bytes always hold one.
    pub fn poll_transmit_batch(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        self.advance(now);
        let Some(output) = self.next_output() else { return Ok(None) };
        let segment_size = self.write(output, buf)?;
        let mut len = segment_size;
        // Nothing that goes before INFO becomes due by sending one.
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
        Ok(Some(Transmit { len, segment_size }))
    }

    /// Writes up to `most` further INFO of `size` bytes each, or one that is shorter. Returns how many bytes.
    fn write_more(&mut self, most: usize, size: usize, buf: &mut [u8]) -> usize {
        let (now, end) = (self.now, self.storage.send.end());
        let Some(number) = self.storage.arq.next_info(now, end) else { return 0 };
        let bytes = u16::try_from(size).unwrap_or(u16::MAX);
        // The newest body, which may still grow, is never part of it.
        let run = self.storage.arq.next_run(now, end, bytes, u32::try_from(most).unwrap_or(u32::MAX));
        let framing = self.dialect.outgoing();
        let mut count = 0;
        for (number, room) in (0..run).map(|ahead| number.add(ahead)).zip(buf.chunks_exact_mut(size)) {
            let body = self.storage.send.body(number);
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
        self.storage.arq.on_run_sent(Sending { now, number, bytes, end }, count, &mut self.rtt);
        self.stats.infos_sent = self.stats.infos_sent.saturating_add(count.into());
        self.silence.on_asked(now);
        let len = size * count as usize;
        self.stats.datagrams_sent = self.stats.datagrams_sent.saturating_add(count.into());
        self.stats.bytes_sent = self.stats.bytes_sent.saturating_add(len as u64);
        len
    }

    /// Acknowledgements first, since they are small and the peer waits for them; FIN last, since it ends everything.
    pub(super) fn next_output(&self) -> Option<Output> {
        let finack = |close: &Close| close.is_finack_due().then_some(Control::FinAck);
        let fin = |close: &Close| close.is_fin_due().then_some(Output::Control(Control::Fin));
        match &self.stage {
            Stage::Opening(handshake) => {
                let handshake = handshake.is_due().then_some(match self.role {
                    Role::Client => Control::Connect,
                    Role::Server => Control::ConnAck,
                });
                // A server may have got what follows INFO 0: told of it, the client repeats what is missing.
                handshake.or_else(|| self.next_acknowledgement()).map(Output::Control)
            }
            Stage::Established { close, probe } => self
                .next_acknowledgement()
                .or_else(|| probe.echo().map(Control::Echo))
                .or_else(|| finack(close))
                .or_else(|| probe.is_due().then_some(Control::Probe))
                .map(Output::Control)
                .or_else(|| self.storage.arq.next_info(self.now, self.storage.send.end()).map(Output::Info))
                .or_else(|| fin(close)),
            // A FIN after the end is that of `abort`.
            Stage::Ended { ended, close } => {
                let reset = ended.reset.map(Control::Reset);
                reset.or_else(|| finack(close)).map(Output::Control).or_else(|| fin(close))
            }
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
        let is_over = self.dialect.is_extended() && self.is_incoming_closed();
        if is_over { None } else { self.storage.arq.ack_at(self.storage.recv.limit()) }
    }

    /// Writes what is due into `buf`, which counts as sent.
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

    /// Writes INFO `number`: the hot path.
    fn write_info(&mut self, number: Seq, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let body = self.storage.send.body(number);
        let len = self.dialect.outgoing().encode_info(self.peer.to_wire(number), body, buf)?;
        let (now, end) = (self.now, self.storage.send.end());
        let bytes = u16::try_from(len).unwrap_or(u16::MAX);
        let repeated = self.storage.arq.on_info_sent(Sending { now, number, bytes, end }, &mut self.rtt);
        // What was sent is repeated as it is.
        if !repeated && number.next() == end {
            self.storage.send.seal();
            self.lent = self.lent.filter(|lent| lent.number != number);
        }
        self.stats.infos_sent = self.stats.infos_sent.saturating_add(1);
        self.stats.infos_repeated = self.stats.infos_repeated.saturating_add(repeated.into());
        self.silence.on_asked(now);
        self.count_sent(len);
        Ok(len)
    }

    fn count_sent(&mut self, len: usize) {
        self.stats.datagrams_sent = self.stats.datagrams_sent.saturating_add(1);
        self.stats.bytes_sent = self.stats.bytes_sent.saturating_add(len as u64);
    }

    fn encode(&self, control: Control, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let framing = &self.dialect.outgoing();
        let packet = match control {
            Control::Connect => return self.encode_hello(MIN_CONNECT, true, framing, buf),
            Control::ConnAck => return self.encode_hello(0, false, framing, buf),
            Control::Ack => return self.encode_ack(framing, buf),
            Control::Probe => {
                let nonce = self.stage.probe().map_or(0, |probe| probe.nonce(&self.nonces));
                Packet::Probe { nonce, padding: &[] }
            }
            Control::Echo(nonce) => Packet::Echo { nonce },
            Control::Reset(code) => Packet::Reset { code },
            Control::FinAck => Packet::FinAck,
            Control::Fin => Packet::Fin,
        };
        packet.write(framing, buf)
    }

    /// By itself, so that only a CONNECT or CONNACK fills memory with zeros for its options.
    fn encode_hello(
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
        match self.storage.arq.ack(self.now, self.storage.recv.limit(), &mut bitmap) {
            Some(Ack::Single(number)) => Packet::Ack { number: self.peer.to_wire(number) }.write(framing, buf),
            Some(Ack::Selective(sack)) => Packet::Sack(sack).write(framing, buf),
            // Only asked for while one is due.
            None => Ok(0),
        }
    }

    /// What this side says of itself, in a packet of at least `least` bytes.
    fn options<'b>(&self, least: usize, framing: &Framing, buf: &'b mut [u8; OPTIONS_BYTES]) -> Options<'b> {
        // The list fits, with the longest cookie.
        let cookie = self.stage.handshake().and_then(Handshake::cookie);
        let pad_to = least.saturating_sub(framing.header_len());
        self.hello().to_options(cookie, pad_to, buf).unwrap_or(Options::NONE)
    }

    fn on_control_sent(&mut self, control: Control) {
        let now = self.now;
        match (control, &mut self.stage) {
            (Control::ConnAck, Stage::Opening(handshake)) if self.dialect.is_extended() => handshake.on_sent_once(),
            (Control::Connect | Control::ConnAck, Stage::Opening(handshake)) => handshake.on_sent(now, &mut self.rtt),
            (Control::Ack, _) => self.storage.arq.on_ack_sent(self.storage.recv.limit()),
            (Control::Echo(_), Stage::Established { probe, .. }) => probe.on_echo_sent(),
            (Control::Probe, Stage::Established { probe, .. }) => {
                probe.on_sent(self.rtt.deadline(now, probe.sent(), Duration::MAX));
            }
            (Control::FinAck, Stage::Established { close, .. } | Stage::Ended { close, .. }) => close.on_finack_sent(),
            (Control::Fin, Stage::Established { close, .. } | Stage::Ended { close, .. }) => {
                close.on_fin_sent(now, &mut self.rtt);
            }
            (Control::Reset(_), Stage::Ended { ended, .. }) => ended.reset = None,
            // Nothing else is ever due.
            (_, Stage::Opening(_) | Stage::Established { .. } | Stage::Ended { .. }) => {}
        }
        if matches!(control, Control::Connect | Control::ConnAck | Control::Probe | Control::Fin) {
            self.silence.on_asked(now);
        }
        if let Stage::Ended { ended, .. } = &mut self.stage {
            // `abort` knows no time: the address is to rest from when its FIN really left.
            ended.at = now;
        }
    }
}
