//! The sender: which number to send now.
//!
//! ```text
//!              next_info            ACK, SACK
//! (queued) --------------> IN FLIGHT --------> settled
//!                           ^     | RACK: sent before something acknowledged; or the RTO expired
//!                 next_info |     v
//!                            LOST  ----------> settled (it was only late)
//! ```
//!
//! What is in flight may be sent again there, as a probe or [in advance](super::advance).
//!
//! Numbers in flight are listed in the order of sending, so what RACK judges is always at the front: those sent for the first
//! time in one list, those sent again in another. Lost numbers are listed in the order in which they are to be sent again.
//! Every operation is O(1) for each number that it settles or judges.

use super::BITMAP_NUMBERS;
use super::advance::Advance;
use super::block::{Block, Sent, State};
use super::rack::{Rack, Transmission};
use super::window::{List, Window};
use crate::arq::{Rtt, Sending};
use crate::congestion::{Congestion, Loss, Pacer};
use crate::{ClockShift, Duration, Instant, Seq};

/// The sending half.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sender<C> {
    /// The lowest number not acknowledged.
    pub(super) base: Seq,
    /// The lowest number never sent.
    pub(super) next: Seq,
    /// Extended mode: the peer takes numbers before this one. In base mode what it does not take is lost.
    pub(super) limit: Option<Seq>,
    /// What is on its way for the first time, and what was sent before.
    pub(super) flight: List,
    pub(super) again: List,
    pub(super) lost: List,
    pub(super) advance: Advance,
    pub(super) in_flight: u64,
    /// Numbers from `base` on that have been acknowledged.
    pub(super) ahead: u32,
    pub(super) delivered: u64,
    pub(super) rack: Rack,
    /// The recovery lasts until this number is acknowledged.
    pub(super) recovery_end: Option<Seq>,
    pub(super) timers: Timers,
    /// When the current round began: it ends when something sent since is acknowledged.
    pub(super) round_start: Instant,
    /// When anything left last.
    pub(super) last_sent: Instant,
    pub(super) app_limited: bool,
    pub(super) congestion: C,
    pub(super) pacer: Pacer,
    pub(super) spurious: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Timers {
    /// The first in flight that RACK will judge lost.
    reordering: Option<Instant>,
    /// RFC 8985 §7: the tail loss probe.
    probe: Option<Instant>,
    probe_due: bool,
    /// One was sent and nothing new was acknowledged since: no further one.
    probed: bool,
    retransmission: Option<Instant>,
    backoff: u8,
}

impl<C: Congestion> Sender<C> {
    pub(super) fn new(congestion: C, mut pacer: Pacer) -> Self {
        pacer.update_rate(Instant::ZERO, congestion.pacing_rate());
        Self {
            base: Seq::ZERO,
            next: Seq::ZERO,
            limit: None,
            flight: List::default(),
            again: List::default(),
            lost: List::default(),
            advance: Advance::default(),
            in_flight: 0,
            ahead: 0,
            delivered: 0,
            rack: Rack::default(),
            recovery_end: None,
            timers: Timers::default(),
            round_start: Instant::ZERO,
            last_sent: Instant::ZERO,
            app_limited: false,
            congestion,
            pacer,
            spurious: 0,
        }
    }

    /// The peer takes numbers before `limit`; that never moves back.
    pub(super) fn on_limit(&mut self, limit: Seq) {
        if self.limit.is_none_or(|known| known.precedes(limit)) {
            self.limit = Some(limit);
        }
    }

    /// Whether only the peer's window holds back what there is to send, and nothing is on its way that could open it.
    pub(super) fn is_stopped(&self, end: Seq) -> bool {
        self.limit == Some(self.next) && self.next != end && self.outstanding() == 0 && self.lost.len() == 0
    }

    /// How many numbers are in flight.
    pub(super) const fn outstanding(&self) -> u32 {
        self.flight.len() + self.again.len()
    }

    /// What is to be sent, and from when on, pacing aside. What is due `now` goes before what is due later.
    fn candidate<M>(&self, window: &Window<M>, now: Instant, end: Seq) -> Option<(Seq, Instant)>
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let at_once = |number| (number, Instant::ZERO);
        let fresh = || self.may_be_fresh(window, end).then_some(self.next);
        let lost = self.first_lost(window);
        // RFC 8985 §7.3: a probe is new data if there is any, otherwise what was sent last, whatever is in flight.
        if self.timers.probe_due {
            return lost.or_else(fresh).or_else(|| self.sent_last(window)).map(at_once);
        }
        if self.in_flight >= self.congestion.window() {
            return None;
        }
        let twin = self.twin(window, lost);
        if twin.is_some_and(|(_, at)| at <= now) {
            return twin;
        }
        let other = lost.or_else(fresh).map(at_once).or_else(|| self.while_idle(window, end));
        [twin, other].into_iter().flatten().min_by_key(|&(_, at)| at)
    }

    /// Most of the time: nothing is lost, and nothing to be sent twice.
    pub(super) fn is_undisturbed(&self) -> bool {
        self.lost.len() == 0 && self.advance.is_idle() && !self.timers.probe_due
    }

    /// Whether there is something new that the windows allow.
    fn may_be_fresh<M>(&self, window: &Window<M>, end: Seq) -> bool
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let span = self.next.distance_from(self.base);
        self.next != end && self.limit != Some(self.next) && span < window.places()
    }

    fn sent_last<M>(&self, window: &Window<M>) -> Option<Seq>
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let last = [self.flight.last(), self.again.last()];
        last.into_iter().flatten().max_by_key(|&number| self.sent_at(window.sent(number)))
    }

    /// When it was sent.
    pub(super) fn sent_at(&self, sent: &Sent) -> Instant {
        full_time(self.last_sent, sent.at)
    }

    /// What is to be sent again first. `base` goes before all others: everything waits for it, and a path that only ever
    /// lets the first of a burst through would otherwise never carry it.
    fn first_lost<M>(&self, window: &Window<M>) -> Option<Seq>
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let first = self.lost.first()?;
        Some(if window.sent(self.base).state == State::Lost { self.base } else { first })
    }

    pub(super) fn next_info<M>(&self, window: &Window<M>, now: Instant, end: Seq) -> Option<Seq>
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        if self.is_undisturbed() && self.may_be_fresh(window, end) {
            let allowed = self.in_flight < self.congestion.window() && self.pacer.allows(now, LEAST_CREDIT);
            return allowed.then_some(self.next);
        }
        let (number, at) = self.candidate(window, now, end)?;
        (self.timers.probe_due || at <= now && self.pacer.allows(now, LEAST_CREDIT)).then_some(number)
    }

    /// INFO `number` has left. Returns whether it was a retransmission.
    pub(super) fn on_sent<M>(&mut self, window: &mut Window<M>, info: Sending, rtt: &mut Rtt) -> bool
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let Sending { now, number, bytes, end } = info;
        let (earlier, state) = if number == self.next {
            self.next = self.next.next();
            (0, State::InFlight)
        } else {
            let sent = *window.sent(number);
            let state = match sent.state {
                State::InFlight | State::Probed | State::Again | State::InAdvance => {
                    self.land(window, number, sent);
                    if !self.timers.probe_due {
                        self.advance.on_copy(bytes);
                        State::InAdvance
                    } else if matches!(sent.state, State::InFlight | State::Probed) {
                        State::Probed
                    } else {
                        State::Again
                    }
                }
                State::Lost => {
                    self.lost.remove(window, number, sent);
                    self.advance.on_repeated(now, number, sent.transmissions, bytes);
                    State::Again
                }
                State::Settled => return false,
            };
            (sent.transmissions, state)
        };
        let list = if state == State::InFlight { &mut self.flight } else { &mut self.again };
        let before = list.push(window, number);
        let (at, transmissions) = (low_bits(now), earlier.saturating_add(1));
        *window.sent_mut(number) = Sent { before, after: 0, at, bytes, transmissions, state };
        self.last_sent = now;
        self.in_flight += u64::from(bytes);
        self.congestion.on_sent(now, bytes.into(), self.in_flight);
        self.pacer.on_sent(now, bytes.into());
        self.app_limited |= self.next == end && self.lost.len() == 0 && self.in_flight < self.congestion.window();
        if core::mem::take(&mut self.timers.probe_due) {
            self.timers.probed = true;
            self.timers.retransmission = None;
        }
        self.timers.arm(now, self.outstanding(), rtt);
        earlier > 0
    }

    /// Time has passed. Returns whether the retransmission timer, or that of the probe, expired.
    pub(super) fn handle_timeout<M>(&mut self, window: &mut Window<M>, now: Instant, rtt: &Rtt) -> bool
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        if self.timers.reordering.is_some_and(|at| at <= now) {
            self.detect_losses(window, now, rtt, None);
        }
        if self.timers.retransmission.is_some_and(|at| at <= now) {
            // RFC 8985 §6.3, RFC 6298 §5.4 to §5.6: everything in flight counts as lost, and is sent again as the window
            // allows.
            self.timers = Timers { backoff: self.timers.backoff.saturating_add(1), ..Timers::default() };
            while let Some(number) = self.flight.first().or_else(|| self.again.first()) {
                self.lose(window, number);
            }
            self.recovery_end = Some(self.next);
            self.congestion.on_timeout(now);
            self.pacer.update_rate(now, self.congestion.pacing_rate());
            return true;
        }
        if self.timers.probe.is_some_and(|at| at <= now) {
            self.timers.probe = None;
            self.timers.probe_due = true;
            return true;
        }
        false
    }

    /// RFC 8985 §6.2 step 5. What is lost stands at the front of what is in flight, in both lists. `told`: where the bitmap
    /// begins that has just been heard.
    pub(super) fn detect_losses<M>(&mut self, window: &mut Window<M>, now: Instant, rtt: &Rtt, told: Option<Seq>)
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        self.timers.reordering = None;
        let (mut bytes, mut newest_sent_at) = (0, Instant::ZERO);
        // One bitmap does not reach over all that is in flight or missing: the next one may tell of the rest.
        let is_wide = self.next.distance_from(self.base) > BITMAP_NUMBERS;
        let judge = self.rack.judge(self.ahead, self.recovery_end.is_some(), is_wide, rtt);
        for repeated in [false, true] {
            while let Some(number) = if repeated { self.again.first() } else { self.flight.first() } {
                let sent = window.sent(number);
                let transmission = Transmission { at: full_time(now, sent.at), number };
                let is_told = told.is_some_and(|first| number.distance_from(first) < BITMAP_NUMBERS);
                let Some(at) = judge.and_then(|judge| judge.lost_at(transmission, repeated, is_told)) else { break };
                if at > now {
                    self.timers.reordering = Some(self.timers.reordering.map_or(at, |other| other.min(at)));
                    break;
                }
                bytes += u64::from(sent.bytes);
                newest_sent_at = newest_sent_at.max(transmission.at);
                self.lose(window, number);
            }
        }
        if bytes > 0 {
            self.recovery_end.get_or_insert(self.next);
            self.advance.on_lost(bytes);
            self.congestion.on_lost(&Loss { now, bytes, newest_sent_at, in_flight: self.in_flight });
            self.pacer.update_rate(now, self.congestion.pacing_rate());
        }
    }

    /// Takes `number`, of which `sent` is kept, out of flight.
    pub(super) fn land<M>(&mut self, window: &mut Window<M>, number: Seq, sent: Sent)
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        self.in_flight -= u64::from(sent.bytes);
        let list = if sent.state == State::InFlight { &mut self.flight } else { &mut self.again };
        list.remove(window, number, sent);
        self.advance.cancel(number);
    }

    fn lose<M>(&mut self, window: &mut Window<M>, number: Seq)
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let sent = *window.sent(number);
        self.land(window, number, sent);
        let before = self.lost.push(window, number);
        *window.sent_mut(number) = Sent { before, state: State::Lost, ..sent };
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), or to send what pacing holds back.
    pub(super) fn poll_timeout<M>(&self, window: &Window<M>, end: Seq) -> Option<Instant>
    where
        M: AsRef<[Block]> + AsMut<[Block]>,
    {
        let candidate = self.candidate(window, Instant::ZERO, end);
        let paced = candidate.map(|(_, at)| at.max(self.pacer.ready_at(LEAST_CREDIT)));
        [paced, self.next_timer()].into_iter().flatten().min()
    }

    pub(super) fn next_timer(&self) -> Option<Instant> {
        let Timers { reordering, probe, retransmission, .. } = self.timers;
        [reordering, probe, retransmission].into_iter().flatten().min()
    }
}

impl Timers {
    /// Something has left, or something new was acknowledged.
    pub(super) fn arm(&mut self, now: Instant, in_flight: u32, rtt: &mut Rtt) {
        if in_flight == 0 {
            self.retransmission = None;
            self.probe = None;
            return;
        }
        let retransmission = match self.retransmission {
            Some(at) => at,
            None => *self.retransmission.insert(rtt.deadline(now, self.backoff, Duration::MAX)),
        };
        // RFC 8985 §7.2: PTO = 2 SRTT, and the peer's delay where nothing else in flight makes it answer at once.
        self.probe = match rtt.srtt() {
            Some(srtt) if !self.probed => {
                let delay = if in_flight == 1 { rtt.ack_delay() } else { Duration::ZERO };
                // A round trip that a coarse clock cannot see would have the tail probed at once, with nothing late.
                let at = now + srtt.saturating_mul(2).max(SHORTEST_PROBE).saturating_add(delay);
                (at < retransmission).then_some(at)
            }
            Some(_) | None => None,
        };
    }

    /// Neither a probe nor a timeout waits for its answer.
    pub(super) const fn is_quiet(&self) -> bool {
        self.backoff == 0 && !self.probed && !self.probe_due
    }

    /// RFC 6298 §5.3: something new was acknowledged.
    pub(super) fn restart(&mut self, now: Instant, in_flight: u32, rtt: &mut Rtt) {
        *self = Self { reordering: self.reordering, ..Self::default() };
        self.arm(now, in_flight, rtt);
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        for timer in [&mut self.reordering, &mut self.probe, &mut self.retransmission] {
            *timer = shift.deadline(*timer);
        }
    }
}

/// The granularity of the retransmission timer.
const SHORTEST_PROBE: Duration = Duration::from_millis(1);

/// What pacing must allow for a datagram to leave, whatever its size: the remainder is owed.
pub(super) const LEAST_CREDIT: u32 = 1;

/// A time is kept in 32 bits, which tell 71 minutes apart: much longer than anything stays in flight.
#[allow(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
pub(super) const fn low_bits(at: Instant) -> u32 {
    at.as_micros() as u32
}

/// The time before `now` with these low bits.
pub(super) const fn full_time(now: Instant, low: u32) -> Instant {
    let ago = low_bits(now).wrapping_sub(low);
    Instant::from_micros(now.as_micros().saturating_sub(ago as u64))
}
