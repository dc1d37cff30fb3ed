//! Integer arithmetic that the controllers share.

use crate::Duration;
use core::num::NonZero;

/// Microseconds in a second.
pub(super) const MICROS_PER_SECOND: u64 = 1_000_000;

/// `a × b / c`, rounded down and at most `u64::MAX`. For `c` = 0 it is `u64::MAX`.
pub(super) fn mul_div(a: u64, b: u64, c: u64) -> u64 {
    match a.checked_mul(b) {
        Some(product) => product.checked_div(c).unwrap_or(u64::MAX),
        None => {
            let quotient = (u128::from(a) * u128::from(b)).checked_div(u128::from(c));
            quotient.and_then(|q| u64::try_from(q).ok()).unwrap_or(u64::MAX)
        }
    }
}

/// The rate in bytes per second at which `bytes` pass in `span`; `u64::MAX` for an empty span.
pub(super) fn rate(bytes: u64, span: Duration) -> u64 {
    mul_div(bytes, MICROS_PER_SECOND, span.as_micros())
}

/// The bytes that pass in `span` at `rate` bytes per second.
pub(super) fn volume(rate: u64, span: Duration) -> u64 {
    mul_div(rate, span.as_micros(), MICROS_PER_SECOND)
}

/// `a / b`, rounded up.
pub(super) fn div_ceil(a: u64, b: NonZero<u64>) -> u64 {
    a / b + u64::from(a % b != 0)
}

/// The cube root, rounded down.
pub(super) fn cube_root(x: u64) -> u64 {
    let (mut rest, mut root) = (x, 0_u64);
    // Digit by digit in base 2: each step takes three bits of `x` and yields one bit of the root. The root stays below
    // 2^22.
    for shift in (0..=63).rev().step_by(3) {
        root <<= 1;
        let step = 3 * root * (root + 1) + 1; // (root + 1)³ - root³
        if rest >> shift >= step {
            rest -= step << shift;
            root += 1;
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_may_need_more_than_64_bits() {
        assert_eq!(mul_div(7, 3, 2), 10);
        assert_eq!(mul_div(u64::MAX, u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(mul_div(u64::MAX, 2, 1), u64::MAX);
        assert_eq!(mul_div(1, 1, 0), u64::MAX);
        assert_eq!(rate(1_250, Duration::from_millis(1)), 1_250_000);
        assert_eq!(volume(1_250_000_000, Duration::from_micros(1)), 1_250);
    }

    #[test]
    fn cube_roots_are_exact() {
        for root in (0..2_000).chain([65_535, 1 << 20, (1 << 21) - 1, 2_642_244]) {
            let cube = root * root * root;
            assert_eq!(cube_root(cube), root);
            assert_eq!(cube_root(cube.saturating_add(1)), root.max(u64::from(root == 0)));
            assert_eq!(cube_root(cube.saturating_sub(1)), root.saturating_sub(1));
        }
        assert_eq!(cube_root(u64::MAX), 2_642_245);
    }
}
