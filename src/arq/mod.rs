//! Automatic repeat request: *which number* to send now, what is acknowledged, what is lost, when to wake.
//!
//! Nothing here ever sees a byte of payload. That keeps these machines small, comparable (`Eq`, `Hash`) and cheap to copy,
//! so that they can be explored exhaustively, and it lets them inline into a hot loop. Bytes live in [`store`](crate::store),
//! the two are joined by [`connection`](crate::connection).
//!
//! An [`Arq`] is both halves of one side: the sender of this side's INFO packets and the receiver of the peer's. Output is
//! *derived from state*: [`Arq::next_info`] and [`Arq::ack`] look without changing anything, and the
//! caller tells what it really sent. So a datagram that could not be written (a buffer too small, a socket that would block)
//! is simply due still.

mod any;
mod mechanism;
mod selective_repeat;
mod stop_and_wait;

#[doc(no_inline)]
pub use crate::timing::Timer;
pub use crate::timing::{Jitter, Rtt};

pub use any::AnyArq;
pub use mechanism::{Ack, Acknowledged, Arq, ArqSnapshot, Arrival, Bitmap, MAX_ACK_DELAY, Offer, Sending};
pub use selective_repeat::{Block, SelectiveRepeat};
pub use stop_and_wait::{PendingAcks, StopAndWait};
