//! Traces of stop-and-wait.

use super::*;
use crate::Duration;
use crate::arq::Jitter;

const ONE: Seq = Seq::new(1);

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn rtt() -> Rtt {
    Rtt::new(Duration::from_secs(60), Jitter::new(0))
}

fn info(now: Instant, number: Seq) -> Sending {
    Sending { now, number, counter: 0, bytes: 100, end: number.next() }
}

fn arrived(number: Seq) -> ReceivedInfo {
    ReceivedInfo { number, counter: 0, request: AckRequest::DEFAULT }
}

fn offer(fits: bool) -> Offer {
    Offer { limit: Seq::new(1_000_000), fits }
}

fn next_ack(arq: &StopAndWait) -> Option<Seq> {
    match arq.ack(at(0), Seq::new(1_000_000), &mut None)? {
        Ack::Single(number) => Some(number),
        Ack::Selective(_) => None,
    }
}

#[test]
fn the_next_info_waits_for_the_acknowledgement_of_the_last() {
    let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
    assert_eq!(arq.next_info(at(0), Seq::ZERO), None, "no number has a body");
    assert_eq!(arq.next_info(at(0), ONE.next()), Some(Seq::ZERO));
    assert!(!arq.on_info_sent(info(at(0), Seq::ZERO), &mut rtt));
    assert_eq!(arq.next_info(at(0), ONE.next()), None);
    assert_eq!(arq.handle_ack(at(40), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::New);
    assert_eq!(rtt.srtt(), Some(Duration::from_millis(40)));
    assert_eq!(arq.next_info(at(0), ONE.next()), Some(ONE));
}

/// Regression: on the new path of a peer that had moved, the INFO waited for the backoff of the old path.
#[test]
fn after_a_move_the_number_is_sent_again_at_once_without_backoff() {
    let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
    let mut now = at(0);
    for _ in 0..5 {
        arq.on_info_sent(info(now, Seq::ZERO), &mut rtt);
        now = arq.poll_timeout(Seq::ZERO).unwrap();
        arq.handle_timeout(now, &rtt);
    }
    arq.on_info_sent(info(now, Seq::ZERO), &mut rtt);
    assert_eq!(arq.next_info(now, ONE), None);
    arq.probe();
    assert_eq!(arq.next_info(now, ONE), Some(Seq::ZERO));
    assert!(arq.on_info_sent(info(now, Seq::ZERO), &mut rtt));
    let interval = arq.poll_timeout(Seq::ZERO).unwrap().saturating_since(now).as_millis();
    assert!((4_000..=4_250).contains(&interval), "the second repeat after the first one: {interval} ms");
}

#[test]
fn a_timeout_repeats_the_number_and_doubles_the_interval() {
    let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
    let mut now = at(0);
    for doubled in [1_000, 2_000, 4_000] {
        assert_eq!(arq.next_info(at(0), ONE), Some(Seq::ZERO));
        assert_eq!(arq.on_info_sent(info(now, Seq::ZERO), &mut rtt), doubled > 1_000);
        let deadline = arq.poll_timeout(Seq::ZERO).unwrap();
        let interval = deadline.saturating_since(now).as_millis();
        assert!((doubled..=doubled + doubled / 16).contains(&interval), "{interval}");
        assert!(!arq.handle_timeout(deadline - Duration::from_micros(1), &rtt));
        assert!(arq.handle_timeout(deadline, &rtt));
        assert!(!arq.handle_timeout(deadline, &rtt), "the timer expires once");
        assert_eq!(arq.poll_timeout(Seq::ZERO), None);
        now = deadline;
    }
}

/// A connection asks a mechanism only for the timers in its list.
#[test]
fn a_timer_outside_the_list_has_no_deadline() {
    let all = [
        Timer::Handshake,
        Timer::RetransmitHandshake,
        Timer::FallBack,
        Timer::Reordering,
        Timer::TailLossProbe,
        Timer::Retransmission,
        Timer::Persist,
        Timer::KeepAlive,
        Timer::RetransmitFin,
        Timer::Idle,
        Timer::Quiet,
        Timer::Linger,
        Timer::Pacing,
        Timer::AckDelay,
    ];
    let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
    arq.on_info_sent(info(at(0), Seq::ZERO), &mut rtt);
    for timer in all {
        let deadline = arq.deadline(timer, ONE, |_| true);
        assert_eq!(deadline.is_some(), StopAndWait::TIMERS.contains(&timer), "{timer:?}");
    }
}

#[test]
fn a_retransmitted_info_gives_no_rtt_sample() {
    let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
    arq.on_info_sent(info(at(0), Seq::ZERO), &mut rtt);
    let deadline = arq.poll_timeout(Seq::ZERO).unwrap();
    arq.handle_timeout(deadline, &rtt);
    arq.on_info_sent(info(deadline, Seq::ZERO), &mut rtt);
    assert_eq!(arq.handle_ack(deadline, &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::New);
    assert_eq!(rtt.srtt(), None);
}

/// It shows that the first acknowledgement was for the first transmission. Without this sample, every INFO would be
/// sent twice on a path slower than the timeout.
#[test]
fn a_second_acknowledgement_makes_an_ambiguous_round_trip_a_sample() {
    let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
    arq.on_info_sent(info(at(0), Seq::ZERO), &mut rtt);
    let deadline = arq.poll_timeout(Seq::ZERO).unwrap();
    arq.handle_timeout(deadline, &rtt);
    arq.on_info_sent(info(deadline, Seq::ZERO), &mut rtt);
    assert_eq!(arq.handle_ack(at(1_500), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::New);
    assert_eq!(rtt.srtt(), None);
    assert_eq!(arq.handle_ack(at(2_500), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::Old);
    assert_eq!(rtt.srtt(), Some(Duration::from_millis(1_500)));
    assert_eq!(arq.handle_ack(at(9_000), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::Old, "no second sample");
    assert_eq!(rtt.rto(), Duration::from_millis(1_500 + 3_000));
}

#[test]
fn an_acknowledgement_counts_after_the_timer_has_expired() {
    let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
    arq.on_info_sent(info(at(0), Seq::ZERO), &mut rtt);
    arq.handle_timeout(arq.poll_timeout(Seq::ZERO).unwrap(), &rtt);
    assert_eq!(arq.handle_ack(at(2_000), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::New);
    assert_eq!(arq.next_info(at(0), ONE), None);
}

#[test]
fn acknowledgements_of_old_and_never_sent_numbers_change_nothing() {
    let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
    assert_eq!(arq.handle_ack(at(0), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::NeverSent);
    arq.on_info_sent(info(at(0), Seq::ZERO), &mut rtt);
    arq.handle_ack(at(1), &Ack::Single(Seq::ZERO), &mut rtt);
    arq.on_info_sent(info(at(1), ONE), &mut rtt);
    let before = arq.clone();
    assert_eq!(arq.handle_ack(at(2), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::Old);
    assert_eq!(arq.handle_ack(at(2), &Ack::Single(Seq::new(2)), &mut rtt), Acknowledged::NeverSent);
    assert_eq!(arq, before);
}

#[test]
fn the_receiver_acknowledges_new_and_old_numbers() {
    let mut arq = StopAndWait::new();
    assert_eq!(arq.handle_info(at(0), arrived(Seq::ZERO), offer(false)), Arrival::NoRoom);
    assert_eq!(arq.handle_info(at(0), arrived(ONE), offer(true)), Arrival::BeyondWindow);
    assert_eq!(next_ack(&arq), None);
    assert_eq!(arq.handle_info(at(0), arrived(Seq::ZERO), offer(true)), Arrival::Next);
    assert_eq!(next_ack(&arq), Some(Seq::ZERO));
    arq.on_ack_sent(Seq::new(1_000_000));
    assert_eq!(arq.handle_info(at(0), arrived(Seq::ZERO), offer(false)), Arrival::Old);
    assert_eq!(
        next_ack(&arq),
        Some(Seq::ZERO),
        "an old number is acknowledged again even if there is no room, since its first ACK may have been lost"
    );
}

#[test]
fn a_number_before_number_0_is_not_taken_for_an_old_one() {
    let mut arq = StopAndWait::new();
    arq.handle_info(at(0), arrived(Seq::ZERO), offer(true));
    arq.on_ack_sent(Seq::new(1_000_000));
    assert_eq!(arq.handle_info(at(0), arrived(Seq::new(u32::MAX)), offer(true)), Arrival::BeyondWindow);
    assert_eq!(next_ack(&arq), None);
}

#[test]
fn numbers_wrap() {
    let last = Seq::new(u32::MAX);
    let (mut arq, mut rtt) = (StopAndWait { base: last, next: last, received: 9, ..StopAndWait::new() }, rtt());
    arq.on_info_sent(info(at(0), last), &mut rtt);
    assert_eq!(arq.handle_ack(at(1), &Ack::Single(last), &mut rtt), Acknowledged::New);
    assert_eq!(arq.base(), Seq::ZERO);
    assert_eq!(arq.handle_ack(at(1), &Ack::Single(last), &mut rtt), Acknowledged::Old);
    assert_eq!(arq.handle_info(at(0), arrived(last), offer(true)), Arrival::Next);
    assert_eq!(arq.next(), Seq::ZERO);
    assert_eq!(arq.handle_info(at(0), arrived(last), offer(true)), Arrival::Old);
}

#[test]
fn a_snapshot_counts_a_retransmission_that_was_spurious() {
    let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
    arq.on_info_sent(info(at(0), Seq::ZERO), &mut rtt);
    assert_eq!((arq.snapshot().in_flight, arq.snapshot().lost), (100, 0));
    let deadline = arq.poll_timeout(Seq::ZERO).unwrap();
    arq.handle_timeout(deadline, &rtt);
    assert_eq!(
        (arq.snapshot().in_flight, arq.snapshot().lost),
        (0, 0),
        "an INFO counts as lost only once it is sent again"
    );
    arq.on_info_sent(info(deadline, Seq::ZERO), &mut rtt);
    arq.handle_ack(at(1_500), &Ack::Single(Seq::ZERO), &mut rtt);
    arq.handle_ack(at(2_500), &Ack::Single(Seq::ZERO), &mut rtt);
    let ArqSnapshot { in_flight, delivered, lost, retransmitted, spurious, .. } = arq.snapshot();
    assert_eq!((in_flight, delivered, lost, retransmitted, spurious), (0, 100, 1, 1, 1));
}

#[test]
fn an_info_acknowledged_before_its_retransmission_is_not_lost() {
    let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
    arq.on_info_sent(info(at(0), Seq::ZERO), &mut rtt);
    let deadline = arq.poll_timeout(Seq::ZERO).unwrap();
    arq.handle_timeout(deadline, &rtt);
    let before = arq.snapshot().lost;
    arq.handle_ack(deadline, &Ack::Single(Seq::ZERO), &mut rtt);
    assert_eq!((before, arq.snapshot().lost), (0, 0));
}
