//! The connection as this program uses it: stop-and-wait, memory from the heap.

use rdt_proto::Duration;
use rdt_proto::connection::{Config, Connection, Method, Storage};
use rdt_proto::store::{RecvSlots, SendSlots, StoreError};

pub(crate) type Send = SendSlots<Vec<u8>>;
pub(crate) type Recv = RecvSlots<Vec<u8>>;
pub(crate) type Link = Connection<Send, Recv>;

/// One slot is on its way, the other one is filled meanwhile.
const SEND_SLOTS: usize = 2;
/// Whoever reads at once needs one; with more, a burst finds room.
const RECV_SLOTS: usize = 4;

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

/// `patience`: how long the other side may be silent, if not as long as the library allows.
pub(crate) fn config(profile: Profile, method: PeerMethod, patience: Option<Duration>) -> Config {
    let config = match (profile, method) {
        (Profile::Note, _) => Config::default(),
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

/// The largest datagram that a connection sends.
pub(crate) fn datagram_bytes(config: &Config) -> usize {
    config.framing.info_header_len() + usize::from(config.segment)
}

/// Memory for one connection.
pub(crate) fn storage(config: &Config) -> Result<Storage<Send, Recv>, StoreError> {
    // The public implementation sends bodies as large as a datagram can be.
    let largest = if config.framing.is_base_only() { config.framing.max_body_len() } else { config.segment.into() };
    let largest = u16::try_from(largest).unwrap_or(u16::MAX);
    let send = SendSlots::with_slots(SEND_SLOTS, config.segment)?;
    let recv = RecvSlots::with_slots(RECV_SLOTS, largest)?;
    Ok(Storage::stop_and_wait(send, recv))
}

/// How many bytes a connection can have taken that were not acknowledged.
pub(crate) fn unacknowledged_limit(config: &Config) -> u64 {
    SEND_SLOTS as u64 * u64::from(config.segment)
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
