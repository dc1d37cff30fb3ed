//! Stateless resets: answers to datagrams whose tag belongs to no connection (RFC 9000 §10.3).
//!
//! ```text
//! token := SipHash-2-4 ( tag ) under a secret key
//! ```
//!
//! CONNACK carries the token of the server's tag. A datagram with a tag brings the token of that tag, but only once the
//! tag is unknown here. An attacker that has not seen the tag has to guess 64 bits.

use crate::keyed_hash::KeyedHasher;
use crate::wire::{STATELESS_RESET_BYTES, Tag};
use crate::{Duration, Instant};
use core::hash::Hasher;

/// The time after which one more reset may be sent, and the most resets that may be sent at once: at most 100 in any
/// second.
const INTERVAL: Duration = Duration::from_millis(20);
const BURST: u64 = 50;

/// The key of the tokens, and the limit on resets.
#[derive(Clone)]
pub(super) struct StatelessResets {
    key: [u8; 16],
    /// When the limit will have recovered from all resets so far.
    clear_at: Instant,
}

impl StatelessResets {
    pub(super) const fn new(key: [u8; 16]) -> Self {
        Self { key, clear_at: Instant::ZERO }
    }

    /// The token of the connection whose server has this tag.
    pub(super) fn token(&self, tag: Tag) -> Tag {
        let mut hasher = KeyedHasher::new_with_key(&self.key);
        hasher.write(tag.as_bytes());
        Tag::new(hasher.finish().to_be_bytes())
    }

    /// The token that answers `datagram`, whose tag is unknown; `None` if it gets no answer.
    ///
    /// A reset is shorter than what it answers, so that two servers do not answer each other without end.
    pub(super) fn answer(&mut self, now: Instant, datagram: &[u8]) -> Option<Tag> {
        let tag = Tag::new(*datagram.first_chunk().filter(|_| datagram.len() > STATELESS_RESET_BYTES)?);
        let clear_at = self.clear_at.max(now) + INTERVAL;
        if clear_at.saturating_since(now) > INTERVAL.saturating_mul(BURST) {
            return None;
        }
        self.clear_at = clear_at;
        Some(self.token(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_depends_on_tag_and_key() {
        let token = |key: u8, tag: u8| StatelessResets::new([key; 16]).token(Tag::new([tag; 8]));
        assert_eq!(token(1, 1), token(1, 1));
        assert!(token(1, 1) != token(1, 2) && token(1, 1) != token(2, 1));
    }

    #[test]
    fn at_most_100_resets_are_sent_in_a_second() {
        let mut resets = StatelessResets::new([1; 16]);
        let mut sent = std::vec::Vec::new();
        for ms in 0..5_000 {
            let now = Instant::from_millis(ms);
            sent.extend((0..3).filter_map(|_| resets.answer(now, &[7; 13]).map(|_| ms)));
        }
        let most = (0..4_000).map(|from| sent.iter().filter(|&&at| (from..from + 1_000).contains(&at)).count()).max();
        assert!((90..=100).contains(&most.unwrap()), "{most:?}");
    }

    #[test]
    fn what_is_no_longer_than_a_reset_gets_no_answer() {
        let mut resets = StatelessResets::new([1; 16]);
        assert_eq!(resets.answer(Instant::ZERO, &[7; 10]), None);
        assert_eq!(resets.answer(Instant::ZERO, &[7; 11]), Some(resets.token(Tag::new([7; 8]))));
    }
}
