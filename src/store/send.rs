//! Unacknowledged bodies in a ring of slots.

use super::cut::{Cut, Piece};
use super::ring::Ring;
#[cfg(feature = "alloc")]
use super::slot_bytes;
use super::{SendStore, SlotMemory, StoreError};
use crate::Seq;
use crate::copy::copy;
#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

/// A [`SendStore`] of equal slots, in memory that the caller provides.
///
/// A slot takes [`slot_bytes`](super::slot_bytes) bytes. Stop-and-wait needs one slot. A second slot lets the
/// application write the next body while the first is unacknowledged. See [`uncut`](Self::uncut) for `MAY_CUT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SendSlots<M, const MAY_CUT: bool = true> {
    pub(super) ring: Ring<M>,
    /// The number of slots that hold a body.
    pub(super) used: u32,
    /// The number of bytes by which the newest body may still grow; 0 once the body is sealed.
    growth: u16,
    /// The mapping of numbers to slots.
    cut: Cut<MAY_CUT>,
}

#[cfg(feature = "alloc")]
impl SendSlots<Vec<u8>> {
    /// Allocates `slots` slots for bodies of up to `segment` bytes. Feature `alloc`.
    ///
    /// # Errors
    ///
    /// If `slots` or `segment` is 0.
    pub fn with_slots(slots: usize, segment: u16) -> Result<Self, StoreError> {
        Self::new(vec![0; slots.saturating_mul(slot_bytes(segment))], segment)
    }
}

impl<M, const MAY_CUT: bool> SendSlots<M, MAY_CUT> {
    /// Returns the memory.
    ///
    /// For a new connection, build new slots from the memory: the old slots keep their sequence numbers.
    #[must_use]
    pub fn into_memory(self) -> M {
        self.ring.into_memory()
    }
}

impl<M: SlotMemory> SendSlots<M> {
    /// Divides `memory` into as many slots as fit, for bodies of up to `segment` bytes.
    ///
    /// # Errors
    ///
    /// If `memory` holds no slot, or `segment` is 0.
    pub fn new(memory: M, segment: u16) -> Result<Self, StoreError> {
        Ok(Self { ring: Ring::new(memory, segment)?, used: 0, growth: 0, cut: Cut::NONE })
    }

    /// The same slots without the code that cuts bodies, for small machines: `storage.map_send(SendSlots::uncut)`.
    ///
    /// The connection then does not search for the datagram size of the path either. It sends bodies of up to
    /// [`Config::segment`](crate::connection::Config::segment) from the start.
    ///
    /// If the peer accepts less than a slot holds, a client that has written before CONNACK ends as
    /// [`SegmentTooLarge`](crate::connection::CloseReason::SegmentTooLarge). A store without bodies fits any peer,
    /// because later bodies keep the limit of the peer. The store must be empty, because the call forgets an earlier
    /// cut.
    #[must_use]
    pub fn uncut(self) -> SendSlots<M, false> {
        SendSlots { ring: self.ring, used: self.used, growth: self.growth, cut: Cut::NONE }
    }
}

impl<M: SlotMemory, const MAY_CUT: bool> SendSlots<M, MAY_CUT> {
    /// The slot of the newest body.
    const fn newest(&self) -> u32 {
        self.used.saturating_sub(1)
    }

    /// The length of the open body, if it is below `limit`.
    fn growing(&self, limit: usize) -> Option<usize> {
        let length = self.ring.segment() - usize::from(self.growth);
        (self.growth > 0 && length < limit).then_some(length)
    }

    /// The first number of a slot.
    fn number_of(&self, slot: u32) -> Seq {
        self.ring.base().add(self.cut.number_of(slot))
    }

    /// Whether a number is the first of a body, or the number of the next new body.
    fn begins_body(&self, number: Seq) -> bool {
        let (slot, _) = self.find(number);
        slot <= self.used && self.number_of(slot) == number
    }

    /// The slot of a number, and the piece of the body in that slot. The slot is unused if the number has no body.
    fn find(&self, number: Seq) -> (u32, Piece) {
        self.cut.find(number.distance_from(self.ring.base()))
    }
}

impl<M: SlotMemory, const MAY_CUT: bool> SendStore for SendSlots<M, MAY_CUT> {
    const CUTS: bool = MAY_CUT;
    const DROPS_EARLY: bool = M::IS_POOLED;

    fn segment(&self) -> usize {
        self.ring.segment()
    }

    fn end(&self) -> Seq {
        self.number_of(self.used)
    }

    fn has_room(&self, limit: usize) -> bool {
        limit > 0 && (self.growing(limit).is_some() || self.has_free_slot())
    }

    fn has_free_slot(&self) -> bool {
        self.used < self.ring.slots() && self.ring.has_room(self.used)
    }

    fn spare_number(&self, limit: usize) -> Seq {
        self.number_of(if self.growing(limit).is_some() { self.newest() } else { self.used })
    }

    fn spare(&mut self, limit: usize) -> &mut [u8] {
        let (slot, from) = match self.growing(limit) {
            Some(length) => (self.newest(), length),
            None if self.has_free_slot() => {
                // An open body is full under this limit. Unless it is sealed, `commit` would add the bytes to it.
                self.seal();
                (self.used, 0)
            }
            None => return &mut [],
        };
        let to = limit.min(self.ring.segment());
        self.ring.room(slot).get_mut(from..to).unwrap_or_default()
    }

    fn commit(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        if self.growth == 0 && !self.start() {
            return;
        }
        self.growth = self.growth.saturating_sub(u16::try_from(count).unwrap_or(u16::MAX));
        self.ring.grow(self.newest(), self.ring.segment() - usize::from(self.growth));
    }

    fn write(&mut self, data: &[u8], limit: usize) -> usize {
        let limit = limit.min(self.ring.segment());
        let mut rest = data;
        while !rest.is_empty() && limit > 0 {
            let from = match self.growing(limit) {
                Some(length) => length,
                None if self.has_free_slot() => {
                    self.used += 1;
                    0
                }
                None => break,
            };
            let room = limit.saturating_sub(from);
            let Some((part, left)) = rest.split_at_checked(room.min(rest.len())) else { break };
            let to = from + part.len();
            let Some(place) = self.ring.grow(self.newest(), to).get_mut(from..) else { break };
            copy(part, place);
            self.growth = u16::try_from(self.ring.segment() - to).unwrap_or_default();
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
        self.growth = u16::try_from(self.ring.segment()).unwrap_or_default();
        true
    }

    fn seal(&mut self) {
        self.growth = 0;
    }

    fn body(&self, number: Seq) -> &[u8] {
        let (slot, piece) = self.find(number);
        if slot >= self.used {
            return &[];
        }
        let body = self.ring.body(slot);
        body.get(piece.range(body.len())).unwrap_or_default()
    }

    fn cut(&mut self, from: Seq, limit: u16) -> bool {
        if !MAY_CUT {
            // A look at each length would take 200 bytes of flash.
            return self.used == 0;
        }
        let (from_slot, _) = self.find(from);
        if !self.begins_body(from) {
            return false;
        }
        let (mut large, mut longest) = (None, 0);
        for slot in from_slot..self.used {
            let len = self.ring.body(slot).len();
            if len > limit.into() {
                large = Some((large.map_or(slot, |(first, _)| first), slot));
                longest = longest.max(len);
            }
        }
        let Some((first, last)) = large else { return true };
        if limit == 0 || self.cut.begins_before(from_slot) {
            return false;
        }
        let pieces = u16::try_from(longest.div_ceil(limit.into())).unwrap_or(u16::MAX);
        // Bodies before the first body above `limit` keep their numbers.
        let Some(cut) = Cut::new(first, last - first + 1, pieces) else { return false };
        if last == self.newest() {
            self.seal();
        }
        self.cut = cut;
        true
    }

    fn can_cut(&self, from: Seq) -> bool {
        MAY_CUT && self.begins_body(from) && !self.cut.begins_before(self.find(from).0)
    }

    fn drop_body(&mut self, number: Seq) {
        let (slot, piece) = self.find(number);
        // The other pieces of a body that was cut may be in flight.
        if slot < self.used && piece == Piece::WHOLE {
            self.ring.give_back(slot);
        }
    }

    fn release(&mut self, base: Seq) {
        let (count, _) = self.find(base);
        if count > self.used {
            return;
        }
        self.ring.forget(count, self.cut.number_of(count));
        self.cut.forget(count);
        self.used -= count;
        if self.used == 0 {
            self.seal();
        }
    }
}

#[cfg(test)]
mod tests;
