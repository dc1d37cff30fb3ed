//! Peers by address: a chained hash table inside the slots themselves.

use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use siphasher::sip::SipHasher13;

/// The end of a chain.
const END: u32 = u32::MAX;

/// Memory for one peer of a [`Listener`](super::Listener): an address, and what is known of it.
#[derive(Clone, Debug)]
pub struct Slot<A, V> {
    entry: Option<(A, V)>,
    /// Counts the entries that this slot has held, so that a name of an earlier one is recognised.
    generation: u32,
    /// The next slot of the same chain: that of a bucket, or that of the vacant slots.
    next: u32,
    /// Where the chain of the bucket with this slot's index starts.
    bucket: u32,
}

impl<A, V> Default for Slot<A, V> {
    fn default() -> Self {
        Self { entry: None, generation: 0, next: END, bucket: END }
    }
}

/// A map from addresses to values over lent slots. Addresses are chosen by strangers, hence the keyed hash (SipHash-1-3):
/// nobody who does not know the key can choose addresses that fall into one chain.
#[derive(Clone, Debug)]
pub(super) struct Table<A, V, M> {
    slots: M,
    key: [u8; 16],
    vacant: u32,
    used: usize,
    values: PhantomData<(A, V)>,
}

impl<A: Copy + Eq + Hash, V, M: AsRef<[Slot<A, V>]> + AsMut<[Slot<A, V>]>> Table<A, V, M> {
    pub(super) fn new(key: [u8; 16], mut slots: M) -> Self {
        let mut vacant = END;
        for (index, slot) in (0..END).zip(slots.as_mut()) {
            *slot = Slot { next: vacant, ..Slot::default() };
            vacant = index;
        }
        Self { slots, key, vacant, used: 0, values: PhantomData }
    }

    pub(super) const fn len(&self) -> usize {
        self.used
    }

    pub(super) fn find(&self, address: &A) -> Option<u32> {
        let mut index = self.slot(self.bucket_of(address)?)?.bucket;
        while let Some(slot) = self.slot(index) {
            if slot.entry.as_ref().is_some_and(|(held, _)| held == address) {
                return Some(index);
            }
            index = slot.next;
        }
        None
    }

    /// Returns where it was put, or `None` if there is no vacant slot. The address must not be in the table.
    pub(super) fn insert(&mut self, address: A, value: V) -> Option<u32> {
        let bucket = self.bucket_of(&address)?;
        let index = self.vacant;
        let first = self.slot(bucket)?.bucket;
        let slot = self.slot_mut(index)?;
        let vacant = slot.next;
        slot.entry = Some((address, value));
        slot.next = first;
        self.vacant = vacant;
        self.used += 1;
        self.slot_mut(bucket)?.bucket = index;
        Some(index)
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<V> {
        let bucket = self.bucket_of(&self.slot(index)?.entry.as_ref()?.0)?;
        let after = self.slot(index)?.next;
        if self.slot(bucket)?.bucket == index {
            self.slot_mut(bucket)?.bucket = after;
        } else {
            let mut before = self.slot(bucket)?.bucket;
            while self.slot(before)?.next != index {
                before = self.slot(before)?.next;
            }
            self.slot_mut(before)?.next = after;
        }
        let vacant = self.vacant;
        let slot = self.slot_mut(index)?;
        slot.next = vacant;
        slot.generation = slot.generation.wrapping_add(1);
        let (_, value) = slot.entry.take()?;
        self.vacant = index;
        self.used -= 1;
        Some(value)
    }

    pub(super) fn entry(&self, index: u32) -> Option<(A, &V)> {
        self.slot(index)?.entry.as_ref().map(|(address, value)| (*address, value))
    }

    pub(super) fn entry_mut(&mut self, index: u32) -> Option<(A, &mut V)> {
        self.slot_mut(index)?.entry.as_mut().map(|(address, value)| (*address, value))
    }

    pub(super) fn generation(&self, index: u32) -> Option<u32> {
        self.slot(index).map(|slot| slot.generation)
    }

    /// How many slots there are, vacant ones included.
    pub(super) fn capacity(&self) -> u32 {
        u32::try_from(self.slots.as_ref().len()).unwrap_or(END)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &V)> + '_ {
        let slots = (0..END).zip(self.slots.as_ref());
        slots.filter_map(|(index, slot)| slot.entry.as_ref().map(|(_, value)| (index, value)))
    }

    fn bucket_of(&self, address: &A) -> Option<u32> {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        address.hash(&mut hasher);
        let bucket = hasher.finish().checked_rem(u64::from(self.capacity()))?;
        u32::try_from(bucket).ok()
    }

    fn slot(&self, index: u32) -> Option<&Slot<A, V>> {
        self.slots.as_ref().get(usize::try_from(index).ok()?)
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<A, V>> {
        self.slots.as_mut().get_mut(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    type Small = Table<u8, u32, [Slot<u8, u32>; 5]>;

    fn table() -> Small {
        Table::new([7; 16], core::array::from_fn(|_| Slot::default()))
    }

    #[test]
    fn a_full_table_takes_no_more_and_a_vacated_slot_is_used_again() {
        let mut table = table();
        let places: std::vec::Vec<_> = (0..5).map(|address| table.insert(address, 0).unwrap()).collect();
        assert_eq!(table.insert(9, 0), None);
        let generation = table.generation(places[2]).unwrap();
        assert_eq!(table.remove(places[2]), Some(0));
        assert_eq!(table.remove(places[2]), None);
        assert_eq!(table.insert(9, 1), Some(places[2]));
        assert_ne!(table.generation(places[2]).unwrap(), generation);
        assert_eq!(table.find(&2), None);
    }

    #[test]
    fn without_slots_there_is_nothing() {
        let mut table: Table<u8, u32, [Slot<u8, u32>; 0]> = Table::new([0; 16], []);
        assert_eq!(table.find(&1), None);
        assert_eq!(table.insert(1, 1), None);
    }

    proptest! {
        #[test]
        fn agrees_with_a_hash_map(steps in prop::collection::vec((any::<bool>(), 0..12_u8, any::<u32>()), 0..200)) {
            let (mut table, mut model) = (table(), HashMap::new());
            for (insert, address, value) in steps {
                match table.find(&address) {
                    Some(index) if !insert => {
                        prop_assert_eq!(table.remove(index), model.remove(&address));
                    }
                    None if insert && table.insert(address, value).is_some() => {
                        model.insert(address, value);
                    }
                    Some(_) | None => prop_assert!(!insert || model.len() == 5 || model.contains_key(&address)),
                }
                prop_assert_eq!(table.len(), model.len());
                prop_assert_eq!(table.iter().count(), model.len());
                for address in 0..12 {
                    let found = table.find(&address).and_then(|index| table.entry(index)).map(|(_, value)| value);
                    prop_assert_eq!(found, model.get(&address));
                }
            }
        }
    }
}
