//! Timing that both protocols share: round-trip time, retransmission, backoff, limits.
//!
//! It knows no packet and no state of a connection. A machine keeps an [`Rtt`] for each path, a [`RetransmitTimer`] for each
//! packet that it repeats, and an instant for each limit.

mod backoff;
mod jitter;
mod limit;
mod retransmit_timer;
mod rtt;

pub(crate) use backoff::{longest_opening_interval, rto_ceiling};
pub use jitter::Jitter;
pub(crate) use limit::{Limit, expiry};
pub(crate) use retransmit_timer::RetransmitTimer;
pub use rtt::Rtt;
