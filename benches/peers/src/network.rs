//! Two ends of a stack over a path of the library's simulation.

use std::collections::VecDeque;

use rdt_proto::sim::{LinkConfig, LinkStats, Node, Outgoing, SimAddress, Simulation};
use rdt_proto::{Duration, Instant};

use crate::pattern::Pattern;
use crate::rng::Rng;
use crate::stack::{Endpoint, MICRO, Nanos};

/// The path between two ends.
#[derive(Clone)]
pub struct Path {
    /// From the sender to the receiver.
    pub there: LinkConfig,
    /// From the receiver to the sender.
    pub back: LinkConfig,
    /// Whether both directions share one line.
    pub half_duplex: bool,
    /// The resolution of the timers of both ends. Zero is exact to 1 µs.
    pub timers: Duration,
}

/// What to transfer.
#[derive(Clone)]
pub struct Plan {
    /// The number of bytes. A sender with `u64::MAX` bytes sends until the end.
    pub bytes: u64,
    /// The time at which the transfer is stopped.
    pub end: Instant,
    /// The times at which the received bytes are noted, in order and before the end.
    pub marks: Vec<Instant>,
    /// Whether the sender writes before its handshake is complete, as far as the stack allows it.
    pub early: bool,
}

/// The result of a transfer.
#[derive(Debug)]
pub struct Outcome {
    /// The time from the start of the client to the end of its handshake.
    pub handshake: Option<Duration>,
    /// The time from the start of the client to the last byte read, or to the end of the plan.
    pub all: Duration,
    /// The number of bytes read until the end of the plan.
    pub received: u64,
    /// The number of bytes read at each mark.
    pub marks: Vec<u64>,
    /// Whether all bytes were read before the end of the plan.
    pub finished: bool,
    /// The number of bytes read after the sender stopped and all data in flight arrived.
    pub drained: u64,
    /// What the link to the receiver delivered from the end of the handshake until then.
    pub delivered: Delivered,
    /// What the link back delivered in all.
    pub answers: Delivered,
}

/// Datagrams that a link delivered, and their bytes without the overhead of lower layers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivered {
    pub datagrams: u64,
    pub bytes: u64,
}

impl Delivered {
    fn of(stats: LinkStats) -> Self {
        Self { datagrams: stats.delivered, bytes: stats.delivered_bytes }
    }

    fn since(self, base: Self) -> Self {
        Self { datagrams: self.datagrams - base.datagrams, bytes: self.bytes - base.bytes }
    }
}

/// The client starts at a random time below this. So seeds differ in their phase against steps and intervals.
const START: Duration = Duration::from_millis(100);
/// The time after the end in which data in flight may still arrive.
const DRAIN: Duration = Duration::from_secs(60);
/// A deadline in the past is polled again after this time, not at once.
const RETRY: Duration = Duration::from_micros(100);
/// The number of bytes written or read at a time.
const PART: usize = 64 * 1024;

/// An end of a stack with its application.
struct Peer<'p> {
    endpoint: Box<dyn Endpoint>,
    application: Application,
    peer: SimAddress,
    pattern: &'p Pattern,
    start: Instant,
    /// The datagrams that wait for `poll_transmit`: bytes, and the size of each datagram.
    outbox: VecDeque<(Vec<u8>, usize)>,
    spare: Vec<Vec<u8>>,
    buffer: Vec<u8>,
    now: Instant,
    due: Option<Instant>,
}

enum Application {
    Sender { bytes: u64, written: u64, early: bool, opened: Option<Instant> },
    Receiver { read: u64, last: Instant, is_wrong: bool },
}

impl Peer<'_> {
    fn clock(&self, now: Instant) -> Nanos {
        now.saturating_since(self.start).as_micros() * MICRO
    }

    /// Runs the application and the stack until neither makes progress.
    fn work(&mut self, now: Instant) {
        self.now = now;
        let at = self.clock(now);
        loop {
            self.endpoint.service(at);
            let mut acted = self.act(now, at);
            if acted {
                self.endpoint.service(at);
            }
            let mut datagrams = self.spare.pop().unwrap_or_default();
            while let Some(output) = self.endpoint.output(at, &mut datagrams) {
                datagrams.truncate(output.len);
                self.outbox.push_back((datagrams, output.segment));
                datagrams = self.spare.pop().unwrap_or_default();
                acted = true;
            }
            self.spare.push(datagrams);
            if !acted {
                break;
            }
        }
        let due = self.endpoint.deadline(at);
        self.due = due
            .map(|due| if due <= at { now + RETRY } else { self.start + Duration::from_micros(due.div_ceil(MICRO)) });
    }

    fn act(&mut self, now: Instant, at: Nanos) -> bool {
        let mut acted = false;
        match &mut self.application {
            Application::Sender { bytes, written, early, opened } => {
                if opened.is_none() && self.endpoint.ready() {
                    *opened = Some(now);
                }
                while written < bytes && (*early || opened.is_some()) {
                    let want = (*bytes - *written).min(PART as u64) as usize;
                    let count = self.endpoint.write(at, self.pattern.at(*written, want));
                    if count == 0 {
                        break;
                    }
                    *written += count as u64;
                    acted = true;
                }
            }
            Application::Receiver { read, last, is_wrong } => loop {
                let count = self.endpoint.read(at, &mut self.buffer);
                if count == 0 {
                    break;
                }
                *is_wrong |= !self.pattern.matches(*read, &self.buffer[..count]);
                *read += count as u64;
                *last = now;
                acted = true;
            },
        }
        acted
    }

    fn read(&self) -> u64 {
        match self.application {
            Application::Receiver { read, .. } => read,
            Application::Sender { .. } => 0,
        }
    }

    fn opened(&self) -> Option<Instant> {
        match self.application {
            Application::Receiver { .. } => None,
            Application::Sender { opened, .. } => opened,
        }
    }
}

impl Node for Peer<'_> {
    fn handle_datagram(&mut self, now: Instant, _: SimAddress, _: SimAddress, datagram: &[u8]) {
        self.endpoint.input(self.clock(now), datagram, &mut |_| 0);
        self.work(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.tick(self.clock(now));
        self.work(now);
    }

    fn poll_transmit(&mut self, _: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let (datagrams, segment) = self.outbox.pop_front()?;
        let len = datagrams.len();
        buf[..len].copy_from_slice(&datagrams);
        self.spare.push(datagrams);
        Some(Outgoing::new(self.peer, len).with_segment_size(segment))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.outbox.is_empty() { self.due } else { Some(self.now) }
    }

    /// The simulation need not check that a foreign stack always has a deadline.
    fn is_done(&self) -> bool {
        true
    }
}

/// Runs the handshake and a transfer from the first end to the second.
pub fn transfer(
    [client, server]: [Box<dyn Endpoint>; 2],
    path: &Path,
    plan: &Plan,
    seed: u64,
    pattern: &Pattern,
) -> Result<Outcome, String> {
    let start = Instant::ZERO + Duration::from_micros(1 + Rng::new(seed).below(START.as_micros()));
    let mut sim = Simulation::new(seed);
    sim.set_timer_granularity(path.timers);
    let peer = |endpoint, application, peer| Peer {
        endpoint,
        application,
        peer: SimAddress::new(peer, 0),
        pattern,
        start,
        outbox: VecDeque::new(),
        spare: Vec::new(),
        buffer: vec![0; PART],
        now: Instant::ZERO,
        due: Some(start),
    };
    let sender = Application::Sender { bytes: plan.bytes, written: 0, early: plan.early, opened: None };
    let a = sim.add(peer(client, sender, 1));
    let b = sim.add(peer(server, Application::Receiver { read: 0, last: start, is_wrong: false }, 0));
    let (there, back) = sim.connect_with(a, b, path.there.clone(), path.back.clone());
    if path.half_duplex {
        sim.share_line(there, back);
    }

    let mut base = None;
    let mut marks = Vec::new();
    while sim.node(b).read() < plan.bytes {
        // Both ends may have given up.
        let Some(next) = sim.next_event() else { break };
        while plan.marks.get(marks.len()).is_some_and(|&mark| mark < next) {
            marks.push(sim.node(b).read());
        }
        if next > plan.end {
            break;
        }
        sim.step();
        if base.is_none() && sim.node(a).opened().is_some() {
            base = Some(Delivered::of(sim.stats(there)));
        }
    }
    let received = sim.node(b).read();
    let finished = received >= plan.bytes;
    let (last, is_wrong) = match sim.node(b).application {
        Application::Receiver { last, is_wrong, .. } => (last, is_wrong),
        Application::Sender { .. } => (start, false),
    };
    if is_wrong {
        return Err("wrong bytes".into());
    }
    let opened = sim.node(a).opened();
    marks.resize(plan.marks.len(), received);
    drain(&mut sim, plan.end + DRAIN);
    Ok(Outcome {
        handshake: opened.map(|opened| opened.saturating_since(start)),
        all: if finished { last } else { plan.end }.saturating_since(start),
        received,
        marks,
        finished,
        drained: sim.node(b).read(),
        delivered: Delivered::of(sim.stats(there)).since(base.unwrap_or_default()),
        answers: Delivered::of(sim.stats(back)),
    })
}

/// Stops the sender, and runs until all that it wrote has arrived.
fn drain(sim: &mut Simulation<Peer<'_>>, end: Instant) {
    let [a, b] = [0, 1].map(rdt_proto::sim::NodeId);
    let all = match &mut sim.node_mut(a).application {
        Application::Sender { bytes, written, .. } => {
            *bytes = *written;
            *written
        }
        Application::Receiver { .. } => 0,
    };
    while sim.node(b).read() < all && sim.next_event().is_some_and(|next| next <= end) {
        sim.step();
    }
}
