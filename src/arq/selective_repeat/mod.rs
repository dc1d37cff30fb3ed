//! Selective repeat: a window of INFO packets is outstanding, and only lost ones are sent again.
//!
//! Each INFO is acknowledged on its own. A number that is lost repeatedly is also retransmitted proactively (see
//! `proactive`).
//!
//! Three limits are independent. The congestion controller bounds the bytes *in flight*: sent, and neither acknowledged
//! nor declared lost. The windows bound the *span*, from the lowest number not acknowledged to the highest number sent.
//! The store bounds the bytes that are buffered. A lost packet stops the sender if the windows are no wider than the
//! packets in flight. Choose wide windows, then: a number takes only 20 bytes and three bits.
//!
//! RACK-TLP detects losses (RFC 8985). A packet is lost when a packet sent later has been acknowledged and the
//! reordering window has passed. This rule also detects lost retransmissions. A tail loss probe makes the peer
//! acknowledge the last packets. The retransmission timeout is the last resort.

mod acknowledge;
mod acks;
#[cfg(test)]
mod fixtures;
mod fresh;
mod hold_back;
mod losses;
#[cfg(test)]
mod model;
mod new_path;
mod proactive;
mod rack;
mod receiver;
mod report;
mod request;
mod scoreboard;
mod sender;
mod timers;

pub use scoreboard::Block;

use super::{Ack, Acknowledged, Arq, ArqSnapshot, Arrival, Bitmap, Offer, ReceivedInfo, Rtt, Sending, Timer};
use crate::arq::mechanism::sealed::Sealed;
use crate::congestion::{Congestion, Pacer};
use crate::wire::AckRequest;
use crate::{ClockShift, Instant, ReplaceMemory, Seq};
use receiver::Receiver;
use sender::Sender;

/// Selective repeat, both halves, over memory that the caller lends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SelectiveRepeat<M, C> {
    sender: Sender<M, C>,
    receiver: Receiver,
}

impl<M: AsRef<[Block]> + AsMut<[Block]>, C: Congestion> SelectiveRepeat<M, C> {
    /// Starts both directions at number 0; `None` if `blocks` is empty.
    ///
    /// Both windows have 64 numbers per block. The number of blocks is rounded down to a power of two.
    pub fn new(blocks: M, congestion: C, pacer: Pacer) -> Option<Self> {
        Some(Self { sender: Sender::new(blocks, congestion, pacer)?, receiver: Receiver::default() })
    }

    /// Returns the memory passed to [`new`](Self::new).
    pub fn into_memory(self) -> M {
        self.sender.scoreboard.into_memory()
    }

    /// The congestion controller.
    pub const fn congestion(&self) -> &C {
        &self.sender.congestion
    }

    /// Bytes sent, and neither acknowledged nor declared lost.
    pub const fn in_flight(&self) -> u64 {
        self.sender.scoreboard.in_flight()
    }

    /// How many numbers were declared lost, but were only late.
    ///
    /// They widen the reordering window (RFC 8985 §6.2 step 4).
    pub fn spurious(&self) -> u64 {
        self.sender.counters.spurious.into()
    }
}

/// The numbers of both directions share the memory: the wider one counts as [used](ReplaceMemory::used).
impl<M: AsRef<[Block]> + AsMut<[Block]>, C: Congestion> ReplaceMemory for SelectiveRepeat<M, C> {
    type Memory = M;

    fn room(&self) -> u32 {
        self.sender.scoreboard.window().places()
    }

    fn used(&self) -> u32 {
        let spans = [self.receiver.ahead(), self.receiver.ack_pending()].map(|(first, end)| end.distance_from(first));
        spans.into_iter().fold(self.sender.scoreboard.span(), u32::max)
    }

    fn replace_memory(&mut self, memory: M) -> Result<M, M> {
        // The window that was announced must not become smaller.
        let announced = self.room();
        let (ahead, ack_pending) = (self.receiver.ahead(), self.receiver.ack_pending());
        let earlier = self.sender.scoreboard.replace_memory(memory, ahead, ack_pending)?;
        self.receiver.promise(announced);
        self.receiver.on_memory_replaced();
        Ok(earlier)
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

    fn next_lost(&self) -> Option<Seq> {
        self.sender.hold_back.next().or_else(|| self.sender.scoreboard.first_lost())
    }

    fn lost_before(&self, later: Option<Seq>) -> Option<Seq> {
        self.sender.scoreboard.lost_before(later)
    }

    fn first_unsent(&self) -> Seq {
        self.sender.scoreboard.next()
    }

    fn request(&self, sending: &Sending, count: u32) -> AckRequest {
        self.sender.request(sending, count)
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

    fn start_extended(&mut self, peer_limit: Seq, rtt: &mut Rtt) {
        self.sender.start_extended(peer_limit, rtt);
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

    fn is_used(&self) -> bool {
        self.sender.scoreboard.next() != Seq::ZERO || self.receiver.next() != Seq::ZERO
    }

    fn next(&self) -> Seq {
        self.receiver.next()
    }

    fn reach(&self) -> Seq {
        self.receiver.ahead().1
    }

    fn sent_end(&self) -> Seq {
        self.sender.scoreboard.next()
    }

    fn places(&self) -> u32 {
        self.receiver.most(self.sender.scoreboard.window())
    }

    fn promise(&mut self, window: u32) {
        self.receiver.promise(window);
    }

    fn handle_info(&mut self, now: Instant, info: ReceivedInfo, offer: Offer) -> Arrival {
        self.receiver.handle_info(self.sender.scoreboard.window_mut(), now, info, offer)
    }

    fn request_ack(&mut self) {
        self.receiver.request_ack();
    }

    fn repeat_ack(&mut self) {
        self.receiver.repeat_ack();
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

    fn losses(&self) -> u8 {
        self.sender.proactive.losses().max(self.receiver.losses(self.base()))
    }

    fn delivered(&self) -> u64 {
        self.sender.counters.delivered
    }

    fn snapshot(&self) -> ArqSnapshot {
        self.sender.snapshot()
    }

    fn probe(&mut self) {
        self.sender.probe();
    }

    fn abandon_flight(&mut self, received: Option<u32>) {
        self.sender.abandon_flight(received);
    }

    fn start_path(&mut self, now: Instant) {
        self.sender.start_path(now);
    }

    fn rebase(&mut self, shift: ClockShift) {
        self.sender.rebase(shift);
        self.receiver.rebase(shift);
    }
}
