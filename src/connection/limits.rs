//! The limits that hold as long as a connection lasts.

use super::config::Config;
use crate::time::ShortDuration;
use crate::timing::Limit;

/// The limits that hold as long as a connection lasts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Limits {
    pub(super) idle: Limit,
    pub(super) quiet: Limit,
    pub(super) keep_alive: Limit,
    pub(super) linger: ShortDuration,
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
}
