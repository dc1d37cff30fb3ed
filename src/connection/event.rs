//! What a connection tells its application.

use crate::counts::countable;
use crate::wire::DecodeError;
use bitflags::bitflags;
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

bitflags! {
    /// The events that the application has not seen, derived from what happened: none is there twice.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(crate) struct Events: u8 {
        const CONNECTED = 1;
        const READABLE = 1 << 1;
        const WRITABLE = 1 << 2;
        const PEER_CLOSED = 1 << 3;
        const CLOSED = 1 << 4;
    }
}

impl Events {
    /// The first one, which is not told again. `ended`: why the connection has ended, if it has.
    pub(crate) fn take_first(&mut self, ended: Option<Reason>) -> Option<Event> {
        let first = self.iter().next()?;
        self.remove(first);
        Some(match first {
            Self::CONNECTED => Event::Connected,
            Self::READABLE => Event::Readable,
            Self::WRITABLE => Event::Writable,
            Self::PEER_CLOSED => Event::PeerClosed,
            _ => Event::Closed(ended?),
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
    /// The peer has restarted: a newer connection of its address was confirmed (extended mode). Or others of its address or
    /// host, who had shown to be there, needed the place of this one, which was not confirmed yet. Only a
    /// [`Listener`](crate::listener::Listener) knows.
    #[error("a newer connection of the peer, or of others at its address or host, took its place")]
    Evicted,
    /// The peer takes only bodies smaller than one that was written before it said so (extended mode), or a
    /// [source](crate::store::SendSource) has bodies larger than [`Config::segment`](super::Config::segment): set that to what
    /// such a peer takes.
    #[error("what is to be sent has bodies larger than the peer or the config allows")]
    SegmentTooLarge,
    /// The receive store that was lent takes no bodies of 64 bytes, which is the least that extended mode can say: the
    /// connection ends before anything is sent. Lend larger slots, or speak base mode.
    #[error("the receive store holds no body of 64 bytes, the least in extended mode")]
    StoreTooSmall,
    /// The peer closed in the middle of a message ([`socket_tcp`](crate::socket_tcp) only, which has messages).
    #[error("the peer closed in the middle of a message")]
    CutShort,
    /// What is to be sent would need a number above 2^63 ([`socket_tcp`](crate::socket_tcp) only).
    #[error("the numbers are used up")]
    NumbersExhausted,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a server may want to know who sends nonsense; `let _ =` where nobody does"]
pub enum Handled {
    /// It was understood and did its work.
    Accepted,
    /// It did nothing, for this reason, which is counted in [`Stats`](super::Stats). It may still be a sign of life, which
    /// the limits on silence regard: an INFO for which there is no room, a repeated CONNACK or FINACK, an old ACK.
    Ignored(Ignored),
}

/// Why a datagram was ignored. None of these is an error: a network delivers anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ignored {
    /// It is no packet of the framing in use, or its options lack what its type needs.
    Malformed(DecodeError),
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

countable! {
    Ignored: [Malformed(DecodeError)]
    Mode, Role, Stage, LateConnect, OldAck, NeverSent, BodyTooLarge, NoRoom, BeyondWindow, Closed,
}

impl From<DecodeError> for Ignored {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
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

/// `len` bytes of datagrams were written into the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "what poll_transmit wrote counts as sent"]
pub struct Transmit {
    /// How many bytes were written.
    pub len: usize,
    /// The size of each datagram in it but the last, which may be shorter: what segmentation offload (GSO) takes.
    pub segment_size: usize,
}
