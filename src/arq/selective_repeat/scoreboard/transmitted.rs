//! Transmissions: how numbers enter the lists of those in flight.

use super::block::Sent;
use super::{Memory, Scoreboard, SentState, Transmitted, low_bits};
use crate::{Instant, SHORTCUTS, Seq};

impl<M: Memory> Scoreboard<M> {
    /// Records a transmission of `number` in a datagram of `bytes`. It is an original only if `number` is
    /// [`next`](Self::next).
    ///
    /// `counter` is the counter of the datagram; `None` in base mode.
    #[inline]
    pub(in super::super) fn transmitted(
        &mut self,
        now: Instant,
        number: Seq,
        counter: Option<u32>,
        bytes: u16,
        is_probe: bool,
    ) -> Transmitted {
        if SHORTCUTS && number == self.next {
            self.transmitted_run(now, counter, bytes, 1);
            return Transmitted::Original;
        }
        self.transmitted_any(now, number, counter, bytes, is_probe)
    }

    fn transmitted_any(
        &mut self,
        now: Instant,
        number: Seq,
        counter: Option<u32>,
        bytes: u16,
        is_probe: bool,
    ) -> Transmitted {
        let is_new = number == self.next;
        if let Some(key) = counter.or_else(|| is_new.then_some(number.value())) {
            self.window.set_time(key, low_bits(now));
            self.last_key = key;
        }
        let sent = if is_new { Sent::UNSENT } else { *self.window.sent(number) };
        let (state, transmitted) = match sent.state {
            SentState::Original | SentState::Probed | SentState::Retransmitted | SentState::Proactive => {
                self.leave_flight(number, sent);
                if !is_probe {
                    (SentState::Proactive, Transmitted::Proactive)
                } else if matches!(sent.state, SentState::Original | SentState::Probed) {
                    (SentState::Probed, Transmitted::Probe)
                } else {
                    (SentState::Retransmitted, Transmitted::Probe)
                }
            }
            SentState::Lost => {
                self.lost.remove(&mut self.window, number, sent);
                let transmissions = sent.transmissions;
                (SentState::Retransmitted, Transmitted::Retransmission { transmissions })
            }
            // Not an original, since its place in the order of transmissions is not that of its number.
            SentState::HeldBack => (SentState::Probed, Transmitted::HeldBack),
            SentState::Settled | SentState::Ambiguous if is_new => (SentState::Original, Transmitted::Original),
            SentState::Settled | SentState::Ambiguous => return Transmitted::Needless,
        };
        let list = if is_new { &mut self.originals } else { &mut self.retransmissions };
        let before = list.push(&mut self.window, number);
        let (at, transmissions) = (low_bits(now), sent.transmissions.saturating_add(1));
        self.window.update(number, |place| *place = Sent { before, after: 0, at, bytes, transmissions, state });
        if is_new {
            if self.base == number {
                self.busy_since = now;
            }
            self.next = number.next();
        }
        self.in_flight += u64::from(bytes);
        self.last_sent = now;
        transmitted
    }

    /// Passes over the [next](Self::next) number, and returns it. It counts as neither in flight nor lost.
    pub(in super::super) fn hold_back(&mut self, now: Instant, bytes: u16) -> Seq {
        let (held, at, state) = (self.next, low_bits(now), SentState::HeldBack);
        if self.base == held {
            self.busy_since = now;
        }
        // One transmission counts that never left, as for a lost number: RACK does not take it for reordered.
        self.window.update(held, |place| *place = Sent { at, bytes, transmissions: 1, state, ..Sent::UNSENT });
        self.next = held.next();
        held
    }

    /// Records the first transmission of the next `count` numbers, each in a datagram of `bytes`.
    ///
    /// `counter` is the counter of the first datagram; `None` in base mode.
    #[inline]
    pub(in super::super) fn transmitted_run(&mut self, now: Instant, counter: Option<u32>, bytes: u16, count: u32) {
        let (at, state) = (low_bits(now), SentState::Original);
        let first = counter.unwrap_or(self.next.value());
        if self.base == self.next {
            self.busy_since = now;
        }
        for ahead in 0..count {
            self.last_key = first.wrapping_add(ahead);
            self.window.set_time(self.last_key, at);
            let before = self.originals.push(&mut self.window, self.next);
            self.window.update(self.next, |place| {
                *place = Sent { before, after: 0, at, bytes, transmissions: 1, state };
            });
            self.next = self.next.next();
        }
        self.in_flight += u64::from(bytes) * u64::from(count);
        self.last_sent = now;
    }
}
