//! A thread's clock.

use rdt_proto::Instant;

/// The clock of a thread. [`Instant::ZERO`] is the time of its start.
pub(crate) struct Clock(std::time::Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.0.elapsed().into()
    }
}
