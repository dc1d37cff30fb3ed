//! RACK (RFC 8985 §5, §6): what was sent before something that has been acknowledged is lost once the reordering window has
//! passed.

use crate::arq::Rtt;
use crate::time::ShortDuration;
use crate::{ClockShift, Duration, Instant, Seq};

/// How many later packets must have been acknowledged before one counts as lost without waiting, as long as the path has
/// not reordered anything (RFC 8985 §6.2 step 4, `DupThresh`).
const DUP_THRESHOLD: u32 = 3;
/// For how many recoveries a widened reordering window stays (RFC 8985 §6.2 step 4).
const PERSIST_RECOVERIES: u8 = 16;

/// A transmission: when, and of which number, which tells those of one instant apart (RFC 8985 §6.2, `RACK_sent_after`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Transmission {
    pub(super) at: Instant,
    pub(super) number: Seq,
}

impl Transmission {
    fn is_before(self, other: Self) -> bool {
        self.at < other.at || (self.at == other.at && self.number.precedes(other.number))
    }
}

/// What RACK remembers of all that was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Rack {
    /// The transmission, of those acknowledged, that was sent last, and its round-trip time.
    newest: Option<Newest>,
    /// The highest number acknowledged (RFC 8985 `RACK.fack`).
    highest: Option<Seq>,
    reordering_seen: bool,
    /// The reordering window in quarters of the least round-trip time, less one.
    widened: u8,
    persist: u8,
    /// It is widened once in a round trip: not again before this number is acknowledged.
    widened_until: Option<Seq>,
}

/// A transmission that has been acknowledged. Its time and number side by side: that takes less room than a `Transmission`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Newest {
    at: Instant,
    number: Seq,
    round_trip: ShortDuration,
}

impl Newest {
    const fn transmission(self) -> Transmission {
        Transmission { at: self.at, number: self.number }
    }
}

/// How what is in flight is judged, for one look at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge {
    newest: Transmission,
    /// How long after its sending something counts as lost: what the latest SACK told of, and what it did not reach.
    patience: Duration,
    patience_uncovered: Duration,
}

impl Judge {
    /// When the transmission counts as lost, if nothing more is heard; `None` if nothing sent after it was acknowledged.
    pub(super) fn lost_at(&self, sent: Transmission, repeated: bool, is_covered: bool) -> Option<Instant> {
        // Of one instant, what is sent for the first time leaves in the order of the numbers (RFC 8985 §6.2,
        // `RACK_sent_after`), but what is sent again in any.
        let is_before = if repeated { sent.at < self.newest.at } else { sent.is_before(self.newest) };
        is_before.then(|| sent.at + if is_covered { self.patience } else { self.patience_uncovered })
    }
}

impl Rack {
    /// RFC 8985 §6.2 steps 2 and 3: a transmission has been acknowledged; `times` is how often its number was sent.
    /// Returns whether that proves that an earlier transmission of it had not been lost.
    pub(super) fn on_acknowledged(&mut self, now: Instant, sent: Transmission, times: u8, rtt: &Rtt) -> bool {
        let round_trip = now.saturating_since(sent.at);
        // Step 2: too soon for the last transmission, it may be an earlier one that is answered. That proves nothing where
        // it is only a little too soon: the minimum is measured, and the path may never have been as empty.
        // Without any minimum nothing can be told apart: then only what was sent once counts, or one early answer would make
        // everything in flight lost, again and again.
        if times > 1 && rtt.min().is_none_or(|min| round_trip < min) {
            self.on_number(sent.number, times);
            return rtt.min().is_some_and(|min| round_trip.as_micros() < min.as_micros() / 2);
        }
        if self.newest.is_none_or(|newest| newest.transmission().is_before(sent)) {
            let Transmission { at, number } = sent;
            self.newest = Some(Newest { at, number, round_trip: ShortDuration::new(round_trip) });
        }
        self.on_number(sent.number, times);
        false
    }

    /// The same for consecutive numbers from `first` to that of `newest`, sent once each and in their order.
    pub(super) fn on_run_acknowledged(&mut self, now: Instant, first: Seq, newest: Transmission, rtt: &Rtt) {
        self.on_number(first, 1);
        self.on_acknowledged(now, newest, 1, rtt);
    }

    /// Step 3: a number below the highest that was acknowledged, sent once: the path reorders.
    fn on_number(&mut self, number: Seq, times: u8) {
        match self.highest {
            Some(highest) if number.precedes(highest) => self.reordering_seen |= times == 1,
            Some(_) | None => self.highest = Some(number),
        }
    }

    /// Something was sent again in vain: wait longer next time (RFC 8985 §6.2 step 4, there told by DSACK).
    /// Once in a round trip, however many they are: from `base` to `next` is what is in flight.
    pub(super) fn on_spurious(&mut self, base: Seq, next: Seq) {
        if self.widened_until.is_some_and(|until| base.precedes(until)) {
            return;
        }
        self.widened_until = Some(next);
        self.reordering_seen = true;
        self.widened = self.widened.saturating_add(1);
        self.persist = PERSIST_RECOVERIES;
    }

    /// Everything before `base` has been acknowledged.
    pub(super) fn on_advanced(&mut self, base: Seq) {
        self.widened_until = self.widened_until.filter(|&until| base.precedes(until));
    }

    /// A recovery has ended.
    pub(super) fn on_recovered(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.widened = 0;
        }
    }

    /// How to judge what is in flight; `None` if nothing was acknowledged yet.
    /// `ahead`: how many numbers above the lowest unacknowledged one have been acknowledged. `is_wide`: a single SACK cannot
    /// tell of all that has arrived.
    pub(super) fn judge(&self, ahead: u32, in_recovery: bool, is_wide: bool, rtt: &Rtt) -> Option<Judge> {
        let newest = self.newest?;
        let patience =
            |is_wide| newest.round_trip.get().saturating_add(self.reordering_window(ahead, in_recovery, is_wide, rtt));
        Some(Judge { newest: newest.transmission(), patience: patience(false), patience_uncovered: patience(is_wide) })
    }

    /// RFC 8985 §6.2 step 4.
    fn reordering_window(&self, ahead: u32, in_recovery: bool, is_wide: bool, rtt: &Rtt) -> Duration {
        if !self.reordering_seen && !is_wide && (in_recovery || ahead >= DUP_THRESHOLD) {
            return Duration::ZERO;
        }
        let quarter = rtt.min().unwrap_or_default().as_micros() / 4;
        let window = Duration::from_micros(quarter).saturating_mul(u64::from(self.widened) + 1);
        window.min(rtt.srtt().unwrap_or_default())
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        if let Some(newest) = &mut self.newest {
            newest.at = shift.sending(newest.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arq::{Ack, Arq, ArqSnapshot, Block, Jitter, SelectiveRepeat, Sending};
    use crate::congestion::{FixedWindow, Pacer};
    use crate::wire::{Sack, SackDelay};

    fn sent(at_ms: u64, number: u32) -> Transmission {
        Transmission { at: Instant::from_millis(at_ms), number: Seq::new(number) }
    }

    fn newest(at_ms: u64, number: u32, round_trip_ms: u64) -> Newest {
        let round_trip = ShortDuration::new(Duration::from_millis(round_trip_ms));
        Newest { at: Instant::from_millis(at_ms), number: Seq::new(number), round_trip }
    }

    fn rtt(samples_ms: &[u64]) -> Rtt {
        let mut rtt = Rtt::new(Duration::from_secs(60), Jitter::new(0));
        samples_ms.iter().for_each(|&sample_ms| rtt.sample(Duration::from_millis(sample_ms)));
        rtt
    }

    /// RFC 8985 §6.2 step 2.
    #[test]
    fn an_answer_too_soon_for_a_retransmission_is_not_its_own() {
        let (mut rack, rtt) = (Rack::default(), rtt(&[100]));
        assert!(rack.on_acknowledged(Instant::from_millis(220), sent(200, 1), 2, &rtt), "the first one was only late");
        assert!(!rack.on_acknowledged(Instant::from_millis(299), sent(200, 2), 2, &rtt), "a path emptier than ever");
        assert_eq!(rack.newest, None);
        assert!(!rack.on_acknowledged(Instant::from_millis(300), sent(200, 3), 2, &rtt));
        assert_eq!(rack.newest, Some(newest(200, 3, 100)));
    }

    /// All that was sent at first was lost. An answer to the first retransmission, taken for one to the second, would make
    /// all that is in flight lost, which would be sent again, and no number would ever be sent only once.
    #[test]
    fn without_a_sample_only_what_was_sent_once_counts() {
        let (mut rack, rtt) = (Rack::default(), rtt(&[]));
        assert!(!rack.on_acknowledged(Instant::from_millis(201), sent(200, 1), 2, &rtt));
        assert!(rack.judge(9, true, false, &rtt).is_none());
        rack.on_acknowledged(Instant::from_millis(300), sent(200, 2), 1, &rtt);
        assert_eq!(rack.newest, Some(newest(200, 2, 100)));
    }

    /// More is in flight than one bitmap reaches. What it tells of is lost at once, what lies before it may be told of next.
    #[test]
    fn a_number_that_the_bitmap_covers_is_lost_at_once() {
        let pacer = Pacer::new(Duration::ZERO, 100);
        let mut machine =
            SelectiveRepeat::new(std::vec![Block::EMPTY; 32], FixedWindow::new(1_000_000), pacer).unwrap();
        let (mut rtt, end) = (rtt(&[]), Seq::new(2_000));
        let send = |machine: &mut SelectiveRepeat<_, _>, now, rtt: &mut Rtt| {
            let number = machine.next_info(now, end)?;
            machine.on_info_sent(Sending { now, number, bytes: 100, end }, rtt);
            Some(number.value())
        };
        while send(&mut machine, Instant::ZERO, &mut rtt).is_some() {}
        let now = Instant::from_millis(100);
        let mut bitmap = [u8::MAX; 128];
        bitmap[0] = 0b1111_1110;
        for (latest, base, bitmap, resent) in [(1_023, 0, &bitmap[..], Some(0)), (1_927, 1_032, &[u8::MAX; 112], None)]
        {
            let (latest, base, delay) = (Seq::new(latest), Seq::new(base), SackDelay::new(0));
            let sack = Sack { next: Seq::ZERO, window: 2_000, latest, delay, base, bitmap };
            machine.handle_ack(now, &Ack::Selective(sack), &mut rtt);
            assert_eq!(send(&mut machine, now, &mut rtt), resent);
            assert_eq!(send(&mut machine, now, &mut rtt), None);
        }
        let now = Instant::from_millis(125);
        machine.handle_timeout(now, &rtt);
        assert_eq!(send(&mut machine, now, &mut rtt), Some(1_024));
    }

    /// Numbers 0 and 1 are judged lost and sent again; 1 was only late.
    #[test]
    fn a_snapshot_counts_what_was_lost_sent_again_and_only_late() {
        let pacer = Pacer::new(Duration::ZERO, 100);
        let mut machine = SelectiveRepeat::new([Block::EMPTY], FixedWindow::new(1_000), pacer).unwrap();
        let (mut rtt, end, delay) = (rtt(&[]), Seq::new(9), SackDelay::new(0));
        let send = |machine: &mut SelectiveRepeat<_, _>, now, rtt: &mut Rtt| {
            let number = machine.next_info(now, end).unwrap();
            machine.on_info_sent(Sending { now, number, bytes: 100, end }, rtt);
        };
        (0..6).for_each(|_| send(&mut machine, Instant::ZERO, &mut rtt));
        let sack =
            Sack { next: Seq::ZERO, window: 64, latest: Seq::new(4), delay, base: Seq::ZERO, bitmap: &[0b11100] };
        machine.handle_ack(Instant::from_millis(100), &Ack::Selective(sack), &mut rtt);
        send(&mut machine, Instant::from_millis(100), &mut rtt);
        let late = Sack { base: Seq::new(1), bitmap: &[1], latest: Seq::new(1), ..sack };
        machine.handle_ack(Instant::from_millis(101), &Ack::Selective(late), &mut rtt);
        let ArqSnapshot { in_flight, window, delivered, lost, retransmitted, spurious, .. } = machine.snapshot();
        assert_eq!((in_flight, window), (200, Some(1_000)));
        assert_eq!((delivered, lost, retransmitted, spurious), (400, 2, 1, 1));
    }
}
