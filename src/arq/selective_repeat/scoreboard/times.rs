//! Times in 32 bits.

use crate::Instant;

/// The low 32 bits of a time in µs. They wrap after 71 minutes, much longer than a packet stays in flight.
#[allow(clippy::cast_possible_truncation, reason = "only the low bits are kept")]
pub(super) const fn low_bits(at: Instant) -> u32 {
    at.as_micros() as u32
}

/// The latest time up to `now` whose low 32 bits are `low`.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(super) const fn full_time(now: Instant, low: u32) -> Instant {
    let ago = low_bits(now).wrapping_sub(low);
    Instant::from_micros(now.as_micros().saturating_sub(ago as u64))
}
