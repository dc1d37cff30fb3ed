//! Whose turn it is: to be woken, to send, to tell.

use super::{Queue, Stack, TableMemory, Timers};
use crate::Instant;

/// Items take scheduler. One that nothing has happened to, and whose deadline has not come, is never looked at.
pub(crate) struct Scheduler<M: TableMemory> {
    /// When each is to be woken; those that were changed are looked at before.
    timers: Timers<M>,
    /// They may have something to send.
    ready: Queue<M>,
    /// Something was done with them since the last timeout: while they are `ready`, too, no timer knows their deadline.
    changed: Stack<M>,
    /// They may have an event to tell.
    pending: Queue<M>,
}

impl<M: TableMemory> Scheduler<M> {
    pub(crate) fn new() -> Self {
        Self { timers: Timers::new(), ready: Queue::new(), changed: Stack::new(), pending: Queue::new() }
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self {
            timers: self.timers.duplicate(),
            ready: self.ready.duplicate(),
            changed: self.changed.duplicate(),
            pending: self.pending.duplicate(),
        }
    }

    /// A new item, which may have something to send. Whatever may be needed for it later has its place then; false where there
    /// is no room.
    pub(crate) fn add(&mut self, item: u32) -> bool {
        let placed = self.timers.set(item, Instant::ZERO)
            && self.ready.push(item)
            && self.changed.push(item)
            && self.pending.push(item);
        self.timers.clear(item);
        self.pending.remove(item);
        placed
    }

    pub(crate) fn remove(&mut self, item: u32) {
        self.timers.clear(item);
        self.ready.remove(item);
        self.pending.remove(item);
    }

    /// Something was done with this one: it may have something to send, and another deadline.
    #[inline]
    pub(crate) fn mark_changed(&mut self, item: u32) {
        self.ready.push(item);
        self.changed.push(item);
    }

    /// It may have an event to tell.
    #[inline]
    pub(crate) fn mark_event(&mut self, item: u32) {
        self.pending.push(item);
    }

    /// It has nothing to tell.
    pub(crate) fn clear_event(&mut self, item: u32) {
        self.pending.remove(item);
    }

    /// Who is to be told the time: those that something was done with, whose deadlines no timer knows, and those whose deadline
    /// has come. Each is to be given to [`on_woken`](Self::on_woken), or to [`remove`](Self::remove).
    pub(crate) fn next_to_wake(&mut self, now: Instant) -> Option<u32> {
        while let Some(item) = self.changed.pop() {
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
    pub(crate) fn on_woken(&mut self, item: u32, now: Instant, sends: bool, due: Option<Instant>) {
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

    /// Whose turn it is to send. Then it has either [`on_sent`](Self::on_sent) something, or [`park`](Self::park).
    #[inline]
    pub(crate) const fn next_to_send(&self) -> Option<u32> {
        self.ready.first()
    }

    /// Its next turn comes after that of all others.
    #[inline]
    pub(crate) fn on_sent(&mut self, item: u32) {
        self.ready.remove(item);
        self.mark_changed(item);
    }

    /// It has nothing to send until then.
    #[inline]
    pub(crate) fn park(&mut self, item: u32, due: Option<Instant>) {
        self.ready.remove(item);
        match due {
            Some(at) => drop(self.timers.set(item, at)),
            None => self.timers.clear(item),
        }
    }

    /// Whose turn it is to tell an event. If it has told one it may have more, after all others: [`mark_event`](Self::mark_event).
    pub(crate) fn next_with_event(&mut self) -> Option<u32> {
        self.pending.pop()
    }
}
