//! An ideal selective repeat with loss detection by RACK (RFC 8985).
//!
//! Its window of numbers is unlimited, and retransmissions go before new data.

use super::SEGMENT;
use rdt_proto::congestion::{Acknowledgement, Congestion, Controller, Loss, Pacer, RateLimited};
use rdt_proto::{Duration, Instant};
use std::collections::VecDeque;

/// What the sender knows of a transmission.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    InFlight,
    Acknowledged,
    Lost,
}

struct Transmission {
    number: usize,
    sent_at: Instant,
    fate: Fate,
}

/// The sending end of a flow.
pub(crate) struct Sender {
    pub(crate) controller: RateLimited<Controller>,
    pacer: Pacer,
    total: usize,
    next: usize,
    acknowledged: Vec<bool>,
    transmissions: Vec<Transmission>,
    /// The first transmission that may still be in flight.
    first_open: usize,
    /// The transmission that `repeat` inspects next. It has already repeated or skipped all earlier ones.
    next_to_repeat: usize,
    lost: VecDeque<usize>,
    in_flight: u64,
    delivered: u64,
    pub(crate) sent: u64,
    pub(crate) srtt: Duration,
    min_rtt: Duration,
    rtt: Duration,
    newest: Instant,
    round_start: Instant,
    /// The reordering window in quarters of the minimum round-trip time (RFC 8985 §6.2 step 4).
    reordering: u64,
    /// Whether a loss was spurious in this round.
    was_spurious: bool,
    app_limited: bool,
    last_progress: Instant,
    timeouts: u32,
}

impl Sender {
    pub(crate) fn new(controller: RateLimited<Controller>, total: usize, handshake: Duration) -> Self {
        Self {
            controller,
            pacer: Pacer::new(Duration::from_millis(1), SEGMENT),
            total,
            next: 0,
            acknowledged: Vec::new(),
            transmissions: Vec::new(),
            first_open: 0,
            next_to_repeat: 0,
            lost: VecDeque::new(),
            in_flight: 0,
            delivered: 0,
            sent: 0,
            srtt: handshake,
            min_rtt: handshake,
            rtt: handshake,
            newest: Instant::ZERO,
            round_start: Instant::ZERO,
            reordering: 1,
            was_spurious: false,
            app_limited: false,
            last_progress: Instant::ZERO,
            timeouts: 0,
        }
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }

    pub(crate) fn number(&self, transmission: usize) -> usize {
        self.transmissions[transmission].number
    }

    pub(crate) fn handle_sack(&mut self, now: Instant, arrived: &[usize], delay: Duration) {
        let (mut bytes, mut newest, mut spurious) = (0, Instant::ZERO, 0);
        for &index in arrived {
            let transmission = &mut self.transmissions[index];
            let number = transmission.number;
            if transmission.fate == Fate::InFlight {
                self.in_flight -= u64::from(SEGMENT);
            }
            spurious += u64::from(transmission.fate == Fate::Lost);
            transmission.fate = Fate::Acknowledged;
            newest = newest.max(transmission.sent_at);
            if !std::mem::replace(&mut self.acknowledged[number], true) {
                bytes += u64::from(SEGMENT);
            }
        }
        let rtt = now.saturating_since(newest + delay);
        self.rtt = rtt;
        self.min_rtt = self.min_rtt.min(rtt);
        self.srtt = Duration::from_micros((self.srtt.as_micros() * 7 + rtt.as_micros()) / 8);
        self.newest = self.newest.max(newest);
        self.last_progress = now;
        self.timeouts = 0;
        self.delivered += bytes;
        if bytes > 0 {
            let round_ended = newest > self.round_start;
            self.controller.on_acknowledged(&Acknowledgement {
                now,
                bytes,
                newest_sent_at: newest,
                rtt: Some(rtt),
                srtt: self.srtt,
                in_flight: self.in_flight,
                delivered: self.delivered,
                round_ended,
                app_limited: self.app_limited,
            });
            if round_ended {
                self.round_start = now;
                self.app_limited = false;
                self.reordering += u64::from(std::mem::take(&mut self.was_spurious));
            }
        }
        if spurious > 0 {
            self.was_spurious = true;
            self.controller.on_spurious_loss(now, spurious * u64::from(SEGMENT));
        }
        let deadline = now - self.rtt.saturating_add(self.reordering_window());
        self.mark_lost(now, deadline.min(self.newest));
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.in_flight > 0 && self.tail_deadline() <= now {
            self.timeouts += 1;
            self.last_progress = now;
            if self.timeouts >= 3 {
                self.controller.on_timeout(now);
            }
            let deadline = now - self.srtt.saturating_add(self.reordering_window());
            self.mark_lost(now, deadline);
        }
        self.pacer.update_rate(now, self.controller.pacing_rate());
    }

    /// Returns the index of a new transmission, if one may be sent now.
    pub(crate) fn poll_transmit(&mut self, now: Instant) -> Option<usize> {
        self.pacer.update_rate(now, self.controller.pacing_rate());
        if self.in_flight + u64::from(SEGMENT) > self.controller.window().max(u64::from(SEGMENT))
            || !self.pacer.allows(now, SEGMENT)
        {
            return None;
        }
        let Some(number) = self.next_number(now) else {
            self.app_limited = true;
            return None;
        };
        if self.in_flight == 0 {
            self.last_progress = now;
        }
        self.in_flight += u64::from(SEGMENT);
        self.sent += 1;
        self.transmissions.push(Transmission { number, sent_at: now, fate: Fate::InFlight });
        self.pacer.on_sent(now, SEGMENT);
        self.controller.on_sent(now, SEGMENT, self.in_flight);
        Some(self.transmissions.len() - 1)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let tail = (self.in_flight > 0).then(|| self.tail_deadline());
        let may = self.in_flight + u64::from(SEGMENT) <= self.controller.window().max(u64::from(SEGMENT));
        let more = self.next < self.total || !self.lost.is_empty();
        let paced = (may && more).then(|| self.pacer.ready_at(SEGMENT));
        tail.into_iter().chain(paced).min()
    }

    fn next_number(&mut self, now: Instant) -> Option<usize> {
        while let Some(number) = self.lost.pop_front() {
            if !self.acknowledged[number] {
                return Some(number);
            }
        }
        if self.next < self.total {
            self.acknowledged.push(false);
            self.next += 1;
            return Some(self.next - 1);
        }
        self.repeat(now)
    }

    /// Returns the next number to retransmit proactively, once all data has been sent.
    ///
    /// Each unacknowledged number is repeated at most every quarter of a round trip.
    fn repeat(&mut self, now: Instant) -> Option<usize> {
        self.app_limited = true;
        let early = now - Duration::from_micros(self.srtt.as_micros() / 4);
        self.next_to_repeat = self.next_to_repeat.max(self.first_open);
        while let Some(transmission) = self.transmissions.get(self.next_to_repeat) {
            if transmission.sent_at > early {
                return None;
            }
            self.next_to_repeat += 1;
            if !self.acknowledged[transmission.number] {
                return Some(transmission.number);
            }
        }
        None
    }

    /// Marks all transmissions as lost that are in flight and were sent before `deadline`.
    fn mark_lost(&mut self, now: Instant, deadline: Instant) {
        let (mut bytes, mut newest) = (0, Instant::ZERO);
        let mut index = self.first_open;
        while let Some(transmission) = self.transmissions.get_mut(index) {
            if transmission.sent_at >= deadline {
                break;
            }
            if transmission.fate == Fate::InFlight {
                transmission.fate = Fate::Lost;
                bytes += u64::from(SEGMENT);
                newest = transmission.sent_at;
                if !self.acknowledged[transmission.number] {
                    self.lost.push_back(transmission.number);
                }
            }
            index += 1;
            self.first_open = index;
        }
        if bytes > 0 {
            self.in_flight -= bytes;
            let loss = Loss { now, bytes, newest_sent_at: newest, in_flight: self.in_flight };
            self.controller.on_lost(&loss);
        }
    }

    fn reordering_window(&self) -> Duration {
        Duration::from_micros(self.min_rtt.as_micros() / 4).saturating_mul(self.reordering).min(self.srtt)
    }

    fn tail_deadline(&self) -> Instant {
        self.last_progress
            + self.srtt.saturating_mul(3 << self.timeouts.min(5)).saturating_add(Duration::from_millis(10))
    }
}
