//! Expired timers, and the numbers that are declared lost.

use super::rack::Transmission;
use super::scoreboard::{Flight, Memory};
use super::sender::Sender;
use crate::arq::{Rtt, Timer};
use crate::congestion::{Congestion, Loss};
use crate::wire::Sack;
use crate::{Instant, Seq};

impl<M: Memory, C: Congestion> Sender<M, C> {
    /// Processes expired timers. Returns whether the retransmission or probe timer expired.
    pub(super) fn handle_timeout(&mut self, now: Instant, rtt: &Rtt) -> bool {
        if self.timers.has_expired(Timer::Reordering, now) {
            self.detect_losses(now, rtt, None);
        }
        if self.timers.has_expired(Timer::Retransmission, now) {
            // RFC 8985 §6.3, RFC 6298 §5.4 to §5.6: everything in flight is lost, and is sent again as the window
            // permits.
            self.timers.back_off();
            // Before a datagram of this size was measured, the path may only be slower than the timeout, as a serial
            // line is. In extended mode one probe finds out (RFC 9002 §6.2.4): its acknowledgement shows what is lost.
            if !self.trusts_timeout() {
                self.timers.on_probe_timeout();
                return true;
            }
            self.count_lost(self.scoreboard.outstanding());
            self.declare_all_lost();
            self.congestion.on_timeout(now);
            self.update_rate(now);
            return true;
        }
        let probe = self.timers.has_expired(Timer::TailLossProbe, now);
        if probe {
            self.timers.on_probe_timeout();
        }
        probe
    }

    /// Detects losses among the numbers in flight (RFC 8985 §6.2 step 5), from the oldest of each list on.
    ///
    /// `sack` is the acknowledgement that has just arrived. Base mode has none.
    pub(super) fn detect_losses(&mut self, now: Instant, rtt: &Rtt, sack: Option<&Sack<'_>>) {
        self.timers.stop_reordering();
        let (mut count, mut bytes, mut newest_sent_at) = (0, 0, Instant::ZERO);
        // Another SACK may report a number that this one does not cover. Base mode acknowledges each number.
        let is_base = self.limit.is_none();
        let is_covered = |number| sack.map_or(is_base, |sack| sack.covers(number));
        let judge = self.rack.judge(self.scoreboard.acknowledged(), self.recovery_end.is_some(), rtt);
        for flight in [Flight::Originals, Flight::Retransmissions] {
            while let Some(number) = self.scoreboard.oldest(flight) {
                let record = self.scoreboard.record(number);
                let transmission = Transmission { at: record.sent_at, number };
                let repeated = flight == Flight::Retransmissions;
                let lost_at = judge.and_then(|judge| judge.lost_at(transmission, repeated, is_covered(number)));
                let Some(at) = lost_at else { break };
                if at > now {
                    self.timers.judge_at(at);
                    break;
                }
                count += 1;
                bytes += u64::from(record.bytes);
                newest_sent_at = newest_sent_at.max(record.sent_at);
                self.declare_oldest_lost(flight);
            }
        }
        if bytes > 0 {
            self.count_lost(count);
            self.recovery_end.get_or_insert(self.scoreboard.next());
            self.proactive.on_lost(bytes);
            let in_flight = self.scoreboard.in_flight();
            self.congestion.on_lost(&Loss { now, bytes, newest_sent_at, in_flight });
            self.update_rate(now);
        }
    }

    fn declare_all_lost(&mut self) {
        for flight in [Flight::Originals, Flight::Retransmissions] {
            while self.declare_oldest_lost(flight) {}
        }
        self.hold_back.release();
        self.recovery_end = Some(self.scoreboard.next());
    }

    /// Declares the oldest number of `flight` lost. Returns whether there was such a number.
    pub(super) fn declare_oldest_lost(&mut self, flight: Flight) -> bool {
        let lost = self.scoreboard.declare_oldest_lost(flight);
        lost.inspect(|&number| self.proactive.cancel(number)).is_some()
    }

    /// The lost number to repeat first.
    ///
    /// In base mode a timeout repeats only the oldest one until the next ACK. The peer ignores numbers beyond its
    /// window, which it does not announce. If each timeout repeated several, the loss of each n-th datagram could take
    /// the oldest every time.
    pub(super) fn first_repeat(&self) -> Option<Seq> {
        let first = self.scoreboard.first_lost()?;
        let may_follow = self.limit.is_some() || !self.timers.is_silent();
        (may_follow || first == self.scoreboard.base()).then_some(first)
    }

    fn count_lost(&mut self, count: u32) {
        self.counters.lost = self.counters.lost.saturating_add(count);
    }
}

#[cfg(test)]
mod tests {
    use crate::arq::selective_repeat::fixtures::{at, extended, sack, send};
    use crate::arq::{Ack, Arq, Timer};
    use crate::wire::{Sack, SackDelay};
    use crate::{Duration, Instant, Seq};

    /// Regression: the timeout counted from the lost transmission, and expired before the repeat could be acknowledged.
    #[test]
    fn a_repeat_of_a_lost_number_gets_a_whole_timeout() {
        let mut samples = [110; 40];
        samples[0] = 10;
        let (mut machine, mut rtt) = extended(&samples);
        let end = Seq::new(5);
        while send(&mut machine, at(0), end, &mut rtt).is_some() {}
        machine.handle_ack(at(110), &sack(4, 0, &[0b1_1110]), &mut rtt);
        assert_eq!(send(&mut machine, at(110), end, &mut rtt), Some(Seq::ZERO));
        let timeout = machine.deadline(Timer::Retransmission, end, |_| true).unwrap();
        assert!(timeout >= at(220), "{timeout:?}");
    }

    /// Regression: a peer that named the counter of a repeat that had just left measured a path without a round trip.
    #[test]
    fn the_answer_to_a_repeat_lowers_no_minimum() {
        let (mut machine, mut rtt) = extended(&[50]);
        let end = Seq::new(5);
        while send(&mut machine, at(0), end, &mut rtt).is_some() {}
        machine.handle_ack(at(60), &sack(4, 0, &[0b1_1110]), &mut rtt);
        assert_eq!(send(&mut machine, at(60), end, &mut rtt), Some(Seq::ZERO));
        let delay = SackDelay::new(0);
        let (latest, next) = (Seq::ZERO, Seq::new(5));
        let lie = Sack { next, window: 1_000, latest, counter: 0, ce: 0, delay, base: next, bitmap: &[] };
        machine.handle_ack(at(61), &Ack::Selective(lie), &mut rtt);
        assert_eq!(rtt.min(), Some(Duration::from_millis(50)));
    }

    /// Regression: the timer declared all numbers lost that the last SACK had not covered.
    #[test]
    fn uncovered_numbers_are_lost_one_after_the_other() {
        let (mut machine, mut rtt) = extended(&[]);
        for number in 0..600 {
            send(&mut machine, Instant::from_micros(100 * number), Seq::new(600), &mut rtt);
        }
        machine.handle_ack(Instant::from_micros(159_800), &sack(599, 536, &[u8::MAX; 8]), &mut rtt);
        // A number is held back. A packet is lost 125 ms after it was sent: the round trip of 100 ms and a quarter of
        // it.
        assert_eq!(machine.snapshot().lost, 349);
        machine.handle_timeout(at(161), &rtt);
        assert_eq!(machine.snapshot().lost, 361);
    }
}
