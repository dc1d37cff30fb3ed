//! The choices of a fuzzer for a connection: mode, limits, mechanism, controller, memory.

use arbitrary::Arbitrary;
use rdt_proto::arq::{AnyArq, Block, SelectiveRepeat, StopAndWait};
use rdt_proto::congestion::{BandwidthDelay, Controller, Cubic, FixedWindow, NewReno, Pacer};
use rdt_proto::connection::{Config, Connection, HandshakeParameters, Method, Mode, Peer, ProgressLimits, Storage};
use rdt_proto::store::{GrowingRecvSlots, RecvSlots, RecvStore, SendSlots, SendStore, slot_bytes};
use rdt_proto::wire::{MAX_WINDOW, Options, OptionsWriter, Tag, VERSION};
use rdt_proto::{Duration, Instant};

/// Selective repeat or stop-and-wait.
pub(crate) type Mechanism = AnyArq<Vec<Block>, Controller>;
/// A connection with either mechanism.
pub(crate) type Machine = Connection<Stores>;
/// The storage of a [`Machine`].
pub(crate) type Stores = Storage<SendSlots<Vec<u8>>, GrowingRecvSlots<Vec<u8>>, Mechanism>;

/// The largest body of a store, in bytes. It is the minimum of extended mode, so that datagrams stay small.
pub(crate) const SEGMENT: u16 = 64;
/// A buffer size that fits every datagram of a machine. The longest is a SACK.
pub(crate) const ROOM: usize = 176;
/// A buffer size that fits the options of [`AnyParameters`].
pub(crate) const OPTIONS_BYTES: usize = 64;

/// The fuzzer's choice of a mechanism and its memory.
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
    /// Small storage whose receive store takes every body of the peer.
    pub(crate) fn between_peers(self) -> Self {
        let few = |slots: u8| slots % 16;
        let (send_slots, recv_slots) = (few(self.send_slots), few(self.recv_slots));
        Self { blocks: 0, send_slots, recv_slots, recv_segment: 0, ..self }
    }

    /// The chosen mechanism.
    pub(crate) fn arq(self) -> Option<Mechanism> {
        Some(match self.mechanism {
            Method::StopAndWait => AnyArq::StopAndWait(StopAndWait::new()),
            Method::SelectiveRepeat => {
                let pacer = Pacer::new(Duration::from_micros(self.pacing_us.into()), u32::from(SEGMENT) + 15);
                let blocks = vec![Block::EMPTY; 1 + usize::from(self.blocks % 3)];
                AnyArq::SelectiveRepeat(SelectiveRepeat::new(blocks, self.algorithm.controller(), pacer)?)
            }
        })
    }

    /// The chosen mechanism with stores of the chosen sizes.
    pub(crate) fn storage(self) -> Option<Stores> {
        // 0 means a full segment, so that an input of zeros makes a working connection.
        let segment = |less: u8| SEGMENT - u16::from(less) % SEGMENT;
        let memory = |slots: u8, segment: u16| vec![0; (1 + usize::from(slots)) * slot_bytes(segment)];
        let (send_segment, recv_segment) = (segment(self.send_segment), segment(self.recv_segment));
        let storage = Storage {
            send: SendSlots::new(memory(self.send_slots, send_segment), send_segment).ok()?,
            recv: RecvSlots::new(memory(self.recv_slots, recv_segment), recv_segment).ok()?,
            arq: self.arq()?,
        };
        Some(storage.growing())
    }
}

/// One of the memories of a connection.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Part {
    Send,
    Recv,
    Numbers,
}

/// Replaces one memory by `1 + places` slots, or up to four blocks. Memory that is too small must be returned.
pub(crate) fn replace(machine: &mut Machine, part: Part, places: u8) {
    let bytes = |segment: usize| vec![0; (1 + usize::from(places)) * (slot_bytes(0) + segment)];
    let (before, new, result) = match part {
        Part::Send => {
            let memory = bytes(machine.send_store().segment());
            (machine.send_memory(), 1 + u32::from(places), machine.replace_send_memory(memory).is_ok())
        }
        Part::Recv => {
            let memory = bytes(machine.recv_store().segment());
            (machine.recv_memory(), 1 + u32::from(places), machine.replace_recv_memory(memory).is_ok())
        }
        Part::Numbers => {
            let blocks = 1 << (places % 3);
            let memory = vec![Block::EMPTY; blocks];
            let new = Block::NUMBERS * u32::try_from(blocks).unwrap_or(0);
            (machine.number_memory(), new, machine.replace_number_memory(memory).is_ok())
        }
    };
    // Stop-and-wait has one place for numbers, and takes no memory.
    let takes = !matches!(part, Part::Numbers) || before.room > 1;
    assert_eq!(result, takes && new >= before.used, "{part:?}: {before:?} and memory for {new}");
}

/// The fuzzer's choice of a new connection.
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
    parameters: AnyParameters,
    choice: Choice,
}

/// The parameters that a peer may announce.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct AnyParameters {
    version: Option<u32>,
    tag: Option<Tag>,
    segment: Option<u16>,
    window: Option<u32>,
    idle_ms: Option<u32>,
}

impl AnyParameters {
    /// The parameters. An absent parameter has its default.
    pub(crate) fn parameters(self) -> HandshakeParameters {
        HandshakeParameters {
            version: self.version.unwrap_or(VERSION),
            tag: self.tag,
            segment: self.segment.unwrap_or(HandshakeParameters::BASE.segment),
            window: self.window.unwrap_or(1),
            idle_limit: self.idle_ms.map(|ms| Duration::from_millis(ms.into())),
            attempt: 0,
            reset_token: None,
            datagram_len: 0,
        }
    }

    /// The parameters as options. Values are clamped to the range of each option. Without a tag (base mode) there are
    /// no options.
    pub(crate) fn to_options(self, buf: &mut [u8; OPTIONS_BYTES]) -> Options<'_> {
        let Some(tag) = self.tag else { return Options::NONE };
        let HandshakeParameters { version, segment, window, .. } = self.parameters();
        let options = OptionsWriter::new(buf)
            .version(version.max(1))
            .and_then(|options| options.tag(tag))
            .and_then(|options| options.segment(segment.max(SEGMENT)))
            .and_then(|options| options.window(window.clamp(1, MAX_WINDOW)))
            .and_then(|options| match self.idle_ms {
                Some(limit_ms) => options.idle_ms(limit_ms),
                None => Ok(options),
            });
        assert!(options.is_ok(), "{options:?}");
        options.map_or(Options::NONE, OptionsWriter::finish)
    }
}

impl Start {
    /// The config. A limit that is `None` is lifted.
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
            progress: ProgressLimits {
                first: limit(self.quiet_limit),
                span: limit(self.keep_alive),
                least: self.segment.into(),
                close: limit(self.linger),
            },
            linger: limit(self.linger),
            ..base
        }
    }

    /// At a server, the tag in the CONNECT of the peer.
    pub(crate) fn peer_tag(&self) -> Option<Tag> {
        self.parameters.tag.filter(|_| !self.client)
    }

    /// Whether neither side of a server's connection has an idle limit. An announced `u32::MAX` means no limit.
    pub(crate) fn lifts_idle_limit(&self) -> bool {
        self.idle_limit.is_none() && self.parameters.idle_ms.is_none_or(|ms| ms == u32::MAX)
    }

    pub(crate) fn storage(&self) -> Option<Stores> {
        self.choice.storage()
    }

    pub(crate) fn machine(&self) -> Option<Machine> {
        let (config, storage) = (self.config(), self.storage()?);
        let machine = if self.client {
            Connection::connect(Instant::ZERO, config, [3; 32], storage)
        } else {
            Connection::accept(Instant::ZERO, config, [3; 32], self.parameters.parameters(), storage)
        };
        machine.ok()
    }
}
