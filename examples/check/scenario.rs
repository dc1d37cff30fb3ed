//! The parameters of a run.

use rdt_proto::Duration;
use rdt_proto::arq::{Block, SelectiveRepeat, StopAndWait};
use rdt_proto::congestion::{FixedWindow, Pacer};
use rdt_proto::connection::{Config, Connection, Mode, Storage};
use rdt_proto::store::{RecvSlots, SendSlots, slot_bytes};

/// The largest body, in bytes. With one byte, each write is a packet.
const SEGMENT: u16 = 1;
/// The smallest receive slot that extended mode allows, in bytes.
const SLOT: u16 = 64;
/// The maximum number of slots in each direction.
const MOST_SLOTS: usize = 2;

pub(crate) type Sent = SendSlots<[u8; MOST_SLOTS * slot_bytes(SEGMENT)]>;
pub(crate) type Received = RecvSlots<Vec<u8>>;
/// A connection with stop-and-wait.
pub(crate) type Waiting = Connection<Storage<Sent, Received, StopAndWait>>;
/// A connection with selective repeat.
pub(crate) type Repeating = Connection<Storage<Sent, Received, SelectiveRepeat<[Block; 1], FixedWindow>>>;

/// The retransmission mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    StopAndWait,
    SelectiveRepeat,
}

/// One run of the explorer.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) mechanism: Mechanism,
    pub(crate) mode: Mode,
    /// The number of receive slots of each side. It limits the window.
    pub(crate) slots: usize,
    /// The maximum number of bytes that the client and the server write. Each byte is a packet.
    pub(crate) writes: [u8; 2],
    /// Whether one application may abort.
    pub(crate) aborts: bool,
    /// Whether the network may lose, delay or duplicate one datagram.
    pub(crate) faults: bool,
    /// The number of deadlines that may pass while a required call of an application is outstanding.
    pub(crate) patience: u8,
}

impl Scenario {
    /// All scenarios.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for mechanism in [Mechanism::StopAndWait, Mechanism::SelectiveRepeat] {
            for mode in [Mode::Base, Mode::Extended] {
                for (slots, writes, aborts, patience) in [
                    (1, [2, 0], false, 2),
                    (2, [2, 0], false, 2),
                    (2, [1, 1], false, 2),
                    (2, [0, 2], false, 2),
                    (2, [1, 0], true, 1),
                ] {
                    all.push(Self { mechanism, mode, slots, writes, aborts, faults: true, patience });
                }
            }
        }
        all
    }

    pub(crate) fn name(&self) -> String {
        let mechanism = match self.mechanism {
            Mechanism::StopAndWait => "stop-and-wait",
            Mechanism::SelectiveRepeat => "selective-repeat",
        };
        let mode = match self.mode {
            Mode::Base => "base",
            Mode::Extended => "extended",
            Mode::Both => "both",
        };
        let [client, server] = self.writes;
        let aborts = if self.aborts { " abort" } else { "" };
        format!("{mechanism} {mode} window {} writes {client}+{server}{aborts}", self.slots)
    }

    /// The configuration of both sides.
    ///
    /// An aborted side sends a single RESET or FIN. If that is lost, only a limit on silence ends the peer. Scenarios
    /// with aborts therefore need short limits. Other scenarios need no quiet limit, since their applications act in
    /// time.
    pub(crate) fn config(&self) -> Config {
        let config = Config { mode: self.mode, segment: SEGMENT, ..Config::default() };
        if self.aborts {
            let [idle_limit, quiet_limit, keep_alive] = [3, 6, 2].map(Duration::from_secs);
            Config { idle_limit, quiet_limit, keep_alive, ..config }
        } else {
            Config { quiet_limit: Duration::MAX, ..config }
        }
    }
}

/// Makes a retransmission mechanism with its memory.
pub(crate) trait Lend: Sized {
    fn lend() -> Option<Self>;
}

impl Lend for StopAndWait {
    fn lend() -> Option<Self> {
        Some(Self::new())
    }
}

impl Lend for SelectiveRepeat<[Block; 1], FixedWindow> {
    fn lend() -> Option<Self> {
        let pacer = Pacer::new(Duration::from_millis(2), SLOT.into());
        Self::new([Block::EMPTY; 1], FixedWindow::new(1_000), pacer)
    }
}

/// The memory of one side.
pub(crate) fn storage<A: Lend>(scenario: &Scenario) -> Option<Storage<Sent, Received, A>> {
    let send = SendSlots::new([0; MOST_SLOTS * slot_bytes(SEGMENT)], SEGMENT).ok()?;
    let recv = RecvSlots::with_slots(scenario.slots, SLOT).ok()?;
    Some(Storage { send, recv, arq: A::lend()? })
}
