//! The numbers whose acknowledgement is pending in base mode.

use crate::Seq;

/// The set of pending numbers: any of the 64 before `next`, and one older number.
///
/// A set cannot overflow, as a queue could. A number that arrives again before its acknowledgement has left is
/// acknowledged once. If a second older number becomes pending, it replaces the first, and the peer repeats the first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct PendingAcks {
    /// Bit *i* stands for `next − 1 − i`.
    recent: u64,
    /// A pending number more than 64 before `next`.
    older: Option<Seq>,
}

impl PendingAcks {
    /// Shifts the bits when `next` moves by one. The argument is `next` before the move.
    pub fn advance(&mut self, next: Seq) {
        if self.recent >> 63 == 1 {
            self.older = Some(next.sub(64));
        }
        self.recent <<= 1;
    }

    /// Marks `number`, which precedes `next`, as pending.
    pub fn mark(&mut self, number: Seq, next: Seq) {
        match 1_u64.checked_shl(next.distance_from(number).wrapping_sub(1)) {
            Some(bit) => self.recent |= bit,
            None => self.older = Some(number),
        }
    }

    /// The oldest pending number.
    #[must_use]
    pub fn first(&self, next: Seq) -> Option<Seq> {
        self.older.or_else(|| self.recent.checked_ilog2().map(|bit| next.sub(bit + 1)))
    }

    /// Clears `number` once its acknowledgement has left.
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
    fn each_pending_number_is_acknowledged_once_oldest_first() {
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
        assert_eq!(drain(&mut acks, next), [3, 936], "only the latest number older than 64 stays pending");
    }

    #[test]
    fn a_bit_shifted_out_stays_pending_as_the_older_number() {
        let mut acks = PendingAcks::default();
        for number in (0..65).map(Seq::new) {
            acks.advance(number);
            acks.mark(number, number.next());
        }
        assert_eq!(drain(&mut acks, Seq::new(65)), std::vec::Vec::from_iter(0..65));
    }
}
