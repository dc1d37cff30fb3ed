//! The paths of the table.

use rdt_proto::sim::{GilbertElliott, LinkConfig, TokenBucket};
use rdt_proto::{Duration, Instant};

use crate::network::Path;
use crate::simulate::DATAGRAM;
use crate::stacks::rdt_ends::extended_header_len;

/// A path with its transfer.
pub struct Row {
    pub name: String,
    pub path: Path,
    /// The size of a datagram in bytes, without the headers of IP and UDP.
    pub datagram: usize,
    /// The headers of IP and UDP. A serial line has none.
    pub lower_headers: usize,
    /// The largest bandwidth-delay product in bytes.
    pub product: usize,
    /// The probability of loss on the way there, over all of the transfer.
    pub loss: f64,
    pub span: Span,
}

/// What a row transfers.
pub enum Span {
    /// A number of bytes at a constant rate in bit/s, and the time after which the transfer is stopped.
    Bytes { bytes: u64, rate: u64, limit: Duration },
    /// As many bytes as possible until the end, in phases.
    Phases { phases: Vec<Phase>, end: Instant },
}

/// A part of a transfer with a constant path.
#[derive(Clone, Copy)]
pub struct Phase {
    pub start: Instant,
    /// The rate in bit/s.
    pub rate: u64,
}

const MBIT: u64 = 1_000_000;
/// The delay, in order, by which a datagram comes late at random: other work of a machine. So seeds differ.
const JITTER: Duration = Duration::from_micros(100);
/// The headers of IP and UDP in bytes.
const LOWER_HEADERS: usize = 28;
/// The time after which the transfer of a number of bytes is stopped.
const LIMIT: Duration = Duration::from_secs(60);
/// The length of each phase of the rate steps in seconds, and that of a phase at 1 Mbit/s.
const PHASE_S: u64 = 6;
const SLOW_PHASE_S: u64 = 16;
/// The queue of a narrow way back in bytes.
const NARROW_QUEUE: usize = 15_000;

fn at(seconds: u64) -> Instant {
    Instant::from_millis(1_000 * seconds)
}

fn product(rate: u64, round_trip_ms: u64) -> usize {
    (rate / 8_000 * round_trip_ms) as usize
}

/// A link with half of the round trip, and a queue of one bandwidth-delay product, but at least 64 packets.
fn link(rate: u64, round_trip_ms: u64, loss: f64) -> LinkConfig {
    LinkConfig::ideal()
        .with_rate(rate)
        .with_delay(Duration::from_micros(500 * round_trip_ms))
        .with_queue(product(rate, round_trip_ms).max(64 * 1_500))
        .with_overhead(LOWER_HEADERS)
        .with_jitter(JITTER)
        .with_loss(loss)
}

/// A row with a constant rate. Both directions are `link`; the caller changes what differs.
fn bulk(name: String, link: LinkConfig, bytes: u64) -> Row {
    let rate = link.rate.unwrap_or(0);
    let product = (rate as u128 * 2 * u128::from(link.delay.as_micros()) / 8 / 1_000_000) as usize;
    Row {
        name,
        datagram: DATAGRAM,
        lower_headers: LOWER_HEADERS,
        product,
        loss: link.loss,
        path: Path { there: link.clone(), back: link, half_duplex: false, timers: Duration::ZERO },
        span: Span::Bytes { bytes, rate, limit: LIMIT },
    }
}

/// All rows. A bulk transfer has `bytes` bytes, except on slow paths.
pub fn rows(bytes: u64) -> Vec<Row> {
    let mut rows = rtt_steps();
    rows.extend(rate_steps());
    rows.extend(irregular(bytes));
    rows.extend(narrow(bytes));
    rows.extend(losses(bytes));
    rows.extend(serial());
    rows
}

fn rtt_steps() -> Vec<Row> {
    let mut rows = Vec::new();
    for (old, new) in [(1, 100), (5, 100), (10, 100), (20, 200)] {
        for mbit in [20, 50] {
            for loss in [0.0, 0.01] {
                let rate = mbit * MBIT;
                let name = format!("RTT {old} to {new} ms, {mbit} Mbit/s, {}%", loss * 100.0);
                let queue = product(rate, new).max(64 * 1_500);
                let link =
                    link(rate, old, loss).with_queue(queue).with_delay_step(at(2), Duration::from_micros(500 * new));
                let phases = [0, 2].map(|start| Phase { start: at(start), rate });
                let span = Span::Phases { phases: phases.to_vec(), end: at(17) };
                rows.push(Row { span, product: product(rate, new), ..bulk(name, link, 0) });
            }
        }
    }
    rows
}

fn rate_steps() -> Vec<Row> {
    let row = |rates: &[u64]| {
        let name: Vec<String> = rates.iter().map(u64::to_string).collect();
        let name = format!("rate {} Mbit/s, 20 ms", name.join(" to "));
        let mut end = 0;
        let phases: Vec<Phase> = rates
            .iter()
            .map(|&mbit| {
                let start = at(end);
                end += if mbit == 1 { SLOW_PHASE_S } else { PHASE_S };
                Phase { start, rate: mbit * MBIT }
            })
            .collect();
        let first = phases[0].rate;
        let link = phases[1..]
            .iter()
            .fold(link(first, 20, 0.0).with_queue(200_000), |link, phase| link.with_rate_step(phase.start, phase.rate));
        let span = Span::Phases { phases, end: at(end) };
        Row { span, ..bulk(name, link, 0) }
    };
    vec![row(&[100, 10, 1, 10, 100]), row(&[100, 1, 100])]
}

/// Paths that deliver in bursts or out of order, and ends with coarse timers.
fn irregular(bytes: u64) -> Vec<Row> {
    let every = Duration::from_millis(20);
    let plain = |loss| link(100 * MBIT, 60, loss);
    let mut rows = vec![bulk("aggregation 20 ms, 100 Mbit/s, 60 ms".into(), plain(0.0).with_aggregation(every), bytes)];
    let mut back = bulk("aggregation 20 ms back, 100 Mbit/s, 60 ms, 1%".into(), plain(0.01), bytes);
    back.path.back.aggregation = every;
    rows.push(back);
    for ms in [20, 100] {
        let link = link(50 * MBIT, 40, 0.0).with_reordering(1.0, Duration::from_millis(ms));
        rows.push(bulk(format!("jitter 0 to {ms} ms, 50 Mbit/s, 40 ms"), link, bytes));
    }
    for ms in [16, 50] {
        let every = Duration::from_millis(ms);
        for loss in [0.0, 0.01] {
            let plain = link(50 * MBIT, 40, loss);
            let suffix = format!("{ms} ms, 50 Mbit/s, 40 ms, {}%", loss * 100.0);
            let mut timers = bulk(format!("timers of {suffix}"), plain.clone(), bytes);
            let mut ticks = bulk(format!("ticks of {suffix}"), plain.with_aggregation(every), bytes);
            (timers.path.timers, ticks.path.timers) = (every, every);
            rows.extend([timers, ticks]);
        }
    }
    rows
}

fn narrow(bytes: u64) -> Vec<Row> {
    let mut rows = Vec::new();
    for (back, rate) in [("1", MBIT), ("0.5", MBIT / 2), ("0.2", MBIT / 5)] {
        for loss in [0.0, 0.01] {
            let name = format!("{back} Mbit/s back, 100 Mbit/s, 60 ms, {}%", loss * 100.0);
            let mut row = bulk(name, link(100 * MBIT, 60, loss), bytes);
            row.path.back = link(rate, 60, loss).with_queue(NARROW_QUEUE);
            rows.push(row);
        }
    }
    rows
}

/// Much loss, loss in bursts, a blackout, a shaper.
fn losses(bytes: u64) -> Vec<Row> {
    let plain = |loss| link(50 * MBIT, 40, loss);
    let mut rows = vec![bulk("50 Mbit/s, 40 ms, 40%".into(), plain(0.4), bytes)];
    // Bursts of 10 datagrams on average. 2 % of all datagrams are in a burst.
    let bursts = GilbertElliott { good_to_bad: 0.002, bad_to_good: 0.1, loss: 0.8 };
    let mut row = bulk("bursts of 10, 50 Mbit/s, 40 ms, 1.6%".into(), plain(0.0).with_burst_loss(bursts), bytes);
    row.loss = 0.016;
    rows.push(row);

    let rate = 50 * MBIT;
    let phases = [(0, rate), (3, 0), (5, rate)].map(|(start, rate)| Phase { start: at(start), rate });
    let span = Span::Phases { phases: phases.to_vec(), end: at(13) };
    let link = plain(0.0).with_blackout(at(3), at(5));
    rows.push(Row { span, ..bulk("blackout of 2 s, 50 Mbit/s, 40 ms".into(), link, 0) });

    let rate = 2 * MBIT;
    let shaper = TokenBucket { rate, bucket: 3_000, queue: 30_000 };
    let back = LinkConfig::ideal().with_delay(Duration::from_micros(50)).with_jitter(JITTER);
    let mut row = bulk("shaper 2 Mbit/s, 3 KB, queue 30 KB, 0.1 ms".into(), back.clone().with_shaper(shaper), 0);
    row.span = Span::Bytes { bytes: 2 << 20, rate, limit: LIMIT };
    rows.push(row);
    rows
}

/// Serial lines without IP: a minute of the line.
fn serial() -> Vec<Row> {
    let mut rows = Vec::new();
    for (rate, segment, half_duplex) in [
        (9_600, 128, false),
        (9_600, 1_200, false),
        (9_600, 1_200, true),
        (19_200, 512, false),
        (57_600, 128, false),
        (57_600, 1_200, false),
    ] {
        let duplex = if half_duplex { "half duplex" } else { "full duplex" };
        let datagram = segment + extended_header_len();
        let link = LinkConfig::ideal().with_rate(rate).with_overhead(0).with_jitter(JITTER).with_queue(64 * datagram);
        let mut row = bulk(format!("serial {rate} bit/s, segment {segment}, {duplex}"), link, 0);
        (row.datagram, row.lower_headers, row.path.half_duplex) = (datagram, 0, half_duplex);
        row.span = Span::Bytes { bytes: rate / 8 * 60, rate, limit: Duration::from_secs(600) };
        rows.push(row);
    }
    rows
}
