//! The clock of a thread.

use rdt_proto::Instant;

/// A clock that starts at [`Instant::ZERO`].
pub(crate) struct Clock(std::time::Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.0.elapsed().into()
    }
}
