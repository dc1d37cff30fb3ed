//! A queue that contains each item at most once.

use super::{Table, TableMemory};

/// The end of the queue in either direction.
const END: u32 = u32::MAX;
/// The value of `before` for an item that is not in the queue.
const ABSENT: u32 = u32::MAX - 1;

/// A first-in, first-out queue of item indexes, as a doubly linked list.
#[derive(Clone)]
pub(crate) struct Queue<M: TableMemory> {
    links: Table<Link, M>,
    first: u32,
    last: u32,
}

#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
}

impl Link {
    const NONE: Self = Self { before: ABSENT, after: END };

    const fn is_queued(self) -> bool {
        self.before != ABSENT
    }
}

impl<M: TableMemory> Queue<M> {
    pub(crate) fn new() -> Self {
        Self { links: Table::default(), first: END, last: END }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    #[inline]
    pub(crate) const fn first(&self) -> Option<u32> {
        if self.first == END { None } else { Some(self.first) }
    }

    /// The item after `item`, which must be in the queue; `None` if `item` is the last.
    pub(crate) fn after(&self, item: u32) -> Option<u32> {
        let after = self.links.as_ref().get(item as usize)?.after;
        (after != END).then_some(after)
    }

    pub(crate) fn has(&self, item: u32) -> bool {
        self.links.as_ref().get(item as usize).is_some_and(|link| link.is_queued())
    }

    /// Adds an item at the end, unless it is already in the queue. Returns false if there is no memory for the item.
    #[inline]
    pub(crate) fn push(&mut self, item: u32) -> bool {
        while self.links.as_ref().len() <= item as usize {
            if item >= ABSENT || self.links.push(Link::NONE).is_err() {
                return false;
            }
        }
        let before = self.last;
        match self.link(item) {
            Some(link) if !link.is_queued() => *link = Link { before, after: END },
            Some(_) => return true,
            None => return false,
        }
        match self.link(before) {
            Some(link) => link.after = item,
            None => self.first = item,
        }
        self.last = item;
        true
    }

    /// Adds `item` before `after`, or at the end if `after` is `None`.
    ///
    /// The call has no effect if `item` is already in the queue. `after` must be in the queue. An earlier
    /// [`push`](Self::push) of `item` must have reserved its memory.
    pub(crate) fn insert(&mut self, item: u32, after: Option<u32>) {
        let Some(after) = after else {
            self.push(item);
            return;
        };
        let Some(before) = self.link(after).map(|link| link.before) else { return };
        match self.link(item) {
            Some(link) if !link.is_queued() => *link = Link { before, after },
            Some(_) | None => return,
        }
        match self.link(before) {
            Some(link) => link.after = item,
            None => self.first = item,
        }
        if let Some(link) = self.link(after) {
            link.before = item;
        }
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<u32> {
        let first = self.first()?;
        self.remove(first);
        Some(first)
    }

    #[inline]
    pub(crate) fn remove(&mut self, item: u32) {
        let Some(link) = self.link(item).filter(|link| link.is_queued()) else { return };
        let Link { before, after } = core::mem::replace(link, Link::NONE);
        match self.link(before) {
            Some(link) => link.after = after,
            None => self.first = after,
        }
        match self.link(after) {
            Some(link) => link.before = before,
            None => self.last = before,
        }
    }

    #[inline]
    fn link(&mut self, item: u32) -> Option<&mut Link> {
        self.links.as_mut().get_mut(item as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FixedTables, HeapTables};
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn agrees_with_a_deque<M: TableMemory>(steps: &[(u8, u32)]) {
        let (mut queue, mut model) = (Queue::<M>::new(), VecDeque::new());
        for &(step, item) in steps {
            let item = item % 8;
            match step % 5 {
                4 => {
                    // Inserts before the middle item, or at the end of an empty queue.
                    assert!(queue.push(item));
                    queue.remove(item);
                    model.retain(|&held| held != item);
                    let middle = model.len() / 2;
                    queue.insert(item, model.get(middle).copied());
                    model.insert(middle, item);
                }
                0 | 1 => {
                    assert!(queue.push(item));
                    if !model.contains(&item) {
                        model.push_back(item);
                    }
                }
                2 => assert_eq!(queue.pop(), model.pop_front()),
                _ => {
                    queue.remove(item);
                    model.retain(|&held| held != item);
                }
            }
            assert_eq!((queue.first(), queue.is_empty()), (model.front().copied(), model.is_empty()));
        }
        let walked: VecDeque<_> = core::iter::successors(queue.first(), |&item| queue.after(item)).collect();
        let popped: VecDeque<_> = core::iter::from_fn(|| queue.pop()).collect();
        assert_eq!((&walked, &popped), (&model, &model));
    }

    proptest! {
        #[test]
        fn agrees_with_a_double_ended_queue(steps in prop::collection::vec(any::<(u8, u32)>(), 0..100)) {
            agrees_with_a_deque::<FixedTables<8>>(&steps);
            agrees_with_a_deque::<HeapTables>(&steps);
        }
    }

    #[test]
    fn an_item_beyond_the_memory_is_refused() {
        let mut queue = Queue::<FixedTables<1>>::new();
        assert!(queue.push(0) && !queue.push(1));
        queue.remove(1);
        assert_eq!((queue.pop(), queue.pop()), (Some(0), None));
    }
}
