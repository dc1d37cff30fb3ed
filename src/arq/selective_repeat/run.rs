//! Many new numbers at once: what a batch of datagrams needs, at a fraction of the cost of asking for each.

use super::block::{Block, Sent, State};
use super::sender::{LEAST_CREDIT, Sender, low_bits};
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
        let (window, mut in_flight, mut pacer) = (self.congestion.window(), self.in_flight, self.pacer.clone());
        let mut count = 0;
        while count < most && in_flight < window && pacer.allows(now, LEAST_CREDIT) {
            pacer.on_sent(now, bytes.into());
            in_flight += u64::from(bytes);
            count += 1;
        }
        count
    }

    /// The first `count` of these have left.
    pub(super) fn on_run_sent<M>(&mut self, window: &mut Window<M>, first: Sending, count: u32, rtt: &mut Rtt)
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let Sending { now, bytes, .. } = first;
        let at = low_bits(now);
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
}
