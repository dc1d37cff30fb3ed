//! A controller whose pacing rate has a maximum.

use super::{Acknowledgement, Congestion, Loss};
use crate::{ClockShift, Duration, Instant};

/// The controller `C` with a maximum pacing rate.
///
/// The [`Pacer`](super::Pacer) counts what `C` counts: in a connection the datagrams of INFO, new and repeated, without
/// the headers of UDP and IP. Acknowledgements and other packets without a body are not paced. After a pause the first
/// burst may exceed the rate, by the
/// [granularity](crate::connection::Config::pacing_granularity) and by what a late driver makes good.
///
/// At the limit, the rate of `C` has no effect, and the congestion window must not grow without evidence: while less
/// than half of it is in flight, the data counts as [limited by the application](Acknowledgement::app_limited). A path
/// that is slower than the limit is used as with `C` alone.
///
/// Stop-and-wait has no controller and no pacing, and so no maximum rate.
///
/// ```
/// use rdt_proto::congestion::{Congestion, Controller, RateLimited};
///
/// // 20 Mbit/s.
/// let controller = RateLimited::new(Controller::new(1_200), Some(2_500_000));
/// assert!(controller.pacing_rate() <= Some(2_500_000));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RateLimited<C> {
    controller: C,
    /// Bytes per second.
    max_rate: Option<u64>,
}

impl<C> RateLimited<C> {
    /// Limits the pacing rate of `controller` to `max_rate` bytes per second.
    ///
    /// 0 counts as 1. `None` sets no limit: the controller stays as it is.
    #[must_use]
    pub const fn new(controller: C, max_rate: Option<u64>) -> Self {
        Self { controller, max_rate }
    }

    /// The controller that is limited.
    #[must_use]
    pub const fn controller(&self) -> &C {
        &self.controller
    }
}

impl<C: Congestion> RateLimited<C> {
    /// Whether the maximum is what holds packets back.
    fn is_at_limit(&self) -> bool {
        let Some(max_rate) = self.max_rate else { return false };
        self.controller.pacing_rate().is_none_or(|rate| rate > max_rate)
    }
}

impl<C: Congestion> Congestion for RateLimited<C> {
    fn on_handshake(&mut self, now: Instant, round_trip: Duration, bytes: u32) {
        self.controller.on_handshake(now, round_trip, bytes);
    }

    fn on_sent(&mut self, now: Instant, bytes: u32, in_flight: u64) {
        self.controller.on_sent(now, bytes, in_flight);
    }

    fn on_acknowledged(&mut self, ack: &Acknowledgement) {
        let has_room = ack.in_flight < self.controller.window() / 2;
        let app_limited = ack.app_limited || (has_room && self.is_at_limit());
        self.controller.on_acknowledged(&Acknowledgement { app_limited, ..*ack });
    }

    fn on_lost(&mut self, loss: &Loss) {
        self.controller.on_lost(loss);
    }

    fn on_timeout(&mut self, now: Instant) {
        self.controller.on_timeout(now);
    }

    fn on_spurious_loss(&mut self, now: Instant, bytes: u64) {
        self.controller.on_spurious_loss(now, bytes);
    }

    fn window(&self) -> u64 {
        self.controller.window()
    }

    fn pacing_rate(&self) -> Option<u64> {
        let rate = self.controller.pacing_rate();
        rate.into_iter().chain(self.max_rate.map(|max_rate| max_rate.max(1))).min()
    }

    fn acknowledgements(&self) -> Option<u32> {
        self.controller.acknowledgements()
    }

    fn phase(&self) -> &'static str {
        self.controller.phase()
    }

    fn start_path(&mut self, now: Instant) {
        self.controller.start_path(now);
    }

    fn rebase(&mut self, shift: ClockShift) {
        self.controller.rebase(shift);
    }
}
