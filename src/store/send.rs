//! What is written and not yet acknowledged.

use super::ring::Ring;
#[cfg(feature = "alloc")]
use super::slot_bytes;
use super::{SendStore, StoreError};
use crate::Seq;
#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

/// A [`SendStore`]: a ring of slots over lent memory. See [`slot_bytes`](super::slot_bytes) for how much that takes.
///
/// One slot is enough for stop-and-wait; a second one lets the application write the next body meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SendSlots<M> {
    ring: Ring<M>,
    /// How many slots hold a body.
    used: u32,
    /// The length of the newest body, if it may still grow.
    open: Option<u16>,
}

#[cfg(feature = "alloc")]
impl SendSlots<Vec<u8>> {
    /// This many slots for bodies of up to `segment` bytes, on the heap. Feature `alloc`.
    ///
    /// # Errors
    ///
    /// If `slots` or `segment` is 0.
    pub fn with_slots(slots: usize, segment: u16) -> Result<Self, StoreError> {
        Self::new(vec![0; slots.saturating_mul(slot_bytes(segment))], segment)
    }
}

impl<M> SendSlots<M> {
    /// The memory that was lent, to make new slots of: these here cannot serve a second connection.
    #[must_use]
    pub fn into_memory(self) -> M {
        self.ring.into_memory()
    }
}

impl<M: AsRef<[u8]> + AsMut<[u8]>> SendSlots<M> {
    /// As many slots for bodies of up to `segment` bytes as fit into `memory`.
    ///
    /// # Errors
    ///
    /// If not even one fits, or `segment` is 0.
    pub fn new(memory: M, segment: u16) -> Result<Self, StoreError> {
        Ok(Self { ring: Ring::new(memory, segment)?, used: 0, open: None })
    }

    fn newest(&self) -> Seq {
        self.end().sub(1)
    }

    /// How long the open body is, where there is one that can grow.
    fn growing(&self, limit: usize) -> Option<u16> {
        self.open.filter(|&length| usize::from(length) < limit.min(self.ring.segment()))
    }
}

impl<M: AsRef<[u8]> + AsMut<[u8]>> SendStore for SendSlots<M> {
    fn segment(&self) -> usize {
        self.ring.segment()
    }

    fn end(&self) -> Seq {
        self.ring.base().add(self.used)
    }

    fn has_room(&self, limit: usize) -> bool {
        limit > 0 && (self.growing(limit).is_some() || self.has_free_slot())
    }

    fn has_free_slot(&self) -> bool {
        self.used < self.ring.slots()
    }

    fn spare_number(&self, limit: usize) -> Seq {
        if self.growing(limit).is_some() { self.newest() } else { self.end() }
    }

    fn spare(&mut self, limit: usize) -> &mut [u8] {
        let (number, from) = match self.growing(limit) {
            Some(length) => (self.newest(), usize::from(length)),
            None if self.has_free_slot() => {
                // An open body that is full under this limit must not take what is committed to the new one.
                self.open = None;
                (self.end(), 0)
            }
            None => return &mut [],
        };
        let to = limit.min(self.ring.segment());
        self.ring.room(number).get_mut(from..to).unwrap_or_default()
    }

    fn commit(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        if self.growing(usize::MAX).is_none() && !self.start() {
            return;
        }
        let length = usize::from(self.open.unwrap_or(0)).saturating_add(count).min(self.ring.segment());
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        self.ring.set_length(self.newest(), length);
        self.open = Some(length);
    }

    fn write(&mut self, data: &[u8], limit: usize) -> usize {
        let limit = limit.min(self.ring.segment());
        let mut rest = data;
        while !rest.is_empty() && limit > 0 {
            let from = match self.growing(limit) {
                Some(length) => usize::from(length),
                None if self.has_free_slot() => {
                    self.used += 1;
                    0
                }
                None => break,
            };
            let to = limit.min(from.saturating_add(rest.len()));
            let (part, left) = rest.split_at(to - from);
            let Some(place) = self.ring.grow(self.newest(), to).get_mut(from..) else { break };
            place.copy_from_slice(part);
            self.open = u16::try_from(to).ok();
            rest = left;
        }
        data.len() - rest.len()
    }

    fn start(&mut self) -> bool {
        if !self.has_free_slot() {
            return false;
        }
        self.used += 1;
        self.ring.set_length(self.newest(), 0);
        self.open = Some(0);
        true
    }

    fn seal(&mut self) {
        self.open = None;
    }

    fn body(&self, number: Seq) -> &[u8] {
        if number.distance_from(self.ring.base()) < self.used { self.ring.body(number) } else { &[] }
    }

    fn release(&mut self, base: Seq) {
        let count = base.distance_from(self.ring.base());
        if count > self.used {
            return;
        }
        self.ring.forget(count);
        self.used -= count;
        if self.used == 0 {
            self.open = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(count: usize) -> SendSlots<Vec<u8>> {
        SendSlots::with_slots(count, 4).unwrap()
    }

    fn write(store: &mut SendSlots<Vec<u8>>, limit: usize, data: &[u8]) -> usize {
        let spare = store.spare(limit);
        let count = data.len().min(spare.len());
        spare[..count].copy_from_slice(&data[..count]);
        store.commit(count);
        count
    }

    #[test]
    fn writes_fill_a_body_and_then_the_next() {
        let mut store = slots(2);
        assert_eq!(write(&mut store, 4, b"abc"), 3);
        assert_eq!(write(&mut store, 4, b"def"), 1, "the rest of the open body");
        assert_eq!(write(&mut store, 4, b"ef"), 2);
        assert_eq!((store.body(Seq::ZERO), store.body(Seq::new(1))), (&b"abcd"[..], &b"ef"[..]));
        assert_eq!(store.end(), Seq::new(2));
    }

    #[test]
    fn a_sealed_body_does_not_grow() {
        let mut store = slots(2);
        write(&mut store, 4, b"a");
        store.seal();
        write(&mut store, 4, b"b");
        assert_eq!(store.body(Seq::ZERO), b"a");
        assert_eq!(store.body(Seq::new(1)), b"b");
    }

    #[test]
    fn a_full_store_takes_nothing_until_it_is_released() {
        let mut store = slots(1);
        write(&mut store, 4, b"abcd");
        assert!(!store.has_room(4) && !store.start());
        assert_eq!(write(&mut store, 4, b"e"), 0);
        store.commit(3);
        assert_eq!(store.body(Seq::ZERO), b"abcd");
        store.release(Seq::new(1));
        assert_eq!(write(&mut store, 4, b"e"), 1);
        assert_eq!(store.body(Seq::new(1)), b"e");
        assert_eq!(store.body(Seq::ZERO), b"", "it is gone");
    }

    #[test]
    fn a_smaller_limit_splits_earlier() {
        let mut store = slots(3);
        assert_eq!(write(&mut store, 2, b"abcd"), 2);
        assert_eq!(write(&mut store, 2, b"cd"), 2);
        assert_eq!((store.body(Seq::ZERO), store.body(Seq::new(1))), (&b"ab"[..], &b"cd"[..]));
        assert_eq!(store.spare(0), b"");
    }

    #[test]
    fn an_empty_body_takes_a_number() {
        let mut store = slots(1);
        assert!(store.start());
        store.seal();
        assert_eq!(store.end(), Seq::new(1));
        assert_eq!(store.body(Seq::ZERO), b"");
    }

    #[test]
    fn releasing_what_never_was_does_nothing() {
        let mut store = slots(2);
        write(&mut store, 4, b"a");
        store.release(Seq::new(5));
        store.release(Seq::new(u32::MAX));
        assert_eq!(store.body(Seq::ZERO), b"a");
    }

    #[test]
    fn an_open_body_is_not_continued_after_its_release() {
        let mut store = slots(2);
        write(&mut store, 4, b"a");
        store.release(Seq::new(1));
        write(&mut store, 4, b"b");
        assert_eq!(store.body(Seq::new(1)), b"b");
    }
}
