//! The sender, and the acknowledgements that it receives.

use std::hint::black_box;

use super::{BATCH, Load, Step, arq, timed};
use rdt_proto::arq::{Ack, Acknowledged, Arq, Block, Jitter, Rtt, SelectiveRepeat, Sending};
use rdt_proto::congestion::FixedWindow;
use rdt_proto::wire::{Sack, SackDelay};
use rdt_proto::{Duration, Instant, Seq};

const ROUND_TRIP: Duration = Duration::from_millis(100);

/// A sender that processes one window after another, a batch in each step.
pub(crate) struct Rig {
    arq: SelectiveRepeat<Vec<Block>, FixedWindow>,
    rtt: Rtt,
    now: Instant,
    window: u32,
    load: Load,
    /// The first number of the current window. All numbers before it are acknowledged.
    origin: Seq,
    /// The offset of the next step from `origin`.
    at: u32,
    /// The lowest number that was never sent.
    sent: Seq,
}

impl Rig {
    pub(crate) fn new(window: u32, load: Load) -> Self {
        let mut rig = Self {
            arq: arq(window),
            rtt: Rtt::new(Duration::from_secs(60), Jitter::new(7)),
            now: Instant::from_millis(1_000),
            window,
            load,
            origin: Seq::ZERO,
            at: 0,
            sent: Seq::ZERO,
        };
        rig.arq.start_extended(Seq::new(window), &mut rig.rtt);
        // Uses each place of the window, so that every page of its memory is mapped.
        while rig.sent.value() < window {
            rig.send_up_to(rig.sent.add(BATCH));
            rig.pass_round_trip();
            rig.acknowledge_all();
        }
        rig
    }

    /// `next_info` and `on_info_sent`.
    pub(crate) fn send(&mut self) -> Step {
        let time = timed(|| (0..BATCH).for_each(|_| self.send_next()));
        self.at += BATCH;
        if self.load == Load::Batch || self.at == self.window {
            self.pass_round_trip();
            self.acknowledge_all();
        }
        (time, BATCH.into())
    }

    /// Keeps the load in flight: acknowledges the two oldest numbers, then sends two new ones.
    pub(crate) fn steady(&mut self) -> Step {
        const NUMBERS: u32 = 512;
        let flight = if self.load == Load::Batch { BATCH } else { self.window };
        if self.sent == self.origin {
            self.send_up_to(self.origin.add(flight));
        }
        let pause = Duration::from_micros(ROUND_TRIP.as_micros() * 2 / u64::from(flight));
        let time = timed(|| {
            for _ in 0..NUMBERS / 2 {
                self.now = self.now + pause;
                self.origin = self.origin.add(2);
                self.sack(self.origin, self.origin.sub(1), self.origin, &[]);
                self.send_next();
                self.send_next();
            }
        });
        (time, NUMBERS.into())
    }

    /// `handle_ack` of a SACK for every second number, while nothing is lost.
    pub(crate) fn sack_in_order(&mut self) -> Step {
        let first = self.send_batch();
        let time = timed(|| {
            for acknowledged in (2..=BATCH).step_by(2) {
                let next = first.add(acknowledged);
                self.sack(next, next.sub(1), next, &[]);
            }
        });
        self.end_batch(first.add(BATCH));
        (time, (BATCH / 2).into())
    }

    /// `handle_ack` of an ACK for each number, while nothing is lost.
    pub(crate) fn ack_in_order(&mut self) -> Step {
        let first = self.send_batch();
        let time = timed(|| (0..BATCH).for_each(|index| self.ack(first.add(index))));
        self.end_batch(first.add(BATCH));
        (time, BATCH.into())
    }

    /// `handle_ack` of a SACK for each number, while the first number of the window is missing.
    ///
    /// From batch to batch the missing number lies further back.
    pub(crate) fn sack_with_hole(&mut self) -> Step {
        let (batch, first) = self.batch_behind_hole();
        let time = timed(|| {
            for index in first..BATCH {
                self.sack(self.origin, batch.add(index), batch, &bits(first, index));
            }
        });
        self.end_batch_behind_hole();
        (time, (BATCH - first).into())
    }

    /// `handle_ack` of an ACK for each number, while the first number of the window is missing.
    pub(crate) fn ack_with_hole(&mut self) -> Step {
        let (batch, first) = self.batch_behind_hole();
        let time = timed(|| (first..BATCH).for_each(|index| self.ack(batch.add(index))));
        self.end_batch_behind_hole();
        (time, (BATCH - first).into())
    }

    /// Acknowledges the last three of 16 numbers, which marks the other 13 lost. Then retransmits these 13.
    pub(crate) fn lose(&mut self) -> Step {
        const LOST: u32 = BATCH - 3;
        let batch = self.send_batch();
        let time = timed(|| {
            self.sack(self.origin, batch.add(BATCH - 1), batch, &bits(LOST, BATCH - 1));
            (0..LOST).for_each(|_| self.send_again());
        });
        self.at += BATCH;
        if self.load == Load::Batch || self.at == self.window {
            self.pass_round_trip();
            self.acknowledge_all();
        }
        (time, LOST.into())
    }

    /// The first number of a window is acknowledged after all others.
    pub(crate) fn fill(&mut self) -> Step {
        self.acknowledge_all_but_the_first();
        let time = timed(|| self.sack(self.sent, self.origin, self.sent, &[]));
        self.origin = self.sent;
        (time, self.window.into())
    }

    /// `handle_timeout` marks a whole window lost.
    pub(crate) fn time_out(&mut self) -> Step {
        self.send_up_to(self.origin.add(self.window));
        self.now = self.now + Duration::from_secs(10);
        let time = timed(|| {
            black_box(self.arq.handle_timeout(self.now, &self.rtt));
        });
        (0..self.window).for_each(|_| self.send_again());
        self.pass_round_trip();
        self.acknowledge_all();
        (time, self.window.into())
    }
}

impl Rig {
    fn send_next(&mut self) {
        // So few numbers are ready that none is held back.
        let end = self.sent.add(3);
        assert_eq!(self.arq.next_info(self.now, end), Some(self.sent));
        self.on_sent(self.sent, end);
        self.sent = self.sent.next();
    }

    /// Retransmits a lost number.
    fn send_again(&mut self) {
        let number = self.arq.next_info(self.now, self.sent).expect("a number is marked lost");
        self.on_sent(number, self.sent);
    }

    fn on_sent(&mut self, number: Seq, end: Seq) {
        let sending = Sending { now: self.now, number, counter: number.value(), bytes: 1_219, end };
        black_box(self.arq.on_info_sent(sending, &mut self.rtt));
    }

    /// Sends all new numbers before `end`, without a call of `next_info`.
    fn send_up_to(&mut self, end: Seq) {
        while self.sent != end {
            self.on_sent(self.sent, end.next());
            self.sent = self.sent.next();
        }
    }

    /// Processes a SACK as a connection does. It must acknowledge a new number.
    fn sack(&mut self, next: Seq, latest: Seq, base: Seq, bitmap: &[u8]) {
        let sack =
            Sack { next, window: self.window, latest, counter: 0, ce: 0, delay: SackDelay::new(0), base, bitmap };
        let acknowledged = self.arq.handle_ack(self.now, black_box(&Ack::Selective(sack)), &mut self.rtt);
        assert_eq!(acknowledged, Acknowledged::New);
    }

    fn ack(&mut self, number: Seq) {
        assert_eq!(self.arq.handle_ack(self.now, black_box(&Ack::Single(number)), &mut self.rtt), Acknowledged::New);
    }

    fn pass_round_trip(&mut self) {
        self.now = self.now + ROUND_TRIP;
    }

    /// Acknowledges everything, and starts a new window.
    fn acknowledge_all(&mut self) {
        self.sack(self.sent, self.sent.sub(1), self.sent, &[]);
        (self.origin, self.at) = (self.sent, 0);
        assert_eq!((self.arq.base(), self.arq.in_flight()), (self.sent, 0));
    }

    /// Makes sure that a batch is in flight, and returns its first number.
    ///
    /// With a load of one batch, it sends the batch. Otherwise it sends the whole window before the first batch. After
    /// the sending, a round trip passes.
    fn send_batch(&mut self) -> Seq {
        let batch = self.origin.add(self.at);
        if self.load == Load::Batch || self.at == 0 {
            self.send_up_to(if self.load == Load::Batch { batch.add(BATCH) } else { self.origin.add(self.window) });
            self.pass_round_trip();
        }
        batch
    }

    /// Ends a batch. At the end of the load, which is one batch or the whole window, all numbers before `next` must be
    /// acknowledged.
    fn end_batch(&mut self, next: Seq) {
        self.at += BATCH;
        if self.load == Load::Batch || self.at == self.window {
            (self.origin, self.at) = (next, 0);
            assert_eq!((self.arq.base(), self.arq.in_flight()), (next, 0));
            self.arq.start_extended(next.add(self.window), &mut self.rtt);
        }
    }

    /// Makes sure that a batch is in flight behind a hole.
    ///
    /// The hole is the first number of the window, which is marked lost and not retransmitted.
    ///
    /// Returns the first number of the batch, and how many numbers of the batch are already acknowledged or lost.
    fn batch_behind_hole(&mut self) -> (Seq, u32) {
        let batch = self.send_batch();
        if self.at > 0 {
            return (batch, 0);
        }
        self.sack(self.origin, self.origin.add(3), self.origin, &bits(1, 3));
        assert_eq!(self.arq.next_info(self.now, self.sent), Some(self.origin), "the first number must be marked lost");
        (batch, 4)
    }

    fn end_batch_behind_hole(&mut self) {
        self.at += BATCH;
        if self.at == self.window {
            self.send_again();
            self.pass_round_trip();
            self.acknowledge_all();
        }
    }

    /// Sends the whole window, and acknowledges all numbers except the first.
    fn acknowledge_all_but_the_first(&mut self) {
        self.send_up_to(self.origin.add(self.window));
        self.pass_round_trip();
        for batch in (0..self.window).step_by(BATCH as usize) {
            let first = self.origin.add(batch);
            self.sack(self.origin, first.add(BATCH - 1), first, &bits(u32::from(batch == 0), BATCH - 1));
        }
        self.send_again();
        self.pass_round_trip();
    }
}

/// A bitmap of two bytes in which the bits `first` to `last` are set. Bit 0 is the least significant.
fn bits(first: u32, last: u32) -> [u8; 2] {
    let upto_last = u16::MAX >> (BATCH - 1 - last);
    (upto_last & (u16::MAX << first)).to_le_bytes()
}
