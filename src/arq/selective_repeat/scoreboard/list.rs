//! Lists of numbers, linked through the state of each number.

use super::block::Sent;
use super::window::{Memory, Window};
use crate::Seq;

/// A list of numbers of one window. Each number is in one list at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct List {
    head: Seq,
    tail: Seq,
    len: u32,
}

impl List {
    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn first(&self) -> Option<Seq> {
        (self.len > 0).then_some(self.head)
    }

    pub(super) fn last(&self) -> Option<Seq> {
        (self.len > 0).then_some(self.tail)
    }

    /// Appends `number`. Returns its `before`, which the caller must store in the state of `number`.
    #[must_use]
    pub(super) fn push<M: Memory>(&mut self, window: &mut Window<M>, number: Seq) -> u32 {
        let before = self.tail;
        if self.len == 0 {
            self.head = number;
        } else {
            window.update(before, |sent| sent.after = number.value());
        }
        self.tail = number;
        self.len += 1;
        before.value()
    }

    /// Clears the `before` of the first number and the `after` of the last, which have no meaning.
    pub(super) fn forget_ends<M: Memory>(&mut self, window: &mut Window<M>) {
        if self.len == 0 {
            *self = Self::default();
        } else {
            window.update(self.head, |sent| sent.before = 0);
            window.update(self.tail, |sent| sent.after = 0);
        }
    }

    /// Removes `number`, which must be in the list. `sent` is its state.
    pub(super) fn remove<M: Memory>(&mut self, window: &mut Window<M>, number: Seq, sent: Sent) {
        let Sent { before, after, .. } = sent;
        self.len -= 1;
        if number == self.head {
            // The usual case: the number sent first is acknowledged first. The head of an empty list is never read.
            self.head = Seq::new(after);
        } else if number == self.tail {
            self.tail = Seq::new(before);
        } else {
            window.update(Seq::new(before), |neighbour| neighbour.after = after);
            window.update(Seq::new(after), |neighbour| neighbour.before = before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::block::Block;
    use super::*;
    use std::vec::Vec;

    type Blocks = Window<[Block; 1]>;

    fn push(list: &mut List, window: &mut Blocks, number: u32) {
        let before = list.push(window, Seq::new(number));
        window.update(Seq::new(number), |sent| sent.before = before);
    }

    fn remove(list: &mut List, window: &mut Blocks, number: u32) {
        let sent = *window.sent(Seq::new(number));
        list.remove(window, Seq::new(number), sent);
    }

    fn numbers(list: &List, window: &Blocks) -> Vec<u32> {
        let mut next = list.first();
        core::iter::from_fn(|| {
            let number = next?;
            next = (number != list.tail).then(|| Seq::new(window.sent(number).after));
            Some(number.value())
        })
        .collect()
    }

    #[test]
    fn the_first_the_last_and_any_other_number_can_be_removed() {
        let (mut window, mut list) = (Window::new([Block::EMPTY]).unwrap(), List::default());
        for number in [5, 9, 2, 7, 63] {
            push(&mut list, &mut window, number);
        }
        remove(&mut list, &mut window, 2);
        remove(&mut list, &mut window, 5);
        remove(&mut list, &mut window, 63);
        assert_eq!(numbers(&list, &window), [9, 7]);
        assert_eq!(list.last(), Some(Seq::new(7)));
        remove(&mut list, &mut window, 9);
        remove(&mut list, &mut window, 7);
        assert_eq!((list.first(), list.last(), list.len()), (None, None, 0));
        push(&mut list, &mut window, 1);
        assert_eq!(numbers(&list, &window), [1]);
    }
}
