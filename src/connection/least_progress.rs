//! The least progress of a peer: a peer that only keeps the connection alive does not hold its place for ever.
//!
//! ```text
//!           data acknowledged or read within `first`        FIN leaves
//!  FIRST --------------------------------------> TRANSFER ------------> CLOSING
//!    |                                      at least `least` bytes         |
//!    v                                        in each `span`               v
//!  too late: the connection ends as Stalled <------------------- not ended within `close`
//! ```
//!
//! Any packet restarts the idle limit, so it finds silent peers only.

use crate::timing::Limit;
use crate::{ClockShift, Duration, Instant};

/// Limits on the time that a peer may take without progress. All are off by default.
///
/// Progress is data of this side that the peer acknowledges, and data of the peer that the application reads. Other
/// packets are none. At a limit the connection ends as [`Stalled`](super::CloseReason::Stalled), and in extended mode
/// the peer gets RESET. `Duration::MAX` disables a limit. Limits are rounded up to whole milliseconds.
///
/// A server whose places are scarce sets all of them. While it works for a client itself, it calls
/// [`note_progress`](super::Connection::note_progress).
///
/// ```
/// use rdt_proto::Duration;
/// use rdt_proto::connection::{Config, ProgressLimits};
///
/// let progress = ProgressLimits {
///     first: Duration::from_secs(10),
///     span: Duration::from_secs(60),
///     least: 1_024,
///     close: Duration::from_secs(15),
/// };
/// let config = Config { progress, ..Config::new() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProgressLimits {
    /// The time from the handshake to the first data.
    pub first: Duration,
    /// The time in which [`least`](Self::least) bytes of progress are due, over and over after the first data.
    pub span: Duration,
    /// The bytes that each [`span`](Self::span) needs. Acknowledged datagrams count with their headers. 0 counts as 1.
    pub least: u32,
    /// The time from the first FIN of this side to the end of the connection.
    pub close: Duration,
}

impl ProgressLimits {
    /// No limits.
    pub const OFF: Self = Self { first: Duration::MAX, span: Duration::MAX, least: 1, close: Duration::MAX };
}

impl Default for ProgressLimits {
    fn default() -> Self {
        Self::OFF
    }
}

/// The same limits in little memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LeastProgress {
    first: Limit,
    span: Limit,
    close: Limit,
    least: u32,
}

impl LeastProgress {
    pub(super) fn new(limits: &ProgressLimits) -> Self {
        let ProgressLimits { first, span, least, close } = *limits;
        let [first, span, close] = [first, span, close].map(Limit::new);
        Self { first, span, close, least: least.max(1) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    First,
    Transfer,
    Closing,
}

/// The progress of an established connection in the present span.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Span {
    phase: Phase,
    since: Instant,
    /// The bytes acknowledged since the start of the connection with which the span has made its progress. Bytes that
    /// the application reads lower it. 0 if no span is limited.
    goal: u64,
}

impl Span {
    /// The span that begins when the handshake is complete. `delivered` are the bytes acknowledged so far.
    pub(super) fn new(now: Instant, delivered: u64, limits: &LeastProgress) -> Self {
        let mut span = Self { phase: Phase::Transfer, since: Instant::ZERO, goal: 0 };
        if limits.first.is_on() {
            (span.phase, span.since, span.goal) = (Phase::First, now, delivered.saturating_add(1));
        } else {
            span.restart(now, delivered, limits);
        }
        span
    }

    /// Starts another span, because the present one has made its progress.
    pub(super) fn restart(&mut self, now: Instant, delivered: u64, limits: &LeastProgress) {
        match self.phase {
            Phase::Closing => {}
            Phase::First | Phase::Transfer => {
                self.phase = Phase::Transfer;
                if limits.span.is_on() {
                    (self.since, self.goal) = (now, delivered.saturating_add(limits.least.into()));
                }
            }
        }
    }

    /// Records that the application has read `count` bytes.
    pub(super) const fn on_read(&mut self, count: usize) {
        self.goal = self.goal.saturating_sub(count as u64);
    }

    /// Records that FIN has left.
    pub(super) fn on_fin_sent(&mut self, now: Instant, limits: &LeastProgress) {
        if self.phase != Phase::Closing {
            (self.phase, self.since) = (Phase::Closing, if limits.close.is_on() { now } else { Instant::ZERO });
        }
    }

    /// When the progress is due.
    pub(super) fn deadline(&self, limits: &LeastProgress) -> Option<Instant> {
        let limit = match self.phase {
            Phase::First => limits.first,
            Phase::Transfer => limits.span,
            Phase::Closing => limits.close,
        };
        limit.expiry(self.since)
    }

    /// Whether the peer has made too little progress. Otherwise the next span begins if this one is over.
    pub(super) fn is_stalled(&mut self, now: Instant, delivered: impl Fn() -> u64, limits: &LeastProgress) -> bool {
        if self.deadline(limits).is_none_or(|end| end > now) {
            return false;
        }
        let delivered = delivered();
        if self.phase == Phase::Closing || delivered < self.goal {
            return true;
        }
        self.restart(now, delivered, limits);
        false
    }

    pub(super) fn rebase(&mut self, shift: ClockShift, limits: &LeastProgress) {
        if self.deadline(limits).is_some() {
            self.since = shift.apply(self.since);
        }
    }
}
