//! Proactive retransmission: before it is known whether the last transmission was in vain.
//!
//! A number that is lost again and again holds up everything behind it: at the end of what there is to send, and at the head
//! of a window that is full of what came after it. Each further try costs a round trip. Three rules make long runs of losses
//! rare, at a cost that is bounded by a credit:
//!
//! - what was sent three times in vain is duplicated from then on, a while after its retransmission, so that one burst does
//!   not take both;
//! - while there is nothing else to send, what was lost before is sent again each half of a round trip, and sooner the
//!   longer it lasts;
//! - where much is lost, what leaves last is duplicated, as nothing else is left to fill the path until its loss is known.
//!
//! None holds while the peer is silent: after a probe or a timeout the next sign of life is waited for.
//!
//! On a path that loses little, what was never lost is never sent proactively: nothing is sent twice, and a short message is
//! no more than its own datagrams.
//!
//! This is a policy: it reads the scoreboard and never changes it. The sender tells it what happened.

use super::scoreboard::{Flight, Memory, Record, Scoreboard, SentState};
use crate::time::ShortDuration;
use crate::{ClockShift, Duration, Instant, Seq};

/// For eight bytes acknowledged one may be sent proactively. Even where a fifth is lost a long transfer uses less than a
/// hundredth.
const CREDIT_SHIFT: u32 = 3;
/// From how many transmissions in vain on a number is duplicated: at 20 % loss one number in a hundred.
const OFTEN: u8 = 3;
/// How far a duplicate follows its retransmission: an eighth of a round trip.
const DUPLICATE_SHIFT: u32 = 3;
/// How long the last transmission lies back at least of what is repeated for lack of anything else, and was lost once: half of
/// a round trip. What was sent more often is repeated as soon as a duplicate would be: those are few.
const IDLE_SHIFT: u32 = 1;
/// For 32 bytes that arrive more than one is lost: a path that loses much.
const LOSSY_SHIFT: u32 = 5;

/// A number that is to be sent, and from when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Due {
    pub(super) number: Seq,
    pub(super) at: Instant,
}

impl Due {
    pub(super) const fn at_once(number: Seq) -> Self {
        Self { number, at: Instant::ZERO }
    }

    /// The one of the two that is due first; the former if both are due at once.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn first(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if other.at < one.at { other } else { one }),
            (one, None) => one,
            (None, other) => other,
        }
    }
}

/// What the policy remembers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Proactive {
    /// Bytes that may still be sent proactively: at most a congestion window, which is all that a stall can need.
    credit: u64,
    /// Bytes sent proactively in this round. They are in flight beside what counts as in flight.
    round: u32,
    /// What is to be sent a second time.
    duplicate: Option<Due>,
    /// The round-trip time.
    srtt: Option<ShortDuration>,
    /// Bytes acknowledged, and bytes judged lost, both halved from time to time: what share is lost.
    arrived: u64,
    lost: u64,
}

impl Proactive {
    /// `bytes` have been acknowledged for the first time.
    pub(super) fn on_acknowledged(&mut self, bytes: u64, window: u64) {
        self.credit = self.credit.saturating_add(bytes >> CREDIT_SHIFT).min(window);
        self.arrived = self.arrived.saturating_add(bytes);
        // What the path was like some windows ago says little.
        if self.arrived > window.saturating_mul(4) {
            (self.arrived, self.lost) = (self.arrived / 2, self.lost / 2);
        }
    }

    /// `bytes` were judged lost.
    pub(super) fn on_lost(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_add(bytes);
    }

    /// Whether the path loses much.
    pub(super) fn is_lossy(&self) -> bool {
        self.lost > self.arrived >> LOSSY_SHIFT
    }

    /// `bytes` have left proactively.
    pub(super) fn on_sent(&mut self, bytes: u16) {
        self.credit = self.credit.saturating_sub(bytes.into());
        self.round = self.round.saturating_add(bytes.into());
    }

    /// `number`, which was judged lost after so many `transmissions`, has left again.
    pub(super) fn on_retransmitted(&mut self, now: Instant, number: Seq, transmissions: u8, bytes: u16) {
        if transmissions >= OFTEN && self.credit >= bytes.into() {
            self.duplicate = Some(Due { number, at: now + self.part_of_round_trip(DUPLICATE_SHIFT) });
        }
    }

    /// Whether nothing is to be sent a second time.
    pub(super) const fn is_idle(&self) -> bool {
        self.duplicate.is_none()
    }

    /// `number` has been sent again, acknowledged, or judged lost.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn cancel(&mut self, number: Seq) {
        if self.duplicate.is_some_and(|due| due.number == number) {
            self.duplicate = None;
        }
    }

    pub(super) fn on_round(&mut self) {
        self.round = 0;
    }

    pub(super) fn update_srtt(&mut self, srtt: Option<Duration>) {
        self.srtt = srtt.map(ShortDuration::new);
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        self.duplicate = self.duplicate.map(|due| Due { at: shift.apply(due.at.max(shift.from())), ..due });
    }

    fn srtt(&self) -> Duration {
        self.srtt.map_or(Duration::ZERO, ShortDuration::get)
    }

    fn part_of_round_trip(&self, shift: u32) -> Duration {
        Duration::from_micros(self.srtt().as_micros() >> shift)
    }

    /// The second of two that leave a while apart, and when it is due: at once if `lost`, which is to be sent now, needs the
    /// place to remember its own.
    pub(super) fn duplicate<M: Memory>(&self, scoreboard: &Scoreboard<M>, lost: Option<Seq>) -> Option<Due> {
        let due = self.duplicate?;
        let hurries = lost.is_some_and(|lost| scoreboard.record(lost).transmissions >= OFTEN);
        Some(if hurries { Due::at_once(due.number) } else { due })
    }

    /// What to repeat while nothing else can be sent before `end`, and when it is due. `window`: bytes that may be in flight.
    pub(super) fn while_idle<M: Memory>(&self, scoreboard: &Scoreboard<M>, window: u64, end: Seq) -> Option<Due> {
        let has_room = scoreboard.in_flight().saturating_add(self.round.into()) < window;
        if self.srtt() == Duration::ZERO || !has_room {
            return None;
        }
        let repeated = self.repeated(scoreboard);
        let earliest = if scoreboard.next() == end && self.is_lossy() {
            let originals = Due::first(self.newest_original(scoreboard), self.overdue_original(scoreboard));
            Due::first(repeated, originals)
        } else {
            repeated
        };
        earliest.filter(|due| self.credit >= scoreboard.record(due.number).bytes.into())
    }

    /// The oldest of what was lost before. What was only probed was never lost.
    fn repeated<M: Memory>(&self, scoreboard: &Scoreboard<M>) -> Option<Due> {
        let number = scoreboard.oldest(Flight::Retransmissions)?;
        let Record { sent_at, transmissions, state, .. } = scoreboard.record(number);
        let shift = if transmissions > 2 { DUPLICATE_SHIFT } else { IDLE_SHIFT };
        (state != SentState::Probed).then(|| Due { number, at: sent_at + self.part_of_round_trip(shift) })
    }

    /// Where much is lost and all was sent: the newest original, of which it is known last whether it arrived. Where half of
    /// the round trip is over the acknowledgement is nearer than a duplicate.
    fn newest_original<M: Memory>(&self, scoreboard: &Scoreboard<M>) -> Option<Due> {
        let number = scoreboard.newest(Flight::Originals)?;
        let sent_at = scoreboard.record(number).sent_at;
        let newest = scoreboard.newest(Flight::Retransmissions).map(|number| scoreboard.record(number).sent_at);
        let age = newest.map_or(Duration::ZERO, |newest| newest.saturating_since(sent_at));
        let is_young = age < self.part_of_round_trip(1);
        is_young.then(|| Due { number, at: sent_at + self.part_of_round_trip(DUPLICATE_SHIFT) })
    }

    /// Where much is lost and all was sent: the oldest original, when only duplicates were sent after it, whose
    /// acknowledgements do not tell that it is lost.
    fn overdue_original<M: Memory>(&self, scoreboard: &Scoreboard<M>) -> Option<Due> {
        let number = scoreboard.oldest(Flight::Originals)?;
        let wait = self.srtt().saturating_add(self.part_of_round_trip(1));
        Some(Due { number, at: scoreboard.record(number).sent_at + wait })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arq::{Ack, Arq, Block, Jitter, Rtt, SelectiveRepeat, Sending};
    use crate::congestion::{FixedWindow, Pacer};
    use crate::wire::{Sack, SackDelay};
    use std::vec::Vec;

    /// RFC 8985 §7.4 asks of a probe only whether it repaired a loss: one that met an answer which was merely late did not.
    #[test]
    fn a_probe_of_what_was_only_slow_is_not_spurious() {
        let mut machine =
            SelectiveRepeat::new(std::vec![Block::EMPTY], FixedWindow::new(10_000), Pacer::new(Duration::ZERO, 100))
                .unwrap();
        let mut rtt = Rtt::new(Duration::from_secs(60), Jitter::new(1));
        let send = |machine: &mut SelectiveRepeat<_, _>, ms, number, end, rtt: &mut Rtt| {
            let (now, number, end) = (Instant::from_millis(ms), Seq::new(number), Seq::new(end));
            assert_eq!(machine.next_info(now, end), Some(number));
            machine.on_info_sent(Sending { now, number, bytes: 100, end }, rtt);
        };
        let answer = |machine: &mut SelectiveRepeat<_, _>, ms, next, rtt: &mut Rtt| {
            let next = Seq::new(next);
            let delay = SackDelay::new(0);
            let sack = Sack { next, window: 64, latest: next.sub(1), delay, base: next, bitmap: &[] };
            machine.handle_ack(Instant::from_millis(ms), &Ack::Selective(sack), rtt);
        };
        send(&mut machine, 0, 0, 1, &mut rtt);
        answer(&mut machine, 100, 1, &mut rtt);
        send(&mut machine, 100, 1, 2, &mut rtt);
        machine.handle_timeout(Instant::from_millis(300), &rtt);
        send(&mut machine, 300, 1, 2, &mut rtt);
        answer(&mut machine, 330, 2, &mut rtt);
        assert_eq!(machine.spurious(), 0);
    }

    /// The times of what is in flight are kept in 32 bits: they must not be taken for those of an hour ago, or a single packet
    /// would be sent again and again at once.
    #[test]
    fn after_a_long_silence_nothing_is_sent_twice_at_once() {
        let mut machine =
            SelectiveRepeat::new(std::vec![Block::EMPTY], FixedWindow::new(10_000), Pacer::new(Duration::ZERO, 100))
                .unwrap();
        let mut rtt = Rtt::new(Duration::from_secs(60), Jitter::new(1));
        let mut send = |machine: &mut SelectiveRepeat<_, _>, ms, number, end| {
            let (now, number, end) = (Instant::from_millis(ms), Seq::new(number), Seq::new(end));
            assert_eq!(machine.next_info(now, end), Some(number));
            machine.on_info_sent(Sending { now, number, bytes: 100, end }, &mut rtt);
        };
        (0..16).for_each(|number| send(&mut machine, 0, number, 16));
        let delay = SackDelay::new(0);
        let all_but_0 =
            Sack { next: Seq::ZERO, window: 64, latest: Seq::new(15), delay, base: Seq::ZERO, bitmap: &[0xfe, 0xff] };
        let mut rtt_of_acks = Rtt::new(Duration::from_secs(60), Jitter::new(1));
        machine.handle_ack(Instant::from_millis(100), &Ack::Selective(all_but_0), &mut rtt_of_acks);
        send(&mut machine, 100, 0, 16);
        let (next, latest) = (Seq::new(16), Seq::ZERO);
        let all = Sack { next, latest, base: next, bitmap: &[], ..all_but_0 };
        machine.handle_ack(Instant::from_millis(200), &Ack::Selective(all), &mut rtt_of_acks);
        assert!(machine.sender.proactive.is_lossy());
        for minutes in [40, 80, 150, 240] {
            let (ms, number) = (minutes * 60_000, machine.sender.scoreboard.next().value());
            send(&mut machine, ms, number, number + 1);
            assert_eq!(machine.next_info(Instant::from_millis(ms), Seq::new(number + 1)), None, "{minutes} minutes");
            let next = Seq::new(number + 1);
            let answer = Sack { next, latest: Seq::new(number), base: next, bitmap: &[], ..all_but_0 };
            machine.handle_ack(Instant::from_millis(ms + 100), &Ack::Selective(answer), &mut rtt_of_acks);
        }
    }

    /// A round trip of 100 ms, a datagram each ms, all of which arrive but number 0.
    #[test]
    fn what_was_lost_three_times_is_sent_twice() {
        let pacer = Pacer::new(Duration::ZERO, 100);
        let mut machine = SelectiveRepeat::new(std::vec![Block::EMPTY; 16], FixedWindow::new(100_000), pacer).unwrap();
        let mut rtt = Rtt::new(Duration::from_secs(60), Jitter::new(1));
        let end = Seq::new(5_000);
        let mut sent = Vec::new();
        for ms in 0..500 {
            let now = Instant::from_millis(ms);
            let arrived = usize::try_from(ms).unwrap().checked_sub(100).and_then(|at| sent.get(at).copied());
            if let Some(number) = arrived.filter(|&number| number != Seq::ZERO) {
                let delay = SackDelay::new(0);
                let sack = Sack { next: Seq::ZERO, window: 5_000, latest: number, delay, base: number, bitmap: &[1] };
                machine.handle_ack(now, &Ack::Selective(sack), &mut rtt);
            }
            machine.handle_timeout(now, &rtt);
            let number = machine.next_info(now, end).unwrap();
            machine.on_info_sent(Sending { now, number, bytes: 100, end }, &mut rtt);
            sent.push(number);
        }
        let times: Vec<_> =
            sent.iter().enumerate().filter(|(_, number)| **number == Seq::ZERO).map(|(ms, _)| ms).collect();
        assert_eq!(times, [0, 103, 204, 305, 318, 419, 432]);
        assert_eq!(machine.spurious(), 0);
    }
}
