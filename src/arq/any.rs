//! A mechanism that is chosen at run time.

use super::mechanism::sealed::Sealed;
use super::{
    Ack, Acknowledged, Arq, ArqSnapshot, Arrival, Bitmap, Block, Offer, ReceivedInfo, Rtt, SelectiveRepeat, Sending,
    StopAndWait, Timer,
};
use crate::congestion::Congestion;
use crate::wire::AckRequest;
use crate::{ClockShift, Instant, ReplaceMemory, Seq};

/// Stop-and-wait or selective repeat, chosen at run time.
///
/// It suits a listener that offers both, and a program that lets its user choose.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "without an allocator no variant can be boxed")]
pub enum AnyArq<M, C> {
    /// At most one INFO is outstanding.
    StopAndWait(StopAndWait),
    /// A window of INFO packets is outstanding.
    SelectiveRepeat(SelectiveRepeat<M, C>),
}

macro_rules! either {
    ($self:ident, $arq:ident => $call:expr) => {
        match $self {
            Self::StopAndWait($arq) => $call,
            Self::SelectiveRepeat($arq) => $call,
        }
    };
}

impl<M, C> Sealed for AnyArq<M, C> {}

/// Stop-and-wait lends no memory for numbers: it has room for one, and refuses all memory.
impl<M: AsRef<[Block]> + AsMut<[Block]>, C: Congestion> ReplaceMemory for AnyArq<M, C> {
    type Memory = M;

    fn room(&self) -> u32 {
        match self {
            Self::StopAndWait(_) => 1,
            Self::SelectiveRepeat(arq) => arq.room(),
        }
    }

    fn used(&self) -> u32 {
        match self {
            Self::StopAndWait(_) => 0,
            Self::SelectiveRepeat(arq) => arq.used(),
        }
    }

    fn replace_memory(&mut self, memory: M) -> Result<M, M> {
        match self {
            Self::StopAndWait(_) => Err(memory),
            Self::SelectiveRepeat(arq) => arq.replace_memory(memory),
        }
    }
}

impl<M: AsRef<[Block]> + AsMut<[Block]>, C: Congestion> Arq for AnyArq<M, C> {
    fn base(&self) -> Seq {
        either!(self, arq => arq.base())
    }

    fn next_ready_info(&self, now: Instant, end: Seq, is_ready: impl Fn(Seq) -> bool) -> Option<Seq> {
        either!(self, arq => arq.next_ready_info(now, end, is_ready))
    }

    fn next_lost(&self) -> Option<Seq> {
        either!(self, arq => arq.next_lost())
    }

    fn lost_before(&self, later: Option<Seq>) -> Option<Seq> {
        either!(self, arq => arq.lost_before(later))
    }

    fn first_unsent(&self) -> Seq {
        either!(self, arq => arq.first_unsent())
    }

    fn request(&self, sending: &Sending, count: u32) -> AckRequest {
        either!(self, arq => arq.request(sending, count))
    }

    fn on_info_sent(&mut self, sending: Sending, rtt: &mut Rtt) -> bool {
        either!(self, arq => arq.on_info_sent(sending, rtt))
    }

    fn next_run(&self, now: Instant, end: Seq, bytes: u16, most: u32) -> u32 {
        either!(self, arq => arq.next_run(now, end, bytes, most))
    }

    fn on_run_sent(&mut self, sending: Sending, count: u32, rtt: &mut Rtt) {
        either!(self, arq => arq.on_run_sent(sending, count, rtt));
    }

    fn handle_ack(&mut self, now: Instant, ack: &Ack<'_>, rtt: &mut Rtt) -> Acknowledged {
        either!(self, arq => arq.handle_ack(now, ack, rtt))
    }

    fn start_extended(&mut self, peer_limit: Seq, rtt: &mut Rtt) {
        either!(self, arq => arq.start_extended(peer_limit, rtt));
    }

    fn is_stopped(&self, end: Seq) -> bool {
        either!(self, arq => arq.is_stopped(end))
    }

    fn handle_timeout(&mut self, now: Instant, rtt: &Rtt) -> bool {
        either!(self, arq => arq.handle_timeout(now, rtt))
    }

    #[inline]
    fn deadline(&self, timer: Timer, end: Seq, is_ready: impl Fn(Seq) -> bool) -> Option<Instant> {
        either!(self, arq => arq.deadline(timer, end, is_ready))
    }

    fn poll_timeout(&self, end: Seq) -> Option<Instant> {
        either!(self, arq => arq.poll_timeout(end))
    }

    fn is_used(&self) -> bool {
        either!(self, arq => arq.is_used())
    }

    fn next(&self) -> Seq {
        either!(self, arq => arq.next())
    }

    fn places(&self) -> u32 {
        either!(self, arq => arq.places())
    }

    fn reach(&self) -> Seq {
        either!(self, arq => arq.reach())
    }

    fn sent_end(&self) -> Seq {
        either!(self, arq => arq.sent_end())
    }

    fn promise(&mut self, window: u32) {
        either!(self, arq => arq.promise(window));
    }

    fn handle_info(&mut self, now: Instant, info: ReceivedInfo, offer: Offer) -> Arrival {
        either!(self, arq => arq.handle_info(now, info, offer))
    }

    fn request_ack(&mut self) {
        either!(self, arq => arq.request_ack());
    }

    fn repeat_ack(&mut self) {
        either!(self, arq => arq.repeat_ack());
    }

    #[inline]
    fn ack_at(&self, limit: Seq) -> Option<Instant> {
        either!(self, arq => arq.ack_at(limit))
    }

    fn ack<'b>(&self, now: Instant, limit: Seq, bitmap: &'b mut Bitmap) -> Option<Ack<'b>> {
        either!(self, arq => arq.ack(now, limit, bitmap))
    }

    fn on_ack_sent(&mut self, limit: Seq) {
        either!(self, arq => arq.on_ack_sent(limit));
    }

    fn losses(&self) -> u8 {
        either!(self, arq => arq.losses())
    }

    fn delivered(&self) -> u64 {
        either!(self, arq => arq.delivered())
    }

    fn snapshot(&self) -> ArqSnapshot {
        either!(self, arq => arq.snapshot())
    }

    fn probe(&mut self) {
        either!(self, arq => arq.probe());
    }

    fn abandon_flight(&mut self, received: Option<u32>) {
        either!(self, arq => arq.abandon_flight(received));
    }

    fn start_path(&mut self, now: Instant) {
        either!(self, arq => arq.start_path(now));
    }

    fn rebase(&mut self, shift: ClockShift) {
        either!(self, arq => arq.rebase(shift));
    }
}
