//! The connection as this program uses it: memory from the heap, the mechanism as the command line says.

use rdt_proto::Duration;
use rdt_proto::arq::{AnyArq, Block, SelectiveRepeat, StopAndWait};
use rdt_proto::congestion::{BandwidthDelay, Controller, Cubic, FixedWindow, NewReno, Pacer};
use rdt_proto::connection::{Config, Connection, Method, Storage};
use rdt_proto::store::{RecvSlots, SendSlots, StoreError};

pub(crate) type Send = SendSlots<Vec<u8>>;
pub(crate) type Recv = RecvSlots<Vec<u8>>;
pub(crate) type Arq = AnyArq<Vec<Block>, Controller>;
pub(crate) type Link = Connection<Send, Recv, Arq>;

/// The public implementation sends bodies as large as a datagram: few are enough, and many would be much memory.
const ROSTOV_RECV_SLOTS: usize = 8;
/// Packets buffered each way, unless the command line says otherwise: 2.4 MiB for each connection and direction, which is
/// what four round trips of 100 ms at 50 Mbit/s need.
pub(crate) const WINDOW: usize = 2_048;
/// Numbers in a block.
const BLOCK: usize = 64;
/// What a poller can measure is 1 ms; the pacer wants twice that.
const PACER_GRANULARITY: Duration = Duration::from_millis(2);

/// How lost packets are repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Repeat {
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
    pub(crate) arq: Repeat,
    pub(crate) congestion: Congestion,
    /// Packets buffered each way.
    pub(crate) window: usize,
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
        Self { config, arq: Repeat::SelectiveRepeat, congestion: Congestion::BandwidthDelay, window: WINDOW }
    }
}

/// `patience`: how long the other side may be silent, if not as long as the library allows.
pub(crate) fn config(profile: Profile, method: PeerMethod, patience: Option<Duration>) -> Config {
    let config = match (profile, method) {
        (Profile::Note, _) => Config { keep_alive: KEEP_ALIVE, ..Config::default() },
        (Profile::Rostov, PeerMethod::SelectiveRepeat) => Config::rostov(Method::SelectiveRepeat),
        (Profile::Rostov, PeerMethod::StopAndWait) => Config::rostov(Method::StopAndWait),
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

/// A quiet connection asks so often whether its peer is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Memory for one connection.
pub(crate) fn storage(settings: &Settings) -> Result<Storage<Send, Recv, Arq>, StoreError> {
    let Settings { config, arq, congestion, window } = settings;
    // The public implementation sends bodies as large as a datagram can be.
    let (largest, recv_slots) = if config.framing.is_base_only() {
        (u16::try_from(config.framing.max_body_len()).unwrap_or(u16::MAX), ROSTOV_RECV_SLOTS.min(*window))
    } else {
        (config.segment, *window)
    };
    let send = SendSlots::with_slots(*window, config.segment)?;
    let recv = RecvSlots::with_slots(recv_slots, largest)?;
    let datagram = u32::try_from(config.max_datagram_len()).unwrap_or(u32::MAX);
    if *arq == Repeat::StopAndWait {
        return Ok(Storage { send, recv, arq: AnyArq::StopAndWait(StopAndWait::new()) });
    }
    let controller = match congestion {
        Congestion::BandwidthDelay => Controller::BandwidthDelay(BandwidthDelay::new(datagram)),
        Congestion::Cubic => Controller::Cubic(Cubic::new(datagram)),
        Congestion::NewReno => Controller::NewReno(NewReno::new(datagram)),
        Congestion::Fixed => Controller::FixedWindow(FixedWindow::new(*window as u64 * u64::from(datagram))),
    };
    let blocks = vec![Block::EMPTY; window.div_ceil(BLOCK).next_power_of_two()];
    let arq = SelectiveRepeat::new(blocks, controller, Pacer::new(PACER_GRANULARITY, datagram));
    let arq = AnyArq::SelectiveRepeat(arq.ok_or(StoreError::TooSmall { needed: BLOCK, available: 0 })?);
    Ok(Storage { send, recv, arq })
}

/// How many bytes a connection can have taken that were not acknowledged.
pub(crate) fn unacknowledged_limit(settings: &Settings) -> u64 {
    settings.window as u64 * u64::from(settings.config.segment)
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

/// What a connection, or a table, needs so that strangers cannot guess it.
pub(crate) fn entropy<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}
