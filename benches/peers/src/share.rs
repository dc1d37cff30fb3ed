//! Measures how two flows of `rdt` share one bottleneck in a minute of virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Args;
use crate::pattern::Pattern;
use crate::report::{spread, table};
use crate::rng::Rng;
use crate::stack::{Control, Endpoint, MICRO, MILLI, Nanos, SECOND, Settings, Stack};

/// The time over which the shares count, from the start of the second flow.
const MINUTE: Nanos = 60 * SECOND;
/// The size of a datagram in bytes, without the headers of IP and UDP.
const DATAGRAM: usize = 1400;
/// The size of the headers of IP and UDP in bytes.
const HEADERS: u64 = 28;

/// The link that both flows share. Its queue holds one bandwidth-delay product.
#[derive(Clone, Copy)]
struct Link {
    bits_per_second: u64,
    round_trip: Nanos,
    /// The probability that a datagram is lost, in each direction.
    loss: f64,
    /// The maximum random delay before a datagram of the sender reaches the queue. The order is kept.
    jitter: Nanos,
}

impl Link {
    /// The bandwidth-delay product in bytes.
    fn product(&self) -> u64 {
        (u128::from(self.bits_per_second) * u128::from(self.round_trip) / 8 / u128::from(SECOND)) as u64
    }
}

/// The bottleneck in one direction.
#[derive(Default)]
struct Line {
    free_at: Nanos,
    drops: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Queue,
    End,
}

struct Packet {
    flow: usize,
    to: usize,
    place: Place,
    data: Vec<u8>,
}

struct Flow {
    ends: [Box<dyn Endpoint>; 2],
    timers: [Option<Nanos>; 2],
    /// The time at which the flow starts. Its clock is zero then.
    start: Nanos,
    offered: u64,
    received: u64,
    /// The time at which the latest datagram of the flow reaches the queue.
    queued_at: Nanos,
}

struct Network<'p> {
    link: Link,
    flows: Vec<Flow>,
    lines: [Line; 2],
    heap: BinaryHeap<Reverse<(Nanos, u64, usize)>>,
    packets: Vec<Option<Packet>>,
    vacant: Vec<usize>,
    order: u64,
    rng: Rng,
    pattern: &'p Pattern,
    now: Nanos,
    buffer: Vec<u8>,
    out: Vec<u8>,
}

impl<'p> Network<'p> {
    fn new(link: Link, seed: u64, pattern: &'p Pattern) -> Self {
        Network {
            link,
            flows: Vec::new(),
            lines: Default::default(),
            heap: BinaryHeap::new(),
            packets: Vec::new(),
            vacant: Vec::new(),
            order: 0,
            rng: Rng::new(seed),
            pattern,
            now: 0,
            buffer: vec![0; 64 * 1024],
            out: Vec::new(),
        }
    }

    fn add(&mut self, stack: &dyn Stack, start: Nanos) {
        let window = self.link.product() as usize * 8;
        let settings = Settings { datagram: DATAGRAM, window, control: Control::Default, variant: 0 };
        let (client, server) = stack.pair(&settings).expect("every stack of `share` makes a pair");
        let timers = [Some(start + MICRO), None];
        self.flows.push(Flow { ends: [client, server], timers, start, offered: 0, received: 0, queued_at: 0 });
    }

    fn run(&mut self, until: Nanos) {
        loop {
            let packet_at = self.heap.peek().map(|Reverse((at, ..))| *at);
            let timer = (0..self.flows.len() * 2)
                .filter_map(|i| self.flows[i / 2].timers[i % 2].map(|at| (at, i)))
                .min_by_key(|&(at, _)| at);
            let is_packet = packet_at.is_some_and(|at| timer.is_none_or(|(timer_at, _)| at <= timer_at));
            let Some(at) = (if is_packet { packet_at } else { timer.map(|(at, _)| at) }) else { return };
            if at > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(at);
            let Some((flow, end)) = (if is_packet { self.packet() } else { self.timer(timer) }) else { continue };
            self.act(flow, end);
        }
    }

    fn packet(&mut self) -> Option<(usize, usize)> {
        let Reverse((_, _, slot)) = self.heap.pop()?;
        let packet = self.packets[slot].take()?;
        self.vacant.push(slot);
        if packet.place == Place::Queue {
            self.enter_queue(packet);
            return None;
        }
        let flow = &mut self.flows[packet.flow];
        flow.ends[packet.to].input(self.now - flow.start, &packet.data, &mut |_| 0);
        Some((packet.flow, packet.to))
    }

    fn timer(&mut self, timer: Option<(Nanos, usize)>) -> Option<(usize, usize)> {
        let (_, i) = timer?;
        let flow = &mut self.flows[i / 2];
        flow.ends[i % 2].tick(self.now - flow.start);
        Some((i / 2, i % 2))
    }

    /// Runs the application and the stack until neither makes progress.
    fn act(&mut self, index: usize, end: usize) {
        let mut more = true;
        while more {
            more = false;
            let flow = &mut self.flows[index];
            let now = self.now - flow.start;
            flow.ends[end].service(now);
            while end == 0 && flow.ends[0].ready() {
                let taken = flow.ends[0].write(now, self.pattern.at(flow.offered, 64 * 1024));
                flow.offered += taken as u64;
                if taken == 0 {
                    break;
                }
                more = true;
            }
            if end == 1 {
                let mut count = flow.ends[1].read(now, &mut self.buffer);
                while count > 0 {
                    assert!(
                        self.pattern.matches(flow.received, &self.buffer[..count]),
                        "the receiver must read the bytes that were written"
                    );
                    flow.received += count as u64;
                    more = true;
                    count = flow.ends[1].read(now, &mut self.buffer);
                }
            }
            more |= self.send(index, end);
        }
        let flow = &mut self.flows[index];
        let now = self.now;
        for end in [0, 1] {
            let due = flow.ends[end].deadline(now - flow.start).map(|at| at.saturating_add(flow.start));
            flow.timers[end] = due.map(|at| if at <= now { now + 100 * MICRO } else { at });
        }
    }

    fn send(&mut self, index: usize, end: usize) -> bool {
        let mut any = false;
        let mut out = std::mem::take(&mut self.out);
        loop {
            let flow = &mut self.flows[index];
            let Some(output) = flow.ends[end].output(self.now - flow.start, &mut out) else { break };
            any = true;
            for datagram in out[..output.len].chunks(output.segment) {
                let packet = Packet { flow: index, to: 1 - end, place: Place::Queue, data: datagram.to_vec() };
                if self.link.jitter == 0 || end == 1 {
                    self.enter_queue(packet);
                } else {
                    let at = self.now + self.rng.below(self.link.jitter);
                    let flow = &mut self.flows[index];
                    flow.queued_at = flow.queued_at.max(at);
                    let at = flow.queued_at;
                    self.schedule(at, packet);
                }
            }
        }
        self.out = out;
        any
    }

    fn enter_queue(&mut self, packet: Packet) {
        let rate = self.link.bits_per_second;
        let line = &mut self.lines[1 - packet.to];
        let backlog = line.free_at.saturating_sub(self.now);
        let waiting = u128::from(backlog) * u128::from(rate) / 8 / u128::from(SECOND);
        if waiting > u128::from(self.link.product()) {
            line.drops += 1;
            return;
        }
        let bits = (packet.data.len() as u64 + HEADERS) * 8;
        line.free_at = line.free_at.max(self.now) + bits * SECOND / rate;
        let at = line.free_at + self.link.round_trip / 2;
        if !self.rng.chance(self.link.loss) {
            self.schedule(at, Packet { place: Place::End, ..packet });
        }
    }

    fn schedule(&mut self, at: Nanos, packet: Packet) {
        let slot = self.vacant.pop().unwrap_or(self.packets.len());
        if slot == self.packets.len() {
            self.packets.push(None);
        }
        self.packets[slot] = Some(packet);
        self.order += 1;
        self.heap.push(Reverse((at, self.order, slot)));
    }
}

/// Runs one or two flows for a minute. Returns their shares of the link in percent, and the drops of the queue.
fn minute(stacks: &[&dyn Stack], later: Nanos, link: Link, seed: u64, pattern: &Pattern) -> ([f64; 2], u64) {
    let mut network = Network::new(link, 1000 + seed, pattern);
    // Real flows do not start at the same nanosecond. Seed 0 tests this case nevertheless.
    let apart = if seed == 0 { 0 } else { network.rng.below(link.round_trip) };
    let second = later + apart;
    for (stack, start) in stacks.iter().zip([0, second]) {
        network.add(*stack, start);
    }
    network.run(second);
    let mut before = [0, 0];
    network.flows.iter().zip(&mut before).for_each(|(flow, before)| *before = flow.received);
    let whole = link.bits_per_second as f64 / 8.0 * DATAGRAM as f64 / (DATAGRAM as u64 + HEADERS) as f64;
    let verbose = std::env::var_os("PEERS_VERBOSE").is_some();
    let mut last = before;
    for step in 1..=12 {
        network.run(second + MINUTE / 12 * step);
        if verbose {
            let now: Vec<u64> = network.flows.iter().map(|flow| flow.received).collect();
            let part = |i: usize| now.get(i).map_or(0.0, |now| (now - last[i]) as f64 / 5.0 / whole * 100.0);
            eprint!(" {:.0}/{:.0}", part(0), part(1));
            network.flows.iter().zip(&mut last).for_each(|(flow, last)| *last = flow.received);
        }
    }
    if verbose {
        eprintln!("  seed {seed}, {} dropped", network.lines[0].drops);
    }
    let share = |i: usize| network.flows.get(i).map_or(0.0, |f| (f.received - before[i]) as f64 / 60.0 / whole * 100.0);
    ([share(0), share(1)], network.lines[0].drops)
}

/// The flows to measure, each with the start of the second flow after the first.
///
/// A pair that starts together occurs in one order, a pair that starts apart in both orders.
fn pairs<'s>(stacks: &[&'s dyn Stack]) -> Vec<(Vec<&'s dyn Stack>, Nanos)> {
    let mut pairs: Vec<_> = stacks.iter().map(|stack| (vec![*stack], 0)).collect();
    for (i, a) in stacks.iter().enumerate() {
        for (j, b) in stacks.iter().enumerate() {
            if i <= j {
                pairs.push((vec![*a, *b], 0));
            }
            pairs.push((vec![*a, *b], 5 * SECOND));
        }
    }
    pairs
}

/// Measures all pairs of the controllers that `--only` selects, over the links that `--filter` selects.
pub fn run(stacks: &[Box<dyn Stack>], args: &Args) {
    let reps = args.reps.unwrap_or(5) as u64;
    let names = ["rdt", "rdt cubic", "rdt newreno"];
    let stacks: Vec<&dyn Stack> =
        stacks.iter().map(|s| &**s).filter(|s| names.contains(&s.name()) && args.wants(s.name())).collect();
    let pattern = Pattern::new();
    println!("# share: % of the link over a minute, median (min..max) of {reps} seeds; drop-tail queue 1 BDP\n");
    let mut rows = Vec::new();
    for (mbit, rtt_ms, loss, jitter_us) in [
        (100, 100, 0.0, 0),
        (20, 40, 0.0, 0),
        (100, 100, 0.0, 500),
        (20, 40, 0.0, 500),
        (100, 100, 0.01, 0),
        (20, 40, 0.01, 0),
    ] {
        let link =
            Link { bits_per_second: mbit * 1_000_000, round_trip: rtt_ms * MILLI, loss, jitter: jitter_us * MICRO };
        let name = format!("{mbit} Mbit/s {rtt_ms} ms {}% jitter {jitter_us}", loss * 100.0);
        if !name.contains(&args.filter) {
            continue;
        }
        for (pair, later) in pairs(&stacks) {
            let label: Vec<&str> = pair.iter().map(|stack| stack.name()).collect();
            let label = format!("{}, {} s later", label.join(" + "), later / SECOND);
            eprintln!("{name}: {label}");
            let runs: Vec<_> =
                (args.seed..args.seed + reps).map(|seed| minute(&pair, later, link, seed, &pattern)).collect();
            let of = |i: usize| spread(&runs.iter().map(|(shares, _)| shares[i]).collect::<Vec<_>>());
            let drops = spread(&runs.iter().map(|(_, drops)| *drops as f64).collect::<Vec<_>>());
            let second = if pair.len() > 1 { of(1).show(0) } else { "–".into() };
            rows.push(vec![name.clone(), label, of(0).show(0), second, format!("{:.0}", drops.median)]);
        }
    }
    table(&["link", "flows", "first %", "second %", "queue drops"], &rows);
}
