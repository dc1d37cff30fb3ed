//! Answers to clients for which the listener keeps no state.

use super::cookie::COOKIE_BYTES;
use crate::BufferTooSmall;
use crate::wire::{Framing, Options, Packet, Tag, write_stateless_reset};
use heapless::Deque;

/// The maximum number of answers that wait for `poll_transmit`.
///
/// This limits the memory that a flood takes. A driver whose kernel joins datagrams (GRO) may handle more CONNECTs
/// between two calls of `poll_transmit`. Answers beyond the maximum are dropped, and their clients repeat CONNECT.
const MAX_REPLIES: usize = 16;

/// One answer to a CONNECT, under the tag of the client, or to a datagram with an unknown tag.
///
/// It is shorter than what it answers.
#[derive(Clone)]
pub(super) struct Reply<A> {
    pub(super) to: A,
    pub(super) tag: Tag,
    pub(super) answer: Answer,
}

#[derive(Clone, Copy)]
pub(super) enum Answer {
    Retry([u8; COOKIE_BYTES]),
    Reset(u8),
    /// CONNACK that carries only our version.
    Version,
    /// A stateless reset. The token stands in the place of the tag.
    StatelessReset,
}

/// The answers that wait for `poll_transmit`.
#[derive(Clone)]
pub(super) struct Replies<A>(Deque<Reply<A>, MAX_REPLIES>);

impl<A: Copy> Replies<A> {
    pub(super) const fn new() -> Self {
        Self(Deque::new())
    }

    /// Adds an answer. Returns false if the queue is full.
    pub(super) fn push(&mut self, reply: Reply<A>) -> bool {
        self.0.push_back(reply).is_ok()
    }

    /// Whether at least half of the places are free.
    pub(super) fn is_half_empty(&self) -> bool {
        self.0.len() <= MAX_REPLIES / 2
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the next answer into `buf`, and returns its destination and its length.
    pub(super) fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(A, usize)>, BufferTooSmall> {
        let Some(reply) = self.0.front() else { return Ok(None) };
        let framing = Framing::tagged(reply.tag);
        let written = match &reply.answer {
            Answer::Retry(cookie) => Packet::Retry { cookie }.write(&framing, 0, buf)?,
            Answer::Reset(code) => Packet::Reset { code: *code }.write(&framing, 0, buf)?,
            Answer::Version => Packet::ConnAck(Options::OUR_VERSION).write(&framing, 0, buf)?,
            Answer::StatelessReset => write_stateless_reset(reply.tag, 0, buf)?,
        };
        let to = reply.to;
        self.0.pop_front();
        Ok(Some((to, written)))
    }
}
