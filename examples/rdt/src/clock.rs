//! The clock.

use rdt_proto::Instant;

/// The one clock of a thread: what its machines call [`Instant::ZERO`] is when it started.
pub(crate) struct Clock(std::time::Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.0.elapsed().into()
    }
}
