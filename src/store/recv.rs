//! What has arrived and is not yet read.

use super::ring::Ring;
#[cfg(feature = "alloc")]
use super::slot_bytes;
use super::{RecvStore, StoreError};
use crate::Seq;
#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

/// A [`RecvStore`]: a ring of slots over lent memory. See [`slot_bytes`](super::slot_bytes) for how much that takes.
///
/// A body that is partly read keeps its slot. One slot is enough for stop-and-wait; a second one lets the next body arrive
/// while the first is unread.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecvSlots<M> {
    /// Its base is the oldest unread body.
    ring: Ring<M>,
    /// Bodies before this number may be read.
    next: Seq,
    /// How much of the oldest unread body has been read.
    read: u16,
}

#[cfg(feature = "alloc")]
impl RecvSlots<Vec<u8>> {
    /// This many slots for bodies of up to `segment` bytes, on the heap. Feature `alloc`.
    ///
    /// # Errors
    ///
    /// If `slots` or `segment` is 0.
    pub fn with_slots(slots: usize, segment: u16) -> Result<Self, StoreError> {
        Self::new(vec![0; slots.saturating_mul(slot_bytes(segment))], segment)
    }
}

impl<M> RecvSlots<M> {
    /// The memory that was lent, to make new slots of: these here cannot serve a second connection.
    #[must_use]
    pub fn into_memory(self) -> M {
        self.ring.into_memory()
    }
}

impl<M: AsRef<[u8]> + AsMut<[u8]>> RecvSlots<M> {
    /// As many slots for bodies of up to `segment` bytes as fit into `memory`.
    ///
    /// # Errors
    ///
    /// If not even one fits, or `segment` is 0.
    pub fn new(memory: M, segment: u16) -> Result<Self, StoreError> {
        Ok(Self { ring: Ring::new(memory, segment)?, next: Seq::ZERO, read: 0 })
    }

    /// Forgets the bodies that are read to their end, empty ones included. Each is passed once.
    fn forget_read(&mut self) {
        while self.ring.base() != self.next && self.ring.body(self.ring.base()).len() <= self.read.into() {
            self.ring.forget(1);
            self.read = 0;
        }
    }
}

impl<M: AsRef<[u8]> + AsMut<[u8]>> RecvStore for RecvSlots<M> {
    fn segment(&self) -> usize {
        self.ring.segment()
    }

    fn limit(&self) -> Seq {
        self.ring.base().add(self.ring.slots())
    }

    fn put(&mut self, number: Seq, body: &[u8]) {
        let (Some(room), Ok(length)) = (self.ring.room(number).get_mut(..body.len()), u16::try_from(body.len())) else {
            return;
        };
        room.copy_from_slice(body);
        self.ring.set_length(number, length);
    }

    fn pass(&mut self, number: Seq) {
        if number == self.ring.base() && number == self.next {
            self.ring.forget(1);
            self.next = number.next();
        }
    }

    fn deliver(&mut self, next: Seq) {
        if next.distance_from(self.ring.base()) <= self.ring.slots() {
            self.next = next;
            self.forget_read();
        }
    }

    fn chunk(&self) -> &[u8] {
        if self.ring.base() == self.next {
            return &[];
        }
        self.ring.body(self.ring.base()).get(self.read.into()..).unwrap_or_default()
    }

    fn consume(&mut self, count: usize) {
        // What is left of a body has 16 bits.
        self.read += u16::try_from(count.min(self.chunk().len())).unwrap_or_default();
        self.forget_read();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(count: usize) -> RecvSlots<Vec<u8>> {
        RecvSlots::with_slots(count, 4).unwrap()
    }

    #[test]
    fn what_is_delivered_is_read_in_order() {
        let mut store = slots(3);
        store.put(Seq::new(1), b"cd");
        assert_eq!(store.chunk(), b"", "nothing was delivered");
        store.put(Seq::ZERO, b"ab");
        store.deliver(Seq::new(2));
        assert_eq!(store.chunk(), b"ab");
        store.consume(1);
        assert_eq!(store.chunk(), b"b");
        store.consume(100);
        assert_eq!(store.chunk(), b"cd");
        store.consume(2);
        assert_eq!(store.chunk(), b"");
    }

    #[test]
    fn a_slot_is_free_again_once_its_body_is_read_to_the_end() {
        let mut store = slots(1);
        store.put(Seq::ZERO, b"ab");
        store.deliver(Seq::new(1));
        store.consume(1);
        assert_eq!(store.limit(), Seq::new(1));
        store.consume(1);
        assert_eq!(store.limit(), Seq::new(2));
    }

    #[test]
    fn empty_bodies_need_no_reading() {
        let mut store = slots(2);
        store.put(Seq::ZERO, b"");
        store.deliver(Seq::new(1));
        assert_eq!(store.limit(), Seq::new(3), "the empty one is gone");
        store.put(Seq::new(1), b"x");
        store.put(Seq::new(2), b"");
        store.deliver(Seq::new(3));
        store.consume(1);
        assert_eq!(store.chunk(), b"");
        assert_eq!(store.limit(), Seq::new(5));
    }

    #[test]
    fn what_was_read_elsewhere_takes_no_slot() {
        let mut store = slots(2);
        store.put(Seq::new(1), b"cd");
        store.pass(Seq::ZERO);
        assert_eq!(store.limit(), Seq::new(3));
        store.deliver(Seq::new(2));
        assert_eq!(store.chunk(), b"cd");
        store.pass(Seq::new(2));
        assert_eq!((store.chunk(), store.limit()), (&b"cd"[..], Seq::new(3)), "something older is unread");
    }

    #[test]
    fn too_much_changes_nothing() {
        let mut store = slots(1);
        store.put(Seq::ZERO, b"abcde");
        store.put(Seq::new(1), b"a");
        store.put(Seq::ZERO, b"ok");
        store.deliver(Seq::new(9));
        assert_eq!(store.chunk(), b"");
        store.deliver(Seq::new(1));
        assert_eq!(store.chunk(), b"ok");
    }

    #[test]
    fn the_ring_wraps_with_the_numbers() {
        let mut store = slots(3);
        for number in 0..20_u8 {
            let seq = Seq::new(number.into());
            store.put(seq, &[number; 3]);
            store.deliver(seq.next());
            assert_eq!(store.chunk(), [number; 3]);
            store.consume(3);
        }
    }

    #[test]
    fn memory_that_holds_no_slot_is_refused() {
        assert_eq!(RecvSlots::new([0; 5], 4).unwrap_err(), StoreError::TooSmall { needed: 6, available: 5 });
        assert_eq!(RecvSlots::new([0; 5], 0).unwrap_err(), StoreError::EmptySegment);
    }
}
