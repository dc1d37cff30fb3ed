//! Processing of acknowledgements.

use super::rack::Transmission;
use super::report::BITMAP_NUMBERS;
use super::scoreboard::{Memory, Record, SentState};
use super::sender::Sender;
use crate::arq::{Acknowledged, Rtt};
use crate::congestion::{Acknowledgement, Congestion};
use crate::counts::increase;
use crate::time::ShortDuration;
use crate::wire::Sack;
use crate::{Duration, Instant, SHORTCUTS, Seq};

/// `rrthresh` of RFC 7765 §4: with fewer packets outstanding, the last timeout counts from the oldest transmission.
const RESTART_THRESHOLD: u32 = 4;

/// The result of one acknowledgement.
#[derive(Clone, Copy, Debug, Default)]
struct Settled {
    bytes: u64,
    newest_sent_at: Instant,
    rtt: Option<ShortDuration>,
    /// The largest backoff that remains without a sample.
    most_backoff: u8,
    /// The transmission that a SACK answers.
    answer: Option<Transmission>,
    /// The size of its datagram in bytes.
    answered_bytes: u16,
    /// Whether a repeat of the answered number was needless.
    was_needless: bool,
}

impl<M: Memory, C: Congestion> Sender<M, C> {
    /// Processes an ACK of one number (base mode).
    pub(super) fn handle_ack(&mut self, now: Instant, number: Seq, rtt: &mut Rtt) -> Acknowledged {
        let (base, span) = (self.scoreboard.base(), self.scoreboard.span());
        if number.precedes(base) || number.distance_from(base) < span && self.scoreboard.is_acknowledged(number) {
            self.on_second_ack(now, number, rtt);
            return Acknowledged::Old;
        }
        if number.distance_from(base) >= span {
            return Acknowledged::NeverSent;
        }
        let record = self.scoreboard.acknowledge(number);
        let mut settled = Settled::default();
        if record.transmissions == 1 {
            settled.rtt = Some(now.short_since(record.sent_at));
        } else {
            // An ambiguous ACK bounds the round trip, and so the backoff.
            settled.most_backoff = rtt.backoff_for(self.scoreboard.on_ambiguous_ack(now, number, record));
        }
        self.on_settled(now, number, record, rtt, &mut settled);
        self.pass_acknowledged();
        self.conclude(now, settled, None, rtt);
        Acknowledged::New
    }

    /// Processes a further ACK of `number` (base mode).
    ///
    /// It proves that a repeat was needless, and measures a path that became slower than the timeout.
    fn on_second_ack(&mut self, now: Instant, number: Seq, rtt: &mut Rtt) {
        let Some(round_trip) = self.scoreboard.take_second_round_trip(now, number) else { return };
        rtt.update(round_trip, true);
        self.proactive.update_srtt(rtt);
        self.timers.restart(now, self.scoreboard.outstanding(), 0, rtt);
    }

    /// Processes a SACK: a cumulative number and a bitmap.
    ///
    /// A SACK that acknowledges an unsent number is ignored as a whole.
    pub(super) fn handle_sack(&mut self, now: Instant, sack: &Sack<'_>, rtt: &mut Rtt) -> Acknowledged {
        let is_old = sack.next.precedes(self.scoreboard.base());
        if !is_old && sack.next.distance_from(self.scoreboard.base()) > self.scoreboard.span() {
            return Acknowledged::NeverSent;
        }
        if self.names_unsent(sack) {
            return Acknowledged::NeverSent;
        }
        let answer = self.answer(sack);
        let sample = answer.and_then(|answer| {
            let since = now.short_since(answer.at);
            let certain = self.scoreboard.record(answer.number).transmissions == 1;
            Some(rtt.without_delay(since, sack.delay.short()?, certain))
        });
        let mut settled = Settled::default();
        (settled.answer, settled.rtt) = (answer, sample);
        settled.most_backoff = u8::MAX;
        settled.answered_bytes = answer.map_or(0, |answer| self.scoreboard.record(answer.number).bytes);
        if !is_old {
            self.settle_before(now, sack.next, rtt, &mut settled);
        }
        for (first, word) in sack.words() {
            let fresh = self.scoreboard.unmarked(first, word);
            self.acknowledge(now, first, fresh, rtt, &mut settled);
        }
        self.on_limit(sack.next.add(sack.window));
        let held = self.hold_back.unsent();
        if held.is_some_and(|number| sack.highest().is_some_and(|highest| number.precedes(highest))) {
            self.hold_back.release();
        }
        if settled.bytes == 0 {
            return Acknowledged::Old;
        }
        self.pass_acknowledged();
        self.conclude(now, settled, Some(sack), rtt);
        Acknowledged::New
    }

    /// The transmission that the SACK answers: one of its latest number.
    ///
    /// `None` if that number was acknowledged before, or its transmission is too old to be known.
    fn answer(&self, sack: &Sack<'_>) -> Option<Transmission> {
        let number = sack.latest;
        if !self.scoreboard.is_outstanding(number) {
            return None;
        }
        let Record { sent_at, transmissions, .. } = self.scoreboard.record(number);
        if transmissions == 1 {
            return Some(Transmission { at: sent_at, number });
        }
        // A counter that was sent later than the number belongs to another packet: the peer is in error.
        let at = self.scoreboard.time_of(sack.counter).filter(|&at| at <= sent_at)?;
        Some(Transmission { at, number })
    }

    /// Settles every number before `next`.
    fn settle_before(&mut self, now: Instant, next: Seq, rtt: &Rtt, settled: &mut Settled) {
        while self.scoreboard.base() != next {
            let base = self.scoreboard.base();
            let (count, marked) = self.scoreboard.chunk_before(next);
            let most = if SHORTCUTS { marked.trailing_zeros().min(count) } else { 0 };
            let run = self.settle_run(now, most, rtt, settled);
            let range = u64::MAX >> (u64::BITS - count);
            let fresh = (range & !marked).checked_shr(run).and_then(|left| left.checked_shl(run)).unwrap_or(0);
            self.acknowledge(now, base, fresh, rtt, settled);
            self.scoreboard.pass(count, count - run);
        }
    }

    /// Acknowledges the outstanding numbers from `first` on whose bits are set in `fresh`.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn acknowledge(&mut self, now: Instant, first: Seq, mut fresh: u64, rtt: &Rtt, settled: &mut Settled) {
        let (base, span) = (self.scoreboard.base(), self.scoreboard.span());
        while fresh != 0 {
            let number = first.add(fresh.trailing_zeros());
            fresh &= fresh - 1;
            if number.distance_from(base) < span {
                let record = self.scoreboard.acknowledge(number);
                self.on_settled(now, number, record, rtt, settled);
            }
        }
    }

    /// Settles at most `most` of the oldest originals, from `base` on. Returns how many it has settled.
    ///
    /// The effect is that of [`on_settled`](Self::on_settled) for each, but RACK processes only the newest.
    fn settle_run(&mut self, now: Instant, most: u32, rtt: &Rtt, settled: &mut Settled) -> u32 {
        let first = self.scoreboard.base();
        let Some(run) = self.scoreboard.settle_run(most) else { return 0 };
        settled.bytes += run.bytes;
        settled.newest_sent_at = settled.newest_sent_at.max(run.newest_sent_at);
        let newest = Transmission { at: run.newest_sent_at, number: run.newest };
        self.rack.on_run_acknowledged(now, first, newest, rtt);
        run.count
    }

    /// Reports the first acknowledgement of `number` to the policies. `record` is its record before that.
    fn on_settled(&mut self, now: Instant, number: Seq, record: Record, rtt: &Rtt, settled: &mut Settled) {
        let Record { sent_at, bytes, transmissions, state } = record;
        self.proactive.cancel(number);
        let is_earlier = match settled.answer {
            // Eifel detection (RFC 3522): the number was sent again after the transmission that arrived.
            Some(answer) if answer.number == number => {
                self.rack.on_answered(now, answer, transmissions);
                let is_earlier = answer.at < sent_at;
                settled.was_needless = is_earlier && matches!(state, SentState::Retransmitted | SentState::Probed);
                is_earlier
            }
            // The answered transmission arrived last. A number whose last transmission left after it arrived by an
            // earlier one, unless the network has reordered the two.
            Some(answer) if transmissions > 1 && answer.at < sent_at => {
                self.rack.on_number(number, transmissions);
                answer.at + Duration::from_micros(rtt.min().unwrap_or_default().as_micros() / 4) < sent_at
            }
            Some(_) | None => match state {
                SentState::Original | SentState::Retransmitted | SentState::Probed => {
                    self.rack.on_acknowledged(now, Transmission { at: sent_at, number }, transmissions, rtt)
                }
                // Which transmission arrived is unknown, so RACK gets no time.
                SentState::Proactive
                | SentState::Settled
                | SentState::HeldBack
                | SentState::Ambiguous
                | SentState::Lost => false,
            },
        };
        let is_spurious = match state {
            SentState::Original | SentState::Retransmitted => is_earlier,
            // Neither a probed number nor one that was sent proactively was declared lost, so no loss was spurious.
            SentState::Probed
            | SentState::Proactive
            | SentState::Settled
            | SentState::HeldBack
            | SentState::Ambiguous => false,
            // No retransmission has left yet, so an earlier transmission was only late.
            SentState::Lost => true,
        };
        if is_spurious && !self.may_be_abandoned(number) {
            self.counters.spurious = self.counters.spurious.saturating_add(1);
            // A number proves reordering only if a bitmap reaches back to it. An older number is reported by a single
            // SACK, which may have been lost.
            if self.scoreboard.next().distance_from(number) <= BITMAP_NUMBERS {
                let late_at =
                    settled.answer.map_or(now, |answer| if answer.number == number { answer.at } else { sent_at });
                self.rack.on_spurious(now, late_at, (self.scoreboard.base(), self.scoreboard.next()), rtt);
            }
            self.congestion.on_spurious_loss(now, bytes.into());
        }
        settled.bytes += u64::from(bytes);
        settled.newest_sent_at = settled.newest_sent_at.max(sent_at);
    }

    /// Moves `base` past the numbers acknowledged without a gap.
    fn pass_acknowledged(&mut self) {
        self.scoreboard.pass_acknowledged();
        let base = self.scoreboard.base();
        self.rack.on_advanced(base);
        if self.recovery_end.is_some_and(|end| !base.precedes(end)) {
            self.recovery_end = None;
            self.repeats_abandoned = false;
            self.rack.on_recovered();
        }
    }

    /// Updates the round-trip time, the policies and the timers after all numbers of an acknowledgement are settled.
    fn conclude(&mut self, now: Instant, mut settled: Settled, sack: Option<&Sack<'_>>, rtt: &mut Rtt) {
        // A small packet is no first sample while larger ones are in flight, as that of the handshake is none.
        let is_small = self.limit.is_some() && !self.is_representative(settled.answered_bytes);
        settled.rtt = settled.rtt.filter(|_| !is_small || rtt.srtt().is_some());
        if let Some(sample) = settled.rtt {
            self.on_measured(settled.answered_bytes);
            rtt.update(sample, settled.was_needless);
            self.proactive.update_srtt(rtt);
        }
        increase(&mut self.counters.delivered, settled.bytes);
        self.proactive.on_acknowledged(settled.bytes, self.congestion.window());
        let round_ended = settled.newest_sent_at >= self.round_start;
        self.congestion.on_acknowledged(&Acknowledgement {
            now,
            bytes: settled.bytes,
            newest_sent_at: settled.newest_sent_at,
            rtt: settled.rtt.map(ShortDuration::get),
            srtt: rtt.srtt().unwrap_or_default(),
            in_flight: self.scoreboard.in_flight(),
            delivered: self.counters.delivered,
            round_ended,
            app_limited: self.app_limited,
        });
        if round_ended {
            self.round_start = now;
            self.app_limited = false;
            self.proactive.on_round();
        }
        // RFC 6298 §5.7: the backoff stays until a sample.
        let most_backoff = if settled.rtt.is_some() { 0 } else { settled.most_backoff };
        self.timers.restart(now, self.scoreboard.outstanding(), most_backoff, rtt);
        self.detect_losses(now, rtt, sack);
        self.count_last_timeout(now, rtt);
        self.update_rate(now);
        if let (Some(_), Some(srtt)) = (self.limit, rtt.srtt()) {
            rtt.set_ack_delay(self.request.update(srtt, &self.congestion, self.proactive.is_lossy()));
        }
    }

    /// Counts the last timeout from the oldest transmission if nothing follows it (RFC 7765 §4).
    ///
    /// A repeat of a lost number gets its whole timeout. A machine without a pacer has little flash, and waits longer.
    fn count_last_timeout(&mut self, now: Instant, rtt: &Rtt) {
        let (outstanding, lost) = (self.scoreboard.outstanding(), self.scoreboard.lost());
        if C::may_pace()
            && self.nothing_follows
            && let (Some(_), 1..RESTART_THRESHOLD, 0, Some(min)) = (self.limit, outstanding, lost, rtt.min())
        {
            let oldest = self.scoreboard.record(self.scoreboard.base()).sent_at;
            self.timers.count_from(now, oldest, min.saturating_mul(4));
        }
    }
}
