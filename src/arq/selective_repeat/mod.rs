//! Selective repeat: many INFO packets outstanding in each direction, each acknowledged on its own; only what is lost is
//! sent again (and what is lost again and again, proactively: see `proactive`).
//!
//! Three quantities are kept apart. The congestion controller bounds what is *in flight*: sent, and neither acknowledged nor
//! judged lost. The windows bound the *span*, from the lowest number not acknowledged to the newest used. The store bounds
//! what is buffered. With a span no wider than what is in flight, everything would stand still behind one lost packet, so
//! windows are meant to be wide, and the cost of a number is small: 16 bytes and three bits.
//!
//! Loss is found by RACK-TLP (RFC 8985): a packet is lost when one that was sent later has been acknowledged and the
//! reordering window has passed, which finds lost retransmissions too; a probe makes the tail answer. The retransmission
//! timeout is the last resort.

mod acknowledge;
#[cfg(test)]
mod model;
mod proactive;
mod rack;
mod receiver;
mod report;
mod scoreboard;
mod sender;
mod timers;

pub use scoreboard::Block;

use super::{Ack, Acknowledged, Arq, ArqSnapshot, Arrival, Bitmap, Offer, Rtt, Sending, Timer};
use crate::arq::mechanism::sealed::Sealed;
use crate::congestion::{Congestion, Pacer};
use crate::{ClockShift, Instant, Seq};
use receiver::Receiver;
use sender::Sender;

/// Selective repeat, both halves, over lent memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SelectiveRepeat<M, C> {
    sender: Sender<M, C>,
    receiver: Receiver,
}

impl<M: AsRef<[Block]> + AsMut<[Block]>, C: Congestion> SelectiveRepeat<M, C> {
    /// Both directions at number 0, with windows of 64 numbers for each block: the largest power of two of them. `None` if
    /// there is no block.
    pub fn new(blocks: M, congestion: C, pacer: Pacer) -> Option<Self> {
        Some(Self { sender: Sender::new(blocks, congestion, pacer)?, receiver: Receiver::default() })
    }

    /// The memory that it was made with.
    pub fn into_memory(self) -> M {
        self.sender.scoreboard.into_memory()
    }

    /// The congestion controller.
    pub const fn congestion(&self) -> &C {
        &self.sender.congestion
    }

    /// Bytes sent, and neither acknowledged nor judged lost.
    pub const fn in_flight(&self) -> u64 {
        self.sender.scoreboard.in_flight()
    }

    /// How often something was judged lost that was only late (RFC 8985 §6.2 learns from that).
    pub fn spurious(&self) -> u64 {
        self.sender.counters.spurious.into()
    }
}

impl<M, C> Sealed for SelectiveRepeat<M, C> {}

impl<M: AsRef<[Block]> + AsMut<[Block]>, C: Congestion> Arq for SelectiveRepeat<M, C> {
    fn base(&self) -> Seq {
        self.sender.scoreboard.base()
    }

    fn next_ready_info(&self, now: Instant, end: Seq, is_ready: impl Fn(Seq) -> bool) -> Option<Seq> {
        self.sender.next_info(now, end, is_ready)
    }

    fn on_info_sent(&mut self, sending: Sending, rtt: &mut Rtt) -> bool {
        self.sender.on_sent(sending, rtt)
    }

    fn next_run(&self, now: Instant, end: Seq, bytes: u16, most: u32) -> u32 {
        self.sender.next_run(now, end, bytes, most)
    }

    fn on_run_sent(&mut self, sending: Sending, count: u32, rtt: &mut Rtt) {
        self.sender.on_run_sent(sending, count, rtt);
    }

    fn handle_ack(&mut self, now: Instant, ack: &Ack<'_>, rtt: &mut Rtt) -> Acknowledged {
        match ack {
            Ack::Single(number) => self.sender.handle_ack(now, *number, rtt),
            Ack::Selective(sack) => self.sender.handle_sack(now, sack, rtt),
        }
    }

    fn start_extended(&mut self, peer_limit: Seq) {
        self.sender.start_extended(peer_limit);
        self.receiver.start_extended();
    }

    fn is_stopped(&self, end: Seq) -> bool {
        self.sender.is_stopped(end)
    }

    fn handle_timeout(&mut self, now: Instant, rtt: &Rtt) -> bool {
        self.sender.handle_timeout(now, rtt)
    }

    #[inline]
    fn deadline(&self, timer: Timer, end: Seq, is_ready: impl Fn(Seq) -> bool) -> Option<Instant> {
        self.sender.deadline(timer, end, is_ready)
    }

    fn next(&self) -> Seq {
        self.receiver.next()
    }

    fn places(&self) -> u32 {
        self.sender.scoreboard.window().places()
    }

    fn handle_info(&mut self, now: Instant, number: Seq, offer: Offer) -> Arrival {
        self.receiver.handle_info(self.sender.scoreboard.window_mut(), now, number, offer)
    }

    fn request_ack(&mut self) {
        self.receiver.request_ack();
    }

    #[inline]
    fn ack_at(&self, limit: Seq) -> Option<Instant> {
        self.receiver.ack_at(limit)
    }

    fn ack<'b>(&self, now: Instant, limit: Seq, bitmap: &'b mut Bitmap) -> Option<Ack<'b>> {
        self.receiver.ack(self.sender.scoreboard.window(), now, limit, bitmap)
    }

    fn on_ack_sent(&mut self, limit: Seq) {
        self.receiver.on_ack_sent(self.sender.scoreboard.window_mut(), limit);
    }

    fn snapshot(&self) -> ArqSnapshot {
        self.sender.snapshot()
    }

    fn rebase(&mut self, shift: ClockShift) {
        self.sender.rebase(shift);
        self.receiver.rebase(shift);
    }
}
