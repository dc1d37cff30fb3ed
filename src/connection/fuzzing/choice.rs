//! What a fuzzer chooses before it begins: modes, limits, mechanism, controller, memory.

use super::OPTIONS_BYTES;
use crate::arq::{AnyArq, Block, SelectiveRepeat, StopAndWait};
use crate::congestion::{BandwidthDelay, Controller, Cubic, FixedWindow, NewReno, Pacer};
use crate::connection::{Config, Connection, Hello, Method, Mode, Peer, Storage};
use crate::store::{RecvSlots, SendSlots, slot_bytes};
use crate::wire::{Options, Tag};
use crate::{Duration, Instant};
use arbitrary::Arbitrary;
use std::vec::Vec;

/// Either mechanism.
pub(crate) type Mechanism = AnyArq<Vec<Block>, Controller>;
/// A connection of any kind.
pub(crate) type Machine = Connection<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, Mechanism>;
/// What it is made of.
pub(crate) type Stores = Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, Mechanism>;

/// The largest body that a store is made for, so that datagrams stay small. It is also the least that extended mode allows.
pub(crate) const SEGMENT: u16 = 64;
/// Enough for every datagram of a machine: a SACK is the longest.
pub(crate) const ROOM: usize = 160;

/// A mechanism and its memory.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct Choice {
    mechanism: Method,
    algorithm: Algorithm,
    pacing_us: u16,
    blocks: u8,
    send_slots: u8,
    send_segment: u8,
    recv_slots: u8,
    recv_segment: u8,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Algorithm {
    Fixed { window: u16, rate: Option<u32> },
    NewReno,
    Cubic,
    BandwidthDelay,
}

impl Algorithm {
    fn controller(self) -> Controller {
        let segment = u32::from(SEGMENT) + 15;
        match self {
            Self::Fixed { window, rate: None } => FixedWindow::new(window.into()).into(),
            Self::Fixed { window, rate: Some(rate) } => FixedWindow::new(window.into()).paced(rate.into()).into(),
            Self::NewReno => NewReno::new(segment).into(),
            Self::Cubic => Cubic::new(segment).into(),
            Self::BandwidthDelay => BandwidthDelay::new(segment).into(),
        }
    }
}

impl Choice {
    /// A small one that takes whatever its peer may send.
    pub(crate) fn between_peers(self) -> Self {
        let few = |slots: u8| slots % 16;
        let (send_slots, recv_slots) = (few(self.send_slots), few(self.recv_slots));
        Self { blocks: 0, send_slots, recv_slots, recv_segment: 0, ..self }
    }

    /// The mechanism.
    pub(crate) fn arq(self) -> Option<Mechanism> {
        Some(match self.mechanism {
            Method::StopAndWait => AnyArq::StopAndWait(StopAndWait::new()),
            Method::SelectiveRepeat => {
                let pacer = Pacer::new(Duration::from_micros(self.pacing_us.into()), u32::from(SEGMENT) + 15);
                let blocks = std::vec![Block::EMPTY; 1 + usize::from(self.blocks % 3)];
                AnyArq::SelectiveRepeat(SelectiveRepeat::new(blocks, self.algorithm.controller(), pacer)?)
            }
        })
    }

    /// The mechanism between stores of any size.
    pub(crate) fn storage(self) -> Option<Stores> {
        // 0 stands for a full segment, so that what is all zeros is a connection that works.
        let segment = |less: u8| SEGMENT - u16::from(less) % SEGMENT;
        let memory = |slots: u8, segment: u16| std::vec![0; (1 + usize::from(slots)) * slot_bytes(segment)];
        let (send_segment, recv_segment) = (segment(self.send_segment), segment(self.recv_segment));
        Some(Storage {
            send: SendSlots::new(memory(self.send_slots, send_segment), send_segment).ok()?,
            recv: RecvSlots::new(memory(self.recv_slots, recv_segment), recv_segment).ok()?,
            arq: self.arq()?,
        })
    }
}

/// A connection to start from.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) client: bool,
    pub(crate) peer: Peer,
    pub(crate) mode: Mode,
    segment: u16,
    handshake_limit: Option<u32>,
    idle_limit: Option<u32>,
    quiet_limit: Option<u32>,
    keep_alive: Option<u32>,
    linger: Option<u32>,
    hello: AnyHello,
    choice: Choice,
}

/// What a peer may say of itself.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct AnyHello {
    tag: Option<Tag>,
    segment: Option<u16>,
    window: Option<u32>,
    idle_ms: Option<u32>,
}

impl AnyHello {
    /// As it is said; what is absent by its default.
    pub(crate) fn hello(self) -> Hello {
        Hello {
            tag: self.tag,
            segment: self.segment.unwrap_or(Hello::BASE.segment),
            window: self.window.unwrap_or(1),
            idle_limit: self.idle_ms.map(|ms| Duration::from_millis(ms.into())),
        }
    }

    /// As options, if only of values that can be said.
    pub(crate) fn say(self, buf: &mut [u8; OPTIONS_BYTES]) -> Options<'_> {
        let hello = self.hello();
        let (segment, window) = (hello.segment.max(SEGMENT), hello.window.clamp(1, (1 << 31) - 1));
        Hello { segment, window, ..hello }.to_options(None, 0, buf).unwrap_or(Options::NONE)
    }
}

impl Start {
    /// Every limit by itself, and lifted where nothing is said.
    pub(crate) fn config(&self) -> Config {
        let limit = |micros: Option<u32>| micros.map_or(Duration::MAX, |us| Duration::from_micros(us.into()));
        let base = match self.peer {
            Peer::RdtProto => Config { mode: self.mode, ..Config::default() },
            Peer::RostovSelectiveRepeat => Config::rostov(Method::SelectiveRepeat),
            Peer::RostovStopAndWait => Config::rostov(Method::StopAndWait),
        };
        Config {
            segment: self.segment,
            handshake_limit: limit(self.handshake_limit),
            idle_limit: limit(self.idle_limit),
            quiet_limit: limit(self.quiet_limit),
            keep_alive: limit(self.keep_alive),
            linger: limit(self.linger),
            ..base
        }
    }

    pub(crate) fn storage(&self) -> Option<Stores> {
        self.choice.storage()
    }

    pub(crate) fn machine(&self) -> Option<Machine> {
        let (config, storage) = (self.config(), self.storage()?);
        Some(if self.client {
            Connection::connect(Instant::ZERO, config, [3; 32], storage)
        } else {
            Connection::accept(Instant::ZERO, config, [3; 32], self.hello.hello(), storage)
        })
    }
}
