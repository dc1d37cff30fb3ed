//! What an acknowledgement settles.

use super::BITMAP_NUMBERS;
use super::block::{Block, Sent, State};
use super::rack::Transmission;
use super::sender::{Sender, full_time};
use super::window::{Which, Window};
use crate::arq::{Acknowledged, Rtt};
use crate::congestion::{Acknowledgement, Congestion};
use crate::wire::Sack;
use crate::{Duration, Instant, Seq};

/// What one datagram has acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settled {
    pub(super) bytes: u64,
    pub(super) newest_sent_at: Instant,
    rtt: Option<Duration>,
    /// Where the bitmap begins, which tells of each number that it reaches whether it has arrived.
    told: Option<Seq>,
}

impl<C: Congestion> Sender<C> {
    /// Base mode: one number.
    pub(super) fn handle_ack<M>(
        &mut self,
        window: &mut Window<M>,
        now: Instant,
        number: Seq,
        rtt: &mut Rtt,
    ) -> Acknowledged
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        if number.precedes(self.base) {
            return Acknowledged::Old;
        }
        if number.distance_from(self.base) >= self.next.distance_from(self.base) {
            return Acknowledged::NeverSent;
        }
        if window.bit(Which::Acknowledged, number) {
            return Acknowledged::Old;
        }
        let mut settled = Settled::default();
        let sent = window.sent(number);
        if sent.transmissions == 1 {
            settled.rtt = Some(now.saturating_since(full_time(now, sent.at)));
        }
        self.settle(window, now, number, rtt, &mut settled);
        window.set(Which::Acknowledged, number);
        self.ahead += 1;
        self.advance(window);
        self.conclude(window, now, settled, rtt);
        Acknowledged::New
    }

    /// Extended mode: a cumulative number and a bitmap. One that acknowledges what was never sent is ignored whole.
    pub(super) fn handle_sack<M>(
        &mut self,
        window: &mut Window<M>,
        now: Instant,
        sack: &Sack<'_>,
        rtt: &mut Rtt,
    ) -> Acknowledged
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let sent = self.next.distance_from(self.base);
        let cumulative = sack.next.distance_from(self.base);
        let is_old = sack.next.precedes(self.base);
        if !is_old && cumulative > sent {
            return Acknowledged::NeverSent;
        }
        if sack.highest().is_some_and(|highest| !highest.precedes(self.next)) {
            return Acknowledged::NeverSent;
        }
        let mut settled =
            Settled { rtt: self.clean_sample(window, now, sack), told: Some(sack.base), ..Settled::default() };
        if !is_old {
            self.settle_before(window, now, sack.next, rtt, &mut settled);
        }
        let sent = self.next.distance_from(self.base);
        for (first, word) in sack.words() {
            let mut fresh = word & !window.bits(Which::Acknowledged, first);
            while fresh != 0 {
                let number = first.add(fresh.trailing_zeros());
                fresh &= fresh - 1;
                if number.distance_from(self.base) < sent {
                    self.settle(window, now, number, rtt, &mut settled);
                    window.set(Which::Acknowledged, number);
                    self.ahead += 1;
                }
            }
        }
        if settled.bytes == 0 {
            return Acknowledged::Old;
        }
        self.advance(window);
        self.conclude(window, now, settled, rtt);
        Acknowledged::New
    }

    /// The round trip of the number that arrived last, where it was sent once and is news (RFC 6298 §3).
    fn clean_sample<M>(&self, window: &Window<M>, now: Instant, sack: &Sack<'_>) -> Option<Duration>
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let delay = sack.delay.duration()?;
        let number = sack.latest;
        if number.distance_from(self.base) >= self.next.distance_from(self.base)
            || window.bit(Which::Acknowledged, number)
        {
            return None;
        }
        let sent = window.sent(number);
        let since = now.saturating_since(full_time(now, sent.at));
        (sent.transmissions == 1).then(|| Duration::from_micros(since.as_micros().saturating_sub(delay.as_micros())))
    }

    /// Every number before `next` has been acknowledged.
    fn settle_before<M>(&mut self, window: &mut Window<M>, now: Instant, next: Seq, rtt: &Rtt, settled: &mut Settled)
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        while self.base != next {
            let count = next.distance_from(self.base).min(u64::BITS);
            let range = u64::MAX >> (u64::BITS - count);
            let known = window.bits(Which::Acknowledged, self.base) & range;
            let run = self.settle_run(window, now, known.trailing_zeros().min(count), rtt, settled);
            let mut fresh = (range & !known).checked_shr(run).and_then(|left| left.checked_shl(run)).unwrap_or(0);
            while fresh != 0 {
                self.settle(window, now, self.base.add(fresh.trailing_zeros()), rtt, settled);
                fresh &= fresh - 1;
            }
            window.clear(Which::Acknowledged, self.base, count);
            self.ahead -= known.count_ones();
            self.base = self.base.add(count);
        }
    }

    /// `number` has been acknowledged for the first time.
    fn settle<M>(&mut self, window: &mut Window<M>, now: Instant, number: Seq, rtt: &Rtt, settled: &mut Settled)
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let place = window.sent_mut(number);
        let sent = core::mem::replace(place, Sent { state: State::Settled, ..*place });
        let at = full_time(now, sent.at);
        let needless = match sent.state {
            State::InFlight | State::Again => {
                self.land(window, number, sent);
                self.rack.on_acknowledged(now, Transmission { at, number }, sent.transmissions, rtt)
            }
            // Sent again, but not because it had been judged lost: nothing was needless.
            State::Probed => {
                self.land(window, number, sent);
                self.rack.on_acknowledged(now, Transmission { at, number }, sent.transmissions, rtt);
                false
            }
            // Which transmission is answered cannot be told, so it says nothing about when others should have arrived; and
            // it was not sent again because it had been judged lost.
            State::InAdvance => {
                self.land(window, number, sent);
                false
            }
            // It was only late. What is sent again is in flight again, so this one has not been.
            State::Lost => {
                self.lost.remove(window, number, sent);
                true
            }
            State::Settled => false,
        };
        if needless {
            self.spurious = self.spurious.saturating_add(1);
            // What lies further back than a bitmap reaches is told of once: it may be that SACK which was lost.
            if self.next.distance_from(number) <= BITMAP_NUMBERS {
                self.rack.on_spurious(self.base, self.next);
            }
            self.congestion.on_spurious_loss(now, sent.bytes.into());
        }
        settled.bytes += u64::from(sent.bytes);
        settled.newest_sent_at = settled.newest_sent_at.max(at);
    }

    /// Moves `base` over what has been acknowledged without a gap.
    fn advance<M>(&mut self, window: &mut Window<M>)
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        while self.base != self.next {
            let left = self.next.distance_from(self.base);
            let count = window.bits(Which::Acknowledged, self.base).trailing_ones().min(left);
            window.clear(Which::Acknowledged, self.base, count);
            self.base = self.base.add(count);
            self.ahead -= count;
            if count < u64::BITS {
                break;
            }
        }
        self.rack.on_advanced(self.base);
        if self.recovery_end.is_some_and(|end| !self.base.precedes(end)) {
            self.recovery_end = None;
            self.rack.on_recovered();
        }
    }

    fn conclude<M>(&mut self, window: &mut Window<M>, now: Instant, settled: Settled, rtt: &mut Rtt)
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        if let Some(sample) = settled.rtt {
            rtt.sample(sample);
            self.advance.update_srtt(rtt.srtt());
        }
        self.delivered += settled.bytes;
        self.advance.on_acknowledged(settled.bytes, self.congestion.window());
        let round_ended = settled.newest_sent_at >= self.round_start;
        self.congestion.on_acknowledged(&Acknowledgement {
            now,
            bytes: settled.bytes,
            newest_sent_at: settled.newest_sent_at,
            rtt: settled.rtt,
            srtt: rtt.srtt().unwrap_or_default(),
            in_flight: self.in_flight,
            delivered: self.delivered,
            round_ended,
            app_limited: self.app_limited,
        });
        if round_ended {
            self.round_start = now;
            self.app_limited = false;
            self.advance.on_round();
        }
        self.timers.restart(now, self.outstanding(), rtt);
        self.detect_losses(window, now, rtt, settled.told);
        self.pacer.update_rate(now, self.congestion.pacing_rate());
    }
}
