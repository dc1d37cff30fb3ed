//! What a seed decides.

use rdt_proto::arq::{AnyArq, Block, SelectiveRepeat, StopAndWait};
use rdt_proto::congestion::{BandwidthDelay, Controller, Cubic, FixedWindow, NewReno, Pacer};
use rdt_proto::connection::{Config, Mode, Storage};
use rdt_proto::sim::{LinkConfig, Rng};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::{Duration, Instant};

pub type Mechanism = AnyArq<Vec<Block>, Controller>;
pub type Send = SendSlots<Vec<u8>>;
pub type Recv = RecvSlots<Vec<u8>>;

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub client: End,
    pub server: End,
    pub there: LinkConfig,
    pub back: LinkConfig,
    /// How late timers are.
    pub granularity: Duration,
}

/// One side, in all its incarnations.
#[derive(Clone, Debug)]
pub struct End {
    pub config: Config,
    /// How many bytes an incarnation writes.
    pub size: usize,
    /// When it is dropped, and how much later it comes back.
    pub restarts: Vec<(Instant, Duration)>,
    /// Whether a client comes back from the same port.
    pub same_port: bool,
    choice: Choice,
    send_segment: u16,
    recv_segment: u16,
}

/// A mechanism.
#[derive(Clone, Copy, Debug)]
struct Choice {
    /// 0 is stop-and-wait.
    blocks: usize,
    controller: usize,
    fixed_segments: u64,
    slots: (usize, usize),
}

/// No datagram lives longer: an address rests as long before base mode, which cannot tell an old datagram from a new one,
/// uses it again.
const LONGEST_LIFE: Duration = Duration::from_millis(1_000);

impl Plan {
    /// The run of this seed: without restarts, and with the limits of the defaults.
    pub fn new(seed: u64) -> Self {
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
            // It says so, and the server keeps to it.
            client.recv_segment = less;
        }
        let dark = blackouts(&mut rng);
        let (there, back) = (link(&mut rng, &dark), link(&mut rng, &dark));
        let granularity = Duration::from_millis([0, 0, 1, 10][rng.index(4)]);
        Self { seed, client, server, there, back, granularity }
    }

    /// No limit ends anything.
    pub fn lifted(mut self) -> Self {
        for end in [&mut self.client, &mut self.server] {
            let never = Duration::MAX;
            end.config = Config { handshake_limit: never, idle_limit: never, quiet_limit: never, ..end.config };
        }
        self
    }

    /// One end, or both, are dropped once or twice and come back.
    pub fn restarts(mut self) -> Self {
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
    fn new(mode: Mode, choice: Choice, send_segment: u16, recv_segment: u16, rng: &mut Rng) -> Self {
        // Who has nothing to send notices that the peer is gone: base mode by the quiet limit, extended mode so.
        let keep_alive = Duration::from_secs(10);
        let config = Config { mode, segment: send_segment, keep_alive, ..Config::default() };
        // A packet takes a round trip where only one is on its way.
        let packets = if choice.blocks == 0 { 200 } else { 1_000 };
        let most = (usize::from(send_segment) * packets).min(400 * 1_024);
        let size = if rng.chance(0.1) { 0 } else { rng.index(most) };
        Self { config, size, restarts: Vec::new(), same_port: false, choice, send_segment, recv_segment }
    }

    /// Memory for one incarnation.
    pub fn storage(&self) -> Storage<Send, Recv, Mechanism> {
        let (send, recv) = self.choice.slots;
        Storage {
            send: SendSlots::with_slots(send, self.send_segment).unwrap(),
            recv: RecvSlots::with_slots(recv, self.recv_segment).unwrap(),
            arq: self.choice.arq(u32::from(self.send_segment) + 15),
        }
    }
}

impl Choice {
    fn new(rng: &mut Rng) -> Self {
        let blocks = if rng.chance(0.3) { 0 } else { 1 << rng.index(7) };
        let most = if blocks == 0 { 4 } else { (blocks * 64).min(2_048) };
        let slots = (1 + rng.index(most), 1 + rng.index(most));
        Self { blocks, controller: rng.index(4), fixed_segments: 1 + rng.below(64), slots }
    }

    fn arq(&self, segment: u32) -> Mechanism {
        if self.blocks == 0 {
            return AnyArq::StopAndWait(StopAndWait::new());
        }
        let congestion = match self.controller {
            0 => Controller::FixedWindow(FixedWindow::new(u64::from(segment) * self.fixed_segments)),
            1 => Controller::NewReno(NewReno::new(segment)),
            2 => Controller::Cubic(Cubic::new(segment)),
            _ => Controller::BandwidthDelay(BandwidthDelay::new(segment)),
        };
        let pacer = Pacer::new(Duration::from_millis(1), segment);
        AnyArq::SelectiveRepeat(SelectiveRepeat::new(vec![Block::EMPTY; self.blocks], congestion, pacer).unwrap())
    }
}

/// Any time within so many seconds, as often as not within the first of them.
fn soon_or_within(secs: u64, soon: u64, rng: &mut Rng) -> Duration {
    let secs = if rng.chance(0.5) { soon } else { secs };
    rng.up_to(Duration::from_secs(secs))
}

/// Times in which nothing passes, either way: up to four of 1 to 20 s.
fn blackouts(rng: &mut Rng) -> Vec<(Instant, Instant)> {
    let span = |rng: &mut Rng| {
        let start = Instant::ZERO + soon_or_within(120, 10, rng);
        (start, start + Duration::from_secs(1).saturating_add(rng.up_to(Duration::from_secs(19))))
    };
    (0..rng.index(5)).map(|_| span(rng)).collect()
}

/// One direction: loss up to 40 %, and everything else that a network does to a datagram.
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
