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
use heapless::Vec;

/// The maximum number of RETRY packets that a client follows in one handshake.
///
/// The second one is needed if the server no longer accepts the cookie of the first, for example after a change of its
/// key.
const MAX_RETRIES: u8 = 2;

/// The handshake of one side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handshake {
    /// The timer of CONNECT at a client, of CONNACK at a server.
    retransmit: RetransmitTimer,
    /// The longest interval between two transmissions.
    longest: ShortDuration,
    /// When the handshake limit expires.
    expiry: Option<Instant>,
    /// When a client that prefers extended mode accepts the base-mode answer that has arrived.
    fall_back: Option<Instant>,
    /// The cookie of the last RETRY that the client followed; empty before the first RETRY.
    cookie: Vec<u8, MAX_COOKIE, u8>,
    retries: u8,
    /// Whether the application has closed the outgoing direction.
    closes: bool,
}

impl Handshake {
    /// Starts in CONNECTING or CONFIRMING: CONNECT or CONNACK is due, and the limit runs.
    pub(crate) fn new(now: Instant, limit: Duration) -> Self {
        let mut retransmit = RetransmitTimer::default();
        retransmit.request();
        Self {
            retransmit,
            longest: ShortDuration::new(longest_opening_interval(limit)),
            expiry: expiry(now, limit),
            fall_back: None,
            cookie: Vec::new(),
            retries: 0,
            closes: false,
        }
    }

    pub(crate) const fn close(&mut self) {
        self.closes = true;
    }

    pub(crate) const fn closes(&self) -> bool {
        self.closes
    }

    /// Handles a CONNECT while CONFIRMING: CONNACK is due again, since the client may not have received it.
    pub(crate) fn on_connect(&mut self) {
        self.retransmit.request();
    }

    /// Handles a RETRY while CONNECTING. Returns whether the client follows it.
    ///
    /// If so, CONNECT is due again with this cookie, and the backoff starts over.
    pub(crate) fn on_retry(&mut self, cookie: &[u8]) -> bool {
        // A RETRY that arrives before CONNECT is sent belongs to an earlier connection.
        if cookie.len() > MAX_COOKIE || self.retransmit.sent() == 0 || self.retries >= MAX_RETRIES {
            return false;
        }
        self.cookie.clear();
        let _fits = self.cookie.extend_from_slice(cookie);
        self.retries += 1;
        self.retransmit = RetransmitTimer::default();
        self.retransmit.request();
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
        self.retransmit.on_sent_once();
    }

    pub(crate) fn is_due(&self) -> bool {
        self.retransmit.is_due()
    }

    /// The number of transmissions of the packet, since the last RETRY if one was followed.
    pub(crate) const fn sent(&self) -> u8 {
        self.retransmit.sent()
    }

    /// Records that the packet was sent. A timer repeats it.
    pub(crate) fn on_sent(&mut self, now: Instant, rtt: &mut Rtt) {
        self.retransmit.back_off(rtt, now, self.longest);
    }

    /// Whether the handshake limit has expired.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.expiry.is_some_and(|expiry| expiry <= now)
    }

    /// Handles the retransmission timer. Returns whether it had expired.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.retransmit.handle_timeout(now)
    }

    /// Calls `visit` with each deadline.
    pub(crate) fn for_each_deadline(&self, mut visit: impl FnMut(Timer, Instant)) {
        if let Some(at) = self.expiry {
            visit(Timer::Handshake, at);
        }
        if let Some(at) = self.retransmit.deadline() {
            visit(Timer::RetransmitHandshake, at);
        }
        if let Some(at) = self.fall_back {
            visit(Timer::FallBack, at);
        }
    }

    pub(crate) fn rebase(&mut self, shift: ClockShift) {
        self.retransmit.rebase(shift);
        self.expiry = shift.deadline(self.expiry);
        self.fall_back = shift.deadline(self.fall_back);
    }
}
