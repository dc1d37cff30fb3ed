//! Round-trip time, retransmission, backoff and limits, for both protocols.
//!
//! The module knows no packet and no state of a connection. A machine keeps an [`Rtt`] for each path, a
//! [`RetransmitTimer`] for each packet that it repeats, and an instant for each limit. [`Timer`] names the purpose of a
//! deadline. In each machine one function lists the running timers, and the machine's next deadline is the earliest of
//! them.

mod backoff;
mod jitter;
mod limit;
mod retransmit_timer;
mod rtt;
mod timer;

pub(crate) use backoff::{backed_off, longest_opening_interval, rto_ceiling};
pub use jitter::Jitter;
pub(crate) use limit::{Limit, expiry};
pub(crate) use retransmit_timer::RetransmitTimer;
pub use rtt::Rtt;
pub use timer::Timer;
pub(crate) use timer::{Earliest, earlier};
