//! Send slots in memory that is replaced while packets are in flight.

use super::{SendSlots, SlotMemory};
use crate::ReplaceMemory;

impl<M: SlotMemory, const MAY_CUT: bool> ReplaceMemory for SendSlots<M, MAY_CUT> {
    type Memory = M;

    fn room(&self) -> u32 {
        self.ring.slots()
    }

    fn used(&self) -> u32 {
        self.used
    }

    fn replace_memory(&mut self, memory: M) -> Result<M, M> {
        self.ring.replace_memory(memory, self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::super::SendStore;
    use super::*;
    use crate::Seq;
    use std::vec;
    use std::vec::Vec;

    fn memory(slots: usize) -> Vec<u8> {
        vec![0; slots * 6]
    }

    #[test]
    fn bodies_move_to_larger_memory_wherever_the_ring_begins() {
        for first in 0..3_u32 {
            let mut store = SendSlots::with_slots(3, 4).unwrap();
            for number in 0..first {
                assert_eq!(store.write(b"zzzz", 4), 4);
                store.release(Seq::new(number + 1));
            }
            assert_eq!(store.write(b"abcdefghij", 4), 10);
            assert_eq!(store.replace_memory(memory(5)).unwrap().len(), 18);
            assert_eq!((store.room(), store.used()), (5, 3));
            assert_eq!(store.write(b"klmnopqrstu", 4), 10, "the open body has room, then two more");
            let bodies: Vec<_> = (first..first + 5).map(|number| store.body(Seq::new(number))).collect();
            assert_eq!(bodies, [&b"abcd"[..], b"efgh", b"ijkl", b"mnop", b"qrst"]);
        }
    }

    #[test]
    fn bodies_that_were_cut_keep_their_numbers() {
        let mut store = SendSlots::with_slots(2, 4).unwrap();
        assert_eq!(store.write(b"abcdef", 4), 6);
        assert!(store.cut(Seq::ZERO, 2));
        store.release(Seq::new(1));
        store.replace_memory(memory(4)).unwrap();
        assert_eq!([1, 2].map(|number| store.body(Seq::new(number))), [b"cd", b"ef"]);
    }

    #[test]
    fn memory_too_small_for_the_bodies_is_returned() {
        let mut store = SendSlots::with_slots(3, 4).unwrap();
        assert_eq!(store.write(b"abcdefgh", 4), 8);
        let before = store.clone();
        assert_eq!(store.replace_memory(memory(1)).unwrap_err().len(), 6);
        assert_eq!(store, before);
        store.replace_memory(memory(2)).unwrap();
        assert!(!store.has_free_slot());
        store.release(Seq::new(2));
        assert_eq!(store.replace_memory(Vec::new()).unwrap_err().len(), 0, "a store has at least one slot");
    }
}
