//! A driver that wakes late: what the pacer makes good, and what it does not.

use crate::network::SEGMENT;
use rdt_proto::congestion::Pacer;
use rdt_proto::{Duration, Instant};

/// 10 Mbit/s in bytes per second.
const RATE: u64 = 1_250_000;

fn pacer() -> Pacer {
    let mut pacer = Pacer::new(Duration::from_millis(2), SEGMENT);
    pacer.update_rate(Instant::ZERO, Some(RATE));
    pacer
}

/// Sends all that the pacer allows. Returns the bytes.
fn burst(pacer: &mut Pacer, now: Instant, has_more: bool) -> u64 {
    let mut sent = 0;
    while pacer.allows(now, 1) {
        pacer.on_sent(now, SEGMENT);
        pacer.set_waiting(has_more);
        sent += u64::from(SEGMENT);
    }
    sent
}

/// The bytes that a sender with much data sends in 10 s, if it wakes only each `every` ms.
fn sent_by_ticks(every: u64) -> u64 {
    let mut pacer = pacer();
    (0..10_000 / every).map(|tick| burst(&mut pacer, Instant::from_millis(tick * every), true)).sum()
}

#[test]
fn a_late_wake_up_is_made_good() {
    for every in [1, 5, 16, 33, 50, 100] {
        let percent = sent_by_ticks(every) * 100 / (RATE * 10);
        println!("each {every} ms: {percent} %");
        assert!((98..=101).contains(&percent), "each {every} ms: {percent} %");
    }
}

/// A game loop has handed over all acknowledgements, and the window is full. In the next turn it opens.
#[test]
fn a_known_lateness_also_serves_a_window_that_opens() {
    let mut pacer = pacer();
    burst(&mut pacer, Instant::from_millis(0), true);
    burst(&mut pacer, Instant::from_millis(50), true);
    pacer.set_waiting(false);
    let sent = burst(&mut pacer, Instant::from_millis(100), true);
    assert!(sent >= RATE / 20 - 2 * u64::from(SEGMENT), "{sent}");
}

#[test]
fn a_long_pause_of_the_program_gives_a_bounded_burst() {
    let mut pacer = pacer();
    burst(&mut pacer, Instant::ZERO, true);
    let sent = burst(&mut pacer, Instant::from_millis(60_000), true);
    assert!(sent <= RATE * 102 / 1_000 + u64::from(SEGMENT), "{sent}");
}

#[test]
fn time_without_data_is_no_lateness() {
    let mut pacer = pacer();
    burst(&mut pacer, Instant::ZERO, false);
    let sent = burst(&mut pacer, Instant::from_millis(60_000), true);
    assert!(sent <= RATE * 2 / 1_000 + u64::from(SEGMENT), "{sent}");
}

#[test]
fn a_lateness_is_forgotten_when_the_driver_is_on_time() {
    let mut pacer = pacer();
    burst(&mut pacer, Instant::ZERO, true);
    burst(&mut pacer, Instant::from_millis(100), true);
    for _ in 0..40 {
        let now = pacer.ready_at(1);
        burst(&mut pacer, now, true);
    }
    let now = pacer.ready_at(1);
    burst(&mut pacer, now, false);
    let sent = burst(&mut pacer, now + Duration::from_secs(1), true);
    assert!(sent <= RATE * 3 / 1_000 + u64::from(SEGMENT), "{sent}");
}
