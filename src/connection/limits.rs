//! The limits that hold as long as a connection lasts.

use super::config::Config;
use crate::Duration;
use crate::time::ShortDuration;
use crate::timing::{Limit, Rtt};

/// Without an idle limit a last FIN is still not repeated for ever: the peer may have ended its linger and be gone. By default
/// this is the idle limit.
const LINGERS_OF_A_LAST_FIN: u64 = 30;

/// The limits that hold as long as a connection lasts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Limits {
    pub(super) idle: Limit,
    pub(super) quiet: Limit,
    pub(super) keep_alive: Limit,
    linger: ShortDuration,
}

impl Limits {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            idle: Limit::new(config.idle_limit),
            quiet: Limit::new(config.quiet_limit),
            keep_alive: Limit::new(config.keep_alive),
            linger: ShortDuration::new(config.least_linger()),
        }
    }

    /// How long to answer a repeated FIN after the last one: three timeouts, or what the config says where that is longer. The
    /// peer computes its own from its own measurements; on one path they are alike.
    pub(super) fn linger(&self, rtt: &Rtt) -> Duration {
        rtt.rto().saturating_mul(3).max(self.linger.get())
    }

    /// How long the answer to a last FIN may take, with everything acknowledged both ways and the peer's own FIN answered.
    pub(super) fn last_fin(&self, rtt: &Rtt) -> Duration {
        self.idle.get().min(self.linger(rtt).saturating_mul(LINGERS_OF_A_LAST_FIN))
    }
}
