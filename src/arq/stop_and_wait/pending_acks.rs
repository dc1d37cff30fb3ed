//! The numbers that wait for their acknowledgement in base mode.

use crate::Seq;

/// A bit for each number to acknowledge: the 64 before `next`, and one older.
///
/// Not a queue: a number that arrives twice before its acknowledgement left needs one, not two, and nothing can overflow.
/// Where two numbers older than 64 wait at once the later one wins, and the peer repeats the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct PendingAcks {
    /// Bit *i* stands for `next − 1 − i`.
    recent: u64,
    older: Option<Seq>,
}

impl PendingAcks {
    /// `next` moves by one. `next` is the old value.
    pub fn advance(&mut self, next: Seq) {
        if self.recent >> 63 == 1 {
            self.older = Some(next.sub(64));
        }
        self.recent <<= 1;
    }

    /// `number`, which precedes `next`, has arrived.
    pub fn mark(&mut self, number: Seq, next: Seq) {
        match 1_u64.checked_shl(next.distance_from(number).wrapping_sub(1)) {
            Some(bit) => self.recent |= bit,
            None => self.older = Some(number),
        }
    }

    /// The oldest number that waits.
    #[must_use]
    pub fn first(&self, next: Seq) -> Option<Seq> {
        self.older.or_else(|| self.recent.checked_ilog2().map(|bit| next.sub(bit + 1)))
    }

    /// The acknowledgement of `number` has left.
    pub fn clear(&mut self, number: Seq, next: Seq) {
        if self.older == Some(number) {
            self.older = None;
        }
        if let Some(bit) = 1_u64.checked_shl(next.distance_from(number).wrapping_sub(1)) {
            self.recent &= !bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(acks: &mut PendingAcks, next: Seq) -> std::vec::Vec<u32> {
        core::iter::from_fn(|| {
            let number = acks.first(next)?;
            acks.clear(number, next);
            Some(number.value())
        })
        .collect()
    }

    #[test]
    fn oldest_first_each_once() {
        let mut acks = PendingAcks::default();
        let mut next = Seq::new(u32::MAX - 1);
        for _ in 0..3 {
            acks.advance(next);
            next = next.next();
            acks.mark(next.sub(1), next);
        }
        acks.mark(Seq::new(u32::MAX), next);
        assert_eq!(drain(&mut acks, next), [u32::MAX - 1, u32::MAX, 0]);
        assert_eq!(acks, PendingAcks::default());
    }

    #[test]
    fn numbers_older_than_the_bits_are_still_acknowledged() {
        let next = Seq::new(1_000);
        let mut acks = PendingAcks::default();
        acks.mark(Seq::new(936), next);
        acks.mark(Seq::new(935), next);
        acks.mark(Seq::new(3), next);
        assert_eq!(drain(&mut acks, next), [3, 936], "of those older than 64 the latest");
    }

    #[test]
    fn a_bit_that_leaves_the_window_waits_on_as_the_older_one() {
        let mut acks = PendingAcks::default();
        for number in (0..65).map(Seq::new) {
            acks.advance(number);
            acks.mark(number, number.next());
        }
        assert_eq!(drain(&mut acks, Seq::new(65)), std::vec::Vec::from_iter(0..65));
    }
}
