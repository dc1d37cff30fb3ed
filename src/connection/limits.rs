//! The limits that apply throughout a connection.

use super::config::Config;
use super::least_progress::LeastProgress;
use crate::Duration;
use crate::time::ShortDuration;
use crate::timing::{Limit, Rtt};

/// The maximum time for which a last FIN is repeated, in lingers. A shorter idle limit ends it earlier.
///
/// The peer does not answer if its linger has expired. Four lingers are twelve timeouts at least, or 4 s by default. At
/// 20 % loss each way, one close in a hundred gets no answer at all, if FIN is sent without copies.
const LAST_FIN_LINGERS: u64 = 4;

/// The limits that apply throughout a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Limits {
    pub(super) idle: Limit,
    pub(super) quiet: Limit,
    pub(super) keep_alive: Limit,
    pub(super) progress: LeastProgress,
    linger: ShortDuration,
}

impl Limits {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            idle: Limit::new(config.idle_limit),
            quiet: Limit::new(config.quiet_limit),
            keep_alive: Limit::new(config.keep_alive),
            progress: LeastProgress::new(&config.progress),
            linger: ShortDuration::new(config.least_linger()),
        }
    }

    /// The linger after the peer's last FIN: three RTOs, or the configured minimum if that is longer.
    ///
    /// A repeated FIN is answered until then. The peer repeats FIN at intervals of its own RTO, which is similar to
    /// ours on the same path. A side that has sent no data derives it from the handshake.
    pub(super) fn linger(&self, rtt: &Rtt) -> Duration {
        rtt.linger_rto().saturating_mul(3).max(self.linger.get())
    }

    /// The linger with the largest possible RTO.
    pub(super) fn longest_linger(&self, rtt: &Rtt) -> Duration {
        rtt.longest().saturating_mul(3).max(self.linger.get())
    }

    /// How long to wait for the answer to a last FIN.
    ///
    /// A FIN is the last one if all our data is acknowledged and the peer has closed. In extended mode FIN does not
    /// back off at first, so four configured lingers suffice unless the path is so long that one linger is longer.
    pub(super) fn last_fin(&self, is_extended: bool, rtt: &Rtt) -> Duration {
        let linger = self.linger(rtt);
        let longest = if is_extended { self.linger.get() } else { linger }.saturating_mul(LAST_FIN_LINGERS);
        self.idle.get().min(longest.max(linger))
    }
}
