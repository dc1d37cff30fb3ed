//! What an INFO asks of its receiver: when to acknowledge.

use crate::Duration;

/// When the sender of an INFO wants its acknowledgement: at once, or with others.
///
/// An INFO asks for one SACK for [`infos`](Self::infos) packets, or for one after [`delay`](Self::delay), whichever
/// comes first. Each INFO asks anew, so a lost one needs no repeat. The values are rounded, to fit into a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct AckRequest {
    /// Whether the receiver acknowledges at once, because no later INFO would end the delay.
    pub at_once: bool,
    /// The number of packets in the upper four bits, the delay in the lower four.
    code: u8,
}

impl Default for AckRequest {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl AckRequest {
    /// One SACK for two INFO, or after 5 ms. An INFO of base mode has this request, and no field for it.
    pub const DEFAULT: Self = Self::from_code(0x02);
    /// As [`DEFAULT`](Self::DEFAULT), but the receiver acknowledges at once.
    pub const AT_ONCE: Self = Self { at_once: true, ..Self::DEFAULT };

    /// The shortest delay in microseconds.
    const SHORTEST_MICROS: u64 = 1_250;
    /// The largest value of each half of the code.
    const MOST: u32 = 15;

    /// One SACK for `infos` packets, or after `delay`; both rounded down to a value that the wire can express.
    ///
    /// These values are 2, 3, 4, 6, 8, 12 … 384 packets, and 1.25 ms, 2.5 ms, 5 ms … 41 s.
    #[must_use]
    pub fn new(infos: u32, delay: Duration) -> Self {
        // Two steps for each power of two.
        let infos = infos.max(2);
        let halvings = infos.ilog2().saturating_sub(1);
        let packets = halvings.saturating_mul(2).saturating_add(infos >> halvings & 1).min(Self::MOST);
        let doublings = (delay.as_micros() / Self::SHORTEST_MICROS).max(1).ilog2().min(Self::MOST);
        Self::from_code(u8::try_from(packets << 4 | doublings).unwrap_or_default())
    }

    /// The request with this byte on the wire, without *at once*.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        Self { at_once: false, code }
    }

    /// The same request with this value of `at_once`.
    #[must_use]
    pub const fn with_at_once(self, at_once: bool) -> Self {
        Self { at_once, ..self }
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.code
    }

    /// The number of INFO packets after which an acknowledgement is due: 2 to 384.
    #[must_use]
    pub const fn infos(self) -> u16 {
        let packets = self.code >> 4;
        (2 | (packets & 1) as u16) << (packets >> 1)
    }

    /// The time after the first of these packets at which the acknowledgement is due at the latest: 1.25 ms to 41 s.
    #[must_use]
    pub const fn delay(self) -> Duration {
        Duration::from_micros(Self::SHORTEST_MICROS << (self.code & 0x0f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_means_what_gives_it() {
        for code in 0..=u8::MAX {
            let request = AckRequest::from_code(code);
            assert_eq!(AckRequest::new(request.infos().into(), request.delay()), request);
        }
        assert_eq!(AckRequest::from_code(0xff).infos(), 384);
        assert_eq!(AckRequest::from_code(0xff).delay(), Duration::from_millis(40_960));
    }

    #[test]
    fn values_are_rounded_down_and_bounded() {
        let asked = |infos, micros| {
            let request = AckRequest::new(infos, Duration::from_micros(micros));
            (request.infos(), request.delay().as_micros())
        };
        assert_eq!(asked(0, 0), (2, 1_250));
        assert_eq!(asked(1, 2_499), (2, 1_250));
        assert_eq!(asked(5, 2_500), (4, 2_500));
        assert_eq!(asked(23, 10_001), (16, 10_000));
        assert_eq!(asked(24, 39_999), (24, 20_000));
        assert_eq!(asked(u32::MAX, u64::MAX), (384, 40_960_000));
        let default = AckRequest::DEFAULT;
        assert_eq!((default.infos(), default.delay()), (2, Duration::from_millis(5)));
    }
}
