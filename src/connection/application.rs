//! What the application does: write, read, close.

use super::stage::Stage;
use super::{Connection, Lent, Reason, SendError};
use crate::Instant;
use crate::arq::Arq;
use crate::event::Events;
use crate::store::{RecvStore, SendStore};

impl<S: SendStore, R: RecvStore, A: Arq> Connection<S, R, A> {
    /// Takes as much of `data` as there is room for and returns how much that was, possibly 0.
    /// [`Event::Writable`](super::Event::Writable) tells when there is room again.
    ///
    /// Bytes are collected into INFO packets of up to a [segment](super::Config::segment); what is written while an earlier
    /// packet is on its way fills up the next one.
    ///
    /// # Errors
    ///
    /// If this direction was closed, or the connection has ended.
    pub fn send(&mut self, data: &[u8]) -> Result<usize, SendError> {
        self.check_open()?;
        self.lent = None;
        let taken = self.storage.send.write(data, self.segment());
        self.blocked |= taken < data.len();
        Ok(taken)
    }

    /// Sends `data` as one INFO of its own: all of it or nothing. For a header that the peer expects at the start of a
    /// packet. No data, no packet.
    ///
    /// # Errors
    ///
    /// If it does not fit into a segment, if there is no room now ([`Event::Writable`](super::Event::Writable) tells when
    /// there is), if this direction was closed, or the connection has ended.
    pub fn send_segment(&mut self, data: &[u8]) -> Result<(), SendError> {
        self.check_open()?;
        let limit = self.segment();
        if data.len() > limit {
            return Err(SendError::TooLarge { length: data.len(), limit });
        }
        if data.is_empty() {
            return Ok(());
        }
        if !self.storage.send.has_free_slot() {
            self.blocked = true;
            return Err(SendError::Full);
        }
        self.lent = None;
        self.storage.send.seal();
        if let Some(place) = self.spare().get_mut(..data.len()) {
            place.copy_from_slice(data);
        }
        self.storage.send.commit(data.len());
        self.storage.send.seal();
        Ok(())
    }

    /// Memory of the connection to fill in what is to be sent, instead of [`send`](Self::send), which copies; empty if there
    /// is no room. It becomes part of the stream by [`commit`](Self::commit).
    ///
    /// # Errors
    ///
    /// If this direction was closed, or the connection has ended.
    pub fn send_slot(&mut self) -> Result<&mut [u8], SendError> {
        self.check_open()?;
        if !self.storage.send.has_room(self.segment()) {
            self.blocked = true;
        }
        let limit = self.segment();
        let number = self.storage.send.spare_number(limit);
        let spare = self.storage.send.spare(limit);
        // No body is longer.
        self.lent = Some(Lent { number, len: u16::try_from(spare.len()).unwrap_or(u16::MAX) });
        Ok(spare)
    }

    /// Sends the first `count` bytes of what [`send_slot`](Self::send_slot) lent. More than it lent counts as all of it.
    ///
    /// # Errors
    ///
    /// If nothing is lent: `send_slot` was not called, or another call has since used the memory (one that sends, another
    /// `commit`, a `poll_transmit` that sent the packet whose rest it was, on a client the `handle_datagram` that establishes
    /// the connection, if nothing was sent yet or the peer takes only smaller bodies). Nothing of it is sent then. Also if
    /// this direction was closed, or the connection has ended.
    pub fn commit(&mut self, count: usize) -> Result<(), SendError> {
        self.check_open()?;
        let lent = self.lent.take().ok_or(SendError::NotLent)?;
        self.storage.send.commit(count.min(lent.len.into()));
        Ok(())
    }

    /// Copies what has arrived into `buf` and returns how much that was; 0 if nothing has arrived, or `buf` is empty, or
    /// [everything was read](Self::is_finished_reading).
    pub fn recv(&mut self, buf: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let chunk = self.storage.recv.chunk();
            let count = chunk.len().min(rest.len());
            let (Some(place), Some(part)) = (rest.get_mut(..count), chunk.get(..count)) else { break };
            if count == 0 {
                break;
            }
            place.copy_from_slice(part);
            self.storage.recv.consume(count);
            filled += count;
        }
        filled
    }

    /// What has arrived and is unread, as far as it lies in one piece; empty if there is nothing. It stays there until
    /// [`consume`](Self::consume).
    #[must_use]
    pub fn recv_chunk(&self) -> &[u8] {
        self.storage.recv.chunk()
    }

    /// The first `count` bytes of [`recv_chunk`](Self::recv_chunk) are read. More than that counts as all of it.
    pub fn consume(&mut self, count: usize) {
        self.storage.recv.consume(count);
    }

    /// Whether everything that the peer sent has been read, and no more will come: it closed, or the connection has ended.
    #[must_use]
    pub fn is_finished_reading(&self) -> bool {
        self.storage.recv.chunk().is_empty() && (self.is_incoming_closed() || self.stage.ended().is_some())
    }

    /// Whether everything that was written has been acknowledged: the peer's connection keeps it for its application.
    #[must_use]
    pub fn is_all_acknowledged(&self) -> bool {
        !self.has_unacknowledged()
    }

    /// Sends no more: FIN follows once everything that was written has been acknowledged. The peer may go on sending, and
    /// what it sends is still received.
    pub fn close(&mut self) {
        match &mut self.stage {
            Stage::Opening(handshake) => handshake.close(),
            Stage::Established { close, .. } => close.close(),
            Stage::Ended { .. } => return,
        }
        self.events.remove(Events::WRITABLE);
        self.settle();
    }

    /// Ends at once, in both directions. What is not acknowledged is lost; what was received may still be read.
    ///
    /// The peer is told once, which may be lost: in extended mode by RESET with `code`, in base mode by FIN, which has no
    /// place for the code and looks like [`close`](Self::close). A peer that then still waits for an answer ends by its idle
    /// limit.
    pub fn abort(&mut self, code: u8) {
        match &self.stage {
            Stage::Established { close, .. } if !self.dialect.is_extended() => {
                let mut close = close.clone();
                close.abort();
                self.end(Reason::Aborted, close, None);
            }
            Stage::Established { .. } | Stage::Opening(_) => self.give_up(Reason::Aborted),
            Stage::Ended { .. } => return,
        }
        if let Stage::Ended { ended, .. } = &mut self.stage {
            ended.reset = self.dialect.is_extended().then_some(code);
        }
    }

    /// Ends at once because the place of this connection is needed, and tells the peer nothing: for a program that routes the
    /// datagrams of many connections, as a [`Listener`](crate::listener::Listener) does. What was received may still be read.
    pub fn evict(&mut self, now: Instant) {
        self.advance(now);
        if self.stage.ended().is_none() {
            self.give_up(Reason::Superseded);
        }
    }

    /// The largest body that is sent.
    fn segment(&self) -> usize {
        usize::from(self.segment).min(self.storage.send.segment())
    }

    fn spare(&mut self) -> &mut [u8] {
        let limit = self.segment();
        self.storage.send.spare(limit)
    }

    pub(super) fn check_open(&self) -> Result<(), SendError> {
        let is_open = match &self.stage {
            Stage::Opening(handshake) => !handshake.closes(),
            Stage::Established { close, .. } => close.is_open(),
            Stage::Ended { .. } => return Err(SendError::Closed),
        };
        if is_open { Ok(()) } else { Err(SendError::Closing) }
    }
}
