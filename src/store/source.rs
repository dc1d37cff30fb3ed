//! What is to be sent, where it lies already.

use super::{SendStore, StoreError};
use crate::Seq;

/// A [`SendStore`] that keeps no copy: the stream is one piece of memory that holds all of it from the start, a firmware image
/// in flash or a mapped file. A body is read from there however often it is sent, so that the widest span of unacknowledged
/// numbers costs no memory.
///
/// Bodies have `segment` bytes, the last one what is left: no more than
/// [`Config::segment`](crate::connection::Config::segment), and no more than the peer takes, or the connection ends as
/// [`Reason::SegmentTooLarge`](crate::connection::Reason::SegmentTooLarge). (In base mode a peer does not say what it takes.)
/// There is nothing to write: [`send`](crate::connection::Connection::send) takes nothing, and
/// [`close`](crate::connection::Connection::close) may be called at once.
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
/// let mut connection = Connection::connect(Instant::ZERO, Config::default(), [7; 32], storage);
/// connection.close();
/// # Ok::<(), rdt_proto::store::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SendSource<B> {
    source: B,
    segment: u16,
    /// An empty body goes before all others: 1 or 0.
    lead: u32,
    /// Bodies of the source.
    bodies: u32,
    /// Everything before this number has been acknowledged.
    base: Seq,
}

/// Numbers are compared modulo 2^32, which must not come round.
const MOST_BODIES: u32 = (1 << 31) - 1;

impl<B: AsRef<[u8]>> SendSource<B> {
    /// All of `source`, in bodies of `segment` bytes.
    ///
    /// # Errors
    ///
    /// If `segment` is 0, or so small that there would be 2^31 bodies or more.
    pub fn new(source: B, segment: u16) -> Result<Self, StoreError> {
        if segment == 0 {
            return Err(StoreError::EmptySegment);
        }
        let bodies = source.as_ref().len().div_ceil(segment.into());
        match u32::try_from(bodies) {
            Ok(bodies) if bodies <= MOST_BODIES => Ok(Self { source, segment, lead: 0, bodies, base: Seq::ZERO }),
            Ok(_) | Err(_) => Err(StoreError::TooMany { bodies }),
        }
    }

    /// The source that was given.
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
        Seq::new(self.lead + self.bodies)
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

    /// An empty body before all others, once: what a connection starts with where there is no data, or where the peer wants
    /// the first INFO empty. It asks before anything is sent.
    fn start(&mut self) -> bool {
        let starts = self.lead == 0 && self.base == Seq::ZERO;
        self.lead |= u32::from(starts);
        starts
    }

    fn seal(&mut self) {}

    fn body(&self, number: Seq) -> &[u8] {
        let source = self.source.as_ref();
        let index = number.value().checked_sub(self.lead).and_then(|index| usize::try_from(index).ok());
        let start = index.and_then(|index| index.checked_mul(self.segment.into()));
        let rest = start.and_then(|start| source.get(start..)).unwrap_or_default();
        rest.get(..self.segment.into()).unwrap_or(rest)
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
    fn a_body_is_there_again_after_the_ones_before_it_are_released() {
        let mut store = SendSource::new(b"abcd", 2).unwrap();
        store.release(Seq::new(1));
        assert_eq!(store.body(Seq::new(1)), b"cd");
        store.release(Seq::new(9));
        assert_eq!(store.base, Seq::new(1), "never sent");
        store.release(Seq::ZERO);
        assert_eq!(store.base, Seq::new(1), "an old one");
    }

    #[test]
    fn an_empty_body_may_lead_once() {
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
    fn nothing_can_be_written() {
        let mut store = SendSource::new(b"abc", 2).unwrap();
        assert!(!store.has_room(2) && !store.has_free_slot());
        assert_eq!((store.write(b"x", 2), store.spare(2).len()), (0, 0));
    }

    #[test]
    fn a_segment_must_hold_something() {
        assert_eq!(SendSource::new(b"a", 0).unwrap_err(), StoreError::EmptySegment);
    }
}
