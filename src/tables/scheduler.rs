//! Which item is next: to be woken, to send, to report an event.

use super::{Queue, Stack, TableMemory, Timers};
use crate::Instant;

/// A fair schedule of items. An item that nothing has happened to, and whose deadline has not come, is never looked at.
///
/// A listener marks what it touches, asks for the next item, and reports what became of it:
///
/// | the next item to | is one that is | afterwards |
/// |---|---|---|
/// | be [woken](Self::next_to_wake) | changed and ready, or due | [`on_woken`](Self::on_woken) |
/// | [send](Self::next_to_send) | ready | [`on_sent`](Self::on_sent), or [`park`](Self::park) |
/// | [report an event](Self::next_with_event) | pending | [`mark_event`](Self::mark_event), if it may have more |
#[derive(Clone)]
pub(crate) struct Scheduler<M: TableMemory> {
    /// When to wake each item. Changed items are looked at before.
    timers: Timers<M>,
    /// Items that may have something to send.
    ready: Queue<M>,
    /// Items that were changed since the last timeout. While such an item is `ready`, too, no timer knows its deadline.
    changed: Stack<M>,
    /// Items that may have an event.
    pending: Queue<M>,
}

impl<M: TableMemory> Scheduler<M> {
    pub(crate) fn new() -> Self {
        Self { timers: Timers::new(), ready: Queue::new(), changed: Stack::new(), pending: Queue::new() }
    }

    /// Adds an item, which may have something to send. False where there is no room. All lists get room for the item
    /// now: no later call can fail.
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

    /// The item was changed: it may have something to send, and another deadline.
    #[inline]
    pub(crate) fn mark_changed(&mut self, item: u32) {
        self.ready.push(item);
        self.changed.push(item);
    }

    /// The item may have an event.
    #[inline]
    pub(crate) fn mark_event(&mut self, item: u32) {
        self.pending.push(item);
    }

    /// The item has no event.
    pub(crate) fn clear_event(&mut self, item: u32) {
        self.pending.remove(item);
    }

    /// The next item to wake: first the changed ones, whose deadlines no timer knows, then those whose deadline has
    /// come. The caller reports each by [`on_woken`](Self::on_woken), or [removes](Self::remove) it.
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

    /// The item was woken. It may have something to send if it `sends`; `due` is its next deadline, whatever it sends
    /// before.
    pub(crate) fn on_woken(&mut self, item: u32, now: Instant, sends: bool, due: Option<Instant>) {
        if sends {
            self.ready.push(item);
        }
        // A deadline that is too early does no harm: `park` corrects it.
        let known = self.timers.of(item);
        if let Some(at) = due.filter(|&at| at > now && known.is_none_or(|known| at < known)) {
            self.timers.set(item, at);
        }
    }

    /// When the next item is due: at once while an item may have something to send.
    #[inline]
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.ready.is_empty() { self.timers.first().map(|(at, _)| at) } else { Some(now) }
    }

    /// The next item to send. The caller reports that it [has sent](Self::on_sent), or [parks](Self::park) it.
    #[inline]
    pub(crate) const fn next_to_send(&self) -> Option<u32> {
        self.ready.first()
    }

    /// The item has sent a datagram. Its next turn comes after that of all others.
    #[inline]
    pub(crate) fn on_sent(&mut self, item: u32) {
        self.ready.remove(item);
        self.mark_changed(item);
    }

    /// The item has nothing to send until `due`.
    #[inline]
    pub(crate) fn park(&mut self, item: u32, due: Option<Instant>) {
        self.ready.remove(item);
        match due {
            Some(at) => drop(self.timers.set(item, at)),
            None => self.timers.clear(item),
        }
    }

    /// The next item that may have an event. One that had may have more, after all others:
    /// [`mark_event`](Self::mark_event).
    pub(crate) fn next_with_event(&mut self) -> Option<u32> {
        self.pending.pop()
    }
}
