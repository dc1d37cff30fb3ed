//! Timing that both protocols share: round-trip time, retransmission, backoff, limits.
//!
//! It knows no packet and no state of a connection. A machine keeps an [`Rtt`] for each path, a [`RetransmitTimer`] for each
//! packet that it repeats, and an instant for each limit. Each deadline has its name among the [timers](Timer): a machine lists
//! those that run once, and everything that is to be known of them derives from that list.

mod backoff;
mod jitter;
mod limit;
mod retransmit_timer;
mod rtt;
mod timer;

pub(crate) use backoff::{longest_opening_interval, rto_ceiling};
pub use jitter::Jitter;
pub(crate) use limit::{Limit, expiry};
pub(crate) use retransmit_timer::RetransmitTimer;
pub use rtt::Rtt;
pub(crate) use timer::Earliest;
pub use timer::Timer;
