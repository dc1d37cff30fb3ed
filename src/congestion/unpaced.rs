//! A controller without its pacing rate.

use super::{Acknowledgement, Congestion, Loss};
use crate::{ClockShift, Duration, Instant};

/// A controller without its pacing rate: everything that its window permits may leave at once.
///
/// It suits [`FixedWindow`](super::FixedWindow) on a link that paces by itself, such as a serial line. A program for a
/// small machine gets smaller, because the [`Pacer`](super::Pacer) divides numbers of 64 bits. The rate of
/// [`FixedWindow::paced`](super::FixedWindow::paced) and
/// [`pacing_granularity`](crate::connection::Config::pacing_granularity) have no effect. The other controllers rely on
/// pacing on the Internet (RFC 9002 §7.7): without it a whole window leaves as one burst.
///
/// ```
/// use rdt_proto::congestion::{Congestion, FixedWindow, Unpaced};
///
/// let line = Unpaced(FixedWindow::new(4_096));
/// assert_eq!((line.window(), line.pacing_rate()), (4_096, None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unpaced<C>(pub C);

impl<C: Congestion> Congestion for Unpaced<C> {
    fn may_pace() -> bool {
        false
    }

    fn on_handshake(&mut self, now: Instant, round_trip: Duration, bytes: u32) {
        self.0.on_handshake(now, round_trip, bytes);
    }

    fn on_sent(&mut self, now: Instant, bytes: u32, in_flight: u64) {
        self.0.on_sent(now, bytes, in_flight);
    }

    fn on_acknowledged(&mut self, ack: &Acknowledgement) {
        self.0.on_acknowledged(ack);
    }

    fn on_lost(&mut self, loss: &Loss) {
        self.0.on_lost(loss);
    }

    fn on_timeout(&mut self, now: Instant) {
        self.0.on_timeout(now);
    }

    fn on_spurious_loss(&mut self, now: Instant, bytes: u64) {
        self.0.on_spurious_loss(now, bytes);
    }

    fn window(&self) -> u64 {
        self.0.window()
    }

    fn pacing_rate(&self) -> Option<u64> {
        None
    }

    fn phase(&self) -> &'static str {
        self.0.phase()
    }

    fn start_path(&mut self, now: Instant) {
        self.0.start_path(now);
    }

    fn rebase(&mut self, shift: ClockShift) {
        self.0.rebase(shift);
    }
}
