//! What both mechanisms have in common: their inputs, outputs and timers.

use crate::timing::{Rtt, Timer};
use crate::wire::{MAX_BITMAP, Sack};
use crate::{ClockShift, Duration, Instant, Seq};

/// By how much a receiver in extended mode may delay an acknowledgement, so that one tells of several arrivals. In base mode
/// each is acknowledged at once.
pub const MAX_ACK_DELAY: Duration = Duration::from_millis(5);

/// What the number of an arriving INFO says (the receiver's whole decision).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arrival {
    /// It is `next`: keep it, and deliver it with all that follows without a gap. It will be acknowledged.
    Next,
    /// It lies ahead of `next`: keep it for later. It will be acknowledged.
    Early,
    /// It came before: deliver nothing. It will be acknowledged again, since the peer may not have heard the first time.
    Old,
    /// It lies in the window, but there is no room for it: drop it, it will not be acknowledged and the peer repeats it.
    NoRoom,
    /// It lies beyond the window, or before anything ever received: drop it, it will not be acknowledged.
    BeyondWindow,
}

/// What the receive store can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    /// Bodies with numbers before this one have a place.
    pub limit: Seq,
    /// Whether the body that has arrived fits into it.
    pub fits: bool,
}

/// An acknowledgement, as the mode of the connection has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ack<'b> {
    /// Base mode: of one number.
    Single(Seq),
    /// Extended mode: of many numbers, and the window.
    Selective(Sack<'b>),
}

/// Room for the bits of a SACK, which only a SACK that has bits fills: begin with `None`.
pub type Bitmap = Option<[u8; MAX_BITMAP]>;

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

/// An INFO that has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sending {
    /// When it left.
    pub now: Instant,
    /// Its number.
    pub number: Seq,
    /// How many bytes its datagram has.
    pub bytes: u16,
    /// Numbers before this one have bodies.
    pub end: Seq,
}

/// What a mechanism knows of the path, and has counted since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArqSnapshot {
    /// Bytes sent, and neither acknowledged nor judged lost.
    pub in_flight: u64,
    /// Bytes that may be in flight; `None` for stop-and-wait: one datagram.
    pub window: Option<u64>,
    /// Bytes per second that may leave, if that is limited.
    pub pacing_rate: Option<u64>,
    /// Bytes acknowledged, counted once each.
    pub delivered: u64,
    /// How often an INFO was judged lost.
    pub lost: u64,
    /// How often an INFO was sent again, for whatever reason.
    pub retransmitted: u64,
    /// How often an INFO had been judged lost that was only late.
    pub spurious: u64,
    /// What the [congestion controller](crate::congestion::Congestion::phase) is doing.
    pub phase: &'static str,
}

pub(super) mod sealed {
    /// Keeps [`Arq`](super::Arq) to the mechanisms of this crate.
    pub trait Sealed {}
}

/// Both halves of one side of a connection, in numbers and time.
///
/// The mechanisms of this crate implement it, and no others can: a connection relies on more than the signatures say.
///
/// The round-trip estimate is lent by the connection, which also times its handshake and its close by it.
pub trait Arq: sealed::Sealed {
    /// The lowest number not yet acknowledged by the peer.
    fn base(&self) -> Seq;

    /// The number of the INFO to send now, where every number before `end` has a body. `None` while a window, pacing or a
    /// timer holds it back.
    fn next_info(&self, now: Instant, end: Seq) -> Option<Seq> {
        self.next_ready_info(now, end, |_| true)
    }

    /// As [`next_info`](Self::next_info), where a body that was sent before may be sent again only while it
    /// [is ready](crate::store::SendStore::is_ready). Another INFO leaves meanwhile.
    fn next_ready_info(&self, now: Instant, end: Seq, is_ready: impl Fn(Seq) -> bool) -> Option<Seq>;

    /// An INFO that [`next_info`](Self::next_info) named has left. Returns whether it was a retransmission.
    fn on_info_sent(&mut self, sending: Sending, rtt: &mut Rtt) -> bool;

    /// How many INFO with datagrams of `bytes` each may leave `now` after each other, `most` at most, all for the first time,
    /// from the one on that [`next_info`](Self::next_info) names, and before the newest that has a body: a shorter way to ask
    /// for each. 0 says no more than that there is no shorter way.
    fn next_run(&self, now: Instant, end: Seq, bytes: u16, most: u32) -> u32 {
        let _ = (now, end, bytes, most);
        0
    }

    /// Of the INFO that [`next_run`](Self::next_run) counted the first `count` have left, `sending` being the first one. As
    /// [`on_info_sent`](Self::on_info_sent) for each.
    fn on_run_sent(&mut self, sending: Sending, count: u32, rtt: &mut Rtt) {
        for ahead in 0..count {
            self.on_info_sent(Sending { number: sending.number.add(ahead), ..sending }, rtt);
        }
    }

    /// An acknowledgement has arrived. A SACK also says which numbers the peer takes. One that names a number never sent is
    /// ignored whole.
    fn handle_ack(&mut self, now: Instant, ack: &Ack<'_>, rtt: &mut Rtt) -> Acknowledged;

    /// The handshake has agreed on extended mode, and the peer takes numbers before `peer_limit`, which never moves back.
    /// Without this call it is base mode.
    fn start_extended(&mut self, peer_limit: Seq);

    /// Whether only the peer's window, which is 0, holds back what there is to send: nothing is on its way whose
    /// acknowledgement could open it.
    fn is_stopped(&self, end: Seq) -> bool;

    /// Time has passed. Returns whether a retransmission or probe timer expired.
    fn handle_timeout(&mut self, now: Instant, rtt: &Rtt) -> bool;

    /// When `timer` expires, where every number before `end` has a body, and those that `is_ready` says may be sent again;
    /// `None` while it does not run.
    fn deadline(&self, timer: Timer, end: Seq, is_ready: impl Fn(Seq) -> bool) -> Option<Instant>;

    /// When to call [`handle_timeout`](Self::handle_timeout), or when pacing lets something leave, apart from what is due to
    /// be sent already: the earliest deadline.
    fn poll_timeout(&self, end: Seq) -> Option<Instant> {
        Timer::OF_ARQ.into_iter().filter_map(|timer| self.deadline(timer, end, |_| true)).min()
    }

    /// The lowest number not yet received from the peer.
    fn next(&self) -> Seq;

    /// How many numbers from `next` on can be told apart.
    fn places(&self) -> u32;

    /// INFO `number` has arrived. On [`Arrival::Next`] and [`Arrival::Early`] the caller must keep its body. Unless it is to
    /// be dropped, it will be acknowledged.
    fn handle_info(&mut self, now: Instant, number: Seq, offer: Offer) -> Arrival;

    /// A PROBE asks for an acknowledgement at once. In base mode there is none.
    fn request_ack(&mut self);

    /// When the next acknowledgement is due, where the store takes numbers before `limit`. Already past if at once.
    fn ack_at(&self, limit: Seq) -> Option<Instant>;

    /// The acknowledgement to send `now`, the bits of a SACK in lent memory. It counts once
    /// [`on_ack_sent`](Self::on_ack_sent) is called. A SACK may be sent at any time; in base mode it is `None` while nothing
    /// is to be acknowledged.
    fn ack<'b>(&self, now: Instant, limit: Seq, bitmap: &'b mut Bitmap) -> Option<Ack<'b>>;

    /// The acknowledgement that [`ack`](Self::ack) returned has left.
    fn on_ack_sent(&mut self, limit: Seq);

    /// The state of the path.
    fn snapshot(&self) -> ArqSnapshot;

    /// Moves every stored time to another clock.
    fn rebase(&mut self, shift: ClockShift);
}
