//! Keyed hashes (SipHash). They are not inlined if pointers have fewer than 64 bits.
//!
//! `siphasher` inlines its rounds into each caller, which is fast. Targets with smaller pointers have little flash, so
//! all callers share one copy of SipHash-2-4.

#[cfg(not(target_pointer_width = "64"))]
pub(crate) use outlined::{KeyedHasher, KeyedHasher as TableHasher};
/// SipHash-2-4 for values that a peer sees, and SipHash-1-3 for tables.
#[cfg(target_pointer_width = "64")]
pub(crate) use siphasher::sip::{SipHasher13 as TableHasher, SipHasher24 as KeyedHasher};

#[cfg(any(test, not(target_pointer_width = "64")))]
mod outlined {
    use core::hash::Hasher;
    use siphasher::sip::SipHasher24;

    /// SipHash-2-4 that all callers share.
    pub(crate) struct KeyedHasher(SipHasher24);

    impl KeyedHasher {
        pub(crate) fn new_with_key(key: &[u8; 16]) -> Self {
            Self(SipHasher24::new_with_key(key))
        }
    }

    impl Hasher for KeyedHasher {
        fn write(&mut self, bytes: &[u8]) {
            // One byte at a time, since the inputs are short and the code of `SipHasher24::write` is three times as
            // long.
            for &byte in bytes {
                self.0.write_u8(byte);
            }
        }

        fn write_u32(&mut self, word: u32) {
            self.0.write_u32(word);
        }

        fn finish(&self) -> u64 {
            self.0.finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use core::hash::{Hash, Hasher};

    #[test]
    fn the_outlined_hash_equals_the_inlined_hash() {
        let value = (7_u8, 0x0123_4567_u32, 0x89ab_cdef_0123_4567_u64, [1_u16, 2, 3]);
        let (mut outlined, mut inlined) =
            (super::outlined::KeyedHasher::new_with_key(&[9; 16]), super::KeyedHasher::new_with_key(&[9; 16]));
        value.hash(&mut outlined);
        value.hash(&mut inlined);
        assert_eq!(outlined.finish(), inlined.finish());
    }
}
