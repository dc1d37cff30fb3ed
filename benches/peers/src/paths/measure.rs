//! One run over a path, and its figures.

use rdt_proto::sim::LinkConfig;
use rdt_proto::{Duration, Instant};

use super::rows::{Phase, Row, Span};
use crate::network::{Delivered, Outcome, Path, Plan, transfer};
use crate::pattern::Pattern;
use crate::stack::{Settings, Stack};

/// The figures of a run.
pub struct Measured {
    /// Payload in bit/s from the end of the handshake.
    pub goodput: f64,
    /// The share of the link that carried new data with its headers, from the end of the handshake.
    pub of_link: f64,
    /// What arrived needlessly, relative to what was read.
    pub repeats: f64,
    /// What the link could have carried since the first step, minus what was read, in seconds of the link.
    pub lost_seconds: f64,
    /// The share of the link from the third second on, for each phase that is longer and has a rate.
    pub after_3_s: Vec<f64>,
    /// The goodput relative to a stop-and-wait sender whose only cost is transmission and propagation.
    pub of_stop_and_wait: f64,
    pub finished: bool,
}

/// What a stack sends for each byte of payload, without repeats.
#[derive(Clone, Copy)]
pub struct Overhead {
    /// Bytes in datagrams.
    datagrams: f64,
    /// Bytes on the link.
    link: f64,
}

/// A phase after its start is measured from here on.
const SETTLED: Duration = Duration::from_secs(3);

/// Measures the overhead of a stack on a path without loss and without a queue, so without repeats.
pub fn overhead(stack: &dyn Stack, settings: &Settings, headers: usize, pattern: &Pattern) -> Result<Overhead, String> {
    let link =
        LinkConfig::ideal().with_rate(1_000_000_000).with_delay(Duration::from_millis(10)).with_overhead(headers);
    let path = Path { there: link.clone(), back: link, half_duplex: false, timers: Duration::ZERO };
    let plan = Plan { bytes: 1 << 20, end: Instant::from_millis(60_000), marks: Vec::new(), early: false };
    let settings = Settings { window: 64 * 1_024, ..*settings };
    let (client, server) = stack.pair(&settings).ok_or("no pair")?;
    let outcome = transfer([client, server], &path, &plan, 1, pattern)?;
    let payload = outcome.drained.max(1) as f64;
    let Delivered { datagrams, bytes } = outcome.delivered;
    let link = bytes + datagrams * headers as u64;
    Ok(Overhead { datagrams: bytes as f64 / payload, link: link as f64 / payload })
}

/// Runs `stack` over the path of `row` with the headers of lower layers that the link adds.
pub fn measure(
    row: &Row,
    stack: &dyn Stack,
    settings: &Settings,
    headers: usize,
    overhead: Overhead,
    seed: u64,
    pattern: &Pattern,
) -> Result<Measured, String> {
    let (bytes, end) = match row.span {
        Span::Bytes { bytes, limit, .. } => (bytes, Instant::ZERO + limit),
        Span::Phases { end, .. } => (u64::MAX, end),
    };
    let mut path = row.path.clone();
    (path.there.overhead, path.back.overhead) = (headers, headers);
    let plan = Plan { bytes, end, marks: marks(&row.span), early: false };
    let (client, server) = stack.pair(settings).ok_or("no pair")?;
    let outcome = transfer([client, server], &path, &plan, 1_000 + seed, pattern)?;
    Ok(figures(row, overhead, headers, &outcome))
}

/// The start of each phase, and the time from which it is measured.
fn marks(span: &Span) -> Vec<Instant> {
    match span {
        Span::Bytes { .. } => Vec::new(),
        Span::Phases { phases, end } => phases
            .iter()
            .zip(phases.iter().skip(1).map(|next| next.start).chain([*end]))
            .flat_map(|(phase, end)| [phase.start, (phase.start + SETTLED).min(end)])
            .collect(),
    }
}

fn seconds(from: Instant, to: Instant) -> f64 {
    to.saturating_since(from).as_micros() as f64 / 1e6
}

fn figures(row: &Row, overhead: Overhead, headers: usize, outcome: &Outcome) -> Measured {
    let handshake = outcome.handshake.unwrap_or(outcome.all).as_micros();
    let time = outcome.all.as_micros().saturating_sub(handshake).max(1) as f64 / 1e6;
    let on_link = |payload: u64| payload as f64 * overhead.link * 8.0;
    let (capacity, lost_seconds, after_3_s, finished) = match &row.span {
        Span::Bytes { rate, .. } => (*rate as f64 * time, 0.0, Vec::new(), outcome.finished),
        Span::Phases { phases, end } => {
            let (lost, after) = phase_figures(phases, *end, 1.0 - row.loss, outcome, &on_link);
            let ends = phases.iter().skip(1).map(|phase| phase.start).chain([*end]);
            let whole: f64 = phases.iter().zip(ends).map(|(p, end)| p.rate as f64 * seconds(p.start, end)).sum();
            let before = phases[0].rate as f64 * (seconds(Instant::ZERO, *end) - time);
            (whole - before, lost, after, true)
        }
    };
    let goodput = outcome.received as f64 * 8.0 / time;
    Measured {
        goodput,
        of_link: on_link(outcome.received) / capacity.max(1.0),
        repeats: outcome.delivered.bytes as f64 / (outcome.drained.max(1) as f64 * overhead.datagrams) - 1.0,
        lost_seconds,
        after_3_s,
        of_stop_and_wait: goodput / stop_and_wait(row, headers, overhead, outcome),
        finished,
    }
}

/// The seconds of the link lost since the first step, and the share of the link in each phase once it has settled.
fn phase_figures(
    phases: &[Phase],
    end: Instant,
    arrives: f64,
    outcome: &Outcome,
    on_link: &dyn Fn(u64) -> f64,
) -> (f64, Vec<f64>) {
    let (mut lost, mut after) = (0.0, Vec::new());
    for (number, phase) in phases.iter().enumerate() {
        let phase_end = phases.get(number + 1).map_or(end, |next| next.start);
        let [first, settled] = [2 * number, 2 * number + 1].map(|mark| outcome.marks[mark]);
        let last = outcome.marks.get(2 * number + 2).copied().unwrap_or(outcome.received);
        let rate = phase.rate as f64 * arrives;
        if number > 0 && rate > 0.0 {
            lost += (seconds(phase.start, phase_end) - on_link(last - first) / rate).max(0.0);
        }
        let rest = phase.rate as f64 * seconds(phase.start + SETTLED, phase_end);
        if rest > 0.0 {
            after.push(on_link(last - settled) / rest);
        }
    }
    (lost, after)
}

/// The goodput of stop-and-wait, bounded by the transmission of packet and answer and by the propagation.
fn stop_and_wait(row: &Row, headers: usize, overhead: Overhead, outcome: &Outcome) -> f64 {
    let Span::Bytes { rate, .. } = row.span else { return f64::INFINITY };
    let datagram = (row.datagram + headers) as f64;
    let Delivered { datagrams, bytes } = outcome.answers;
    let answer = bytes as f64 / datagrams.max(1) as f64 + headers as f64;
    let round_trip = 2.0 * row.path.there.delay.as_micros() as f64 / 1e6;
    let exchange = (datagram + answer) * 8.0 / rate.max(1) as f64 + round_trip;
    datagram / overhead.link * 8.0 / exchange
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Delivered;
    use crate::stack::{Control, MILLI};
    use crate::stacks::null::Null;

    const SECOND: u64 = 1_000;

    #[test]
    fn lost_time_counts_each_phase_at_its_own_rate() {
        let phase = |second, rate| Phase { start: Instant::from_millis(second * SECOND), rate };
        let phases = [phase(0, 8_000), phase(4, 80_000), phase(8, 0), phase(10, 8_000)];
        let end = Instant::from_millis(15 * SECOND);
        let span = Span::Phases { phases: phases.to_vec(), end };
        let at: Vec<u64> = marks(&span).iter().map(|mark| mark.as_micros() / 1_000_000).collect();
        assert_eq!(at, [0, 3, 4, 7, 8, 10, 10, 13]);
        let outcome = Outcome {
            handshake: None,
            all: Duration::from_secs(15),
            received: 44_000,
            // 1,000 bytes/s at first. 30,000 of 40,000 in the second phase. In the last 4,000 of 5,000.
            marks: vec![0, 3_000, 4_000, 24_000, 34_000, 40_000, 40_000, 42_000],
            finished: false,
            drained: 44_000,
            delivered: Delivered::default(),
            answers: Delivered::default(),
        };
        let (lost, after) = phase_figures(&phases, end, 1.0, &outcome, &|bytes| bytes as f64 * 8.0);
        assert_eq!((lost, after), (1.0 + 1.0, vec![1.0, 1.0, 1.0]));
    }

    #[test]
    fn the_overhead_of_a_stack_is_its_headers() {
        let settings = Settings { datagram: 1_032, window: 64 * 1_024, control: Control::Default, variant: 0 };
        let overhead = overhead(&Null, &settings, 28, &Pattern::new()).unwrap();
        // Null has eight bytes before each body of 1,024 bytes.
        assert_eq!((overhead.datagrams * 1_024.0, overhead.link * 1_024.0), (1_032.0, 1_060.0));
    }
}
