//! Sequence numbers.

use core::cmp::Ordering;
use core::fmt;

/// The sequence number of an INFO packet, modulo 2^32.
///
/// Numbers are compared by serial number arithmetic (RFC 1982). The order is not transitive, so `Seq` is not `Ord`.
/// A comparison has a meaning only if the numbers are less than 2^31 apart. The numbers of one window always are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Seq(u32);

impl Seq {
    /// The number of the first INFO in each direction of a connection.
    pub const ZERO: Self = Self(0);

    /// The number whose value on the wire is `value`.
    #[must_use]
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The value on the wire.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }

    /// The number after this one; 0 follows 2^32 − 1.
    #[must_use]
    pub const fn next(self) -> Self {
        self.add(1)
    }

    /// The number `count` after this one, modulo 2^32.
    #[must_use]
    pub const fn add(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// The number `count` before this one, modulo 2^32.
    #[must_use]
    pub const fn sub(self, count: u32) -> Self {
        Self(self.0.wrapping_sub(count))
    }

    /// The forward distance from `earlier` to `self`: `(self − earlier) mod 2^32`.
    #[must_use]
    pub const fn distance_from(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Whether `self` comes before `other` (RFC 1982 §3.2).
    ///
    /// It does if the forward distance from `self` to `other` is 1 to 2^31 − 1.
    #[must_use]
    pub const fn precedes(self, other: Self) -> bool {
        let ahead = other.distance_from(self);
        ahead != 0 && ahead < 1 << 31
    }

    /// The order of `self` and `other` (RFC 1982 §3.2).
    ///
    /// Numbers that are exactly 2^31 apart have no order. For them the result is always `Greater`.
    #[must_use]
    pub const fn compare(self, other: Self) -> Ordering {
        if self.0 == other.0 {
            Ordering::Equal
        } else if self.precedes(other) {
            Ordering::Less
        } else {
            Ordering::Greater
        }
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_at_two_to_the_32() {
        let last = Seq::new(u32::MAX);
        assert_eq!(last.next(), Seq::ZERO);
        assert_eq!(Seq::ZERO.sub(1), last);
        assert_eq!(Seq::new(3).distance_from(last), 4);
    }

    #[test]
    fn order_is_serial_number_arithmetic() {
        let last = Seq::new(u32::MAX);
        assert!(last.precedes(Seq::ZERO));
        assert!(!Seq::ZERO.precedes(last));
        assert!(!Seq::ZERO.precedes(Seq::ZERO));
        assert!(Seq::ZERO.precedes(Seq::new((1 << 31) - 1)));
        assert!(!Seq::ZERO.precedes(Seq::new(1 << 31)));
        assert_eq!(last.compare(Seq::new(5)), Ordering::Less);
        assert_eq!(Seq::new(5).compare(last), Ordering::Greater);
        assert_eq!(last.compare(last), Ordering::Equal);
    }
}
