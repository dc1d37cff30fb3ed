//! Drivers that wake late: a game loop, or an operating system whose timers have 16 ms.
//!
//! The pacing granularity is the default, 2 ms.

use crate::bulk::{Transfer, run};
use rdt_proto::Duration;
use rdt_proto::congestion::Controller;
use rdt_proto::connection::Config;
use rdt_proto::sim::LinkConfig;

fn path(mbit: u64, round_trip_ms: u64, loss: f64, timers_ms: u64) -> Transfer {
    let rate = mbit * 1_000_000;
    let queue = usize::try_from(rate / 8_000 * round_trip_ms.max(20)).unwrap();
    let link = LinkConfig::ideal().with_delay(Duration::from_micros(round_trip_ms * 500)).with_rate(rate);
    let link = link.with_jitter(Duration::from_micros(100)).with_loss(loss).with_queue(queue).with_overhead(28);
    let timers = Duration::from_millis(timers_ms);
    Transfer {
        config: Config::default(),
        controller: Controller::new,
        window: 4_096,
        link,
        is_half_duplex: false,
        timers,
    }
}

/// The times in ms that a transfer of `bytes` takes: median and worst of `seeds` seeds.
fn times(transfer: &Transfer, bytes: u64, seeds: u64) -> (u64, u64) {
    let limit = Duration::from_secs(120);
    let mut times: Vec<u64> = (1..=seeds).map(|seed| run(transfer, seed, bytes, limit).lasted.as_millis()).collect();
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() - 1])
}

/// Regression: credit of more than 2 ms was discarded at each wake-up. 20 MiB over 50 Mbit/s and 300 ms took 113 s.
#[test]
fn a_coarse_timer_costs_little_at_any_round_trip() {
    for (mbit, round_trip) in [(10, 20), (10, 100), (50, 40), (50, 100), (50, 300)] {
        let bytes = mbit * 500_000;
        for loss in [0.0, 0.01] {
            let (exact, _) = times(&path(mbit, round_trip, loss, 0), bytes, 5);
            for timers in [16, 50] {
                let (median, worst) = times(&path(mbit, round_trip, loss, timers), bytes, 5);
                println!(
                    "{mbit} Mbit/s, {round_trip} ms, loss {loss}, timers {timers} ms: {median} ms, worst {worst}, exact {exact}"
                );
                let most = exact * 5 / 4 + 4 * timers;
                assert!(
                    median <= most && worst <= most * 5 / 4,
                    "{mbit} Mbit/s, {round_trip} ms, {timers} ms: {median}"
                );
            }
        }
    }
}

/// A game loop handles the datagrams, too, only once in each turn.
#[test]
fn a_game_loop_needs_no_other_granularity() {
    for turn in [16, 50] {
        let mut transfer = path(10, 60, 0.0, turn);
        transfer.link = transfer.link.with_aggregation(Duration::from_millis(turn));
        let (median, worst) = times(&transfer, 5_000_000, 20);
        println!("turns of {turn} ms: {median} ms, worst {worst}");
        // The line needs 4.1 s.
        assert!(median <= 4_800 && worst <= 5_200, "turns of {turn} ms: {median} ms, worst {worst}");
    }
}
