//! The limits of a connection, and whose code is at the other end.

use crate::Duration;

/// How a connection behaves, and its limits. A limit of [`Duration::MAX`] is lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketConfig {
    /// Whose code is at the other end. Default: [`SocketPeer::RdtProto`].
    pub peer: SocketPeer,
    /// When to repeat what was not answered. Default: [`Timeouts::Measured`].
    pub timeouts: Timeouts,
    /// From where a client takes the answer to its SYN. Default: [`AnswerFrom::SameHost`].
    pub answer_from: AnswerFrom,
    /// How long opening may take: for a client until SYN+ACK, for a server until anything shows that this has arrived.
    /// Then the connection is [`Closed(HandshakeTimedOut)`](super::SocketCloseReason::HandshakeTimedOut). Default: 10
    /// s.
    pub handshake_limit: Duration,
    /// How long the peer may be silent while a segment of ours waits for its acknowledgement. Then the connection is
    /// [`Closed(TimedOut)`](super::SocketCloseReason::TimedOut). A quarter of it is also the longest interval between
    /// two repetitions. What does nothing here is no sign of life ([`SocketIgnored`](super::SocketIgnored)), and a peer
    /// whose application does not read is as silent as one that is gone. Default: 30 s.
    pub idle_limit: Duration,
    /// How long the peer may be silent while nothing of ours waits for its answer. Then the connection is
    /// [`Closed(Quiet)`](super::SocketCloseReason::Quiet): there is no other way to notice that a peer is gone.
    /// Default: 60 s.
    pub quiet_limit: Duration,
}

impl SocketConfig {
    /// Towards the report's own code, on either side: its timeouts, with limits to match, and its side goes first when
    /// both send at once.
    #[must_use]
    pub const fn report() -> Self {
        Self {
            peer: SocketPeer::Report,
            timeouts: Timeouts::Fixed { syn: Duration::from_secs(16), segment: Duration::from_secs(4) },
            answer_from: AnswerFrom::SameHost,
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
            handshake_limit: Duration::from_secs(10),
            idle_limit: Duration::from_secs(30),
            quiet_limit: Duration::from_secs(60),
        }
    }
}

/// Whose code is at the other end. It cannot be seen on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum SocketPeer {
    /// This library, or whatever keeps to the rules of [this module](super).
    RdtProto,
    /// The report's own code, which never gives way when both send at once, and never takes its FIN back: so this side
    /// always gives way. It must not be said on both sides: if both give way, both wait, until the quiet limit.
    Report,
}

/// When to repeat what was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeouts {
    /// After the round trip that was measured, by RFC 6298, doubled each time.
    Measured,
    /// Always after the same time, as the report's code does; 1 ms at least.
    Fixed {
        /// After a SYN. The report's server is deaf for 8 to 16 s after one that was not followed up.
        syn: Duration,
        /// After any other segment. The report's code itself waits 4 to 15 s.
        segment: Duration,
    },
}

/// From where a client takes the answer to its SYN. Whoever answers is its peer from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum AnswerFrom {
    /// From the [host](crate::Address::host) that was called, from whatever port: the report's server answers from
    /// another one. Of IPv6 that is its network of 64 bits.
    SameHost,
    /// From any host. Whoever guesses one of 101 numbers may then answer in the place of the server.
    AnyHost,
}
