//! Events, results, statistics and errors of a connection.

use super::segment::SegmentError;
use crate::BufferTooSmall;
use crate::event::EventKind;
use thiserror::Error;

/// An event of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketEvent {
    /// The handshake is complete.
    Connected,
    /// A part of a message arrived, at least its length.
    ///
    /// Read until [`recv`](super::SocketConnection::recv) returns `None`.
    Readable,
    /// A message is fully acknowledged, or [`write`](super::SocketConnection::write) has space again.
    Writable,
    /// The peer closed, and nothing more can be sent.
    PeerClosed,
    /// The connection ended. This is the last event; received bytes may still be unread.
    Closed(SocketCloseReason),
}

impl SocketEvent {
    /// Converts a pending event. `ended` is the close reason, if the connection has ended.
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
    /// One side closed after all written bytes arrived. The other side answered, or three attempts had no answer.
    #[error("closed, with everything acknowledged")]
    Finished,
    /// The peer did not answer within the [handshake limit](super::SocketConfig::handshake_limit).
    #[error("no answer within the handshake limit")]
    HandshakeTimedOut,
    /// The peer was silent for the [idle limit](super::SocketConfig::idle_limit) while a segment waited for its
    /// acknowledgement.
    #[error("no answer within the idle limit")]
    TimedOut,
    /// The peer was silent for the [quiet limit](super::SocketConfig::quiet_limit) while no segment waited for its
    /// acknowledgement.
    #[error("nothing heard within the quiet limit")]
    Quiet,
    /// The peer closed before it received a whole message of this side.
    #[error("the peer closed before it received a whole message")]
    PeerLeft,
    /// The peer closed within a message of its own.
    #[error("the peer closed within its message")]
    CutShort,
    /// This side called [`abort`](super::SocketConnection::abort).
    #[error("aborted")]
    Aborted,
    /// The next number would exceed 2^63.
    #[error("the numbers are exhausted")]
    NumbersExhausted,
}

/// The result of processing a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketHandled {
    /// The datagram was valid and was processed.
    Accepted,
    /// The datagram was ignored. [`SocketStats`] counts the reason.
    ///
    /// An ignored datagram does not end the silence of the peer: the time limits keep running. The number of an ignored
    /// segment may still acknowledge a segment of this side.
    Ignored(SocketIgnored),
}

/// Why a datagram was ignored. None of the reasons is an error of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SocketIgnored {
    /// The datagram is not a segment.
    #[error("not a segment: {0}")]
    Malformed(#[from] SegmentError),
    /// The source of the datagram is not the peer's address.
    #[error("the source is not the peer's address")]
    Address,
    /// The state of the connection does not allow this segment.
    #[error("the segment is invalid in this state")]
    State,
    /// The number of a segment of the handshake or the close is not the expected one.
    ///
    /// A number too close to [`MAX_NUMBER`](super::MAX_NUMBER) is ignored as well.
    #[error("the number is unexpected")]
    Number,
    /// An acknowledgement of data that is already acknowledged.
    #[error("the data is already acknowledged")]
    OldAck,
    /// Data beyond the next byte.
    #[error("the data is beyond the next byte")]
    Ahead,
    /// Both sides sent data or FIN at once, and the segment of this side has priority.
    #[error("both sides sent, and this side has priority")]
    Crossing,
    /// Data in place of a length, or beyond the announced length.
    #[error("the length is invalid or exceeded")]
    Length,
    /// The next bytes do not fit, or the previous message is not fully read.
    ///
    /// The peer repeats the segment. The application makes room for it by reading. A body that is longer than the whole
    /// receive buffer never fits.
    #[error("the receive buffer is full")]
    NoRoom,
    /// The connection has ended.
    #[error("the connection has ended")]
    Closed,
}

/// Counters of one connection. They saturate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct SocketStats {
    /// Datagrams written by `poll_transmit`.
    pub datagrams_sent: u64,
    /// The bytes in these datagrams.
    pub bytes_sent: u64,
    /// Datagrams given to `handle_datagram`.
    pub datagrams_received: u64,
    /// The bytes in these datagrams.
    pub bytes_received: u64,
    /// Segments of messages that were sent again.
    pub segments_repeated: u64,
    /// Segments of messages that arrived again.
    pub segments_duplicate: u64,
    /// Expired retransmission timers, including those of handshake and close.
    pub timeouts: u64,
    /// Datagrams ignored as [`SocketIgnored::Malformed`].
    pub malformed: u64,
    /// Datagrams ignored as [`SocketIgnored::Address`].
    pub address: u64,
    /// Datagrams ignored as [`SocketIgnored::State`].
    pub state: u64,
    /// Datagrams ignored as [`SocketIgnored::Number`].
    pub number: u64,
    /// Datagrams ignored as [`SocketIgnored::OldAck`].
    pub old_ack: u64,
    /// Datagrams ignored as [`SocketIgnored::Ahead`].
    pub ahead: u64,
    /// Datagrams ignored as [`SocketIgnored::Crossing`].
    pub crossing: u64,
    /// Datagrams ignored as [`SocketIgnored::Length`].
    pub length: u64,
    /// Datagrams ignored as [`SocketIgnored::NoRoom`].
    pub no_room: u64,
    /// Datagrams ignored as [`SocketIgnored::Closed`].
    pub closed: u64,
}

impl SocketStats {
    pub(super) fn count(&mut self, reason: SocketIgnored) {
        increment(match reason {
            SocketIgnored::Malformed(_) => &mut self.malformed,
            SocketIgnored::Address => &mut self.address,
            SocketIgnored::State => &mut self.state,
            SocketIgnored::Number => &mut self.number,
            SocketIgnored::OldAck => &mut self.old_ack,
            SocketIgnored::Ahead => &mut self.ahead,
            SocketIgnored::Crossing => &mut self.crossing,
            SocketIgnored::Length => &mut self.length,
            SocketIgnored::NoRoom => &mut self.no_room,
            SocketIgnored::Closed => &mut self.closed,
        });
    }

    /// The number of ignored datagrams.
    #[must_use]
    pub fn ignored(&self) -> u64 {
        let Self { malformed, address, state, number, old_ack, .. } = *self;
        let Self { ahead, crossing, length, no_room, closed, .. } = *self;
        [malformed, address, state, number, old_ack, ahead, crossing, length, no_room, closed]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

pub(super) fn increment(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

/// Why a message was not accepted for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SocketSendError {
    /// The application called [`close`](super::SocketConnection::close).
    #[error("the connection was closed")]
    Closing,
    /// The connection has ended, or the peer is closing it.
    #[error("the connection has ended")]
    Closed,
    /// The previous message is not fully acknowledged. [`Writable`](SocketEvent::Writable) reports the end of the wait.
    #[error("the previous message is not fully acknowledged")]
    Busy,
    /// No message takes more bytes: none was begun, or the last one is fully written.
    #[error("no message is incomplete")]
    NotAnnounced,
    /// The message exceeds the limit of the protocol or of the buffer.
    #[error("{length} bytes exceed the limit of {limit}")]
    TooLarge {
        /// The length of the message in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

/// Why a message could not be read as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum RecvError {
    /// The rest of the message is longer than the caller's buffer.
    #[error(transparent)]
    Buffer(#[from] BufferTooSmall),
    /// The rest of the message is longer than the receive buffer. Read it in pieces.
    #[error("{length} bytes exceed the receive buffer of {limit}")]
    TooLarge {
        /// The unread rest of the message in bytes.
        length: u64,
        /// The capacity of the receive buffer in bytes.
        limit: u64,
    },
    /// The connection ended before the message was complete. Read the available bytes in pieces.
    #[error("the connection ended before the message was complete")]
    CutShort,
}
