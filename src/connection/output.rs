//! What is to be sent: derived from state each time, so that nothing is queued twice or goes stale.

use super::handshake::Role;
use super::{Connection, Transmit};
use crate::arq::Arq;
use crate::store::{RecvStore, SendStore};
use crate::wire::{EncodeError, Options, Packet};
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
        self.on_sent(output);
        self.stats.datagrams_sent = self.stats.datagrams_sent.saturating_add(1);
        self.stats.bytes_sent = self.stats.bytes_sent.saturating_add(len as u64);
        Ok(Some(Transmit { len, segment_size: len }))
    }

    /// Acknowledgements first, since they are small and the peer waits for them; FIN last, since it ends everything.
    pub(super) fn next_output(&self) -> Option<Output> {
        let finack = || self.close.is_finack_due().then_some(Output::FinAck);
        if self.ended.is_some() {
            // A FIN after the end is that of `abort`.
            return finack().or_else(|| self.close.is_fin_due().then_some(Output::Fin));
        }
        if !self.handshake.is_established() {
            return self.handshake.is_due().then_some(match self.handshake.role() {
                Role::Client => Output::Connect,
                Role::Server => Output::ConnAck,
            });
        }
        let arq = &self.storage.arq;
        arq.next_ack()
            .map(Output::Ack)
            .or_else(finack)
            .or_else(|| arq.next_info(self.storage.send.end()).map(Output::Info))
            .or_else(|| self.close.is_fin_due().then_some(Output::Fin))
    }

    fn encode(&self, output: Output, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let (framing, peer) = (&self.config.framing, self.config.peer);
        let packet = match output {
            Output::Connect => Packet::Connect(Options::NONE),
            Output::ConnAck => Packet::ConnAck(Options::NONE),
            Output::Ack(number) => Packet::Ack { number: peer.to_wire(number) },
            Output::FinAck => Packet::FinAck,
            Output::Info(number) => Packet::Info { number: peer.to_wire(number), body: self.storage.send.body(number) },
            Output::Fin => Packet::Fin,
        };
        packet.encode(framing, buf).map_err(|error| match error {
            EncodeError::BufferTooSmall(error) => error,
            // Base mode exists in every framing, and no body is written that is too large for it.
            EncodeError::NotInProfile | EncodeError::TooLong | EncodeError::Unrepresentable => {
                BufferTooSmall { needed: packet.encoded_len(framing) }
            }
        })
    }

    fn on_sent(&mut self, output: Output) {
        let now = self.now;
        if let Some(ended) = &mut self.ended {
            // `abort` knows no time: the address is to rest from when its FIN really left.
            ended.at = now;
        }
        match output {
            Output::Connect | Output::ConnAck => {
                // At least four repetitions within the handshake limit.
                let longest = Duration::from_micros(self.config.handshake_limit.as_micros() / 4);
                let deadline = self.rtt.deadline(now, self.handshake.sent(), longest);
                self.handshake.on_sent(deadline);
                self.silence.on_asked(now);
            }
            Output::Ack(number) => self.storage.arq.on_ack_sent(number),
            Output::FinAck => self.close.on_finack_sent(),
            Output::Info(number) => {
                let repeated = self.storage.arq.on_info_sent(now, number, &mut self.rtt);
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
