//! Points in time and spans of time, in whole microseconds.

use core::fmt;
use core::num::NonZero;
use core::ops::{Add, Sub};

/// A point in time: microseconds since an origin that the caller chooses.
///
/// The caller passes the current time to each call that needs it. The origin may be the start of the process, of the
/// device or of a simulation. All calls on one machine must use the same origin.
///
/// Arithmetic saturates at the origin and at 2^64 − 2 µs, which is 584,000 years. In practice a sum saturates only if
/// [`Duration::MAX`] ("never") is added.
///
/// ```
/// use rdt_proto::{Duration, Instant};
///
/// let started = std::time::Instant::now();
/// let now = || Instant::ZERO + started.elapsed().into();
/// assert!(now() < Instant::ZERO + Duration::from_secs(60));
/// ```
///
/// `Option<Instant>` has the size of `Instant`. This saves memory, since machines hold many optional deadlines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(NonZero<u64>);

impl Instant {
    /// The origin.
    pub const ZERO: Self = Self(NonZero::<u64>::MIN);

    /// The instant `micros` µs after the origin, at most 2^64 − 2 µs.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(NonZero::<u64>::MIN.saturating_add(micros))
    }

    /// The instant `millis` ms after the origin, at most 2^64 − 2 µs.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self::from_micros(millis.saturating_mul(1_000))
    }

    /// Microseconds since the origin.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0.get() - 1
    }

    /// The time from `earlier` to `self`; zero if `self` is before `earlier`.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration(self.0.get().saturating_sub(earlier.0.get()))
    }

    /// As [`saturating_since`](Self::saturating_since), at most 71 minutes.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn short_since(self, earlier: Self) -> ShortDuration {
        ShortDuration::new(self.saturating_since(earlier))
    }
}

impl Default for Instant {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self::from_micros(self.as_micros().saturating_sub(span.0))
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Instant {
    fn arbitrary(input: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        input.arbitrary().map(Self::from_micros)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Duration(self.as_micros()))
    }
}

/// A span of time in whole microseconds.
///
/// It converts from and to [`core::time::Duration`], which is twice as large and slower in arithmetic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Duration(u64);

impl Duration {
    /// The empty span.
    pub const ZERO: Self = Self(0);
    /// The longest span, 2^64 − 1 µs. A limit of this length never expires.
    pub const MAX: Self = Self(u64::MAX);

    /// A span of `micros` µs.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A span of `millis` ms, at most [`Duration::MAX`].
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A span of `secs` s, at most [`Duration::MAX`].
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// The length in µs.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The length in ms, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        thousandth(self.0)
    }

    /// The length in s, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        thousandth(thousandth(self.0))
    }

    /// The sum, at most [`Duration::MAX`].
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The product, at most [`Duration::MAX`].
    #[must_use]
    pub const fn saturating_mul(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

#[cfg(target_pointer_width = "64")]
const fn thousandth(number: u64) -> u64 {
    number / 1_000
}

/// Computes `number / 1_000` by long division in base 2^16.
///
/// On these targets the `/` operator on `u64` calls a library routine, which takes 400 bytes of code.
#[cfg(not(target_pointer_width = "64"))]
#[inline(never)]
const fn thousandth(number: u64) -> u64 {
    long_division(number)
}

#[cfg(any(test, not(target_pointer_width = "64")))]
const fn long_division(number: u64) -> u64 {
    let (mut quotient, mut remainder, mut shift) = (0, 0, u64::BITS);
    while shift > 0 {
        shift -= 16;
        let [low, high, ..] = (number >> shift).to_le_bytes();
        let part = remainder << 16 | u16::from_le_bytes([low, high]) as u32;
        quotient = quotient << 16 | (part / 1_000) as u64;
        remainder = part % 1_000;
    }
    quotient
}

impl From<core::time::Duration> for Duration {
    /// Rounds down to whole microseconds. A span above [`Duration::MAX`] becomes [`Duration::MAX`].
    fn from(span: core::time::Duration) -> Self {
        Self(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
    }
}

impl From<Duration> for core::time::Duration {
    fn from(span: Duration) -> Self {
        Self::from_micros(span.0)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A round-trip time in whole microseconds, stored in 32 bits: at most 71 minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ShortDuration(NonZero<u32>);

impl ShortDuration {
    pub(crate) const ZERO: Self = Self(NonZero::<u32>::MIN);
    /// 71 minutes.
    pub(crate) const MAX: Self = Self(NonZero::<u32>::MAX);

    /// Converts `span`. A span above 71 minutes becomes 71 minutes.
    pub(crate) fn new(span: Duration) -> Self {
        Self::from_micros(u32::try_from(span.0).unwrap_or(u32::MAX))
    }

    pub(crate) const fn from_micros(micros: u32) -> Self {
        Self(NonZero::<u32>::MIN.saturating_add(micros))
    }

    pub(crate) const fn as_micros(self) -> u32 {
        self.0.get() - 1
    }

    pub(crate) const fn get(self) -> Duration {
        Duration(self.as_micros() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_division_agrees_with_division() {
        for number in [0, 999, 1_000, 65_535_999, 65_536_000, u64::from(u32::MAX), 1 << 48, u64::MAX - 1, u64::MAX] {
            assert_eq!(long_division(number), number / 1_000);
        }
    }

    #[test]
    fn a_short_duration_saturates_and_is_no_larger_in_an_option() {
        for micros in [0, 1, 1_000_000, u64::from(u32::MAX) - 1] {
            let span = Duration::from_micros(micros);
            assert_eq!(ShortDuration::new(span).get(), span);
        }
        let longest = Duration::from_micros(u64::from(u32::MAX) - 1);
        assert_eq!(ShortDuration::new(Duration::MAX).get(), longest);
        assert_eq!(size_of::<Option<ShortDuration>>(), size_of::<u32>());
    }

    #[test]
    fn an_optional_deadline_has_the_size_of_a_deadline() {
        assert_eq!(size_of::<Option<Instant>>(), size_of::<u64>());
    }

    #[test]
    fn arithmetic_saturates() {
        let end = Instant::from_micros(u64::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(Instant::ZERO - Duration::from_secs(1), Instant::ZERO);
        assert_eq!(Instant::ZERO.saturating_since(end), Duration::ZERO);
        assert_eq!(Instant::from_millis(7) + Duration::MAX, end);
    }

    #[test]
    fn core_durations_convert_both_ways() {
        let core = core::time::Duration::new(3, 1_999);
        assert_eq!(Duration::from(core), Duration::from_micros(3_000_001));
        assert_eq!(Duration::from(core::time::Duration::MAX), Duration::MAX);
        assert_eq!(core::time::Duration::from(Duration::from_millis(5)), core::time::Duration::from_millis(5));
    }
}
