//! Keyed hashes: SipHash, outlined where pointers have fewer than 64 bits.
//!
//! `siphasher` inlines its rounds into each caller, which is fast. Where flash is small, all callers share one copy of
//! SipHash-2-4.

#[cfg(not(target_pointer_width = "64"))]
pub(crate) use outlined::{KeyedHasher, KeyedHasher as TableHasher, hash_number};
/// SipHash-2-4 for values that a peer sees, and SipHash-1-3 for tables.
#[cfg(target_pointer_width = "64")]
pub(crate) use siphasher::sip::{SipHasher13 as TableHasher, SipHasher24 as KeyedHasher};

/// SipHash-2-4 of the four bytes of a number.
#[cfg(target_pointer_width = "64")]
pub(crate) fn hash_number(key: &[u8; 16], number: u32) -> u64 {
    use core::hash::Hasher;
    let mut hasher = KeyedHasher::new_with_key(key);
    hasher.write_u32(number);
    hasher.finish()
}

#[cfg(any(test, not(target_pointer_width = "64")))]
mod outlined {
    use core::hash::Hasher;

    /// SipHash-2-4, a byte at a time: what is hashed here is short.
    #[derive(Clone)]
    pub(crate) struct KeyedHasher {
        state: [u64; 4],
        /// The bytes since the last whole word, and the number of all bytes, modulo 256.
        word: u64,
        len: u8,
    }

    impl KeyedHasher {
        pub(crate) fn new_with_key(key: &[u8; 16]) -> Self {
            let [low, high] =
                [key.first_chunk(), key.last_chunk()].map(|half| half.map_or(0, |&bytes| u64::from_le_bytes(bytes)));
            let state = [
                low ^ 0x736f_6d65_7073_6575,
                high ^ 0x646f_7261_6e64_6f6d,
                low ^ 0x6c79_6765_6e65_7261,
                high ^ 0x7465_6462_7974_6573,
            ];
            Self { state, word: 0, len: 0 }
        }

        #[inline(never)]
        fn absorb(&mut self, word: u64, rounds: u8) {
            let [mut a, mut b, mut c, mut d] = self.state;
            d ^= word;
            for _ in 0..rounds {
                a = a.wrapping_add(b);
                c = c.wrapping_add(d);
                b = b.rotate_left(13) ^ a;
                d = d.rotate_left(16) ^ c;
                a = a.rotate_left(32).wrapping_add(d);
                c = c.wrapping_add(b);
                d = d.rotate_left(21) ^ a;
                b = b.rotate_left(17) ^ c;
                c = c.rotate_left(32);
            }
            a ^= word;
            self.state = [a, b, c, d];
        }

        fn conclude(mut self) -> u64 {
            let [_, _, c, _] = &mut self.state;
            *c ^= 0xff;
            self.absorb(0, 4);
            self.state.into_iter().fold(0, |all, part| all ^ part)
        }
    }

    /// A program that hashes nothing else has no code for other lengths.
    pub(crate) fn hash_number(key: &[u8; 16], number: u32) -> u64 {
        let mut hasher = KeyedHasher::new_with_key(key);
        hasher.absorb(u64::from(number) | 4 << 56, 2);
        hasher.conclude()
    }

    impl Hasher for KeyedHasher {
        #[inline(never)]
        fn write(&mut self, bytes: &[u8]) {
            for &byte in bytes {
                self.word = self.word >> 8 | u64::from(byte) << 56;
                self.len = self.len.wrapping_add(1);
                if self.len.is_multiple_of(8) {
                    self.absorb(self.word, 2);
                }
            }
        }

        #[inline(never)]
        fn finish(&self) -> u64 {
            let mut last = self.clone();
            let len = self.len;
            while last.len % 8 != 7 {
                last.write(&[0]);
            }
            last.write(&[len]);
            last.conclude()
        }
    }
}

#[cfg(test)]
mod tests {
    use core::hash::{Hash, Hasher};

    #[test]
    fn both_forms_give_the_same_hash() {
        let value = (7_u8, 0x0123_4567_u32, 0x89ab_cdef_0123_4567_u64, [1_u16, 2, 3]);
        let (mut outlined, mut inlined) =
            (super::outlined::KeyedHasher::new_with_key(&[9; 16]), super::KeyedHasher::new_with_key(&[9; 16]));
        value.hash(&mut outlined);
        value.hash(&mut inlined);
        assert_eq!(outlined.finish(), inlined.finish());
        assert_eq!(super::outlined::hash_number(&[9; 16], 7), super::hash_number(&[9; 16], 7));
    }
}
