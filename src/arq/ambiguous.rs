//! The ACKs of a number that was sent twice, in base mode.
//!
//! By Karn's algorithm (RFC 6298 §3) the first ACK gives no sample, because it does not say which transmission arrived.
//! A second ACK says that both arrived: the repeat was needless, and the first ACK answered the first transmission.
//! Without this sample the timeout might never grow on a path that became slower, and every INFO would be sent twice
//! (RFC 3522 detects the same by timestamps).
//!
//! The network may also duplicate a datagram. Its copies follow each other closely, while the two transmissions are a
//! timeout apart, and so are their ACKs. A second ACK that comes earlier proves nothing. Nor does it after more than
//! one repeat: the first transmission may be lost.

use crate::time::ShortDuration;

/// What a second ACK of a number would prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SecondAck {
    /// The round-trip time of the first transmission.
    pub(super) round_trip: ShortDuration,
    /// The least time from the first ACK to the second: half of the time between the transmissions.
    pub(super) spacing: ShortDuration,
}

impl SecondAck {
    /// What the second ACK proves if the first came `since_first` after the first of `times` transmissions.
    ///
    /// `between` is the time from the first to the last transmission.
    pub(super) fn new(since_first: ShortDuration, between: ShortDuration, times: u8) -> Option<Self> {
        let spacing = ShortDuration::from_micros(between.as_micros() / 2);
        (times == 2).then_some(Self { round_trip: since_first, spacing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_ack_proves_the_round_trip_of_a_number_sent_twice() {
        let ms = |millis: u32| ShortDuration::from_micros(millis * 1_000);
        let expected = SecondAck { round_trip: ms(300), spacing: ms(10) };
        assert_eq!(SecondAck::new(ms(300), ms(20), 2), Some(expected));
        assert_eq!(SecondAck::new(ms(300), ms(140), 3), None, "the first transmission may be lost");
    }
}
