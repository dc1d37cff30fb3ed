//! Answers to clients for which the listener keeps no state.

use super::cookie::COOKIE_BYTES;
use super::{ListenerConfig, TableMemory};
use crate::BufferTooSmall;
use crate::tables::{Queue, Slab};
use crate::wire::{Framing, Options, Packet, Tag, write_stateless_reset};

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

/// The answers that wait for `poll_transmit`, oldest first.
///
/// A program may read its socket empty before it sends. There is room for an answer to each client that the limits of
/// the listener admit.
#[derive(Clone)]
pub(super) struct Replies<A, M: TableMemory> {
    answers: Slab<Reply<A>, M>,
    order: Queue<M>,
    /// The most answers that wait. Others are dropped, and their clients repeat CONNECT.
    most: usize,
}

impl<A: Copy, M: TableMemory> Replies<A, M> {
    pub(super) fn new(config: &ListenerConfig) -> Self {
        let most = config.peers.saturating_add(config.backlog).min(M::CAPACITY);
        Self { answers: Slab::new(), order: Queue::new(), most }
    }

    fn len(&self) -> usize {
        self.answers.len() as usize
    }

    /// Adds an answer. Returns false if there is no room.
    pub(super) fn push(&mut self, reply: Reply<A>) -> bool {
        if self.len() >= self.most {
            return false;
        }
        let Ok(index) = self.answers.insert(reply) else { return false };
        let is_queued = self.order.push(index);
        if !is_queued {
            self.answers.remove(index);
        }
        is_queued
    }

    /// Whether at least half of the places are free.
    pub(super) fn is_half_empty(&self) -> bool {
        self.len() <= self.most / 2
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Writes the next answer into `buf`, and returns its destination and its length.
    pub(super) fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(A, usize)>, BufferTooSmall> {
        let Some(index) = self.order.first() else { return Ok(None) };
        let Some(reply) = self.answers.item(index) else { return Ok(None) };
        let framing = Framing::tagged(reply.tag);
        let written = match &reply.answer {
            Answer::Retry(cookie) => Packet::Retry { cookie }.write(&framing, 0, buf)?,
            Answer::Reset(code) => Packet::Reset { code: *code }.write(&framing, 0, buf)?,
            Answer::Version => Packet::ConnAck(Options::OUR_VERSION).write(&framing, 0, buf)?,
            Answer::StatelessReset => write_stateless_reset(reply.tag, 0, buf)?,
        };
        let to = reply.to;
        self.order.remove(index);
        self.answers.remove(index);
        Ok(Some((to, written)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{FixedTables, HeapTables};
    use std::vec::Vec;

    fn reply(to: u32) -> Reply<u32> {
        Reply { to, tag: Tag::new([1; 8]), answer: Answer::Version }
    }

    fn pop<M: TableMemory>(replies: &mut Replies<u32, M>) -> Option<u32> {
        replies.poll_transmit(&mut [0; 100]).unwrap().map(|(to, _)| to)
    }

    #[test]
    fn answers_leave_in_order_while_the_tables_grow() {
        let mut replies = Replies::<u32, HeapTables>::new(&ListenerConfig::default());
        let (mut next, mut left) = (0, Vec::new());
        for count in [3, 5, 1, 40] {
            (0..count).for_each(|_| {
                assert!(replies.push(reply(next)));
                next += 1;
            });
            left.extend((0..2).filter_map(|_| pop(&mut replies)));
        }
        left.extend(core::iter::from_fn(|| pop(&mut replies)));
        assert!(left.into_iter().eq(0..49));
        assert!(replies.is_empty());
    }

    #[test]
    fn full_tables_take_no_more() {
        let mut replies = Replies::<u32, FixedTables<2>>::new(&ListenerConfig::default());
        assert_eq!([1, 2, 3].map(|to| replies.push(reply(to))), [true, true, false]);
        assert_eq!((pop(&mut replies), replies.push(reply(4)), replies.push(reply(5))), (Some(1), true, false));
        assert_eq!((pop(&mut replies), pop(&mut replies), pop(&mut replies)), (Some(2), Some(4), None));
    }
}
