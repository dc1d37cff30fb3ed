//! Automatic repeat request: *which number* to send now, what is acknowledged, what is lost, when to wake.
//!
//! Nothing here ever sees a byte of payload. That keeps these machines small, comparable (`Eq`, `Hash`) and cheap to copy,
//! so that they can be explored exhaustively, and it lets them inline into a hot loop. Bytes live in [`store`](crate::store),
//! the two are joined by [`connection`](crate::connection).
//!
//! An [`Arq`] is both halves of one side: the sender of this side's INFO packets and the receiver of the peer's. Output is
//! *derived from state*: [`Arq::next_info`] and [`Arq::next_ack`] look without changing anything, and the caller tells what
//! it really sent. So a datagram that could not be written (a buffer too small, a socket that would block) is simply due
//! still.

mod jitter;
mod pending_acks;
mod rtt;
mod stop_and_wait;

pub use jitter::Jitter;
pub use pending_acks::PendingAcks;
pub use rtt::Rtt;
pub use stop_and_wait::StopAndWait;

use crate::{Instant, Seq};

/// What the number of an arriving INFO says (the receiver's whole decision).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arrival {
    /// It is `next`: keep it and deliver it. It will be acknowledged.
    Next,
    /// It came before: deliver nothing. It will be acknowledged again, since the peer may not have heard the first time.
    Old,
    /// It is `next`, but there is no room for it: drop it, it will not be acknowledged and the peer repeats it.
    NoRoom,
    /// It lies beyond the window, or before anything ever received: drop it, it will not be acknowledged.
    BeyondWindow,
}

/// What an arriving acknowledgement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Acknowledged {
    /// Something new: [`Arq::base`] may have moved.
    New,
    /// Nothing that was not known.
    Old,
    /// It names a number that was never sent.
    NeverSent,
}

/// Both halves of one side of a connection, in numbers and time.
///
/// The round-trip estimate is lent by the connection, which also times its handshake and its close by it.
pub trait Arq {
    /// The lowest number not yet acknowledged by the peer.
    fn base(&self) -> Seq;

    /// The number of the INFO to send now, where every number before `end` has a body. `None` while the window or a timer
    /// holds it back.
    fn next_info(&self, end: Seq) -> Option<Seq>;

    /// INFO `number`, which [`next_info`](Self::next_info) named, has left. Returns whether it was a retransmission.
    fn on_info_sent(&mut self, now: Instant, number: Seq, rtt: &mut Rtt) -> bool;

    /// An acknowledgement of `number` has arrived.
    fn handle_ack(&mut self, now: Instant, number: Seq, rtt: &mut Rtt) -> Acknowledged;

    /// Time has passed. Returns whether a retransmission timer expired.
    fn handle_timeout(&mut self, now: Instant) -> bool;

    /// When to call [`handle_timeout`](Self::handle_timeout), apart from what is due to be sent already.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The lowest number not yet received from the peer.
    fn next(&self) -> Seq;

    /// INFO `number` has arrived; `room` says whether its body could be kept. On [`Arrival::Next`] the caller must keep it.
    fn handle_info(&mut self, number: Seq, room: bool) -> Arrival;

    /// The number to acknowledge now.
    fn next_ack(&self) -> Option<Seq>;

    /// The acknowledgement of `number`, which [`next_ack`](Self::next_ack) named, has left.
    fn on_ack_sent(&mut self, number: Seq);
}
