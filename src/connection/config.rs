//! The configuration of a connection.

use super::least_progress::ProgressLimits;
use super::negotiation::{HandshakeParameters, Mode};
use crate::Duration;
use crate::event::Role;
use crate::wire::{Framing, MAX_DATAGRAM, Tag};

/// The configuration of a connection: framing, mode, sizes and limits.
///
/// `Duration::MAX` disables a limit, and a limit below 1 ms counts as 1 ms. [`linger`](Self::linger) has other bounds.
/// The idle, quiet and keep-alive limits are rounded up to whole milliseconds. If one of these three is 49.7 days or
/// more, it is disabled.
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
    /// A framing that exists only in base mode overrides [`mode`](Self::mode): the connection uses base mode.
    pub framing: Framing,
    /// The modes that this side supports. Default: [`Mode::Extended`].
    pub mode: Mode,
    /// The implementation at the other end. Default: [`Peer::RdtProto`].
    pub peer: Peer,
    /// The largest body to send in one INFO, in bytes. Default: 1,200.
    ///
    /// The send store and, in extended mode, the peer and the [path](crate::guide::tuning#the-segment) may lower this
    /// limit. In base mode every receiver accepts at
    /// least 1,200 bytes. It may ignore a larger body, and the connection then ends with
    /// [`TimedOut`](super::CloseReason::TimedOut). Set more than 1,200 only if the peer accepts more. The constructors
    /// of [`Storage`](super::Storage) reject 0. With a custom send store, 0 counts as 1.
    pub segment: u16,
    /// The largest body to receive in one INFO, in bytes. Default: 1,200.
    ///
    /// [`Storage`](super::Storage) divides the receive memory into slots of this size. In extended mode the connection
    /// announces the slot size to the peer. The size must be at least 64 bytes. With a custom receive store, this value
    /// is not used: the store defines the size.
    pub recv_segment: u16,
    /// The maximum duration of the handshake. Default: 10 s.
    ///
    /// At a client the handshake lasts from `connect` to CONNACK, at a server from `accept` to INFO 0. At the limit the
    /// connection ends with [`HandshakeTimedOut`](super::CloseReason::HandshakeTimedOut). CONNECT is repeated at
    /// intervals of at most an eighth of the limit: first after 250 ms in extended mode, after 1 s in base mode. In
    /// base mode CONNACK is repeated in the same way. A [peer](Self::peer) may require longer intervals.
    ///
    /// The [`idle_limit`](Self::idle_limit) also ends a handshake, with the same reason. To allow a longer handshake,
    /// raise both limits.
    pub handshake_limit: Duration,
    /// How long the peer may stay silent while it has something to answer. Default: 30 s.
    ///
    /// At the limit the connection ends with [`TimedOut`](super::CloseReason::TimedOut). A valid packet of the peer
    /// restarts the limit. In extended mode the smaller value of the two sides applies. The retransmission timeout is
    /// at most a quarter of that value, and at most 60 s (RFC 6298 §2.5), unless samples show a longer round trip.
    ///
    /// Unless this limit is off, extended mode also limits the wait for progress. A connection ends with
    /// [`NoProgress`](super::CloseReason::NoProgress) after 20 timeouts without a new acknowledgement, of which at
    /// most two follow the same packet of the peer. With the defaults they take two minutes.
    ///
    /// Whatever this limit is, a connection does not wait long for the answer to a last FIN. Once all data
    /// is acknowledged and the peer has closed, the wait ends after four [lingers](Self::linger). In extended mode it
    /// ends after four times the configured linger, or three RTOs if they are longer.
    pub idle_limit: Duration,
    /// Base mode: how long the peer may stay silent while it has nothing to answer. Default: 60 s.
    ///
    /// At the limit the connection ends with [`Quiet`](super::CloseReason::Quiet). Base mode has no other way to detect
    /// a dead peer. Extended mode has [`keep_alive`](Self::keep_alive) instead.
    pub quiet_limit: Duration,
    /// Extended mode: the silence after which a PROBE tests whether the peer is alive. Default: off (`Duration::MAX`).
    ///
    /// In the midst of the peer's data, a silence of two RTOs and at least 500 ms is enough for one PROBE: perhaps the
    /// peer sends to an earlier address of this side. A PROBE is sent only if no other answer is awaited. The
    /// [`idle_limit`](Self::idle_limit) limits the wait for the answer to the PROBE. With keep-alive off, a connection
    /// that awaits no answer stays open without a limit.
    pub keep_alive: Duration,
    /// How long the peer may take without progress. Default: [`ProgressLimits::OFF`].
    ///
    /// The idle limit finds silent peers. These limits find peers that only keep the connection alive.
    pub progress: ProgressLimits,
    /// The minimum time for which a repeated FIN of the peer is answered. Default: 1 s.
    ///
    /// The peer repeats its FIN when our FINACK is lost. The linger is the longest of three times: this value, three
    /// RTOs, and the minimum of the [peer implementation](Self::peer). Within 1 s a peer repeats its FIN three times.
    /// If the linger is shorter, the peer may have to wait for its idle limit. Values above 4 minutes count as 4
    /// minutes, which is twice the MSL of RFC 9293 §3.4.2.
    pub linger: Duration,
    /// The longest burst that pacing allows, as a duration at the current rate. Default: 2 ms.
    ///
    /// The default suits any driver: a late wake-up, of up to 100 ms, is made good by the next burst. A longer
    /// granularity saves wake-ups, and its bursts need room in the queues of the path. At any rate, a burst of two
    /// datagrams is allowed. Values above 1 s count as 1 s.
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
            progress: ProgressLimits::OFF,
            linger: DEFAULT_LINGER,
            pacing_granularity: Duration::from_millis(2),
        }
    }

    /// The defaults for a peer that runs the public Python implementation.
    ///
    /// They select the framing of that implementation, and the rules of `method`. The peer must be configured with the
    /// same method, which is not visible on the wire. With the wrong method small exchanges work, but one side may stay
    /// open for up to 60 s, until a limit ends it.
    ///
    /// Towards a peer with stop-and-wait one INFO is in flight, with any [mechanism](crate::arq) and any window, since
    /// this peer acknowledges what it drops. It reads one packet each 0.1 s, so a [`segment`](Self::segment) of up to
    /// 62,000 bytes is faster.
    ///
    /// The linger is at least 5 s, since this peer repeats its FIN slowly. Towards a peer with selective repeat CONNECT
    /// is repeated each 2 s, and the handshake limit is 16 s, since this peer repeats CONNACK only after 1.5 s without
    /// a CONNECT.
    #[must_use]
    pub const fn rostov(method: Method) -> Self {
        let (peer, handshake_limit) = match method {
            Method::SelectiveRepeat => (Peer::RostovSelectiveRepeat, Duration::from_secs(16)),
            Method::StopAndWait => (Peer::RostovStopAndWait, Self::new().handshake_limit),
        };
        Self { framing: Framing::ROSTOV, mode: Mode::Base, peer, handshake_limit, ..Self::new() }
    }

    /// The defaults for a peer that speaks only base mode.
    #[must_use]
    pub const fn base() -> Self {
        Self { mode: Mode::Base, ..Self::new() }
    }

    /// Whether a server with this config may accept a CONNECT with these parameters.
    ///
    /// A [`Listener`](crate::listener::Listener) calls this for each CONNECT.
    /// [`Connection::accept`](super::Connection::accept) does not. It uses base mode for a client that offers only base
    /// mode, even if this config does not allow it.
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

    /// The largest body to send, in bytes, apart from the limits of the send store and the peer.
    pub(super) fn max_body_len(&self) -> usize {
        usize::from(self.segment).clamp(1, MAX_DATAGRAM - self.info_header_len())
    }

    /// The length of an INFO header, in bytes. If extended mode is allowed, the longer header of the two modes counts.
    fn info_header_len(&self) -> usize {
        let base = self.framing.info_header_len();
        if self.allows_extended() { base.max(Framing::tagged(Tag::new([0; 8])).info_header_len()) } else { base }
    }

    /// The minimum linger, for any RTO.
    pub(super) fn least_linger(&self) -> Duration {
        self.linger.min(LONGEST_LINGER).max(self.peer.linger_floor())
    }
}

/// The default of [`Config::linger`]. The interval between two FINs assumes that the peer uses this default.
pub(crate) const DEFAULT_LINGER: Duration = Duration::from_secs(1);

/// The length of the longest packet without a body, in bytes: a tagged SACK with a full bitmap.
const LONGEST_CONTROL_PACKET: usize = 167;

/// The largest effective [`Config::linger`].
const LONGEST_LINGER: Duration = Duration::from_secs(240);

/// The retransmission method of a peer that runs the public Python implementation.
///
/// It is a setting of the peer. [`Config::rostov`] describes the effect of a wrong value.
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
/// The public Python implementation deviates from the protocol, and a connection must adapt to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Peer {
    /// This crate, or another implementation of the protocol as it is documented here.
    #[default]
    RdtProto,
    /// The public Python implementation with selective repeat, its default.
    ///
    /// Its FIN closes both directions. After that FIN, any packet other than FINACK crashes a server of this
    /// implementation, for all of its clients.
    RostovSelectiveRepeat,
    /// The public Python implementation with stop-and-wait. Its packet numbers have 16 bits.
    ///
    /// It acknowledges an INFO that it drops, so one INFO at most is in flight towards it.
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

    /// Whether the peer acknowledges an INFO that it drops, because it comes before an earlier one.
    ///
    /// If so, one INFO is in flight, whatever the mechanism and the windows allow. Otherwise a loss would lose data.
    pub(crate) const fn takes_one_info(self) -> bool {
        match self {
            Self::RostovStopAndWait => true,
            Self::RdtProto | Self::RostovSelectiveRepeat => false,
        }
    }

    /// The least interval between two packets of the handshake: two CONNECTs, at a client.
    ///
    /// A rostov server with selective repeat answers no repeated CONNECT. It repeats CONNACK only after 1.5 s of
    /// silence, which each CONNECT ends. Without CONNACK the connection fails, and that server serves no other client
    /// for 75 s.
    pub(crate) const fn handshake_interval(self, role: Role) -> Duration {
        match (self, role) {
            (Self::RostovSelectiveRepeat, Role::Client) => Duration::from_secs(2),
            (Self::RostovSelectiveRepeat, Role::Server) | (Self::RdtProto | Self::RostovStopAndWait, _) => {
                Duration::ZERO
            }
        }
    }

    /// Whether the peer's FIN closes both directions. If so, the peer's FINACK is its last packet.
    pub(crate) const fn one_fin_closes_both(self) -> bool {
        match self {
            Self::RostovSelectiveRepeat => true,
            Self::RdtProto | Self::RostovStopAndWait => false,
        }
    }

    /// The maximum number of FINs and the interval between them; `None` without a maximum.
    ///
    /// After the last one, FIN counts as answered. A maximum is needed because a rostov server crashes on a FIN of a
    /// connection that it has forgotten.
    pub(crate) const fn fin_tries(self) -> Option<(u8, Duration)> {
        match self {
            Self::RdtProto => None,
            Self::RostovSelectiveRepeat | Self::RostovStopAndWait => Some((5, Duration::from_secs(1))),
        }
    }

    /// The minimum linger: the peer repeats its FIN within this time.
    pub(crate) const fn linger_floor(self) -> Duration {
        match self {
            Self::RdtProto => Duration::ZERO,
            Self::RostovSelectiveRepeat | Self::RostovStopAndWait => Duration::from_secs(5),
        }
    }

    /// The highest packet number on the wire. Number 0 follows it.
    pub(crate) const fn last_number(self) -> u32 {
        match self {
            Self::RdtProto | Self::RostovSelectiveRepeat => u32::MAX,
            Self::RostovStopAndWait => 0xFFFF,
        }
    }
}
