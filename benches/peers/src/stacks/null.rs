//! No protocol: a sequence number of eight bytes and four copies.
//!
//! The copies are into the send ring, into the datagram, into the receive ring, and to the reader. The row shows the
//! cost of the harness. It is the upper bound for a byte-stream stack that keeps its own copy of the data it sends.

use std::collections::VecDeque;

use crate::stack::{Control, Endpoint, Nanos, Output, Settings, Stack, Take};

pub struct Null;

struct End {
    payload: usize,
    window: usize,
    queue: VecDeque<u8>,
    arrived: VecDeque<u8>,
    next_out: u64,
    next_in: u64,
}

impl Stack for Null {
    fn name(&self) -> &'static str {
        "null"
    }

    fn options(&self, _: Control) -> String {
        "sequence number only, four copies, no acknowledgements".into()
    }

    fn is_simulated(&self) -> bool {
        false
    }

    fn has_footprint(&self) -> bool {
        false
    }

    fn window_limited(&self, _: Control) -> bool {
        false
    }

    fn pair(&self, s: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        let end = || {
            Box::new(End {
                payload: s.datagram - 8,
                window: s.window,
                queue: VecDeque::with_capacity(s.window),
                arrived: VecDeque::with_capacity(s.window + s.datagram),
                next_out: 0,
                next_in: 0,
            })
        };
        Some((end(), end()))
    }
}

impl Endpoint for End {
    fn write(&mut self, _: Nanos, data: &[u8]) -> usize {
        let n = data.len().min(self.window - self.queue.len());
        self.queue.extend(&data[..n]);
        n
    }

    fn read(&mut self, _: Nanos, out: &mut [u8]) -> usize {
        take(&mut self.arrived, out)
    }

    fn input(&mut self, _: Nanos, datagram: &[u8], _: Take<'_>) {
        let (number, payload) = datagram.split_at(8);
        if number == self.next_in.to_le_bytes() {
            self.next_in += 1;
            self.arrived.extend(payload);
        }
    }

    fn service(&mut self, _: Nanos) {}

    fn output(&mut self, _: Nanos, out: &mut Vec<u8>) -> Option<Output> {
        let n = self.queue.len().min(self.payload);
        if n == 0 {
            return None;
        }
        out.clear();
        out.extend_from_slice(&self.next_out.to_le_bytes());
        self.next_out += 1;
        let (front, back) = self.queue.as_slices();
        let from_front = n.min(front.len());
        out.extend_from_slice(&front[..from_front]);
        out.extend_from_slice(&back[..n - from_front]);
        self.queue.drain(..n);
        Some(Output::one(out.len()))
    }

    fn deadline(&mut self, _: Nanos) -> Option<Nanos> {
        None
    }

    fn tick(&mut self, _: Nanos) {}
}

/// Moves bytes from the front of `from` into `out`. Returns their number.
pub fn take(from: &mut VecDeque<u8>, out: &mut [u8]) -> usize {
    let n = out.len().min(from.len());
    let (front, back) = from.as_slices();
    let from_front = n.min(front.len());
    out[..from_front].copy_from_slice(&front[..from_front]);
    out[from_front..n].copy_from_slice(&back[..n - from_front]);
    from.drain(..n);
    n
}
