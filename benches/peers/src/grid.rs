//! The loss grid of smoltcp's own tests: the row of 32 KiB in its `tests/netsim.rs`. It compares smoltcp, selective
//! repeat with a constant window, and an ideal sender.

use std::collections::{HashSet, VecDeque};

use rdt_proto::Duration;
use rdt_proto::congestion::FixedWindow;
use rdt_proto::connection::{Config, HeapStorage};

use crate::Args;
use crate::pattern::Pattern;
use crate::report::{spread, table};
use crate::rng::Rng;
use crate::simulate::{Link, transfer};
use crate::stack::{Control, Endpoint, MILLI, Settings, Stack};
use crate::stacks::rdt_ends::ends;
use crate::stacks::smoltcp::Smoltcp;

const ROUND_TRIP_MS: u64 = 100;
const LOSSES: [f64; 6] = [0.0, 0.01, 0.05, 0.1, 0.2, 0.3];
/// The maximum number of bytes in flight, and the size of each smoltcp buffer.
const WINDOW: usize = 32 * 1024;
/// The size of a body in bytes. 23 bodies fill the window except for 16 bytes.
///
/// Their IP packets are slightly smaller than smoltcp's.
const BODY: u16 = 1_424;
const IN_FLIGHT: u32 = WINDOW as u32 / BODY as u32;
/// The maximum number of packets from the oldest unacknowledged packet to the newest: four windows.
const SPAN: u32 = 4 * IN_FLIGHT;
/// The size of smoltcp's IP packets in bytes. They fit the Ethernet frames of 1,514 bytes in smoltcp's test.
const SMOLTCP_PACKET: usize = 1_500;

/// A link that only delays and loses packets, without a limit on rate or queue.
///
/// A whole window arrives at one instant. With `at_once`, an endpoint handles all these packets before it sends.
fn link(loss: f64, at_once: bool) -> Link {
    Link {
        bits_per_second: 1_000_000 * 1_000_000_000,
        round_trip: ROUND_TRIP_MS * MILLI,
        loss,
        queue: usize::MAX,
        reorder: 0.0,
        reorder_by: 0,
        at_once,
    }
}

fn smoltcp() -> [Box<dyn Endpoint>; 2] {
    // smoltcp's test runs without congestion control.
    let settings = Settings { datagram: SMOLTCP_PACKET, window: WINDOW, control: Control::Tolerant, variant: 0 };
    let (client, server) = Smoltcp { checksums: false }.pair(&settings).expect("smoltcp always makes a pair");
    [client, server]
}

fn rdt() -> [Box<dyn Endpoint>; 2] {
    let limits = Config { handshake_limit: Duration::MAX, idle_limit: Duration::MAX, ..Config::default() };
    let config = Config { segment: BODY, recv_segment: BODY, pacing_granularity: Duration::ZERO, ..limits };
    // The controller counts whole datagrams, with their headers, as in flight.
    let controller = |datagram: u32| FixedWindow::new(u64::from(datagram * IN_FLIGHT));
    ends(config, || HeapStorage::on_heap_with(&config, SPAN, controller).expect("the span has at least one slot"))
}

/// The goodput of an ideal sender, in bytes per second.
///
/// One round trip after it sends a packet, the sender knows whether the packet arrived. It keeps a full window in
/// flight as far as the span allows, and sends lost packets first.
fn ideal(total: u64, loss: f64, seed: u64) -> f64 {
    let mut rng = Rng::new(seed);
    let last = total.div_ceil(BODY.into());
    let (mut base, mut next, mut rounds) = (0, 0, 0);
    let mut lost: VecDeque<u64> = VecDeque::new();
    let mut ahead: HashSet<u64> = HashSet::new();
    // The sender sends a whole window at one instant, and the next window one round trip later.
    while base < last {
        let mut still_lost = VecDeque::new();
        for _ in 0..IN_FLIGHT {
            let fresh = next < last && next < base + u64::from(SPAN);
            let number = match lost.pop_front() {
                Some(number) => number,
                None if fresh => {
                    next += 1;
                    next - 1
                }
                None => break,
            };
            if rng.chance(loss) {
                still_lost.push_back(number);
            } else {
                ahead.insert(number);
            }
        }
        lost.append(&mut still_lost);
        while ahead.remove(&base) {
            base += 1;
        }
        rounds += 1;
    }
    // The last byte arrives half a round trip before its acknowledgement.
    total as f64 / ((rounds as f64 - 0.5) * ROUND_TRIP_MS as f64 / 1e3)
}

pub fn run(args: &Args) {
    let (reps, total) = (args.reps.unwrap_or(5), args.mib.unwrap_or(10) << 20);
    let pattern = Pattern::new();
    println!(
        "# grid: {} MiB or 900 s, round trip {ROUND_TRIP_MS} ms, unlimited rate, loss in both directions, 32 KiB in flight, {reps} seeds, B/s as median (min..max)\n",
        total >> 20
    );
    let mut rows = Vec::new();
    for loss in LOSSES {
        let seeds = || args.seed..args.seed + reps as u64;
        let measure = |make: fn() -> [Box<dyn Endpoint>; 2], headers, at_once| {
            let link = link(loss, at_once);
            let one = |seed| {
                let outcome = transfer(make(), &link, headers, total, 1000 + seed, &pattern)?;
                Ok((outcome.utilisation * link.bits_per_second as f64 / 8.0, outcome.sent_ratio))
            };
            let runs: Result<Vec<_>, String> = seeds().map(one).collect();
            runs.map(|runs| {
                let sent = spread(&runs.iter().map(|run| run.1).collect::<Vec<_>>()).median;
                (spread(&runs.iter().map(|run| run.0).collect::<Vec<_>>()), sent)
            })
        };
        let best = spread(&seeds().map(|seed| ideal(total, loss, 1000 + seed)).collect::<Vec<_>>()).median;
        let mut row = vec![format!("{} %", loss * 100.0), format!("{best:.0}")];
        for at_once in [false, true] {
            match measure(rdt, 28, at_once) {
                Ok((speed, sent)) => {
                    row.extend([speed.show(0), format!("{:.1} %", speed.median / best * 100.0), format!("{sent:.2}")]);
                }
                Err(error) => row.extend([error, String::new(), String::new()]),
            }
        }
        row.push(measure(smoltcp, 0, true).map_or_else(|error| error, |(speed, _)| speed.show(0)));
        rows.push(row);
        eprintln!("done: {loss}");
    }
    table(&["loss", "ideal", "rdt", "of ideal", "sent", "rdt, batches", "of ideal", "sent", "smoltcp"], &rows);
}
