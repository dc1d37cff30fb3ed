//! Keyed hashes of values that an attacker may choose.

use crate::keyed_hash::TableHasher;
use core::hash::{Hash, Hasher};

/// The key of all hashes of one listener.
///
/// An attacker that does not know the key cannot choose addresses that share a chain.
#[derive(Clone, Copy)]
pub(crate) struct HashKey(pub(crate) [u8; 16]);

impl HashKey {
    #[inline]
    pub(crate) fn hash<T: Hash>(&self, value: &T) -> u64 {
        let mut hasher = TableHasher::new_with_key(&self.0);
        value.hash(&mut hasher);
        hasher.finish()
    }
}
