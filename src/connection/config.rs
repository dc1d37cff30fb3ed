//! What an application decides about a connection.

use super::dialect::{Hello, Mode};
use crate::Duration;
use crate::wire::{Framing, MAX_DATAGRAM, Tag};

/// Every limit of a connection, with its default. `Duration::MAX` lifts a limit; less than 1 ms counts as 1 ms
/// ([`linger`](Self::linger) is no limit: it has bounds of its own). A connection keeps them in whole milliseconds, rounded up;
/// what is as long as 49 days is as good as lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// How datagrams look. Default: [`Framing::NOTE`].
    pub framing: Framing,
    /// Which modes this side speaks. Default: [`Mode::Extended`]. A framing that is base mode only decides by itself.
    pub mode: Mode,
    /// Whose implementation answers at the other end. Default: [`Peer::RdtProto`].
    pub peer: Peer,
    /// The largest body sent in one INFO, in bytes; the send store may hold less. Every receiver takes 1,200, the default.
    /// Larger ones only towards a peer known to take them: it ignores what is too large for it, and the connection
    /// [times out](super::Reason::TimedOut). 0 counts as 1.
    pub segment: u16,
    /// How long opening may take: for a client until CONNACK, for a server from `accept` until INFO 0. Then the connection
    /// is [`Closed(HandshakeTimedOut)`](super::Reason::HandshakeTimedOut). What opens it is sent eight times in it, or more
    /// often. Default: 10 s.
    ///
    /// A peer that is silent for the whole [`idle_limit`](Self::idle_limit) ends it earlier, with the same reason: whoever
    /// wants to wait longer than that raises both.
    pub handshake_limit: Duration,
    /// How long the peer may be silent while something of ours waits for its answer. Then the connection is
    /// [`Closed(TimedOut)`](super::Reason::TimedOut). A quarter of it is also the longest interval between two repetitions.
    /// Default: 30 s.
    ///
    /// It counts while the connection opens, too, where it is shorter than the [`handshake_limit`](Self::handshake_limit).
    ///
    /// Where it is lifted, one thing still ends by itself: a last FIN, with everything acknowledged and the peer's own FIN
    /// answered, is given up after 30 lingers.
    pub idle_limit: Duration,
    /// How long the peer may be silent while nothing of ours waits for its answer. Then the connection is
    /// [`Closed(Quiet)`](super::Reason::Quiet). Base mode has no other way to notice that a peer is gone; in extended mode there is no
    /// such limit, but [`keep_alive`](Self::keep_alive). Default: 60 s.
    pub quiet_limit: Duration,
    /// Extended mode: after how long a silence to ask whether the peer is still there, where nothing else waits for an answer.
    /// Without it a quiet connection lives for ever. Default: off (`Duration::MAX`).
    pub keep_alive: Duration,
    /// How long to stay after the end, to answer a FIN that is repeated because our FINACK was lost, at the least; three
    /// timeouts (RTO) where that is longer, and what the [peer](Self::peer) needs. Default: 1 s, which a peer's FIN is
    /// repeated three times in; less risks that it waits for its idle limit. More than 4 minutes, twice the lifetime of a
    /// segment in RFC 9293 §3.4.2, count as 4 minutes.
    pub linger: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            framing: Framing::NOTE,
            mode: Mode::Extended,
            peer: Peer::RdtProto,
            segment: 1_200,
            handshake_limit: Duration::from_secs(10),
            idle_limit: Duration::from_secs(30),
            quiet_limit: Duration::from_secs(60),
            keep_alive: Duration::MAX,
            linger: DEFAULT_LINGER,
        }
    }
}

impl Config {
    /// The defaults for the public Python implementation of the note at the other end: its framing, and the habits of the
    /// method that it runs with, which cannot be seen on the wire. Ask whoever runs it: with the wrong method small exchanges
    /// work, but one side may stay until a limit ends it, for up to 60 s.
    ///
    /// Such a connection lingers 5 s after its end, since the peer repeats a FIN that slowly.
    #[must_use]
    pub fn rostov(method: Method) -> Self {
        let peer = match method {
            Method::SelectiveRepeat => Peer::RostovSelectiveRepeat,
            Method::StopAndWait => Peer::RostovStopAndWait,
        };
        Self { framing: Framing::ROSTOV, mode: Mode::Base, peer, ..Self::default() }
    }

    /// The defaults for base mode, where the peer speaks nothing else.
    #[must_use]
    pub fn base() -> Self {
        Self { mode: Mode::Base, ..Self::default() }
    }

    /// Whether a server with this config answers a CONNECT that said `hello`.
    pub(crate) fn accepts(&self, hello: &Hello) -> bool {
        (hello.tag.is_some() && self.allows_extended()) || self.allows_base()
    }

    pub(crate) fn allows_extended(&self) -> bool {
        self.mode.allows_extended() && !self.framing.is_base_only()
    }

    pub(crate) fn allows_base(&self) -> bool {
        self.mode.allows_base() || self.framing.is_base_only()
    }

    /// The largest datagram that a connection with this config sends: how large the buffer of
    /// [`poll_transmit`](super::Connection::poll_transmit) has to be. What comes from the peer may be larger.
    #[must_use]
    pub fn max_datagram_len(&self) -> usize {
        (self.info_header_len() + self.max_body_len()).max(LONGEST_CONTROL_PACKET)
    }

    /// The largest body sent in one INFO, whatever the send store holds.
    pub(super) fn max_body_len(&self) -> usize {
        usize::from(self.segment).clamp(1, MAX_DATAGRAM - self.info_header_len())
    }

    /// Of the mode with the longer header, where both are possible.
    fn info_header_len(&self) -> usize {
        let base = self.framing.info_header_len();
        if self.mode.allows_extended() { base.max(Framing::tagged(Tag::new([0; 8])).info_header_len()) } else { base }
    }

    /// How long to stay after the end, whatever the timeout.
    pub(super) fn least_linger(&self) -> Duration {
        self.linger.min(LONGEST_LINGER).max(self.peer.linger_floor())
    }
}

/// The default of [`Config::linger`], which a peer may count on.
pub(crate) const DEFAULT_LINGER: Duration = Duration::from_secs(1);

/// Room for every packet without a body: the longest is a SACK under a tag, with a full bitmap.
const LONGEST_CONTROL_PACKET: usize = 155;

/// However much is asked for, a connection ends.
const LONGEST_LINGER: Duration = Duration::from_secs(240);

/// How a peer repeats what was lost. It is a setting of that peer: [`Config::rostov`] says what a wrong one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Method {
    /// Many INFO packets outstanding.
    #[default]
    SelectiveRepeat,
    /// One INFO packet outstanding.
    StopAndWait,
}

/// Whose implementation answers at the other end: foreign ones have habits that a connection must respect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Peer {
    /// This crate, or another one that keeps to the protocol as it is documented here.
    #[default]
    RdtProto,
    /// The public Python implementation with selective repeat, its default. Its FIN ends both directions: after it,
    /// FINACK is all that may be sent, or its server dies for everybody.
    RostovSelectiveRepeat,
    /// The public Python implementation with stop-and-wait. Its numbers have 16 bits.
    RostovStopAndWait,
}

impl Peer {
    /// Whether INFO 0 never carries data.
    pub(crate) const fn wants_empty_info_0(self) -> bool {
        match self {
            Self::RdtProto => false,
            Self::RostovSelectiveRepeat | Self::RostovStopAndWait => true,
        }
    }

    /// Whether the peer's FIN closes our direction too, and an unasked FINACK ends its waiting for ours.
    pub(crate) const fn one_fin_closes_both(self) -> bool {
        match self {
            Self::RostovSelectiveRepeat => true,
            Self::RdtProto | Self::RostovStopAndWait => false,
        }
    }

    /// How often a FIN is sent before it counts as answered, and the interval: the peer may be gone, and its server dies of
    /// a FIN from somebody that it has forgotten.
    pub(crate) const fn fin_tries(self) -> Option<(u8, Duration)> {
        match self {
            Self::RdtProto => None,
            Self::RostovSelectiveRepeat | Self::RostovStopAndWait => Some((5, Duration::from_secs(1))),
        }
    }

    /// The shortest linger that reaches the peer's repeated FIN.
    pub(crate) const fn linger_floor(self) -> Duration {
        match self {
            Self::RdtProto => Duration::ZERO,
            Self::RostovSelectiveRepeat | Self::RostovStopAndWait => Duration::from_secs(5),
        }
    }

    /// The highest number on the wire: after it comes 0.
    pub(crate) const fn last_number(self) -> u32 {
        match self {
            Self::RdtProto | Self::RostovSelectiveRepeat => u32::MAX,
            Self::RostovStopAndWait => 0xFFFF,
        }
    }
}
