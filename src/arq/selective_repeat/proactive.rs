//! Proactive retransmission: repeats a packet before its loss is known.
//!
//! A number that is lost repeatedly blocks all later data, both at the end of the data and at the head of a full
//! window. Each further attempt costs a round trip. Three rules make long runs of losses rare. A credit bounds their
//! cost.
//!
//! - Once a number was lost three times, each retransmission of it is duplicated. The duplicate follows after an eighth
//!   of a round trip, so that one burst of losses does not destroy both.
//! - While nothing else can be sent, a number that was lost is repeated after half a round trip, or after an eighth if
//!   it was sent more than twice.
//! - On a lossy path, the last originals are duplicated, because no other data fills the path until their loss is
//!   known.
//!
//! No rule applies while the peer is silent: after a probe or a timeout the sender waits for an acknowledgement.
//!
//! On a path with few losses, a number that was never lost is never sent proactively. A short message then needs no
//! additional datagrams.
//!
//! The policy reads the scoreboard and never changes it. The sender reports events to it.

use super::scoreboard::{Flight, Memory, Record, Scoreboard, SentState};
use crate::arq::Rtt;
use crate::time::ShortDuration;
use crate::{ClockShift, Duration, Instant, Seq};

/// One byte may be sent proactively for each eight acknowledged. A long transfer sends less than 1 % of its bytes
/// proactively, even at 20 % loss.
const CREDIT_SHIFT: u32 = 3;
/// A number lost this often is duplicated. At 20 % loss this is one number in a hundred.
const DUPLICATE_AFTER_LOSSES: u8 = 3;
/// The delay of a duplicate after its retransmission: an eighth of a round trip.
const DUPLICATE_SHIFT: u32 = 3;
/// The delay after which an idle sender repeats a number that was sent twice: half a round trip.
///
/// A number sent more often is repeated after the delay of a duplicate, because such numbers are few.
const IDLE_SHIFT: u32 = 1;
/// A path is lossy if more than one byte is lost for each 32 that arrive.
const LOSSY_SHIFT: u32 = 5;
/// A path is more lossy by one level for each four times as many.
const LEVEL_SHIFT: u32 = 2;
/// The highest level.
const MOST_LOSSES: u8 = 3;

/// A number to send, and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Due {
    pub(super) number: Seq,
    pub(super) at: Instant,
}

impl Due {
    pub(super) const fn at_once(number: Seq) -> Self {
        Self { number, at: Instant::ZERO }
    }

    /// The number that is due first; `one` if both are due at the same time.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn first(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if other.at < one.at { other } else { one }),
            (one, None) => one,
            (None, other) => other,
        }
    }
}

/// The state of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Proactive {
    /// Bytes that may still be sent proactively: at most one congestion window, which covers any stall.
    credit: u64,
    /// Bytes sent proactively in this round. Earlier transmissions of these numbers may still be on the path, but
    /// `in_flight` does not count them.
    round: u32,
    /// The number to duplicate.
    duplicate: Option<Due>,
    /// The smoothed round-trip time.
    srtt: Option<ShortDuration>,
    /// Bytes acknowledged. This and `lost` are halved from time to time.
    arrived: u64,
    /// Bytes declared lost. Their ratio to `arrived` is the loss rate.
    lost: u64,
}

impl Proactive {
    /// Records the first acknowledgement of `bytes`. `window` is the congestion window.
    pub(super) fn on_acknowledged(&mut self, bytes: u64, window: u64) {
        self.credit = self.credit.saturating_add(bytes >> CREDIT_SHIFT).min(window);
        self.arrived = self.arrived.saturating_add(bytes);
        // Halving both counts keeps the loss rate up to date: older losses lose weight.
        if self.arrived > window.saturating_mul(4) {
            (self.arrived, self.lost) = (self.arrived / 2, self.lost / 2);
        }
    }

    /// Records the loss of `bytes`.
    pub(super) fn on_lost(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_add(bytes);
    }

    /// Whether the loss rate is high.
    pub(super) fn is_lossy(&self) -> bool {
        self.lost > self.arrived >> LOSSY_SHIFT
    }

    /// How lossy the path is from this side.
    pub(super) fn losses(&self) -> u8 {
        loss_level(self.lost, self.arrived)
    }

    /// Records a proactive transmission of `bytes`.
    pub(super) fn on_sent(&mut self, bytes: u16) {
        self.credit = self.credit.saturating_sub(bytes.into());
        self.round = self.round.saturating_add(bytes.into());
    }

    /// Records a retransmission of `number`, which was declared lost after `transmissions` transmissions.
    pub(super) fn on_retransmitted(&mut self, now: Instant, number: Seq, transmissions: u8, bytes: u16) {
        if transmissions >= DUPLICATE_AFTER_LOSSES && self.credit >= bytes.into() {
            self.duplicate = Some(Due { number, at: now + self.part_of_round_trip(DUPLICATE_SHIFT) });
        }
    }

    /// Whether no duplicate is scheduled.
    pub(super) const fn is_idle(&self) -> bool {
        self.duplicate.is_none()
    }

    /// Cancels the duplicate of `number`, which was sent again, acknowledged, or declared lost.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn cancel(&mut self, number: Seq) {
        if self.duplicate.is_some_and(|due| due.number == number) {
            self.duplicate = None;
        }
    }

    pub(super) fn on_round(&mut self) {
        self.round = 0;
    }

    pub(super) fn update_srtt(&mut self, rtt: &Rtt) {
        self.srtt = rtt.short_srtt();
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        self.duplicate = self.duplicate.map(|due| Due { at: shift.apply(due.at.max(shift.from())), ..due });
    }

    fn srtt(&self) -> Duration {
        self.srtt.map_or(Duration::ZERO, ShortDuration::get)
    }

    /// The round-trip time, shifted right.
    pub(super) fn part_of_round_trip(&self, shift: u32) -> Duration {
        Duration::from_micros(self.srtt().as_micros() >> shift)
    }

    /// The scheduled duplicate, and when it is due.
    ///
    /// `lost` is the number to retransmit next. If its retransmission schedules another duplicate, the present one is
    /// due at once, because only one duplicate is stored.
    pub(super) fn duplicate<M: Memory>(&self, scoreboard: &Scoreboard<M>, lost: Option<Seq>) -> Option<Due> {
        let due = self.duplicate?;
        let leaves_now = lost.is_some_and(|lost| scoreboard.record(lost).transmissions >= DUPLICATE_AFTER_LOSSES);
        Some(if leaves_now { Due::at_once(due.number) } else { due })
    }

    /// The number to repeat while nothing else can be sent, and when it is due.
    ///
    /// `window` is the congestion window. `end` is the first number without a body.
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

    /// The oldest retransmission in flight; `None` if it was only probed, because it was then never lost.
    fn repeated<M: Memory>(&self, scoreboard: &Scoreboard<M>) -> Option<Due> {
        let number = scoreboard.oldest(Flight::Retransmissions)?;
        let Record { sent_at, transmissions, state, .. } = scoreboard.record(number);
        let shift = if transmissions > 2 { DUPLICATE_SHIFT } else { IDLE_SHIFT };
        (state != SentState::Probed).then(|| Due { number, at: sent_at + self.part_of_round_trip(shift) })
    }

    /// The newest original, on a lossy path after all data was sent. Its loss would be known last.
    ///
    /// The acknowledgement of a later retransmission reveals its loss. If such a retransmission was sent at least half
    /// a round trip later, no duplicate is due, because its acknowledgement arrives soon.
    fn newest_original<M: Memory>(&self, scoreboard: &Scoreboard<M>) -> Option<Due> {
        let number = scoreboard.newest(Flight::Originals)?;
        let sent_at = scoreboard.record(number).sent_at;
        let newest = scoreboard.newest(Flight::Retransmissions).map(|number| scoreboard.record(number).sent_at);
        let age = newest.map_or(Duration::ZERO, |newest| newest.saturating_since(sent_at));
        let is_young = age < self.part_of_round_trip(1);
        is_young.then(|| Due { number, at: sent_at + self.part_of_round_trip(DUPLICATE_SHIFT) })
    }

    /// The oldest original, on a lossy path after all data was sent.
    ///
    /// Perhaps only duplicates were sent after it. Their acknowledgements do not reveal its loss.
    fn overdue_original<M: Memory>(&self, scoreboard: &Scoreboard<M>) -> Option<Due> {
        let number = scoreboard.oldest(Flight::Originals)?;
        let wait = self.srtt().saturating_add(self.part_of_round_trip(1));
        Some(Due { number, at: scoreboard.record(number).sent_at + wait })
    }
}

/// How lossy a path is that has lost `lost` while `arrived` arrived: see [`Arq::losses`](crate::arq::Arq::losses).
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(super) fn loss_level(lost: u64, arrived: u64) -> u8 {
    let mut left = arrived >> LOSSY_SHIFT;
    let mut level = 0;
    while level < MOST_LOSSES && lost > left {
        (left, level) = (left << LEVEL_SHIFT, level + 1);
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arq::{Ack, Arq, Block, Jitter, Rtt, SelectiveRepeat, Sending};
    use crate::congestion::{FixedWindow, Pacer};
    use crate::wire::{Sack, SackDelay};
    use std::vec::Vec;

    #[test]
    fn a_path_is_more_lossy_for_each_four_times_as_many_losses() {
        let levels = [(0, 0), (0, 320), (10, 320), (11, 320), (40, 320), (41, 320), (160, 320), (161, 320), (9, 0)];
        assert_eq!(levels.map(|(lost, arrived)| loss_level(lost, arrived)), [0, 0, 0, 1, 1, 2, 2, 3, 3]);
    }

    /// RFC 8985 §7.4: a probe counts as a loss only if it repaired one. Here the original was only late.
    #[test]
    fn a_probe_of_a_late_packet_is_not_spurious() {
        let mut machine =
            SelectiveRepeat::new(std::vec![Block::EMPTY], FixedWindow::new(10_000), Pacer::new(Duration::ZERO, 100))
                .unwrap();
        let mut rtt = Rtt::new(Duration::from_secs(60), Jitter::new(1));
        let send = |machine: &mut SelectiveRepeat<_, _>, ms, number, end, rtt: &mut Rtt| {
            let (now, number, end) = (Instant::from_millis(ms), Seq::new(number), Seq::new(end));
            assert_eq!(machine.next_info(now, end), Some(number));
            machine.on_info_sent(Sending { now, number, counter: 0, bytes: 100, end }, rtt);
        };
        let answer = |machine: &mut SelectiveRepeat<_, _>, ms, next, rtt: &mut Rtt| {
            let next = Seq::new(next);
            let delay = SackDelay::new(0);
            let sack =
                Sack { next, window: 64, latest: next.sub(1), counter: 0, ce: 0, delay, base: next, bitmap: &[] };
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

    /// Transmission times are stored in 32 bits, which wrap after 71 minutes. A packet that is sent later must not look
    /// old, or it would be repeated at once.
    #[test]
    fn nothing_is_sent_twice_at_once_after_a_long_silence() {
        let mut machine =
            SelectiveRepeat::new(std::vec![Block::EMPTY], FixedWindow::new(10_000), Pacer::new(Duration::ZERO, 100))
                .unwrap();
        let mut rtt = Rtt::new(Duration::from_secs(60), Jitter::new(1));
        let mut send = |machine: &mut SelectiveRepeat<_, _>, ms, number, end| {
            let (now, number, end) = (Instant::from_millis(ms), Seq::new(number), Seq::new(end));
            assert_eq!(machine.next_info(now, end), Some(number));
            machine.on_info_sent(Sending { now, number, counter: 0, bytes: 100, end }, &mut rtt);
        };
        (0..16).for_each(|number| send(&mut machine, 0, number, 16));
        let delay = SackDelay::new(0);
        let all_but_0 = Sack {
            next: Seq::ZERO,
            window: 64,
            latest: Seq::new(15),
            counter: 0,
            ce: 0,
            delay,
            base: Seq::ZERO,
            bitmap: &[0xfe, 0xff],
        };
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

    /// The round trip is 100 ms, and one datagram is sent per ms. All datagrams arrive except those of number 0.
    #[test]
    fn a_number_lost_three_times_is_duplicated() {
        let pacer = Pacer::new(Duration::ZERO, 100);
        let mut machine = SelectiveRepeat::new(std::vec![Block::EMPTY; 16], FixedWindow::new(100_000), pacer).unwrap();
        let mut rtt = Rtt::new(Duration::from_secs(60), Jitter::new(1));
        let end = Seq::new(5_000);
        let (mut sent, mut bitmap) = (Vec::<Seq>::new(), [0; 128]);
        for ms in 0..500 {
            let now = Instant::from_millis(ms);
            let arrived = usize::try_from(ms).unwrap().checked_sub(100).and_then(|at| sent.get(at).copied());
            if let Some(number) = arrived.filter(|&number| number != Seq::ZERO) {
                let (delay, base) = (SackDelay::new(0), Seq::ZERO);
                bitmap[number.value() as usize / 8] |= 1 << (number.value() % 8);
                let bitmap = &bitmap;
                let sack = Sack { next: base, window: 5_000, latest: number, counter: 0, ce: 0, delay, base, bitmap };
                machine.handle_ack(now, &Ack::Selective(sack), &mut rtt);
            }
            machine.handle_timeout(now, &rtt);
            let number = machine.next_info(now, end).unwrap();
            machine.on_info_sent(Sending { now, number, counter: 0, bytes: 100, end }, &mut rtt);
            sent.push(number);
        }
        let times: Vec<_> =
            sent.iter().enumerate().filter(|(_, number)| **number == Seq::ZERO).map(|(ms, _)| ms).collect();
        assert_eq!(times, [0, 103, 204, 305, 318, 419, 432]);
        assert_eq!(machine.spurious(), 0);
    }
}
