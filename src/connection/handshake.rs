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
//! between two. In base mode only a CONNECT or CONNACK that was sent once gives a sample, and only the linger derives
//! from it.
//!
//! A server may answer CONNECT with RETRY and keep no state. The client then sends CONNECT with the cookie of the
//! RETRY. The cookie shows that the client receives at its address.

use super::HandshakeParameters;
use crate::event::Role;
use crate::time::ShortDuration;
use crate::timing::{Rtt, Timer, expiry, longest_opening_interval};
use crate::wire::{MAX_COOKIE, Tag};
use crate::{ClockShift, Duration, Instant};
use bitflags::bitflags;
use heapless::Vec;

/// When a server of extended mode repeats CONNACK: half of the first interval between two CONNECTs.
///
/// On a path with a longer round trip the repeat is needless, but it is the only one.
const CONNACK_INTERVAL: Duration = Duration::from_millis(125);

/// The length of the longest CONNACK without padding (54 bytes) and of a RESET (14 bytes), in bytes.
const REPEAT_AND_RESET: u16 = 68;

/// The handshake of one side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handshake {
    /// When CONNECT at a client, CONNACK at a server, becomes due; `None` while it is due or no timer repeats it.
    deadline: Option<Instant>,
    /// The longest interval between two transmissions.
    longest: ShortDuration,
    /// When the handshake limit expires.
    expiry: Option<Instant>,
    /// When a client that prefers extended mode accepts the base-mode answer that has arrived.
    fall_back: Option<Instant>,
    /// What the packet carries unread: at a client the cookie of the last RETRY that it followed, at a server the reset
    /// token. Empty if there is none.
    carried: Vec<u8, MAX_COOKIE, u8>,
    /// The number of transmissions of the packet, since the last RETRY if one was followed; saturates.
    sent: u8,
    /// The number of a CONNECT: of the first one since the last RETRY at a client, of the one that arrived last at a
    /// server.
    number: u8,
    marks: Marks,
    /// At a server: the length of the CONNECT that arrived last, in bytes.
    connect_len: u16,
    /// The largest datagram that is known to arrive, if the handshake ends now; 0 if none is. At a server: the length
    /// of the shortest CONNACK, since INFO 0 may answer any.
    shown: u16,
}

bitflags! {
    /// What has happened in a handshake.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct Marks: u8 {
        /// The application has closed the outgoing direction.
        const CLOSES = 1;
        /// The packet is due.
        const DUE = 1 << 1;
        /// The packet is due, and no timer repeats a CONNACK of extended mode after it: its deadline has passed.
        const OVERDUE = 1 << 2;
        /// The client has followed a RETRY, or a further CONNECT has arrived at the server.
        const RESTARTED = 1 << 3;
        /// The client has followed a second RETRY, its last: the server may no longer accept the cookie of the first,
        /// for example after a change of its key.
        const RETRIED_TWICE = 1 << 4;
        /// The socket has refused a large datagram.
        const TOO_LARGE = 1 << 5;
    }
}

impl Handshake {
    /// Starts in CONNECTING or CONFIRMING: CONNECT or CONNACK is due, and the limit runs.
    ///
    /// `answers`: the CONNECT that a server of extended mode answers.
    pub(crate) fn new(now: Instant, limit: Duration, answers: Option<&HandshakeParameters>) -> Self {
        let longest = answers.map_or_else(|| longest_opening_interval(limit), |_| CONNACK_INTERVAL);
        Self {
            deadline: None,
            longest: ShortDuration::new(longest),
            expiry: expiry(now, limit),
            fall_back: None,
            carried: Vec::new(),
            sent: 0,
            number: answers.map_or(0, |connect| connect.attempt),
            marks: Marks::DUE,
            connect_len: answers.map_or(0, |connect| connect.datagram_len),
            shown: 0,
        }
    }

    pub(crate) fn close(&mut self) {
        self.marks.insert(Marks::CLOSES);
    }

    pub(crate) const fn closes(&self) -> bool {
        self.marks.contains(Marks::CLOSES)
    }

    /// Makes the packet due now.
    fn request(&mut self) {
        self.deadline = None;
        self.marks.insert(Marks::DUE);
        self.marks.remove(Marks::OVERDUE);
    }

    /// Handles a CONNECT while CONFIRMING: CONNACK is due again, since the client may not have received it.
    ///
    /// `repeats`: whether a timer repeats that CONNACK in extended mode.
    pub(crate) fn on_connect(&mut self, connect: &HandshakeParameters, repeats: bool) {
        self.request();
        self.marks.set(Marks::OVERDUE, !repeats);
        self.marks.insert(Marks::RESTARTED);
        (self.number, self.connect_len) = (connect.attempt, connect.datagram_len);
    }

    /// Handles a RETRY while CONNECTING. Returns whether the client follows it.
    ///
    /// If so, CONNECT is due again with this cookie, and the backoff starts over.
    pub(crate) fn on_retry(&mut self, cookie: &[u8]) -> bool {
        // A RETRY that arrives before CONNECT is sent belongs to an earlier connection. On a slow path the server
        // answers the repeats of CONNECT too, mostly by the same cookie.
        let is_late = self.sent == 0 || self.marks.contains(Marks::RETRIED_TWICE);
        if is_late || cookie.len() > MAX_COOKIE || cookie == self.carried.as_slice() {
            return false;
        }
        self.carried.clear();
        let _fits = self.carried.extend_from_slice(cookie);
        self.marks.set(Marks::RETRIED_TWICE, self.marks.contains(Marks::RESTARTED));
        self.marks.insert(Marks::RESTARTED);
        self.number = self.number.wrapping_add(self.sent);
        self.sent = 0;
        self.request();
        // RETRY exists only in extended mode. A base-mode answer therefore did not come from this server.
        self.fall_back = None;
        true
    }

    /// The cookie that CONNECT carries; `None` before the first RETRY, and at a server.
    pub(crate) fn cookie(&self, role: Role) -> Option<&[u8]> {
        match role {
            Role::Client => Some(self.carried.as_slice()).filter(|cookie| !cookie.is_empty()),
            Role::Server => None,
        }
    }

    /// Sets the reset token that the CONNACKs of a server carry.
    pub(crate) fn set_reset_token(&mut self, token: Tag) {
        self.carried.clear();
        for &byte in token.as_bytes() {
            let _fits = self.carried.push(byte);
        }
    }

    /// The reset token that CONNACK carries; `None` at a client.
    pub(crate) fn reset_token(&self, role: Role) -> Option<Tag> {
        match role {
            Role::Client => None,
            Role::Server => self.carried.first_chunk().map(|token| Tag::new(*token)),
        }
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
            Role::Client => self.number.wrapping_add(self.sent),
            Role::Server => self.number,
        }
    }

    /// Whether a CONNACK with this number answers the first CONNECT since the start or the last RETRY.
    pub(crate) const fn is_first(&self, attempt: u8) -> bool {
        // A base-mode answer has restarted the wait.
        attempt == self.number && self.fall_back.is_none()
    }

    /// Whether the CONNECT with this number is large: as a full INFO, but not larger than an Ethernet packet.
    ///
    /// The first two are large: a CONNECT is lost more often than a path is too small, and after a small one the first
    /// bodies would be small. Later ones are small, which get through where no large datagram does. On a serial line
    /// each large one takes seconds.
    pub(crate) const fn is_large(&self, attempt: u8) -> bool {
        attempt.wrapping_sub(self.number) < 2 && !self.marks.contains(Marks::TOO_LARGE)
    }

    /// Handles the report that the socket refused a datagram of `len` bytes, if it may be ours. A small one is due.
    pub(crate) fn on_too_large(&mut self, role: Role, len: u16) {
        let is_ours = self.sent > 0 && (role == Role::Client || len <= self.shown);
        if is_ours && !self.marks.contains(Marks::TOO_LARGE) {
            self.request();
            // Perhaps the large CONNACK has left, and another datagram was refused. The bytes of CONNECT then leave no
            // room for a repeat.
            self.marks.insert(Marks::TOO_LARGE | Marks::OVERDUE);
        }
    }

    /// The least length of the next CONNACK: such that it, its repeat and a RESET together are not longer than CONNECT.
    ///
    /// 0 without padding, as in a repeat.
    pub(crate) const fn padded_len(&self) -> u16 {
        let is_small = self.marks.intersects(Marks::OVERDUE.union(Marks::TOO_LARGE));
        if is_small { 0 } else { self.connect_len.saturating_sub(REPEAT_AND_RESET) }
    }

    /// Records the length of a CONNACK, in bytes.
    pub(crate) fn on_connack_sent(&mut self, len: usize) {
        let len = u16::try_from(len).unwrap_or(u16::MAX);
        self.shown = if self.sent == 0 { len } else { self.shown.min(len) };
    }

    /// Handles the answer to the CONNECT with this number. A large one has `len` bytes.
    ///
    /// A number from before the last RETRY shows nothing.
    pub(crate) fn on_answer(&mut self, attempt: u8, len: u16) {
        let is_present = attempt.wrapping_sub(self.number) < self.sent;
        self.shown = if is_present && self.is_large(attempt) { len } else { 0 };
    }

    /// The largest datagram that is known to arrive, if the handshake ends now; 0 if none is.
    pub(crate) const fn shown(&self) -> u16 {
        self.shown
    }

    /// Whether all CONNACKs answered one CONNECT.
    pub(crate) const fn is_first_answer(&self) -> bool {
        !self.marks.contains(Marks::RESTARTED)
    }

    /// Whether only one CONNECT or CONNACK was sent, and at most one CONNECT has arrived.
    pub(crate) const fn is_sent_once(&self) -> bool {
        self.sent == 1 && self.is_first_answer()
    }

    pub(crate) const fn is_due(&self) -> bool {
        self.marks.contains(Marks::DUE)
    }

    /// The number of transmissions of the packet, since the last RETRY if one was followed.
    pub(crate) const fn sent(&self) -> u8 {
        self.sent
    }

    /// Records that the packet was sent. A timer repeats it, at least `least` later. If `once` is set, it does so only
    /// once for each request.
    pub(crate) fn on_sent(&mut self, now: Instant, least: Duration, once: bool, rtt: &mut Rtt) {
        let is_last = once && self.marks.contains(Marks::OVERDUE);
        let deadline = rtt.deadline_within(self.sent, now, self.longest).max(now + least);
        self.deadline = (!is_last).then_some(deadline);
        self.sent = self.sent.saturating_add(1);
        self.marks.remove(Marks::DUE | Marks::OVERDUE);
    }

    /// Whether the handshake limit has expired.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.expiry.is_some_and(|expiry| expiry <= now)
    }

    /// Handles the retransmission timer. Returns whether it had expired.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let expired = self.deadline.is_some_and(|deadline| deadline <= now);
        if expired {
            self.deadline = None;
            self.marks.insert(Marks::DUE | Marks::OVERDUE);
        }
        expired
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
