//! The settings of connections in this program. Their memory is on the heap.

use crate::observers::{Observers, Verbosity};
use crate::qlog::VantagePoint;
use rdt_proto::Duration;
use rdt_proto::arq::{AnyArq, Block};
use rdt_proto::congestion::{Algorithm, Controller, FixedWindow, RateLimited};
use rdt_proto::connection::{Config, HeapWindow, Memory, Method, Observed, Storage, blocks_for};
use rdt_proto::store::{GrowingRecvSlots, SendSlots, SlotPool, StoreError};
use std::net::SocketAddr;

type Stores = Storage<SendSlots<SlotPool>, GrowingRecvSlots<SlotPool>, AnyArq<Vec<Block>, RateLimited<Controller>>>;
/// The storage of a connection in this program, with its observers.
pub(crate) type AnyStorage = Observed<Stores, Observers>;

/// The default of the largest number of packets buffered each way.
///
/// They take up to 24 MB in each direction. With 20 % loss on 100 Mbit/s and 100 ms, repeats of repeats need so many.
pub(crate) const WINDOW: u32 = 16_384;
/// The most bytes that large packets buffered one way take.
///
/// It is more than that of packets of 1,500 bytes: the path may carry only those, and each then takes a large slot.
const WINDOW_BYTES: u64 = 64 << 20;
/// The default with the public implementation, whose base mode announces no window, and with a constant window.
pub(crate) const FIXED_WINDOW: u32 = 2_048;
/// The default towards the public implementation with stop-and-wait, which takes one packet of almost 64 KiB at a time.
pub(crate) const SINGLE_WINDOW: u32 = 4;
/// The number of packets buffered each way at first: up to 92 KB, or eight packets, which are taken as they are used.
const FIRST_WINDOW: u32 = 64;
/// The least number of packets that a window is limited to by their bytes.
const LEAST_WINDOW: u64 = 8;
/// How long the largest body takes at the maximum rate, if packets of 1,500 bytes do not take longer.
const BODY_TIME: Duration = Duration::from_millis(10);
/// The default of the memory for the windows of all clients of a server, in bytes.
pub(crate) const MEMORY: usize = 256 << 20;

/// The retransmission mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mechanism {
    /// Many packets in flight, and only lost packets are sent again
    SelectiveRepeat,
    /// One packet in flight
    StopAndWait,
}

/// The congestion controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Congestion {
    /// A model of the path's bandwidth and round trip: holds its rate under random loss
    BandwidthDelay,
    /// RFC 9438, the most common controller of the Internet
    Cubic,
    /// RFC 9002
    NewReno,
    /// A constant window, for private links
    Fixed,
}

/// The settings of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) arq: Mechanism,
    pub(crate) congestion: Congestion,
    /// Whether bodies are larger towards an address of this machine.
    pub(crate) has_local_segment: bool,
    /// The largest number of packets buffered each way.
    pub(crate) window: u32,
    /// The most bytes that these packets take, besides the limit on large ones.
    pub(crate) window_bytes: u64,
    /// The most that this side sends, in bytes per second.
    pub(crate) max_rate: Option<u64>,
    /// What is printed about each connection.
    pub(crate) verbosity: Verbosity,
}

/// The implementation at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// This program, or another that uses this library with the default framing
    Note,
    /// The public Python implementation of the protocol
    Rostov,
}

/// The retransmission mechanism of the public Python implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PeerMethod {
    SelectiveRepeat,
    StopAndWait,
}

impl Default for Settings {
    fn default() -> Self {
        let config = config(Profile::Note, PeerMethod::SelectiveRepeat, None);
        Self {
            config: with_segment(config, SEGMENT),
            arq: Mechanism::SelectiveRepeat,
            congestion: Congestion::BandwidthDelay,
            has_local_segment: true,
            window: WINDOW,
            window_bytes: u64::MAX,
            max_rate: None,
            verbosity: Verbosity::Nothing,
        }
    }
}

/// Creates a configuration. `patience` replaces the library's limits on silence.
pub(crate) fn config(profile: Profile, method: PeerMethod, patience: Option<Duration>) -> Config {
    let config = match (profile, method) {
        (Profile::Note, _) => Config { keep_alive: KEEP_ALIVE, ..Config::default() },
        (Profile::Rostov, PeerMethod::SelectiveRepeat) => rostov(Method::SelectiveRepeat),
        (Profile::Rostov, PeerMethod::StopAndWait) => rostov(Method::StopAndWait),
    };
    match patience {
        None => config,
        Some(patience) => Config {
            handshake_limit: patience,
            idle_limit: patience,
            quiet_limit: patience.saturating_mul(2),
            // The answer to a probe that follows this silence is pending as long again.
            keep_alive: config.keep_alive.min(patience),
            ..config
        },
    }
}

/// The configuration for the public implementation, whose bodies fill UDP datagrams to their limit (almost 64 KiB).
fn rostov(method: Method) -> Config {
    let config = Config::rostov(method);
    Config { recv_segment: u16::try_from(config.framing.max_body_len()).unwrap_or(u16::MAX), ..config }
}

/// The largest body of a packet, in bytes: an IPv6 packet of 1,500 bytes without the headers of IPv6, UDP and INFO.
pub(crate) const SEGMENT: u16 = 1_432;

/// The same towards an address of this machine. Each packet costs as much as a small one, so larger ones are faster.
///
/// A larger packet of another path may not survive a move to a smaller path, so there the user has to ask for it.
const LOCAL_SEGMENT: u16 = 62_000;

/// The same for the public implementation with stop-and-wait, which reads one packet each 0.1 s: its own largest body.
///
/// Only Linux sends it in fragments here. Other systems would refuse it on most paths.
pub(crate) const SINGLE_SEGMENT: Option<u16> = if cfg!(target_os = "linux") { Some(62_000) } else { None };

/// The length from which a body changes hands with its memory, in bytes. The copy of a shorter one costs little beside its
/// packet.
pub(crate) const LEAST_SWAPPED: usize = 32 << 10;

/// The interval at which a quiet connection probes its peer.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

impl Settings {
    /// The settings of a download.
    ///
    /// At the maximum rate it takes half a second to take a full window. A larger window would let the server send far
    /// ahead of it.
    pub(crate) fn for_download(self) -> Self {
        let window_bytes = self.max_rate.map_or(u64::MAX, |rate| rate / 2);
        Self { window_bytes, ..self }
    }

    /// The configuration with the largest bodies of any connection.
    pub(crate) fn largest_config(&self) -> Config {
        if self.has_local_segment { with_segment(self.config, LOCAL_SEGMENT) } else { self.config }
    }

    /// The settings of a connection to `peer`, which takes bodies of at most `segment` bytes.
    ///
    /// Large bodies are for addresses of this machine, and not so large that one takes long at the maximum rate.
    pub(crate) fn towards(self, peer: SocketAddr, segment: u16) -> Self {
        let rate = self.max_rate.map_or(u64::MAX, |rate| rate.saturating_mul(BODY_TIME.as_millis()) / 1_000);
        let segment = u16::try_from(rate).unwrap_or(u16::MAX).min(segment).min(LOCAL_SEGMENT);
        if self.has_local_segment && segment > SEGMENT && peer.ip().to_canonical().is_loopback() {
            Self { config: with_segment(self.config, segment), ..self }
        } else {
            self
        }
    }

    /// The largest number of packets buffered each way.
    fn window(&self) -> u32 {
        // The public implementation may send large packets, and receives small ones.
        let is_large = self.config.segment.min(self.config.recv_segment) > SEGMENT;
        let most = if is_large { WINDOW_BYTES } else { u64::MAX };
        self.packets(self.window, self.window_bytes.min(most))
    }

    /// The number of packets buffered each way at first.
    fn first_window(&self) -> u32 {
        self.packets(self.window().min(FIRST_WINDOW), u64::from(FIRST_WINDOW) * u64::from(SEGMENT))
    }

    /// At most `most` packets, and at most `bytes` unless that are very few.
    fn packets(&self, most: u32, bytes: u64) -> u32 {
        let packets = (bytes / u64::from(self.config.recv_segment.max(1))).max(LEAST_WINDOW);
        most.min(u32::try_from(packets).unwrap_or(u32::MAX))
    }

    /// The memory for the windows of a client, with which one connection takes what it wants. Nothing but memory limits
    /// what a peer of base mode sends ahead, in slots of 64 KiB: an eighth of it is as much as a window takes elsewhere.
    pub(crate) fn client_memory(&self) -> usize {
        if self.config.framing.is_base_only() { MEMORY } else { usize::MAX }
    }

    /// The windows of a new connection.
    pub(crate) fn heap_window(&self) -> HeapWindow {
        HeapWindow::new(self.first_window(), self.window())
    }
}

const fn with_segment(config: Config, segment: u16) -> Config {
    Config { segment, recv_segment: segment, ..config }
}

/// Storage for the connection to `peer`.
pub(crate) fn storage(settings: &Settings, peer: SocketAddr, side: VantagePoint) -> Result<AnyStorage, StoreError> {
    Ok(stores(settings)?.observed(Observers::new(settings.verbosity, peer, side)))
}

fn stores(settings: &Settings) -> Result<Stores, StoreError> {
    let Settings { config, arq, congestion, window, .. } = settings;
    let first = settings.first_window();
    let (send, recv) = (SlotPool::new(first), SlotPool::new(first));
    if *arq == Mechanism::StopAndWait {
        return Ok(Storage::stop_and_wait(config, send, recv)?.map_arq(AnyArq::StopAndWait).growing());
    }
    let controller = |datagram: u32| match congestion {
        Congestion::BandwidthDelay => Algorithm::BandwidthDelay.controller(datagram),
        Congestion::Cubic => Algorithm::Cubic.controller(datagram),
        Congestion::NewReno => Algorithm::NewReno.controller(datagram),
        Congestion::Fixed => FixedWindow::new(u64::from(*window) * u64::from(datagram)).into(),
    };
    let controller = |datagram: u32| RateLimited::new(controller(datagram), settings.max_rate);
    let memory = Memory { send, recv, blocks: vec![Block::EMPTY; blocks_for(first)] };
    Ok(Storage::selective_repeat(config, memory, controller)?.map_arq(AnyArq::SelectiveRepeat).growing())
}

/// The maximum time that a client stays after its outcome.
///
/// The outcome is final and printed. The client stays only until both sides have closed, so that the peer does not wait
/// for its idle limit. That takes a round trip; three seconds are enough for repetitions. The time does not depend on
/// the idle limit, because a lost peer never sends its FIN and the user waits meanwhile.
///
/// With the public implementation as the peer, 11 s are enough. This side sends its FIN up to five times at intervals
/// of a second, and then lingers for 5 s.
pub(crate) fn farewell(config: &Config) -> Duration {
    if config.framing.is_base_only() { Duration::from_secs(11) } else { Duration::from_secs(3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The segment, the first window and the largest one towards `peer`, which takes `segment` bytes.
    fn towards(settings: Settings, peer: &str, segment: u16) -> (u16, u32, u32) {
        let settings = settings.towards(peer.parse().unwrap(), segment);
        assert_eq!(settings.config.segment, settings.config.recv_segment);
        (settings.config.segment, settings.first_window(), settings.window())
    }

    #[test]
    fn only_this_machine_gets_large_bodies() {
        let ordinary = Settings::default();
        for peer in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(towards(ordinary, peer, u16::MAX), (62_000, 8, 1_082), "{peer}");
        }
        for peer in ["192.0.2.1:1", "[2001:db8::1]:1", "[fe80::1%3]:1"] {
            assert_eq!(towards(ordinary, peer, u16::MAX), (1_432, 64, 16_384), "{peer}");
        }
        assert_eq!(towards(ordinary, "127.0.0.1:1", 30_000).0, 30_000, "what the peer takes");
        assert_eq!(
            towards(ordinary, "127.0.0.1:1", 1_200),
            (1_432, 64, 16_384),
            "a peer of base mode, or an older one"
        );
    }

    /// Regression: eight slots for all time dropped most of a burst while the disk was busy.
    #[test]
    fn windows_of_base_mode_grow_from_few_large_slots() {
        let config = config(Profile::Rostov, PeerMethod::SelectiveRepeat, None);
        let base = Settings { config, window: FIXED_WINDOW, ..Settings::default() };
        assert_eq!((base.first_window(), base.window()), (8, 2_048));
    }

    #[test]
    fn the_user_chooses_the_segment() {
        for segment in [500, 1_432, 8_932] {
            let config = with_segment(Settings::default().config, segment);
            let chosen = Settings { config, has_local_segment: false, window: 65_536, ..Settings::default() };
            assert_eq!(towards(chosen, "127.0.0.1:1", u16::MAX).0, segment);
            assert_eq!(chosen.largest_config().segment, segment);
            assert_eq!(
                chosen.window(),
                if segment > SEGMENT { 7_513 } else { 65_536 },
                "at most 64 MiB of large packets"
            );
        }
    }

    #[test]
    fn a_body_takes_no_longer_than_10_ms_at_the_maximum_rate() {
        let limited = |max_rate| Settings { max_rate: Some(max_rate), ..Settings::default() };
        let segments =
            [0, 100_000, 1_000_000, 10_000_000, u64::MAX].map(|rate| towards(limited(rate), "127.0.0.1:1", u16::MAX).0);
        assert_eq!(segments, [1_432, 1_432, 10_000, 62_000, 62_000]);
        assert_eq!(limited(1_000_000).for_download().window(), 349, "half a second");
        assert_eq!(limited(1_000).for_download().window(), 8, "the least");
    }
}
