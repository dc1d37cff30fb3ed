//! The default controller on paths that change, that deliver in bursts, or that delay packets at random.
//!
//! Each figure is the worst of a few seeds, in percent of what the line carries without the lost packets.

use crate::network::{Network, Path, SEGMENT, WIRE};
use rdt_proto::congestion::{
    Acknowledgement, Algorithm, BandwidthDelay, Congestion, Controller, Cubic, FixedWindow, Loss, NewReno,
};
use rdt_proto::{Duration, Instant};

/// The name of a controller, and its constructor.
type Maker = (&'static str, fn() -> Controller);
const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn model() -> Controller {
    BandwidthDelay::new(SEGMENT).into()
}

/// What arrives in percent of `mbit` Mbit/s, less the share `loss` in per mille.
fn percent(packets: u64, ms: u64, mbit: u64, loss: u64) -> u64 {
    packets * WIRE * 8 * 100_000 / (ms * mbit * 1_000 * (1_000 - loss))
}

/// Runs a flow. Returns what arrives between each two times in ms, in percent of a line of so many Mbit/s.
fn run<const N: usize>(controller: Controller, path: &Path, spans: [(u64, u64, u64); N]) -> [u64; N] {
    let mut network = Network::new(path.clone());
    network.add(controller, usize::MAX, Instant::ZERO);
    spans.map(|(from, to, mbit)| {
        let before = network.run(at(from))[0].delivered;
        let after = network.run(at(to))[0].delivered;
        percent(after - before, to - from, mbit, path.loss)
    })
}

/// The worst result of all seeds for each span.
fn worst<const N: usize>(path: &Path, spans: [(u64, u64, u64); N]) -> [u64; N] {
    let runs = SEEDS.map(|seed| run(model(), &path.clone().with_seed(seed), spans));
    runs.reduce(|a, b| std::array::from_fn(|i| a[i].min(b[i]))).unwrap()
}

#[test]
fn a_longer_round_trip_costs_at_most_3_s_of_link_time() {
    for (before, after) in [(10, 100), (20, 200), (30, 300)] {
        for (mbit, loss) in [(20, 0), (20, 10), (50, 0), (50, 10)] {
            let path = Path::new(mbit, before).with_queue_of(mbit * 125 * after).with_loss(loss);
            let [arrived] = worst(&path.with_step(3_000, mbit, after), [(3_000, 18_000, mbit)]);
            println!("{before} to {after} ms, {mbit} Mbit/s, {loss} ‰: {arrived} %");
            assert!(arrived >= 80, "{before} to {after} ms, {mbit} Mbit/s, {loss} ‰: {arrived} %");
        }
    }
}

#[test]
fn a_changed_rate_is_followed_within_3_s() {
    for (rtt, loss) in [(20, 0), (20, 10), (40, 0), (40, 10), (100, 0), (100, 10)] {
        let path = Path::new(100, rtt).with_queue_of(200_000).with_loss(loss);
        let path = path.with_step(5_000, 10, rtt).with_step(15_000, 1, rtt).with_step(30_000, 100, rtt);
        let spans = [(8_000, 15_000, 10), (18_000, 30_000, 1), (33_000, 36_000, 100)];
        let arrived = worst(&path, spans);
        println!("{rtt} ms, {loss} ‰: {arrived:?} %");
        assert!(arrived[0] >= 80 && arrived[1] >= 80 && arrived[2] >= 90, "{rtt} ms, {loss} ‰: {arrived:?} %");
    }
}

/// Regression: the acknowledgements of each paced burst arrived before the next one, which then began a new round.
/// Without the end of a round, the rate of the start stayed for ever.
#[test]
fn a_path_far_shorter_than_the_wait_of_the_pacer_is_filled() {
    for (before, after, timers) in [(200, 200, 1), (200, 2_000, 1), (1_000, 2_000, 1), (2_000, 500, 1), (200, 2_000, 0)]
    {
        let mut path = Path::new(before, 0);
        path.delay = Duration::from_micros(25);
        let path = path.with_queue_of(4_000_000).with_timers_of(timers).with_step(100, after, 0);
        let [first, arrived] = worst(&path, [(50, 100, before), (200, 500, after)]);
        println!("{before} to {after} Mbit/s, timers of {timers} ms: {first} %, {arrived} %");
        assert!(
            first >= 90 && arrived >= 90,
            "{before} to {after} Mbit/s, timers of {timers} ms: {first} %, {arrived} %"
        );
    }
}

#[test]
fn deliveries_in_bursts_cost_no_more_than_with_cubic() {
    for (forth, back, loss) in [(20, 0, 0), (0, 20, 0), (20, 20, 0), (20, 0, 10), (0, 20, 10)] {
        let path = Path::new(100, 60).with_deliveries_each(forth, back).with_loss(loss);
        let [model] = worst(&path, [(0, 10_000, 100)]);
        let [cubic] = run(Cubic::new(SEGMENT).into(), &path, [(0, 10_000, 100)]);
        println!("each {forth} ms forth, {back} ms back, {loss} ‰: {model} %, Cubic {cubic} %");
        assert!(model + 1 >= cubic && model >= 90, "each {forth} ms forth, {back} ms back: {model} %, Cubic {cubic} %");
    }
}

#[test]
fn packets_that_overtake_each_other_are_no_congestion() {
    let path = Path::new(50, 40).with_jitter(20);
    let [start, later] = worst(&path, [(0, 3_000, 50), (3_000, 15_000, 50)]);
    println!("jitter: {start} %, then {later} %");
    assert!(start >= 80 && later >= 95, "{start} %, then {later} %");
}

/// Most packets overtake others, and many are declared lost before they arrive. No start may stay slow.
#[test]
fn a_path_with_more_jitter_than_delay_is_mostly_used() {
    let path = Path::new(50, 40).with_jitter(100);
    let mut later: Vec<_> =
        (1..=12).map(|seed| run(model(), &path.clone().with_seed(seed), [(9_000, 15_000, 50)])[0]).collect();
    later.sort_unstable();
    println!("jitter: {later:?} %");
    // Before, half of them used less than 40 %, and some 7 %.
    assert!(later[0] >= 65 && later[6] >= 80, "{later:?} %");
}

#[test]
fn a_coarse_timer_does_not_stop_the_growth() {
    for (ms, loss) in [(16, 0), (16, 10), (50, 0), (50, 10), (50, 50)] {
        let [arrived] = worst(&Path::new(50, 40).with_timers_of(ms).with_loss(loss), [(0, 10_000, 50)]);
        println!("timers of {ms} ms, {loss} ‰: {arrived} %");
        assert!(arrived >= 93, "timers of {ms} ms, {loss} ‰: {arrived} %");
    }
}

#[test]
fn two_packets_of_five_lost_leave_most_of_the_rate() {
    for (mbit, rtt) in [(20, 50), (50, 40), (100, 100)] {
        let [arrived] = worst(&Path::new(mbit, rtt).with_loss(400), [(3_000, 15_000, mbit)]);
        println!("{mbit} Mbit/s, {rtt} ms, 400 ‰: {arrived} %");
        assert!(arrived >= 90, "{mbit} Mbit/s, {rtt} ms, 400 ‰: {arrived} %");
    }
}

#[test]
fn the_link_is_taken_back_within_2_s_of_the_end_of_another_flow() {
    let others: [Maker; 4] = [
        ("Cubic", || Cubic::new(SEGMENT).into()),
        ("NewReno", || NewReno::new(SEGMENT).into()),
        ("BandwidthDelay", model),
        ("a window that never yields", || FixedWindow::new(600_000).paced(5_500_000).into()),
    ];
    for (name, other) in others {
        for (mbit, rtt) in [(50, 40), (20, 100)] {
            let mut network = Network::new(Path::new(mbit, rtt));
            network.add(model(), usize::MAX, Instant::ZERO);
            network.add(other(), usize::try_from(mbit * 1_000_000 / 8 / WIRE * 6).unwrap(), at(1_000));
            let mut end = 0;
            while network.run(at(end))[1].ended == at(end) {
                end += 100;
            }
            let before = network.run(at(end + 2_000))[0].delivered;
            let after = network.run(at(end + 5_000))[0].delivered;
            let arrived = percent(after - before, 3_000, mbit, 0);
            println!("{mbit} Mbit/s, {rtt} ms, after {name}: {arrived} %");
            assert!(arrived >= 90, "{mbit} Mbit/s, {rtt} ms, after {name}: {arrived} %");
        }
    }
}

/// Regression: a probe that met the queue of another flow took it for a longer path. Each congestion then lowered the
/// limit to a product of the probe's round trip, which was shorter than the usual one.
#[test]
fn a_queue_that_another_flow_keeps_leaves_half_of_the_link() {
    let mut network = Network::new(Path::new(50, 40));
    network.add(model(), usize::MAX, Instant::ZERO);
    network.add(FixedWindow::new(400_000).paced(6_250_000).into(), usize::MAX, at(500));
    let before = network.run(at(5_000))[0].delivered;
    let after = network.run(at(15_000))[0].delivered;
    let arrived = percent(after - before, 10_000, 50, 0);
    println!("beside a window of 400 kB: {arrived} %");
    // It was 38 %.
    assert!(arrived >= 50, "{arrived} %");
}

/// Segments that are acknowledged 1.5 µs apart arrived with each other: they say little about a path of 100 ms.
#[test]
fn compressed_acknowledgements_are_no_rate() {
    let mut controller = model();
    (1..=32).for_each(|i| controller.on_sent(at(0), SEGMENT, i * u64::from(SEGMENT)));
    for i in 1..=32 {
        let now = Instant::from_micros(100_000 + i * 3 / 2);
        controller.on_acknowledged(&Acknowledgement {
            now,
            bytes: SEGMENT.into(),
            newest_sent_at: at(0),
            rtt: Some(now.saturating_since(at(0))),
            srtt: Duration::from_millis(100),
            in_flight: (32 - i) * u64::from(SEGMENT),
            delivered: i * u64::from(SEGMENT),
            round_ended: false,
            app_limited: false,
        });
    }
    // 32 segments in a 256th of the round trip are 115 MB/s. The acknowledgements alone would say 930 MB/s.
    assert!(controller.window() <= 11_500_000, "{}", controller.window());
}

/// Regression: such a start sent 400 Mbit/s into 50. Of the seeds, one in forty used half of the link after that.
#[test]
fn acknowledgements_that_overtake_each_other_are_no_rate() {
    let mut controller = model();
    // A segment each 10 ms has a round-trip time of 80 or 140 ms.
    for i in 0..8 {
        let now = 140 + 10 * i;
        controller.on_acknowledged(&ack(now - if i % 2 == 0 { 80 } else { 140 }, now));
    }
    // Then 32 are sent at once, and acknowledged within 3.2 ms.
    (1..=32).for_each(|i| controller.on_sent(at(220), SEGMENT, i * u64::from(SEGMENT)));
    for i in 0..32 {
        let now = Instant::from_micros(300_000 + i * 100);
        let rtt = Some(now.saturating_since(at(220)));
        controller.on_acknowledged(&Acknowledgement { now, rtt, ..ack(220, 300) });
    }
    // 12 MB/s times 80 ms are 960 kB. The mean difference between the round-trip times explains such a train.
    assert!(controller.window() <= 400_000, "{}", controller.window());
}

/// The verdict of congestion falls with its losses, as long as no round has ended with it.
#[test]
fn losses_that_were_late_packets_do_not_end_startup() {
    for found in [false, true] {
        let mut controller = model();
        // 200 segments in the first round trip and 200 in the second, without a loss. That is the base loss rate.
        for ms in 0..200 {
            controller.on_sent(at(ms), 2 * SEGMENT, 1_000_000);
            let ack = ack(ms, ms + 100);
            controller.on_acknowledged(&Acknowledgement { bytes: 2 * u64::from(SEGMENT), in_flight: 1_000_000, ..ack });
        }
        assert_eq!(controller.phase(), "startup");
        // A third of the first 200 is declared lost, and arrives after all.
        let bytes = 70 * u64::from(SEGMENT);
        controller.on_lost(&Loss { now: at(299), bytes, newest_sent_at: at(90), in_flight: 1_000_000 });
        if found {
            controller.on_spurious_loss(at(300), bytes);
        }
        for ms in 205..420 {
            controller.on_sent(at(ms), 3 * SEGMENT, 1_000_000);
            let ack = ack(ms, ms + 100);
            controller.on_acknowledged(&Acknowledgement { bytes: 3 * u64::from(SEGMENT), in_flight: 1_000_000, ..ack });
        }
        assert_eq!(controller.phase() == "startup", found, "{}", controller.phase());
    }
}

/// Few acknowledgements come through a narrow way back. The round-trip time falls by much from one to the next.
#[test]
fn a_queue_that_drains_is_no_jitter() {
    let mut controller = model();
    let mut sent = 0;
    let mut arrives = |controller: &mut Controller, sent_ms: u64, now_ms: u64| {
        sent += 1;
        controller.on_sent(at(sent_ms), SEGMENT, 64 * u64::from(SEGMENT));
        controller.on_acknowledged(&ack(sent_ms, now_ms));
    };
    (0..40).for_each(|i| arrives(&mut controller, i * 10, 60 + i * 10));
    // A queue builds, and ends startup.
    (0..60).for_each(|i| arrives(&mut controller, 400 + i * 5, 460 + i * 15));
    assert_ne!(controller.phase(), "startup");
    // 600 ms of queue drain within 15 acknowledgements.
    for i in 0..15 {
        arrives(&mut controller, 700 + i * 45, 1_360 + i * 5);
        assert!(controller.acknowledgements().is_some(), "after {i} acknowledgements");
    }
    // Packets that overtake each other are jitter.
    (0..15).for_each(|i| arrives(&mut controller, 1_400 + i * 10 - i % 2 * 40, 1_460 + i * 10));
    assert_eq!(controller.acknowledgements(), None);
}

#[test]
fn rfc9000_9_4_another_path_starts_in_the_initial_state() {
    for &algorithm in Algorithm::ALL {
        let new = algorithm.controller(SEGMENT);
        let mut moved = new.clone();
        moved.on_sent(at(0), SEGMENT, SEGMENT.into());
        moved.on_acknowledged(&ack(0, 100));
        let (bytes, in_flight) = (100 * u64::from(SEGMENT), 0);
        moved.on_lost(&Loss { now: at(200), bytes, newest_sent_at: at(100), in_flight });
        moved.start_path(at(300));
        assert_eq!(
            (moved.window(), moved.pacing_rate(), moved.phase()),
            (new.window(), new.pacing_rate(), new.phase())
        );
    }
}

#[test]
fn a_packet_of_the_previous_path_gives_no_round_trip_time() {
    let mut controller = model();
    controller.start_path(at(300));
    controller.on_acknowledged(&ack(290, 310));
    assert_eq!(controller.pacing_rate(), None);
    controller.on_acknowledged(&ack(300, 400));
    assert!(controller.pacing_rate().is_some());
}

/// The acknowledgement at `now_ms` of one segment, which was sent at `sent_ms`.
fn ack(sent_ms: u64, now_ms: u64) -> Acknowledgement {
    let rtt = Duration::from_millis(now_ms - sent_ms);
    Acknowledgement {
        now: at(now_ms),
        bytes: SEGMENT.into(),
        newest_sent_at: at(sent_ms),
        rtt: Some(rtt),
        srtt: rtt,
        in_flight: 0,
        delivered: SEGMENT.into(),
        round_ended: true,
        app_limited: false,
    }
}
