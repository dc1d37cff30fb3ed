//! The configuration of a connection.

use super::negotiation::{HandshakeParameters, Mode};
use crate::Duration;
use crate::wire::{Framing, MAX_DATAGRAM, Tag};

/// The configuration of a connection: framing, mode, sizes and limits.
///
/// `Duration::MAX` lifts a limit; a limit below 1 ms counts as 1 ms. [`linger`](Self::linger) has bounds of its own. A
/// connection keeps the idle, quiet and keep-alive limits in whole milliseconds, rounded up. From 49.7 days on, a limit
/// counts as lifted.
///
/// ```
/// use rdt_proto::Duration;
/// use rdt_proto::connection::Config;
///
/// // A slow radio link with small frames.
/// let config = Config {
///     segment: 200,
///     recv_segment: 200,
///     idle_limit: Duration::from_secs(120),
///     handshake_limit: Duration::from_secs(60),
///     ..Config::new()
/// };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// The framing of datagrams. Default: [`Framing::NOTE`].
    ///
    /// A framing that exists only in base mode selects base mode, whatever [`mode`](Self::mode) says.
    pub framing: Framing,
    /// The modes that this side speaks. Default: [`Mode::Extended`].
    pub mode: Mode,
    /// The implementation at the other end. Default: [`Peer::RdtProto`].
    pub peer: Peer,
    /// The largest body to send in one INFO, in bytes. Default: 1,200.
    ///
    /// The store's largest body and, in extended mode, the peer's limit apply as well. In base mode every receiver
    /// takes 1,200 bytes. It may ignore a larger body, and the connection then ends with
    /// [`TimedOut`](super::CloseReason::TimedOut): exceed 1,200 only if the peer takes more. The constructors of
    /// [`Storage`](super::Storage) refuse 0; for a store of your own it counts as 1.
    pub segment: u16,
    /// The largest body to receive in one INFO, in bytes. Default: 1,200.
    ///
    /// [`Storage`](super::Storage) divides the receive memory into slots of this size. Extended mode announces the size
    /// of the slots to the peer and requires at least 64. A receive store of your own has a size of its own, and this
    /// value is not used.
    pub recv_segment: u16,
    /// How long the handshake may take. Default: 10 s.
    ///
    /// It runs at a client from `connect` to CONNACK, at a server from `accept` to INFO 0. At the limit the connection
    /// ends with [`HandshakeTimedOut`](super::CloseReason::HandshakeTimedOut). CONNECT,
    /// and CONNACK in base mode, is repeated at intervals of at most an eighth of it.
    ///
    /// The [`idle_limit`](Self::idle_limit) applies as well, with the same reason. For a longer handshake raise both.
    pub handshake_limit: Duration,
    /// How long the peer may stay silent while it has something to answer. Default: 30 s.
    ///
    /// At the limit the connection ends with [`TimedOut`](super::CloseReason::TimedOut). A valid packet of the peer
    /// restarts the limit. In extended mode the smaller value of the two sides applies. A quarter of this side's value,
    /// or 60 s if that is less, bounds the retransmission timeout (RFC 6298 §2.5).
    ///
    /// Where the limit is lifted, one wait still ends: a last FIN is given up after 30 lingers, once everything is
    /// acknowledged and the peer's own FIN is answered.
    pub idle_limit: Duration,
    /// Base mode: how long the peer may stay silent while it has nothing to answer. Default: 60 s.
    ///
    /// At the limit the connection ends with [`Quiet`](super::CloseReason::Quiet). Base mode has no other way to detect
    /// a dead peer. Extended mode has [`keep_alive`](Self::keep_alive) instead.
    pub quiet_limit: Duration,
    /// Extended mode: the silence after which a PROBE tests whether the peer is there. Default: off (`Duration::MAX`).
    ///
    /// A PROBE is sent only if no other answer is awaited. The [`idle_limit`](Self::idle_limit) bounds the wait for its
    /// answer. With keep-alive off, a connection that awaits no answer stays open without a limit.
    pub keep_alive: Duration,
    /// How long to answer the peer's repeated FIN, at least. Default: 1 s.
    ///
    /// The peer repeats its FIN when our FINACK is lost. The linger is the longest of this value, three RTOs and what
    /// the [peer](Self::peer) needs. Within 1 s a peer repeats its FIN three times; with less, the peer may have to
    /// wait for its idle limit. Values above 4 minutes, twice the MSL of RFC 9293 §3.4.2, count as 4 minutes.
    pub linger: Duration,
    /// The longest burst that pacing allows, as a time at the current rate. Default: 2 ms.
    ///
    /// Set it to twice the resolution of the timer that wakes the sender; that of `epoll` is 1 ms. A burst has at least
    /// two datagrams, whatever the rate. Values above 1 s count as 1 s.
    pub pacing_granularity: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The defaults, for a peer that runs this crate in extended mode.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            framing: Framing::NOTE,
            mode: Mode::Extended,
            peer: Peer::RdtProto,
            segment: 1_200,
            recv_segment: 1_200,
            handshake_limit: Duration::from_secs(10),
            idle_limit: Duration::from_secs(30),
            quiet_limit: Duration::from_secs(60),
            keep_alive: Duration::MAX,
            linger: DEFAULT_LINGER,
            pacing_granularity: Duration::from_millis(2),
        }
    }

    /// The defaults for a peer that runs the public Python implementation.
    ///
    /// They select its framing and the rules of `method`, the method that the peer is configured with. The method is
    /// not visible on the wire. With the wrong one small exchanges work, but one side may stay open until a limit ends
    /// it, for up to 60 s.
    ///
    /// The linger is at least 5 s, since this peer repeats its FIN slowly.
    #[must_use]
    pub const fn rostov(method: Method) -> Self {
        let peer = match method {
            Method::SelectiveRepeat => Peer::RostovSelectiveRepeat,
            Method::StopAndWait => Peer::RostovStopAndWait,
        };
        Self { framing: Framing::ROSTOV, mode: Mode::Base, peer, ..Self::new() }
    }

    /// The defaults for a peer that speaks only base mode.
    #[must_use]
    pub const fn base() -> Self {
        Self { mode: Mode::Base, ..Self::new() }
    }

    /// Whether a server with this config may accept a CONNECT with these parameters.
    ///
    /// A [`Listener`](crate::listener::Listener) asks it by itself. [`Connection::accept`](super::Connection::accept)
    /// does not: it would speak base mode with a client that offers nothing else.
    #[must_use]
    pub fn accepts(&self, parameters: &HandshakeParameters) -> bool {
        (parameters.tag.is_some() && self.allows_extended()) || self.allows_base()
    }

    pub(crate) fn allows_extended(&self) -> bool {
        self.mode.allows_extended() && !self.framing.is_base_only()
    }

    pub(crate) fn allows_base(&self) -> bool {
        self.mode.allows_base() || self.framing.is_base_only()
    }

    /// The size of the largest datagram that a connection with this config sends, in bytes.
    ///
    /// A buffer of this size always suffices for [`poll_transmit`](super::Connection::poll_transmit). The peer's
    /// datagrams may be larger.
    #[must_use]
    pub fn max_datagram_len(&self) -> usize {
        (self.info_header_len() + self.max_body_len()).max(LONGEST_CONTROL_PACKET)
    }

    /// The largest body to send, apart from the limits of store and peer.
    pub(super) fn max_body_len(&self) -> usize {
        usize::from(self.segment).clamp(1, MAX_DATAGRAM - self.info_header_len())
    }

    /// The length of an INFO's header, in the possible mode with the longer one.
    fn info_header_len(&self) -> usize {
        let base = self.framing.info_header_len();
        if self.allows_extended() { base.max(Framing::tagged(Tag::new([0; 8])).info_header_len()) } else { base }
    }

    /// The shortest linger, whatever the RTO.
    pub(super) fn least_linger(&self) -> Duration {
        self.linger.min(LONGEST_LINGER).max(self.peer.linger_floor())
    }
}

/// The default of [`Config::linger`]. A peer's interval between FINs relies on it.
pub(crate) const DEFAULT_LINGER: Duration = Duration::from_secs(1);

/// The length of the longest packet without a body: a tagged SACK with a full bitmap.
const LONGEST_CONTROL_PACKET: usize = 155;

/// The largest effective [`Config::linger`].
const LONGEST_LINGER: Duration = Duration::from_secs(240);

/// The retransmission method of the public Python implementation, a setting of that peer.
///
/// [`Config::rostov`] describes the effect of a wrong value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Method {
    /// Selective repeat: many INFO packets in flight.
    #[default]
    SelectiveRepeat,
    /// Stop-and-wait: one INFO packet in flight.
    StopAndWait,
}

/// The implementation at the other end.
///
/// A foreign implementation departs from the protocol in ways that a connection must respect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Peer {
    /// This crate, or another implementation of the protocol as it is documented here.
    #[default]
    RdtProto,
    /// The public Python implementation with selective repeat, its default.
    ///
    /// Its FIN closes both directions. Any packet but FINACK after it stops that server for all of its clients.
    RostovSelectiveRepeat,
    /// The public Python implementation with stop-and-wait. Its packet numbers have 16 bits.
    RostovStopAndWait,
}

impl Peer {
    /// Whether the peer requires an INFO 0 without data.
    pub(crate) const fn wants_empty_info_0(self) -> bool {
        match self {
            Self::RdtProto => false,
            Self::RostovSelectiveRepeat | Self::RostovStopAndWait => true,
        }
    }

    /// Whether the peer's FIN closes our direction too, and its FINACK is its last packet.
    pub(crate) const fn one_fin_closes_both(self) -> bool {
        match self {
            Self::RostovSelectiveRepeat => true,
            Self::RdtProto | Self::RostovStopAndWait => false,
        }
    }

    /// How often a FIN is sent before it counts as answered, and at what interval; `None` without a bound.
    ///
    /// A rostov server crashes on a FIN of a connection that it has forgotten.
    pub(crate) const fn fin_tries(self) -> Option<(u8, Duration)> {
        match self {
            Self::RdtProto => None,
            Self::RostovSelectiveRepeat | Self::RostovStopAndWait => Some((5, Duration::from_secs(1))),
        }
    }

    /// The shortest linger in which the peer's repeated FIN arrives.
    pub(crate) const fn linger_floor(self) -> Duration {
        match self {
            Self::RdtProto => Duration::ZERO,
            Self::RostovSelectiveRepeat | Self::RostovStopAndWait => Duration::from_secs(5),
        }
    }

    /// The highest number on the wire; 0 follows it.
    pub(crate) const fn last_number(self) -> u32 {
        match self {
            Self::RdtProto | Self::RostovSelectiveRepeat => u32::MAX,
            Self::RostovStopAndWait => 0xFFFF,
        }
    }
}
