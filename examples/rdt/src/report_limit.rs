//! Lines that a flood could repeat: one a minute.

use crate::messages::counted;
use rdt_proto::{Duration, Instant};

/// The interval between two lines.
const INTERVAL: Duration = Duration::from_secs(60);

/// Counts what is left out between two lines.
#[derive(Default)]
pub(crate) struct ReportLimit {
    left_out: u64,
    silent_until: Option<Instant>,
}

impl ReportLimit {
    /// Counts an `event`. If a line may report it, returns what the line adds about those left out before.
    pub(crate) fn handle(&mut self, now: Instant, event: &str) -> Option<String> {
        if self.silent_until.is_some_and(|until| now < until) {
            self.left_out += 1;
            return None;
        }
        self.silent_until = Some(now + INTERVAL);
        Some(match std::mem::take(&mut self.left_out) {
            0 => String::new(),
            left_out => format!(", after {}", counted(left_out, &format!("more {event}"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_counts_the_events_before_it() {
        let mut limit = ReportLimit::default();
        let mut at = |second| limit.handle(Instant::ZERO + Duration::from_secs(second), "error");
        assert_eq!([at(0), at(1), at(59)], [Some(String::new()), None, None]);
        assert_eq!([at(60), at(61)], [Some(", after 2 more errors".to_owned()), None]);
        assert_eq!([at(120), at(180)], [Some(", after 1 more error".to_owned()), Some(String::new())]);
    }
}
