//! The bytes that one side has on the heap.

use std::cell::Cell;

/// Counts the allocations of calls, less what they free.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    live: Cell<i64>,
    peak: Cell<i64>,
}

impl Meter {
    /// Makes a call whose allocations count.
    pub(crate) fn count<T>(&self, call: impl FnOnce() -> T) -> T {
        let mut result = None;
        let counted = allocation_counter::measure(|| result = Some(call()));
        self.peak.set(self.peak.get().max(self.live.get() + i64::try_from(counted.bytes_max).unwrap()));
        self.live.set(self.live.get() + counted.bytes_current);
        result.unwrap()
    }

    /// The bytes in use.
    pub(crate) fn live(&self) -> i64 {
        self.live.get()
    }

    /// The most bytes that were in use at one time, also within a call.
    pub(crate) fn peak(&self) -> i64 {
        self.peak.get()
    }

    pub(crate) fn megabytes(bytes: i64) -> f64 {
        bytes as f64 / 1e6
    }
}
