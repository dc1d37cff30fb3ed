//! The schedule of items: the next one to wake, to send, or to report an event.

use super::{Queue, Stack, TableMemory, Timers};
use crate::Instant;

/// A fair schedule of items.
///
/// The work does not depend on items that have not changed and whose deadline lies in the future. A listener marks an
/// item that it changes, asks for the next item, and reports the result:
///
/// | to | the next item is | the listener reports |
/// |---|---|---|
/// | [wake](Self::next_to_wake) | changed and ready, or due | [`on_woken`](Self::on_woken) |
/// | [send](Self::next_to_send) | ready | [`on_sent`](Self::on_sent), or [`park`](Self::park) |
/// | [report an event](Self::next_with_event) | pending | [`mark_event`](Self::mark_event), if it may have more |
#[derive(Clone)]
pub(crate) struct Scheduler<M: TableMemory> {
    /// When to wake each item. Changed items wake first.
    timers: Timers<M>,
    /// Items that may have a datagram to send.
    ready: Queue<M>,
    /// Items that have changed since the last timeout. While such an item is also `ready`, its timer may be wrong.
    changed: Stack<M>,
    /// Items that may have an event.
    pending: Queue<M>,
}

impl<M: TableMemory> Scheduler<M> {
    pub(crate) fn new() -> Self {
        Self { timers: Timers::new(), ready: Queue::new(), changed: Stack::new(), pending: Queue::new() }
    }

    /// Adds an item, which is ready to send. Returns false if there is no memory for it.
    ///
    /// All lists reserve memory for the item, so that no later call fails.
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

    /// Marks an item that has changed: it may have a datagram to send, and another deadline.
    #[inline]
    pub(crate) fn mark_changed(&mut self, item: u32) {
        self.ready.push(item);
        self.changed.push(item);
    }

    /// Marks an item that may have an event.
    #[inline]
    pub(crate) fn mark_event(&mut self, item: u32) {
        self.pending.push(item);
    }

    /// Marks an item that has no event.
    pub(crate) fn clear_event(&mut self, item: u32) {
        self.pending.remove(item);
    }

    /// Takes the next item to wake. The caller reports it by [`on_woken`](Self::on_woken), or [removes](Self::remove)
    /// it.
    ///
    /// Changed items come first, since their timers may be wrong. Then come items whose deadline has passed.
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

    /// Records that an item is awake: whether it `sends`, and its next deadline.
    ///
    /// `due` does not depend on the datagrams that the item sends before.
    pub(crate) fn on_woken(&mut self, item: u32, now: Instant, sends: bool, due: Option<Instant>) {
        if sends {
            self.ready.push(item);
        }
        // A timer that is too early only costs a look at the item: `park` corrects it.
        let known = self.timers.of(item);
        if let Some(at) = due.filter(|&at| at > now && known.is_none_or(|known| at < known)) {
            self.timers.set(item, at);
        }
    }

    /// When the next item is due: now while an item is ready to send.
    #[inline]
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.ready.is_empty() { self.timers.first().map(|(at, _)| at) } else { Some(now) }
    }

    /// The next item to send. The caller reports that it [sent](Self::on_sent), or [parks](Self::park) it.
    #[inline]
    pub(crate) const fn next_to_send(&self) -> Option<u32> {
        self.ready.first()
    }

    /// Records that an item has sent a datagram. Its next turn comes after that of all other items.
    #[inline]
    pub(crate) fn on_sent(&mut self, item: u32) {
        self.ready.remove(item);
        self.mark_changed(item);
    }

    /// Records that an item has no datagram to send before `due`.
    #[inline]
    pub(crate) fn park(&mut self, item: u32, due: Option<Instant>) {
        self.ready.remove(item);
        match due {
            Some(at) => drop(self.timers.set(item, at)),
            None => self.timers.clear(item),
        }
    }

    /// Takes the next item that may have an event.
    ///
    /// If it had one, [`mark_event`](Self::mark_event) gives it another turn after all other items.
    pub(crate) fn next_with_event(&mut self) -> Option<u32> {
        self.pending.pop()
    }
}
