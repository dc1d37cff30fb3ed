//! What each INFO asks of the peer: how often to acknowledge.
//!
//! The sender knows how many packets a round trip carries, so it decides (TACK, SIGCOMM 2020). A controller needs some
//! acknowledgements in each round trip, not one of each second packet. The sender asks for one SACK for a fixed part of
//! what is in flight when the INFO leaves, so that a SACK always comes long before a window ends. The request follows
//! rate and round trip with each INFO, in both directions.
//!
//! On a path below 16 ms the sender asks for a SACK for two INFO. If more than 3 % is lost, it asks for twice as many.

use crate::arq::MAX_ACK_DELAY;
use crate::congestion::Congestion;
use crate::time::ShortDuration;
use crate::wire::AckRequest;
use crate::{ClockShift, Duration, Instant};

/// The most packets for one SACK. Eight bitmaps in a row then report each packet.
const MOST_INFOS: u32 = 64;
/// The shortest round trip in which SACKs are thinned. In a shorter one, a delay of 5 ms is long.
const SHORTEST_ROUND_TRIP: Duration = Duration::from_millis(16);

/// What the following INFO packets ask for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Request {
    /// SACKs for what is in flight; 0 for one SACK for two INFO.
    sacks: u32,
    /// The longest delay: a quarter of a round trip, between 5 ms and [`MAX_ACK_DELAY`].
    delay: ShortDuration,
    /// When the last INFO of the data last asked for an answer at once, while others were in flight; `None` if never.
    at_end: Option<Instant>,
}

impl Request {
    /// The request of a first flight, whose round trip is unknown.
    pub(super) fn new<C: Congestion>(congestion: &C) -> Self {
        let delay = ShortDuration::new(AckRequest::DEFAULT.delay());
        Self { sacks: congestion.acknowledgements().unwrap_or(0), delay, at_end: None }
    }

    /// Whether the last INFO of the data may ask for an answer at once.
    ///
    /// It may not within the delay of the last one that asked. Otherwise data that is written packet by packet would
    /// get a SACK for each.
    pub(super) fn may_ask(&self, now: Instant) -> bool {
        self.at_end.is_none_or(|at| now.saturating_since(at) >= self.delay.get())
    }

    /// What an INFO asks for that leaves `in_flight` packets in flight, without *at once*.
    pub(super) fn usual(&self, in_flight: u32) -> AckRequest {
        let infos = in_flight.checked_div(self.sacks).unwrap_or(0).min(MOST_INFOS);
        let thins = infos > AckRequest::DEFAULT.infos().into();
        if thins { AckRequest::new(infos, self.delay.get()) } else { AckRequest::DEFAULT }
    }

    /// Records that the last INFO of the data has left.
    pub(super) fn on_end_sent(&mut self, now: Instant) {
        if self.may_ask(now) {
            self.at_end = Some(now);
        }
    }

    /// Derives the request from the path after an acknowledgement. Returns the delay that it asks for.
    pub(super) fn update<C: Congestion>(&mut self, srtt: Duration, congestion: &C, is_lossy: bool) -> Duration {
        let sacks = congestion.acknowledgements().filter(|_| srtt >= SHORTEST_ROUND_TRIP).unwrap_or(0);
        self.sacks = if is_lossy { sacks.saturating_mul(2) } else { sacks };
        let shortest = AckRequest::DEFAULT.delay();
        let quarter = Duration::from_micros(srtt.as_micros() / 4).clamp(shortest, MAX_ACK_DELAY);
        let delay = if sacks > 0 { AckRequest::new(0, quarter).delay() } else { shortest };
        self.delay = ShortDuration::new(delay);
        delay
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        let recent = self.at_end.filter(|&at| shift.from().saturating_since(at) < MAX_ACK_DELAY);
        self.at_end = recent.map(|at| shift.apply(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::FixedWindow;

    /// Regression: at the origin of the clock the first end of the data seemed to follow another one.
    #[test]
    fn the_first_end_of_the_data_may_ask_at_any_time() {
        let mut request = Request::new(&FixedWindow::new(1_000));
        assert!(request.may_ask(Instant::ZERO));
        request.on_end_sent(Instant::ZERO);
        assert!(!request.may_ask(Instant::from_millis(4)) && request.may_ask(Instant::from_millis(5)));
    }
}
