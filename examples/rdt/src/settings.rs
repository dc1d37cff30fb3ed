//! The connection as this program uses it: memory from the heap, the mechanism as the command line says.

use crate::packet_log::PacketLog;
use rdt_proto::Duration;
use rdt_proto::arq::{AnyArq, Block};
use rdt_proto::congestion::{Algorithm, Controller, FixedWindow};
use rdt_proto::connection::{Config, HeapStopAndWait, HeapStorage, Memory, Method, Observed, Storage, blocks_for};
use rdt_proto::store::{RecvSlots, SendSlots, StoreError};
use std::net::SocketAddr;

type Stores = Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, AnyArq<Vec<Block>, Controller>>;
/// What a connection of this program is made of.
pub(crate) type AnyStorage = Observed<Stores, PacketLog>;

/// The public implementation sends bodies as large as a datagram: few are enough, and many would be much memory.
const ROSTOV_RECV_SLOTS: u32 = 8;
/// Packets buffered each way, unless the command line says otherwise: 2.4 MiB for each connection and direction, which is
/// what four round trips of 100 ms at 50 Mbit/s need.
pub(crate) const WINDOW: u32 = 2_048;

/// How lost packets are repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mechanism {
    /// Many packets on their way, only what is lost is sent again
    SelectiveRepeat,
    /// One packet on its way
    StopAndWait,
}

/// What bounds how much is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Congestion {
    /// A model of the path's bandwidth and round trip: holds its rate under random loss
    BandwidthDelay,
    /// RFC 9438, what most of the Internet runs
    Cubic,
    /// RFC 9002
    NewReno,
    /// The window alone: for private links
    Fixed,
}

/// How a connection is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) arq: Mechanism,
    pub(crate) congestion: Congestion,
    /// Packets buffered each way.
    pub(crate) window: u32,
    /// Whether each connection prints what it does.
    pub(crate) is_verbose: bool,
}

/// Which implementation is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// This program
    Note,
    /// The public Python implementation of the protocol
    Rostov,
}

/// How the public Python implementation repeats what was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PeerMethod {
    SelectiveRepeat,
    StopAndWait,
}

impl Default for Settings {
    fn default() -> Self {
        let config = config(Profile::Note, PeerMethod::SelectiveRepeat, None);
        Self {
            config,
            arq: Mechanism::SelectiveRepeat,
            congestion: Congestion::BandwidthDelay,
            window: WINDOW,
            is_verbose: false,
        }
    }
}

/// `patience`: how long the other side may be silent, if not as long as the library allows.
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
            ..config
        },
    }
}

/// The public implementation sends bodies as large as a datagram can be.
fn rostov(method: Method) -> Config {
    let config = Config::rostov(method);
    Config { recv_segment: u16::try_from(config.framing.max_body_len()).unwrap_or(u16::MAX), ..config }
}

/// A quiet connection asks so often whether its peer is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Storage for the connection to `peer`.
pub(crate) fn storage(settings: &Settings, peer: SocketAddr) -> Result<AnyStorage, StoreError> {
    Ok(stores(settings)?.observed(PacketLog::new(settings.is_verbose, peer)))
}

fn stores(settings: &Settings) -> Result<Stores, StoreError> {
    let Settings { config, arq, congestion, window, .. } = settings;
    let recv_slots = if config.framing.is_base_only() { ROSTOV_RECV_SLOTS.min(*window) } else { *window };
    let (send, recv) = (vec![0; config.send_bytes(*window)], vec![0; config.recv_bytes(recv_slots)]);
    if *arq == Mechanism::StopAndWait {
        return Ok(HeapStopAndWait::stop_and_wait(config, send, recv)?.map_arq(AnyArq::StopAndWait));
    }
    let controller = |datagram: u32| match congestion {
        Congestion::BandwidthDelay => Algorithm::BandwidthDelay.controller(datagram),
        Congestion::Cubic => Algorithm::Cubic.controller(datagram),
        Congestion::NewReno => Algorithm::NewReno.controller(datagram),
        Congestion::Fixed => FixedWindow::new(u64::from(*window) * u64::from(datagram)).into(),
    };
    let memory = Memory { send, recv, blocks: vec![Block::EMPTY; blocks_for(*window)] };
    Ok(HeapStorage::selective_repeat(config, memory, controller)?.map_arq(AnyArq::SelectiveRepeat))
}

/// How many bytes a connection can have taken that were not acknowledged.
pub(crate) fn unacknowledged_limit(settings: &Settings) -> u64 {
    u64::from(settings.window) * u64::from(settings.config.segment)
}

/// How long a client stays at the most after its outcome. The file is there or not, nothing that still comes changes that: to
/// stay is a courtesy to the peer, whose FIN is answered, so that it need not wait for its idle limit. Three seconds are the
/// linger (1 s), and time for a FIN of our own and for repetitions. Whoever uses the program waits meanwhile, and a peer that
/// is gone never lets it go: so it is bounded, whatever the idle limit is.
///
/// The public implementation needs more: its linger (5 s), and a FIN that is sent five times, a second apart.
pub(crate) fn farewell(config: &Config) -> Duration {
    if config.framing.is_base_only() { Duration::from_secs(11) } else { Duration::from_secs(3) }
}
