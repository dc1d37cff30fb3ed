//! A send store over memory that holds the whole stream.

use super::{SendStore, StoreError};
use crate::Seq;
use core::num::NonZero;

/// A [`SendStore`] without copies, over memory that holds the whole stream from the start.
///
/// The memory may be a firmware image in flash, or a mapped file. Every transmission reads its body from that memory,
/// so a window of any size needs no further memory.
///
/// Every body has `segment` bytes; the last one may be shorter. Bodies are cut to
/// [`Config::segment`](crate::connection::Config::segment) and to the peer's segment, if these are smaller. (In base
/// mode a peer announces no segment.)
///
/// [`send`](crate::connection::Connection::send) accepts no data. Call [`close`](crate::connection::Connection::close)
/// at any time: the connection sends the whole source first.
///
/// ```
/// use rdt_proto::connection::{Config, Connection, Storage};
/// use rdt_proto::store::{RecvSlots, SendSource, slot_bytes};
/// use rdt_proto::{Instant, arq::StopAndWait};
///
/// static FIRMWARE: &[u8] = &[0xea; 100_000];
///
/// let send = SendSource::new(FIRMWARE, 1_200)?;
/// let recv = RecvSlots::new([0; slot_bytes(64)], 64)?;
/// let storage = Storage { send, recv, arq: StopAndWait::new() };
/// let mut connection = Connection::connect(Instant::ZERO, Config::default(), [7; 32], storage)?;
/// connection.close();
/// # Ok::<(), rdt_proto::store::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SendSource<B> {
    source: B,
    /// The segment of the bodies from `first` on.
    segment: u16,
    /// The largest segment, that of [`new`](Self::new).
    most: u16,
    /// The segment of the bodies before `first`.
    earlier: u16,
    /// The number of the first body of `segment` bytes.
    first: u32,
    /// The offset in the source of the body with number `first`.
    start: usize,
    /// The number after the last body.
    end: u32,
    /// The peer has acknowledged all bodies before this number.
    base: Seq,
}

/// The largest number of bodies. Sequence numbers have an order only while they are less than 2^31 apart (RFC 1982).
const MAX_BODIES: u32 = (1 << 31) - 1;

impl<B: AsRef<[u8]>> SendSource<B> {
    /// Divides `source` into bodies of `segment` bytes.
    ///
    /// # Errors
    ///
    /// If `segment` is 0, or if there would be 2^31 bodies or more.
    pub fn new(source: B, segment: u16) -> Result<Self, StoreError> {
        if segment == 0 {
            return Err(StoreError::EmptySegment);
        }
        let bodies = source.as_ref().len().div_ceil(segment.into());
        match u32::try_from(bodies) {
            Ok(end) if end <= MAX_BODIES => {
                Ok(Self { source, segment, most: segment, earlier: segment, first: 0, start: 0, end, base: Seq::ZERO })
            }
            Ok(_) | Err(_) => Err(StoreError::TooMany { bodies }),
        }
    }

    /// Returns the source.
    #[must_use]
    pub fn into_source(self) -> B {
        self.source
    }
}

impl<B: AsRef<[u8]>> SendStore for SendSource<B> {
    fn segment(&self) -> usize {
        self.segment.into()
    }

    fn end(&self) -> Seq {
        Seq::new(self.end)
    }

    fn has_room(&self, _limit: usize) -> bool {
        false
    }

    fn has_free_slot(&self) -> bool {
        false
    }

    fn spare_number(&self, _limit: usize) -> Seq {
        self.end()
    }

    fn spare(&mut self, _limit: usize) -> &mut [u8] {
        &mut []
    }

    fn commit(&mut self, _count: usize) {}

    fn write(&mut self, _data: &[u8], _limit: usize) -> usize {
        0
    }

    /// Adds one empty body before all others. A second call returns false.
    ///
    /// A connection adds this body before it sends anything, if there is no data or if the peer expects an empty first
    /// INFO.
    fn start(&mut self) -> bool {
        let starts = self.first == 0 && self.base == Seq::ZERO;
        self.first += u32::from(starts);
        self.end += u32::from(starts);
        starts
    }

    fn seal(&mut self) {}

    fn body(&self, number: Seq) -> &[u8] {
        let (number, len) = (number.value(), self.source.as_ref().len());
        let bytes = |bodies: u32, segment: u16| usize::try_from(bodies).ok()?.checked_mul(segment.into());
        let (from, segment) = match number.checked_sub(self.first) {
            Some(ahead) => (bytes(ahead, self.segment).and_then(|ahead| self.start.checked_add(ahead)), self.segment),
            // The empty body of `start` would lie before the source: the offset is `None`, and the body stays empty.
            None => (
                bytes(self.first - number, self.earlier).and_then(|behind| self.start.checked_sub(behind)),
                self.earlier,
            ),
        };
        let from = from.filter(|&from| from < len).unwrap_or(len);
        let to = from.saturating_add(segment.into()).min(len);
        self.source.as_ref().get(from..to).unwrap_or_default()
    }

    fn cut(&mut self, from: Seq, limit: u16) -> bool {
        // Bodies of an earlier size cannot be cut again.
        if from.value() < self.first && self.start > 0 && limit < self.earlier {
            return false;
        }
        let from = from.value().max(self.first).min(self.end);
        // A larger limit joins bodies that were cut before.
        let limit = limit.min(self.most);
        if limit == self.segment || from == self.end {
            return true;
        }
        let earlier_is_past = self.first <= self.base.value() || from == self.first;
        let passed = usize::try_from(from - self.first).ok().and_then(|ahead| ahead.checked_mul(self.segment.into()));
        let (Some(passed), Some(limit), true) = (passed, NonZero::new(limit), earlier_is_past) else { return false };
        let start = self.start.saturating_add(passed).min(self.source.as_ref().len());
        let left = (self.source.as_ref().len() - start).div_ceil(limit.get().into());
        let end = u32::try_from(left).ok().and_then(|left| from.checked_add(left)).filter(|&end| end <= MAX_BODIES);
        let Some(end) = end else { return false };
        if from > self.first {
            self.earlier = self.segment;
        }
        (self.segment, self.first, self.start, self.end) = (limit.get(), from, start, end);
        true
    }

    fn can_cut(&self, from: Seq) -> bool {
        self.first <= self.base.value() || from.value() <= self.first
    }

    fn release(&mut self, base: Seq) {
        if self.base.precedes(base) && !self.end().precedes(base) {
            self.base = base;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_pieces_of_the_source() {
        let store = SendSource::new(b"abcdefgh", 3).unwrap();
        assert_eq!(store.end(), Seq::new(3));
        let bodies = [0, 1, 2, 3, u32::MAX].map(|number| store.body(Seq::new(number)));
        assert_eq!(bodies, [&b"abc"[..], b"def", b"gh", b"", b""]);
    }

    #[test]
    fn a_release_of_earlier_bodies_keeps_later_ones() {
        let mut store = SendSource::new(b"abcd", 2).unwrap();
        store.release(Seq::new(1));
        assert_eq!(store.body(Seq::new(1)), b"cd");
        store.release(Seq::new(9));
        assert_eq!(store.base, Seq::new(1), "a number beyond the end releases nothing");
        store.release(Seq::ZERO);
        assert_eq!(store.base, Seq::new(1), "an older number releases nothing");
    }

    #[test]
    fn one_empty_body_may_precede_the_source() {
        let mut store = SendSource::new(b"abc", 2).unwrap();
        assert!(store.start());
        assert!(!store.start());
        assert_eq!(store.end(), Seq::new(3));
        assert_eq!([0, 1, 2].map(|number| store.body(Seq::new(number))), [&b""[..], b"ab", b"c"]);
        let mut empty = SendSource::new(b"", 2).unwrap();
        assert_eq!(empty.end(), Seq::ZERO);
        assert!(empty.start() && empty.end() == Seq::new(1));
    }

    #[test]
    fn a_cut_makes_unsent_bodies_smaller() {
        let bodies = |store: &SendSource<&'static [u8]>, from: u32| -> std::vec::Vec<&'static [u8]> {
            let source = store.source;
            let place = |body: &[u8]| source.windows(body.len().max(1)).position(|part| part == body).unwrap();
            (from..store.end)
                .map(|number| store.body(Seq::new(number)))
                .map(|b| &source[place(b)..][..b.len()])
                .collect()
        };
        let mut store = SendSource::new(&b"abcdefghijk"[..], 4).unwrap();
        assert!(store.cut(Seq::ZERO, 9) && store.cut(Seq::ZERO, 3));
        assert_eq!(bodies(&store, 0), [&b"abc"[..], b"def", b"ghi", b"jk"]);
        assert!(store.cut(Seq::new(2), 2));
        assert_eq!(bodies(&store, 0), [&b"abc"[..], b"def", b"gh", b"ij", b"k"]);
        assert!(!store.cut(Seq::new(3), 1), "bodies of the first size are unacknowledged");
        store.release(Seq::new(2));
        assert!(store.cut(Seq::new(3), 1) && !store.cut(Seq::new(3), 0));
        assert_eq!(bodies(&store, 2), [&b"gh"[..], b"i", b"j", b"k"]);
    }

    #[test]
    fn a_cut_after_the_last_body_changes_no_body() {
        let mut store = SendSource::new(b"abcde", 3).unwrap();
        assert!(store.cut(Seq::new(2), 1));
        assert_eq!([0, 1].map(|number| store.body(Seq::new(number))), [&b"abc"[..], b"de"]);
    }

    #[test]
    fn a_cut_keeps_the_empty_body_before_the_source() {
        let mut store = SendSource::new(b"abcd", 4).unwrap();
        assert!(store.start() && store.cut(Seq::ZERO, 3));
        assert_eq!([0, 1, 2, 3].map(|number| store.body(Seq::new(number))), [&b""[..], b"abc", b"d", b""]);
    }

    #[test]
    fn a_source_accepts_no_data() {
        let mut store = SendSource::new(b"abc", 2).unwrap();
        assert!(!store.has_room(2) && !store.has_free_slot());
        assert_eq!((store.write(b"x", 2), store.spare(2).len()), (0, 0));
    }

    #[test]
    fn a_segment_of_0_is_refused() {
        assert_eq!(SendSource::new(b"a", 0).unwrap_err(), StoreError::EmptySegment);
    }
}
