//! A machine, its datagrams and its SACKs, for tests.

use crate::arq::{Ack, Arq, Block, Jitter, Rtt, SelectiveRepeat, Sending};
use crate::congestion::{FixedWindow, Pacer};
use crate::wire::{Sack, SackDelay};
use crate::{Duration, Instant, Seq};

pub(super) type Machine = SelectiveRepeat<std::vec::Vec<Block>, FixedWindow>;

pub(super) fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

/// A machine of extended mode, and the estimate after these samples.
pub(super) fn extended(samples_ms: &[u64]) -> (Machine, Rtt) {
    let pacer = Pacer::new(Duration::ZERO, 100);
    let mut machine = SelectiveRepeat::new(std::vec![Block::EMPTY; 16], FixedWindow::new(1_000_000), pacer).unwrap();
    let mut rtt = Rtt::new(Duration::from_secs(60), Jitter::new(0));
    machine.start_extended(Seq::new(1_000), &mut rtt);
    samples_ms.iter().for_each(|&ms| rtt.sample(Duration::from_millis(ms)));
    (machine, rtt)
}

pub(super) fn send(machine: &mut Machine, now: Instant, end: Seq, rtt: &mut Rtt) -> Option<Seq> {
    let number = machine.next_info(now, end)?;
    machine.on_info_sent(Sending { now, number, counter: number.value(), bytes: 100, end }, rtt);
    Some(number)
}

/// A SACK that misses number 0.
pub(super) fn sack(latest: u32, base: u32, bitmap: &[u8]) -> Ack<'_> {
    let (latest, base, delay) = (Seq::new(latest), Seq::new(base), SackDelay::new(0));
    Ack::Selective(Sack { next: Seq::ZERO, window: 1_000, latest, counter: latest.value(), ce: 0, delay, base, bitmap })
}
