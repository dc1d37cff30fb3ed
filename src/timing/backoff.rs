//! The backoff of retransmission timers, and its ceilings.

use crate::Duration;

/// The longest retransmission timeout for any idle limit (RFC 6298 §2.5).
const MAX_RTO: Duration = Duration::from_secs(60);

/// How often a handshake packet is sent, at least, before the handshake limit expires.
///
/// With 20 % loss each way, all of four transmissions fail in one handshake of 60, and all of eight in one of 3,500.
const MIN_HANDSHAKE_TRANSMISSIONS: u64 = 8;

/// The interval in µs after `attempt` retransmissions: `rto` doubled `attempt` times (RFC 6298 §5.5).
pub(crate) const fn backed_off(rto: u32, attempt: u8) -> u32 {
    match rto.checked_shl(attempt as u32) {
        Some(interval) if interval >> attempt == rto => interval,
        Some(_) | None => u32::MAX,
    }
}

/// The ceiling of the retransmission timeout: a quarter of the idle limit, at most 60 s.
pub(crate) fn rto_ceiling(idle_limit: Duration) -> Duration {
    Duration::from_micros(idle_limit.as_micros() / 4).min(MAX_RTO)
}

/// The ceiling of the interval between two transmissions of a handshake packet: an eighth of the handshake limit.
pub(crate) const fn longest_opening_interval(handshake_limit: Duration) -> Duration {
    Duration::from_micros(handshake_limit.as_micros() / MIN_HANDSHAKE_TRANSMISSIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_doubles_and_saturates() {
        for (attempt, interval) in [(0, 100), (1, 200), (2, 400), (10, 102_400), (25, 100 << 25)] {
            assert_eq!(backed_off(100, attempt), interval);
        }
        assert_eq!([26, 31, 32, 255].map(|attempt| backed_off(100, attempt)), [u32::MAX; 4]);
    }

    #[test]
    fn a_quarter_of_the_idle_limit_is_the_ceiling_up_to_a_minute() {
        assert_eq!(rto_ceiling(Duration::from_secs(30)), Duration::from_millis(7_500));
        assert_eq!(rto_ceiling(Duration::MAX), Duration::from_secs(60));
    }

    #[test]
    fn eight_transmissions_fit_into_the_handshake_limit() {
        let limit = Duration::from_secs(10);
        assert_eq!(longest_opening_interval(limit).saturating_mul(8), limit);
    }
}
