//! The memory of a server whose windows have grown to what their paths need.
//!
//! ```text
//! cargo bench --bench windows                  # about two minutes
//! ```
//!
//! 100 connections, configured as in `rdt serve`, share a budget. Each has a simulated peer, and a path of its own with
//! 100 Mbit/s and a round trip of 100 ms, on which 5 % of the datagrams are lost each way. The table shows what the
//! allocator has handed out to the side of the server, and the rates of the connections, both in *virtual* time. The
//! figures are the same on every machine.
#![allow(clippy::unwrap_used, reason = "a bench in an unexpected state must stop")]

mod end;
mod meter;

use end::{End, Server};
use meter::Meter;
use rdt_proto::sim::{LinkConfig, NodeId, Simulation};
use rdt_proto::{Duration, Instant};
use std::rc::Rc;

/// The connections of the server.
const CONNECTIONS: u64 = 100;
/// What does not count: the windows grow.
const WARM_UP: Duration = Duration::from_secs(3);
/// What counts.
const MEASURED: Duration = Duration::from_secs(7);
/// The interval of samples of the memory.
const STEP: Duration = Duration::from_millis(5);

const CLIENT: NodeId = NodeId(0);
const SERVER: NodeId = NodeId(1);

/// Which side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Upload,
    Download,
}

fn main() {
    if std::env::args().any(|arg| arg == "--list") {
        return;
    }
    // With `--test` few connections suffice.
    let is_test = std::env::args().any(|arg| arg == "--test");
    let (connections, measured) = if is_test { (2, Duration::from_millis(50)) } else { (CONNECTIONS, MEASURED) };
    println!("{connections} connections, 100 Mbit/s and 100 ms each, 5 % lost each way");
    println!("{:<10} {:>10} {:>10} {:>28}", "", "median MB", "peak MB", "Mbit/s: median (worst..best)");
    for (name, direction) in [("uploads", Direction::Upload), ("downloads", Direction::Download)] {
        let (mut megabytes, peak, mut rates) = measure(direction, connections, measured);
        megabytes.sort_by(f64::total_cmp);
        rates.sort_by(f64::total_cmp);
        let rate = format!("{:.1} ({:.1}..{:.1})", rates[rates.len() / 2], rates[0], rates[rates.len() - 1]);
        println!("{name:<10} {:>10.1} {peak:>10.1} {rate:>28}", megabytes[megabytes.len() / 2]);
    }
}

/// Returns the megabytes in use in each step, the most since the start, and the rate of each connection in Mbit/s.
fn measure(direction: Direction, connections: u64, measured: Duration) -> (Vec<f64>, f64, Vec<f64>) {
    let server = Rc::new(Server::new());
    let link = LinkConfig::ideal().with_rate(100_000_000).with_delay(Duration::from_millis(50));
    let link = link.with_queue(1_250_000).with_loss(0.05);
    let mut paths: Vec<_> = (0..connections)
        .map(|seed| {
            let mut path = Simulation::new(seed);
            path.add(End::client(SERVER.port(0), direction == Direction::Upload));
            path.add(End::server(CLIENT.port(0), direction == Direction::Download, Rc::clone(&server)));
            path.connect(CLIENT, SERVER, link.clone());
            path
        })
        .collect();
    let receiver = if direction == Direction::Upload { SERVER } else { CLIENT };
    let read = |paths: &[Simulation<End>]| paths.iter().map(|path| path.node(receiver).read).collect::<Vec<_>>();
    let (mut now, mut samples, mut before) = (Instant::ZERO, Vec::new(), read(&paths));
    while now < Instant::ZERO + WARM_UP + measured {
        now = now + STEP;
        paths.iter_mut().for_each(|path| path.run_until(now));
        if now <= Instant::ZERO + WARM_UP {
            before = read(&paths);
        } else {
            samples.push(Meter::megabytes(server.meter.live()));
        }
    }
    let rate = |(before, after): (&u64, &u64)| (after - before) as f64 * 8.0 / measured.as_micros() as f64;
    (samples, Meter::megabytes(server.meter.peak()), before.iter().zip(&read(&paths)).map(rate).collect())
}
