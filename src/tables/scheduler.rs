//! The schedule of items: which item wakes, sends or reports an event next.

use super::{Queue, Stack, TableMemory, Timers};
use crate::Instant;

/// A fair schedule of items.
///
/// An item costs no work while it has not changed and its deadline lies in the future. A listener marks an item that it
/// changes. It then asks for the next item, handles the item, and reports the result:
///
/// | asks for the next item to | which is | then calls |
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

    /// Adds an item that is ready to send. Returns false if there is no memory for the item.
    ///
    /// All lists reserve memory for the item, so that no later call for it fails.
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

    /// Marks an item as changed: it may have a datagram to send, or another deadline.
    #[inline]
    pub(crate) fn mark_changed(&mut self, item: u32) {
        self.ready.push(item);
        self.changed.push(item);
    }

    /// Marks an item as pending: it may have an event.
    #[inline]
    pub(crate) fn mark_event(&mut self, item: u32) {
        self.pending.push(item);
    }

    /// Clears the mark of an item that has no event.
    pub(crate) fn clear_event(&mut self, item: u32) {
        self.pending.remove(item);
    }

    /// Takes the next item to wake. The caller then calls [`on_woken`](Self::on_woken) or [`remove`](Self::remove).
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

    /// Records that an item has woken: whether it `sends` datagrams, and when it is `due` next.
    ///
    /// `due` must not depend on when these datagrams leave.
    pub(crate) fn on_woken(&mut self, item: u32, now: Instant, sends: bool, due: Option<Instant>) {
        if sends {
            self.ready.push(item);
        }
        // A deadline that has moved to a later time is not set here. The early timer wakes the item at most once more,
        // unless `park` corrects the timer first.
        let known = self.timers.of(item);
        if let Some(at) = due.filter(|&at| at > now && known.is_none_or(|known| at < known)) {
            self.timers.set(item, at);
        }
    }

    /// When the next item is due; `now` while an item is ready to send.
    #[inline]
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.ready.is_empty() { self.timers.first().map(|(at, _)| at) } else { Some(now) }
    }

    /// The next item to send. The caller then calls [`on_sent`](Self::on_sent) or [`park`](Self::park).
    #[inline]
    pub(crate) const fn next_to_send(&self) -> Option<u32> {
        self.ready.first()
    }

    /// Records that an item has sent a datagram: marks it as changed, and moves it to the end of the queue.
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
    /// If the item may have another event, the caller then calls [`mark_event`](Self::mark_event), which moves the item
    /// to the end of the queue.
    pub(crate) fn next_with_event(&mut self) -> Option<u32> {
        self.pending.pop()
    }
}
