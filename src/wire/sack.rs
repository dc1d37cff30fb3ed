//! Selective acknowledgement: the numbers received, and the receive window.

use super::reader::Reader;
use super::writer::Writer;
use super::{DecodeError, MAX_BITMAP};
use crate::time::ShortDuration;
use crate::{Duration, Seq};

/// The fields of a SACK.
///
/// The network may reorder SACKs. What an old SACK acknowledges stays acknowledged. The receiver of the data only moves
/// `next` and the right edge `next + window` forward, so the greatest values are the latest. This type does not check
/// whether the numbers were sent. The sender of the data checks that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sack<'a> {
    /// Every number before this one has been received.
    pub next: Seq,
    /// The receive window: how many numbers from `next` on the receiver accepts now.
    pub window: u32,
    /// The number of the INFO that arrived last.
    pub latest: Seq,
    /// The low 32 bits of the [counter](super#the-counter) of that INFO: which of its transmissions arrived.
    pub counter: u32,
    /// The time from the arrival of INFO `latest` to this SACK.
    pub delay: SackDelay,
    /// How many datagrams have arrived with a mark of congestion (ECN CE), modulo 2^32.
    ///
    /// This crate does not read the marks, and sends 0.
    pub ce: u32,
    /// The number of the first bit of `bitmap`.
    pub base: Seq,
    /// The numbers received from `base` on: bit *i* stands for number `base + i`.
    ///
    /// The least significant bit of each byte comes first. The bitmap has 0 to 128 bytes ([`MAX_BITMAP`]).
    pub bitmap: &'a [u8],
}

impl<'a> Sack<'a> {
    /// Whether this SACK acknowledges `number`: it precedes `next`, or its bit is set.
    #[must_use]
    pub fn contains(&self, number: Seq) -> bool {
        number.precedes(self.next) || self.has_bit(number.distance_from(self.base))
    }

    /// The numbers whose bit is set, in order from `base`.
    pub fn numbers(&self) -> impl Iterator<Item = Seq> + use<'a> {
        self.words().flat_map(|(first, word)| Bits(word).map(move |bit| first.add(bit)))
    }

    /// The bitmap in words of 64 bits, each with the number of its least significant bit.
    ///
    /// Zeros complete the last word. A sender that keeps its own bitmap can merge 64 numbers at a time.
    pub fn words(&self) -> impl Iterator<Item = (Seq, u64)> + use<'a> {
        let mut first = self.base;
        self.bitmap.chunks(size_of::<u64>()).map(move |chunk| {
            let bytes = chunk.try_into().unwrap_or_else(|_| {
                let mut filled_up = [0; size_of::<u64>()];
                filled_up.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
                filled_up
            });
            let word = (first, u64::from_le_bytes(bytes));
            first = first.add(u64::BITS);
            word
        })
    }

    /// Whether this SACK reports `number`, as received or as missing.
    pub(crate) fn covers(&self, number: Seq) -> bool {
        let distance = usize::try_from(number.distance_from(self.base)).unwrap_or(usize::MAX);
        !self.next.precedes(number) || distance / 8 < self.bitmap.len()
    }

    /// The highest number whose bit is set; `None` if no bit is set.
    #[must_use]
    pub fn highest(&self) -> Option<Seq> {
        let byte = self.bitmap.iter().rposition(|&byte| byte != 0)?;
        let bit = self.bitmap.get(byte)?.checked_ilog2()?;
        let before = u32::try_from(byte).ok()?.checked_mul(u8::BITS)?;
        Some(self.base.add(before.checked_add(bit)?))
    }

    fn has_bit(&self, bit: u32) -> bool {
        let byte = usize::try_from(bit / u8::BITS).ok().and_then(|place| self.bitmap.get(place));
        byte.is_some_and(|byte| byte.wrapping_shr(bit) & 1 == 1)
    }

    pub(super) fn decode(fields: &mut Reader<'a>) -> Self {
        let sack = Self {
            next: fields.number(),
            window: fields.u32(),
            latest: fields.number(),
            counter: fields.u32(),
            delay: SackDelay(fields.u16()),
            ce: fields.u32(),
            base: fields.number(),
            bitmap: fields.rest(),
        };
        fields.require(sack.bitmap.len() <= MAX_BITMAP, DecodeError::Sack);
        sack
    }

    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        out.u32(self.next.value());
        out.u32(self.window);
        out.u32(self.latest.value());
        out.u32(self.counter);
        out.u16(self.delay.0);
        out.u32(self.ce);
        out.u32(self.base.value());
        out.bytes(self.bitmap);
    }
}

/// The indexes of the set bits of a word, lowest first.
struct Bits(u64);

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let lowest = self.0.checked_sub(1).map(|_| self.0.trailing_zeros())?;
        self.0 &= self.0.wrapping_sub(1);
        Some(lowest)
    }
}

/// The time from the arrival of the latest INFO to its SACK, or the mark that the SACK gives no RTT sample.
///
/// The unit is 16 µs, and the longest delay is 1.048 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct SackDelay(u16);

impl SackDelay {
    /// No RTT sample: no INFO has arrived, or the delay is too long for the field. The value on the wire is `ffff`.
    pub const NO_SAMPLE: Self = Self(u16::MAX);

    /// The length of a unit in microseconds.
    const UNIT_MICROS: u32 = 16;
    /// The shortest delay that is too long for the field.
    pub(crate) const TOO_LONG: Duration = Duration::from_micros(u16::MAX as u64 * Self::UNIT_MICROS as u64);

    /// The field whose value on the wire is `value`.
    #[must_use]
    pub const fn new(value: u16) -> Self {
        Self(value)
    }

    /// The field for this delay, rounded down to whole units.
    ///
    /// A delay that is too long for the field gives [`SackDelay::NO_SAMPLE`].
    #[must_use]
    pub fn from_duration(delay: Duration) -> Self {
        u16::try_from(ShortDuration::new(delay).as_micros() / Self::UNIT_MICROS).map_or(Self::NO_SAMPLE, Self)
    }

    /// The value on the wire.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }

    /// As [`duration`](Self::duration), in 32 bits.
    pub(crate) fn short(self) -> Option<ShortDuration> {
        (self != Self::NO_SAMPLE).then(|| ShortDuration::from_micros(u32::from(self.0) * Self::UNIT_MICROS))
    }

    /// The delay; `None` if the SACK gives no RTT sample.
    #[must_use]
    pub fn duration(self) -> Option<Duration> {
        self.short().map(ShortDuration::get)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn sack(next: u32, base: u32, bitmap: &[u8]) -> Sack<'_> {
        Sack {
            next: Seq::new(next),
            window: 1,
            latest: Seq::ZERO,
            counter: 0,
            delay: SackDelay::NO_SAMPLE,
            ce: 0,
            base: Seq::new(base),
            bitmap,
        }
    }

    #[test]
    fn bits_count_from_the_least_significant_of_each_byte() {
        let sack = sack(10, 12, &[0b0000_0101, 0b1000_0000]);
        assert_eq!(sack.numbers().collect::<Vec<_>>(), [12, 14, 27].map(Seq::new));
        for (number, received) in [(9, true), (10, false), (12, true), (13, false), (14, true), (27, true), (28, false)]
        {
            assert_eq!(sack.contains(Seq::new(number)), received, "{number}");
        }
    }

    #[test]
    fn a_bitmap_may_lie_across_the_wrap() {
        let sack = sack(u32::MAX - 1, u32::MAX, &[0b0000_0011]);
        assert_eq!(sack.numbers().collect::<Vec<_>>(), [u32::MAX, 0].map(Seq::new));
        assert!(sack.contains(Seq::ZERO));
        assert!(!sack.contains(Seq::new(1)));
        assert!(!sack.contains(Seq::new(u32::MAX - 1)));
    }

    #[test]
    fn a_bitmap_of_any_length_is_read_to_its_last_bit() {
        for len in 0..=MAX_BITMAP {
            let bitmap = [0xff; MAX_BITMAP];
            let sack = sack(0, 1000, &bitmap[..len]);
            let expected: Vec<_> = (1000..).take(len * 8).map(Seq::new).collect();
            assert_eq!(sack.numbers().collect::<Vec<_>>(), expected);
            assert!(expected.iter().all(|number| sack.contains(*number)));
            assert!(!sack.contains(Seq::new(1000).add(u32::try_from(len * 8).unwrap())));
        }
    }

    #[test]
    fn words_start_at_base() {
        let words: Vec<_> = sack(0, 5, &[1, 0, 0, 0, 0, 0, 0, 0x80, 2]).words().collect();
        assert_eq!(words, [(Seq::new(5), 0x8000_0000_0000_0001), (Seq::new(69), 2)]);
    }

    #[test]
    fn a_delay_is_in_units_of_16_microseconds() {
        assert_eq!(SackDelay::from_duration(Duration::ZERO).value(), 0);
        assert_eq!(SackDelay::from_duration(Duration::from_micros(47)).value(), 2);
        assert_eq!(SackDelay::new(2).duration(), Some(Duration::from_micros(32)));
        let longest = Duration::from_micros(0xfffe * 16);
        assert_eq!(SackDelay::from_duration(longest).duration(), Some(longest));
    }

    #[test]
    fn a_delay_that_is_too_long_for_the_field_is_no_sample() {
        assert_eq!(SackDelay::from_duration(Duration::from_micros(0xffff * 16)), SackDelay::NO_SAMPLE);
        assert_eq!(SackDelay::from_duration(Duration::MAX), SackDelay::NO_SAMPLE);
        assert_eq!(SackDelay::NO_SAMPLE.duration(), None);
    }
}
