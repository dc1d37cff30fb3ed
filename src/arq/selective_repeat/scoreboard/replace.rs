//! Memory that is replaced while numbers are in flight.

use super::window::places_in;
use super::{Mark, Memory, Scoreboard, Window};
use crate::Seq;

impl<M: Memory> Scoreboard<M> {
    /// Moves all state to `memory`, and returns the earlier memory.
    ///
    /// `received` and `ack_pending` are the ranges of the receiver's marks, ends excluded.
    ///
    /// # Errors
    ///
    /// If `memory` is too small for the numbers of either direction, the call returns it and changes nothing.
    pub(in super::super) fn replace_memory(
        &mut self,
        memory: M,
        received: (Seq, Seq),
        ack_pending: (Seq, Seq),
    ) -> Result<M, M> {
        let acknowledged = (self.base, self.next);
        let longest = [acknowledged, received, ack_pending].map(|(first, end)| end.distance_from(first));
        let places = places_in(&memory).unwrap_or(0);
        if places == 0 || longest.iter().any(|&span| span > places) {
            return Err(memory);
        }
        let mut window = Window::over(memory, places);
        let count = self.window.places().min(window.places());
        for behind in 0..count {
            // A settled number may be ambiguous still.
            let number = self.next.sub(behind + 1);
            let sent = *self.window.sent(number);
            window.update(number, |place| *place = sent);
            let key = self.last_key.wrapping_sub(behind);
            window.set_time(key, self.window.time(key));
        }
        // Larger memory has places for older times, which are not known.
        let known = self.last_key.wrapping_sub(self.first_key).min(self.window.places() - 1);
        self.first_key = self.last_key.wrapping_sub(known);
        for (mark, range) in
            [(Mark::ACKNOWLEDGED, acknowledged), (Mark::RECEIVED, received), (Mark::ACK_PENDING, ack_pending)]
        {
            window.copy_marks(&self.window, mark, range);
        }
        Ok(core::mem::replace(&mut self.window, window).into_memory())
    }
}

impl<M: Memory> Window<M> {
    /// Sets the marks that `other` has in a range, whose end is excluded.
    fn copy_marks(&mut self, other: &Self, mark: Mark, (first, end): (Seq, Seq)) {
        let mut first = first;
        while first != end {
            let here = end.distance_from(first).min(u64::BITS);
            let mut bits = other.bits(mark, first) & (u64::MAX >> (u64::BITS - here));
            while bits != 0 {
                self.set(mark, first.add(bits.trailing_zeros()));
                bits &= bits - 1;
            }
            first = first.add(here);
        }
    }
}
