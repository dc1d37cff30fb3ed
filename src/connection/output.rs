//! What is to be sent: derived from state each time, so that nothing is queued twice or goes stale.

use super::dialect::OPTIONS_BYTES;
use super::handshake::Role;
use super::{Connection, Transmit};
use crate::arq::{Arq, Sending};
use crate::store::{RecvStore, SendStore};
use crate::wire::{EncodeError, Framing, MAX_BITMAP, MIN_CONNECT, Options, Packet};
use crate::{BufferTooSmall, Duration, Instant, Seq};

/// The datagram that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Connect,
    ConnAck,
    Ack(Seq),
    FinAck,
    Info(Seq),
    Fin,
    Sack,
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
        let len = self.encode(output, buf)?;
        self.on_sent(output, len);
        self.stats.datagrams_sent = self.stats.datagrams_sent.saturating_add(1);
        self.stats.bytes_sent = self.stats.bytes_sent.saturating_add(len as u64);
        Ok(Some(Transmit { len, segment_size: len }))
    }

    /// Acknowledgements first, since they are small and the peer waits for them; FIN last, since it ends everything.
    pub(super) fn next_output(&self) -> Option<Output> {
        let finack = || self.close.is_finack_due().then_some(Output::FinAck);
        if self.ended.is_some() {
            // A FIN after the end is that of `abort`.
            let fin = || self.close.is_fin_due().then_some(Output::Fin);
            return self.reset.map(Output::Reset).or_else(finack).or_else(fin);
        }
        if !self.handshake.is_established() {
            return self.handshake.is_due().then_some(match self.handshake.role() {
                Role::Client => Output::Connect,
                Role::Server => Output::ConnAck,
            });
        }
        let arq = &self.storage.arq;
        self.next_acknowledgement()
            .or_else(|| self.probe.echo().map(Output::Echo))
            .or_else(finack)
            .or_else(|| self.probe.is_due().then_some(Output::Probe))
            .or_else(|| arq.next_info(self.now, self.storage.send.end()).map(Output::Info))
            .or_else(|| self.close.is_fin_due().then_some(Output::Fin))
    }

    fn next_acknowledgement(&self) -> Option<Output> {
        if self.dialect.is_extended() {
            let due = self.storage.arq.sack_at(self.storage.recv.limit());
            due.filter(|&at| at <= self.now && !self.close.is_incoming_closed()).map(|_| Output::Sack)
        } else {
            self.storage.arq.next_ack().map(Output::Ack)
        }
    }

    fn encode(&self, output: Output, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let (framing, peer) = (&self.dialect.outgoing(), self.config.peer);
        let packet = match output {
            Output::Connect => return self.encode_hello(MIN_CONNECT, true, framing, buf),
            Output::ConnAck => return self.encode_hello(0, false, framing, buf),
            Output::Sack => return self.encode_sack(framing, buf),
            Output::Probe => Packet::Probe { nonce: self.probe.nonce(), padding: &[] },
            Output::Echo(nonce) => Packet::Echo { nonce },
            Output::Reset(code) => Packet::Reset { code },
            Output::Ack(number) => Packet::Ack { number: peer.to_wire(number) },
            Output::FinAck => Packet::FinAck,
            Output::Info(number) => Packet::Info { number: peer.to_wire(number), body: self.storage.send.body(number) },
            Output::Fin => Packet::Fin,
        };
        write(&packet, framing, buf)
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
        write(&packet, framing, buf)
    }

    /// The same for a SACK and its bitmap.
    fn encode_sack(&self, framing: &Framing, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut bitmap = [0; MAX_BITMAP];
        let sack = self.storage.arq.sack(self.now, self.storage.recv.limit(), &mut bitmap);
        write(&Packet::Sack(sack), framing, buf)
    }

    /// What this side says of itself, in a packet of at least `least` bytes.
    fn options<'b>(&self, least: usize, framing: &Framing, buf: &'b mut [u8; OPTIONS_BYTES]) -> Options<'b> {
        // The list fits: its longest form is shorter than a CONNECT.
        self.hello().to_options(least.saturating_sub(framing.header_len()), buf).unwrap_or(Options::NONE)
    }

    fn on_sent(&mut self, output: Output, len: usize) {
        let now = self.now;
        if let Some(ended) = &mut self.ended {
            // `abort` knows no time: the address is to rest from when its FIN really left.
            ended.at = now;
        }
        match output {
            Output::ConnAck if self.dialect.is_extended() => {
                self.handshake.on_sent_once();
                self.silence.on_asked(now);
            }
            Output::Connect | Output::ConnAck => {
                // At least four repetitions within the handshake limit.
                let longest = Duration::from_micros(self.config.handshake_limit.as_micros() / 4);
                let deadline = self.rtt.deadline(now, self.handshake.sent(), longest);
                self.handshake.on_sent(deadline);
                self.silence.on_asked(now);
            }
            Output::Ack(number) => self.storage.arq.on_ack_sent(number),
            Output::Sack => self.storage.arq.on_sack_sent(self.storage.recv.limit()),
            Output::Echo(_) => self.probe.on_echo_sent(),
            Output::Reset(_) => self.reset = None,
            Output::Probe => {
                let deadline = self.rtt.deadline(now, self.probe.sent(), Duration::MAX);
                self.probe.on_sent(deadline);
                self.silence.on_asked(now);
            }
            Output::FinAck => self.close.on_finack_sent(),
            Output::Info(number) => {
                let bytes = u16::try_from(len).unwrap_or(u16::MAX);
                let sending = Sending { now, number, bytes, end: self.storage.send.end() };
                let repeated = self.storage.arq.on_info_sent(sending, &mut self.rtt);
                // What was sent is repeated as it is.
                if !repeated && number.next() == self.storage.send.end() {
                    self.storage.send.seal();
                    self.lent = self.lent.filter(|lent| lent.number != number);
                }
                self.stats.infos_sent = self.stats.infos_sent.saturating_add(1);
                self.stats.infos_repeated = self.stats.infos_repeated.saturating_add(repeated.into());
                self.silence.on_asked(now);
            }
            Output::Fin => {
                self.close.on_fin_sent(now, &mut self.rtt);
                self.silence.on_asked(now);
            }
        }
    }
}

fn write(packet: &Packet<'_>, framing: &Framing, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
    packet.encode(framing, buf).map_err(|error| match error {
        EncodeError::BufferTooSmall(error) => error,
        // Base mode exists in every framing, and no body is written that is too large for it.
        EncodeError::NotInProfile | EncodeError::TooLong | EncodeError::Unrepresentable => {
            BufferTooSmall { needed: packet.encoded_len(framing) }
        }
    })
}
