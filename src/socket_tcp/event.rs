//! What became of a datagram, what a connection counts, and what a caller may do wrong.

use super::segment::SegmentError;
use crate::BufferTooSmall;
use thiserror::Error;

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a server may want to know who sends nonsense; `let _ =` where nobody does"]
pub enum Handled {
    /// It was understood and did its work.
    Accepted,
    /// It did nothing, for this reason, which is counted in [`Stats`]. It is no sign of life either: the limits on silence go
    /// on.
    Ignored(Ignored),
}

/// Why a datagram was ignored. None of these is an error: a network delivers anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Ignored {
    /// It is no segment.
    #[error("no segment: {0}")]
    Malformed(#[from] SegmentError),
    /// It came from somebody else.
    #[error("from an address that is not the peer's")]
    Address,
    /// A segment that has no meaning yet, or none any more.
    #[error("a segment without meaning at this stage")]
    Stage,
    /// A SYN+ACK, a FIN or an answer to it whose number does not belong to what it would answer, or a number too close to the
    /// end of numbers.
    #[error("a number that means nothing here")]
    Number,
    /// An acknowledgement of what had been acknowledged.
    #[error("an acknowledgement of what had been acknowledged")]
    OldAck,
    /// Data beyond the next byte.
    #[error("data beyond the next byte")]
    Ahead,
    /// Both sides send, or one sends and the other closes, and it is this side's turn.
    #[error("it is this side's turn")]
    Crossing,
    /// Data where a length should be, or more than the length said.
    #[error("not a length, or more than it said")]
    Length,
    /// The next bytes, with no room to keep them, or a message while the one before it is unread: the application reads too
    /// slowly.
    #[error("no room")]
    NoRoom,
    /// It came after the end.
    #[error("the connection has ended")]
    Closed,
}

/// Counters of one connection. They saturate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Stats {
    /// Datagrams written by `poll_transmit`.
    pub datagrams_sent: u64,
    /// Bytes of these.
    pub bytes_sent: u64,
    /// Datagrams given to `handle_datagram`.
    pub datagrams_received: u64,
    /// Bytes of these.
    pub bytes_received: u64,
    /// Segments of messages sent again.
    pub segments_repeated: u64,
    /// Segments of messages that arrived again after they had been received.
    pub segments_duplicate: u64,
    /// Expired timers, those of opening and closing included.
    pub timeouts: u64,
    /// Ignored: [`Ignored::Malformed`].
    pub malformed: u64,
    /// Ignored: [`Ignored::Address`].
    pub address: u64,
    /// Ignored: [`Ignored::Stage`].
    pub stage: u64,
    /// Ignored: [`Ignored::Number`].
    pub number: u64,
    /// Ignored: [`Ignored::OldAck`].
    pub old_ack: u64,
    /// Ignored: [`Ignored::Ahead`].
    pub ahead: u64,
    /// Ignored: [`Ignored::Crossing`].
    pub crossing: u64,
    /// Ignored: [`Ignored::Length`].
    pub length: u64,
    /// Ignored: [`Ignored::NoRoom`].
    pub no_room: u64,
    /// Ignored: [`Ignored::Closed`].
    pub closed: u64,
}

impl Stats {
    pub(super) fn count(&mut self, reason: Ignored) {
        increment(match reason {
            Ignored::Malformed(_) => &mut self.malformed,
            Ignored::Address => &mut self.address,
            Ignored::Stage => &mut self.stage,
            Ignored::Number => &mut self.number,
            Ignored::OldAck => &mut self.old_ack,
            Ignored::Ahead => &mut self.ahead,
            Ignored::Crossing => &mut self.crossing,
            Ignored::Length => &mut self.length,
            Ignored::NoRoom => &mut self.no_room,
            Ignored::Closed => &mut self.closed,
        });
    }

    /// All datagrams that were ignored.
    #[must_use]
    pub fn ignored(&self) -> u64 {
        let Self { malformed, address, stage, number, old_ack, .. } = *self;
        let Self { ahead, crossing, length, no_room, closed, .. } = *self;
        [malformed, address, stage, number, old_ack, ahead, crossing, length, no_room, closed]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

pub(super) fn increment(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

/// Why an application's message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SendError {
    /// `close` was called.
    #[error("the connection was closed")]
    Closing,
    /// The connection has ended, or the peer is closing it.
    #[error("the connection has ended")]
    Closed,
    /// The message before is not acknowledged yet. [`Writable`](crate::connection::Event::Writable) tells when it is.
    #[error("the message before is not acknowledged yet")]
    Busy,
    /// No message was announced, or all of it was written.
    #[error("no message was announced, or all of it was written")]
    NotAnnounced,
    /// Longer than can be said, or than there is room for.
    #[error("{length} bytes are more than {limit}")]
    TooLarge {
        /// How long the message is.
        length: u64,
        /// What fits.
        limit: u64,
    },
}

/// Why a message could not be read in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum RecvError {
    /// It is longer than the buffer.
    #[error(transparent)]
    Buffer(#[from] BufferTooSmall),
    /// It is longer than the connection has room for: read it in pieces.
    #[error("{length} bytes are more than the {limit} that the connection holds")]
    TooLarge {
        /// What is left of the message.
        length: u64,
        /// What fits.
        limit: u64,
    },
    /// The connection has ended, and the rest of the message never comes: read what there is in pieces.
    #[error("the connection ended before the message was whole")]
    CutShort,
}
