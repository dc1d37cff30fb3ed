//! The transmission times that are kept by counter.

use super::times::full_time;
use super::{Memory, Scoreboard};
use crate::Instant;

impl<M: Memory> Scoreboard<M> {
    /// When the datagram with this counter left, in extended mode; `None` if the time is no longer stored.
    ///
    /// If the datagram carried no INFO, the time is that of an earlier INFO.
    pub(in super::super) fn time_of(&self, counter: u32) -> Option<Instant> {
        let age = self.last_key.wrapping_sub(counter);
        let is_kept = age < self.window.places() && age <= self.last_key.wrapping_sub(self.first_key);
        is_kept.then(|| full_time(self.last_sent, self.window.time(counter)))
    }
}
