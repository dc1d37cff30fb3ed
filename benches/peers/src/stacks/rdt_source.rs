//! rdt-proto with a send store that keeps no copy. The data is in memory already, and each transmission reads it there.
//!
//! A sender of a file or of an image in flash works like this.

use rdt_proto::Duration;
use rdt_proto::Seq;
use rdt_proto::congestion::FixedWindow;
use rdt_proto::connection::{Config, HeapStorage, Storage};
use rdt_proto::store::SendStore;

use super::rdt_ends::{ends, extended_header_len};
use crate::pattern::Pattern;
use crate::stack::{Control, Endpoint, Settings, Stack};

pub struct RdtSource;

impl Stack for RdtSource {
    fn name(&self) -> &'static str {
        "rdt fixed, no copy"
    }

    fn options(&self, _: Control) -> String {
        "as rdt fixed, but the sender reads its source for each transmission instead of keeping a copy".into()
    }

    fn window_limited(&self, _: Control) -> bool {
        false
    }

    fn is_simulated(&self) -> bool {
        false
    }

    fn has_footprint(&self) -> bool {
        false
    }

    fn pair(&self, s: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        let segment = u16::try_from(s.datagram - extended_header_len()).ok()?;
        let limits = Config { handshake_limit: Duration::MAX, idle_limit: Duration::MAX, ..Config::default() };
        let config = Config { segment, recv_segment: segment, pacing_granularity: Duration::ZERO, ..limits };
        let packets = u32::try_from(s.window.div_ceil(segment.into())).ok()?;
        let controller = |_| FixedWindow::new(s.window as u64);
        let [client, server] = ends(config, || {
            let storage =
                HeapStorage::on_heap_with(&config, packets, controller).expect("a window has at least one slot");
            Storage { send: Source::new(packets, segment), recv: storage.recv, arq: storage.arq }
        });
        Some((client, server))
    }
}

/// A send store whose data is the pattern that every transfer sends.
struct Source {
    pattern: Pattern,
    segment: u16,
    slots: u32,
    /// The number of empty bodies before the data: 1 or 0.
    lead: u32,
    base: Seq,
    end: Seq,
    /// The number of bytes in the newest body.
    newest: usize,
}

impl Source {
    fn new(slots: u32, segment: u16) -> Self {
        Source { pattern: Pattern::new(), segment, slots, lead: 0, base: Seq::ZERO, end: Seq::ZERO, newest: 0 }
    }
}

impl SendStore for Source {
    fn segment(&self) -> usize {
        self.segment.into()
    }

    fn end(&self) -> Seq {
        self.end
    }

    fn has_room(&self, _: usize) -> bool {
        self.has_free_slot()
    }

    fn has_free_slot(&self) -> bool {
        self.end.distance_from(self.base) < self.slots
    }

    fn spare_number(&self, _: usize) -> Seq {
        self.end
    }

    fn spare(&mut self, _: usize) -> &mut [u8] {
        &mut []
    }

    fn commit(&mut self, _: usize) {}

    /// Accepts full bodies, and leaves a shorter rest to the next call. Data shorter than a body becomes a short body.
    fn write(&mut self, data: &[u8], _: usize) -> usize {
        let mut taken = 0;
        while taken < data.len() && self.has_free_slot() {
            let left = data.len() - taken;
            if left < self.segment.into() && taken > 0 {
                break;
            }
            self.newest = left.min(self.segment.into());
            taken += self.newest;
            self.end = self.end.next();
        }
        taken
    }

    fn start(&mut self) -> bool {
        (self.lead, self.end) = (1, self.end.next());
        true
    }

    fn seal(&mut self) {}

    fn body(&self, number: Seq) -> &[u8] {
        if number.value() < self.lead {
            return &[];
        }
        let len = if number.next() == self.end { self.newest } else { self.segment.into() };
        self.pattern.at(u64::from(number.value() - self.lead) * u64::from(self.segment), len)
    }

    /// Refuses, because each body has a fixed position in the pattern.
    fn cut(&mut self, _: Seq, _: u16) -> bool {
        false
    }

    fn release(&mut self, base: Seq) {
        self.base = base;
    }
}
