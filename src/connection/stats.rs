//! What a connection counts.

use super::event::Ignored;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{Deref, DerefMut};

/// Counters of one connection since its start, or since they were last taken. They saturate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Stats {
    /// Datagrams written by `poll_transmit`.
    pub datagrams_sent: u64,
    /// Bytes of these.
    pub bytes_sent: u64,
    /// Datagrams given to `handle_datagram`.
    pub datagrams_received: u64,
    /// Bytes of these.
    pub bytes_received: u64,
    /// INFO packets among the datagrams sent, repeated ones included.
    pub infos_sent: u64,
    /// INFO packets sent again.
    pub infos_repeated: u32,
    /// INFO packets that arrived again after they had been received.
    pub infos_duplicate: u32,
    /// Expired retransmission timers, those of handshake and close included.
    pub timeouts: u32,
    /// Datagrams ignored, by reason.
    pub ignored: IgnoredCounts,
}

/// How many datagrams were ignored for each reason.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IgnoredCounts([u32; Ignored::ALL.len()]);

impl IgnoredCounts {
    /// How many were ignored for this reason.
    #[must_use]
    pub fn of(&self, reason: Ignored) -> u32 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }

    /// How many were ignored in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().copied().map(u64::from).sum()
    }

    /// The reasons that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Ignored, u32)> + '_ {
        Ignored::ALL.iter().map(|&reason| (reason, self.of(reason))).filter(|&(_, count)| count > 0)
    }

    pub(crate) fn count(&mut self, reason: Ignored) {
        if let Some(count) = self.0.get_mut(reason as usize) {
            *count = count.saturating_add(1);
        }
    }
}

/// The reasons that occurred, by name.
impl fmt::Debug for IgnoredCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Default for IgnoredCounts {
    fn default() -> Self {
        Self([0; Ignored::ALL.len()])
    }
}

/// A value that is left out when machines are compared or hashed. Two machines whose counters differ behave alike from now
/// on, and a model checker must take them for one state.
#[derive(Clone, Debug, Default)]
pub(super) struct Uncompared<T>(T);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_names_the_reasons_that_occurred() {
        let mut counts = IgnoredCounts::default();
        counts.count(Ignored::OldAck);
        counts.count(Ignored::OldAck);
        counts.count(Ignored::Prefix);
        assert_eq!(std::format!("{counts:?}"), "{Prefix: 1, OldAck: 2}");
    }

    #[test]
    fn each_reason_has_a_counter_of_its_own() {
        let mut counts = IgnoredCounts::default();
        for (index, &reason) in Ignored::ALL.iter().enumerate() {
            for _ in 0..=index {
                counts.count(reason);
            }
        }
        assert_eq!(counts.iter().count(), Ignored::ALL.len());
        for (index, (reason, count)) in counts.iter().enumerate() {
            assert_eq!((reason as usize, count as usize), (index, index + 1));
        }
    }
}
