//! The deadlines of items, in an indexed heap.

use super::{Table, TableMemory};
use crate::Instant;

/// The number of children of a node.
///
/// With four children, siblings take 64 bytes together, and a timer moves at most nine levels in a heap of 100,000.
const ARITY: usize = 4;
/// The place of an item that is not in the heap.
const NOWHERE: u32 = u32::MAX;

/// The deadlines of items, at most one for each.
///
/// Setting, moving or clearing a deadline is O(log n). Setting the same deadline again is O(1).
#[derive(Clone)]
pub(crate) struct Timers<M: TableMemory> {
    /// The first `len` timers form the heap: a timer is never due later than its children.
    heap: Table<Timer, M>,
    len: usize,
    /// The place of each item in the heap.
    places: Table<u32, M>,
}

#[derive(Clone, Copy)]
struct Timer {
    at: Instant,
    item: u32,
}

impl<M: TableMemory> Timers<M> {
    pub(crate) fn new() -> Self {
        Self { heap: Table::default(), len: 0, places: Table::default() }
    }

    /// The earliest deadline, and its item.
    #[inline]
    pub(crate) fn first(&self) -> Option<(Instant, u32)> {
        self.timer(0).map(|timer| (timer.at, timer.item))
    }

    /// Sets or moves the deadline of an item. Returns false if there is no memory for the item.
    #[inline]
    pub(crate) fn set(&mut self, item: u32, at: Instant) -> bool {
        let timer = Timer { at, item };
        match self.place_of(item).and_then(|place| Some((place, self.timer(place)?.at))) {
            Some((_, old)) if old == at => {}
            Some((place, old)) if at < old => self.rise(place, timer),
            Some((place, _)) => self.sink(place, timer),
            None => {
                if !self.make_room(item, timer) {
                    return false;
                }
                self.len += 1;
                self.rise(self.len - 1, timer);
            }
        }
        true
    }

    /// The deadline of an item.
    #[inline]
    pub(crate) fn of(&self, item: u32) -> Option<Instant> {
        Some(self.timer(self.place_of(item)?)?.at)
    }

    pub(crate) fn clear(&mut self, item: u32) {
        let Some(place) = self.place_of(item) else { return };
        let (Some(&cleared), Some(&last)) = (self.timer(place), self.timer(self.len - 1)) else { return };
        self.len -= 1;
        self.set_place(item, NOWHERE);
        if last.item == item {
            return;
        }
        // The last timer takes the vacant place.
        if last.at < cleared.at {
            self.rise(place, last);
        } else {
            self.sink(place, last);
        }
    }

    /// Reserves memory for the place of the item, and for one more timer at the end of the heap.
    fn make_room(&mut self, item: u32, timer: Timer) -> bool {
        while self.places.as_ref().len() <= item as usize {
            if self.places.push(NOWHERE).is_err() {
                return false;
            }
        }
        self.heap.as_ref().len() > self.len || self.heap.push(timer).is_ok()
    }

    /// Puts `timer` at `place`, or nearer to the root.
    fn rise(&mut self, mut place: usize, timer: Timer) {
        while place > 0 {
            let parent = (place - 1) / ARITY;
            match self.timer(parent) {
                Some(&above) if above.at > timer.at => self.put(place, above),
                Some(_) | None => break,
            }
            place = parent;
        }
        self.put(place, timer);
    }

    /// Puts `timer` at `place`, or nearer to the leaves.
    fn sink(&mut self, mut place: usize, timer: Timer) {
        loop {
            let first = place * ARITY + 1;
            let children = self.heap.as_ref().get(first..self.len.min(first + ARITY)).unwrap_or_default();
            match children.iter().zip(first..).min_by_key(|(child, _)| child.at) {
                Some((&below, child)) if below.at < timer.at => {
                    self.put(place, below);
                    place = child;
                }
                Some(_) | None => break,
            }
        }
        self.put(place, timer);
    }

    fn put(&mut self, place: usize, timer: Timer) {
        if let Some(there) = self.heap.as_mut().get_mut(place) {
            *there = timer;
        }
        self.set_place(timer.item, u32::try_from(place).unwrap_or(NOWHERE));
    }

    fn set_place(&mut self, item: u32, place: u32) {
        if let Some(there) = self.places.as_mut().get_mut(item as usize) {
            *there = place;
        }
    }

    fn timer(&self, place: usize) -> Option<&Timer> {
        self.heap.as_ref().get(..self.len)?.get(place)
    }

    fn place_of(&self, item: u32) -> Option<usize> {
        let place = *self.places.as_ref().get(item as usize)?;
        (place != NOWHERE).then_some(place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FixedTables, HeapTables};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn agrees_with_a_map<M: TableMemory>(steps: &[(u8, u64)]) {
        let (mut timers, mut model) = (Timers::<M>::new(), BTreeMap::new());
        for &(item, at) in steps {
            let (item, at) = (u32::from(item % 30), Instant::from_micros(at % 16));
            if at == Instant::ZERO {
                timers.clear(item);
                model.remove(&item);
            } else {
                assert!(timers.set(item, at));
                model.insert(item, at);
            }
            assert_eq!(timers.first().map(|(at, _)| at), model.values().min().copied());
            assert!((0..30).all(|item| timers.of(item) == model.get(&item).copied()));
            if let Some((at, item)) = timers.first() {
                assert_eq!(model.get(&item), Some(&at));
            }
        }
        let mut left = Vec::new();
        while let Some((at, item)) = timers.first() {
            left.push(at);
            assert_eq!(model.remove(&item), Some(at));
            timers.clear(item);
        }
        assert!(model.is_empty() && left.is_sorted(), "{left:?}");
    }

    use std::vec::Vec;

    proptest! {
        #[test]
        fn agrees_with_a_sorted_map(steps in prop::collection::vec(any::<(u8, u64)>(), 0..200)) {
            agrees_with_a_map::<FixedTables<30>>(&steps);
            agrees_with_a_map::<HeapTables>(&steps);
        }
    }

    #[test]
    fn an_item_beyond_the_memory_is_refused() {
        let mut timers = Timers::<FixedTables<1>>::new();
        assert!(timers.set(0, Instant::ZERO) && !timers.set(1, Instant::ZERO));
        timers.clear(1);
        assert_eq!(timers.first(), Some((Instant::ZERO, 0)));
    }
}
