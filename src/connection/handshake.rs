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
//! In extended mode a server answers each CONNECT by a CONNACK, and once more after 125 ms if nothing has arrived by
//! then. CONNECT is longer than both. Until the client is confirmed, the server sends no more bytes than it has
//! received. CONNECT carries its number and CONNACK returns it, so that an answer to the first CONNECT gives a sample
//! even if it was repeated meanwhile. An answer to a later one gives none (Karn): the timeout then covers the interval
//! between two.
//!
//! A server may answer CONNECT with RETRY and keep no state. The client then sends CONNECT with the cookie of the
//! RETRY. The cookie shows that the client receives at its address.

use crate::event::Role;
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

/// When a server of extended mode repeats CONNACK: half of the first interval between two CONNECTs.
///
/// On a path with a longer round trip the repeat is needless, but it is the only one.
const CONNACK_INTERVAL: Duration = Duration::from_millis(125);

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
    /// How often another start was asked for: by RETRY at a client, by a repeated CONNECT at a server.
    restarts: u8,
    /// The number of a CONNECT: of the first one since the last RETRY at a client, of the one that arrived last at a
    /// server.
    number: u8,
    /// Whether the application has closed the outgoing direction.
    closes: bool,
}

impl Handshake {
    /// Starts in CONNECTING or CONFIRMING: CONNECT or CONNACK is due, and the limit runs.
    ///
    /// `answers`: the number of the CONNECT that a server of extended mode answers.
    pub(crate) fn new(now: Instant, limit: Duration, answers: Option<u8>) -> Self {
        let mut retransmit = RetransmitTimer::default();
        retransmit.request();
        let longest = answers.map_or_else(|| longest_opening_interval(limit), |_| CONNACK_INTERVAL);
        Self {
            retransmit,
            longest: ShortDuration::new(longest),
            expiry: expiry(now, limit),
            fall_back: None,
            cookie: Vec::new(),
            restarts: 0,
            number: answers.unwrap_or(0),
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
    pub(crate) fn on_connect(&mut self, attempt: u8) {
        self.retransmit.request();
        self.restarts = self.restarts.saturating_add(1);
        self.number = attempt;
    }

    /// Handles a RETRY while CONNECTING. Returns whether the client follows it.
    ///
    /// If so, CONNECT is due again with this cookie, and the backoff starts over.
    pub(crate) fn on_retry(&mut self, cookie: &[u8]) -> bool {
        // A RETRY that arrives before CONNECT is sent belongs to an earlier connection. On a slow path the server
        // answers the repeats of CONNECT too, mostly by the same cookie.
        let is_late = self.retransmit.sent() == 0 || self.restarts >= MAX_RETRIES;
        if is_late || cookie.len() > MAX_COOKIE || cookie == self.cookie.as_slice() {
            return false;
        }
        self.cookie.clear();
        let _fits = self.cookie.extend_from_slice(cookie);
        self.restarts += 1;
        self.number = self.number.wrapping_add(self.retransmit.sent());
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

    /// The number that the next CONNECT carries, or that of the CONNECT which the next CONNACK answers.
    pub(crate) const fn attempt(&self, role: Role) -> u8 {
        match role {
            Role::Client => self.number.wrapping_add(self.retransmit.sent()),
            Role::Server => self.number,
        }
    }

    /// Whether a CONNACK with this number answers the first CONNECT since the start or the last RETRY.
    pub(crate) const fn is_first(&self, attempt: u8) -> bool {
        // A base-mode answer has restarted the wait.
        attempt == self.number && self.fall_back.is_none()
    }

    /// Whether all CONNACKs answered one CONNECT.
    pub(crate) const fn is_first_answer(&self) -> bool {
        self.restarts == 0
    }

    pub(crate) fn is_due(&self) -> bool {
        self.retransmit.is_due()
    }

    /// The number of transmissions of the packet, since the last RETRY if one was followed.
    pub(crate) const fn sent(&self) -> u8 {
        self.retransmit.sent()
    }

    /// Records that the packet was sent. A timer repeats it, if `once` only once for each request.
    pub(crate) fn on_sent(&mut self, now: Instant, once: bool, rtt: &mut Rtt) {
        let is_repeat = self.retransmit.is_overdue();
        self.retransmit.on_sent(rtt.deadline(now, self.retransmit.sent(), self.longest.get()));
        if once && is_repeat {
            self.retransmit.stop();
        }
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
