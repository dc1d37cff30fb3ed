//! Automatic repeat request (ARQ): decides which number to send, what is lost, and when to wake.
//!
//! The machines handle numbers and times, never a byte of payload. This keeps them small, comparable (`Eq`, `Hash`) and
//! cheap to copy, so that a model checker can explore them exhaustively and the compiler can inline them into a hot
//! loop. [`store`](crate::store) keeps the bytes; [`connection`](crate::connection) joins the two.
//!
//! An [`Arq`] contains both halves of one side: the sender of this side's INFO packets and the receiver of the peer's.
//! Output is derived from state: [`Arq::next_info`] and [`Arq::ack`] change nothing, and the caller reports each packet
//! that has left. A datagram that could not be written (the buffer was too small, the socket would block) therefore
//! stays due.

mod ambiguous;
mod any;
mod mechanism;
mod selective_repeat;
mod stop_and_wait;

#[doc(no_inline)]
pub use crate::timing::Timer;
pub use crate::timing::{Jitter, Rtt};

pub use any::AnyArq;
pub use mechanism::{
    Ack, Acknowledged, Arq, ArqSnapshot, Arrival, Bitmap, MAX_ACK_DELAY, Offer, ReceivedInfo, Sending,
};
pub use selective_repeat::{Block, SelectiveRepeat};
pub use stop_and_wait::{PendingAcks, StopAndWait};
