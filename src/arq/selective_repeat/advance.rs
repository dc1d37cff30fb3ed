//! Sending again in advance: before it is known whether the last time was in vain.
//!
//! A number that is lost again and again holds up everything behind it: at the end of what there is to send, and at the head
//! of a window that is full of what came after it. Each further try costs a round trip. Two rules make long runs of losses
//! rare, at a cost that is bounded by a credit:
//!
//! - what was sent three times in vain is sent twice from then on, a while apart, so that one burst does not take both;
//! - while there is nothing else to send, what was lost before is sent again each half of a round trip.
//!
//! Neither holds while the peer is silent: after a probe or a timeout the next sign of life is waited for.
//!
//! What was never lost is never sent in advance: on a path without losses nothing is sent twice, and a short message is no
//! more than its own datagrams.

use super::block::Block;
use super::sender::Sender;
use super::window::Window;
use crate::congestion::Congestion;
use crate::{Duration, Instant, Seq};

/// For sixteen bytes acknowledged one may be sent in advance.
const CREDIT_SHIFT: u32 = 4;
/// From how many transmissions in vain on a number is sent twice: at 20 % loss one number in a hundred.
const OFTEN: u8 = 3;
/// How far apart, in parts of a round trip.
const TWIN_SHARE: u64 = 8;
/// How long the last transmission lies back at least, in parts of a round trip, of what is repeated for lack of anything else.
const IDLE_SHARE: u64 = 2;

/// What is kept for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Advance {
    /// Bytes that may still be sent in advance: at most a congestion window, which is all that a stall can need.
    credit: u64,
    /// Bytes sent in advance in this round. They are in flight beside what counts as in flight.
    round: u64,
    /// What is to be sent a second time, and when.
    twin: Option<(Seq, Instant)>,
    /// The round-trip time.
    srtt: Duration,
}

impl Advance {
    /// `bytes` have been acknowledged.
    pub(super) fn on_acknowledged(&mut self, bytes: u64, window: u64) {
        self.credit = self.credit.saturating_add(bytes >> CREDIT_SHIFT).min(window);
    }

    /// `bytes` have left in advance.
    pub(super) fn on_copy(&mut self, bytes: u16) {
        self.credit = self.credit.saturating_sub(bytes.into());
        self.round = self.round.saturating_add(bytes.into());
    }

    /// `number` has left again after `transmissions` in vain.
    pub(super) fn on_repeated(&mut self, now: Instant, number: Seq, transmissions: u8, bytes: u16) {
        if transmissions >= OFTEN && self.credit >= bytes.into() {
            self.twin = Some((number, now + Duration::from_micros(self.srtt.as_micros() / TWIN_SHARE)));
        }
    }

    /// Whether nothing is to be sent a second time.
    pub(super) const fn is_idle(&self) -> bool {
        self.twin.is_none()
    }

    /// `number` has been sent again, acknowledged, or judged lost.
    pub(super) fn cancel(&mut self, number: Seq) {
        if self.twin.is_some_and(|(twin, _)| twin == number) {
            self.twin = None;
        }
    }

    pub(super) fn on_round(&mut self) {
        self.round = 0;
    }

    pub(super) fn update_srtt(&mut self, srtt: Option<Duration>) {
        self.srtt = srtt.unwrap_or_default();
    }
}

impl<C: Congestion> Sender<C> {
    /// The second of two that leave a while apart, and when it is due: at once if `lost`, which is to be sent now, needs the
    /// place to remember its own.
    pub(super) fn twin<M>(&self, window: &Window<M>, lost: Option<Seq>) -> Option<(Seq, Instant)>
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let (number, at) = self.advance.twin.filter(|_| self.timers.is_quiet())?;
        let hurries = lost.is_some_and(|lost| window.sent(lost).transmissions >= OFTEN);
        Some((number, if hurries { Instant::ZERO } else { at }))
    }

    /// What to repeat while nothing else can be sent, and when it is due: of what was lost before, what was sent longest ago.
    pub(super) fn while_idle<M>(&self, window: &Window<M>) -> Option<(Seq, Instant)>
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let number = self.again.first()?;
        let sent = window.sent(number);
        let Advance { credit, round, srtt, .. } = self.advance;
        let allowed = self.timers.is_quiet()
            && credit >= sent.bytes.into()
            && srtt > Duration::ZERO
            && self.in_flight.saturating_add(round) < self.congestion.window();
        let interval = Duration::from_micros(srtt.as_micros() / IDLE_SHARE);
        allowed.then(|| (number, self.sent_at(sent) + interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arq::{Arq, Jitter, Rtt, SelectiveRepeat, Sending};
    use crate::congestion::{Fixed, Pacer};
    use crate::wire::{Sack, SackDelay};
    use std::vec::Vec;

    /// A round trip of 100 ms, a datagram each ms, all of which arrive but number 0.
    #[test]
    fn what_was_lost_three_times_is_sent_twice() {
        let pacer = Pacer::new(Duration::ZERO, 100);
        let mut machine = SelectiveRepeat::new(std::vec![Block::EMPTY; 16], Fixed::new(100_000), pacer).unwrap();
        let mut rtt = Rtt::new(Duration::from_secs(60), Jitter::new(1));
        let end = Seq::new(5_000);
        let mut sent = Vec::new();
        for ms in 0..500 {
            let now = Instant::from_millis(ms);
            let arrived = usize::try_from(ms).unwrap().checked_sub(100).and_then(|at| sent.get(at).copied());
            if let Some(number) = arrived.filter(|&number| number != Seq::ZERO) {
                let delay = SackDelay::new(0);
                let sack = Sack { next: Seq::ZERO, window: 5_000, latest: number, delay, base: number, bitmap: &[1] };
                machine.handle_sack(now, &sack, &mut rtt);
            }
            machine.handle_timeout(now, &rtt);
            let number = machine.next_info(now, end).unwrap();
            machine.on_info_sent(Sending { now, number, bytes: 100, end }, &mut rtt);
            sent.push(number);
        }
        let times: Vec<_> =
            sent.iter().enumerate().filter(|(_, number)| **number == Seq::ZERO).map(|(ms, _)| ms).collect();
        assert_eq!(times, [0, 103, 204, 305, 318, 419, 432]);
        assert_eq!(machine.spurious(), 0);
    }
}
