//! The log of a simulation: clock, seed, fingerprint, and optionally all datagrams.

use core::fmt;
use std::eprintln;
use std::vec::Vec;

use super::link::LinkId;
use super::node::SimAddress;
use crate::{Duration, Instant};

/// The fate of a datagram on its link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Arrives intact and in order.
    Delivered,
    /// Arrives intact, but later by this time. Later datagrams overtake it.
    Delayed(Duration),
    /// Arrives twice.
    Duplicated,
    /// Arrives with some bytes changed.
    Corrupted,
    /// Arrives truncated.
    Truncated,
    /// Lost on the line, at random or by a filter.
    Lost,
    /// Lost in a blackout.
    BlackedOut,
    /// Dropped because the queue is full.
    Overflowed,
    /// Dropped because it exceeds the MTU.
    Oversized,
    /// Dropped because no link leads to its destination.
    Unroutable,
}

/// A datagram that was sent, and its fate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The time of sending.
    pub sent: Instant,
    /// The link; `None` without a route.
    pub link: Option<LinkId>,
    /// The source address, which may be forged.
    pub from: SimAddress,
    /// The destination.
    pub to: SimAddress,
    /// The bytes as sent, before any damage.
    pub data: &'a [u8],
    /// The fate. In a filter: the fate if the filter does not change it.
    pub fate: Fate,
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 24;
        let Self { sent, from, to, data, fate, .. } = self;
        write!(f, "{sent:?} {from} > {to} {fate:?} {} bytes: ", data.len())?;
        data.iter().take(SHOWN).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        if data.len() > SHOWN { write!(f, "…") } else { Ok(()) }
    }
}

/// The datagrams sent since [`Simulation::capture`](super::Simulation::capture), in the order of sending.
#[derive(Default)]
pub struct Trace {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

struct Entry {
    sent: Instant,
    link: Option<LinkId>,
    from: SimAddress,
    to: SimAddress,
    fate: Fate,
    start: usize,
    len: usize,
}

impl Trace {
    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no datagram was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Iterates over the records.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Record<'_>> + ExactSizeIterator {
        self.entries.iter().map(|&Entry { sent, link, from, to, fate, start, len }| {
            let data = self.bytes.get(start..start + len).unwrap_or_default();
            Record { sent, link, from, to, data, fate }
        })
    }

    fn push(&mut self, record: &Record<'_>) {
        let &Record { sent, link, from, to, data, fate } = record;
        self.entries.push(Entry { sent, link, from, to, fate, start: self.bytes.len(), len: data.len() });
        self.bytes.extend_from_slice(data);
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The clock and the log. If a panic drops the journal, it prints the seed, so that each failure can be replayed.
pub(super) struct Journal {
    pub(super) seed: u64,
    pub(super) now: Instant,
    pub(super) fingerprint: Fingerprint,
    pub(super) trace: Option<Trace>,
}

impl Journal {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, now: Instant::ZERO, fingerprint: Fingerprint::new(), trace: None }
    }

    /// Logs a datagram that was sent.
    pub(super) fn sent(&mut self, record: &Record<'_>) {
        self.fingerprint.word(record.sent.as_micros());
        self.fingerprint.address(record.from);
        self.fingerprint.address(record.to);
        self.fingerprint.word(u64::from(record.fate.arrives()));
        if let Some(trace) = &mut self.trace {
            trace.push(record);
        }
    }

    /// Logs a datagram that arrived, after any damage.
    pub(super) fn arrived(&mut self, from: SimAddress, to: SimAddress, data: &[u8]) {
        self.fingerprint.word(self.now.as_micros());
        self.fingerprint.address(from);
        self.fingerprint.address(to);
        self.fingerprint.bytes(data);
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {} at t={}", self.seed, self.now.saturating_since(Instant::ZERO))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        const LAST: usize = 16;
        if !std::thread::panicking() {
            return;
        }
        eprintln!("{self}: replay with Simulation::new({})", self.seed);
        for record in self.trace.iter().flat_map(|trace| trace.iter().skip(trace.len().saturating_sub(LAST))) {
            eprintln!("    {record:?}");
        }
    }
}

impl Fate {
    /// Whether the datagram reaches its destination, perhaps late or damaged.
    #[must_use]
    pub const fn arrives(self) -> bool {
        match self {
            Self::Delivered | Self::Delayed(_) | Self::Duplicated | Self::Corrupted | Self::Truncated => true,
            Self::Lost | Self::BlackedOut | Self::Overflowed | Self::Oversized | Self::Unroutable => false,
        }
    }
}

/// A running hash, suitable for comparison only.
///
/// The hash processes all delivered bytes, so it must be cheap. For each 8 bytes it takes a rotation, an exclusive or
/// and a multiplication.
#[derive(Clone, Copy)]
pub(super) struct Fingerprint(pub(super) u64);

impl Fingerprint {
    const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

    const fn new() -> Self {
        Self(Self::MULTIPLIER)
    }

    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(Self::MULTIPLIER);
    }

    fn address(&mut self, address: SimAddress) {
        self.word((u64::from(address.node.0) << 32) | u64::from(address.port));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|&word| self.word(u64::from_le_bytes(word)));
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.word(u64::from_le_bytes(last));
        self.word(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> u64 {
        let mut fingerprint = Fingerprint::new();
        fingerprint.bytes(bytes);
        fingerprint.0
    }

    #[test]
    fn a_fingerprint_covers_every_byte_and_the_length() {
        let bytes = [7; 21];
        for at in 0..bytes.len() {
            let mut other = bytes;
            other[at] ^= 1;
            assert_ne!(of(&bytes), of(&other));
        }
        assert_ne!(of(&[0; 8]), of(&[0; 9]));
    }
}
