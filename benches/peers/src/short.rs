//! Measures the time of short transfers under loss, handshake included.

use rdt_proto::sim::LinkConfig;
use rdt_proto::{Duration, Instant};

use crate::Args;
use crate::network::{Path, Plan, transfer};
use crate::paths::in_threads;
use crate::pattern::Pattern;
use crate::report::table;
use crate::simulate::DATAGRAM;
use crate::stack::{Control, Settings, Stack};

const RATE: u64 = 20_000_000;
const ROUND_TRIP_MS: u64 = 50;
/// The bandwidth-delay product in bytes. The queue holds one, a window eight.
const PRODUCT: usize = (RATE / 8_000 * ROUND_TRIP_MS) as usize;
/// The time after which a transfer is stopped.
const LIMIT: Instant = Instant::from_millis(300_000);

/// The times in seconds, in order. A transfer that did not finish counts as infinite.
fn times(
    stack: &dyn Stack,
    control: Control,
    bytes: u64,
    loss: f64,
    seeds: &[u64],
    pattern: &Pattern,
) -> Result<Vec<f64>, String> {
    let headers = stack.lower_headers();
    let datagram = (DATAGRAM + 28 - headers).min(stack.largest_datagram());
    let settings = Settings { datagram, window: 8 * PRODUCT, control, variant: 0 };
    let link = LinkConfig::ideal()
        .with_rate(RATE)
        .with_delay(Duration::from_micros(500 * ROUND_TRIP_MS))
        .with_queue(PRODUCT)
        .with_overhead(headers)
        .with_loss(loss);
    let path = Path { there: link.clone(), back: link, half_duplex: false, timers: Duration::ZERO };
    let plan = Plan { bytes, end: LIMIT, marks: Vec::new(), early: true };
    let run = |seed: &u64| {
        let (client, server) = stack.pair_with_limits(&settings).ok_or("no pair")?;
        let outcome = transfer([client, server], &path, &plan, 1_000 + seed, pattern)?;
        Ok(if outcome.finished { outcome.all.as_micros() as f64 / 1e6 } else { f64::INFINITY })
    };
    let mut times = in_threads(seeds, &run).into_iter().collect::<Result<Vec<f64>, String>>()?;
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// The time within which a share of the transfers ends: the nearest rank.
fn percentile(times: &[f64], share: f64) -> f64 {
    let rank = (times.len() as f64 * share).ceil() as usize;
    times[rank.clamp(1, times.len()) - 1]
}

/// Measures all stacks that `--only` selects.
pub fn run(stacks: &[Box<dyn Stack>], args: &Args) {
    let seeds: Vec<u64> = (args.seed..args.seed + args.reps.unwrap_or(300) as u64).collect();
    let pattern = Pattern::new();
    println!(
        "# short: seconds with the handshake, {} Mbit/s, {ROUND_TRIP_MS} ms, loss in both directions, seeds {} to {} (+1000), p50 / p99 / worst\n",
        RATE / 1_000_000,
        args.seed,
        args.seed + seeds.len() as u64 - 1
    );
    let losses = [0.01, 0.05, 0.1, 0.2];
    let mut rows = Vec::new();
    for (name, bytes) in [("1 KiB", 1 << 10), ("64 KiB", 64 << 10)] {
        if !name.contains(&args.filter) {
            continue;
        }
        for stack in stacks.iter().filter(|stack| stack.takes_paths(false) && args.wants(stack.name())) {
            for control in [Control::Default, Control::Tolerant] {
                if control == Control::Tolerant && !stack.has_tolerant() {
                    continue;
                }
                let suffix = if control == Control::Tolerant { " (tolerant)" } else { "" };
                let mut row = vec![name.to_string(), format!("{}{suffix}", stack.name())];
                row.extend(losses.map(|loss| match times(&**stack, control, bytes, loss, &seeds, &pattern) {
                    Ok(times) => {
                        let [median, p99, worst] = [0.5, 0.99, 1.0].map(|share| percentile(&times, share));
                        format!("{median:.3} / {p99:.3} / {worst:.3}")
                    }
                    Err(error) => format!("failed: {error}"),
                }));
                eprintln!("{}", row.join(" | "));
                rows.push(row);
            }
        }
    }
    table(&["size", "stack", "1 %", "5 %", "10 %", "20 %"], &rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let times: Vec<f64> = (1..=300).map(f64::from).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|share| percentile(&times, share)), [150.0, 297.0, 300.0]);
        assert_eq!(percentile(&[7.0], 0.5), 7.0);
    }
}
