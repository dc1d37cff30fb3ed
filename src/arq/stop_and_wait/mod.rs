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
//! The throughput is one body per round trip. Each direction needs memory for one body.

mod pending_acks;
mod report;
#[cfg(test)]
mod tests;

pub use pending_acks::PendingAcks;

use super::mechanism::sealed::Sealed;
use super::{Ack, Acknowledged, Arq, ArqSnapshot, Arrival, Bitmap, Offer, ReceivedInfo, Rtt, Sending, Timer};
use crate::arq::ambiguous::SecondAck;
use crate::counts::increase;
use crate::time::ShortDuration;
use crate::uncompared::Uncompared;
use crate::wire::{AckRequest, Sack};
use crate::{ClockShift, Instant, Seq};
use report::Report;

/// Stop-and-wait, both halves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct StopAndWait {
    /// The lowest number not acknowledged.
    base: Seq,
    /// The last transmission of INFO `base`; `None` if it was never sent.
    flight: Option<Flight>,
    /// Timeouts since the last round-trip sample, without those of the INFO in flight (RFC 6298 §5.7).
    backoff: u8,
    /// The lowest number not received.
    next: Seq,
    /// How many numbers before `next` have been received, up to 2^31. A number further back was never received.
    received: u32,
    report: Report,
    counters: Uncompared<Counters>,
}

/// Counters since the start. They saturate.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    /// Bytes acknowledged.
    delivered: u64,
    retransmitted: u32,
    /// INFO packets of which two transmissions arrived.
    spurious: u32,
}

/// An INFO that was sent and is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Flight {
    /// The time of the first transmission.
    since: Instant,
    /// When to repeat the INFO; `None` if the timer has expired, so that a retransmission is due.
    deadline: Option<Instant>,
    /// The time from the first to the last transmission.
    age: ShortDuration,
    /// The counters of the first and the last transmission, in extended mode.
    first_counter: u32,
    last_counter: u32,
    retransmissions: u8,
    /// The size of its datagram in bytes.
    bytes: u16,
}

impl Flight {
    /// When the transmission with this counter left; `None` unless it is the first or the last.
    fn time_of(&self, counter: u32) -> Option<Instant> {
        if counter == self.first_counter {
            Some(self.since)
        } else {
            (counter == self.last_counter).then(|| self.last_sent_at())
        }
    }

    fn last_sent_at(&self) -> Instant {
        self.since + self.age.get()
    }
}

/// The largest distance at which an old number differs from a future one: half of the number space.
const HALF_CIRCLE: u32 = 1 << 31;

impl StopAndWait {
    /// Starts both directions at number 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Processes an ACK of INFO `number` (base mode).
    fn handle_single(&mut self, now: Instant, number: Seq, rtt: &mut Rtt) -> Result<Settled, Acknowledged> {
        if number.precedes(self.base) {
            self.on_second_ack(now, number, rtt);
            return Err(Acknowledged::Old);
        }
        let flight = self.flight.as_ref().filter(|_| number == self.base).ok_or(Acknowledged::NeverSent)?;
        let round_trip = now.short_since(flight.since);
        let times = flight.retransmissions.saturating_add(1);
        self.report.expect_second_ack(now, SecondAck::new(round_trip, flight.age, times));
        // The round trip took at most the time since the first transmission, so the timeout need not be longer.
        let most_backoff = rtt.backoff_for(round_trip);
        Ok(Settled { sample: (times == 1).then_some(round_trip), was_needless: false, most_backoff })
    }

    /// Processes a further ACK of INFO `number` (base mode), which proves that a repeat was needless.
    fn on_second_ack(&mut self, now: Instant, number: Seq, rtt: &mut Rtt) {
        if number.next() != self.base {
            return;
        }
        let Some(round_trip) = self.report.take_second_round_trip(now) else { return };
        rtt.update(round_trip, true);
        self.backoff = 0;
        self.counters.spurious = self.counters.spurious.saturating_add(1);
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.deadline.is_some()) {
            flight.deadline = Some(rtt.deadline_after(flight.retransmissions, flight.last_sent_at()));
        }
    }

    /// Processes a SACK. Only `base` can be outstanding, so the bitmap acknowledges nothing more.
    fn handle_sack(&mut self, now: Instant, sack: &Sack<'_>, rtt: &Rtt) -> Result<Settled, Acknowledged> {
        let sent = if self.flight.is_none() { self.base } else { self.base.next() };
        let never_sent = |number: Seq| sent.precedes(number);
        if never_sent(sack.next) || sack.highest().is_some_and(|number| never_sent(number.next())) {
            return Err(Acknowledged::NeverSent);
        }
        self.report.on_peer_limit(sack.next.add(sack.window));
        if sack.next != self.base.next() {
            return Err(Acknowledged::Old);
        }
        let flight = self.flight.as_ref().ok_or(Acknowledged::NeverSent)?;
        let answers_base = sack.latest == self.base;
        let was_needless = answers_base && flight.retransmissions > 0 && sack.counter != flight.last_counter;
        self.counters.spurious = self.counters.spurious.saturating_add(was_needless.into());
        let sent_at = flight.time_of(sack.counter).filter(|_| answers_base);
        let certain = flight.retransmissions == 0;
        let sample = sent_at.and_then(|at| Some(rtt.without_delay(now.short_since(at), sack.delay.short()?, certain)));
        Ok(Settled { sample, was_needless, most_backoff: u8::MAX })
    }

    /// Moves on to the next number, after the INFO in flight is acknowledged.
    fn pass(&mut self, settled: &Settled, rtt: &mut Rtt) {
        let Some(flight) = &self.flight else { return };
        self.backoff = match settled.sample {
            Some(round_trip) => {
                rtt.update(round_trip, settled.was_needless);
                0
            }
            // RFC 6298 §5.7: without a sample the backoff stays.
            None => self.backoff.saturating_add(flight.retransmissions).min(settled.most_backoff),
        };
        increase(&mut self.counters.delivered, flight.bytes.into());
        self.flight = None;
        self.base = self.base.next();
    }
}

/// What the acknowledgement of the INFO in flight says.
#[derive(Clone, Copy, Debug)]
struct Settled {
    /// Its round-trip time, if it is known which transmission is acknowledged.
    sample: Option<ShortDuration>,
    /// Whether the INFO was repeated needlessly.
    was_needless: bool,
    /// The largest backoff that remains without a sample.
    most_backoff: u8,
}

impl Sealed for StopAndWait {}

impl Arq for StopAndWait {
    const TIMERS: &'static [Timer] = &[Timer::Retransmission];

    fn base(&self) -> Seq {
        self.base
    }

    fn next_ready_info(&self, _now: Instant, end: Seq, is_ready: impl Fn(Seq) -> bool) -> Option<Seq> {
        match self.flight {
            None => (self.base != end && self.report.peer_limit() != Some(self.base)).then_some(self.base),
            Some(flight) => (flight.deadline.is_none() && is_ready(self.base)).then_some(self.base),
        }
    }

    fn next_lost(&self) -> Option<Seq> {
        self.flight.filter(|flight| flight.deadline.is_none()).map(|_| self.base)
    }

    fn lost_before(&self, later: Option<Seq>) -> Option<Seq> {
        self.flight.filter(|_| later.is_none()).map(|_| self.base)
    }

    fn first_unsent(&self) -> Seq {
        self.base.add(self.flight.is_some().into())
    }

    /// No other INFO is ever in flight.
    fn request(&self, _sending: &Sending, _count: u32) -> AckRequest {
        AckRequest::AT_ONCE
    }

    fn on_info_sent(&mut self, sending: Sending, rtt: &mut Rtt) -> bool {
        let Sending { now, number, counter, bytes, .. } = sending;
        if number != self.base {
            return false;
        }
        let is_again = self.flight.is_some();
        let flight = self.flight.get_or_insert(Flight {
            since: now,
            deadline: None,
            age: ShortDuration::ZERO,
            first_counter: counter,
            last_counter: counter,
            retransmissions: 0,
            bytes,
        });
        if is_again {
            flight.age = now.short_since(flight.since);
            flight.retransmissions = flight.retransmissions.saturating_add(1);
            (flight.last_counter, flight.bytes) = (counter, bytes);
        }
        let attempt = self.backoff.saturating_add(flight.retransmissions);
        flight.deadline = Some(rtt.deadline_after(attempt, now));
        self.counters.retransmitted = self.counters.retransmitted.saturating_add(is_again.into());
        is_again
    }

    fn handle_ack(&mut self, now: Instant, ack: &Ack<'_>, rtt: &mut Rtt) -> Acknowledged {
        let settled = match ack {
            Ack::Single(number) => self.handle_single(now, *number, rtt),
            Ack::Selective(sack) => self.handle_sack(now, sack, rtt),
        };
        match settled {
            Ok(settled) => {
                self.pass(&settled, rtt);
                Acknowledged::New
            }
            Err(ignored) => ignored,
        }
    }

    fn start_extended(&mut self, peer_limit: Seq, _rtt: &mut Rtt) {
        self.report.start_extended(self.next, peer_limit);
    }

    fn is_stopped(&self, end: Seq) -> bool {
        self.flight.is_none() && self.base != end && self.report.peer_limit() == Some(self.base)
    }

    fn handle_timeout(&mut self, now: Instant, _rtt: &Rtt) -> bool {
        let deadline = self.flight.as_mut().map(|flight| &mut flight.deadline);
        deadline.is_some_and(|deadline| deadline.take_if(|at| *at <= now).is_some())
    }

    #[inline]
    fn deadline(&self, timer: Timer, _end: Seq, _is_ready: impl Fn(Seq) -> bool) -> Option<Instant> {
        match timer {
            Timer::Retransmission => self.flight.and_then(|flight| flight.deadline),
            Timer::Handshake
            | Timer::RetransmitHandshake
            | Timer::FallBack
            | Timer::Reordering
            | Timer::TailLossProbe
            | Timer::Persist
            | Timer::KeepAlive
            | Timer::RetransmitFin
            | Timer::Idle
            | Timer::Quiet
            | Timer::Progress
            | Timer::Linger
            | Timer::Pacing
            | Timer::AckDelay => None,
        }
    }

    fn is_used(&self) -> bool {
        self.base != Seq::ZERO || self.flight.is_some() || self.next != Seq::ZERO
    }

    fn next(&self) -> Seq {
        self.next
    }

    fn places(&self) -> u32 {
        1
    }

    fn sent_end(&self) -> Seq {
        if self.flight.is_some() { self.base.next() } else { self.base }
    }

    fn handle_info(&mut self, now: Instant, info: ReceivedInfo, offer: Offer) -> Arrival {
        let number = info.number;
        if number == self.next {
            if !offer.fits || offer.limit == number {
                return Arrival::NoRoom;
            }
            self.report.advance(self.next);
            self.next = self.next.next();
            self.report.on_arrival(now, info, self.next);
            self.received = self.received.saturating_add(1).min(HALF_CIRCLE);
            return Arrival::Next;
        }
        if self.next.distance_from(number) > self.received {
            return Arrival::BeyondWindow;
        }
        // Every old number is acknowledged again. If its first acknowledgement was lost, the peer repeats the INFO
        // until an acknowledgement arrives.
        self.report.on_arrival(now, info, self.next);
        Arrival::Old
    }

    fn request_ack(&mut self) {
        self.report.request();
    }

    #[inline]
    fn ack_at(&self, limit: Seq) -> Option<Instant> {
        self.report.is_due(self.next, limit).then_some(Instant::ZERO)
    }

    fn ack<'b>(&self, now: Instant, limit: Seq, _bitmap: &'b mut Bitmap) -> Option<Ack<'b>> {
        self.report.ack(now, self.next, limit)
    }

    fn on_ack_sent(&mut self, limit: Seq) {
        self.report.on_sent(self.next, limit);
    }

    fn delivered(&self) -> u64 {
        self.counters.delivered
    }

    fn probe(&mut self) {
        self.backoff = 0;
        if let Some(flight) = &mut self.flight {
            // Timeouts of the old path say nothing about the new one.
            (flight.deadline, flight.retransmissions) = (None, flight.retransmissions.min(1));
        }
    }

    fn abandon_flight(&mut self, _received: Option<u32>) {
        self.probe();
    }

    fn snapshot(&self) -> ArqSnapshot {
        let Counters { delivered, retransmitted, spurious } = *self.counters;
        // An INFO counts as lost when it is sent again: until then its acknowledgement may only be late.
        let in_flight = match self.flight {
            Some(Flight { deadline: Some(_), bytes, .. }) => bytes.into(),
            Some(Flight { deadline: None, .. }) | None => 0,
        };
        ArqSnapshot {
            in_flight,
            window: None,
            pacing_rate: None,
            delivered,
            lost: retransmitted.into(),
            retransmitted: retransmitted.into(),
            spurious: spurious.into(),
            phase: "stop and wait",
        }
    }

    fn rebase(&mut self, shift: ClockShift) {
        if let Some(flight) = &mut self.flight {
            flight.since = shift.apply(flight.since);
            flight.deadline = shift.deadline(flight.deadline);
        }
        self.report.rebase(shift);
    }
}
