//! The packet numbers of a trace: which packets carry an INFO, and which an acknowledgement is for.

use crate::qlog::PacketType;
use rdt_proto::wire::Sack;
use rdt_proto::{Duration, Instant, Seq};
use std::collections::HashMap;

/// The packets that this side has sent.
#[derive(Default)]
pub(crate) struct Sent {
    uncounted: Uncounted,
    /// The INFO that no acknowledgement has named.
    outstanding: HashMap<Seq, Transmission>,
    /// Every number before it is acknowledged.
    base: Seq,
    /// The lowest number that was never sent.
    unsent: Seq,
    /// The length of the stream so far.
    end: u64,
}

/// The latest transmission of an INFO.
struct Transmission {
    packet_number: u64,
    at: Instant,
    offset: u64,
    is_repeat: bool,
}

impl Sent {
    /// The number of a packet that carries no counter.
    pub(crate) fn next_uncounted(&mut self, packet_type: PacketType) -> u64 {
        self.uncounted.next(packet_type)
    }

    /// Records an INFO that was sent. Returns its offset in the stream, unless it was acknowledged before.
    pub(crate) fn on_info(&mut self, now: Instant, number: Seq, packet_number: u64, len: usize) -> Option<u64> {
        if number.precedes(self.base) {
            return None;
        }
        if !number.precedes(self.unsent) {
            self.unsent = number.next();
        }
        let (end, mut is_repeat) = (&mut self.end, true);
        let transmission = self.outstanding.entry(number).or_insert_with(|| {
            let offset = *end;
            *end += len as u64;
            is_repeat = false;
            Transmission { packet_number, at: now, offset, is_repeat: false }
        });
        (transmission.packet_number, transmission.at, transmission.is_repeat) = (packet_number, now, is_repeat);
        Some(transmission.offset)
    }

    /// The packet that carried `number` last.
    pub(crate) fn packet_number(&self, number: Seq) -> Option<u64> {
        self.outstanding.get(&number).map(|transmission| transmission.packet_number)
    }

    /// The time since the transmission that an acknowledgement is for, if it is known which one that is.
    pub(crate) fn since(&self, now: Instant, number: Seq, counter: Option<u32>) -> Option<Duration> {
        let transmission = self.outstanding.get(&number)?;
        let is_known =
            counter.map_or(!transmission.is_repeat, |counter| transmission.packet_number == u64::from(counter));
        is_known.then(|| now.saturating_since(transmission.at))
    }

    /// Removes what `sack` acknowledges, and returns its packets.
    pub(crate) fn on_sack(&mut self, sack: &Sack<'_>) -> Vec<u64> {
        let mut packets = Vec::new();
        // The SACK may be false.
        while self.base.precedes(sack.next) && self.base != self.unsent {
            packets.extend(self.on_ack(self.base));
            self.base = self.base.next();
        }
        for number in sack.numbers() {
            packets.extend(self.on_ack(number));
        }
        packets
    }

    /// Removes an INFO that is acknowledged, and returns its packet.
    pub(crate) fn on_ack(&mut self, number: Seq) -> Option<u64> {
        self.outstanding.remove(&number).map(|transmission| transmission.packet_number)
    }
}

/// The packets that have arrived.
#[derive(Default)]
pub(crate) struct Arrived {
    uncounted: Uncounted,
    /// The INFO that no acknowledgement of this side has named.
    unreported: HashMap<Seq, u64>,
    /// The lowest number that has not arrived.
    next: Seq,
    /// The length of the stream before it.
    end: u64,
    /// The lengths of what has arrived early.
    early: HashMap<Seq, usize>,
}

/// The most INFO that arrive before an earlier one. A peer cannot fill the memory.
const MOST_EARLY: usize = 1 << 17;

impl Arrived {
    /// The number of a packet that carries no counter.
    pub(crate) fn next_uncounted(&mut self, packet_type: PacketType) -> u64 {
        self.uncounted.next(packet_type)
    }

    /// Records an INFO that has arrived. Returns its offset in the stream, if all before it have arrived.
    pub(crate) fn on_info(&mut self, number: Seq, packet_number: u64, len: usize) -> Option<u64> {
        if self.unreported.len() < MOST_EARLY {
            self.unreported.insert(number, packet_number);
        }
        if number != self.next {
            if self.next.precedes(number) && self.early.len() < MOST_EARLY {
                self.early.insert(number, len);
            }
            return None;
        }
        let offset = self.end;
        self.pass(len);
        while let Some(len) = self.early.remove(&self.next) {
            self.pass(len);
        }
        Some(offset)
    }

    /// The packets that a SACK is the first to report.
    pub(crate) fn take_unreported(&mut self) -> Vec<u64> {
        self.unreported.drain().map(|(_, packet_number)| packet_number).collect()
    }

    /// The packet that an ACK of `number` reports.
    pub(crate) fn take(&mut self, number: Seq) -> Option<u64> {
        self.unreported.remove(&number)
    }

    fn pass(&mut self, len: usize) {
        self.next = self.next.next();
        self.end += len as u64;
    }
}

/// The number of packets so far that carry no counter.
#[derive(Default)]
struct Uncounted {
    handshake: u64,
    others: u64,
}

impl Uncounted {
    fn next(&mut self, packet_type: PacketType) -> u64 {
        let count = match packet_type {
            PacketType::Initial | PacketType::Retry => &mut self.handshake,
            PacketType::OneRtt => &mut self.others,
        };
        *count += 1;
        *count - 1
    }
}

/// The ranges of these numbers, both ends included.
pub(crate) fn ranges(mut numbers: Vec<u64>) -> Vec<(u64, u64)> {
    numbers.sort_unstable();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if number <= *last + 1 => *last = number,
            Some(_) | None => ranges.push((number, number)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_ranges() {
        assert_eq!(ranges(vec![5, 1, 2, 3, 9, 8, 3]), [(1, 3), (5, 5), (8, 9)]);
        assert_eq!(ranges(Vec::new()), []);
    }

    #[test]
    fn an_offset_is_known_once_all_before_it_has_arrived() {
        let mut arrived = Arrived::default();
        let mut at = |number| arrived.on_info(Seq::new(number), number.into(), 10);
        assert_eq!([at(0), at(2), at(1), at(3), at(1)], [Some(0), None, Some(10), Some(30), None]);
        assert_eq!(ranges(arrived.take_unreported()), [(0, 3)]);
        assert!(arrived.take_unreported().is_empty());
    }

    #[test]
    fn a_repeat_gives_no_round_trip_without_a_counter() {
        let mut sent = Sent::default();
        let (first, later) = (Instant::from_millis(1), Instant::from_millis(9));
        sent.on_info(first, Seq::ZERO, 0, 10);
        assert_eq!(sent.since(later, Seq::ZERO, None), Some(Duration::from_millis(8)));
        sent.on_info(later, Seq::ZERO, 1, 10);
        assert_eq!(sent.since(later, Seq::ZERO, None), None);
        assert_eq!([0, 1].map(|counter| sent.since(later, Seq::ZERO, Some(counter)).is_some()), [false, true]);
        assert_eq!((sent.on_ack(Seq::ZERO), sent.on_ack(Seq::ZERO)), (Some(1), None));
    }
}
