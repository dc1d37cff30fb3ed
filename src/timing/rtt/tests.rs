//! Tests of the round-trip estimate and its timeouts.

use super::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn rtt() -> Rtt {
    Rtt::new(Duration::from_secs(60), Jitter::new(1))
}

#[test]
fn the_handshake_sets_the_timeout_until_the_first_sample() {
    let mut rtt = rtt();
    rtt.handshake_sample(ms(100));
    assert_eq!((rtt.rto(), rtt.srtt(), rtt.min()), (ms(300), None, None));
    rtt.sample(ms(50));
    assert_eq!((rtt.rto(), rtt.srtt(), rtt.min()), (ms(150), Some(ms(50)), Some(ms(50))));
    rtt.handshake_sample(ms(900));
    assert_eq!(rtt.srtt(), Some(ms(50)));
}

#[test]
fn a_fast_handshake_gives_a_timeout_of_200_ms() {
    let mut rtt = rtt();
    rtt.handshake_sample(ms(2));
    assert_eq!(rtt.rto(), ms(200));
}

#[test]
fn rfc6298_2_1_one_second_before_the_first_sample() {
    assert_eq!(rtt().rto(), Duration::from_secs(1));
    assert_eq!(rtt().srtt(), None);
}

#[test]
fn rfc6298_2_2_first_sample() {
    let mut rtt = rtt();
    rtt.sample(ms(100));
    assert_eq!(rtt.srtt(), Some(ms(100)));
    assert_eq!(rtt.rto(), ms(300)); // 100 + 4 × 50
}

#[test]
fn rfc6298_2_3_later_samples() {
    let mut rtt = rtt();
    rtt.sample(ms(100));
    rtt.sample(ms(180));
    // RTTVAR = 3/4 × 50 + 1/4 × 80 = 57.5; SRTT = 7/8 × 100 + 1/8 × 180 = 110
    assert_eq!(rtt.srtt(), Some(ms(110)));
    assert_eq!(rtt.rto(), ms(110 + 230));
}

#[test]
fn rfc6298_2_3_a_steady_path_ends_at_srtt_plus_granularity() {
    let mut rtt = rtt();
    for _ in 0..100 {
        rtt.sample(ms(80));
    }
    assert_eq!(rtt.rto(), ms(81));
}

#[test]
fn rfc6298_2_5_and_5_5_doubles_up_to_the_ceiling() {
    let mut rtt = rtt();
    rtt.sample(ms(100));
    for (attempt, expected) in [(0, 300), (1, 600), (2, 1_200), (7, 38_400), (8, 60_000), (63, 60_000), (255, 60_000)] {
        let deadline = rtt.deadline(Instant::ZERO, attempt, Duration::MAX).saturating_since(Instant::ZERO);
        assert!(deadline >= ms(expected) && deadline <= ms(expected + expected / 16), "{attempt}: {deadline}");
    }
    assert!(rtt.deadline(Instant::ZERO, 9, ms(320)) <= Instant::from_millis(340));
}

#[test]
fn early_repeats_count_each_interval_twice_until_a_sample() {
    let mut rtt = rtt();
    rtt.repeat_early(true);
    let is_near = |rtt: &mut Rtt, expected: [u64; 6]| {
        (0..).zip(expected).all(|(attempt, least)| {
            let interval = rtt.deadline(Instant::ZERO, attempt, Duration::MAX).saturating_since(Instant::ZERO);
            (least..=least + least / 16).contains(&interval.as_millis())
        })
    };
    assert!(is_near(&mut rtt, [250, 250, 500, 500, 1_000, 1_000]));
    assert_eq!(rtt.rto(), Duration::from_secs(1), "RFC 6298 still holds for all other uses");
    rtt.handshake_sample(ms(100));
    assert!(is_near(&mut rtt, [300, 300, 600, 600, 1_200, 1_200]));
    rtt.sample(ms(100));
    assert!(is_near(&mut rtt, [300, 600, 1_200, 2_400, 4_800, 9_600]));
}

#[test]
fn a_sample_above_the_timeout_starts_the_estimate_again() {
    let mut rtt = rtt();
    (0..100).for_each(|_| rtt.sample(ms(20)));
    assert_eq!(rtt.rto(), ms(21));
    rtt.sample(ms(300));
    assert_eq!((rtt.srtt(), rtt.rto(), rtt.min()), (Some(ms(300)), ms(900), Some(ms(20))));
}

#[test]
fn one_late_answer_leaves_no_high_timeout() {
    let mut rtt = rtt();
    (0..100).for_each(|_| rtt.sample(ms(20)));
    rtt.sample(ms(5_000));
    assert_eq!(rtt.rto(), ms(15_000));
    rtt.sample(ms(20));
    assert_eq!((rtt.srtt(), rtt.rto()), (Some(ms(20)), ms(60)));
    (0..3).for_each(|_| rtt.sample(ms(5_000)));
    rtt.sample(ms(20));
    assert!(rtt.srtt() > Some(ms(4_000)), "three late answers show a slower path");
}

/// Regression: on a slow line the timeout stayed below each sample, and repeated what only waited.
#[test]
fn samples_of_extended_mode_raise_the_ceiling() {
    let mut rtt = Rtt::new(ms(7_500), Jitter::new(1));
    rtt.sample(ms(12_000));
    assert_eq!(rtt.rto(), ms(7_500), "in base mode a sample may be that of another transmission");
    rtt.repeat_early(true);
    (0..9).for_each(|_| rtt.sample(ms(12_000)));
    assert!((ms(12_000)..ms(14_500)).contains(&rtt.rto()), "{}", rtt.rto());
    assert!(rtt.deadline(Instant::ZERO, 3, Duration::MAX) < Instant::from_millis(15_500), "no backoff above it");
    (0..3).for_each(|_| rtt.sample(ms(60_000)));
    assert!((ms(60_000)..=ms(75_000)).contains(&rtt.rto()), "a quarter more than SRTT: {}", rtt.rto());
    (0..90).for_each(|_| rtt.sample(ms(1_000)));
    assert!(rtt.rto() < ms(1_100), "{}", rtt.rto());
}

#[test]
fn a_late_sample_also_counts_against_the_probe() {
    let mut steady = rtt();
    steady.sample(ms(20));
    let mut late = steady.clone();
    steady.sample(ms(50));
    assert!(steady.srtt() < Some(ms(25)), "50 ms is below the timeout of 60 ms");
    late.update(ShortDuration::new(ms(50)), true);
    assert_eq!(late.srtt(), Some(ms(50)), "but above a probe timeout of 40 ms");
}

#[test]
fn extreme_samples_do_not_overflow() {
    let mut rtt = rtt();
    for sample in [Duration::MAX, Duration::ZERO, Duration::MAX, Duration::MAX, Duration::ZERO] {
        rtt.sample(sample);
        assert!(rtt.rto() <= Duration::from_secs(60));
    }
}

/// Regression: the first interval of extended mode was 250 ms with any ceiling.
#[test]
fn no_early_interval_exceeds_the_ceiling() {
    let mut rtt = Rtt::new(ms(100), Jitter::new(1));
    rtt.repeat_early(true);
    let at = rtt.deadline(Instant::ZERO, 0, Duration::MAX).saturating_since(Instant::ZERO);
    assert!(at <= ms(107), "{at:?}");
}

/// A peer may announce an idle limit of 1 ms.
#[test]
fn no_ceiling_makes_the_timeout_shorter_than_the_round_trip() {
    let mut rtt = rtt();
    rtt.repeat_early(true);
    (0..9).for_each(|_| rtt.sample(ms(100)));
    rtt.lower_ceiling(Duration::from_micros(250));
    assert!((ms(101)..=ms(125)).contains(&rtt.rto()), "{}", rtt.rto());
    assert!(rtt.deadline(Instant::ZERO, 9, Duration::MAX) > Instant::from_millis(100));
}

/// When the packets leave, in ms after the first: each at the deadline that the one before has set, with its jitter.
fn small_packets(rtt: &mut Rtt, losses: u8, count: u8) -> std::vec::Vec<u64> {
    let mut now = Instant::ZERO;
    let mut next = |sent| {
        let at = now;
        now = rtt.small_packet_deadline(sent, losses, now, ShortDuration::new(ms(333)));
        at.saturating_since(Instant::ZERO).as_millis()
    };
    (0..count).map(&mut next).collect()
}

/// The timeout of 300 ms is longer than two round trips, until its backoff takes it to the longest interval.
#[test]
fn a_small_packet_is_repeated_four_times_without_backoff() {
    let mut rtt = rtt();
    rtt.sample(ms(100));
    assert_eq!(small_packets(&mut rtt, 0, 7), [0, 207, 416, 628, 834, 1_176, 1_525]);
}

#[test]
fn a_small_packet_leaves_in_rounds_on_a_lossy_path() {
    let mut rtt = rtt();
    rtt.sample(ms(100));
    assert_eq!(small_packets(&mut rtt, 1, 5), [0, 6, 215, 222, 427]);
    assert_eq!(small_packets(&mut rtt, 2, 6), [0, 6, 13, 19, 223, 229]);
}

#[test]
fn without_a_round_trip_time_a_small_packet_has_no_copies() {
    assert_eq!(small_packets(&mut rtt(), 3, 3), [0, 344, 693]);
}
