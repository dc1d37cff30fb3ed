//! Values that are no part of a machine's state.

use core::hash::{Hash, Hasher};
use core::ops::{Deref, DerefMut};

/// A value that is left out when machines are compared or hashed. Two machines whose counters differ behave alike from now
/// on, and a model checker must take them for one state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uncompared<T>(T);

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
