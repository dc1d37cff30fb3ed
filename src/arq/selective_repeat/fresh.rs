//! New numbers: which one leaves next, and which one is [held back](super::hold_back).

use super::proactive::Due;
use super::scoreboard::Memory;
use super::sender::Sender;
use crate::Seq;
use crate::congestion::Congestion;
use crate::wire::Sack;

/// How long the application may take to write more data: a round trip shifted right by this many bits.
const WRITING_SHIFT: u32 = 3;
/// How many bodies must be ready, so that the held number is not among the last.
const MIN_READY: u32 = 4;
/// With so many packets in flight, two suffice: the store may be full of what is not acknowledged.
const MANY_OUTSTANDING: u32 = 32;

impl<M: Memory, C: Congestion> Sender<M, C> {
    /// Whether a new number may leave.
    ///
    /// One that is to be held back waits until another may follow it, if an answer comes that may permit it. Otherwise
    /// a peer that permits one number with each SACK would never meet a number that is held back.
    pub(super) fn may_be_fresh(&self, end: Seq) -> bool {
        match self.fresh_numbers(end) {
            0 => false,
            1 => self.scoreboard.outstanding() == 0 || !self.holds_next(end),
            _ => true,
        }
    }

    /// Whether the next number is to be held back, once another may follow it.
    fn holds_next(&self, end: Seq) -> bool {
        let next = self.scoreboard.next();
        let follows = || end.distance_from(next) >= MIN_READY || self.scoreboard.outstanding() >= MANY_OUTSTANDING;
        self.hold_back.distance(next) == 0 && self.limit.is_some() && follows()
    }

    /// How many new numbers the windows permit.
    fn fresh_numbers(&self, end: Seq) -> u32 {
        let next = self.scoreboard.next();
        let permitted = self.limit.map_or(u32::MAX, |limit| limit.distance_from(next));
        end.distance_from(next).min(permitted).min(self.scoreboard.free_places())
    }

    /// The new number that leaves next: [`Scoreboard::next`], or the one after it if that one is held back.
    pub(super) fn fresh(&self, end: Seq) -> Seq {
        let next = self.scoreboard.next();
        let holds = self.holds_next(end) && self.fresh_numbers(end) > 1;
        if holds { next.next() } else { next }
    }

    /// The number that was passed over, and when it leaves without an answer.
    ///
    /// It waits for one while more data may follow: the application has not written it yet, or the windows stop it.
    pub(super) fn held(&self, end: Seq) -> Option<Due> {
        let number = self.hold_back.unsent()?;
        if self.scoreboard.outstanding() == 0 {
            return Some(Due::at_once(number));
        }
        let ends = self.scoreboard.next() == end && self.scoreboard.free_places() > 0;
        ends.then(|| Due { number, at: self.scoreboard.last_sent() + self.proactive.part_of_round_trip(WRITING_SHIFT) })
    }

    /// Whether the SACK names a number that has not left.
    pub(super) fn names_unsent(&self, sack: &Sack<'_>) -> bool {
        let is_beyond = sack.highest().is_some_and(|highest| !highest.precedes(self.scoreboard.next()));
        is_beyond || self.hold_back.unsent().is_some_and(|number| sack.contains(number) || sack.latest == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arq::Rtt;
    use crate::arq::selective_repeat::hold_back::FIRST;
    use crate::arq::{Ack, Acknowledged, Arq, Block, Jitter, SelectiveRepeat, Sending};
    use crate::congestion::{FixedWindow, Pacer};
    use crate::wire::SackDelay;
    use crate::{Duration, Instant};
    use std::vec::Vec;

    type Machine = SelectiveRepeat<Vec<Block>, FixedWindow>;

    const END: Seq = Seq::new(900);

    /// A machine that has sent the numbers before `end`, until its window of 300 datagrams is full.
    fn flight(end: Seq) -> (Machine, Rtt, Vec<u32>) {
        let (mut machine, mut rtt) = permitted(Seq::new(1_000));
        let sent = send_all(&mut machine, end, &mut rtt);
        (machine, rtt, sent)
    }

    /// A machine whose peer permits the numbers before `limit`.
    fn permitted(limit: Seq) -> (Machine, Rtt) {
        let pacer = Pacer::new(Duration::ZERO, 100);
        let mut machine = Machine::new(std::vec![Block::EMPTY; 16], FixedWindow::new(30_000), pacer).unwrap();
        let mut rtt = Rtt::new(Duration::from_secs(60), Jitter::new(0));
        machine.start_extended(limit, &mut rtt);
        (machine, rtt)
    }

    /// A SACK of all numbers before `next` that permits two more.
    fn permits_two(next: u32) -> Ack<'static> {
        let (latest, base, delay) = (Seq::new(next - 1), Seq::new(next), SackDelay::new(0));
        let counter = latest.value();
        Ack::Selective(Sack { next: base, window: 2, latest, counter, ce: 0, delay, base, bitmap: &[] })
    }

    fn send_all(machine: &mut Machine, end: Seq, rtt: &mut Rtt) -> Vec<u32> {
        let mut sent = Vec::new();
        while let Some(number) = machine.next_info(Instant::ZERO, end) {
            let sending = Sending { now: Instant::ZERO, number, counter: number.value(), bytes: 100, end };
            assert!(!machine.on_info_sent(sending, rtt), "{number:?} counts as sent again");
            sent.push(number.value());
        }
        sent
    }

    /// The number that was passed over.
    fn held(sent: &[u32]) -> u32 {
        (0..).find(|number| !sent.contains(number)).unwrap()
    }

    /// A SACK whose bitmap begins at `base`.
    fn acknowledge(machine: &mut Machine, next: u32, base: u32, bitmap: &[u8], rtt: &mut Rtt) -> Acknowledged {
        let (next, base, delay) = (Seq::new(next), Seq::new(base), SackDelay::new(0));
        let sack = Sack { next, window: 1_000, latest: base, counter: base.value(), ce: 0, delay, base, bitmap };
        machine.handle_ack(Instant::from_millis(10), &Ack::Selective(sack), rtt)
    }

    #[test]
    fn a_held_number_leaves_once_a_later_one_is_acknowledged() {
        let (mut machine, mut rtt, sent) = flight(END);
        let held = held(&sent);
        assert!((FIRST..2 * FIRST).contains(&held));
        assert!(sent.into_iter().eq((0..=300).filter(|&number| number != held)));
        assert_eq!(acknowledge(&mut machine, held, held + 1, &[], &mut rtt), Acknowledged::New);
        assert_eq!(send_all(&mut machine, END, &mut rtt).first(), Some(&301), "no later number is acknowledged yet");
        assert_eq!(acknowledge(&mut machine, held, held + 1, &[0b1], &mut rtt), Acknowledged::New);
        assert_eq!(send_all(&mut machine, END, &mut rtt).first(), Some(&held));
        assert_eq!(acknowledge(&mut machine, held + 20, held + 20, &[], &mut rtt), Acknowledged::New);
        let counted = machine.snapshot();
        assert_eq!((counted.lost, counted.retransmitted, counted.spurious), (0, 0, 0));
    }

    #[test]
    fn an_acknowledgement_of_a_held_number_is_a_lie() {
        let (mut machine, mut rtt, sent) = flight(END);
        let held = held(&sent);
        assert_eq!(acknowledge(&mut machine, held + 1, held + 1, &[], &mut rtt), Acknowledged::NeverSent);
        assert_eq!(acknowledge(&mut machine, held + 9, held + 9, &[], &mut rtt), Acknowledged::NeverSent);
        assert_eq!(acknowledge(&mut machine, 1, held, &[], &mut rtt), Acknowledged::NeverSent, "it is the latest");
        assert_eq!(acknowledge(&mut machine, held, held + 1, &[], &mut rtt), Acknowledged::New);
    }

    #[test]
    fn a_timeout_releases_a_held_number() {
        let (mut machine, mut rtt, sent) = flight(END);
        acknowledge(&mut machine, 1, 1, &[], &mut rtt);
        for seconds in 1..4 {
            machine.handle_timeout(Instant::from_millis(1_000 * seconds), &rtt);
        }
        assert_eq!(machine.next_info(Instant::from_millis(4_000), END), Some(Seq::new(held(&sent))));
    }

    /// A peer that opens its window by two numbers at a time is found out as well.
    #[test]
    fn two_permitted_numbers_suffice() {
        let (mut machine, mut rtt) = permitted(Seq::new(2));
        let mut sent = send_all(&mut machine, END, &mut rtt);
        for next in (2..=300).step_by(2) {
            if machine.handle_ack(Instant::from_millis(10), &permits_two(next), &mut rtt) == Acknowledged::NeverSent {
                return;
            }
            sent.extend(send_all(&mut machine, END, &mut rtt));
        }
        panic!("no number was held back: {sent:?}");
    }

    /// Regression: the successor of a held number filled the peer's window, and its SACK was delayed.
    #[test]
    fn a_successor_that_fills_the_window_asks_for_an_answer_at_once() {
        let (mut machine, mut rtt) = permitted(Seq::new(1));
        send_all(&mut machine, END, &mut rtt);
        for next in 1..=2 * FIRST {
            let now = Instant::from_millis(10);
            assert_eq!(machine.handle_ack(now, &permits_two(next), &mut rtt), Acknowledged::New);
            let number = machine.next_info(now, END).unwrap();
            let sending = Sending { now, number, counter: number.value(), bytes: 100, end: END };
            if number == Seq::new(next + 1) {
                return assert!(machine.request(&sending, 1).at_once);
            }
            machine.on_info_sent(sending, &mut rtt);
        }
        panic!("no number was held back");
    }

    /// The store may be full of what is in flight, and the application about to write more.
    #[test]
    fn the_last_number_waits_while_many_are_in_flight() {
        let (_, _, sent) = flight(END);
        let held = held(&sent);
        let (mut machine, mut rtt, sent) = flight(Seq::new(held + 1));
        assert!(sent.into_iter().eq(0..held));
        acknowledge(&mut machine, held - 31, held - 31, &[], &mut rtt);
        assert_eq!(send_all(&mut machine, Seq::new(held + 1), &mut rtt), [held]);
    }
}
