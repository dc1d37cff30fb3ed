//! The sender: decides which number to send, and when.
//!
//! ```text
//!                         +-----------------+
//!  ACK, SACK -- settle -->|                 |---> RACK: which numbers in flight are lost
//!                         |   scoreboard    |---> proactive retransmission: which to repeat before their loss is known
//!  INFO sent ------------>|                 |---> timers: when to detect losses, to probe, to time out
//!                         +-----------------+
//!                                 |  bytes in flight, acknowledged, lost
//!                                 v
//!                  congestion controller, pacer: how much, how fast
//! ```
//!
//! The scoreboard alone holds the state of each number. The policies on the right read the scoreboard, and the sender
//! reports events to them. The module `acknowledge` processes acknowledgements, and
//! `losses` the timers and losses.

use super::hold_back::HoldBack;
use super::proactive::{Due, Proactive};
use super::rack::Rack;
use super::request::Request;
use super::scoreboard::{Flight, Memory, Scoreboard, Transmitted};
use super::timers::Timers;
use crate::arq::{ArqSnapshot, Rtt, Sending, Timer};
use crate::congestion::{Congestion, Pacer};
use crate::uncompared::Uncompared;
use crate::wire::AckRequest;
use crate::{ClockShift, Instant, SHORTCUTS, Seq};
use core::num::NonZero;

/// The credit that pacing requires before a datagram of any size leaves. The pacer records the rest as debt.
const ONE_BYTE: u32 = 1;

/// The sending half.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sender<M, C> {
    pub(super) scoreboard: Scoreboard<M>,
    /// The end of the peer's receive window, excluded; `None` in base mode, which has no such window.
    pub(super) limit: Option<Seq>,
    pub(super) request: Request,
    pub(super) proactive: Proactive,
    pub(super) rack: Rack,
    pub(super) timers: Timers,
    pub(super) hold_back: HoldBack,
    /// The recovery ends when every number before this one is acknowledged.
    pub(super) recovery_end: Option<Seq>,
    /// Whether this recovery repeats what left on a path that the peer has left.
    pub(super) repeats_abandoned: bool,
    /// When the current round began. The round ends when a packet sent in it is acknowledged.
    pub(super) round_start: Instant,
    /// Whether the congestion window was not the limit at some time in this round.
    pub(super) app_limited: bool,
    /// Whether no number was lost or unsent when the last packet left.
    pub(super) nothing_follows: bool,
    /// The size of the largest datagram sent since nothing else was outstanding, in bytes; 0 before the first one.
    pub(super) largest_outstanding: u16,
    /// The size of the largest datagram that has given a round-trip time, in bytes. Another path makes it 0.
    pub(super) largest_measured: u16,
    pub(super) congestion: C,
    pacer: Pacer,
    pub(super) counters: Uncompared<Counters>,
}

/// Counters since the start. They saturate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    /// Bytes acknowledged.
    pub(super) delivered: u64,
    /// Numbers declared lost.
    pub(super) lost: u32,
    retransmitted: u32,
    /// Numbers that were declared lost, but were only late.
    pub(super) spurious: u32,
}

impl<M: Memory, C: Congestion> Sender<M, C> {
    pub(super) fn new(memory: M, congestion: C, mut pacer: Pacer) -> Option<Self> {
        if C::may_pace() {
            pacer.update_rate(Instant::ZERO, congestion.pacing_rate());
        }
        Some(Self {
            scoreboard: Scoreboard::new(memory)?,
            limit: None,
            request: Request::new(&congestion),
            proactive: Proactive::default(),
            rack: Rack::default(),
            timers: Timers::default(),
            hold_back: HoldBack::NEVER,
            recovery_end: None,
            repeats_abandoned: false,
            round_start: Instant::ZERO,
            app_limited: false,
            nothing_follows: false,
            largest_outstanding: 0,
            largest_measured: 0,
            congestion,
            pacer,
            counters: Uncompared::default(),
        })
    }

    /// Switches to extended mode. The peer accepts numbers before `limit`, which never decreases.
    pub(super) fn start_extended(&mut self, limit: Seq, rtt: &mut Rtt) {
        self.hold_back.start(rtt);
        self.limit = Some(self.limit.filter(|known| !known.precedes(limit)).unwrap_or(limit));
    }

    /// Records the end of the peer's receive window, which a SACK carries.
    pub(super) fn on_limit(&mut self, limit: Seq) {
        if self.limit.is_some_and(|known| known.precedes(limit)) {
            self.limit = Some(limit);
        }
    }

    /// Whether only the peer's window prevents sending, and no acknowledgement that could open it is outstanding.
    pub(super) fn is_stopped(&self, end: Seq) -> bool {
        let next = self.scoreboard.next();
        self.limit == Some(next) && next != end && self.scoreboard.is_clear() && self.hold_back.unsent().is_none()
    }

    /// The next number to send, and when it is due, without pacing.
    ///
    /// A number that is due `now` comes before one that is due later.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn candidate(&self, now: Instant, end: Seq, is_ready: impl Fn(Seq) -> bool) -> Option<Due> {
        let lost = self.hold_back.next().or_else(|| self.first_repeat()).filter(|&number| is_ready(number));
        let fresh = || self.may_be_fresh(end).then(|| self.fresh(end));
        // RFC 8985 §7.3: a probe carries new data if there is any, otherwise the number sent last. A probe ignores the
        // congestion window. After a timeout, and in base mode, which announces no window, it carries the oldest
        // number: the receiver may have no room for a later one.
        if self.timers.is_probe_due() {
            let oldest = Some(self.scoreboard.base()).filter(|&base| base != self.scoreboard.next() && is_ready(base));
            return oldest
                .filter(|_| self.limit.is_none() || self.timers.is_silent())
                .or(lost)
                .or_else(fresh)
                .or_else(|| self.hold_back.unsent().or_else(|| self.sent_last()).filter(|&number| is_ready(number)))
                .map(Due::at_once);
        }
        let window = self.congestion.window();
        if self.scoreboard.in_flight() >= window {
            return None;
        }
        let is_quiet = self.timers.is_quiet();
        let duplicate = self.proactive.duplicate(&self.scoreboard, lost).filter(|due| is_quiet && is_ready(due.number));
        if duplicate.is_some_and(|due| due.at <= now) {
            return duplicate;
        }
        let idle = || if is_quiet { self.proactive.while_idle(&self.scoreboard, window, end) } else { None };
        let other = lost.or_else(fresh).map(Due::at_once).or_else(|| self.held(end)).or_else(idle);
        let other = other.filter(|due| !due.number.precedes(self.scoreboard.next()) || is_ready(due.number));
        Due::first(duplicate, other)
    }

    /// Whether no number is lost and neither a duplicate nor a probe is scheduled: the common case.
    fn is_undisturbed(&self) -> bool {
        let next = self.hold_back.next();
        next.is_none() && self.scoreboard.lost() == 0 && self.proactive.is_idle() && !self.timers.is_probe_due()
    }

    /// The number in flight that was sent last.
    fn sent_last(&self) -> Option<Seq> {
        let original = self.scoreboard.newest(Flight::Originals);
        let Some(again) = self.scoreboard.newest(Flight::Retransmissions) else { return original };
        let sent_at = |number| self.scoreboard.record(number).sent_at;
        Some(original.filter(|&original| sent_at(original) > sent_at(again)).unwrap_or(again))
    }

    pub(super) fn next_info(&self, now: Instant, end: Seq, is_ready: impl Fn(Seq) -> bool) -> Option<Seq> {
        if SHORTCUTS && self.is_undisturbed() && self.may_be_fresh(end) {
            return (self.has_room() && self.allows(now)).then(|| self.fresh(end));
        }
        let due = self.candidate(now, end, is_ready)?;
        let may_leave = self.timers.is_probe_due() || due.at <= now && self.allows(now);
        may_leave.then_some(due.number)
    }

    /// What `info`, which is about to leave, asks of the peer, or the last of the `count` that leave together.
    pub(super) fn request(&self, info: &Sending, count: u32) -> AckRequest {
        let in_flight = self.scoreboard.outstanding().saturating_add(count);
        self.request.usual(in_flight).with_at_once(self.wants_answer(info))
    }

    /// Whether nothing that follows `info` would end the delay of the acknowledgement.
    fn wants_answer(&self, info: &Sending) -> bool {
        if self.timers.is_probe_due() {
            return true;
        }
        let next = self.scoreboard.next();
        let after = if info.number.precedes(next) { next } else { info.number.next() };
        let ends_data = after == info.end;
        // The number may be in flight already.
        if self.scoreboard.outstanding() > 1 || !self.scoreboard.is_alone(info.number) {
            return ends_data && self.scoreboard.lost() <= 1 && self.request.may_ask(info.now);
        }
        ends_data || self.limit == Some(after) || self.congestion.window() <= info.bytes.into()
    }

    /// Records that an INFO has left. Returns whether it was a retransmission.
    pub(super) fn on_sent(&mut self, info: Sending, rtt: &mut Rtt) -> bool {
        let Sending { now, number, counter, bytes, end } = info;
        self.note_size(now, bytes, rtt);
        let is_probe = self.timers.is_probe_due();
        if number == self.scoreboard.next().next() {
            self.hold_back = HoldBack::Held { number: self.scoreboard.hold_back(now, bytes) };
        }
        let transmitted = self.scoreboard.transmitted(now, number, self.key(counter), bytes, is_probe);
        self.hold_back.on_sent(number, self.scoreboard.next(), self.scoreboard.outstanding(), rtt);
        match transmitted {
            Transmitted::Original | Transmitted::HeldBack => {}
            Transmitted::Retransmission { transmissions } => {
                self.proactive.on_retransmitted(now, number, transmissions, bytes);
            }
            Transmitted::Probe => self.proactive.cancel(number),
            Transmitted::Proactive => {
                self.proactive.cancel(number);
                self.proactive.on_sent(bytes);
            }
            Transmitted::Needless => return false,
        }
        let in_flight = self.scoreboard.in_flight();
        self.congestion.on_sent(now, bytes.into(), in_flight);
        self.pace(now, bytes);
        self.note_limit(end);
        self.timers.on_sent(now, self.scoreboard.outstanding(), rtt);
        if self.scoreboard.next() == end {
            self.request.on_end_sent(now);
        }
        let is_again = !matches!(transmitted, Transmitted::Original | Transmitted::HeldBack);
        if is_again {
            self.counters.retransmitted = self.counters.retransmitted.saturating_add(1);
        }
        is_again
    }

    /// Notes the size of datagrams that leave. The first one ends the handshake, whose round trip the controller takes.
    fn note_size(&mut self, now: Instant, bytes: u16, rtt: &Rtt) {
        if let Some((round_trip, bytes)) = rtt.handshake().filter(|_| self.largest_outstanding == 0) {
            self.congestion.on_handshake(now, round_trip, bytes.into());
        }
        let others = if self.scoreboard.outstanding() > 0 { self.largest_outstanding } else { 0 };
        self.largest_outstanding = others.max(bytes);
    }

    /// Notes whether something else than the congestion window limits the sender (RFC 9002 §7.8): the application, the
    /// peer's window, or the scoreboard.
    fn note_limit(&mut self, end: Seq) {
        let has_more = self.may_be_fresh(end) || self.scoreboard.lost() > 0;
        let has_room = self.has_room();
        self.nothing_follows = !has_more && self.hold_back.unsent().is_none();
        self.app_limited |= has_room && !has_more;
        if C::may_pace() {
            self.pacer.set_waiting(has_room && has_more);
        }
    }

    /// Whether the congestion window permits another packet.
    fn has_room(&self) -> bool {
        self.scoreboard.in_flight() < self.congestion.window()
    }

    /// The counter in extended mode. Only extended mode has a window of the peer.
    fn key(&self, counter: u32) -> Option<u32> {
        self.limit.map(|_| counter)
    }

    /// How many new numbers may leave now, each in a datagram of `bytes`.
    ///
    /// The last number that has a body is excluded: only [`on_sent`](Self::on_sent) detects that the application has no
    /// more data.
    pub(super) fn next_run(&self, now: Instant, end: Seq, bytes: u16, most: u32) -> u32 {
        if !self.is_undisturbed() {
            return 0;
        }
        let next = self.scoreboard.next();
        let limit = self.limit.map_or(u32::MAX, |limit| limit.distance_from(next).min(self.hold_back.distance(next)));
        let bodies = end.distance_from(next).saturating_sub(1);
        let most = most.min(bodies).min(self.scoreboard.free_places()).min(limit);
        let room = self.congestion.window().saturating_sub(self.scoreboard.in_flight());
        let most = most.min(u32::try_from(datagrams(room, bytes)).unwrap_or(u32::MAX));
        if C::may_pace() { self.pacer.allows_run(now, bytes.into(), ONE_BYTE, most) } else { most }
    }

    /// Records that `count` new numbers have left, from `first` on.
    pub(super) fn on_run_sent(&mut self, first: Sending, count: u32, rtt: &mut Rtt) {
        let Sending { now, counter, bytes, .. } = first;
        self.note_size(now, bytes, rtt);
        let mut in_flight = self.scoreboard.in_flight();
        self.scoreboard.transmitted_run(now, self.key(counter), bytes, count);
        for _ in 0..count {
            in_flight += u64::from(bytes);
            self.congestion.on_sent(now, bytes.into(), in_flight);
            self.pace(now, bytes);
        }
        self.note_limit(first.end);
        self.timers.arm(now, self.scoreboard.outstanding(), rtt);
    }

    /// When `timer` expires. For pacing: when the next number before `end` may leave.
    #[inline]
    pub(super) fn deadline(&self, timer: Timer, end: Seq, is_ready: impl Fn(Seq) -> bool) -> Option<Instant> {
        match timer {
            Timer::Reordering | Timer::TailLossProbe | Timer::Retransmission => self.timers.deadline(timer),
            Timer::Pacing => {
                let due = self.candidate(Instant::ZERO, end, is_ready)?;
                Some(if C::may_pace() { due.at.max(self.pacer.ready_at(ONE_BYTE)) } else { due.at })
            }
            Timer::Handshake
            | Timer::RetransmitHandshake
            | Timer::FallBack
            | Timer::Persist
            | Timer::KeepAlive
            | Timer::RetransmitFin
            | Timer::Idle
            | Timer::Quiet
            | Timer::Progress
            | Timer::Linger
            | Timer::AckDelay => None,
        }
    }

    /// Whether pacing permits a datagram.
    fn allows(&self, now: Instant) -> bool {
        !C::may_pace() || self.pacer.allows(now, ONE_BYTE)
    }

    /// Records that a datagram of `bytes` has left.
    fn pace(&mut self, now: Instant, bytes: u16) {
        if C::may_pace() {
            self.pacer.on_sent(now, bytes.into());
        }
    }

    /// Reads the rate of the controller after an event.
    pub(super) fn update_rate(&mut self, now: Instant) {
        if C::may_pace() {
            self.pacer.update_rate(now, self.congestion.pacing_rate());
            if !self.has_room() {
                self.pacer.set_waiting(false);
            }
        }
    }

    /// Whether a round-trip time of a datagram of `bytes` tells about the largest datagram in flight.
    ///
    /// On a serial line a small datagram is fast: at 9,600 bit/s 20 bytes take 17 ms, and 1,220 bytes 1 s.
    pub(super) fn is_representative(&self, bytes: u16) -> bool {
        bytes >= self.largest_outstanding / 2
    }

    /// Records that a datagram of `bytes` has given a round-trip time.
    pub(super) fn on_measured(&mut self, bytes: u16) {
        self.largest_measured = self.largest_measured.max(bytes);
    }

    /// Whether the timeout was measured with datagrams about as large as the oldest one.
    ///
    /// Base mode cannot ask the peer, so every timeout counts.
    pub(super) fn trusts_timeout(&self) -> bool {
        let oldest = self.scoreboard.record(self.scoreboard.base()).bytes;
        self.limit.is_none() || self.largest_measured > 0 && self.largest_measured >= oldest / 2
    }

    pub(super) fn snapshot(&self) -> ArqSnapshot {
        let Counters { delivered, lost, retransmitted, spurious } = *self.counters;
        ArqSnapshot {
            in_flight: self.scoreboard.in_flight(),
            window: Some(self.congestion.window()),
            pacing_rate: self.congestion.pacing_rate(),
            delivered,
            lost: lost.into(),
            retransmitted: retransmitted.into(),
            spurious: spurious.into(),
            phase: self.congestion.phase(),
        }
    }

    /// Translates every stored time to another clock.
    pub(super) fn rebase(&mut self, shift: ClockShift) {
        let shift = self.scoreboard.rebase(shift);
        self.rack.rebase(shift);
        self.proactive.rebase(shift);
        self.timers.rebase(shift);
        self.request.rebase(shift);
        self.round_start = shift.sending(self.round_start);
        self.congestion.rebase(shift);
        self.pacer.rebase(shift);
    }
}

/// How many datagrams of `bytes` fit into `room`. The last one may fit only in part.
fn datagrams(room: u64, bytes: u16) -> u64 {
    let bytes = NonZero::new(u64::from(bytes)).unwrap_or(NonZero::<u64>::MIN);
    room / bytes + u64::from(room % bytes != 0)
}
