//! Expired timers, and the numbers that are declared lost.

use super::rack::Transmission;
use super::report::BITMAP_NUMBERS;
use super::scoreboard::{Flight, Memory};
use super::sender::Sender;
use crate::Instant;
use crate::arq::{Rtt, Timer};
use crate::congestion::{Congestion, Loss};
use crate::wire::Sack;

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
            for flight in [Flight::Originals, Flight::Retransmissions] {
                while self.declare_oldest_lost(flight) {}
            }
            self.recovery_end = Some(self.scoreboard.next());
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
        // Another SACK may report a number that this one does not cover.
        let is_wide = self.scoreboard.span() > BITMAP_NUMBERS;
        let is_covered = |number| sack.map_or(!is_wide, |sack| sack.covers(number));
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

    /// Declares the oldest number of `flight` lost. Returns whether there was such a number.
    fn declare_oldest_lost(&mut self, flight: Flight) -> bool {
        let lost = self.scoreboard.declare_oldest_lost(flight);
        lost.inspect(|&number| self.proactive.cancel(number)).is_some()
    }

    fn count_lost(&mut self, count: u32) {
        self.counters.lost = self.counters.lost.saturating_add(count);
    }
}
