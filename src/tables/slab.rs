//! Items at fixed indexes. The index of a removed item is reused.

use super::{Table, TableMemory};

/// The end of the list of vacant places.
const END: u32 = u32::MAX;

/// Items, each at an index that does not change until the item is removed.
///
/// Each place counts the items that were removed from it. This count is its generation, which distinguishes the ids of
/// earlier items from the id of the current one.
#[derive(Clone)]
pub(crate) struct Slab<T, M: TableMemory> {
    places: Table<Place<T>, M>,
    /// The first vacant place.
    vacant: u32,
    /// The number of items.
    used: u32,
}

#[derive(Clone)]
struct Place<T> {
    generation: u32,
    item: Item<T>,
}

#[derive(Clone)]
enum Item<T> {
    Vacant { next: u32 },
    Held(T),
}

impl<T, M: TableMemory> Slab<T, M> {
    pub(crate) fn new() -> Self {
        Self { places: Table::default(), vacant: END, used: 0 }
    }

    pub(crate) const fn len(&self) -> u32 {
        self.used
    }

    /// Adds an item and returns its index.
    ///
    /// # Errors
    ///
    /// Returns the item if the slab is full.
    pub(crate) fn insert(&mut self, item: T) -> Result<u32, T> {
        let index = self.vacant;
        if let Some(place) = self.place_mut(index) {
            let Item::Vacant { next } = place.item else { return Err(item) };
            place.item = Item::Held(item);
            self.vacant = next;
            self.used += 1;
            return Ok(index);
        }
        let Some(index) = u32::try_from(self.places.as_ref().len()).ok().filter(|&index| index != END) else {
            return Err(item);
        };
        match self.places.push(Place { generation: 0, item: Item::Held(item) }) {
            Ok(()) => {
                self.used += 1;
                Ok(index)
            }
            Err(Place { item: Item::Held(item), .. }) => Err(item),
            Err(Place { item: Item::Vacant { .. }, .. }) => Ok(END),
        }
    }

    /// Removes the item at `index`, and drops it in place. Returns whether there was an item.
    ///
    /// [`take`](Self::take) moves the item instead, and needs stack for the whole item.
    pub(crate) fn remove(&mut self, index: u32) -> bool {
        let vacant = self.vacant;
        let Some(place) = self.place_mut(index).filter(|place| matches!(place.item, Item::Held(_))) else {
            return false;
        };
        place.item = Item::Vacant { next: vacant };
        place.generation = place.generation.wrapping_add(1);
        self.vacant = index;
        self.used -= 1;
        true
    }

    /// Removes an item and returns it.
    pub(crate) fn take(&mut self, index: u32) -> Option<T> {
        let vacant = self.vacant;
        let place = self.place_mut(index)?;
        if matches!(place.item, Item::Vacant { .. }) {
            return None;
        }
        let Item::Held(item) = core::mem::replace(&mut place.item, Item::Vacant { next: vacant }) else { return None };
        place.generation = place.generation.wrapping_add(1);
        self.vacant = index;
        self.used -= 1;
        Some(item)
    }

    #[inline]
    pub(crate) fn item(&self, index: u32) -> Option<&T> {
        match &self.places.as_ref().get(index as usize)?.item {
            Item::Held(item) => Some(item),
            Item::Vacant { .. } => None,
        }
    }

    #[inline]
    pub(crate) fn item_mut(&mut self, index: u32) -> Option<&mut T> {
        match &mut self.place_mut(index)?.item {
            Item::Held(item) => Some(item),
            Item::Vacant { .. } => None,
        }
    }

    /// The number of items that were removed from this place, modulo 2^32; `None` if there is no such place.
    #[inline]
    pub(crate) fn generation(&self, index: u32) -> Option<u32> {
        self.places.as_ref().get(index as usize).map(|place| place.generation)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> + '_ {
        (0..END).zip(self.places.as_ref()).filter_map(|(index, place)| match &place.item {
            Item::Held(item) => Some((index, item)),
            Item::Vacant { .. } => None,
        })
    }

    fn place_mut(&mut self, index: u32) -> Option<&mut Place<T>> {
        self.places.as_mut().get_mut(index as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::super::FixedTables;
    use super::*;

    #[test]
    fn a_full_slab_returns_the_item_and_reuses_vacant_places() {
        let mut slab: Slab<&str, FixedTables<2>> = Slab::new();
        assert_eq!((slab.insert("a"), slab.insert("b"), slab.insert("c")), (Ok(0), Ok(1), Err("c")));
        let generation = slab.generation(0);
        assert_eq!((slab.take(0), slab.take(0), slab.take(7)), (Some("a"), None, None));
        assert_eq!((slab.remove(0), slab.remove(7)), (false, false));
        assert_eq!((slab.len(), slab.item(0)), (1, None));
        assert_eq!(slab.insert("d"), Ok(0));
        assert_ne!(slab.generation(0), generation);
        let generation = slab.generation(0);
        assert_eq!((slab.remove(0), slab.remove(0), slab.len()), (true, false, 1));
        assert_eq!(slab.insert("d"), Ok(0));
        assert_ne!(slab.generation(0), generation);
        assert_eq!(slab.iter().collect::<std::vec::Vec<_>>(), [(0, &"d"), (1, &"b")]);
    }
}
