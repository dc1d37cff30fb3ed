//! Many numbers at once, at a fraction of the cost of each by itself: new ones that leave, and the oldest ones that are
//! acknowledged, as a path without losses has them.

use super::acknowledge::Settled;
use super::block::{Block, Sent, State};
use super::rack::Transmission;
use super::sender::{LEAST_CREDIT, Sender, full_time, low_bits};
use super::window::Window;
use crate::arq::{Rtt, Sending};
use crate::congestion::Congestion;
use crate::{Instant, Seq};

impl<C: Congestion> Sender<C> {
    /// How many new numbers may leave now, each in `bytes`. The newest that has a body is not among them: only
    /// [`on_sent`](Self::on_sent) sees that the application has nothing more.
    pub(super) fn next_run<M>(&self, window: &Window<M>, (now, end): (Instant, Seq), bytes: u16, most: u32) -> u32
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        if !self.is_undisturbed() {
            return 0;
        }
        let span = window.places() - self.next.distance_from(self.base);
        let limit = self.limit.map_or(u32::MAX, |limit| limit.distance_from(self.next));
        let bodies = end.distance_from(self.next).saturating_sub(1);
        let most = most.min(bodies).min(span).min(limit);
        let room = self.congestion.window().saturating_sub(self.in_flight).div_ceil(u64::from(bytes).max(1));
        let most = most.min(u32::try_from(room).unwrap_or(u32::MAX));
        self.pacer.allows_run(now, bytes.into(), LEAST_CREDIT, most)
    }

    /// The first `count` of these have left.
    pub(super) fn on_run_sent<M>(&mut self, window: &mut Window<M>, first: Sending, count: u32, rtt: &mut Rtt)
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let Sending { now, bytes, .. } = first;
        let at = low_bits(now);
        self.last_sent = now;
        for _ in 0..count {
            let before = self.flight.push(window, self.next);
            *window.sent_mut(self.next) =
                Sent { before, after: 0, at, bytes, transmissions: 1, state: State::InFlight };
            self.next = self.next.next();
            self.in_flight += u64::from(bytes);
            self.congestion.on_sent(now, bytes.into(), self.in_flight);
            self.pacer.on_sent(now, bytes.into());
        }
        self.timers.arm(now, self.outstanding(), rtt);
    }

    /// The numbers from `base` on, `most` at most, have been acknowledged: those that stand in their order at the front of what
    /// was sent once. Returns how many that are. As [`settle`](Self::settle) for each, but one look by RACK, at the newest.
    pub(super) fn settle_run<M>(
        &mut self,
        window: &mut Window<M>,
        now: Instant,
        most: u32,
        rtt: &Rtt,
        settled: &mut Settled,
    ) -> u32
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let (mut count, mut number, mut bytes, mut newest) = (0, self.base, 0, 0);
        while count < most && self.flight.first() == Some(number) {
            let place = window.sent_mut(number);
            let sent = *place;
            place.state = State::Settled;
            self.flight.remove(window, number, sent);
            bytes += u64::from(sent.bytes);
            newest = sent.at;
            number = number.next();
            count += 1;
        }
        if count > 0 {
            let at = full_time(now, newest);
            self.in_flight -= bytes;
            settled.bytes += bytes;
            settled.newest_sent_at = settled.newest_sent_at.max(at);
            self.rack.on_run_acknowledged(now, self.base, Transmission { at, number: number.sub(1) }, rtt);
        }
        count
    }
}
