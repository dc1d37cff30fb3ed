//! How far a retransmission timer backs off.

use crate::Duration;

/// The ceiling that RFC 6298 §2.5 suggests, for a connection whose idle limit is lifted.
const LONGEST_RTO: Duration = Duration::from_secs(60);

/// How often a packet that opens a connection leaves before the handshake limit, at least. Where a fifth is lost each way, four
/// tries in vain are one handshake in sixty, eight are one in three thousand.
const LEAST_OPENING_TRIES: u64 = 8;

/// The interval before transmission `attempt` after the first: `rto`, doubled for each (RFC 6298 §5.5).
pub(super) const fn backed_off(rto: Duration, attempt: u8) -> Duration {
    match 1_u64.checked_shl(attempt as u32) {
        Some(factor) => rto.saturating_mul(factor),
        None => Duration::MAX,
    }
}

/// The longest retransmission timeout under this idle limit, however often it is doubled.
pub(crate) fn rto_ceiling(idle_limit: Duration) -> Duration {
    Duration::from_micros(idle_limit.as_micros() / 4).min(LONGEST_RTO)
}

/// The longest interval between two packets that open a connection: the backoff goes no further than its limit allows.
pub(crate) const fn longest_opening_interval(handshake_limit: Duration) -> Duration {
    Duration::from_micros(handshake_limit.as_micros() / LEAST_OPENING_TRIES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_doubles_and_saturates() {
        let rto = Duration::from_millis(100);
        for (attempt, millis) in [(0, 100), (1, 200), (2, 400), (10, 102_400)] {
            assert_eq!(backed_off(rto, attempt), Duration::from_millis(millis));
        }
        assert_eq!((backed_off(rto, 63), backed_off(rto, 255)), (Duration::MAX, Duration::MAX));
    }

    #[test]
    fn a_quarter_of_the_idle_limit_is_the_ceiling_up_to_a_minute() {
        assert_eq!(rto_ceiling(Duration::from_secs(30)), Duration::from_millis(7_500));
        assert_eq!(rto_ceiling(Duration::MAX), Duration::from_secs(60));
    }

    #[test]
    fn eight_tries_fit_into_a_handshake() {
        let limit = Duration::from_secs(10);
        assert_eq!(longest_opening_interval(limit).saturating_mul(8), limit);
    }
}
