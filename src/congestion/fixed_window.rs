//! A constant window.

use super::{Acknowledgement, Congestion, Loss};
use crate::{ClockShift, Instant};

/// A constant window: no loss or acknowledgement changes it.
///
/// It suits private links of known capacity: a serial line, a radio, a tunnel with a reserved rate. **Do not use it on
/// the Internet**, because it never yields to another flow.
///
/// ```
/// use rdt_proto::congestion::{Congestion, FixedWindow};
///
/// // 64 KiB in flight, at 115,200 baud with ten bits to the byte.
/// let line = FixedWindow::new(64 * 1024).paced(11_520);
/// assert_eq!(line.window(), 65_536);
/// assert_eq!(line.pacing_rate(), Some(11_520));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FixedWindow {
    window: u64,
    rate: Option<u64>,
}

impl FixedWindow {
    /// Allows `window` bytes in flight, without pacing.
    ///
    /// A window smaller than a datagram allows one datagram at a time. 0 counts as 1, because a window of 0 would stop
    /// the sender for ever.
    #[must_use]
    pub const fn new(window: u64) -> Self {
        Self { window: if window == 0 { 1 } else { window }, rate: None }
    }

    /// Limits the rate to `rate` bytes per second.
    #[must_use]
    pub const fn paced(self, rate: u64) -> Self {
        Self { rate: Some(rate), ..self }
    }
}

impl Congestion for FixedWindow {
    fn on_sent(&mut self, _: Instant, _: u32, _: u64) {}

    fn on_acknowledged(&mut self, _: &Acknowledgement) {}

    fn on_lost(&mut self, _: &Loss) {}

    fn on_timeout(&mut self, _: Instant) {}

    fn window(&self) -> u64 {
        self.window
    }

    fn pacing_rate(&self) -> Option<u64> {
        self.rate
    }

    fn rebase(&mut self, _: ClockShift) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_timeouts_do_not_change_a_fixed_window() {
        let mut fixed = FixedWindow::new(10_000);
        fixed.on_lost(&Loss { now: Instant::ZERO, bytes: 9_000, newest_sent_at: Instant::ZERO, in_flight: 1_000 });
        fixed.on_timeout(Instant::from_millis(1));
        assert_eq!(fixed, FixedWindow::new(10_000));
        assert_eq!(fixed.pacing_rate(), None);
    }

    #[test]
    fn a_window_of_0_still_allows_a_datagram() {
        assert!(FixedWindow::new(0).window() > 0);
    }
}
