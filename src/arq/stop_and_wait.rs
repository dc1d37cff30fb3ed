//! Stop-and-wait: one INFO outstanding in each direction.
//!
//! ```text
//! sender                                              receiver
//!
//!        next_info                 ACK base             INFO next, room: keep, acknowledge, next + 1
//!  IDLE ----------> OUTSTANDING ----------> IDLE        INFO next, no room: drop
//!                    |      ^               base + 1    INFO before next: acknowledge again
//!            timeout |      | next_info                 INFO elsewhere: drop
//!                    v      | (same number)
//!                     OVERDUE ---- ACK base --> IDLE
//! ```
//!
//! The throughput is one body for each round trip; it needs room for one body in each direction.

use super::{Ack, Acknowledged, Arq, Arrival, Offer, PendingAcks, Rtt, Sending, Timer};
use crate::time::ShortDuration;
use crate::wire::{MAX_BITMAP, Sack, SackDelay};
use crate::{ClockShift, Duration, Instant, Seq};

/// Stop-and-wait, both halves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct StopAndWait {
    base: Seq,
    /// What is known of INFO `base`, if it was sent.
    flight: Option<Flight>,
    /// The time from the first transmission of INFO `base - 1` to its acknowledgement, if nobody knows which transmission
    /// was answered.
    unclear: Option<ShortDuration>,
    next: Seq,
    /// How many numbers before `next` have been received, as far as it matters: a number further back was never received,
    /// whatever it looks like modulo 2^32.
    received: u32,
    told: Told,
}

/// An INFO that was sent and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Flight {
    /// When it was sent for the first time.
    since: Instant,
    /// When to repeat it; `None`: now.
    deadline: Option<Instant>,
    retransmissions: u8,
}

/// What the two sides tell each other of what has arrived.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Told {
    /// Base mode.
    Acks(PendingAcks),
    /// Extended mode.
    Sacks(Sacks),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Sacks {
    /// The peer takes numbers before this one.
    peer_limit: Seq,
    /// What arrived last, and when.
    latest: Seq,
    latest_at: Option<Instant>,
    /// Whether a SACK is to tell of it.
    due: bool,
    /// What the last SACK said our window ends at.
    limit: Seq,
}

impl Default for Told {
    fn default() -> Self {
        Self::Acks(PendingAcks::default())
    }
}

impl Told {
    const fn peer_limit(&self) -> Option<Seq> {
        match self {
            Self::Acks(_) => None,
            Self::Sacks(sacks) => Some(sacks.peer_limit),
        }
    }

    const fn sacks(&mut self) -> Option<&mut Sacks> {
        match self {
            Self::Acks(_) => None,
            Self::Sacks(sacks) => Some(sacks),
        }
    }

    /// INFO `number`, which precedes `next`, has arrived, and is to be acknowledged.
    fn on_arrival(&mut self, now: Instant, number: Seq, next: Seq) {
        match self {
            Self::Acks(acks) => acks.owe(number, next),
            Self::Sacks(sacks) => (sacks.latest, sacks.latest_at, sacks.due) = (number, Some(now), true),
        }
    }
}

impl Sacks {
    /// The peer takes numbers before `limit`, which never moves back.
    fn on_peer_limit(&mut self, limit: Seq) {
        if self.peer_limit.precedes(limit) {
            self.peer_limit = limit;
        }
    }
}

/// The furthest that numbers can lie back and still be told from those ahead.
const HALF_CIRCLE: u32 = 1 << 31;

impl StopAndWait {
    /// Both directions at number 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The peer has received INFO `number`.
    fn on_acknowledged(&mut self, now: Instant, number: Seq, rtt: &mut Rtt) -> Acknowledged {
        if number.precedes(self.base) {
            // A second acknowledgement: both transmissions arrived, so the first was answered first, and the timeout had
            // been too short. Without this sample it would stay so for ever, every INFO being sent twice (RFC 3522 finds
            // the same by timestamps).
            if let Some(round_trip) = self.unclear.take_if(|_| number.next() == self.base) {
                rtt.sample(round_trip.get());
            }
            return Acknowledged::Old;
        }
        if number != self.base {
            return Acknowledged::NeverSent;
        }
        let Some(Flight { since, retransmissions, .. }) = self.flight.take() else { return Acknowledged::NeverSent };
        let round_trip = now.saturating_since(since);
        self.unclear = (retransmissions > 0).then_some(ShortDuration::new(round_trip));
        if retransmissions == 0 {
            rtt.sample(round_trip);
        }
        self.base = self.base.next();
        Acknowledged::New
    }

    /// Its bitmap has nothing to tell: nothing is outstanding but `base`.
    fn handle_sack(&mut self, now: Instant, sack: &Sack<'_>, rtt: &mut Rtt) -> Acknowledged {
        let sent = if self.flight.is_none() { self.base } else { self.base.next() };
        let never_sent = |number: Seq| sent.precedes(number);
        if never_sent(sack.next) || sack.highest().is_some_and(|number| never_sent(number.next())) {
            return Acknowledged::NeverSent;
        }
        if let Some(sacks) = self.told.sacks() {
            sacks.on_peer_limit(sack.next.add(sack.window));
        }
        if sack.next != self.base.next() {
            return Acknowledged::Old;
        }
        // The sample comes without the time that the peer took.
        self.on_acknowledged(now - sack.delay.duration().unwrap_or_default(), self.base, rtt)
    }
}

impl Arq for StopAndWait {
    fn base(&self) -> Seq {
        self.base
    }

    fn next_info(&self, _now: Instant, end: Seq) -> Option<Seq> {
        match self.flight {
            None => (self.base != end && self.told.peer_limit() != Some(self.base)).then_some(self.base),
            Some(flight) => flight.deadline.is_none().then_some(self.base),
        }
    }

    fn on_info_sent(&mut self, sending: Sending, rtt: &mut Rtt) -> bool {
        let Sending { now, number, .. } = sending;
        if number != self.base {
            return false;
        }
        let (since, retransmissions) = match self.flight {
            None => (now, 0),
            Some(flight) => (flight.since, flight.retransmissions.saturating_add(1)),
        };
        let deadline = Some(rtt.deadline(now, retransmissions, Duration::MAX));
        self.flight = Some(Flight { since, deadline, retransmissions });
        retransmissions > 0
    }

    fn handle_ack(&mut self, now: Instant, ack: &Ack<'_>, rtt: &mut Rtt) -> Acknowledged {
        match ack {
            Ack::Single(number) => self.on_acknowledged(now, *number, rtt),
            Ack::Selective(sack) => self.handle_sack(now, sack, rtt),
        }
    }

    fn start_extended(&mut self, peer_limit: Seq) {
        match &mut self.told {
            Told::Acks(_) => {
                // The handshake has told the peer that one number is taken.
                let limit = self.next.next();
                let (latest, latest_at, due) = (self.next, None, false);
                self.told = Told::Sacks(Sacks { peer_limit, latest, latest_at, due, limit });
            }
            Told::Sacks(sacks) => sacks.on_peer_limit(peer_limit),
        }
    }

    fn is_stopped(&self, end: Seq) -> bool {
        self.flight.is_none() && self.base != end && self.told.peer_limit() == Some(self.base)
    }

    fn handle_timeout(&mut self, now: Instant, _rtt: &Rtt) -> bool {
        let deadline = self.flight.as_mut().map(|flight| &mut flight.deadline);
        deadline.is_some_and(|deadline| deadline.take_if(|at| *at <= now).is_some())
    }

    #[inline]
    fn deadline(&self, timer: Timer, _end: Seq) -> Option<Instant> {
        match timer {
            Timer::Retransmission => self.flight.and_then(|flight| flight.deadline),
            Timer::Reordering | Timer::TailLossProbe | Timer::Pacing => None,
        }
    }

    fn next(&self) -> Seq {
        self.next
    }

    fn places(&self) -> u32 {
        1
    }

    fn handle_info(&mut self, now: Instant, number: Seq, offer: Offer) -> Arrival {
        if number == self.next {
            if !offer.fits || offer.limit == number {
                return Arrival::NoRoom;
            }
            if let Told::Acks(acks) = &mut self.told {
                acks.advance(self.next);
            }
            self.next = self.next.next();
            self.told.on_arrival(now, number, self.next);
            self.received = self.received.saturating_add(1).min(HALF_CIRCLE);
            return Arrival::Next;
        }
        if self.next.distance_from(number) > self.received {
            return Arrival::BeyondWindow;
        }
        // Acknowledged again, however old: when the first acknowledgement was lost, the peer would repeat it for ever.
        self.told.on_arrival(now, number, self.next);
        Arrival::Old
    }

    fn request_ack(&mut self) {
        if let Some(sacks) = self.told.sacks() {
            sacks.due = true;
        }
    }

    #[inline]
    fn ack_at(&self, limit: Seq) -> Option<Instant> {
        let is_due = match &self.told {
            Told::Acks(acks) => acks.first(self.next).is_some(),
            // Where the window opens from 0 the peer waits to hear of it.
            Told::Sacks(sacks) => sacks.due || (sacks.limit == self.next && limit != self.next),
        };
        is_due.then_some(Instant::ZERO)
    }

    fn ack<'b>(&self, now: Instant, limit: Seq, _bitmap: &'b mut [u8; MAX_BITMAP]) -> Option<Ack<'b>> {
        match &self.told {
            Told::Acks(acks) => acks.first(self.next).map(Ack::Single),
            Told::Sacks(sacks) => {
                let since = |at| SackDelay::from_duration(now.saturating_since(at));
                Some(Ack::Selective(Sack {
                    next: self.next,
                    window: limit.distance_from(self.next).min(self.places()),
                    latest: sacks.latest_at.map_or(self.next, |_| sacks.latest),
                    delay: sacks.latest_at.map_or(SackDelay::NO_SAMPLE, since),
                    base: self.next,
                    bitmap: &[],
                }))
            }
        }
    }

    fn on_ack_sent(&mut self, limit: Seq) {
        match &mut self.told {
            Told::Acks(acks) => {
                if let Some(number) = acks.first(self.next) {
                    acks.clear(number, self.next);
                }
            }
            Told::Sacks(sacks) => (sacks.due, sacks.limit) = (false, limit),
        }
    }

    fn rebase(&mut self, shift: ClockShift) {
        if let Some(flight) = &mut self.flight {
            flight.since = shift.apply(flight.since);
            flight.deadline = shift.deadline(flight.deadline);
        }
        if let Some(sacks) = self.told.sacks() {
            sacks.latest_at = sacks.latest_at.map(|at| shift.aged(at, SackDelay::TOO_LONG));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Jitter;
    use super::*;

    const ONE: Seq = Seq::new(1);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn rtt() -> Rtt {
        Rtt::new(Duration::from_secs(60), Jitter::new(0))
    }

    fn info(now: Instant, number: Seq) -> Sending {
        Sending { now, number, bytes: 100, end: number.next() }
    }

    fn offer(fits: bool) -> Offer {
        Offer { limit: Seq::new(1_000_000), fits }
    }

    fn next_ack(arq: &StopAndWait) -> Option<Seq> {
        match arq.ack(at(0), Seq::new(1_000_000), &mut [0; MAX_BITMAP])? {
            Ack::Single(number) => Some(number),
            Ack::Selective(_) => None,
        }
    }

    #[test]
    fn one_info_outstanding_then_the_next() {
        let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
        assert_eq!(arq.next_info(at(0), Seq::ZERO), None, "nothing has a body");
        assert_eq!(arq.next_info(at(0), ONE.next()), Some(Seq::ZERO));
        assert!(!arq.on_info_sent(info(at(0), Seq::ZERO), &mut rtt));
        assert_eq!(arq.next_info(at(0), ONE.next()), None);
        assert_eq!(arq.handle_ack(at(40), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::New);
        assert_eq!(rtt.srtt(), Some(Duration::from_millis(40)));
        assert_eq!(arq.next_info(at(0), ONE.next()), Some(ONE));
    }

    #[test]
    fn a_timeout_repeats_the_same_number_with_doubled_intervals() {
        let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
        let mut now = at(0);
        for doubled in [1_000, 2_000, 4_000] {
            assert_eq!(arq.next_info(at(0), ONE), Some(Seq::ZERO));
            assert_eq!(arq.on_info_sent(info(now, Seq::ZERO), &mut rtt), doubled > 1_000);
            let deadline = arq.poll_timeout(Seq::ZERO).unwrap();
            let interval = deadline.saturating_since(now).as_millis();
            assert!((doubled..=doubled + doubled / 16).contains(&interval), "{interval}");
            assert!(!arq.handle_timeout(deadline - Duration::from_micros(1), &rtt));
            assert!(arq.handle_timeout(deadline, &rtt));
            assert!(!arq.handle_timeout(deadline, &rtt), "once");
            assert_eq!(arq.poll_timeout(Seq::ZERO), None);
            now = deadline;
        }
    }

    #[test]
    fn karn_no_sample_of_what_was_sent_twice() {
        let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
        arq.on_info_sent(info(at(0), Seq::ZERO), &mut rtt);
        let deadline = arq.poll_timeout(Seq::ZERO).unwrap();
        arq.handle_timeout(deadline, &rtt);
        arq.on_info_sent(info(deadline, Seq::ZERO), &mut rtt);
        assert_eq!(arq.handle_ack(deadline, &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::New);
        assert_eq!(rtt.srtt(), None);
    }

    /// A path slower than the timeout was once never measured: each INFO was sent twice, for ever.
    #[test]
    fn two_acknowledgements_of_one_info_tell_that_the_timeout_was_too_short() {
        let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
        arq.on_info_sent(info(at(0), Seq::ZERO), &mut rtt);
        let deadline = arq.poll_timeout(Seq::ZERO).unwrap();
        arq.handle_timeout(deadline, &rtt);
        arq.on_info_sent(info(deadline, Seq::ZERO), &mut rtt);
        assert_eq!(arq.handle_ack(at(1_500), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::New);
        assert_eq!(rtt.srtt(), None);
        assert_eq!(arq.handle_ack(at(2_500), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::Old);
        assert_eq!(rtt.srtt(), Some(Duration::from_millis(1_500)));
        assert_eq!(arq.handle_ack(at(9_000), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::Old, "no second sample");
        assert_eq!(rtt.rto(), Duration::from_millis(1_500 + 3_000));
    }

    #[test]
    fn an_acknowledgement_counts_even_when_the_timer_has_just_expired() {
        let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
        arq.on_info_sent(info(at(0), Seq::ZERO), &mut rtt);
        arq.handle_timeout(arq.poll_timeout(Seq::ZERO).unwrap(), &rtt);
        assert_eq!(arq.handle_ack(at(2_000), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::New);
        assert_eq!(arq.next_info(at(0), ONE), None);
    }

    #[test]
    fn other_acknowledgements_are_told_apart_and_change_nothing() {
        let (mut arq, mut rtt) = (StopAndWait::new(), rtt());
        assert_eq!(arq.handle_ack(at(0), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::NeverSent);
        arq.on_info_sent(info(at(0), Seq::ZERO), &mut rtt);
        arq.handle_ack(at(1), &Ack::Single(Seq::ZERO), &mut rtt);
        arq.on_info_sent(info(at(1), ONE), &mut rtt);
        let before = arq.clone();
        assert_eq!(arq.handle_ack(at(2), &Ack::Single(Seq::ZERO), &mut rtt), Acknowledged::Old);
        assert_eq!(arq.handle_ack(at(2), &Ack::Single(Seq::new(2)), &mut rtt), Acknowledged::NeverSent);
        assert_eq!(arq, before);
    }

    #[test]
    fn the_receiver_acknowledges_what_it_keeps_and_what_it_kept() {
        let mut arq = StopAndWait::new();
        assert_eq!(arq.handle_info(at(0), Seq::ZERO, offer(false)), Arrival::NoRoom);
        assert_eq!(arq.handle_info(at(0), ONE, offer(true)), Arrival::BeyondWindow);
        assert_eq!(next_ack(&arq), None);
        assert_eq!(arq.handle_info(at(0), Seq::ZERO, offer(true)), Arrival::Next);
        assert_eq!(next_ack(&arq), Some(Seq::ZERO));
        arq.on_ack_sent(Seq::new(1_000_000));
        assert_eq!(arq.handle_info(at(0), Seq::ZERO, offer(false)), Arrival::Old);
        assert_eq!(next_ack(&arq), Some(Seq::ZERO), "again, since the first may be lost; that needs no room");
    }

    #[test]
    fn a_number_before_the_first_was_never_received() {
        let mut arq = StopAndWait::new();
        arq.handle_info(at(0), Seq::ZERO, offer(true));
        arq.on_ack_sent(Seq::new(1_000_000));
        assert_eq!(arq.handle_info(at(0), Seq::new(u32::MAX), offer(true)), Arrival::BeyondWindow);
        assert_eq!(next_ack(&arq), None);
    }

    #[test]
    fn numbers_wrap() {
        let last = Seq::new(u32::MAX);
        let (mut arq, mut rtt) = (StopAndWait { base: last, next: last, received: 9, ..StopAndWait::new() }, rtt());
        arq.on_info_sent(info(at(0), last), &mut rtt);
        assert_eq!(arq.handle_ack(at(1), &Ack::Single(last), &mut rtt), Acknowledged::New);
        assert_eq!(arq.base(), Seq::ZERO);
        assert_eq!(arq.handle_ack(at(1), &Ack::Single(last), &mut rtt), Acknowledged::Old);
        assert_eq!(arq.handle_info(at(0), last, offer(true)), Arrival::Next);
        assert_eq!(arq.next(), Seq::ZERO);
        assert_eq!(arq.handle_info(at(0), last, offer(true)), Arrival::Old);
    }
}
