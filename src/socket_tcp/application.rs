//! What an application does: it sends and receives messages, and closes.

use super::connection::{Answers, SocketConnection, Stage};
use super::event::{RecvError, SocketCloseReason, SocketSendError};
use super::message::{MAX_MESSAGE, Message, Received};
use crate::BufferTooSmall;
use crate::event::Events;

impl<A: Copy + Eq, const SEND: usize, const RECV: usize> SocketConnection<A, SEND, RECV> {
    /// Sends a whole message. For one that is longer than there is room for, or not in memory, see
    /// [`begin`](Self::begin).
    ///
    /// # Errors
    ///
    /// Where [`begin`](Self::begin) fails, and if the message is longer than `SEND`. Nothing of it is sent.
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

    /// Begins a message of `length` bytes, which [`write`](Self::write) follows with its content. Its length is sent at
    /// once, or as soon as it is our turn: one message is sent after another, and after that which is being received.
    ///
    /// # Errors
    ///
    /// If the connection is closed, the message before is not all acknowledged, or the length is above [`MAX_MESSAGE`].
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

    /// Writes the next bytes of the message that was begun: as many as there is room for, and as it is long. Returns
    /// how many; [`Writable`](super::SocketEvent::Writable) tells when there is room for more. They leave in pieces of
    /// [`MAX_BODY`](super::MAX_BODY) bytes.
    ///
    /// # Errors
    ///
    /// If the connection is closed, or no message was begun that wants more.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, SocketSendError> {
        self.check_open()?;
        if self.outgoing.unwritten().is_none_or(|unwritten| unwritten == 0) {
            return Err(SocketSendError::NotAnnounced);
        }
        let taken = self.outgoing.write(data).unwrap_or(0);
        self.blocked |= taken < data.len() && self.outgoing.unwritten() != Some(0);
        self.settle();
        Ok(taken)
    }

    /// Whether every message that was sent has been acknowledged whole, and so is kept by the peer's connection for its
    /// application. [`Writable`](super::SocketEvent::Writable) tells when it turns true.
    #[must_use]
    pub fn is_all_acknowledged(&self) -> bool {
        self.outgoing.is_done()
    }

    /// The message that is being received, or read; `None` where there is none, or all of it was read.
    #[must_use]
    pub fn message(&self) -> Option<Message> {
        self.incoming.message()
    }

    /// Reads what has arrived of the current message, as much as there is and `buf` holds; the rest stays for the next
    /// call. `None` if there is nothing now. An empty message is read once, with no bytes.
    ///
    /// The next message is only taken once this one was read to its end.
    pub fn recv(&mut self, buf: &mut [u8]) -> Option<Received> {
        self.incoming.read(buf)
    }

    /// Reads the current message, or what is left of it, once all of it has arrived. `None` until then.
    ///
    /// # Errors
    ///
    /// If what is left is longer than `buf`, or than `RECV`, and so never lies here as a whole, or if it never comes
    /// because the connection has ended. Nothing was read, and [`recv`](Self::recv) reads in pieces what there is.
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

    /// Sends no more. FIN follows once everything that was written has been acknowledged, and the message that is being
    /// received has arrived; then both directions end. A message that was begun and not written to its end is cut
    /// short.
    pub fn close(&mut self) {
        if matches!(self.stage, Stage::Ended { .. }) {
            return;
        }
        self.closes = true;
        self.events.remove(Events::WRITABLE);
        self.settle();
    }

    /// Ends at once. What is not acknowledged is lost; what was received may still be read. The peer is told once, by
    /// FIN, which may be lost, or cross a message of its own, that goes first: it then ends by a limit.
    pub fn abort(&mut self) {
        let established = self.is_established();
        if matches!(self.stage, Stage::Ended { .. }) {
            return;
        }
        if self.is_outstanding() && !self.outgoing.is_unannounced() {
            // It may have arrived, and a number before it would be an old one. (Of a length the peer knows which number
            // that has; one above it would acknowledge a message of the peer that crosses it.)
            self.number += self.outgoing.body(self.closes).map_or(0, |body| body.len() as u64);
        }
        self.end(SocketCloseReason::Aborted, 0);
        self.answers.set(Answers::FIN, established);
    }

    fn check_open(&self) -> Result<(), SocketSendError> {
        match self.stage {
            Stage::Ended { .. } | Stage::LastAck => Err(SocketSendError::Closed),
            _ if self.closes => Err(SocketSendError::Closing),
            Stage::SynSent | Stage::SynReceived | Stage::Established | Stage::FinWait => Ok(()),
        }
    }
}
