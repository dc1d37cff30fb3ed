//! Two ends exchange datagrams over a simulated link in virtual time.
//!
//! The link has a rate, a delay, a queue and loss.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Args;
use crate::pattern::Pattern;
use crate::report::{spread, table};
use crate::rng::Rng;
use crate::stack::{Control, Endpoint, MICRO, MILLI, Nanos, SECOND, Settings, Stack};

#[derive(Clone, Copy)]
pub struct Link {
    pub bits_per_second: u64,
    pub round_trip: Nanos,
    /// The probability that a datagram is lost, in each direction.
    pub loss: f64,
    /// The size of the drop-tail queue before the bottleneck, in bytes.
    pub queue: usize,
    /// The probability that a datagram is delayed by up to `reorder_by` more.
    pub reorder: f64,
    pub reorder_by: Nanos,
    /// Whether an end handles all datagrams of one instant before it sends.
    ///
    /// A driver that empties its socket does so.
    pub at_once: bool,
}

impl Link {
    /// The bandwidth-delay product in bytes.
    pub fn bdp(&self) -> usize {
        (self.bits_per_second as u128 * self.round_trip as u128 / 8 / SECOND as u128) as usize
    }
}

struct Way {
    free_at: Nanos,
    last_arrival: Nanos,
    sent_bytes: u64,
    offered_bytes: u64,
    queue_drops: u64,
    losses: u64,
}

struct Packet {
    to: usize,
    data: Vec<u8>,
}

pub struct Outcome {
    pub utilisation: f64,
    pub seconds: f64,
    /// The number of bytes that crossed the forward bottleneck, for each payload byte delivered.
    pub sent_ratio: f64,
    /// The same, with the bytes that the full queue dropped.
    pub offered_ratio: f64,
    pub queue_drops: u64,
    pub finished: bool,
}

/// The time after which a transfer is stopped.
const CAP: Nanos = 900 * SECOND;

/// Runs the handshake, then transfers `total` bytes from the first end to the second.
pub fn transfer(
    mut ends: [Box<dyn Endpoint>; 2],
    link: &Link,
    headers: usize,
    total: u64,
    seed: u64,
    pattern: &Pattern,
) -> Result<Outcome, String> {
    let mut rng = Rng::new(seed);
    let mut heap: BinaryHeap<Reverse<(Nanos, u64, usize)>> = BinaryHeap::new();
    let mut packets: Vec<Option<Packet>> = Vec::new();
    let mut vacant: Vec<usize> = Vec::new();
    let mut order = 0u64;
    let way = || Way { free_at: 0, last_arrival: 0, sent_bytes: 0, offered_bytes: 0, queue_drops: 0, losses: 0 };
    let mut ways = [way(), way()];
    let mut timers: [Option<Nanos>; 2] = [Some(MICRO), Some(MICRO)];
    let (mut offered, mut received) = (0u64, 0u64);
    let mut started: Option<Nanos> = None;
    let mut base = (0, 0);
    let mut now: Nanos = MICRO;
    let mut dest = vec![0u8; 64 * 1024];
    let mut out = Vec::new();

    while received < total && now < CAP {
        let packet_at = heap.peek().map(|Reverse((t, _, _))| *t);
        let timer_at = timers.iter().flatten().min().copied();
        let (at, end) = match (packet_at, timer_at) {
            (Some(p), Some(t)) if p <= t => (p, None),
            (Some(p), None) => (p, None),
            (_, Some(t)) => (t, Some(if timers[0] == Some(t) { 0 } else { 1 })),
            (None, None) => return Err(format!("stuck after {received} bytes")),
        };
        now = now.max(at);
        let end = match end {
            None => {
                let Reverse((_, _, slot)) = heap.pop().expect("a packet was peeked");
                let packet = packets[slot].take().expect("a queued packet has a slot");
                vacant.push(slot);
                ends[packet.to].input(now, &packet.data, &mut |_| 0);
                while link.at_once
                    && let Some(&Reverse((also, _, slot))) = heap.peek()
                    && also == at
                    && let Some(more) = packets[slot].take_if(|more| more.to == packet.to)
                {
                    heap.pop();
                    vacant.push(slot);
                    ends[more.to].input(now, &more.data, &mut |_| 0);
                }
                packet.to
            }
            Some(end) => {
                ends[end].tick(now);
                end
            }
        };
        // Runs the application and the stack until neither makes progress.
        let mut more = true;
        while more {
            more = false;
            ends[end].service(now);
            if end == 0 && (started.is_some() || ends[0].ready()) {
                if started.is_none() {
                    started = Some(now);
                    base = (ways[0].sent_bytes, ways[0].offered_bytes);
                }
                while offered < total {
                    let want = (total - offered).min(64 * 1024) as usize;
                    let n = ends[0].write(now, pattern.at(offered, want));
                    if n == 0 {
                        break;
                    }
                    offered += n as u64;
                    more = true;
                }
            }
            if end == 1 {
                loop {
                    let n = ends[1].read(now, &mut dest);
                    if n == 0 {
                        break;
                    }
                    if !pattern.matches(received, &dest[..n]) {
                        return Err(format!("wrong bytes at {received}"));
                    }
                    received += n as u64;
                    more = true;
                }
            }
            if more {
                ends[end].service(now);
            }
            while let Some(output) = ends[end].output(now, &mut out) {
                more = true;
                for datagram in out[..output.len].chunks(output.segment) {
                    let way = &mut ways[end];
                    let size = (datagram.len() + headers) as u64;
                    way.offered_bytes += size;
                    let waiting =
                        way.free_at.saturating_sub(now) as u128 * link.bits_per_second as u128 / 8 / SECOND as u128;
                    if waiting as usize > link.queue {
                        way.queue_drops += 1;
                        continue;
                    }
                    way.sent_bytes += size;
                    let start = way.free_at.max(now);
                    way.free_at = start + size * 8 * SECOND / link.bits_per_second;
                    if rng.chance(link.loss) {
                        way.losses += 1;
                        continue;
                    }
                    let mut arrival = way.free_at + link.round_trip / 2;
                    if rng.chance(link.reorder) {
                        arrival += rng.below(link.reorder_by);
                    }
                    way.last_arrival = way.last_arrival.max(arrival);
                    let packet = Some(Packet { to: 1 - end, data: datagram.to_vec() });
                    let slot = vacant.pop().unwrap_or(packets.len());
                    if slot == packets.len() {
                        packets.push(packet);
                    } else {
                        packets[slot] = packet;
                    }
                    order += 1;
                    heap.push(Reverse((arrival, order, slot)));
                }
            }
        }
        // A deadline in the past is polled again after 100 µs, not at once.
        for end in [0, 1] {
            timers[end] = ends[end].deadline(now).map(|t| if t <= now { now + 100 * MICRO } else { t });
        }
    }
    let start = started.ok_or("the handshake did not finish")?;
    let seconds = (now - start) as f64 / SECOND as f64;
    Ok(Outcome {
        utilisation: received as f64 * 8.0 / seconds / link.bits_per_second as f64,
        seconds,
        sent_ratio: (ways[0].sent_bytes - base.0) as f64 / received.max(1) as f64,
        offered_ratio: (ways[0].offered_bytes - base.1) as f64 / received.max(1) as f64,
        queue_drops: ways[0].queue_drops + ways[1].queue_drops,
        finished: received >= total,
    })
}

/// The links, with their names.
pub fn scenarios() -> Vec<(String, Link)> {
    let link = |mbit: u64, rtt_ms: u64, loss: f64| {
        let mut l = Link {
            bits_per_second: mbit * 1_000_000,
            round_trip: rtt_ms * MILLI,
            loss,
            queue: 0,
            reorder: 0.0,
            reorder_by: 0,
            at_once: false,
        };
        l.queue = l.bdp().max(64 * 1500);
        (format!("{mbit} Mbit/s {rtt_ms} ms {}%", loss * 100.0), l)
    };
    let mut list = vec![link(100, 10, 0.0)];
    for loss in [0.0, 0.01, 0.05, 0.1, 0.2] {
        list.push(link(100, 100, loss));
    }
    list.push(link(10, 300, 0.02));
    list.push(link(1000, 50, 0.001));
    let (_, mut l) = link(100, 20, 0.0);
    (l.reorder, l.reorder_by) = (0.05, 5 * MILLI);
    list.push(("100 Mbit/s 20 ms 0%, 5% late by <5 ms".into(), l));
    list
}

/// The utilisation of an ideal ARQ whose datagrams have one header of 28 bytes.
///
/// The link is never idle from the first byte on, no datagram that has arrived is sent again, and the last byte is not
/// lost.
fn ideal(link: &Link, total: u64) -> f64 {
    let headers = DATAGRAM as f64 / (DATAGRAM + 28) as f64;
    let least = total as f64 * 8.0 / link.bits_per_second as f64;
    least / (least / (headers * (1.0 - link.loss)) + link.round_trip as f64 / 2e9)
}

/// The size of a datagram in bytes. With the headers of IP and UDP it has 1,428 bytes.
pub const DATAGRAM: usize = 1400;

pub fn run(stacks: &[Box<dyn Stack>], args: &Args) {
    let (reps, total) = (args.reps.unwrap_or(5), args.mib.unwrap_or(20) << 20);
    let pattern = Pattern::new();
    println!(
        "# simulate: {} MiB, IP packets of {} bytes, loss in both directions, drop-tail queue 1 BDP (64 packets at least), {reps} seeds, median (min..max)\n",
        total >> 20,
        DATAGRAM + 28
    );
    let verbose = std::env::var_os("PEERS_VERBOSE").is_some();
    let mut rows = Vec::new();
    for (name, link) in scenarios() {
        if !name.contains(&args.filter) {
            continue;
        }
        for stack in stacks {
            if !args.wants(stack.name()) || !stack.is_simulated() {
                continue;
            }
            for control in [Control::Default, Control::Tolerant] {
                if control == Control::Tolerant && !stack.has_tolerant() {
                    continue;
                }
                let headers = stack.lower_headers();
                let datagram = (DATAGRAM + 28 - headers).min(stack.largest_datagram());
                // Without congestion control the window determines the rate. The best of several windows counts.
                let windows: &[f64] = if stack.window_limited(control) {
                    &[0.8, 0.95, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 8.0]
                } else {
                    &[8.0]
                };
                let mut best: Option<(f64, u8, Vec<Outcome>)> = None;
                let mut failed = None;
                let tries = (0..stack.variants(control)).flat_map(|v| windows.iter().map(move |w| (v, *w)));
                for (variant, factor) in tries {
                    let window = ((link.bdp() as f64 * factor) as usize).max(32 * 1500);
                    let settings = Settings { datagram, window, control, variant };
                    let mut outcomes = Vec::new();
                    for seed in args.seed..args.seed + reps as u64 {
                        let Some((a, b)) = stack.pair(&settings) else {
                            break;
                        };
                        match transfer([a, b], &link, headers, total, 1000 + seed, &pattern) {
                            Ok(o) => {
                                if verbose {
                                    eprintln!(
                                        "{name} {} variant {variant} window {factor} seed {seed}: {:.1}% sent {:.2} drops {}",
                                        stack.name(),
                                        o.utilisation * 100.0,
                                        o.sent_ratio,
                                        o.queue_drops
                                    );
                                }
                                outcomes.push(o);
                            }
                            Err(e) => failed = Some(e),
                        }
                    }
                    if outcomes.is_empty() {
                        continue;
                    }
                    let median = |o: &[Outcome]| spread(&o.iter().map(|o| o.utilisation).collect::<Vec<_>>()).median;
                    if best.as_ref().is_none_or(|(_, _, b)| median(&outcomes) > median(b)) {
                        best = Some((factor, variant, outcomes));
                    }
                }
                let label =
                    format!("{}{}", stack.name(), if control == Control::Tolerant { " (tolerant)" } else { "" });
                match best {
                    Some((factor, variant, outcomes)) => {
                        let percent = |f: &dyn Fn(&Outcome) -> f64| spread(&outcomes.iter().map(f).collect::<Vec<_>>());
                        let bound = ideal(&link, total);
                        let u = percent(&|o| o.utilisation * 100.0);
                        let mut note = String::new();
                        if stack.variants(control) > 1 {
                            note.push_str(&format!("variant {variant} "));
                        }
                        if outcomes.iter().any(|o| !o.finished) {
                            note.push_str("not finished in 900 s ");
                        }
                        if let Some(e) = &failed {
                            note.push_str(&format!("some seeds failed: {e}"));
                        }
                        rows.push(vec![
                            name.clone(),
                            label,
                            u.show(1),
                            format!("{:.0}%", u.median / bound),
                            format!("{:.2}", percent(&|o| o.seconds).median),
                            format!("{:.2}", percent(&|o| o.sent_ratio).median),
                            format!("{:.2}", percent(&|o| o.offered_ratio).median),
                            format!("{:.0}", percent(&|o| o.queue_drops as f64).median),
                            format!("{factor}"),
                            note,
                        ]);
                    }
                    None => rows.push(vec![
                        name.clone(),
                        label,
                        format!("failed: {}", failed.unwrap_or_else(|| "no pair".into())),
                    ]),
                }
            }
        }
        eprintln!("done: {name}");
    }
    table(
        &[
            "link",
            "stack",
            "utilisation %",
            "of bound",
            "seconds",
            "sent/payload",
            "offered/payload",
            "queue drops",
            "window/BDP",
            "note",
        ],
        &rows,
    );
}
