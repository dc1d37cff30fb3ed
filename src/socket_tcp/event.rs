//! What became of a datagram, what a connection counts, and what a caller may do wrong.

use super::segment::SegmentError;
use crate::BufferTooSmall;
use crate::event::EventKind;
use thiserror::Error;

/// Something happened that the application may want to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketEvent {
    /// The handshake is complete.
    Connected,
    /// Something of a message has arrived, its length at least. Read until [`recv`](super::SocketConnection::recv)
    /// returns `None`.
    Readable,
    /// A message is acknowledged whole, or there is room for more of one of which not all could be written.
    Writable,
    /// The peer has closed, and nothing can be sent any more.
    PeerClosed,
    /// The end, and the last event. What was received before may still be unread.
    Closed(SocketCloseReason),
}

impl SocketEvent {
    /// The public form of a pending event. `ended`: why the connection has ended, if it has.
    pub(super) fn new(kind: EventKind, ended: Option<SocketCloseReason>) -> Option<Self> {
        Some(match kind {
            EventKind::Connected => Self::Connected,
            EventKind::Readable => Self::Readable,
            EventKind::Writable => Self::Writable,
            EventKind::PeerClosed => Self::PeerClosed,
            EventKind::Closed => Self::Closed(ended?),
        })
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SocketCloseReason {
    /// One side closed after all messages had arrived, and the peer heard of it or was asked three times.
    #[error("closed, with everything acknowledged")]
    Finished,
    /// The peer did not answer within the [handshake limit](super::SocketConfig::handshake_limit).
    #[error("no answer within the handshake limit")]
    HandshakeTimedOut,
    /// The peer was silent for the [idle limit](super::SocketConfig::idle_limit) while it had something to answer.
    #[error("no answer within the idle limit")]
    TimedOut,
    /// The peer was silent for the [quiet limit](super::SocketConfig::quiet_limit) while it had nothing to answer.
    #[error("nothing heard within the quiet limit")]
    Quiet,
    /// The peer closed before it had taken a whole message of this side.
    #[error("the peer closed before it had taken a whole message")]
    PeerLeft,
    /// The peer closed in the middle of a message of its own.
    #[error("the peer closed in the middle of a message")]
    CutShort,
    /// This side called [`abort`](super::SocketConnection::abort).
    #[error("aborted")]
    Aborted,
    /// The next number would be above 2^63.
    #[error("the numbers are used up")]
    NumbersExhausted,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketHandled {
    /// It was understood and did its work.
    Accepted,
    /// It did nothing, for this reason, which is counted in [`SocketStats`]. It is no sign of life either: the limits
    /// on silence go on.
    Ignored(SocketIgnored),
}

/// Why a datagram was ignored. None of these is an error: a network delivers anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SocketIgnored {
    /// It is no segment.
    #[error("no segment: {0}")]
    Malformed(#[from] SegmentError),
    /// It came from somebody else.
    #[error("from an address that is not the peer's")]
    Address,
    /// A segment that has no meaning yet, or none any more.
    #[error("a segment without meaning at this stage")]
    Stage,
    /// A SYN+ACK, a FIN or an answer to it whose number does not belong to what it would answer, or a number too close
    /// to the end of numbers.
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
    /// The next bytes, with no room to keep them, or a message while the one before it is unread: the application reads
    /// too slowly.
    #[error("no room")]
    NoRoom,
    /// It came after the end.
    #[error("the connection has ended")]
    Closed,
}

/// Counters of one connection. They saturate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct SocketStats {
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
    /// Ignored: [`SocketIgnored::Malformed`].
    pub malformed: u64,
    /// Ignored: [`SocketIgnored::Address`].
    pub address: u64,
    /// Ignored: [`SocketIgnored::Stage`].
    pub stage: u64,
    /// Ignored: [`SocketIgnored::Number`].
    pub number: u64,
    /// Ignored: [`SocketIgnored::OldAck`].
    pub old_ack: u64,
    /// Ignored: [`SocketIgnored::Ahead`].
    pub ahead: u64,
    /// Ignored: [`SocketIgnored::Crossing`].
    pub crossing: u64,
    /// Ignored: [`SocketIgnored::Length`].
    pub length: u64,
    /// Ignored: [`SocketIgnored::NoRoom`].
    pub no_room: u64,
    /// Ignored: [`SocketIgnored::Closed`].
    pub closed: u64,
}

impl SocketStats {
    pub(super) fn count(&mut self, reason: SocketIgnored) {
        increment(match reason {
            SocketIgnored::Malformed(_) => &mut self.malformed,
            SocketIgnored::Address => &mut self.address,
            SocketIgnored::Stage => &mut self.stage,
            SocketIgnored::Number => &mut self.number,
            SocketIgnored::OldAck => &mut self.old_ack,
            SocketIgnored::Ahead => &mut self.ahead,
            SocketIgnored::Crossing => &mut self.crossing,
            SocketIgnored::Length => &mut self.length,
            SocketIgnored::NoRoom => &mut self.no_room,
            SocketIgnored::Closed => &mut self.closed,
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
pub enum SocketSendError {
    /// `close` was called.
    #[error("the connection was closed")]
    Closing,
    /// The connection has ended, or the peer is closing it.
    #[error("the connection has ended")]
    Closed,
    /// The message before is not acknowledged yet. [`Writable`](SocketEvent::Writable) tells when it is.
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
