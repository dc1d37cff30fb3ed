//! Cookies, which validate an address: only an endpoint that receives RETRY at the address can return the cookie.
//!
//! ```text
//! cookie := time u32 (s)   code u64
//! code   := SipHash-2-4 ( address, the client's tag, time ) under a secret key
//! ```
//!
//! The listener keeps no state for the address. A cookie is valid for 15 s, for one address and one tag.

use crate::keyed_hash::KeyedHasher;
use crate::wire::Tag;
use crate::{Duration, Instant};
use core::hash::{Hash, Hasher};

/// The length of a cookie in bytes.
pub(super) const COOKIE_BYTES: usize = 12;
/// How long a cookie is valid. Times are cut to whole seconds, so a cookie may live almost a second longer.
const LIFETIME: Duration = Duration::from_secs(15);

/// The current and the previous key of the cookies.
#[derive(Clone)]
pub(super) struct Cookies {
    current: [u8; 16],
    previous: Option<[u8; 16]>,
}

impl Cookies {
    pub(super) const fn new(key: [u8; 16]) -> Self {
        Self { current: key, previous: None }
    }

    /// Makes cookies with `key` from now on. Cookies of the previous key stay valid.
    pub(super) fn rotate(&mut self, key: [u8; 16]) {
        self.previous = Some(core::mem::replace(&mut self.current, key));
    }

    pub(super) fn make<A: Hash>(&self, now: Instant, address: &A, tag: Tag) -> [u8; COOKIE_BYTES] {
        let time = seconds(now);
        let [a, b, c, d] = time.to_be_bytes();
        let [e, f, g, h, i, j, k, l] = code(&self.current, address, tag, time).to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    /// Whether `cookie` was made for this address and tag, at most 15 s ago.
    pub(super) fn is_valid<A: Hash>(&self, now: Instant, address: &A, tag: Tag, cookie: &[u8]) -> bool {
        let Some((&time, received)) = cookie.split_first_chunk() else { return false };
        let Ok(received) = received.try_into().map(u64::from_be_bytes) else { return false };
        let time = u32::from_be_bytes(time);
        let age_s = u64::from(seconds(now).wrapping_sub(time));
        // Constant time: the duration of a 64-bit comparison does not depend on the bits that differ, and both keys are
        // always tried.
        let current = code(&self.current, address, tag, time) == received;
        let previous = self.previous.is_some_and(|key| code(&key, address, tag, time) == received);
        (current | previous) & (Duration::from_secs(age_s) <= LIFETIME)
    }
}

/// The time in whole seconds, which wraps after 136 years.
fn seconds(now: Instant) -> u32 {
    let [.., a, b, c, d] = now.saturating_since(Instant::ZERO).as_secs().to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// The authentication code of a cookie.
fn code<A: Hash>(key: &[u8; 16], address: &A, tag: Tag, time: u32) -> u64 {
    let mut hasher = KeyedHasher::new_with_key(key);
    address.hash(&mut hasher);
    hasher.write(tag.as_bytes());
    hasher.write_u32(time);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: Tag = Tag::new([1; 8]);

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn a_cookie_is_for_one_address_and_one_tag() {
        let cookies = Cookies::new([7; 16]);
        let cookie = cookies.make(at(9), &1_u16, TAG);
        assert!(cookies.is_valid(at(9), &1_u16, TAG, &cookie));
        assert!(!cookies.is_valid(at(9), &2_u16, TAG, &cookie));
        assert!(!cookies.is_valid(at(9), &1_u16, Tag::new([2; 8]), &cookie));
        assert!(!Cookies::new([8; 16]).is_valid(at(9), &1_u16, TAG, &cookie));
    }

    #[test]
    fn a_cookie_with_a_changed_bit_is_invalid() {
        let cookies = Cookies::new([7; 16]);
        let cookie = cookies.make(at(100), &1_u16, TAG);
        for bit in 0..COOKIE_BYTES * 8 {
            let mut forged = cookie;
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(!cookies.is_valid(at(100), &1_u16, TAG, &forged), "bit {bit}");
        }
        for len in 0..COOKIE_BYTES {
            assert!(!cookies.is_valid(at(100), &1_u16, TAG, &cookie[..len]));
        }
        assert!(!cookies.is_valid(at(100), &1_u16, TAG, &[&cookie[..], &[0]].concat()));
    }

    #[test]
    fn a_cookie_is_valid_for_fifteen_seconds() {
        let cookies = Cookies::new([7; 16]);
        let cookie = cookies.make(at(100), &1_u16, TAG);
        assert!(cookies.is_valid(at(115), &1_u16, TAG, &cookie));
        assert!(!cookies.is_valid(at(116), &1_u16, TAG, &cookie));
        assert!(!cookies.is_valid(at(99), &1_u16, TAG, &cookie), "a cookie from the future is invalid");
    }

    #[test]
    fn after_a_rotation_only_the_previous_key_stays_valid() {
        let mut cookies = Cookies::new([7; 16]);
        let cookie = cookies.make(at(100), &1_u16, TAG);
        cookies.rotate([8; 16]);
        assert!(cookies.is_valid(at(101), &1_u16, TAG, &cookie));
        assert_ne!(cookies.make(at(100), &1_u16, TAG), cookie);
        cookies.rotate([9; 16]);
        assert!(!cookies.is_valid(at(101), &1_u16, TAG, &cookie));
    }
}
