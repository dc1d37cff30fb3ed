//! What is to be sent, and when to wake.

use super::connection::{Answers, CLOSE_TRIES, SocketConnection, Stage};
use super::event::{SocketCloseReason, increment};
use super::segment::{Kind, Segment};
use crate::event::Transmit;
use crate::timing::{Earliest, Timer, expiry};
use crate::{BufferTooSmall, Instant};

/// The next datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Syn,
    SynAck,
    HandshakeAck,
    Ack,
    Data,
    Fin,
    FinAck,
    /// The last FIN, which says that FIN+ACK has arrived.
    Farewell,
}

impl<A: Copy + Eq, const SEND: usize, const RECV: usize> SocketConnection<A, SEND, RECV> {
    /// Writes the next datagram into `buf` and says to which address it goes; `None` if there is nothing to send now.
    /// What was written counts as sent. No datagram has more than [`MAX_SEGMENT`](super::MAX_SEGMENT) bytes.
    ///
    /// # Errors
    ///
    /// If the datagram does not fit into `buf`: nothing has changed.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Result<Option<(A, Transmit)>, BufferTooSmall> {
        self.advance(now);
        let Some(output) = self.next_output() else { return Ok(None) };
        let body = if output == Output::Data { self.outgoing.body(self.closes) } else { None };
        let (kind, number) = self.heading(output);
        let len = Segment { kind, number, body: body.as_deref().unwrap_or_default() }.encode(buf)?;
        self.on_sent(output);
        increment(&mut self.stats.datagrams_sent);
        self.stats.bytes_sent = self.stats.bytes_sent.saturating_add(len as u64);
        let to = if matches!(output, Output::Syn | Output::HandshakeAck) { self.called } else { self.peer };
        Ok(Some((to, Transmit { len, segment_size: len })))
    }

    /// What is due, derived from the state. An answer leaves before what is repeated by a timer.
    pub(super) fn next_output(&self) -> Option<Output> {
        if self.answers.contains(Answers::HANDSHAKE_ACK) {
            return Some(Output::HandshakeAck);
        }
        if self.answers.contains(Answers::ACK) {
            return Some(Output::Ack);
        }
        match self.stage {
            Stage::Ended { .. } if self.answers.contains(Answers::FIN) => Some(Output::Fin),
            Stage::Ended { .. } if self.answers.contains(Answers::FIN_ACK) => Some(Output::FinAck),
            Stage::Ended { farewells: 1.., .. } => Some(Output::Farewell),
            Stage::Ended { .. } => None,
            _ if !self.repeat.is_due() => None,
            Stage::SynSent => Some(Output::Syn),
            Stage::SynReceived => Some(Output::SynAck),
            Stage::Established => Some(Output::Data),
            Stage::FinWait => Some(Output::Fin),
            Stage::LastAck => Some(Output::FinAck),
        }
    }

    const fn heading(&self, output: Output) -> (Kind, u64) {
        match output {
            Output::Syn => (Kind::Syn, self.initial),
            Output::SynAck => (Kind::SynAck, self.initial + 1),
            Output::HandshakeAck => (Kind::Ack, self.initial + 2),
            Output::Ack => (Kind::Ack, self.number),
            Output::Data => (Kind::Data, self.number),
            Output::Fin => (Kind::Fin, self.number),
            Output::FinAck => (Kind::FinAck, self.number + 1),
            Output::Farewell => (Kind::Fin, self.number + 1),
        }
    }

    fn on_sent(&mut self, output: Output) {
        match (output, &mut self.stage) {
            (Output::HandshakeAck, _) => self.answers.remove(Answers::HANDSHAKE_ACK),
            (Output::Ack, _) => self.answers.remove(Answers::ACK),
            (Output::Fin, Stage::Ended { .. }) => self.answers.remove(Answers::FIN),
            (Output::FinAck, Stage::Ended { .. }) => self.answers.remove(Answers::FIN_ACK),
            (Output::Farewell, Stage::Ended { farewells, .. }) => *farewells -= 1,
            (Output::Syn | Output::SynAck | Output::Data | Output::Fin | Output::FinAck | Output::Farewell, _) => {
                if self.repeat.sent() == 0 {
                    self.sent_at = self.now;
                    self.silent_since = self.now;
                } else if output == Output::Data {
                    increment(&mut self.stats.segments_repeated);
                }
                let deadline = self.deadline();
                self.repeat.on_sent(deadline);
            }
        }
    }

    /// Time has passed. To be called when [`poll_timeout`](Self::poll_timeout) is due; calling it earlier or more often
    /// does no harm. Afterwards [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) may have
    /// something.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        if let Some(reason) = self.overdue() {
            self.end(reason, 0);
            return;
        }
        if !self.repeat.handle_timeout(self.now) {
            return;
        }
        increment(&mut self.stats.timeouts);
        match self.stage {
            Stage::FinWait | Stage::LastAck if self.repeat.sent() >= CLOSE_TRIES => self.finish(0),
            // The server may have lost the end of the handshake, and the report's takes nothing before it.
            Stage::Established | Stage::FinWait if self.unconfirmed => self.answers.insert(Answers::HANDSHAKE_ACK),
            Stage::SynSent | Stage::SynReceived | Stage::Established => {}
            Stage::FinWait | Stage::LastAck | Stage::Ended { .. } => {}
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest, and then
    /// [`poll_transmit`](Self::poll_transmit).
    ///
    /// It lies in the past while `poll_transmit` would return something, and in the future once that is drained and
    /// `handle_timeout` was called. `None` says that nothing will happen any more without a datagram or a call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.next_output().is_some() { Some(self.now) } else { self.next_timer() }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, whatever is sent before: no timer only
    /// releases output.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        let mut earliest = Earliest::default();
        self.for_each_deadline(|_, at| earliest.see(at));
        earliest.get()
    }

    /// Shows `visit` each timer that runs, with its deadline, in no order: everything that this connection waits for,
    /// apart from what is to be sent already. A deadline that has passed waits for
    /// [`handle_timeout`](Self::handle_timeout).
    pub fn for_each_deadline(&self, mut visit: impl FnMut(Timer, Instant)) {
        let repeats = match self.stage {
            Stage::SynSent | Stage::SynReceived => Timer::RetransmitHandshake,
            Stage::Established => Timer::Retransmission,
            // After the end nothing is repeated.
            Stage::FinWait | Stage::LastAck | Stage::Ended { .. } => Timer::RetransmitFin,
        };
        if let Some(at) = self.repeat.deadline() {
            visit(repeats, at);
        }
        if let Some((timer, at)) = self.limit() {
            visit(timer, at);
        }
    }

    /// The limit that runs, and when it passes.
    fn limit(&self) -> Option<(Timer, Instant)> {
        let (timer, end) = match self.stage {
            Stage::SynSent | Stage::SynReceived => (Timer::Handshake, self.handshake_end),
            Stage::Established if self.is_outstanding() => {
                (Timer::Idle, expiry(self.silent_since, self.config.idle_limit))
            }
            Stage::Established => (Timer::Quiet, expiry(self.silent_since, self.config.quiet_limit)),
            // Bounded by their tries.
            Stage::FinWait | Stage::LastAck | Stage::Ended { .. } => return None,
        };
        Some((timer, end?))
    }

    /// Why the connection ends now, if its limit has passed.
    fn overdue(&self) -> Option<SocketCloseReason> {
        self.limit().filter(|&(_, end)| end <= self.now)?;
        match self.stage {
            Stage::SynSent | Stage::SynReceived => Some(SocketCloseReason::HandshakeTimedOut),
            Stage::Established if self.is_outstanding() => Some(SocketCloseReason::TimedOut),
            Stage::Established => Some(SocketCloseReason::Quiet),
            Stage::FinWait | Stage::LastAck | Stage::Ended { .. } => None,
        }
    }
}
