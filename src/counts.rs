//! Counters by reason, for everything that a machine ignores or drops.

use core::fmt;
use core::marker::PhantomData;

/// A type whose values are reasons. [`Counts`] has a counter for each value.
///
/// A reason may contain a reason of another type:
/// [`DropReason::Malformed`](crate::listener::DropReason::Malformed) contains a reason of the decoder.
pub trait Countable: Copy {
    /// The number of values.
    const COUNT: usize;

    /// The index of this value, below [`COUNT`](Self::COUNT).
    fn index(self) -> usize;

    /// The value with this index; `None` from [`COUNT`](Self::COUNT) on.
    fn from_index(index: usize) -> Option<Self>;
}

/// An unsigned integer that counts up and saturates.
pub trait Counter: Copy + Default + PartialEq + fmt::Debug + Into<u64> {
    /// This count plus 1, at most the largest value of the type.
    #[must_use]
    fn incremented(self) -> Self;
}

impl Counter for u32 {
    fn incremented(self) -> Self {
        self.saturating_add(1)
    }
}

impl Counter for u64 {
    fn incremented(self) -> Self {
        self.saturating_add(1)
    }
}

/// How often each reason of type `R` has occurred.
///
/// `N` is the number of reasons, [`Countable::COUNT`]. Each counter saturates at the largest value of `C`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Counts<R, const N: usize, C = u64> {
    counters: [C; N],
    reasons: PhantomData<R>,
}

impl<R: Countable, const N: usize, C: Counter> Counts<R, N, C> {
    /// How often this reason has occurred.
    #[must_use]
    pub fn of(&self, reason: R) -> C {
        self.counters.get(reason.index()).copied().unwrap_or_default()
    }

    /// The sum of all counters.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counters.iter().fold(0, |total, &count| total.saturating_add(count.into()))
    }

    /// The sum of the counters of all reasons for which `is` returns true.
    ///
    /// Example: `counts.total_of(|reason| matches!(reason, DropReason::Malformed(_)))`.
    #[must_use]
    pub fn total_of(&self, mut is: impl FnMut(R) -> bool) -> u64 {
        self.iter().filter(|&(reason, _)| is(reason)).fold(0, |total, (_, count)| total.saturating_add(count.into()))
    }

    /// The reasons that have occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (R, C)> + '_ {
        let all = self.counters.iter().enumerate();
        all.filter_map(|(index, &count)| Some((R::from_index(index)?, count)))
            .filter(|&(_, count)| count != C::default())
    }

    pub(crate) fn count(&mut self, reason: R) {
        if let Some(counter) = self.counters.get_mut(reason.index()) {
            *counter = counter.incremented();
        }
    }
}

impl<R, const N: usize, C: Counter> Default for Counts<R, N, C> {
    fn default() -> Self {
        Self { counters: [C::default(); N], reasons: PhantomData }
    }
}

/// Prints the reasons that have occurred, with their counts.
impl<R: Countable + fmt::Debug, const N: usize, C: Counter> fmt::Debug for Counts<R, N, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Adds `by` to `counter`, which saturates.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn increase(counter: &mut u64, by: u64) {
    *counter = counter.saturating_add(by);
}

/// Implements [`Countable`] for an enum.
///
/// A variant that contains another reason comes first in the list, in brackets.
macro_rules! countable {
    ($name:ident: $([$nested:ident($inner:ty)])? $($flat:ident),+ $(,)?) => {
        impl $crate::counts::Countable for $name {
            const COUNT: usize = [$(stringify!($flat)),+].len() $(+ <$inner as $crate::counts::Countable>::COUNT)?;

            fn index(self) -> usize {
                enum Position {
                    $($flat),+
                }
                $(if let Self::$nested(inner) = self {
                    return $crate::counts::Countable::index(inner);
                })?
                let first = 0 $(+ <$inner as $crate::counts::Countable>::COUNT)?;
                first + match self {
                    $(Self::$nested(_) => 0,)?
                    $(Self::$flat => Position::$flat as usize,)+
                }
            }

            fn from_index(index: usize) -> Option<Self> {
                let first = 0 $(+ <$inner as $crate::counts::Countable>::COUNT)?;
                $(if let Some(inner) = <$inner as $crate::counts::Countable>::from_index(index) {
                    return Some(Self::$nested(inner));
                })?
                [$(Self::$flat),+].get(index.checked_sub(first)?).copied()
            }
        }
    };
}
pub(crate) use countable;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Inner {
        A,
        B,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Outer {
        Nested(Inner),
        C,
        D,
    }

    countable!(Inner: A, B);
    countable!(Outer: [Nested(Inner)] C, D);

    const ALL: [Outer; 4] = [Outer::Nested(Inner::A), Outer::Nested(Inner::B), Outer::C, Outer::D];

    #[test]
    fn each_reason_has_an_index_of_its_own() {
        assert_eq!((Inner::COUNT, Outer::COUNT), (2, ALL.len()));
        for (index, reason) in ALL.into_iter().enumerate() {
            assert_eq!((reason.index(), Outer::from_index(index)), (index, Some(reason)));
        }
        assert_eq!((Outer::from_index(4), Inner::from_index(2)), (None, None));
    }

    #[test]
    fn each_reason_has_a_counter_of_its_own() {
        let mut counts = Counts::<Outer, { Outer::COUNT }>::default();
        for (index, reason) in ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| counts.count(reason));
        }
        assert_eq!(ALL.map(|reason| counts.of(reason)), [1, 2, 3, 4]);
        assert_eq!(counts.total(), 10);
        assert_eq!(counts.total_of(|reason| matches!(reason, Outer::Nested(_))), 3);
    }

    #[test]
    fn debug_names_the_reasons_that_occurred() {
        let mut counts = Counts::<Outer, { Outer::COUNT }, u32>::default();
        for reason in [Outer::D, Outer::Nested(Inner::B), Outer::D] {
            counts.count(reason);
        }
        assert_eq!(std::format!("{counts:?}"), "{Nested(B): 1, D: 2}");
    }

    #[test]
    fn a_counter_saturates() {
        let mut counts = Counts::<Outer, { Outer::COUNT }, u32> { counters: [u32::MAX; 4], reasons: PhantomData };
        counts.count(Outer::C);
        assert_eq!((counts.of(Outer::C), counts.total()), (u32::MAX, 4 * u64::from(u32::MAX)));
    }
}
