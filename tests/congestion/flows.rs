//! Each controller over a simulated bottleneck: its share of the link, its overhead, and the share of other flows.
//!
//! `cargo test --release --test congestion flows -- --nocapture --include-ignored` prints the whole table.

use crate::network::{Network, Path, SEGMENT, WIRE};
use rdt_proto::Instant;
use rdt_proto::congestion::{BandwidthDelay, Controller, Cubic, FixedWindow, NewReno};

const MIB: usize = 1 << 20;
/// The name of a controller, and its constructor.
type Maker = (&'static str, fn() -> Controller);
const RENO: Maker = ("NewReno", || NewReno::new(SEGMENT).into());
const CUBIC: Maker = ("Cubic", || Cubic::new(SEGMENT).into());
const MODEL: Maker = ("BandwidthDelay", || BandwidthDelay::new(SEGMENT).into());

/// The links of the documented figures. Loss applies each way, and the queue holds one bandwidth-delay product.
fn links() -> [Path; 8] {
    [
        Path::new(100, 100),
        Path::new(100, 100).with_loss(10),
        Path::new(100, 100).with_loss(50),
        Path::new(100, 100).with_loss(100),
        Path::new(100, 100).with_loss(200),
        Path::new(10, 300).with_loss(20),
        Path::new(1_000, 50).with_loss(1),
        Path::new(100, 20).with_late(50),
    ]
}

/// The result of a transfer, with `p` for the loss each way.
#[derive(Debug)]
struct Share {
    /// Throughput in percent of the bound, which is the rate × (1 - p).
    of_bound: u64,
    /// Packets sent × (1 - p) for each 100 packets delivered. It is 100 if only lost packets are repeated.
    overhead: u64,
}

/// Runs `seeds` transfers, and returns the one with the median throughput.
fn transfer(name: &str, controller: &Controller, path: &Path, bytes: usize, seeds: u64) -> Share {
    let mut runs: Vec<_> = (1..=seeds).map(|seed| once(controller, &path.clone().with_seed(seed), bytes)).collect();
    runs.sort_by_key(|&(of_bound, ..)| of_bound);
    let (of_bound, overhead, line) = runs.swap_remove(runs.len() / 2);
    println!("{name:14} {:4} MiB {line}", bytes / MIB);
    Share { of_bound, overhead }
}

/// Runs one transfer. Returns the two values of `Share`, and a line for the table.
fn once(controller: &Controller, path: &Path, bytes: usize) -> (u64, u64, String) {
    let mut network = Network::new(path.clone());
    network.add(controller.clone(), bytes.div_ceil(SEGMENT as usize), Instant::ZERO);
    let outcome = network.run(Instant::from_millis(900_000))[0];
    let keep = 1_000 - path.loss;
    let bits = outcome.delivered * WIRE * 8;
    let of_bound = bits * 100_000 / (path.rate / 1_000 * outcome.ended.as_micros() * keep / 1_000);
    let overhead = outcome.sent * keep / 10 / outcome.delivered;
    let line = format!(
        "{:4} Mbit/s {:3} ms, loss {:3} ‰, late {:2} ‰: {of_bound:3} % of the bound, {overhead:3} % sent, {:5} dropped",
        path.rate / 1_000_000,
        path.round_trip().as_millis(),
        path.loss,
        path.late,
        network.path().dropped
    );
    (of_bound, overhead, line)
}

#[test]
fn the_model_fills_lossy_links() {
    for path in links() {
        let share = transfer(MODEL.0, &MODEL.1(), &path, 20 * MIB, 3);
        // At 1 Gbit/s, 20 MiB take only four round trips. Even a sender that knows the path takes a third longer than
        // the bound. At 20 % loss, the last retransmissions alone cost 7 %.
        let least = match (path.rate, path.loss) {
            (1_000_000_000, _) => 50,
            (_, 200) => 80,
            _ => 85,
        };
        assert!(share.of_bound >= least, "{path:?} {share:?}");
    }
    for path in [Path::new(100, 100), Path::new(100, 100).with_loss(200)] {
        let share = transfer(MODEL.0, &MODEL.1(), &path, 80 * MIB, 1);
        assert!(share.of_bound >= 90 && share.overhead <= 105, "{path:?} {share:?}");
    }
}

#[test]
fn the_model_is_no_slower_than_cubic() {
    for path in links() {
        // With loss, `Cubic` is too slow for 20 MiB.
        let bytes = if path.loss > 0 { MIB } else { 20 * MIB };
        let (cubic, model) = (CUBIC.1(), MODEL.1());
        let cubic = transfer(CUBIC.0, &cubic, &path, bytes, 1);
        let model = transfer(MODEL.0, &model, &path, bytes, 1);
        assert!(model.of_bound >= cubic.of_bound, "{path:?} {model:?} {cubic:?}");
    }
}

#[test]
fn the_model_respects_shallow_queues_and_needs_no_deep_ones() {
    for (queue, loss) in [(10, 0), (25, 0), (400, 0), (10, 100)] {
        let path = Path::new(100, 50).with_queue(queue).with_loss(loss);
        let share = transfer(MODEL.0, &MODEL.1(), &path, 40 * MIB, 1);
        assert!(share.of_bound >= 80 && share.overhead <= 105, "{path:?} {share:?}");
    }
    // A few packets in flight are enough to distinguish random loss from congestion.
    let path = Path::new(1, 100).with_loss(100);
    assert!(transfer(MODEL.0, &MODEL.1(), &path, 2 * MIB, 1).of_bound >= 80);
}

#[test]
fn the_other_controllers_fill_clean_links() {
    let path = Path::new(100, 20);
    let fixed = FixedWindow::new(300_000).paced(12_250_000).into();
    assert!(transfer("FixedWindow", &fixed, &path, 20 * MIB, 1).of_bound >= 97);
    assert!(transfer(CUBIC.0, &CUBIC.1(), &path, 20 * MIB, 1).of_bound >= 90);
    assert!(transfer(RENO.0, &RENO.1(), &path, 20 * MIB, 1).of_bound >= 65);
}

/// A queue of a part of the product shows no long round-trip time: only its losses tell that it is full.
#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation: cargo test --release --test congestion flows")]
fn cubic_keeps_a_share_of_a_link_with_a_shallow_queue() {
    // 40 seeds give a median of 15, 32 and 31 %, and a worst of 12, 28 and 17 %.
    for (mbit, rtt_ms, queue, median, worst) in [(50, 40, 10, 14, 12), (100, 20, 25, 30, 26), (100, 100, 25, 27, 15)] {
        let path = Path::new(mbit, rtt_ms).with_queue(queue);
        let mut shares: Vec<_> = (1..=16).map(|i| share_from(&path, CUBIC, MODEL, i * 100)).collect();
        shares.sort_unstable();
        let (least, (cubic, model)) = (shares[0], shares[8]);
        println!("{mbit} Mbit/s {rtt_ms} ms, queue {queue} %: Cubic {cubic} % (worst {}), model {model} %", least.0);
        assert!(cubic >= median && least.0 >= worst, "{path:?} {shares:?}");
        // Alone, the model leaves little of the link.
        let alone = transfer(MODEL.0, &MODEL.1(), &path, 160 * MIB, 1);
        assert!(alone.of_bound >= 92 && alone.overhead <= 102, "{path:?} {alone:?}");
    }
}

/// Runs two flows. The second starts `later` seconds after the first.
///
/// Asserts that each gets at least a quarter of the link in the minute after the second has started: the median of
/// three starts, since the losses of regular flows may always hit the same one.
fn share(mbit: u64, rtt_ms: u64, first: Maker, second: Maker, later: u64) {
    let mut shares = [0, 37, 74].map(|ms| share_from(&Path::new(mbit, rtt_ms), first, second, later * 1_000 + ms));
    shares.sort_unstable();
    let [_, (a, b), _] = shares;
    println!("{mbit:4} Mbit/s {rtt_ms:3} ms: {:14} {a:3} %, {:14} {later:2} s later {b:3} %", first.0, second.0);
    assert!(a >= 25 && b >= 25);
}

/// The shares of two flows in percent, in the minute after the second has started at `start_ms`.
fn share_from(path: &Path, first: Maker, second: Maker, start_ms: u64) -> (u64, u64) {
    let start = Instant::from_millis(start_ms);
    let mut network = Network::new(path.clone());
    network.add(first.1(), usize::MAX, Instant::ZERO);
    network.add(second.1(), usize::MAX, start);
    let before = network.run(start);
    let after = network.run(Instant::from_millis(start_ms + 60_000));
    let percent = |flow: usize| (after[flow].delivered - before[flow].delivered) * WIRE * 8 * 100 / 60 / path.rate;
    (percent(0), percent(1))
}

#[test]
fn any_two_share_a_link() {
    for first in [RENO, CUBIC, MODEL] {
        for second in [RENO, CUBIC, MODEL] {
            share(10, 40, first, second, 0);
        }
    }
    share(10, 40, MODEL, MODEL, 10);
    share(10, 40, CUBIC, MODEL, 10);
    share(10, 40, MODEL, RENO, 10);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation: cargo test --release --test congestion flows")]
fn any_two_share_a_fast_link() {
    for rtt_ms in [20, 100] {
        for (first, second) in [(MODEL, MODEL), (MODEL, CUBIC), (MODEL, RENO), (CUBIC, MODEL), (RENO, MODEL)] {
            share(100, rtt_ms, first, second, 0);
            share(100, rtt_ms, first, second, 10);
        }
    }
    for (first, second) in [(CUBIC, CUBIC), (CUBIC, RENO), (RENO, RENO)] {
        share(100, 20, first, second, 0);
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation: cargo test --release --test congestion flows")]
fn the_model_fills_lossy_links_with_200_mebibytes() {
    for path in links() {
        let share = transfer(MODEL.0, &MODEL.1(), &path, 200 * MIB, 3);
        assert!(share.of_bound >= 90 && share.overhead <= 105, "{path:?} {share:?}");
    }
}
