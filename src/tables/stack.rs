//! A stack that contains each item at most once.
//!
//! It is cheaper than a [queue](super::Queue), but cannot remove an item from the middle.

use super::{Table, TableMemory};

/// The end of the stack.
const END: u32 = u32::MAX;
/// The value of `below` for an item that is not in the stack.
const ABSENT: u32 = u32::MAX - 1;

/// A last-in, first-out stack of item indexes, as a linked list.
#[derive(Clone)]
pub(crate) struct Stack<M: TableMemory> {
    /// The item below each item, by index.
    below: Table<u32, M>,
    top: u32,
}

impl<M: TableMemory> Stack<M> {
    pub(crate) fn new() -> Self {
        Self { below: Table::default(), top: END }
    }

    /// Adds an item, unless it is already in the stack. Returns false if there is no memory for the item.
    #[inline]
    pub(crate) fn push(&mut self, item: u32) -> bool {
        let top = self.top;
        match self.below.as_mut().get_mut(item as usize) {
            Some(below) if *below == ABSENT => *below = top,
            Some(_) => return true,
            None => return self.push_first(item),
        }
        self.top = item;
        true
    }

    /// Adds an item for which `below` has no entry yet.
    #[cold]
    fn push_first(&mut self, item: u32) -> bool {
        while self.below.as_ref().len() <= item as usize {
            if item >= ABSENT || self.below.push(ABSENT).is_err() {
                return false;
            }
        }
        self.push(item)
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<u32> {
        let top = self.top;
        let below = self.below.as_mut().get_mut(top as usize)?;
        self.top = core::mem::replace(below, ABSENT);
        Some(top)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FixedTables, HeapTables};
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn agrees_with_a_list<M: TableMemory>(steps: &[(bool, u32)]) {
        let (mut stack, mut model) = (Stack::<M>::new(), Vec::new());
        for &(pushes, item) in steps {
            let item = item % 8;
            if !pushes {
                assert_eq!(stack.pop(), model.pop());
                continue;
            }
            assert!(stack.push(item));
            if !model.contains(&item) {
                model.push(item);
            }
        }
        let popped: Vec<_> = core::iter::from_fn(|| stack.pop()).collect();
        model.reverse();
        assert_eq!(popped, model);
    }

    proptest! {
        #[test]
        fn agrees_with_a_simple_list(steps in prop::collection::vec(any::<(bool, u32)>(), 0..100)) {
            agrees_with_a_list::<FixedTables<8>>(&steps);
            agrees_with_a_list::<HeapTables>(&steps);
        }
    }

    #[test]
    fn an_item_beyond_the_memory_is_refused() {
        let mut stack = Stack::<FixedTables<1>>::new();
        assert!(stack.push(0) && !stack.push(1));
        assert_eq!((stack.pop(), stack.pop()), (Some(0), None));
    }
}
