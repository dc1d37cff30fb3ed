//! Traces of one validation.

use super::*;
use crate::wire::Tag;

const OLD: u8 = 1;
const NEW: u8 = 2;
const NONCES: [u64; 2] = [11, 22];
const RTO: Duration = Duration::from_millis(110);
/// When the old address no longer has precedence.
const PATIENCE: Instant = Instant::from_millis(110);
const COUNTER: Seq = Seq::new(7);

fn start(received: usize) -> Start<u8> {
    let (now, counter) = (Instant::ZERO, COUNTER);
    Start { now, new: NEW, received, counter, rto: RTO, is_measured: true, nonces: NONCES }
}

fn challenged(received: usize) -> Validation<u8> {
    Validation::challenged(&start(received), false)
}

/// The destinations of all PROBEs that are due.
fn drain(validation: &mut Validation<u8>, peer: u8) -> std::vec::Vec<u8> {
    let (framing, mut buf) = (Framing::tagged(Tag::new([1; 8])), [0; 32]);
    core::iter::from_fn(|| validation.poll_transmit(peer, &framing, 0, &mut buf).unwrap())
        .inspect(|&(_, len)| assert_eq!(len, PROBE_BYTES))
        .map(|(to, _)| to)
        .collect()
}

#[test]
fn an_echo_from_the_old_address_keeps_it() {
    for nonce in NONCES {
        let (mut validation, now) = (challenged(PROBE_BYTES), Instant::ZERO);
        assert_eq!(
            validation.on_echo(now, nonce, Side::Current),
            Outcome::Ignored,
            "an unsent challenge has no answer"
        );
        assert_eq!(drain(&mut validation, OLD), [NEW, OLD]);
        assert_eq!(
            validation.on_echo(now, NONCES[0], Side::Other),
            Outcome::Ignored,
            "the new cannot answer for the old"
        );
        assert_eq!(validation.on_echo(now, nonce, Side::Current), Outcome::Keep);
    }
}

#[test]
fn only_a_later_datagram_from_the_old_address_keeps_it() {
    for (counter, from, outcome) in [
        (COUNTER, Side::Current, Outcome::Ignored),
        (COUNTER.sub(1), Side::Current, Outcome::Ignored),
        (COUNTER.next(), Side::Other, Outcome::Ignored),
        (COUNTER.next(), Side::Current, Outcome::Keep),
    ] {
        assert_eq!(challenged(1).on_datagram(counter, 1, from), outcome, "{counter}, {from:?}");
    }
}

#[test]
fn the_old_address_has_time_to_answer_first() {
    let mut validation = challenged(PROBE_BYTES);
    drain(&mut validation, OLD);
    assert_eq!(validation.on_echo(Instant::ZERO, NONCES[1], Side::Other), Outcome::Answered);
    assert_eq!(validation.poll_timeout(), PATIENCE);
    assert_eq!(validation.handle_timeout(PATIENCE), Outcome::Migrate);
    // With doubt, it has the whole validation.
    let mut validation = Validation::challenged(&start(PROBE_BYTES), true);
    drain(&mut validation, OLD);
    assert_eq!(validation.on_echo(Instant::ZERO, NONCES[1], Side::Other), Outcome::Answered);
    assert_eq!(validation.handle_timeout(Instant::from_millis(2_999)), Outcome::Ignored);
    assert_eq!(validation.handle_timeout(Instant::from_millis(3_000)), Outcome::Migrate);
}

#[test]
fn echoes_migrate_to_the_new_address_and_revert_to_the_old() {
    let mut validation = challenged(PROBE_BYTES);
    drain(&mut validation, OLD);
    let now = PATIENCE;
    assert_eq!(validation.on_echo(now, NONCES[1], Side::Other), Outcome::Migrate);
    validation.on_migrated(now, OLD, true);
    assert_eq!((validation.other(), validation.reserved()), (OLD, Some(OLD)));
    assert_eq!(
        validation.on_echo(now, NONCES[1], Side::Current),
        Outcome::Ignored,
        "the new address was validated before"
    );
    assert_eq!(
        validation.on_echo(now, NONCES[0], Side::Current),
        Outcome::Ignored,
        "the new cannot answer for the old"
    );
    assert_eq!(validation.on_echo(now, NONCES[0], Side::Other), Outcome::Revert);
    validation.on_reverted(NEW);
    assert_eq!(validation.reserved(), Some(NEW));
}

#[test]
fn the_new_address_gets_no_more_bytes_than_came_from_it() {
    let mut validation = challenged(PROBE_BYTES - 1);
    assert_eq!(drain(&mut validation, OLD), [OLD]);
    validation.on_datagram(COUNTER, 1, Side::Other);
    assert_eq!(drain(&mut validation, OLD), [NEW]);
}

#[test]
fn each_address_is_challenged_five_times_within_three_timeouts() {
    let mut validation = challenged(1_000);
    let mut sent = std::vec![(0, drain(&mut validation, OLD).len())];
    while validation.handle_timeout(validation.poll_timeout()) == Outcome::Ignored {
        let at = validation.repeat_at - validation.interval;
        sent.push((at.as_micros() / 1_000, drain(&mut validation, OLD).len()));
    }
    assert_eq!(sent, [(0, 2), (125, 2), (375, 2), (875, 2), (1_875, 2)]);
    assert_eq!(validation.until, Instant::from_millis(3_000));
}

#[test]
fn after_the_migration_only_the_old_address_is_challenged() {
    let mut validation = challenged(1_000);
    drain(&mut validation, OLD);
    validation.on_migrated(PATIENCE, OLD, false);
    assert_eq!(validation.reserved(), None);
    assert_eq!(validation.handle_timeout(validation.poll_timeout()), Outcome::Ignored);
    assert_eq!(drain(&mut validation, NEW), [OLD]);
    // A late datagram from there changes nothing. A later one repeats the challenge at once.
    for (counter, probed) in [(COUNTER, 0), (COUNTER.next(), 1)] {
        assert_eq!(validation.on_datagram(counter, 1, Side::Other), Outcome::Ignored);
        assert_eq!(drain(&mut validation, NEW).len(), probed);
    }
    for _ in 0..20 {
        validation.on_datagram(COUNTER.next(), 1, Side::Other);
        drain(&mut validation, NEW);
    }
    validation.on_datagram(COUNTER.next(), 1, Side::Other);
    assert!(drain(&mut validation, NEW).is_empty(), "the number of challenges is bounded");
    assert_eq!(validation.handle_timeout(Instant::from_millis(3_110)), Outcome::Confirm);
}

/// Regression: after a late timeout the next deadline lay in the past.
#[test]
fn the_migration_starts_the_interval_of_challenges_again() {
    let mut validation = challenged(1_000);
    drain(&mut validation, OLD);
    assert_eq!(validation.on_echo(Instant::ZERO, NONCES[1], Side::Other), Outcome::Answered);
    let late = Instant::from_millis(130);
    assert_eq!(validation.handle_timeout(late), Outcome::Migrate);
    validation.on_migrated(late, OLD, false);
    assert_eq!(validation.poll_timeout(), late + FIRST_INTERVAL);
}

#[test]
fn a_return_challenges_only_the_address_of_the_handshake() {
    let mut validation = Validation::returning(&start(1));
    assert_eq!(drain(&mut validation, OLD), [NEW]);
    assert_eq!(validation.on_echo(Instant::ZERO, NONCES[0], Side::Current), Outcome::Ignored);
    assert_eq!(validation.on_datagram(COUNTER.next(), 1, Side::Current), Outcome::Ignored);
    assert_eq!(validation.on_echo(Instant::ZERO, NONCES[0], Side::Other), Outcome::Return);
    assert_eq!(validation.handle_timeout(Instant::from_millis(3_000)), Outcome::Stay);
}
