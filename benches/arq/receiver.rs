//! The receiver. Its load is the number of packets that it buffers above the lowest missing number.

use std::hint::black_box;

use super::{BATCH, Load, Step, arq, timed};
use rdt_proto::arq::{Ack, Arq, Arrival, Block, Jitter, Offer, ReceivedInfo, Rtt, SelectiveRepeat};
use rdt_proto::congestion::FixedWindow;
use rdt_proto::{Duration, Instant, Seq};

/// A receiver that processes one window after another, a batch in each step.
pub(crate) struct Rig {
    arq: SelectiveRepeat<Vec<Block>, FixedWindow>,
    now: Instant,
    window: u32,
    load: Load,
    /// The lowest number not received.
    origin: Seq,
    /// The offset of the next step from `origin`.
    at: u32,
}

impl Rig {
    /// A receiver in extended mode.
    pub(crate) fn new(window: u32, load: Load) -> Self {
        let mut arq = arq(window);
        arq.start_extended(Seq::ZERO, &mut Rtt::new(Duration::from_secs(60), Jitter::new(7)));
        Self::warm(arq, window, load)
    }

    /// A receiver in base mode.
    pub(crate) fn base(window: u32, load: Load) -> Self {
        Self::warm(arq(window), window, load)
    }

    fn warm(arq: SelectiveRepeat<Vec<Block>, FixedWindow>, window: u32, load: Load) -> Self {
        let now = Instant::from_millis(1_000);
        let mut rig = Self { arq, now, window, load, origin: Seq::ZERO, at: 0 };
        // Uses each place of the window, so that its memory is mapped and old numbers exist.
        while rig.origin.value() < 2 * rig.arq.places() {
            rig.info_in_order();
        }
        rig
    }

    /// Repeatedly receives two numbers in order and sends a SACK.
    pub(crate) fn steady(&mut self) -> Step {
        const NUMBERS: u32 = 512;
        let time = timed(|| {
            for _ in 0..NUMBERS / 2 {
                self.now = self.now + Duration::from_micros(20);
                self.take(self.origin, Arrival::Next);
                self.take(self.origin.next(), Arrival::Next);
                self.origin = self.origin.add(2);
                self.send_sack();
            }
        });
        (time, NUMBERS.into())
    }

    /// `handle_info` while no number is missing.
    pub(crate) fn info_in_order(&mut self) -> Step {
        let time = timed(|| (0..BATCH).for_each(|_| self.take_next()));
        while self.arq.ack_at(self.limit()).is_some() {
            self.send_sack();
        }
        (time, BATCH.into())
    }

    /// `ack` and `on_ack_sent` while no number is missing.
    pub(crate) fn sack_in_order(&mut self) -> Step {
        self.info_in_order();
        let time = timed(|| (0..BATCH).for_each(|_| self.send_sack()));
        (time, BATCH.into())
    }

    /// In base mode, `ack` and `on_ack_sent` for each number of a batch.
    pub(crate) fn acks_in_order(&mut self) -> Step {
        let first = self.origin;
        (0..BATCH).for_each(|_| self.take_next());
        let time = timed(|| (0..BATCH).for_each(|index| self.acknowledge(first.add(index))));
        (time, BATCH.into())
    }

    /// `handle_info` while the first number of the window is missing.
    pub(crate) fn info_early(&mut self) -> Step {
        let (first, end) = (self.at.max(1), self.at + BATCH);
        let time = timed(|| (first..end).for_each(|ahead| self.take(self.origin.add(ahead), Arrival::Early)));
        self.end_batch();
        (time, (end - first).into())
    }

    /// `ack` and `on_ack_sent` while the first number of the window is missing.
    pub(crate) fn sack_with_holes(&mut self) -> Step {
        for ahead in self.at.max(1)..self.at + BATCH {
            self.take(self.origin.add(ahead), Arrival::Early);
        }
        let time = timed(|| (0..BATCH).for_each(|_| self.send_sack()));
        self.end_batch();
        (time, BATCH.into())
    }

    /// The first number of a window arrives after all others.
    pub(crate) fn fill(&mut self) -> Step {
        for ahead in 1..self.window {
            self.take(self.origin.add(ahead), Arrival::Early);
        }
        self.send_sack();
        let time = timed(|| self.take(self.origin, Arrival::Next));
        self.origin = self.origin.add(self.window);
        (time, self.window.into())
    }

    /// In base mode, acknowledges two repeated numbers: the newest and the oldest of the last window.
    pub(crate) fn acks_far_apart(&mut self) -> Step {
        let (old, newest) = (self.origin.sub(self.arq.places()), self.origin.sub(1));
        let time = timed(|| {
            for _ in 0..BATCH {
                for number in [newest, old] {
                    self.take(number, Arrival::Old);
                }
                self.acknowledge(old);
                self.acknowledge(newest);
            }
        });
        (time, (2 * BATCH).into())
    }
}

impl Rig {
    fn limit(&self) -> Seq {
        self.origin.add(self.window)
    }

    fn take(&mut self, number: Seq, expected: Arrival) {
        let info = ReceivedInfo { number, counter: 0, request: rdt_proto::wire::AckRequest::DEFAULT };
        let offer = Offer { limit: self.limit(), fits: true };
        assert_eq!(self.arq.handle_info(self.now, black_box(info), offer), expected);
    }

    fn take_next(&mut self) {
        self.take(self.origin, Arrival::Next);
        self.origin = self.origin.next();
    }

    fn send_sack(&mut self) {
        let mut bitmap = None;
        black_box(self.arq.ack(self.now, self.limit(), &mut bitmap));
        self.arq.on_ack_sent(self.limit());
    }

    fn acknowledge(&mut self, number: Seq) {
        assert!(self.arq.ack_at(self.limit()).is_some());
        let mut bitmap = None;
        assert_eq!(self.arq.ack(self.now, self.limit(), &mut bitmap), Some(Ack::Single(number)));
        self.arq.on_ack_sent(self.limit());
    }

    /// Ends a batch. At the end of the load, which is one batch or the whole window, the missing number arrives.
    fn end_batch(&mut self) {
        self.send_sack();
        self.at += BATCH;
        if self.load == Load::Batch || self.at == self.window {
            self.take(self.origin, Arrival::Next);
            self.origin = self.origin.add(self.at);
            self.at = 0;
            self.send_sack();
        }
    }
}
