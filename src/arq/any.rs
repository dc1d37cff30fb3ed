//! Either mechanism, chosen at run time.

use super::{Acknowledged, Arq, Arrival, Block, Offer, Rtt, SelectiveRepeat, Sending, StopAndWait, Timer};
use crate::congestion::Congestion;
use crate::wire::{MAX_BITMAP, Sack};
use crate::{ClockShift, Instant, Seq};

/// Stop-and-wait or selective repeat: for a listener that offers both, or a program that lets its user choose.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "without an allocator nothing can be put elsewhere")]
pub enum AnyArq<M, C> {
    /// One INFO outstanding.
    StopAndWait(StopAndWait),
    /// Many INFO outstanding.
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

impl<M: AsRef<[Block]> + AsMut<[Block]>, C: Congestion> Arq for AnyArq<M, C> {
    fn base(&self) -> Seq {
        either!(self, arq => arq.base())
    }

    fn next_info(&self, now: Instant, end: Seq) -> Option<Seq> {
        either!(self, arq => arq.next_info(now, end))
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

    fn handle_ack(&mut self, now: Instant, number: Seq, rtt: &mut Rtt) -> Acknowledged {
        either!(self, arq => arq.handle_ack(now, number, rtt))
    }

    fn handle_sack(&mut self, now: Instant, sack: &Sack<'_>, rtt: &mut Rtt) -> Acknowledged {
        either!(self, arq => arq.handle_sack(now, sack, rtt))
    }

    fn on_peer_limit(&mut self, limit: Seq) {
        either!(self, arq => arq.on_peer_limit(limit));
    }

    fn is_stopped(&self, end: Seq) -> bool {
        either!(self, arq => arq.is_stopped(end))
    }

    fn handle_timeout(&mut self, now: Instant, rtt: &Rtt) -> bool {
        either!(self, arq => arq.handle_timeout(now, rtt))
    }

    #[inline]
    fn deadline(&self, timer: Timer, end: Seq) -> Option<Instant> {
        either!(self, arq => arq.deadline(timer, end))
    }

    fn poll_timeout(&self, end: Seq) -> Option<Instant> {
        either!(self, arq => arq.poll_timeout(end))
    }

    fn next_timer(&self) -> Option<Instant> {
        either!(self, arq => arq.next_timer())
    }

    fn next(&self) -> Seq {
        either!(self, arq => arq.next())
    }

    fn places(&self) -> u32 {
        either!(self, arq => arq.places())
    }

    fn handle_info(&mut self, now: Instant, number: Seq, offer: Offer) -> Arrival {
        either!(self, arq => arq.handle_info(now, number, offer))
    }

    fn owe_ack(&mut self, number: Seq) {
        either!(self, arq => arq.owe_ack(number));
    }

    fn next_ack(&self) -> Option<Seq> {
        either!(self, arq => arq.next_ack())
    }

    fn on_ack_sent(&mut self, number: Seq) {
        either!(self, arq => arq.on_ack_sent(number));
    }

    fn request_sack(&mut self) {
        either!(self, arq => arq.request_sack());
    }

    fn sack_at(&self, limit: Seq) -> Option<Instant> {
        either!(self, arq => arq.sack_at(limit))
    }

    fn sack<'b>(&self, now: Instant, limit: Seq, bitmap: &'b mut [u8; MAX_BITMAP]) -> Sack<'b> {
        either!(self, arq => arq.sack(now, limit, bitmap))
    }

    fn on_sack_sent(&mut self, limit: Seq) {
        either!(self, arq => arq.on_sack_sent(limit));
    }

    fn rebase(&mut self, shift: ClockShift) {
        either!(self, arq => arq.rebase(shift));
    }
}
