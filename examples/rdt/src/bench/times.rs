//! The times of small requests.

use crate::json;
use crate::messages::counted;

/// The times of small requests in microseconds, sorted.
pub(super) struct Times(Vec<u64>);

impl Times {
    /// Sorts them.
    pub(super) fn new(mut times: Vec<u64>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that this percentage of the requests did not exceed.
    fn percentile(&self, percent: usize) -> u64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or(0)
    }

    pub(super) fn object(&self) -> json::Requests {
        let seconds = |percent| json::seconds(rdt_proto::Duration::from_micros(self.percentile(percent)));
        json::Requests { count: self.0.len(), median: seconds(50), percentile_99: seconds(99), most: seconds(100) }
    }

    pub(super) fn text(&self) -> String {
        let ms = |percent| {
            let us = self.percentile(percent);
            format!("{}.{:02}", us / 1_000, us % 1_000 / 10)
        };
        format!("median {}, 99 % {}, most {} ({})", ms(50), ms(99), ms(100), counted(self.0.len() as u64, "request"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_occurred() {
        let requests = Times::new((1..=200).rev().collect());
        assert_eq!([50, 99, 100].map(|percent| requests.percentile(percent)), [100, 198, 200]);
        assert_eq!(Times::new(vec![7]).percentile(99), 7);
        assert_eq!(Times::new(Vec::new()).percentile(99), 0);
    }
}
