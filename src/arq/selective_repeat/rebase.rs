//! Moving the sender's times to another clock.

use super::block::{Block, Sent, State};
use super::sender::{Sender, full_time, low_bits};
use super::window::Window;
use crate::ClockShift;
use crate::congestion::Congestion;

impl<C: Congestion> Sender<C> {
    /// Every time is then one of the new clock, and what is kept of numbers that are settled is forgotten.
    pub(super) fn rebase<M>(&mut self, window: &mut Window<M>, shift: ClockShift)
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let mut oldest = shift.from();
        for sent in window.all_sent() {
            if sent.state == State::Settled {
                *sent = Sent::UNSENT;
                continue;
            }
            let at = full_time(shift.from(), sent.at);
            oldest = oldest.min(at);
            sent.at = low_bits(shift.apply(at));
        }
        for list in [&mut self.flight, &mut self.again, &mut self.lost] {
            list.forget_ends(window);
        }
        let shift = shift.with_oldest(oldest);
        self.rack.rebase(shift);
        self.advance.rebase(shift);
        self.timers.rebase(shift);
        self.round_start = shift.sending(self.round_start);
        self.last_sent = shift.sending(self.last_sent);
        self.congestion.rebase(shift);
        self.pacer.rebase(shift);
    }
}
