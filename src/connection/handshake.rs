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

use super::repeat::Repeat;
use crate::Instant;

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
    role: Role,
    established: bool,
    /// CONNECT of a client, CONNACK of a server.
    repeat: Repeat,
    limit: Option<Instant>,
    /// A client that would rather be in extended mode has a base-mode answer, and waits for a better one until then.
    fall_back: Option<Instant>,
}

impl Handshake {
    /// CONNECTING or CONFIRMING, with its packet due.
    pub(crate) fn new(role: Role, limit: Option<Instant>) -> Self {
        let mut repeat = Repeat::default();
        repeat.request();
        Self { role, established: false, repeat, limit, fall_back: None }
    }

    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    pub(crate) const fn is_established(&self) -> bool {
        self.established
    }

    /// A CONNECT for a server that is CONFIRMING: the client has not seen our CONNACK.
    pub(crate) fn on_connect(&mut self) {
        self.repeat.request();
    }

    /// CONNACK for a client, INFO 0 for a server.
    pub(crate) fn on_established(&mut self) {
        self.established = true;
        self.stop();
    }

    /// The end, established or not.
    pub(crate) fn stop(&mut self) {
        self.repeat.stop();
        self.limit = None;
        self.fall_back = None;
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

    pub(crate) fn on_sent(&mut self, deadline: Instant) {
        self.repeat.on_sent(deadline);
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
}
