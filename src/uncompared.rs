//! Values that are not part of a machine's state.

use core::hash::{Hash, Hasher};
use core::ops::{Deref, DerefMut};

/// A value that comparison and hashing ignore.
///
/// Machines that differ only in counters behave alike, and a model checker must treat them as one state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uncompared<T>(T);

impl<T> Uncompared<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Uncompared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Uncompared<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> PartialEq for Uncompared<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Uncompared<T> {}

impl<T> Hash for Uncompared<T> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
