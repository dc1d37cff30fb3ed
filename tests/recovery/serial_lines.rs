//! Serial lines: a full datagram takes up to a second, and the packets of the handshake a small part of it.
//!
//! Each figure is the share of the line in percent that carries new data with its headers, in the first minute after
//! the handshake.

use crate::bulk::{Transfer, run};
use rdt_proto::Duration;
use rdt_proto::congestion::{Algorithm, Controller, FixedWindow};
use rdt_proto::connection::Config;
use rdt_proto::sim::LinkConfig;
use rdt_proto::wire::{Framing, Tag};

/// The name of a controller, and its constructor.
type Maker = (&'static str, fn(u32) -> Controller);

const MODEL: Maker = ("BandwidthDelay", |bytes| Algorithm::BandwidthDelay.controller(bytes));
const OTHERS: [Maker; 3] = [
    ("Cubic", |bytes| Algorithm::Cubic.controller(bytes)),
    ("NewReno", |bytes| Algorithm::NewReno.controller(bytes)),
    ("FixedWindow", |bytes| FixedWindow::new(16 * u64::from(bytes)).into()),
];
/// Bit/s, segment, and whether both directions share the line.
const LINES: [(u64, u16, bool); 8] = [
    (9_600, 128, false),
    (9_600, 1_200, false),
    (9_600, 1_200, true),
    (19_200, 512, false),
    (19_200, 1_200, false),
    (57_600, 128, false),
    (57_600, 1_200, false),
    (57_600, 1_200, true),
];

fn line(rate: u64, segment: u16, is_half_duplex: bool, controller: fn(u32) -> Controller) -> Transfer {
    let config = Config { segment, recv_segment: segment, ..Config::default() };
    let queue = 64 * (usize::from(segment) + header());
    let jitter = Duration::from_micros(100);
    let link = LinkConfig::ideal().with_rate(rate).with_overhead(0).with_jitter(jitter).with_queue(queue);
    Transfer { config, controller, window: 160, link, is_half_duplex, timers: Duration::ZERO }
}

fn header() -> usize {
    Framing::tagged(Tag::new([0; Tag::LEN])).info_header_len()
}

/// The share of a line in percent: median and worst of 20 seeds.
fn shares((rate, segment, is_half_duplex): (u64, u16, bool), (name, controller): Maker) -> (u64, u64) {
    let mut transfer = line(rate, segment, is_half_duplex, controller);
    (transfer.config.idle_limit, transfer.config.handshake_limit) = (Duration::MAX, Duration::MAX);
    let bodies = (rate / 8 * 60).div_ceil(u64::from(segment));
    let bytes = bodies * u64::from(segment);
    let on_line = bytes + bodies * header() as u64;
    let mut shares: Vec<u64> = (1..=20)
        .map(|seed| {
            let outcome = run(&transfer, seed, bytes, Duration::from_secs(600));
            outcome.received * on_line / bytes * 8 * 100_000_000 / rate / outcome.lasted.as_micros()
        })
        .collect();
    println!("{rate} bit/s, segment {segment}, half duplex {is_half_duplex}, {name}: {shares:?} %");
    shares.sort_unstable();
    (shares[10], shares[0])
}

#[test]
fn the_default_fills_a_serial_line() {
    for line in LINES {
        let (median, worst) = shares(line, MODEL);
        assert!(median >= 95 && worst >= 90, "{line:?}: {median} %, worst {worst} %");
    }
}

#[test]
fn every_controller_carries_mostly_new_data() {
    for line in LINES {
        for other in OTHERS {
            let (median, worst) = shares(line, other);
            assert!(median >= 85 && worst >= 80, "{line:?}, {}: {median} %, worst {worst} %", other.0);
        }
    }
}

/// Regression: the first flight took 32 s of a line that both directions share. No answer came within the idle limit.
#[test]
fn a_first_flight_is_shorter_than_the_idle_limit() {
    let transfer = line(9_600, 1_200, true, MODEL.1);
    for seed in 1..=20 {
        let outcome = run(&transfer, seed, 72_000, Duration::from_secs(80));
        println!("seed {seed}: {} bytes in {}", outcome.received, outcome.lasted);
        assert!(outcome.is_open && outcome.received == 72_000, "seed {seed}: {} bytes", outcome.received);
    }
}
