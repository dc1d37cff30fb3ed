//! The calls of the application: write, read, close, abort.

use super::state::{Farewell, State};
use super::{CloseReason, Connection, ConnectionTypes, Lent, SendError};
use crate::arq::Arq;
use crate::copy::copy;
use crate::event::Events;
use crate::store::{RecvStore, SendStore};
use crate::{Instant, Seq};

/// How often FINACK or RESET is repeated by a side that leaves.
const REPEATS: u8 = 2;

impl<T: ConnectionTypes> Connection<T> {
    /// Writes as much of `data` as there is room for.
    ///
    /// Returns the number of bytes written, possibly 0. If `data` is longer,
    /// [`Event::Writable`](super::Event::Writable) reports when there is room again.
    ///
    /// The bytes are collected into INFO packets of up to one [segment](super::Config::segment). Small writes share a
    /// packet until that packet is sent.
    ///
    /// ```
    /// # use rdt_proto::Instant;
    /// # use rdt_proto::connection::{Config, Connection, Storage};
    /// # let config = Config::new();
    /// # let storage = Storage::stop_and_wait_on_heap(&config)?;
    /// # let mut connection = Connection::connect(Instant::ZERO, config, [7; 32], storage)?;
    /// let data = [0; 4_000];
    /// let count = connection.send(&data)?;
    /// assert_eq!(count, 2 * 1_200); // the store has two slots; the rest follows after `Event::Writable`
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::Closing`] after [`close`](Self::close), [`SendError::Closed`] after the end.
    pub fn send(&mut self, data: &[u8]) -> Result<usize, SendError> {
        self.check_open()?;
        self.lent = Lent::Nothing;
        let taken = self.send.write(data, self.segment());
        if taken < data.len() {
            self.events.insert(Events::BLOCKED);
        }
        Ok(taken)
    }

    /// Writes all of `data` as one separate INFO packet, or nothing.
    ///
    /// Use it for a header that the peer expects at the start of a packet. Empty `data` adds no packet.
    ///
    /// In extended mode more than 492 bytes may take several packets of their own, while the path has not shown that it
    /// carries larger datagrams. A shorter segment between two such ones may then be divided too, or be followed by
    /// empty packets. The call then takes time in proportion to the unsent packets.
    ///
    /// # Errors
    ///
    /// - [`SendError::TooLarge`]: `data` does not fit into one segment.
    /// - [`SendError::Full`]: the send store has no free slot, or `data` has to be cut while earlier bytes that were
    ///   cut are unacknowledged. [`Event::Writable`](super::Event::Writable) reports when to try again.
    /// - [`SendError::Closing`] after [`close`](Self::close), [`SendError::Closed`] after the end.
    pub fn send_segment(&mut self, data: &[u8]) -> Result<(), SendError> {
        self.check_open()?;
        let limit = self.whole_segment();
        if data.len() > limit {
            return Err(SendError::TooLarge { length: data.len(), limit });
        }
        if data.is_empty() {
            return Ok(());
        }
        let is_cut = T::Send::CUTS && data.len() > self.segment();
        if !self.send.has_free_slot() || is_cut && !self.send.can_cut(self.arq.first_unsent()) {
            self.events.insert(Events::BLOCKED);
            return Err(SendError::Full);
        }
        self.lent = Lent::Nothing;
        self.send.seal();
        if let Some(place) = self.send.spare(limit).get_mut(..data.len()) {
            copy(data, place);
        }
        self.send.commit(data.len());
        self.send.seal();
        if is_cut {
            self.fit_to_path();
        }
        Ok(())
    }

    /// Lends memory of the send store for the next data; empty if there is no room.
    ///
    /// This saves the copy that [`send`](Self::send) makes. [`commit`](Self::commit) adds the bytes to the stream.
    ///
    /// ```
    /// # use rdt_proto::connection::{Connection, HeapStorage, SendError};
    /// # fn write(connection: &mut Connection<HeapStorage>) -> Result<(), SendError> {
    /// if let Some(place) = connection.send_slot()?.first_chunk_mut() {
    ///     *place = *b"hello";
    ///     connection.commit(5)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::Closing`] after [`close`](Self::close), [`SendError::Closed`] after the end.
    pub fn send_slot(&mut self) -> Result<&mut [u8], SendError> {
        self.check_open()?;
        if !self.send.has_room(self.segment()) {
            self.events.insert(Events::BLOCKED);
        }
        let limit = self.segment();
        let number = self.send.spare_number(limit);
        let spare = self.send.spare(limit);
        // A body has at most `u16::MAX` bytes.
        self.lent = Lent::Spare { number, len: u16::try_from(spare.len()).unwrap_or(u16::MAX) };
        Ok(spare)
    }

    /// Appends to the stream the first `count` bytes of the memory that [`send_slot`](Self::send_slot) lends.
    ///
    /// A larger `count` appends all of that memory. The memory is lent until one of these calls:
    ///
    /// - a `send`, a `commit`, or a `send_segment` that writes data;
    /// - a `poll_transmit` that sends the packet whose body the memory belongs to;
    /// - at a client, the `handle_datagram` or `handle_timeout` that completes the handshake, if no data was committed
    ///   before;
    /// - any call that makes bodies smaller: it completes the handshake, or finds that the path carries less;
    /// - a call that changes the memory of the store: `replace_send_memory`, or `update` and `give_back` of
    ///   `HeapWindow`.
    ///
    /// # Errors
    ///
    /// - [`SendError::NotLent`]: no memory is lent. Nothing is added to the stream.
    /// - [`SendError::Closing`] after [`close`](Self::close), [`SendError::Closed`] after the end.
    pub fn commit(&mut self, count: usize) -> Result<(), SendError> {
        self.check_open()?;
        match core::mem::take(&mut self.lent) {
            Lent::Nothing => Err(SendError::NotLent),
            Lent::Spare { len, .. } => {
                self.send.commit(count.min(len.into()));
                Ok(())
            }
        }
    }

    /// Copies unread data into `buf`, and returns the number of bytes copied.
    ///
    /// 0 means that nothing is unread or `buf` is empty. [`is_finished_reading`](Self::is_finished_reading) reports the
    /// end of the stream.
    ///
    /// ```
    /// # use rdt_proto::connection::{Connection, HeapStorage};
    /// # fn on_readable(connection: &mut Connection<HeapStorage>, received: &mut Vec<u8>) {
    /// let mut buf = [0; 1_200];
    /// loop {
    ///     match connection.recv(&mut buf) {
    ///         0 => break,
    ///         len => received.extend_from_slice(&buf[..len]),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn recv(&mut self, buf: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let chunk = self.recv.chunk();
            let count = chunk.len().min(rest.len());
            let (Some(place), Some(part)) = (rest.get_mut(..count), chunk.get(..count)) else { break };
            if count == 0 {
                break;
            }
            copy(part, place);
            self.consume(count);
            filled += count;
        }
        filled
    }

    /// Lends the oldest unread data, as far as it is contiguous in memory; empty if nothing is unread.
    ///
    /// The data stays unread until [`consume`](Self::consume).
    #[must_use]
    pub fn recv_chunk(&self) -> &[u8] {
        self.recv.chunk()
    }

    /// Marks the first `count` bytes of [`recv_chunk`](Self::recv_chunk) as read; a larger `count` means all of them.
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.recv.chunk().len());
        self.recv.consume(count);
        if let Some(span) = self.state.span_mut() {
            span.on_read(count);
        }
    }

    /// Records progress that the peer cannot make: this side works for it, for example on a disk.
    ///
    /// The present [span](super::ProgressLimits::span) of the limits on progress starts again at `now`. Call it when
    /// the work ends, and at least once a span while it lasts. It does not extend the time to
    /// [close](super::ProgressLimits::close).
    pub fn note_progress(&mut self, now: Instant) {
        self.advance(now);
        let delivered = self.arq.delivered();
        if let Some(span) = self.state.span_mut() {
            span.restart(self.now, delivered, &self.limits.progress);
        }
    }

    /// Whether all received data is read and no more can arrive.
    ///
    /// No more can arrive once the peer has closed its direction, or the connection has ended.
    #[must_use]
    pub fn is_finished_reading(&self) -> bool {
        self.recv.chunk().is_empty() && (self.is_incoming_closed() || self.state.ended().is_some())
    }

    /// Whether the peer has acknowledged all written data.
    ///
    /// The peer's connection keeps acknowledged data until its application reads it.
    #[must_use]
    pub fn is_all_acknowledged(&self) -> bool {
        !self.has_unacknowledged()
    }

    /// Closes the outgoing direction.
    ///
    /// FIN is sent once the peer has acknowledged all written data. The peer may continue to send, and its data is
    /// still received (half-close, RFC 9293 §3.6). Later writes return [`SendError::Closing`]. A second call does
    /// nothing.
    pub fn close(&mut self) {
        let before = self.before();
        match &mut self.state {
            State::Opening(handshake) => handshake.close(),
            State::Established { close, .. } => close.close(),
            State::Ended { .. } => return,
        }
        self.events.remove(Events::WRITABLE);
        self.settle();
        self.trace_changes(before);
    }

    /// Ends the connection at once, in both directions.
    ///
    /// Unacknowledged data is lost. Received data stays readable. If the connection has already ended, the call does
    /// nothing.
    ///
    /// At most one packet informs the peer: RESET with `code` in extended mode, FIN in base mode. To the peer, FIN
    /// looks like a [`close`](Self::close). The packet is not retransmitted, unless the program [leaves](Self::leave).
    /// If it is lost, a peer that awaits an answer ends at its idle limit.
    pub fn abort(&mut self, code: u8) {
        let before = self.before();
        match &self.state {
            State::Established { close, .. } if !self.negotiation.is_extended() => {
                let mut close = *close;
                close.abort();
                self.end(CloseReason::Aborted, close, None);
            }
            State::Established { .. } | State::Opening(_) => self.reset(CloseReason::Aborted, code),
            State::Ended { .. } => return,
        }
        self.trace_changes(before);
    }

    /// Ends the connection. In extended mode RESET with `code` informs the peer.
    pub(super) fn reset(&mut self, reason: CloseReason, code: u8) {
        self.give_up(reason);
        if self.negotiation.is_extended() {
            self.state.say_farewell(Farewell::Reset(code));
        }
    }

    /// Ends the linger early, for a program that exits.
    ///
    /// FINACK then leaves twice more, in place of the answers to repeated FINs, and the connection is
    /// [drained](Self::is_drained). On a lossy path it leaves up to five times more: at 20 % loss four times. If all
    /// copies are lost, the peer repeats its FIN for up to four lingers: about once in a thousand closes at 20 % loss.
    /// After an [`abort`](Self::abort), a RESET that is still due leaves as often. The call does nothing in base mode,
    /// and nothing before the [end](Self::ended).
    ///
    /// ```
    /// # use rdt_proto::Instant;
    /// # use rdt_proto::connection::{Config, Connection, Storage};
    /// # let config = Config::new();
    /// # let storage = Storage::on_heap(&config, 4)?;
    /// # let mut connection = Connection::connect(Instant::ZERO, config, [7; 32], storage)?;
    /// if connection.ended().is_some() {
    ///     connection.leave();
    /// }
    /// # Ok::<(), rdt_proto::store::StoreError>(())
    /// ```
    pub fn leave(&mut self) {
        let before = self.before();
        if let (Some(losses), State::Ended { ended, .. }) = (self.losses(), &mut self.state) {
            if ended.linger.take().is_some() {
                ended.repeat(Farewell::FinAck, REPEATS + losses);
            } else if let Some(reset @ Farewell::Reset(_)) = ended.farewell {
                ended.repeat(reset, REPEATS + 1 + losses);
            }
        }
        self.trace_changes(before);
    }

    /// Ends the connection at once and sends nothing to the peer.
    ///
    /// The [reason](Self::ended) is [`CloseReason::Evicted`]. Received data stays readable. A program that routes
    /// datagrams to many connections calls this to make room for another connection, as a
    /// [`Listener`](crate::listener::Listener) does.
    pub fn evict(&mut self, now: Instant) {
        self.advance(now);
        let before = self.before();
        if self.state.ended().is_none() {
            self.give_up(CloseReason::Evicted);
        }
        self.trace_changes(before);
    }

    /// Ends the loan of memory for the body of packet `sent`, since a body that was sent must not change.
    #[inline]
    pub(super) fn take_back(&mut self, sent: Seq) {
        if matches!(self.lent, Lent::Spare { number, .. } if number == sent) {
            self.lent = Lent::Nothing;
        }
    }

    /// The largest body to send now, in bytes.
    pub(super) fn segment(&self) -> usize {
        usize::from(self.segment).min(self.send.segment())
    }

    pub(super) fn check_open(&self) -> Result<(), SendError> {
        let is_open = match &self.state {
            State::Opening(handshake) => !handshake.closes(),
            State::Established { close, .. } => close.is_open(),
            State::Ended { .. } => return Err(SendError::Closed),
        };
        if is_open { Ok(()) } else { Err(SendError::Closing) }
    }
}
