//! The application's calls: send and receive messages, and close.

use super::connection::{Answers, SocketConnection, State};
use super::event::{RecvError, SocketCloseReason, SocketSendError};
use super::message::{MAX_MESSAGE, Message, Received};
use crate::BufferTooSmall;
use crate::event::Events;

impl<A: Copy + Eq, const SEND: usize, const RECV: usize> SocketConnection<A, SEND, RECV> {
    /// Sends a whole message.
    ///
    /// Use [`begin`](Self::begin) for a message that is longer than `SEND`, or not in memory as a whole.
    ///
    /// # Errors
    ///
    /// The errors of [`begin`](Self::begin), and [`SocketSendError::TooLarge`] if the message is longer than `SEND`.
    /// Nothing is sent then.
    pub fn send(&mut self, message: &[u8]) -> Result<(), SocketSendError> {
        let length = message.len() as u64;
        if message.len() > SEND {
            return Err(SocketSendError::TooLarge { length, limit: SEND as u64 });
        }
        self.begin(length)?;
        self.outgoing.write(message);
        self.settle();
        Ok(())
    }

    /// Begins a message of `length` bytes; [`write`](Self::write) supplies its content.
    ///
    /// The length is sent once the handshake is complete, and after the end of a message that is being received.
    ///
    /// # Errors
    ///
    /// If the connection is closed, if the previous message is not fully acknowledged, or if `length` exceeds
    /// [`MAX_MESSAGE`].
    pub fn begin(&mut self, length: u64) -> Result<(), SocketSendError> {
        self.check_open()?;
        if length > MAX_MESSAGE {
            return Err(SocketSendError::TooLarge { length, limit: MAX_MESSAGE });
        }
        if !self.outgoing.is_done() {
            return Err(SocketSendError::Busy);
        }
        self.outgoing.announce(length);
        self.settle();
        Ok(())
    }

    /// Writes the next bytes of the message; returns how many were accepted.
    ///
    /// The count is at most the free space, and at most the rest of the message.
    /// [`Writable`](super::SocketEvent::Writable) reports new space. The content is sent in
    /// [pieces](super::SocketConfig::pieces).
    ///
    /// # Errors
    ///
    /// If the connection is closed, if no message was begun, or if the last one is fully written.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, SocketSendError> {
        self.check_open()?;
        if self.outgoing.unwritten().is_none_or(|unwritten| unwritten == 0) {
            return Err(SocketSendError::NotAnnounced);
        }
        let taken = self.outgoing.write(data).unwrap_or(0);
        if taken < data.len() && self.outgoing.unwritten() != Some(0) {
            self.events.insert(Events::BLOCKED);
        }
        self.settle();
        Ok(taken)
    }

    /// Whether every message is fully acknowledged.
    ///
    /// The peer's connection has then received all messages, and keeps them until its application reads them.
    /// [`Writable`](super::SocketEvent::Writable) reports the change.
    #[must_use]
    pub fn is_all_acknowledged(&self) -> bool {
        self.outgoing.is_done()
    }

    /// The message that is being received or read; `None` if there is none.
    #[must_use]
    pub fn message(&self) -> Option<Message> {
        self.incoming.message()
    }

    /// Reads the available bytes of the current message; `None` if there are none.
    ///
    /// Bytes that do not fit into `buf` stay for the next call. An empty message is returned once, with a length of 0.
    /// The next message is accepted only after this one is fully read.
    pub fn recv(&mut self, buf: &mut [u8]) -> Option<Received> {
        self.incoming.read(buf)
    }

    /// Reads the rest of the current message once it has fully arrived; `None` until then.
    ///
    /// # Errors
    ///
    /// If the rest of the message is longer than `buf` or `RECV`, or if the connection ended before the message was
    /// complete. Nothing is read then; [`recv`](Self::recv) still returns the available bytes.
    pub fn recv_message(&mut self, buf: &mut [u8]) -> Result<Option<usize>, RecvError> {
        let Some(message) = self.message() else { return Ok(None) };
        let length = message.length - message.read;
        if length > RECV as u64 {
            return Err(RecvError::TooLarge { length, limit: RECV as u64 });
        }
        if length > buf.len() as u64 {
            return Err(BufferTooSmall { needed: usize::try_from(length).unwrap_or(usize::MAX) }.into());
        }
        if message.arrived < message.length {
            return if self.ended().is_some() { Err(RecvError::CutShort) } else { Ok(None) };
        }
        Ok(self.recv(buf).map(|received| received.len))
    }

    /// Closes the connection after the current messages.
    ///
    /// FIN is sent once all written bytes are acknowledged and the incoming message is complete. It ends both
    /// directions. An outgoing message that is not fully written is cut short.
    pub fn close(&mut self) {
        if matches!(self.state, State::Ended { .. }) {
            return;
        }
        self.close_requested = true;
        self.events.remove(Events::WRITABLE);
        self.settle();
    }

    /// Ends the connection at once.
    ///
    /// Unacknowledged bytes are lost; received bytes can still be read. If the handshake is complete, one FIN informs
    /// the peer. The peer's connection ends by a limit if that FIN is lost, or if it crosses the first segment of a
    /// message of the peer.
    pub fn abort(&mut self) {
        let established = self.is_established();
        if matches!(self.state, State::Ended { .. }) {
            return;
        }
        if self.is_outstanding() && !self.outgoing.is_unannounced() {
            // If the segment in flight has arrived, the peer ignores a FIN with the number of that segment as old. FIN
            // therefore carries the number that follows. A length is exempt: the peer accepts a FIN with the number of
            // a length, and a higher number would acknowledge a message of the peer that crosses the length.
            self.number += self.body().map_or(0, |body| body.len() as u64);
        }
        self.end(SocketCloseReason::Aborted, 0);
        self.answers.set(Answers::FIN, established);
    }

    fn check_open(&self) -> Result<(), SocketSendError> {
        match self.state {
            State::Ended { .. } | State::LastAck => Err(SocketSendError::Closed),
            _ if self.close_requested => Err(SocketSendError::Closing),
            State::SynSent | State::SynReceived | State::Established | State::FinWait => Ok(()),
        }
    }
}
