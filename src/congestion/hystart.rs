//! Detects the end of slow start before the queue overflows: `HyStart++` (RFC 9406).

use super::Acknowledgement;
use crate::Duration;
use crate::time::ShortDuration;

/// `MIN_RTT_THRESH` (RFC 9406 §4.3).
const MIN_RTT_THRESHOLD: Duration = Duration::from_millis(4);
/// `MAX_RTT_THRESH`.
const MAX_RTT_THRESHOLD: Duration = Duration::from_millis(16);
/// `MIN_RTT_DIVISOR`.
const MIN_RTT_DIVISOR: u64 = 8;
/// `N_RTT_SAMPLE`.
const RTT_SAMPLES: u8 = 8;
/// `CSS_GROWTH_DIVISOR`.
const GROWTH_DIVISOR: u64 = 4;
/// `CSS_ROUNDS`.
const CONSERVATIVE_ROUNDS: u8 = 5;

/// Watches the round-trip time of each round in slow start.
///
/// When this time rises, slow start becomes conservative. When it has stayed high for five rounds, slow start ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct HyStart {
    last_round_min: Option<ShortDuration>,
    this_round_min: Option<ShortDuration>,
    samples: u8,
    /// In conservative slow start: the round-trip time at its start, and the rounds left.
    conservative: Option<(ShortDuration, u8)>,
}

impl HyStart {
    pub(super) const fn new() -> Self {
        Self { last_round_min: None, this_round_min: None, samples: 0, conservative: None }
    }

    /// Whether slow start is conservative, because the round-trip time has risen.
    pub(super) const fn is_conservative(&self) -> bool {
        self.conservative.is_some()
    }

    /// The growth of the window in bytes for this acknowledgement; `None` if slow start ends here.
    pub(super) fn growth(&mut self, ack: &Acknowledgement) -> Option<u64> {
        if ack.round_ended {
            self.last_round_min = self.this_round_min.take();
            self.samples = 0;
            if let Some((_, rounds)) = &mut self.conservative {
                *rounds = rounds.saturating_sub(1);
                if *rounds == 0 {
                    return None;
                }
            }
        }
        if let Some(rtt) = ack.rtt {
            let rtt = ShortDuration::new(rtt);
            self.this_round_min = Some(self.this_round_min.map_or(rtt, |min| min.min(rtt)));
            self.samples = self.samples.saturating_add(1);
        }
        if self.samples >= RTT_SAMPLES {
            self.judge();
        }
        Some(if self.conservative.is_some() { ack.bytes / GROWTH_DIVISOR } else { ack.bytes })
    }

    fn judge(&mut self) {
        let Some(this) = self.this_round_min else { return };
        match (self.conservative, self.last_round_min.map(ShortDuration::get)) {
            // The rise was temporary: slow start resumes.
            (Some((baseline, _)), _) if this < baseline => self.conservative = None,
            (None, Some(last)) => {
                let threshold = Duration::from_micros(last.as_micros() / MIN_RTT_DIVISOR)
                    .clamp(MIN_RTT_THRESHOLD, MAX_RTT_THRESHOLD);
                if this.get() >= last.saturating_add(threshold) {
                    self.conservative = Some((this, CONSERVATIVE_ROUNDS));
                }
            }
            (Some(_) | None, _) => {}
        }
    }
}
