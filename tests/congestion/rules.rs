//! The rules of the controllers, one test for each clause.

use rdt_proto::congestion::{
    Acknowledgement, BandwidthDelay, Congestion, Controller, Cubic, FixedWindow, Loss, NewReno, Pacer,
};
use rdt_proto::{Duration, Instant};

const SEGMENT: u32 = 1_200;
const RTT: Duration = Duration::from_millis(100);

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

/// An acknowledgement at `ms` of `segments` segments, which were sent one round trip before.
fn ack(ms: u64, segments: u64) -> Acknowledgement {
    Acknowledgement {
        now: at(ms),
        bytes: segments * u64::from(SEGMENT),
        newest_sent_at: at(ms) - RTT,
        rtt: Some(RTT),
        srtt: RTT,
        in_flight: 0,
        delivered: ms * 12,
        round_ended: true,
        app_limited: false,
    }
}

/// The loss of a segment, detected at `ms`. The segment was sent `age` ms before.
fn loss(ms: u64, age: u64) -> Loss {
    Loss { now: at(ms), bytes: u64::from(SEGMENT), newest_sent_at: at(ms - age), in_flight: 0 }
}

fn segments(controller: &impl Congestion) -> u64 {
    controller.window() / u64::from(SEGMENT)
}

#[test]
fn rfc9002_7_2_initial_window() {
    assert_eq!(NewReno::new(1_200).window(), 12_000);
    assert_eq!(NewReno::new(1_500).window(), 14_720);
    assert_eq!(NewReno::new(9_000).window(), 18_000);
}

#[test]
fn rfc9002_7_3_1_slow_start_grows_by_acknowledged_bytes() {
    let mut reno = NewReno::new(SEGMENT);
    reno.on_acknowledged(&ack(100, 10));
    assert_eq!(segments(&reno), 20);
}

#[test]
fn rfc9002_7_3_2_a_loss_halves_once_a_round_trip() {
    let mut reno = NewReno::new(SEGMENT);
    reno.on_acknowledged(&ack(100, 10));
    reno.on_lost(&loss(200, 100));
    assert_eq!(segments(&reno), 10);
    // The lost segment was sent before the recovery period, so the window does not change.
    reno.on_lost(&loss(250, 100));
    reno.on_acknowledged(&ack(300, 10));
    assert_eq!(segments(&reno), 10);
    // The lost segment was sent in the recovery period, so the window is halved again.
    reno.on_lost(&loss(350, 100));
    assert_eq!(segments(&reno), 5);
}

#[test]
fn rfc9002_7_3_3_the_window_grows_by_a_segment_a_round_trip() {
    let mut reno = NewReno::new(SEGMENT);
    reno.on_lost(&loss(100, 100));
    assert_eq!(segments(&reno), 5);
    reno.on_acknowledged(&ack(300, 4));
    assert_eq!(segments(&reno), 5);
    reno.on_acknowledged(&ack(310, 1));
    assert_eq!(segments(&reno), 6);
}

#[test]
fn rfc9002_7_6_2_persistent_congestion_rfc5681_3_1_threshold() {
    let mut reno = NewReno::new(SEGMENT);
    reno.on_acknowledged(&ack(100, 10));
    reno.on_timeout(at(1_000));
    reno.on_timeout(at(3_000));
    assert_eq!(segments(&reno), 2);
    // Slow start ends at half of the window before the timeout. Then congestion avoidance begins.
    reno.on_acknowledged(&ack(3_100, 8));
    assert_eq!(segments(&reno), 10);
    reno.on_acknowledged(&ack(3_200, 10));
    assert_eq!(segments(&reno), 11);
}

#[test]
fn rfc9002_7_8_no_growth_while_application_limited() {
    let limited = Acknowledgement { app_limited: true, ..ack(100, 10) };
    for mut controller in [NewReno::new(SEGMENT).into(), Cubic::new(SEGMENT).into(), Controller::new(SEGMENT)] {
        let before = controller.window();
        controller.on_acknowledged(&limited);
        assert_eq!(controller.window(), before, "{controller:?}");
    }
}

#[test]
fn rfc9002_7_7_pacing_a_quarter_faster_than_the_window() {
    let mut reno = NewReno::new(SEGMENT);
    assert_eq!(reno.pacing_rate(), None);
    reno.on_lost(&loss(100, 100));
    reno.on_acknowledged(&ack(300, 1));
    assert_eq!(reno.pacing_rate(), Some(reno.window() * 10 * 5 / 4));
}

/// A `Cubic` in congestion avoidance. A loss at 1,000 ms has reduced its window from 100 segments.
fn reduced() -> Cubic {
    let mut cubic = Cubic::new(SEGMENT);
    cubic.on_acknowledged(&ack(100, 90));
    assert_eq!(segments(&cubic), 100);
    cubic.on_lost(&loss(1_000, 100));
    cubic
}

/// Acknowledges one window each round trip, from `from` to `to` ms.
fn run(cubic: &mut Cubic, from: u64, to: u64) {
    for ms in (from..to).step_by(100) {
        cubic.on_acknowledged(&ack(ms, segments(cubic)));
    }
}

#[test]
fn rfc9438_4_6_multiplicative_decrease() {
    assert_eq!(segments(&reduced()), 70);
}

#[test]
fn rfc9438_4_2_back_at_w_max_after_k() {
    // K = cube root of (100 - 70) / 0.4 = 4.217 s
    let mut cubic = reduced();
    run(&mut cubic, 1_200, 3_000);
    assert!((90..98).contains(&segments(&cubic)), "{}", segments(&cubic));
    run(&mut cubic, 3_000, 5_400);
    assert!((99..=101).contains(&segments(&cubic)), "{}", segments(&cubic));
    // Beyond W_max the growth is convex: W(2K) = 100 + 30.
    run(&mut cubic, 5_400, 9_600);
    assert!((125..=135).contains(&segments(&cubic)), "{}", segments(&cubic));
}

#[test]
fn rfc9438_4_3_reno_friendly_on_short_paths() {
    // With a round trip of 1 ms, a Reno window grows by hundreds of segments a second, a cubic window by almost none.
    let mut cubic = reduced();
    for ms in 1_200..2_200 {
        let quick = Acknowledgement { srtt: Duration::from_millis(1), newest_sent_at: at(ms - 1), ..ack(ms, 70) };
        cubic.on_acknowledged(&quick);
    }
    assert!(segments(&cubic) > 300, "{}", segments(&cubic));
}

#[test]
fn rfc9438_4_7_fast_convergence() {
    let mut cubic = Cubic::new(SEGMENT);
    cubic.on_acknowledged(&ack(100, 990));
    cubic.on_lost(&loss(1_000, 100));
    cubic.on_lost(&loss(1_300, 100));
    assert_eq!(segments(&cubic), 490);
    // W_max is 0.85 × 700 = 595. The window reaches it, and not 700, after K = 6.4 s.
    run(&mut cubic, 1_500, 7_900);
    assert!((590..=600).contains(&segments(&cubic)), "{}", segments(&cubic));
}

#[test]
fn rfc9438_4_8_timeout() {
    let mut cubic = reduced();
    cubic.on_timeout(at(2_000));
    assert_eq!(segments(&cubic), 2);
    // Slow start ends at 0.7 × 70 = 49 segments.
    cubic.on_acknowledged(&ack(2_200, 47));
    cubic.on_acknowledged(&ack(2_300, 49));
    assert!((49..=51).contains(&segments(&cubic)), "{}", segments(&cubic));
}

#[test]
fn rfc9438_4_9_a_spurious_loss_is_undone() {
    let mut cubic = reduced();
    cubic.on_spurious_loss(at(1_050), SEGMENT.into());
    assert_eq!(segments(&cubic), 100);
    cubic.on_spurious_loss(at(1_060), SEGMENT.into());
    assert_eq!(segments(&cubic), 100);
}

/// A congestion event is spurious only if every packet that was marked lost in it was only late.
#[test]
fn rfc9438_4_9_one_late_packet_among_lost_ones_undoes_nothing() {
    let mut cubic = reduced();
    cubic.on_lost(&loss(1_010, 100));
    cubic.on_spurious_loss(at(1_050), SEGMENT.into());
    assert_eq!(segments(&cubic), 70);
    cubic.on_spurious_loss(at(1_060), SEGMENT.into());
    assert_eq!(segments(&cubic), 100);
}

#[test]
fn rfc9438_5_8_an_idle_period_does_not_grow_the_window() {
    let (mut busy, mut idle) = (reduced(), reduced());
    run(&mut busy, 1_200, 2_200);
    run(&mut idle, 1_200, 2_200);
    assert_eq!(busy, idle);
    idle.on_acknowledged(&Acknowledgement { app_limited: true, ..ack(60_000, 1) });
    idle.on_acknowledged(&ack(60_010, 1));
    assert!(segments(&idle) <= segments(&busy) + 1);
}

#[test]
fn rfc9406_4_2_slow_start_ends_when_the_round_trip_rises() {
    let mut cubic = Cubic::new(SEGMENT);
    let mut round = |rtt: u64, start: u64| {
        for i in 0..10 {
            let rtt = Some(Duration::from_millis(rtt));
            cubic.on_acknowledged(&Acknowledgement { rtt, round_ended: i == 0, ..ack(start + i, 1) });
        }
        segments(&cubic)
    };
    assert_eq!(round(100, 1_000), 20);
    // The RTT rises by an eighth. From the eighth sample on, the window grows by a quarter of the acknowledged bytes.
    // After five such rounds, slow start ends.
    assert_eq!(round(113, 1_200), 27);
    for i in 0..4 {
        round(113, 1_400 + i * 200);
    }
    let last = round(113, 2_400);
    assert!(round(113, 2_600) <= last + 1);
}

#[test]
fn the_model_estimates_the_rate_from_a_packet_train() {
    // 32 segments are sent at once, and acknowledged 100 µs apart. The rate is 12 MB/s, the window 1.2 MB for 100 ms.
    let mut model = BandwidthDelay::new(SEGMENT);
    for i in 0..32_u64 {
        model.on_sent(at(0), SEGMENT, (i + 1) * 1_200);
    }
    for i in 0..32_u64 {
        let now = Instant::from_micros(100_000 + i * 100);
        let rtt = Some(now.saturating_since(Instant::ZERO));
        let delivered = (i + 1) * 1_200;
        model.on_acknowledged(&Acknowledgement {
            now,
            rtt,
            delivered,
            newest_sent_at: at(0),
            round_ended: false,
            ..ack(100, 1)
        });
    }
    // The window grows to three quarters of the estimate at once, then with each acknowledgement up to the estimate.
    assert!((900_000..=1_200_000).contains(&model.window()), "{}", model.window());
    assert!(model.pacing_rate().is_some_and(|rate| rate <= 15_000_000));
}

#[test]
fn the_model_sends_little_while_no_acknowledgement_arrives() {
    let mut model = BandwidthDelay::new(SEGMENT);
    model.on_timeout(at(1_000));
    assert_eq!(segments(&model), 4);
    model.on_acknowledged(&ack(1_100, 1));
    assert!(segments(&model) > 4);
}

#[test]
fn no_controller_is_larger_than_320_bytes() {
    let sizes = [size_of::<FixedWindow>(), size_of::<NewReno>(), size_of::<Cubic>(), size_of::<BandwidthDelay>()];
    println!("{sizes:?} bytes");
    assert!(sizes.into_iter().all(|size| size <= 320), "{sizes:?}");
}

#[test]
fn controllers_accept_any_values_in_any_order() {
    let extremes = [0, 1, 1_000, u64::MAX / 2, u64::MAX];
    let all = [
        FixedWindow::new(0).into(),
        NewReno::new(0).into(),
        Cubic::new(u32::MAX).into(),
        Controller::new(u32::MAX),
        Controller::new(0),
    ];
    for mut controller in all {
        let mut state = 1_u64;
        let mut pick = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            extremes[usize::try_from(state >> 33).unwrap() % extremes.len()]
        };
        for _ in 0..20_000 {
            let now = Instant::from_micros(pick());
            let newest_sent_at = Instant::from_micros(pick());
            let (bytes, in_flight) = (pick(), pick());
            match pick() {
                0 => controller.on_sent(now, u32::MAX, in_flight),
                1 => controller.on_lost(&Loss { now, bytes, newest_sent_at, in_flight }),
                1_000 => controller.on_timeout(now),
                _ => controller.on_acknowledged(&Acknowledgement {
                    now,
                    bytes,
                    newest_sent_at,
                    rtt: (pick() > 0).then(|| Duration::from_micros(pick())),
                    srtt: Duration::from_micros(pick()),
                    in_flight,
                    delivered: pick(),
                    round_ended: pick() > 0,
                    app_limited: pick() == 0,
                }),
            }
            controller.on_spurious_loss(now, pick());
            let _ = (controller.window(), controller.pacing_rate());
        }
    }
}

/// Sends datagrams for `ms` ms as the pacer allows. Returns the bytes sent.
///
/// The sender wakes at most every `step` µs.
fn paced(rate: u64, granularity: Duration, step: u64, ms: u64) -> u64 {
    let mut pacer = Pacer::new(granularity, SEGMENT);
    pacer.update_rate(Instant::ZERO, Some(rate));
    let (mut now, mut sent) = (Instant::ZERO, 0);
    while now < at(ms) {
        while pacer.allows(now, SEGMENT) {
            pacer.on_sent(now, SEGMENT);
            sent += u64::from(SEGMENT);
        }
        assert!(pacer.ready_at(SEGMENT) > now);
        now = pacer.ready_at(SEGMENT).max(now + Duration::from_micros(step));
    }
    sent
}

#[test]
fn pacing_does_not_drift() {
    // The rate in bytes per second, the granularity in ms, the clock in µs, and the duration in ms.
    for (rate, granularity, step, ms) in [
        (125, 0, 1, 3_600_000),           // 1 kbit/s for an hour
        (1_250_000_000, 2, 1_000, 1_000), // 10 Gbit/s with a clock of 1 ms
        (12_500_000, 0, 1, 1_000),
        (12_500_000, 2, 900, 1_000),
    ] {
        let sent = paced(rate, Duration::from_millis(granularity), step, ms);
        let exact = rate * ms / 1_000;
        let burst = (rate * granularity / 1_000).max(2_400);
        assert!(sent <= exact + burst && sent + burst >= exact, "{rate}: {sent} of {exact}");
    }
}

/// A sender may ask for one byte and then send a whole datagram. The rate still holds, since the rest becomes debt.
#[test]
fn bytes_sent_beyond_the_credit_become_debt() {
    let mut pacer = Pacer::new(Duration::from_millis(1), SEGMENT);
    pacer.update_rate(Instant::ZERO, Some(12_500_000));
    let (mut now, mut sent) = (Instant::ZERO, 0);
    while now < at(1_000) {
        while pacer.allows(now, 1) {
            pacer.on_sent(now, SEGMENT);
            sent += u64::from(SEGMENT);
        }
        now = pacer.ready_at(1);
    }
    assert!(sent <= 12_500_000 + 12_500 + 2_400, "{sent}");
    // The debt is at most two datagrams, however many are sent without permission.
    (0..1_000).for_each(|_| pacer.on_sent(now, SEGMENT));
    assert!(pacer.ready_at(1) <= now + Duration::from_millis(1));
}

#[test]
fn a_burst_is_bounded() {
    let mut pacer = Pacer::new(Duration::from_millis(1), SEGMENT);
    pacer.update_rate(Instant::ZERO, Some(12_500_000));
    let mut burst = 0;
    while pacer.allows(at(60_000), SEGMENT) {
        pacer.on_sent(at(60_000), SEGMENT);
        burst += 1;
    }
    assert_eq!(burst, 10); // 12,500 bytes in 1 ms
}

/// Without this bound, a sender with a granularity of minutes would wait longer than the idle limit of its peer.
#[test]
fn a_sender_waits_at_most_half_a_second_for_a_burst() {
    let mut pacer = Pacer::new(Duration::MAX, SEGMENT);
    pacer.update_rate(Instant::ZERO, Some(12_500_000));
    (0..4).for_each(|_| pacer.on_sent(Instant::ZERO, SEGMENT));
    assert!(pacer.ready_at(SEGMENT) <= at(501), "{:?}", pacer.ready_at(SEGMENT));
}

#[test]
fn without_a_rate_the_pacer_holds_nothing_back() {
    let mut pacer = Pacer::new(Duration::from_millis(1), SEGMENT);
    for _ in 0..1_000 {
        assert!(pacer.allows(Instant::ZERO, SEGMENT));
        pacer.on_sent(Instant::ZERO, SEGMENT);
    }
}
