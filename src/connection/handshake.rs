//! The handshake.
//!
//! ```text
//! client                                              server
//! CONNECTING -- CONNECT, repeated ----------------->  (backlog, accept)
//!      |     <- CONNACK, repeated, and for each    -- CONFIRMING
//!      v        further CONNECT                          |
//! ESTABLISHED - INFO 0, repeated like any INFO ----->    v
//!            <- ACK 0 ------------------------------- ESTABLISHED
//! ```
//!
//! In extended mode a server repeats CONNACK only in answer to CONNECT. Until the client is confirmed, the server sends
//! no more bytes than it has received.
//!
//! A server may answer CONNECT with RETRY and keep no state. The client then sends CONNECT with the cookie of the
//! RETRY. The cookie shows that the client receives at its address.

use crate::time::ShortDuration;
use crate::timing::{RetransmitTimer, Rtt, Timer, expiry, longest_opening_interval};
use crate::wire::MAX_COOKIE;
use crate::{ClockShift, Duration, Instant};
use bitflags::bitflags;
use heapless::Vec;

/// The handshake of one side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handshake {
    /// The timer of CONNECT at a client, of CONNACK at a server, as flat fields, which take less memory: see
    /// [`RetransmitTimer::into_parts`].
    deadline: Option<Instant>,
    due: bool,
    sent: u8,
    /// The longest interval between two transmissions.
    longest: ShortDuration,
    /// When the handshake limit expires.
    expiry: Option<Instant>,
    /// When a client that prefers extended mode accepts the base-mode answer that has arrived.
    fall_back: Option<Instant>,
    /// The cookie of the last RETRY that the client followed; empty before the first RETRY.
    cookie: Vec<u8, MAX_COOKIE, u8>,
    marks: Marks,
}

bitflags! {
    /// What has happened in a handshake.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct Marks: u8 {
        /// The application has closed the outgoing direction.
        const CLOSES = 1;
        /// The client has followed a second RETRY, its last: the server may no longer accept the cookie of the first,
        /// for example after a change of its key.
        const RETRIED_TWICE = 1 << 1;
    }
}

impl Handshake {
    /// Starts in CONNECTING or CONFIRMING: CONNECT or CONNACK is due, and the limit runs.
    pub(crate) fn new(now: Instant, limit: Duration) -> Self {
        Self {
            deadline: None,
            due: true,
            sent: 0,
            longest: ShortDuration::new(longest_opening_interval(limit)),
            expiry: expiry(now, limit),
            fall_back: None,
            cookie: Vec::new(),
            marks: Marks::empty(),
        }
    }

    pub(crate) fn close(&mut self) {
        self.marks.insert(Marks::CLOSES);
    }

    pub(crate) const fn closes(&self) -> bool {
        self.marks.contains(Marks::CLOSES)
    }

    /// Handles a CONNECT while CONFIRMING: CONNACK is due again, since the client may not have received it.
    pub(crate) fn on_connect(&mut self) {
        (self.deadline, self.due) = (None, true);
    }

    /// Handles a RETRY while CONNECTING. Returns whether the client follows it.
    ///
    /// If so, CONNECT is due again with this cookie, and the backoff starts over.
    pub(crate) fn on_retry(&mut self, cookie: &[u8]) -> bool {
        // A RETRY that arrives before CONNECT is sent belongs to an earlier connection.
        if cookie.len() > MAX_COOKIE || self.sent == 0 || self.marks.contains(Marks::RETRIED_TWICE) {
            return false;
        }
        self.marks.set(Marks::RETRIED_TWICE, !self.cookie.is_empty());
        self.cookie.clear();
        let _fits = self.cookie.extend_from_slice(cookie);
        (self.deadline, self.due, self.sent) = (None, true, 0);
        // RETRY exists only in extended mode. A base-mode answer therefore did not come from this server.
        self.fall_back = None;
        true
    }

    /// The cookie that CONNECT carries; `None` before the first RETRY.
    pub(crate) fn cookie(&self) -> Option<&[u8]> {
        Some(self.cookie.as_slice()).filter(|cookie| !cookie.is_empty())
    }

    /// Handles a base-mode answer, which is accepted at the time `at`. Further answers do not change that time.
    pub(crate) fn fall_back_at(&mut self, at: Instant) {
        self.fall_back.get_or_insert(at);
    }

    /// Whether a base-mode answer is accepted at `now`.
    pub(crate) fn falls_back(&self, now: Instant) -> bool {
        self.fall_back.is_some_and(|at| at <= now)
    }

    /// Records that the packet was sent. No timer repeats it (CONNACK in extended mode).
    pub(crate) fn on_sent_once(&mut self) {
        self.update(RetransmitTimer::on_sent_once);
    }

    pub(crate) fn is_due(&self) -> bool {
        self.due
    }

    /// The number of transmissions of the packet, since the last RETRY if one was followed.
    pub(crate) const fn sent(&self) -> u8 {
        self.sent
    }

    /// Records that the packet was sent. A timer repeats it.
    pub(crate) fn on_sent(&mut self, now: Instant, rtt: &mut Rtt) {
        let longest = self.longest;
        self.update(|timer| timer.back_off(rtt, now, longest));
    }

    /// Whether the handshake limit has expired.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.expiry.is_some_and(|expiry| expiry <= now)
    }

    /// Handles the retransmission timer. Returns whether it had expired.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.update(|timer| timer.handle_timeout(now))
    }

    fn update<R>(&mut self, change: impl FnOnce(&mut RetransmitTimer) -> R) -> R {
        let mut timer = RetransmitTimer::from_parts(self.deadline, self.due, self.sent);
        let result = change(&mut timer);
        (self.deadline, self.due, self.sent) = timer.into_parts();
        result
    }

    /// Calls `visit` with each deadline.
    pub(crate) fn for_each_deadline(&self, mut visit: impl FnMut(Timer, Instant)) {
        if let Some(at) = self.expiry {
            visit(Timer::Handshake, at);
        }
        if let Some(at) = self.deadline {
            visit(Timer::RetransmitHandshake, at);
        }
        if let Some(at) = self.fall_back {
            visit(Timer::FallBack, at);
        }
    }

    pub(crate) fn rebase(&mut self, shift: ClockShift) {
        self.deadline = shift.deadline(self.deadline);
        self.expiry = shift.deadline(self.expiry);
        self.fall_back = shift.deadline(self.fall_back);
    }
}
