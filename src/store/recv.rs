//! Received bodies in a ring of slots.

use super::ring::Ring;
#[cfg(feature = "alloc")]
use super::slot_bytes;
use super::{RecvStore, SlotMemory, StoreError};
use crate::Seq;
use crate::copy::copy;
#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

/// A [`RecvStore`] of equal slots, in memory that the caller provides.
///
/// A slot takes [`slot_bytes`](super::slot_bytes) bytes. A body keeps its slot until it is read to the end.
/// Stop-and-wait needs one slot. A second slot lets the next body arrive while the first is unread.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecvSlots<M> {
    /// The oldest slot of the ring holds the oldest unread body.
    pub(super) ring: Ring<M>,
    /// Bodies before this number are readable.
    next: Seq,
    /// How many bytes of the oldest unread body were read.
    read: u16,
}

#[cfg(feature = "alloc")]
impl RecvSlots<Vec<u8>> {
    /// Allocates `slots` slots for bodies of up to `segment` bytes. Feature `alloc`.
    ///
    /// # Errors
    ///
    /// If `slots` or `segment` is 0.
    pub fn with_slots(slots: usize, segment: u16) -> Result<Self, StoreError> {
        Self::new(vec![0; slots.saturating_mul(slot_bytes(segment))], segment)
    }
}

impl<M> RecvSlots<M> {
    /// Returns the memory.
    ///
    /// For a new connection, build new slots from the memory: the old slots keep their sequence numbers.
    #[must_use]
    pub fn into_memory(self) -> M {
        self.ring.into_memory()
    }
}

impl<M: SlotMemory> RecvSlots<M> {
    /// Divides `memory` into as many slots as fit, for bodies of up to `segment` bytes.
    ///
    /// # Errors
    ///
    /// If `memory` holds no slot, or `segment` is 0.
    pub fn new(memory: M, segment: u16) -> Result<Self, StoreError> {
        Ok(Self { ring: Ring::new(memory, segment)?, next: Seq::ZERO, read: 0 })
    }

    /// Frees the slots of bodies that are read to the end, empty bodies included.
    fn forget_read(&mut self) {
        while self.ring.base() != self.next && self.ring.body(0).len() <= self.read.into() {
            self.ring.forget(1, 1);
            self.read = 0;
        }
    }

    /// Frees the slot of the oldest unread body, whose content was taken.
    #[cfg(feature = "alloc")]
    pub(super) fn forget_first(&mut self) {
        self.ring.forget(1, 1);
        self.read = 0;
        self.forget_read();
    }
}

impl<M: SlotMemory> RecvStore for RecvSlots<M> {
    fn segment(&self) -> usize {
        self.ring.segment()
    }

    fn limit(&self) -> Seq {
        self.ring.base().add(self.ring.slots())
    }

    fn fits(&self, number: Seq, len: usize) -> bool {
        len <= self.segment() && self.ring.reserves(number.distance_from(self.ring.base()))
    }

    fn put(&mut self, number: Seq, body: &[u8]) {
        let slot = number.distance_from(self.ring.base());
        if M::IS_POOLED && !self.fits(number, body.len()) {
            return;
        }
        let (Some(room), Ok(length)) = (self.ring.room(slot).get_mut(..body.len()), u16::try_from(body.len())) else {
            return;
        };
        copy(body, room);
        self.ring.set_length(slot, length);
    }

    fn pass(&mut self, number: Seq) {
        if number == self.ring.base() && number == self.next {
            self.ring.forget(1, 1);
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
        self.ring.body(0).get(self.read.into()..).unwrap_or_default()
    }

    fn consume(&mut self, count: usize) {
        // A chunk is part of a body, so its length fits 16 bits.
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
    fn delivered_bodies_are_read_in_order() {
        let mut store = slots(3);
        store.put(Seq::new(1), b"cd");
        assert_eq!(store.chunk(), b"", "not delivered");
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
    fn an_empty_body_frees_its_slot_on_delivery() {
        let mut store = slots(2);
        store.put(Seq::ZERO, b"");
        store.deliver(Seq::new(1));
        assert_eq!(store.limit(), Seq::new(3), "the slot of the empty body is free");
        store.put(Seq::new(1), b"x");
        store.put(Seq::new(2), b"");
        store.deliver(Seq::new(3));
        store.consume(1);
        assert_eq!(store.chunk(), b"");
        assert_eq!(store.limit(), Seq::new(5));
    }

    #[test]
    fn a_body_that_was_passed_takes_no_slot() {
        let mut store = slots(2);
        store.put(Seq::new(1), b"cd");
        store.pass(Seq::ZERO);
        assert_eq!(store.limit(), Seq::new(3));
        store.deliver(Seq::new(2));
        assert_eq!(store.chunk(), b"cd");
        store.pass(Seq::new(2));
        assert_eq!((store.chunk(), store.limit()), (&b"cd"[..], Seq::new(3)), "an older body is unread");
    }

    #[test]
    fn a_body_that_does_not_fit_is_ignored() {
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
