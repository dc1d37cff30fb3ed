//! How a connection opens.
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
//! A server may answer CONNECT with RETRY and forget it. The client then sends CONNECT with the cookie of the RETRY, which
//! shows that it receives at its address.

use super::repeat::Repeat;
use super::timers::after;
use crate::arq::Rtt;
use crate::time::ShortDuration;
use crate::wire::MAX_COOKIE;
use crate::{ClockShift, Duration, Instant};
use heapless::Vec;

/// How many RETRY packets a client follows in one handshake. A server needs one; its key may change meanwhile.
const MAX_RETRIES: u8 = 2;

/// How often CONNECT leaves before the handshake limit, at least: the backoff goes no further than that allows. Where a fifth is
/// lost each way, four tries in vain are one handshake in sixty, eight are one in three thousand.
const LEAST_TRIES: u64 = 8;

/// Who opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// This side: it sends CONNECT.
    Client,
    /// The peer: this side sends CONNACK.
    Server,
}

/// The opening of one side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handshake {
    /// CONNECT of a client, CONNACK of a server.
    repeat: Repeat,
    /// The longest interval between two of them.
    longest: ShortDuration,
    limit: Option<Instant>,
    /// A client that would rather be in extended mode has a base-mode answer, and waits for a better one until then.
    fall_back: Option<Instant>,
    /// What the last RETRY gave a client to hand back; empty without one.
    cookie: Vec<u8, MAX_COOKIE, u8>,
    retries: u8,
    /// The application has closed its direction already.
    closes: bool,
}

impl Handshake {
    /// CONNECTING or CONFIRMING, with its packet due, for so long.
    pub(crate) fn new(now: Instant, limit: Duration) -> Self {
        let mut repeat = Repeat::default();
        repeat.request();
        Self {
            repeat,
            longest: ShortDuration::new(Duration::from_micros(limit.as_micros() / LEAST_TRIES)),
            limit: after(now, limit),
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

    /// A CONNECT for a server that is CONFIRMING: the client has not seen our CONNACK.
    pub(crate) fn on_connect(&mut self) {
        self.repeat.request();
    }

    /// A RETRY for a client: CONNECT is due again, with this cookie, and as if it were the first. Returns whether it is
    /// followed.
    pub(crate) fn on_retry(&mut self, cookie: &[u8]) -> bool {
        let Ok(cookie) = Vec::from_slice(cookie) else { return false };
        // Before CONNECT has left, it answers that of an earlier connection.
        if self.repeat.sent() == 0 || self.retries >= MAX_RETRIES {
            return false;
        }
        self.cookie = cookie;
        self.retries += 1;
        self.repeat = Repeat::default();
        self.repeat.request();
        // Whatever answered in base mode, the server speaks extended mode.
        self.fall_back = None;
        true
    }

    pub(crate) fn cookie(&self) -> Option<&[u8]> {
        Some(self.cookie.as_slice()).filter(|cookie| !cookie.is_empty())
    }

    /// A base-mode answer has come: the first one counts.
    pub(crate) fn fall_back_at(&mut self, at: Instant) {
        self.fall_back.get_or_insert(at);
    }

    /// Whether no better answer has come in time.
    pub(crate) fn falls_back(&self, now: Instant) -> bool {
        self.fall_back.is_some_and(|at| at <= now)
    }

    /// It has left, and is not repeated by itself: in extended mode a server sends no more than it received.
    pub(crate) fn on_sent_once(&mut self) {
        self.repeat.on_sent_once();
    }

    pub(crate) fn is_due(&self) -> bool {
        self.repeat.is_due()
    }

    /// How often CONNECT or CONNACK was sent.
    pub(crate) const fn sent(&self) -> u8 {
        self.repeat.sent()
    }

    pub(crate) fn on_sent(&mut self, now: Instant, rtt: &mut Rtt) {
        self.repeat.on_sent(rtt.deadline(now, self.repeat.sent(), self.longest.get()));
    }

    /// Whether the handshake limit has passed.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.limit.is_some_and(|limit| limit <= now)
    }

    /// Returns whether the retransmission timer expired.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.repeat.handle_timeout(now)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.repeat.poll_timeout(), self.limit, self.fall_back].into_iter().flatten().min()
    }

    pub(crate) fn rebase(&mut self, shift: ClockShift) {
        self.repeat.rebase(shift);
        self.limit = shift.deadline(self.limit);
        self.fall_back = shift.deadline(self.fall_back);
    }
}
