//! What a connection reports: events, the reason of its end, the effect of a datagram, a refused write.

use crate::counts::countable;
use crate::event::EventKind;
use crate::wire::DecodeError;
use thiserror::Error;

/// A change of a connection that its application may act on.
///
/// [`Connection::poll_event`](super::Connection::poll_event) returns them in the order of these variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is complete. At a server: INFO 0 of the client has arrived.
    Connected,
    /// Data can be read.
    ///
    /// Read until [`recv`](super::Connection::recv) returns 0: no further event reports unread data until more arrives.
    Readable,
    /// There is room again after a write that could not take all of its data.
    Writable,
    /// The peer has closed its direction and sends no more data. Data may still be unread.
    PeerClosed,
    /// The connection has ended: the last event. Data may still be unread.
    Closed(CloseReason),
}

impl Event {
    /// The public form of a pending event. `ended`: the reason if the connection has ended.
    pub(super) fn new(kind: EventKind, ended: Option<CloseReason>) -> Option<Self> {
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
///
/// Only [`Finished`](Self::Finished) guarantees that the peer has all data that this side wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// Both sides closed, and the peer has acknowledged all data of this side.
    #[error("both sides closed")]
    Finished,
    /// The handshake was not completed within the handshake limit or the idle limit.
    #[error("no answer within the handshake limit")]
    HandshakeTimedOut,
    /// The peer was silent for the [idle limit](super::Config::idle_limit) while it had something to answer.
    #[error("no answer within the idle limit")]
    TimedOut,
    /// Base mode: the peer was silent for the [quiet limit](super::Config::quiet_limit) while it had nothing to answer.
    #[error("no datagram within the quiet limit")]
    Quiet,
    /// The peer's FIN closed both directions before it had acknowledged all data of this side.
    ///
    /// Only a [`Peer::RostovSelectiveRepeat`](super::Peer::RostovSelectiveRepeat) does this.
    #[error("the peer closed before it had acknowledged all data")]
    PeerLeft,
    /// This side called [`abort`](super::Connection::abort).
    #[error("aborted")]
    Aborted,
    /// Extended mode: the peer aborted with RESET.
    #[error("the peer aborted with code {code}")]
    Reset {
        /// The code of the RESET, with a meaning that the peer's application defines.
        code: u8,
    },
    /// Extended mode: the server refused the connection with RESET.
    #[error("refused with code {code}")]
    Refused {
        /// The code of the RESET, with a meaning that the peer's application defines.
        code: u8,
    },
    /// This side [evicted](super::Connection::evict) the connection.
    ///
    /// A [`Listener`](crate::listener::Listener) evicts a connection when its peer has restarted and confirmed a newer
    /// one (extended mode). It evicts an unconfirmed connection when validated ones of the same address or host need
    /// its place.
    #[error("evicted for another connection of the same peer, address or host")]
    Evicted,
    /// Extended mode: CONNACK announces a limit below the bodies that are written, and the send store cannot cut them.
    ///
    /// [`SendSlots`](crate::store::SendSlots) and [`SendSource`](crate::store::SendSource) can, unless 2^31 bodies or
    /// more would result. Set [`Config::segment`](super::Config::segment) to what such a peer takes.
    #[error("the send store holds bodies larger than the peer takes")]
    SegmentTooLarge,
}

/// The effect of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Handled {
    /// The datagram was processed.
    Accepted,
    /// The datagram changed nothing, for this reason. [`Stats`](super::Stats) counts it.
    ///
    /// It may still restart the limits on silence: an INFO without room, a repeated CONNACK or FINACK, an old ACK.
    Ignored(Ignored),
}

/// Why a datagram was ignored.
///
/// None of these is an error, since a network may deliver any datagram at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ignored {
    /// Not a packet of the framing in use, or without a required option.
    Malformed(DecodeError),
    /// A packet that does not exist in the mode of the connection.
    Mode,
    /// A packet that only the other role sends: CONNECT at a client, CONNACK or RETRY at a server.
    Role,
    /// A packet without a meaning in the state of the connection.
    State,
    /// CONNECT on an established connection: a late copy, or a restarted peer. Base mode cannot distinguish the two.
    LateConnect,
    /// An ACK of a number that was acknowledged before.
    OldAck,
    /// An acknowledgement of a number, or an ECHO of a nonce, that was never sent.
    NeverSent,
    /// An INFO with a body larger than the receive store takes.
    BodyTooLarge,
    /// The next INFO, without room in the receive store: the application reads too slowly.
    NoRoom,
    /// An INFO beyond the window.
    BeyondWindow,
    /// A packet after the end of the connection.
    Closed,
}

countable! {
    Ignored: [Malformed(DecodeError)]
    Mode, Role, State, LateConnect, OldAck, NeverSent, BodyTooLarge, NoRoom, BeyondWindow, Closed,
}

impl From<DecodeError> for Ignored {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SendError {
    /// [`close`](super::Connection::close) was called.
    #[error("this direction was closed")]
    Closing,
    /// The connection has ended.
    #[error("the connection has ended")]
    Closed,
    /// The data of `send_segment` is larger than one segment.
    #[error("{length} bytes do not fit into one segment of {limit}")]
    TooLarge {
        /// The length of the data, in bytes.
        length: usize,
        /// The largest body, in bytes.
        limit: usize,
    },
    /// No memory is lent by `send_slot`, or another call has used it since.
    #[error("no memory is lent to commit")]
    NotLent,
    /// There is no room for the data of `send_segment`. [`Event::Writable`] reports when there is.
    #[error("no room in the send store now")]
    Full,
}
