//! RACK (RFC 8985 §5, §6): loss detection by time.
//!
//! A packet is lost when a packet sent after it has been acknowledged and the reordering window has passed.

use crate::arq::Rtt;
use crate::time::ShortDuration;
use crate::{ClockShift, Duration, Instant, Seq};

/// The number of acknowledged later packets after which a packet is lost at once, if no reordering was seen (RFC 8985
/// §6.2 step 4, `DupThresh`).
const DUP_THRESHOLD: u32 = 3;
/// The number of recoveries for which a widened reordering window lasts (RFC 8985 §6.2 step 4).
const PERSIST_RECOVERIES: u8 = 16;

/// A transmission: its time and number. The number orders transmissions with equal times (RFC 8985 §6.2,
/// `RACK_sent_after`).
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

/// The state that RACK derives from acknowledgements.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Rack {
    /// The acknowledged transmission that was sent last, and its round-trip time.
    newest: Option<Newest>,
    /// The highest number acknowledged (RFC 8985 `RACK.fack`).
    highest: Option<Seq>,
    reordering_seen: bool,
    /// The reordering window in quarters of the minimum round-trip time, minus one (RFC 8985 `RACK.reo_wnd_mult`).
    ///
    /// Grows when a number that was declared lost arrives after all, to what it was late by. Returns to 0 after 16
    /// recoveries without such a number.
    widenings: u8,
    /// The recoveries until the reordering window narrows again (RFC 8985 `RACK.reo_wnd_persist`).
    recoveries_left: u8,
    /// The reordering window does not widen again before all numbers before this one are acknowledged.
    widened_until: Option<Seq>,
}

/// An acknowledged transmission. Flat fields take less memory than a nested `Transmission`.
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

/// The criteria of one pass of loss detection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge {
    /// The acknowledged transmission that was sent last.
    newest: Transmission,
    /// How long after its transmission a number is lost, if the latest SACK covers the number.
    loss_delay: Duration,
    /// The same for a number that the latest SACK does not cover.
    loss_delay_uncovered: Duration,
}

impl Judge {
    /// When the transmission is lost, unless it is acknowledged before. `None` if no later one is acknowledged.
    pub(super) fn lost_at(&self, sent: Transmission, repeated: bool, is_covered: bool) -> Option<Instant> {
        // Originals with equal times leave in the order of their numbers (RFC 8985 §6.2, `RACK_sent_after`).
        // Retransmissions leave in any order.
        let is_before = if repeated { sent.at < self.newest.at } else { sent.is_before(self.newest) };
        is_before.then(|| sent.at + if is_covered { self.loss_delay } else { self.loss_delay_uncovered })
    }
}

impl Rack {
    /// Processes the acknowledgement of a number (RFC 8985 §6.2 steps 2 and 3).
    ///
    /// `sent` is the last of its `times` transmissions. Returns whether the acknowledgement proves that an earlier
    /// transmission was not lost.
    pub(super) fn on_acknowledged(&mut self, now: Instant, sent: Transmission, times: u8, rtt: &Rtt) -> bool {
        // Step 2: an acknowledgement sooner than the minimum round-trip time may be for an earlier transmission. Only a
        // time below half the minimum proves it, because the minimum may contain a queue that has drained since. Before
        // the first sample, only numbers sent once count. Otherwise one early acknowledgement would declare everything
        // in flight lost, repeatedly.
        let round_trip = now.short_since(sent.at);
        if times > 1 && rtt.short_min().is_none_or(|min| round_trip < min) {
            self.on_number(sent.number, times);
            return rtt.short_min().is_some_and(|min| round_trip.as_micros() < min.as_micros() / 2);
        }
        self.on_answered(now, sent, times);
        false
    }

    /// As [`on_acknowledged`](Self::on_acknowledged), but `sent` is the transmission that arrived, of `times` before
    /// the acknowledgement.
    pub(super) fn on_answered(&mut self, now: Instant, sent: Transmission, times: u8) {
        if self.newest.is_none_or(|newest| newest.transmission().is_before(sent)) {
            let Transmission { at, number } = sent;
            self.newest = Some(Newest { at, number, round_trip: now.short_since(at) });
        }
        self.on_number(sent.number, times);
    }

    /// As [`on_acknowledged`](Self::on_acknowledged) for the originals from `first` to the number of `newest`.
    pub(super) fn on_run_acknowledged(&mut self, now: Instant, first: Seq, newest: Transmission, rtt: &Rtt) {
        self.on_number(first, 1);
        self.on_acknowledged(now, newest, 1, rtt);
    }

    /// Step 3: an original below the highest acknowledged number proves reordering.
    pub(super) fn on_number(&mut self, number: Seq, times: u8) {
        match self.highest {
            Some(highest) if number.precedes(highest) => self.reordering_seen |= times == 1,
            Some(_) | None => self.highest = Some(number),
        }
    }

    /// Widens the reordering window after a spurious loss (RFC 8985 §6.2 step 4, where DSACK detects it).
    ///
    /// The window widens by one step per round trip, and at once to what the number was late by: `late_at` is when the
    /// transmission that has arrived was sent, `now` if unknown. The numbers in flight lie from `base` to `next`.
    pub(super) fn on_spurious(&mut self, now: Instant, late_at: Instant, (base, next): (Seq, Seq), rtt: &Rtt) {
        if self.widened_until.is_none_or(|until| !base.precedes(until)) {
            self.widened_until = Some(next);
            self.reordering_seen = true;
            self.widenings = self.widenings.saturating_add(1);
            self.recoveries_left = PERSIST_RECOVERIES;
        }
        self.widenings = self.widenings.max(self.widenings_for(now, late_at, rtt));
    }

    /// The widenings with which the transmission would not have been declared lost; 0 if none overtook it.
    ///
    /// One step per round trip is too slow where packets are late by several minima: every packet that is late in the
    /// meantime is sent twice, and counts as a loss for the congestion controller.
    fn widenings_for(&self, now: Instant, late_at: Instant, rtt: &Rtt) -> u8 {
        let Some(newest) = self.newest.filter(|newest| late_at < newest.at) else { return 0 };
        let lateness = now.short_since(late_at).as_micros().saturating_sub(newest.round_trip.as_micros());
        u8::try_from(lateness.checked_div(quarter(rtt)).unwrap_or(0)).unwrap_or(u8::MAX)
    }

    /// Records that every number before `base` has been acknowledged.
    pub(super) fn on_advanced(&mut self, base: Seq) {
        self.widened_until = self.widened_until.filter(|&until| base.precedes(until));
    }

    /// Records that a recovery has ended.
    pub(super) fn on_recovered(&mut self) {
        self.recoveries_left = self.recoveries_left.saturating_sub(1);
        if self.recoveries_left == 0 {
            self.widenings = 0;
        }
    }

    /// The criteria for the numbers in flight; `None` before the first acknowledgement.
    ///
    /// `ahead` counts the acknowledged numbers above the lowest unacknowledged one.
    pub(super) fn judge(&self, ahead: u32, in_recovery: bool, rtt: &Rtt) -> Option<Judge> {
        let newest = self.newest?;
        let window = self.reordering_window(rtt);
        let is_certain = !self.reordering_seen && (in_recovery || ahead >= DUP_THRESHOLD);
        Some(Judge {
            newest: newest.transmission(),
            loss_delay: newest.round_trip.get().saturating_add(if is_certain { Duration::ZERO } else { window }),
            loss_delay_uncovered: newest.round_trip.get().saturating_add(window),
        })
    }

    /// The reordering window where one is necessary (RFC 8985 §6.2 step 4).
    fn reordering_window(&self, rtt: &Rtt) -> Duration {
        let window = Duration::from_micros(u64::from(quarter(rtt)) * (u64::from(self.widenings) + 1));
        window.min(rtt.srtt().unwrap_or_default())
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        if let Some(newest) = &mut self.newest {
            newest.at = shift.sending(newest.at);
        }
    }
}

/// A quarter of the minimum round-trip time, in µs.
fn quarter(rtt: &Rtt) -> u32 {
    rtt.short_min().map_or(0, ShortDuration::as_micros) / 4
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
    fn an_ack_sooner_than_the_minimum_rtt_is_for_an_earlier_copy() {
        let (mut rack, rtt) = (Rack::default(), rtt(&[100]));
        assert!(
            rack.on_acknowledged(Instant::from_millis(220), sent(200, 1), 2, &rtt),
            "the first transmission was only late"
        );
        assert!(
            !rack.on_acknowledged(Instant::from_millis(299), sent(200, 2), 2, &rtt),
            "the minimum may contain a queue that has drained"
        );
        assert_eq!(rack.newest, None);
        assert!(!rack.on_acknowledged(Instant::from_millis(300), sent(200, 3), 2, &rtt));
        assert_eq!(rack.newest, Some(newest(200, 3, 100)));
    }

    /// Every original was lost. If the acknowledgement of a first retransmission counted for the second, everything in
    /// flight would be declared lost and sent again. No number would then ever be sent only once.
    #[test]
    fn without_an_rtt_sample_only_numbers_sent_once_count() {
        let (mut rack, rtt) = (Rack::default(), rtt(&[]));
        assert!(!rack.on_acknowledged(Instant::from_millis(201), sent(200, 1), 2, &rtt));
        assert!(rack.judge(9, true, &rtt).is_none());
        rack.on_acknowledged(Instant::from_millis(300), sent(200, 2), 1, &rtt);
        assert_eq!(rack.newest, Some(newest(200, 2, 100)));
    }

    /// More is in flight than one bitmap covers. Missing numbers in the bitmap are lost at once. The next SACK may
    /// report the others.
    #[test]
    fn a_number_in_the_bitmap_is_lost_without_waiting() {
        let pacer = Pacer::new(Duration::ZERO, 100);
        let mut machine =
            SelectiveRepeat::new(std::vec![Block::EMPTY; 32], FixedWindow::new(1_000_000), pacer).unwrap();
        let (mut rtt, end) = (rtt(&[]), Seq::new(2_000));
        let send = |machine: &mut SelectiveRepeat<_, _>, now, rtt: &mut Rtt| {
            let number = machine.next_info(now, end)?;
            machine.on_info_sent(Sending { now, number, counter: 0, bytes: 100, end }, rtt);
            Some(number.value())
        };
        while send(&mut machine, Instant::ZERO, &mut rtt).is_some() {}
        let now = Instant::from_millis(100);
        let mut bitmap = [u8::MAX; 128];
        bitmap[0] = 0b1111_1110;
        for (latest, base, bitmap, resent) in [(1_023, 0, &bitmap[..], Some(0)), (1_927, 1_032, &[u8::MAX; 112], None)]
        {
            let (latest, base, delay) = (Seq::new(latest), Seq::new(base), SackDelay::new(0));
            let sack = Sack { next: Seq::ZERO, window: 2_000, latest, counter: 0, ce: 0, delay, base, bitmap };
            machine.handle_ack(now, &Ack::Selective(sack), &mut rtt);
            assert_eq!(send(&mut machine, now, &mut rtt), resent);
            assert_eq!(send(&mut machine, now, &mut rtt), None);
        }
        let now = Instant::from_millis(125);
        machine.handle_timeout(now, &rtt);
        assert_eq!(send(&mut machine, now, &mut rtt), Some(1_024));
    }

    /// Numbers 0 and 1 are declared lost, and number 0 is sent again. Number 1 was only late.
    #[test]
    fn a_snapshot_counts_lost_retransmitted_and_late_numbers() {
        let pacer = Pacer::new(Duration::ZERO, 100);
        let mut machine = SelectiveRepeat::new([Block::EMPTY], FixedWindow::new(1_000), pacer).unwrap();
        let (mut rtt, end, delay) = (rtt(&[]), Seq::new(9), SackDelay::new(0));
        let send = |machine: &mut SelectiveRepeat<_, _>, now, rtt: &mut Rtt| {
            let number = machine.next_info(now, end).unwrap();
            machine.on_info_sent(Sending { now, number, counter: 0, bytes: 100, end }, rtt);
        };
        (0..6).for_each(|_| send(&mut machine, Instant::ZERO, &mut rtt));
        let sack = Sack {
            next: Seq::ZERO,
            window: 64,
            latest: Seq::new(4),
            counter: 0,
            ce: 0,
            delay,
            base: Seq::ZERO,
            bitmap: &[0b11100],
        };
        machine.handle_ack(Instant::from_millis(100), &Ack::Selective(sack), &mut rtt);
        send(&mut machine, Instant::from_millis(100), &mut rtt);
        let late = Sack { base: Seq::new(1), bitmap: &[1], latest: Seq::new(1), ..sack };
        machine.handle_ack(Instant::from_millis(101), &Ack::Selective(late), &mut rtt);
        let ArqSnapshot { in_flight, window, delivered, lost, retransmitted, spurious, .. } = machine.snapshot();
        assert_eq!((in_flight, window), (200, Some(1_000)));
        assert_eq!((delivered, lost, retransmitted, spurious), (400, 2, 1, 1));
    }
}
