//! What a connection tells its application.

use crate::event::EventKind;
use crate::wire::DecodeError;
use thiserror::Error;

/// Something happened that the application may want to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The connection is established. For a server: the client has confirmed.
    Connected,
    /// Something has arrived to be read. Read until there is no more ([`recv`](super::Connection::recv) returns 0): of what is
    /// left unread no other event tells before more arrives.
    Readable,
    /// There is room to write after a call that could not write everything.
    Writable,
    /// The peer will send no more. What it sent before may still be unread.
    PeerClosed,
    /// The end, and the last event. What was received before may still be unread.
    Closed(Reason),
}

impl Event {
    /// The public form of a pending event. `ended`: why the connection has ended, if it has.
    pub(super) fn new(kind: EventKind, ended: Option<Reason>) -> Option<Self> {
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
pub enum Reason {
    /// Both sides closed, and everything that this side sent was acknowledged.
    #[error("both sides closed")]
    Finished,
    /// Nobody answered within the handshake limit.
    #[error("no answer within the handshake limit")]
    HandshakeTimedOut,
    /// The peer was silent for the idle limit while it had something to answer.
    #[error("no answer within the idle limit")]
    TimedOut,
    /// The peer was silent for the quiet limit while it had nothing to answer.
    #[error("nothing heard within the quiet limit")]
    Quiet,
    /// The peer ended both directions before it had acknowledged everything that this side sent.
    #[error("the peer left before it had acknowledged everything")]
    PeerLeft,
    /// This side called `abort`.
    #[error("aborted")]
    Aborted,
    /// The peer aborted, with this code (extended mode).
    #[error("the peer aborted with code {code}")]
    Reset {
        /// What the peer's application meant by it.
        code: u8,
    },
    /// The peer did not accept, with this code (extended mode).
    #[error("refused with code {code}")]
    Refused {
        /// What the peer's application meant by it.
        code: u8,
    },
    /// This side [evicted](super::Connection::evict) the connection. A [`Listener`](crate::listener::Listener) does so when the
    /// peer has restarted and confirmed a newer connection (extended mode), and when validated connections of the same address
    /// or host need the place of one that is not confirmed.
    #[error("evicted, for a newer connection of the peer or others at its address or host")]
    Superseded,
    /// The peer takes only bodies smaller than one that was written before it said so (extended mode), or a
    /// [source](crate::store::SendSource) has bodies larger than [`Config::segment`](super::Config::segment): set that to what
    /// such a peer takes.
    #[error("what is to be sent has bodies larger than the peer or the config allows")]
    SegmentTooLarge,
    /// The receive store that was lent takes no bodies of 64 bytes, which is the least that extended mode can say: the
    /// connection ends before anything is sent. Lend larger slots, or speak base mode.
    #[error("the receive store holds no body of 64 bytes, the least in extended mode")]
    StoreTooSmall,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Handled {
    /// It was understood and did its work.
    Accepted,
    /// It did nothing, for this reason, which is counted in [`Stats`](super::Stats). It may still be a sign of life, which
    /// the limits on silence regard: an INFO for which there is no room, a repeated CONNACK or FINACK, an old ACK.
    Ignored(Ignored),
}

macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// Why a datagram was ignored. None of these is an error: a network delivers anything.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Ignored {
            $($(#[$doc])+ $name,)+
        }

        impl Ignored {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

reasons! {
    /// It does not begin with the prefix in use.
    Prefix,
    /// Its type does not exist in the framing in use.
    Type,
    /// It ends before its fields do.
    Truncated,
    /// The length of an INFO is not that of its body.
    Length,
    /// There are bytes behind its last field.
    Trailing,
    /// Its options are malformed.
    Options,
    /// Its SACK is malformed.
    Sack,
    /// Its cookie is malformed.
    Cookie,
    /// It is longer than a UDP datagram can be.
    TooLong,
    /// A packet of extended mode on a connection in base mode.
    Mode,
    /// A packet that the peer of a client, or of a server, does not send.
    Role,
    /// A packet that has no meaning yet, or none any more.
    Stage,
    /// CONNECT on a connection that is established: a late copy, or a restarted peer, which base mode cannot tell apart.
    LateConnect,
    /// An acknowledgement of what had been acknowledged.
    OldAck,
    /// An acknowledgement of what was never sent.
    NeverSent,
    /// A body larger than the receive store takes.
    BodyTooLarge,
    /// The next INFO, with no room to keep it: the application reads too slowly.
    NoRoom,
    /// An INFO beyond the window.
    BeyondWindow,
    /// It came after the end.
    Closed,
}

impl From<DecodeError> for Ignored {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Prefix => Self::Prefix,
            DecodeError::Type => Self::Type,
            DecodeError::Truncated => Self::Truncated,
            DecodeError::Length => Self::Length,
            DecodeError::Trailing => Self::Trailing,
            DecodeError::Options => Self::Options,
            DecodeError::Sack => Self::Sack,
            DecodeError::Cookie => Self::Cookie,
            DecodeError::TooLong => Self::TooLong,
        }
    }
}

/// Why an application's bytes were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SendError {
    /// `close` was called: this direction has ended.
    #[error("this direction was closed")]
    Closing,
    /// The connection has ended.
    #[error("the connection has ended")]
    Closed,
    /// A piece that must not be cut is larger than a segment.
    #[error("{length} bytes do not fit into one segment of {limit}")]
    TooLarge {
        /// How long the piece is.
        length: usize,
        /// What fits.
        limit: usize,
    },
    /// Nothing was lent by `send_slot`, or another call has used it since: what was filled in is not sent.
    #[error("nothing is lent to be filled in")]
    NotLent,
    /// There is no room for a piece that must not be cut. [`Event::Writable`] tells when there is.
    #[error("no room now")]
    Full,
}
