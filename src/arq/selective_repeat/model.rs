//! Compares both halves with simple models: sets of 64-bit numbers, which never wrap.

use super::*;
use crate::Duration;
use crate::arq::Jitter;
use crate::congestion::FixedWindow;
use crate::wire::{Sack, SackDelay};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::vec::Vec;

type Machine = SelectiveRepeat<Vec<Block>, FixedWindow>;

const BYTES: u16 = 100;
const PLACES: u64 = 128;

/// A machine whose numbers begin at `first` in both directions.
fn machine(first: u64, in_flight: u64) -> Machine {
    let pacer = Pacer::new(Duration::ZERO, BYTES.into());
    let mut machine = Machine::new(std::vec![Block::EMPTY; 2], FixedWindow::new(in_flight), pacer).unwrap();
    machine.sender.scoreboard.start_at(seq(first));
    machine.receiver.start_at(seq(first));
    machine
}

fn seq(number: u64) -> Seq {
    Seq::new(u32::try_from(number & u64::from(u32::MAX)).unwrap())
}

/// First numbers: 0, the last number of a block, and shortly before the wrap at 2^32.
fn first() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0_u64), Just(63), (1_u64 << 32) - 300..1 << 32]
}

/// Now and then, the number of blocks that replace the memory.
fn lent() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![9 => Just(None), 1 => prop_oneof![Just(1_usize), Just(2), Just(4)].prop_map(Some)]
}

/// Replaces the memory, unless it is too small for `used` numbers. Returns whether it was replaced.
fn replace(machine: &mut Machine, blocks: usize, used: u64) -> Result<bool, TestCaseError> {
    prop_assert_eq!(u64::from(machine.used()), used);
    let before = machine.room() as usize / 64;
    let (fits, result) = (used <= 64 * blocks as u64, machine.replace_memory(std::vec![Block::EMPTY; blocks]));
    prop_assert_eq!(
        result.map_or_else(|new| (false, new.len()), |old| (true, old.len())),
        if fits { (true, before) } else { (false, blocks) }
    );
    Ok(fits)
}

proptest! {
    #[test]
    fn the_receiver_agrees_with_a_set(
        first in first(),
        arrivals in prop::collection::vec((-20_i64..160, 1_u64..=PLACES, any::<bool>(), any::<bool>(), lent()), 1..400),
    ) {
        let mut machine = machine(first, 0);
        machine.start_extended(seq(first), &mut Rtt::new(Duration::from_secs(60), Jitter::new(1)));
        let mut received = BTreeSet::new();
        // The numbers that SACKs have reported, and the right edge that they announced.
        let (mut reported, mut edge) = (BTreeSet::new(), first);
        // The numbers that there is memory for, and the window that was announced before the memory was replaced.
        let (mut places, mut promise) = (PLACES, 0);
        let mut now = Instant::ZERO;
        for (ahead, slots, fits, polls, lent) in arrivals {
            now = now + Duration::from_millis(1);
            let next = (first..).find(|number| !received.contains(number)).unwrap();
            if let Some(blocks) = lent {
                let top = received.last().map_or(first, |last| last + 1).max(next);
                if replace(&mut machine, blocks, top - next)? {
                    promise = promise.max(places);
                    places = 64 * blocks as u64;
                }
            }
            edge = edge.max(next + slots);
            let Some(number) = next.checked_add_signed(ahead).filter(|&number| number >= first.saturating_sub(5)) else { continue };
            let offer = Offer { limit: seq(edge), fits };
            let expected = if received.contains(&number) {
                Arrival::Old
            } else if number < first || number >= edge.min(next + places) {
                Arrival::BeyondWindow
            } else if !fits {
                Arrival::NoRoom
            } else if number == next {
                Arrival::Next
            } else {
                Arrival::Early
            };
            prop_assert_eq!(machine.handle_info(now, ReceivedInfo { number: seq(number), counter: 0, request: AckRequest::DEFAULT }, offer), expected);
            if matches!(expected, Arrival::Next | Arrival::Early) {
                received.insert(number);
            }
            let next = (first..).find(|number| !received.contains(number)).unwrap();
            prop_assert_eq!(machine.next(), seq(next));
            while polls && machine.ack_at(seq(edge)).is_some_and(|at| at <= now) {
                let mut bitmap = None;
                let Some(Ack::Selective(sack)) = machine.ack(now, seq(edge), &mut bitmap) else { panic!("extended mode has SACKs") };
                prop_assert_eq!(sack.next, seq(next));
                prop_assert_eq!(u64::from(sack.window), (edge - next).min(places.max(promise)));
                for ahead in 0..places {
                    let number = next + ahead;
                    prop_assert!(!sack.contains(seq(number)) || received.contains(&number), "{number} was never received");
                    if sack.contains(seq(number)) {
                        reported.insert(number);
                    }
                }
                machine.on_ack_sent(seq(edge));
                prop_assert!(received.range(next..).all(|number| reported.contains(number)), "each received number is reported");
            }
        }
    }

    #[test]
    fn the_sender_agrees_with_a_set(
        first in first(),
        in_flight in 1_u64..40,
        steps in prop::collection::vec((0_u8..8, any::<u64>(), 0_u64..20, lent()), 1..300),
    ) {
        let mut machine = machine(first, in_flight * u64::from(BYTES));
        let mut rtt = Rtt::new(Duration::from_secs(60), Jitter::new(1));
        let (mut now, mut end, mut next) = (Instant::ZERO, first, first);
        let mut acknowledged = BTreeSet::new();
        for (step, bits, count, lent) in steps {
            now = now + Duration::from_millis(count);
            if let Some(blocks) = lent {
                let base = (first..).find(|number| !acknowledged.contains(number)).unwrap();
                replace(&mut machine, blocks, next - base)?;
            }
            end = end.max(next + count);
            match step {
                0..=3 => {
                    while let Some(number) = machine.next_info(now, seq(end)) {
                        let number = u64::from(number.distance_from(seq(first)));
                        prop_assert!(!acknowledged.contains(&(first + number)), "an acknowledged number was sent again");
                        prop_assert!(first + number <= next && first + number < end);
                        next = next.max(first + number + 1);
                        let sending = Sending { now, number: seq(first + number), counter: 0, bytes: BYTES, end: seq(end) };
                        machine.on_info_sent(sending, &mut rtt);
                    }
                }
                4..=6 => {
                    let base = (first..).find(|number| !acknowledged.contains(number)).unwrap();
                    let reported: Vec<u64> = (0..64).filter(|bit| bits >> bit & 1 == 1).map(|bit| base + 1 + bit).collect();
                    let cumulative = if step == 6 { base + count } else { base };
                    let sack = Sack {
                        next: seq(cumulative),
                        window: 1_000,
                        latest: seq(base),
                        counter: 0,
                        ce: 0,
                        delay: SackDelay::NO_SAMPLE,
                        base: seq(base + 1),
                        bitmap: &bits.to_le_bytes(),
                    };
                    let valid = cumulative <= next && reported.iter().all(|&number| number < next);
                    let outcome = machine.handle_ack(now, &Ack::Selective(sack), &mut rtt);
                    prop_assert_eq!(outcome == Acknowledged::NeverSent, !valid);
                    if valid {
                        let before = acknowledged.len();
                        acknowledged.extend(base..cumulative);
                        acknowledged.extend(reported);
                        prop_assert_eq!(outcome == Acknowledged::New, acknowledged.len() > before);
                    }
                }
                _ => {
                    now = machine.poll_timeout(seq(end)).map_or(now, |due| now.max(due));
                    machine.handle_timeout(now, &rtt);
                }
            }
            let base = (first..).find(|number| !acknowledged.contains(number)).unwrap();
            prop_assert_eq!(machine.base(), seq(base));
            let outstanding = (base..next).filter(|number| !acknowledged.contains(number)).count();
            let listed = machine.sender.scoreboard.outstanding() + machine.sender.scoreboard.lost();
            prop_assert_eq!(listed as usize, outstanding);
            prop_assert_eq!(machine.in_flight(), u64::from(machine.sender.scoreboard.outstanding()) * u64::from(BYTES));
            let waits = machine.next_info(now, seq(end)).is_some() || machine.poll_timeout(seq(end)).is_some();
            prop_assert!(waits || outstanding == 0, "an outstanding number is due or has a timer");
        }
    }
}
