//! Outgoing datagrams and deadlines.

use super::config::SocketPeer;
use super::connection::{Answers, CLOSE_TRIES, SocketConnection, State};
use super::event::{SocketCloseReason, increment};
use super::segment::{Kind, Segment};
use crate::event::Transmit;
use crate::timing::{Earliest, Timer, expiry};
use crate::{BufferTooSmall, Instant};

/// The kind of the next datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Syn,
    SynAck,
    /// The ACK of SYN+ACK, to the address to which SYN was sent.
    HandshakeAck,
    /// The same, to the address from which SYN+ACK came.
    HandshakeAckToPeer,
    Ack,
    Data,
    Fin,
    FinAck,
    /// The last segment, which confirms that FIN+ACK arrived.
    Final,
}

impl<A: Copy + Eq, const SEND: usize, const RECV: usize> SocketConnection<A, SEND, RECV> {
    /// Writes the next datagram into `buf` and returns its destination; `None` if nothing is due.
    ///
    /// A written datagram counts as sent. It has at most [`MAX_SEGMENT`](super::MAX_SEGMENT) bytes.
    ///
    /// # Errors
    ///
    /// If the datagram does not fit into `buf`. Nothing changes then.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Result<Option<(A, Transmit)>, BufferTooSmall> {
        self.advance(now);
        let Some(output) = self.next_output() else { return Ok(None) };
        let body = if output == Output::Data { self.body() } else { None };
        let (kind, number) = self.heading(output);
        let len = Segment { kind, number, body: body.as_deref().unwrap_or_default() }.encode(buf)?;
        self.on_sent(output);
        increment(&mut self.stats.datagrams_sent);
        self.stats.bytes_sent = self.stats.bytes_sent.saturating_add(len as u64);
        let to = if matches!(output, Output::Syn | Output::HandshakeAck) { self.syn_destination } else { self.peer };
        Ok(Some((to, Transmit { len, segment_size: len })))
    }

    /// The datagram that is due. ACKs precede segments that a timer repeats.
    pub(super) fn next_output(&self) -> Option<Output> {
        if self.answers.contains(Answers::HANDSHAKE_ACK) {
            return Some(Output::HandshakeAck);
        }
        if self.answers.contains(Answers::HANDSHAKE_ACK_TO_PEER) {
            return Some(Output::HandshakeAckToPeer);
        }
        if self.answers.contains(Answers::ACK) {
            return Some(Output::Ack);
        }
        match self.state {
            State::Ended { .. } if self.answers.contains(Answers::FIN) => Some(Output::Fin),
            State::Ended { .. } if self.answers.contains(Answers::FIN_ACK) => Some(Output::FinAck),
            State::Ended { finals: 1.., .. } => Some(Output::Final),
            State::Ended { .. } => None,
            _ if !self.retransmit.is_due() => None,
            State::SynSent => Some(Output::Syn),
            State::SynReceived => Some(Output::SynAck),
            State::Established => Some(Output::Data),
            State::FinWait => Some(Output::Fin),
            State::LastAck => Some(Output::FinAck),
        }
    }

    const fn heading(&self, output: Output) -> (Kind, u64) {
        match output {
            Output::Syn => (Kind::Syn, self.initial),
            Output::SynAck => (Kind::SynAck, self.initial + 1),
            Output::HandshakeAck | Output::HandshakeAckToPeer => (Kind::Ack, self.initial + 2),
            Output::Ack => (Kind::Ack, self.number),
            Output::Data => (Kind::Data, self.number),
            Output::Fin => (Kind::Fin, self.number),
            Output::FinAck => (Kind::FinAck, self.number + 1),
            Output::Final => (self.final_kind(), self.number + 1),
        }
    }

    /// The flags of the final segment: ACK as in TCP, but FIN towards the report's code, as that code sends it.
    const fn final_kind(&self) -> Kind {
        match self.config.peer {
            SocketPeer::RdtProto => Kind::Ack,
            SocketPeer::Report => Kind::Fin,
        }
    }

    fn on_sent(&mut self, output: Output) {
        match (output, &mut self.state) {
            (Output::HandshakeAck, _) => self.answers.remove(Answers::HANDSHAKE_ACK),
            (Output::HandshakeAckToPeer, _) => self.answers.remove(Answers::HANDSHAKE_ACK_TO_PEER),
            (Output::Ack, _) => self.answers.remove(Answers::ACK),
            (Output::Fin, State::Ended { .. }) => self.answers.remove(Answers::FIN),
            (Output::FinAck, State::Ended { .. }) => self.answers.remove(Answers::FIN_ACK),
            (Output::Final, State::Ended { finals, .. }) => *finals -= 1,
            (Output::Syn | Output::SynAck | Output::Data | Output::Fin | Output::FinAck | Output::Final, _) => {
                if self.retransmit.sent() == 0 {
                    self.sent_at = self.now;
                    self.silent_since = self.now;
                } else if output == Output::Data {
                    increment(&mut self.stats.segments_repeated);
                }
                let deadline = self.deadline();
                self.retransmit.on_sent(deadline);
            }
        }
    }

    /// Processes the time `now`; call it when [`poll_timeout`](Self::poll_timeout) is due.
    ///
    /// Earlier or additional calls are harmless. Afterwards [`poll_transmit`](Self::poll_transmit) and
    /// [`poll_event`](Self::poll_event) may return something.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        if let Some(reason) = self.expired_limit() {
            self.end(reason, 0);
            return;
        }
        if !self.retransmit.handle_timeout(self.now) {
            return;
        }
        increment(&mut self.stats.timeouts);
        match self.state {
            State::FinWait | State::LastAck if self.retransmit.sent() >= CLOSE_TRIES => self.finish(0),
            // The ACK of SYN+ACK may be lost, and the report's server accepts no message before that ACK.
            State::Established | State::FinWait if self.ack_unconfirmed => self.answers.insert(Answers::HANDSHAKE_ACK),
            State::SynSent | State::SynReceived | State::Established => {}
            State::FinWait | State::LastAck | State::Ended { .. } => {}
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), and then [`poll_transmit`](Self::poll_transmit).
    ///
    /// The returned time is due while `poll_transmit` has a datagram. It lies in the future after `handle_timeout` and
    /// a drained `poll_transmit`. `None` means that nothing happens without a datagram or a call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.next_output().is_some() { Some(self.now) } else { self.next_timer() }
    }

    /// The earliest deadline of [`handle_timeout`](Self::handle_timeout), whether or not output is due.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        let mut earliest = Earliest::default();
        self.for_each_deadline(|_, at| earliest.see(at));
        earliest.get()
    }

    /// Calls `visit` with each running timer and its deadline, in no particular order.
    ///
    /// Output that is already due has no timer. A deadline that has passed waits for
    /// [`handle_timeout`](Self::handle_timeout).
    pub fn for_each_deadline(&self, mut visit: impl FnMut(Timer, Instant)) {
        let repeats = match self.state {
            State::SynSent | State::SynReceived => Timer::RetransmitHandshake,
            State::Established => Timer::Retransmission,
            // In `Ended` the timer does not run.
            State::FinWait | State::LastAck | State::Ended { .. } => Timer::RetransmitFin,
        };
        if let Some(at) = self.retransmit.deadline() {
            visit(repeats, at);
        }
        if let Some((timer, at)) = self.limit() {
            visit(timer, at);
        }
    }

    /// The running limit and its expiry.
    fn limit(&self) -> Option<(Timer, Instant)> {
        let (timer, end) = match self.state {
            State::SynSent | State::SynReceived => (Timer::Handshake, self.handshake_expiry),
            State::Established if self.is_outstanding() => {
                (Timer::Idle, expiry(self.silent_since, self.config.idle_limit))
            }
            State::Established => (Timer::Quiet, expiry(self.silent_since, self.config.quiet_limit)),
            // The number of transmissions bounds these states.
            State::FinWait | State::LastAck | State::Ended { .. } => return None,
        };
        Some((timer, end?))
    }

    /// The close reason if the running limit has expired.
    fn expired_limit(&self) -> Option<SocketCloseReason> {
        self.limit().filter(|&(_, end)| end <= self.now)?;
        match self.state {
            State::SynSent | State::SynReceived => Some(SocketCloseReason::HandshakeTimedOut),
            State::Established if self.is_outstanding() => Some(SocketCloseReason::TimedOut),
            State::Established => Some(SocketCloseReason::Quiet),
            State::FinWait | State::LastAck | State::Ended { .. } => None,
        }
    }
}
