//! A maximum rate: held by every controller, and without effect where the path is slower.

use crate::network::{Network, Path, SEGMENT};
use rdt_proto::congestion::{Acknowledgement, Algorithm, Congestion, Controller, FixedWindow, NewReno, RateLimited};
use rdt_proto::{Duration, Instant};

/// 10 Mbit/s in bytes per second.
const RATE: u64 = 1_250_000;
/// 10 s of [`RATE`].
const PACKETS: usize = 10 * 1_250_000 / SEGMENT as usize;

fn controllers() -> impl Iterator<Item = Controller> {
    Algorithm::ALL.iter().map(|algorithm| match algorithm {
        // The window of an initial window would be the limit.
        Algorithm::FixedWindow => FixedWindow::new(1_000_000).into(),
        Algorithm::NewReno | Algorithm::Cubic | Algorithm::BandwidthDelay => algorithm.controller(SEGMENT),
    })
}

/// The mean rate of what arrives, in percent of [`RATE`].
fn percent(controller: &Controller, max_rate: Option<u64>, path: &Path) -> u64 {
    let mut network = Network::new(path.clone());
    network.add_limited(RateLimited::new(controller.clone(), max_rate), PACKETS, Instant::ZERO);
    let outcome = network.run(Instant::from_millis(600_000))[0];
    outcome.delivered * u64::from(SEGMENT) * 100_000_000 / outcome.ended.as_micros() / RATE
}

#[test]
fn every_controller_sends_at_the_maximum_rate() {
    for (path, least) in [(Path::new(100, 20), 97), (Path::new(1_000, 1), 97), (Path::new(100, 100), 90)] {
        for controller in controllers() {
            let percent = percent(&controller, Some(RATE), &path);
            println!("{percent} % on {path:?}: {controller:?}");
            assert!((least..=101).contains(&percent), "{percent} % on {path:?}: {controller:?}");
        }
    }
}

#[test]
fn random_loss_leaves_the_maximum_rate_to_the_model() {
    let percent =
        percent(&Algorithm::BandwidthDelay.controller(SEGMENT), Some(RATE), &Path::new(100, 20).with_loss(50));
    assert!((95..=101).contains(&percent), "{percent} %");
}

#[test]
fn a_path_below_the_maximum_rate_is_used_as_without_one() {
    let path = Path::new(8, 50);
    for controller in controllers() {
        let [limited, unlimited] = [Some(RATE), None].map(|rate| percent(&controller, rate, &path));
        assert!(limited + 2 >= unlimited, "{limited} % instead of {unlimited} %: {controller:?}");
    }
}

/// Without a maximum rate the window of NewReno grows with each acknowledgement.
#[test]
fn at_the_maximum_rate_an_unused_window_does_not_grow() {
    let window = |max_rate| {
        let mut controller = RateLimited::new(NewReno::new(SEGMENT), max_rate);
        for millis in 0..1_000 {
            let now = Instant::from_millis(millis);
            controller.on_acknowledged(&Acknowledgement {
                now,
                bytes: SEGMENT.into(),
                newest_sent_at: now,
                rtt: Some(Duration::from_millis(10)),
                srtt: Duration::from_millis(10),
                in_flight: SEGMENT.into(),
                delivered: millis * u64::from(SEGMENT),
                round_ended: millis % 10 == 0,
                app_limited: false,
            });
        }
        controller.window()
    };
    let first = NewReno::new(SEGMENT).window();
    assert!(window(None) > 10 * first);
    assert!(window(Some(125_000)) <= 3 * first, "{}", window(Some(125_000)));
}

#[test]
fn the_smaller_of_both_rates_applies() {
    let rate = |paced: Option<u64>, max_rate| {
        let controller = paced.map_or(FixedWindow::new(1_000), |rate| FixedWindow::new(1_000).paced(rate));
        RateLimited::new(controller, max_rate).pacing_rate()
    };
    assert_eq!([rate(None, None), rate(None, Some(7)), rate(Some(5), None)], [None, Some(7), Some(5)]);
    assert_eq!([rate(Some(5), Some(7)), rate(Some(7), Some(5)), rate(Some(5), Some(0))], [5, 5, 1].map(Some));
}
