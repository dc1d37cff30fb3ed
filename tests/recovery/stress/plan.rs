//! The parameters of a run, determined by its seed.

use crate::endpoints::packets;
use rdt_proto::arq::{AnyArq, Block};
use rdt_proto::congestion::{Algorithm, Controller, FixedWindow};
use rdt_proto::connection::{Config, HeapStopAndWait, HeapStorage, Memory, Mode, Storage};
use rdt_proto::sim::{LinkConfig, Rng};
use rdt_proto::store::{RecvSlots, SendSlots, StoreError};
use rdt_proto::{Duration, Instant};

/// Storage with either mechanism and any controller.
pub(crate) type AnyStorage = Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, AnyArq<Vec<Block>, Controller>>;

/// The parameters of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) client: End,
    pub(crate) server: End,
    pub(crate) there: LinkConfig,
    pub(crate) back: LinkConfig,
    /// The granularity of timers.
    pub(crate) granularity: Duration,
}

/// The parameters of one side, in all its incarnations.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) config: Config,
    /// The number of bytes that an incarnation writes.
    pub(crate) size: usize,
    /// The time of each restart, and how long the side stays away.
    pub(crate) restarts: Vec<(Instant, Duration)>,
    /// Whether a client returns with the same port.
    pub(crate) same_port: bool,
    choice: Choice,
}

/// A retransmission mechanism with its controller and memory.
#[derive(Clone, Copy, Debug)]
struct Choice {
    /// The number of blocks of selective repeat, or 0 for stop-and-wait.
    blocks: u32,
    controller: usize,
    fixed_segments: u64,
    /// The number of packets to send and to receive that fit in memory.
    slots: (u32, u32),
}

/// The maximum lifetime of a datagram.
///
/// Base mode cannot distinguish datagrams of an earlier connection. A side that restarts therefore stays away at least
/// this long.
const LONGEST_LIFE: Duration = Duration::from_millis(1_000);

impl Plan {
    /// The plan of this seed, without restarts and with default limits.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let (client_mode, server_mode) = match rng.index(8) {
            0 | 1 => (Mode::Base, Mode::Base),
            2 => (Mode::Both, Mode::Both),
            3 => (Mode::Both, Mode::Base),
            4 => (Mode::Base, Mode::Both),
            _ => (Mode::Extended, Mode::Extended),
        };
        let choice = Choice::new(&mut rng);
        let other = if rng.chance(0.2) { Choice::new(&mut rng) } else { choice };
        let mut segment = || 64 + u16::try_from(rng.below(1_400 - 64)).unwrap();
        let (up, down) = (segment(), segment());
        let (more, less) = (segment(), segment());
        let mut client = End::new(client_mode, choice, up, down, &mut rng);
        let server = End::new(server_mode, other, down, up.max(more), &mut rng);
        if client_mode == Mode::Extended {
            // The client announces this segment, and the server sends no larger bodies.
            client.config.recv_segment = less;
        }
        let dark = blackouts(&mut rng);
        let (there, back) = (link(&mut rng, &dark), link(&mut rng, &dark));
        let granularity = Duration::from_millis([0, 0, 1, 10][rng.index(4)]);
        Self { seed, client, server, there, back, granularity }
    }

    /// Lifts all limits.
    pub(crate) fn lifted(mut self) -> Self {
        for end in [&mut self.client, &mut self.server] {
            let never = Duration::MAX;
            end.config = Config { handshake_limit: never, idle_limit: never, quiet_limit: never, ..end.config };
        }
        self
    }

    /// Adds one or two restarts to one side or both.
    pub(crate) fn restarts(mut self) -> Self {
        let mut rng = Rng::new(!self.seed);
        let extended = [&self.client, &self.server].iter().all(|end| end.config.mode == Mode::Extended);
        let least = if extended { Duration::ZERO } else { LONGEST_LIFE };
        let times = |rng: &mut Rng| {
            let mut at = Instant::ZERO;
            let mut restart = || {
                at = at + soon_or_within(40, 1, rng);
                let longest = Duration::from_millis(if rng.chance(0.5) { 100 } else { 3_000 });
                let away = least.saturating_add(rng.up_to(longest));
                let restart = (at, away);
                at = at + away;
                restart
            };
            let first = restart();
            [Some(first), Some(restart()).filter(|_| rng.chance(0.5))].into_iter().flatten().collect()
        };
        match rng.index(5) {
            0 | 1 => self.client.restarts = times(&mut rng),
            2 | 3 => self.server.restarts = times(&mut rng),
            _ => (self.client.restarts, self.server.restarts) = (times(&mut rng), times(&mut rng)),
        }
        self.client.same_port = rng.chance(0.5);
        self
    }
}

impl End {
    fn new(mode: Mode, choice: Choice, segment: u16, recv_segment: u16, rng: &mut Rng) -> Self {
        // A side with nothing to send detects a lost peer: base mode by the quiet limit, extended mode by keep-alive.
        let keep_alive = Duration::from_secs(10);
        let config = Config { mode, segment, recv_segment, keep_alive, ..Config::default() };
        // With stop-and-wait, each packet takes a round trip.
        let packets = if choice.blocks == 0 { 200 } else { 1_000 };
        let most = (usize::from(segment) * packets).min(400 * 1_024);
        let size = if rng.chance(0.1) { 0 } else { rng.index(most) };
        Self { config, size, restarts: Vec::new(), same_port: false, choice }
    }

    /// Creates the storage of one incarnation.
    pub(crate) fn storage(&self) -> Result<AnyStorage, StoreError> {
        self.choice.storage(&self.config)
    }
}

impl Choice {
    fn new(rng: &mut Rng) -> Self {
        let blocks: u32 = if rng.chance(0.3) { 0 } else { 1 << rng.index(7) };
        let most = if blocks == 0 { 4 } else { (blocks * 64).min(2_048) };
        let slots = (packets(rng, most), packets(rng, most));
        Self { blocks, controller: rng.index(4), fixed_segments: 1 + rng.below(64), slots }
    }

    fn storage(&self, config: &Config) -> Result<AnyStorage, StoreError> {
        let (send, recv) = self.slots;
        let (send, recv) = (vec![0; config.send_bytes(send)], vec![0; config.recv_bytes(recv)]);
        if self.blocks == 0 {
            return Ok(HeapStopAndWait::stop_and_wait(config, send, recv)?.map_arq(AnyArq::StopAndWait));
        }
        let controller = |datagram: u32| match self.controller {
            0 => FixedWindow::new(u64::from(datagram) * self.fixed_segments).into(),
            1 => Algorithm::NewReno.controller(datagram),
            2 => Algorithm::Cubic.controller(datagram),
            _ => Algorithm::BandwidthDelay.controller(datagram),
        };
        let memory = Memory { send, recv, blocks: vec![Block::EMPTY; self.blocks as usize] };
        Ok(HeapStorage::selective_repeat(config, memory, controller)?.map_arq(AnyArq::SelectiveRepeat))
    }
}

/// A random duration: up to `soon` s in half of the cases, and otherwise up to `secs` s.
fn soon_or_within(secs: u64, soon: u64, rng: &mut Rng) -> Duration {
    let secs = if rng.chance(0.5) { soon } else { secs };
    rng.up_to(Duration::from_secs(secs))
}

/// Up to four blackouts of 1 to 20 s, each in both directions.
fn blackouts(rng: &mut Rng) -> Vec<(Instant, Instant)> {
    let span = |rng: &mut Rng| {
        let start = Instant::ZERO + soon_or_within(120, 10, rng);
        (start, start + Duration::from_secs(1).saturating_add(rng.up_to(Duration::from_secs(19))))
    };
    (0..rng.index(5)).map(|_| span(rng)).collect()
}

/// The link of one direction, with up to 40 % loss, and with random shares of all other faults.
fn link(rng: &mut Rng, dark: &[(Instant, Instant)]) -> LinkConfig {
    let share = |rng: &mut Rng, percent: u64| rng.below(percent + 1) as f64 / 100.0;
    let (delay, jitter) = if rng.chance(0.1) { (0, 0) } else { (150, 20) };
    let link = LinkConfig::ideal()
        .with_delay(rng.up_to(Duration::from_millis(delay)))
        .with_jitter(rng.up_to(Duration::from_millis(jitter)))
        .with_loss(share(rng, 40))
        .with_duplication(share(rng, 20))
        .with_reordering(share(rng, 20), rng.up_to(Duration::from_millis(300)))
        .with_corruption(share(rng, 10))
        .with_truncation(share(rng, 5));
    let link = if rng.chance(0.5) { link } else { link.with_rate(256_000 + rng.below(10_000_000)).with_queue(8_192) };
    dark.iter().fold(link, |link, &(start, end)| link.with_blackout(start, end))
}
