//! Whose turn it is: to be woken, to send, to tell.

use super::{Memory, Queue, Stack, Timers};
use crate::Instant;

/// Items take turns. One that nothing has happened to, and whose deadline has not come, is never looked at.
pub(crate) struct Turns<M: Memory> {
    /// When each is to be woken; those that were touched are looked at before.
    timers: Timers<M>,
    /// They may have something to send.
    ready: Queue<M>,
    /// Something was done with them since the last timeout: while they are `ready`, too, no timer knows their deadline.
    touched: Stack<M>,
    /// They may have an event to tell.
    telling: Queue<M>,
}

impl<M: Memory> Turns<M> {
    pub(crate) fn new() -> Self {
        Self { timers: Timers::new(), ready: Queue::new(), touched: Stack::new(), telling: Queue::new() }
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self {
            timers: self.timers.duplicate(),
            ready: self.ready.duplicate(),
            touched: self.touched.duplicate(),
            telling: self.telling.duplicate(),
        }
    }

    /// A new item, which may have something to send. Whatever may be needed for it later has its place then; false where there
    /// is no room.
    pub(crate) fn enter(&mut self, item: u32) -> bool {
        let placed = self.timers.set(item, Instant::ZERO)
            && self.ready.push(item)
            && self.touched.push(item)
            && self.telling.push(item);
        self.timers.clear(item);
        self.telling.remove(item);
        placed
    }

    pub(crate) fn leave(&mut self, item: u32) {
        self.timers.clear(item);
        self.ready.remove(item);
        self.telling.remove(item);
    }

    /// Something was done with this one: it may have something to send, and another deadline.
    #[inline]
    pub(crate) fn touch(&mut self, item: u32) {
        self.ready.push(item);
        self.touched.push(item);
    }

    /// It may have an event to tell.
    #[inline]
    pub(crate) fn tell(&mut self, item: u32) {
        self.telling.push(item);
    }

    /// It has nothing to tell.
    pub(crate) fn hush(&mut self, item: u32) {
        self.telling.remove(item);
    }

    /// Who is to be told the time: those that something was done with, whose deadlines no timer knows, and those whose deadline
    /// has come. Each is to be given to [`woken`](Self::woken), or to [`leave`](Self::leave).
    pub(crate) fn next_to_wake(&mut self, now: Instant) -> Option<u32> {
        while let Some(item) = self.touched.pop() {
            if self.ready.has(item) {
                return Some(item);
            }
        }
        let (_, item) = self.timers.first().filter(|&(at, _)| at <= now)?;
        self.timers.clear(item);
        Some(item)
    }

    /// It was told the time, and may have something to send if it `sends`. `due`: when it has something to do again, whatever it
    /// may send before.
    pub(crate) fn woken(&mut self, item: u32, now: Instant, sends: bool, due: Option<Instant>) {
        if sends {
            self.ready.push(item);
        }
        // A deadline that is too early does no harm, and is right again when nothing is left to be sent.
        let known = self.timers.of(item);
        if let Some(at) = due.filter(|&at| at > now && known.is_none_or(|known| at < known)) {
            self.timers.set(item, at);
        }
    }

    /// When somebody is to be looked at: at once while anybody may have something to send.
    #[inline]
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.ready.is_empty() { self.timers.first().map(|(at, _)| at) } else { Some(now) }
    }

    /// Whose turn it is to send. Then it has either [`sent`](Self::sent) something, or [`rests`](Self::rest).
    #[inline]
    pub(crate) const fn next_to_send(&self) -> Option<u32> {
        self.ready.first()
    }

    /// Its next turn comes after that of all others.
    #[inline]
    pub(crate) fn sent(&mut self, item: u32) {
        self.ready.remove(item);
        self.touch(item);
    }

    /// It has nothing to send until then.
    #[inline]
    pub(crate) fn rest(&mut self, item: u32, due: Option<Instant>) {
        self.ready.remove(item);
        match due {
            Some(at) => drop(self.timers.set(item, at)),
            None => self.timers.clear(item),
        }
    }

    /// Whose turn it is to tell an event. If it has told one it may have more, after all others: [`tell`](Self::tell).
    pub(crate) fn next_to_tell(&mut self) -> Option<u32> {
        self.telling.pop()
    }
}
