//! The configuration of a connection.

use super::segment::MAX_BODY;
use crate::Duration;

/// The behaviour and limits of a connection. [`Duration::MAX`] lifts a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketConfig {
    /// The implementation of the peer. Default: [`SocketPeer::RdtProto`].
    pub peer: SocketPeer,
    /// When unanswered segments are repeated. Default: [`Timeouts::Measured`].
    pub timeouts: Timeouts,
    /// The addresses from which a client accepts SYN+ACK. Default: [`AnswerFrom::SameHost`].
    pub answer_from: AnswerFrom,
    /// How the content of messages is divided into segments. Default: [`Pieces::Full`].
    pub pieces: Pieces,
    /// The maximum time for the handshake. Default: 10 s.
    ///
    /// A client completes the handshake when SYN+ACK arrives. A server completes it when a segment proves that SYN+ACK
    /// arrived. On expiry the connection is
    /// [`Closed(HandshakeTimedOut)`](super::SocketCloseReason::HandshakeTimedOut).
    pub handshake_limit: Duration,
    /// The maximum silence of the peer while a segment waits for its acknowledgement. Default: 30 s.
    ///
    /// On expiry the connection is [`Closed(TimedOut)`](super::SocketCloseReason::TimedOut). With
    /// [`Timeouts::Measured`], the interval between repetitions grows up to a quarter of this limit, and at most to
    /// 60 s.
    ///
    /// An [ignored](super::SocketIgnored) datagram does not end the silence, nor does a repeated SYN+ACK. A peer
    /// without free receive memory acknowledges nothing, and counts as silent.
    pub idle_limit: Duration,
    /// The maximum silence of the peer while no segment waits for its acknowledgement. Default: 60 s.
    ///
    /// On expiry the connection is [`Closed(Quiet)`](super::SocketCloseReason::Quiet). An idle connection has no other
    /// means to detect the loss of its peer.
    pub quiet_limit: Duration,
}

impl SocketConfig {
    /// The configuration for a peer that runs the report's code, on either side.
    ///
    /// It uses the report's timeouts with limits to match. The rest follows from [`SocketPeer::Report`].
    #[must_use]
    pub const fn report() -> Self {
        Self {
            peer: SocketPeer::Report,
            timeouts: Timeouts::Fixed { syn: Duration::from_secs(12), segment: Duration::from_secs(4) },
            answer_from: AnswerFrom::SameHost,
            pieces: Pieces::Full,
            handshake_limit: Duration::from_secs(60),
            idle_limit: Duration::from_secs(60),
            quiet_limit: Duration::from_secs(120),
        }
    }
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            peer: SocketPeer::RdtProto,
            timeouts: Timeouts::Measured,
            answer_from: AnswerFrom::SameHost,
            pieces: Pieces::Full,
            handshake_limit: Duration::from_secs(10),
            idle_limit: Duration::from_secs(30),
            quiet_limit: Duration::from_secs(60),
        }
    }
}

/// The implementation that the peer runs. Segments do not reveal it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum SocketPeer {
    /// This library, or an implementation of the rules of [this module](super), such as other programs of the report's
    /// course.
    RdtProto,
    /// The report's code, which never yields and never withdraws its FIN.
    ///
    /// This side therefore always yields. It sends the ACK of the handshake only to the address to which it sent SYN,
    /// and ends a close with FIN instead of ACK, as that code does. Do not set `Report` on both sides: if both yield,
    /// both wait until the quiet limit.
    Report,
}

/// When an unanswered segment is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeouts {
    /// After the retransmission timeout of RFC 6298, doubled for each repetition.
    Measured,
    /// After a fixed time of at least 1 ms, as in the report's code.
    Fixed {
        /// After a SYN. The report's server ignores datagrams for 8 s after a SYN without an ACK, and fails after 16 s.
        syn: Duration,
        /// After any other segment. The report's code waits 4 to 15 s.
        segment: Duration,
    },
}

/// The addresses from which a client accepts SYN+ACK. The source of the accepted SYN+ACK becomes the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum AnswerFrom {
    /// Any port of the [host](crate::Address::host) to which SYN was sent.
    ///
    /// The report's server answers from another port. An IPv6 host is its 64-bit network.
    SameHost,
    /// Any host. An attacker then needs to guess one of 101 numbers to replace the server.
    AnyHost,
}

/// How the content of a message is divided into segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Pieces {
    /// Pieces of [`MAX_BODY`](super::MAX_BODY) bytes, and the rest.
    Full,
    /// Pieces of 2 bytes, for a peer that runs the report's code. If the length is odd, the last piece has 3 bytes.
    ///
    /// The report's receiver takes a segment for a repetition only if its number is 2 below the expected one. It
    /// appends the bytes of any other repeated segment again, and so loses the end of the message. Pieces of 2 bytes
    /// make this check right, at eight times the segments. The report's application must read the whole message in one
    /// call.
    ///
    /// **An acknowledged message is still no proof that the report's code has it unchanged.**
    Pairs,
}

impl Pieces {
    /// The length of the next piece, if `rest` bytes of the message are not yet acknowledged.
    pub(super) fn next_len(self, rest: u64) -> usize {
        let longest = match self {
            Self::Full => MAX_BODY,
            Self::Pairs if rest == 3 => 3,
            Self::Pairs => 2,
        };
        usize::try_from(rest).unwrap_or(longest).min(longest)
    }
}
