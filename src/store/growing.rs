//! Received bodies in memory that grows.

use super::{RecvSlots, RecvStore, SlotMemory};
use crate::{ReplaceMemory, Seq};

/// A [`RecvStore`] that announces more numbers than it has slots for.
///
/// Bodies that arrive in order and are read at once need no slot, so a receiver needs slots only behind a gap and for
/// what the application leaves unread. The *promise* is the number of bodies that the peer may send from the oldest
/// unread body on. The slots are those that the caller has lent so far: it [lends more](ReplaceMemory) as they are
/// used. In a `SlotPool` it raises the allowance. A body that arrives without a slot is not acknowledged, and the peer
/// repeats it.
///
/// The right edge of the window never moves back (RFC 9293 §3.8.6), even if memory is taken back. After a smaller promise
/// it stays until the oldest unread body has come near enough.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrowingRecvSlots<M> {
    pub(super) slots: RecvSlots<M>,
    /// One after the highest number kept; the oldest unread number if none is kept.
    end: Seq,
    promise: u32,
    /// The limit of an earlier, larger promise; the oldest unread number if there is none.
    edge: Seq,
}

impl<M: SlotMemory> GrowingRecvSlots<M> {
    /// Makes `slots`, which must be unused, growing. The promise is the number of slots.
    #[must_use]
    pub fn new(slots: RecvSlots<M>) -> Self {
        let (end, promise) = (slots.ring.base(), slots.ring.slots());
        Self { slots, end, promise, edge: end }
    }

    /// Returns the memory.
    #[must_use]
    pub fn into_memory(self) -> M {
        self.slots.into_memory()
    }

    /// Drops the end if all bodies before it are read, and the edge of an earlier promise likewise.
    pub(super) fn settle(&mut self) {
        let base = self.slots.ring.base();
        if self.end.precedes(base) {
            self.end = base;
        }
        if self.edge.precedes(base) {
            self.edge = base;
        }
    }
}

impl<M: SlotMemory> RecvStore for GrowingRecvSlots<M> {
    fn segment(&self) -> usize {
        self.slots.segment()
    }

    fn limit(&self) -> Seq {
        let limit = self.slots.ring.base().add(self.promise);
        if limit.precedes(self.edge) { self.edge } else { limit }
    }

    fn promise(&mut self, window: u32) {
        self.edge = self.limit();
        // A window must stay below 2^31 numbers (RFC 1982).
        self.promise = window.clamp(1, (1 << 31) - 1);
    }

    fn fits(&self, number: Seq, len: usize) -> bool {
        number.distance_from(self.slots.ring.base()) < self.slots.ring.slots() && self.slots.fits(number, len)
    }

    fn put(&mut self, number: Seq, body: &[u8]) {
        if self.fits(number, body.len()) && !number.precedes(self.end) {
            self.end = number.next();
        }
        self.slots.put(number, body);
    }

    fn pass(&mut self, number: Seq) {
        self.slots.pass(number);
        self.settle();
    }

    fn deliver(&mut self, next: Seq) {
        self.slots.deliver(next);
        self.settle();
    }

    fn chunk(&self) -> &[u8] {
        self.slots.chunk()
    }

    fn consume(&mut self, count: usize) {
        self.slots.consume(count);
        self.settle();
    }
}

impl<M: SlotMemory> ReplaceMemory for GrowingRecvSlots<M> {
    type Memory = M;

    fn room(&self) -> u32 {
        self.slots.ring.slots()
    }

    fn used(&self) -> u32 {
        self.end.distance_from(self.slots.ring.base())
    }

    fn replace_memory(&mut self, memory: M) -> Result<M, M> {
        let used = self.used();
        let earlier = self.slots.ring.replace_memory(memory, used)?;
        // The places of a pool have no memory.
        if !M::IS_POOLED {
            self.promise = self.promise.max(self.room());
        }
        Ok(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn slots(count: usize) -> GrowingRecvSlots<Vec<u8>> {
        GrowingRecvSlots::new(RecvSlots::with_slots(count, 4).unwrap())
    }

    fn memory(slots: usize) -> Vec<u8> {
        vec![0; slots * 6]
    }

    fn read(store: &mut GrowingRecvSlots<Vec<u8>>) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !store.chunk().is_empty() {
            bytes.extend(store.chunk());
            store.consume(usize::MAX);
        }
        bytes
    }

    #[test]
    fn a_promise_exceeds_the_slots() {
        let mut store = slots(2);
        store.promise(8);
        assert_eq!(store.limit(), Seq::new(8));
        assert!(store.fits(Seq::new(1), 4) && !store.fits(Seq::new(2), 4) && !store.fits(Seq::new(1), 5));
        store.put(Seq::new(2), b"late");
        assert_eq!(store.used(), 0, "a body without a slot is not kept");
    }

    #[test]
    fn bodies_behind_a_gap_move_to_larger_memory() {
        for first in 0..3 {
            let mut store = slots(3);
            for number in 0..first {
                store.pass(Seq::new(number));
            }
            store.promise(8);
            let at = |ahead: u32| Seq::new(first + ahead);
            store.put(at(1), b"b");
            store.put(at(2), b"cc");
            store.replace_memory(memory(6)).unwrap();
            store.put(at(5), b"f");
            for (ahead, body) in [(0, b"a"), (3, b"d"), (4, b"e")] {
                store.put(at(ahead), body);
            }
            store.deliver(at(6));
            assert_eq!(read(&mut store), b"abccdef");
            assert_eq!((store.used(), store.limit()), (0, at(14)));
        }
    }

    #[test]
    fn the_edge_stays_when_memory_is_taken_back() {
        let mut store = slots(4);
        store.put(Seq::new(2), b"c");
        assert_eq!(store.replace_memory(memory(2)).unwrap_err().len(), 12, "three places are in use");
        store.put(Seq::ZERO, b"a");
        store.put(Seq::new(1), b"b");
        store.deliver(Seq::new(3));
        assert_eq!(read(&mut store), b"abc");
        store.replace_memory(memory(1)).unwrap();
        assert_eq!((store.room(), store.limit()), (1, Seq::new(7)));
        store.promise(2);
        assert_eq!(store.limit(), Seq::new(7), "the edge stays with a smaller promise");
    }

    #[test]
    fn bodies_that_are_read_at_once_use_nothing() {
        let mut store = slots(2);
        store.put(Seq::new(1), b"b");
        store.pass(Seq::ZERO);
        store.deliver(Seq::new(2));
        assert_eq!(store.used(), 1);
        assert_eq!(read(&mut store), b"b");
        store.pass(Seq::new(2));
        assert_eq!((store.used(), store.limit()), (0, Seq::new(5)));
    }
}
