//! The reports of a connection: events, close reasons, the effects of datagrams, and write errors.

use crate::counts::countable;
use crate::event::EventKind;
use crate::wire::DecodeError;
use thiserror::Error;

/// A change of a connection that its application may act on.
///
/// [`Connection::poll_event`](super::Connection::poll_event) returns pending events in the order of these variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is complete: a client has received CONNACK, or a server INFO 0.
    Connected,
    /// Data can be read.
    ///
    /// Read until [`recv`](super::Connection::recv) returns 0. Data that is left unread causes no event until more data
    /// arrives.
    Readable,
    /// There is room again, after a write that did not find room for all of its data.
    Writable,
    /// The peer has closed its direction and sends no more data. Data may still be unread.
    PeerClosed,
    /// The connection has ended. This is the last event. Data may still be unread.
    Closed(CloseReason),
}

impl Event {
    /// The public form of a pending event. `ended` is the close reason, if the connection has ended.
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
    /// Extended mode: the peer answers and its window is open, but it acknowledged no new data in
    /// 20 timeouts (see [`Config::idle_limit`](super::Config::idle_limit)).
    ///
    /// The path may not carry datagrams as large as those of the data: try a smaller
    /// [`Config::segment`](super::Config::segment).
    #[error("the peer answers, but no data arrives: the datagrams may be too large for the path")]
    NoProgress,
    /// The peer made too little progress: see [`ProgressLimits`](super::ProgressLimits).
    #[error("the peer made too little progress")]
    Stalled,
    /// Extended mode: the peer acknowledged data that was never sent (an optimistic acknowledgement, RFC 9000 §21.4).
    ///
    /// Such a SACK carries the tag of this connection, so neither reordering nor an earlier connection explains it, as
    /// long as no tag is used twice. A path that damages datagrams does: the link must discard those.
    #[error("the peer acknowledged data that was never sent")]
    AcknowledgedUnsent,
    /// Base mode: the peer was silent for the [quiet limit](super::Config::quiet_limit) while it had nothing to answer.
    #[error("no datagram within the quiet limit")]
    Quiet,
    /// The peer's FIN closed both directions, but the peer had not acknowledged all data of this side.
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
    /// Extended mode: the server does not know this connection. It has restarted, or has ended the connection.
    ///
    /// The server has shown that it is the one that accepted the connection, by the token of its CONNACK. See
    /// [`Listener::set_reset_key`](crate::listener::Listener::set_reset_key).
    #[error("the server does not know this connection: it has restarted, or has ended the connection")]
    StatelessReset,
    /// Extended mode: the server refused the connection with RESET.
    #[error("refused with code {code}")]
    Refused {
        /// The code of the RESET, with a meaning that the peer's application defines.
        code: u8,
    },
    /// This side [evicted](super::Connection::evict) the connection.
    ///
    /// In extended mode, a [`Listener`](crate::listener::Listener) evicts the old connection of a peer that has
    /// restarted, once the new connection is confirmed. It also evicts a connection if other connections of the same
    /// address or host take its quota.
    #[error("evicted for another connection of the same peer, address or host")]
    Evicted,
    /// Extended mode: the sides speak different versions.
    #[error("the peer speaks version {theirs} of extended mode, this side version {ours}")]
    Version {
        /// The [version](crate::wire::VERSION) of this side.
        ours: u32,
        /// The version of the peer; 0 if it announces none.
        theirs: u32,
    },
    /// Extended mode: bodies were written that are larger than the peer accepts, and the send store cannot cut them.
    ///
    /// CONNACK announces the peer's limit. [`SendSlots`](crate::store::SendSlots) and
    /// [`SendSource`](crate::store::SendSource) cut bodies to it, unless 2^31 bodies or more would result. For a peer
    /// with a low limit, set [`Config::segment`](super::Config::segment) to that limit.
    #[error("the send store holds bodies larger than the peer takes")]
    SegmentTooLarge,
}

/// The effect of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Handled {
    /// The datagram was processed.
    Accepted,
    /// The datagram was ignored for this reason, which [`Stats`](super::Stats) counts.
    ///
    /// An ignored packet may still restart the idle and quiet limits. Examples are an INFO without room, a repeated
    /// CONNACK or FINACK, and an old ACK.
    Ignored(Ignored),
}

/// Why a datagram was ignored.
///
/// None of these is an error, since a network may deliver any datagram at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ignored {
    /// The datagram is not a packet of the framing in use, or lacks a required option.
    Malformed(DecodeError),
    /// A packet that does not exist in the mode of the connection.
    Mode,
    /// A packet that only the other role sends: CONNECT at a client, CONNACK or RETRY at a server.
    Role,
    /// A packet that has no meaning in the current state of the connection.
    State,
    /// CONNECT on an established connection: a late copy, or a restarted peer. Base mode cannot distinguish the two.
    LateConnect,
    /// An ACK of a number that was acknowledged before.
    OldAck,
    /// An ACK of a number that was never sent (base mode), or an ECHO with a nonce that was never sent.
    NeverSent,
    /// An INFO whose body is larger than the receive store accepts.
    BodyTooLarge,
    /// The next INFO, if the receive store has no room for it: the application reads too slowly.
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
    /// The data of `send_segment` or `send_swap` is larger than one segment.
    #[error("{length} bytes do not fit into one segment of {limit}")]
    TooLarge {
        /// The length of the data, in bytes.
        length: usize,
        /// The largest body, in bytes.
        limit: usize,
    },
    /// `send_slot` lends no memory: it was not called, or a later call ended the loan.
    #[error("no memory is lent to commit")]
    NotLent,
    /// The slot of `send_swap` comes from a store with another segment.
    #[error("the slot comes from a store with another segment")]
    ForeignSlot,
    /// The send store has no free slot for `send_segment` or `send_swap`. [`Event::Writable`] reports when a slot becomes
    /// free.
    #[error("no room in the send store now")]
    Full,
}
