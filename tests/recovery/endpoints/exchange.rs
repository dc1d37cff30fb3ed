//! The application of an endpoint: it sends bytes, receives bytes and compares them.

use crate::pair::Application;
use rdt_proto::Instant;
use rdt_proto::connection::{Connection, ConnectionTypes, Event, SendError};
use rdt_proto::sim::Rng;

/// The bytes that one side sends and expects.
pub(crate) struct Exchange {
    sends: Pattern,
    to_send: u64,
    sent: u64,
    expects: Pattern,
    to_receive: u64,
    received: u64,
    /// Whether received bytes are compared with the pattern.
    compare: bool,
    events: Vec<Event>,
    /// Determines the sizes of the pieces and the calls.
    rng: Rng,
}

impl Exchange {
    /// Creates an exchange that sends `to_send` bytes of pattern `sends`.
    ///
    /// It expects `to_receive` bytes of pattern `expects`.
    pub(crate) fn new((sends, to_send): (u64, u64), (expects, to_receive): (u64, u64), rng: Rng) -> Self {
        let (sends, expects) = (Pattern(sends), Pattern(expects));
        Self { sends, to_send, sent: 0, expects, to_receive, received: 0, compare: true, events: Vec::new(), rng }
    }

    /// Makes the exchange accept any content.
    pub(crate) fn ignore_content(&mut self) {
        self.compare = false;
    }

    /// Whether all expected bytes have arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.received == self.to_receive
    }

    fn read<T: ConnectionTypes>(&mut self, stream: &mut Connection<T>) -> bool {
        let before = self.received;
        loop {
            let mut buf = vec![0; 1 + self.rng.index(3_000)];
            let len = if self.rng.chance(0.5) {
                stream.recv(&mut buf)
            } else {
                let len = stream.recv_chunk().len().min(buf.len());
                buf[..len].copy_from_slice(&stream.recv_chunk()[..len]);
                stream.consume(len);
                len
            };
            if len == 0 {
                assert!(stream.recv_chunk().is_empty());
                return self.received > before;
            }
            for &byte in &buf[..len] {
                let wrong = byte != self.expects.byte(self.received);
                assert!(!self.compare || !wrong, "byte {} is wrong", self.received);
                self.received += 1;
            }
            assert!(!self.compare || self.received <= self.to_receive, "more bytes arrived than were sent");
        }
    }

    fn write<T: ConnectionTypes>(&mut self, stream: &mut Connection<T>) -> bool {
        let before = self.sent;
        while self.sent < self.to_send {
            let left = usize::try_from(self.to_send - self.sent).unwrap();
            let piece: Vec<u8> =
                (self.sent..).map(|index| self.sends.byte(index)).take(left.min(1 + self.rng.index(3_000))).collect();
            let count = match self.rng.index(3) {
                0 => stream.send(&piece).unwrap(),
                1 => {
                    let piece = &piece[..piece.len().min(1_200)];
                    match stream.send_segment(piece) {
                        Ok(()) => piece.len(),
                        Err(SendError::Full) => 0,
                        Err(error) => panic!("{error}"),
                    }
                }
                _ => {
                    let slot = stream.send_slot().unwrap();
                    let count = slot.len().min(piece.len());
                    slot[..count].copy_from_slice(&piece[..count]);
                    stream.commit(count).unwrap();
                    count
                }
            };
            self.sent += count as u64;
            if count == 0 {
                return self.sent > before;
            }
        }
        stream.close();
        self.sent > before
    }
}

/// Reads and writes pieces of random size with random calls.
impl<T: ConnectionTypes> Application<T> for Exchange {
    fn handle_event(&mut self, event: Event) {
        assert!(!matches!(self.events.last(), Some(Event::Closed(_))), "{event:?} after `Closed`, the last event");
        self.events.push(event);
    }

    fn turn(&mut self, _now: Instant, stream: &mut Connection<T>) -> bool {
        let read = self.read(stream);
        let written = stream.ended().is_none() && self.write(stream);
        read || written
    }

    fn is_done(&self, stream: Option<&Connection<T>>) -> bool {
        // A server that has received no CONNECT counts as done, since it may never receive one.
        stream.is_none_or(|stream| stream.is_drained() && stream.is_finished_reading())
    }
}

/// An endless sequence of bytes, determined by its seed.
struct Pattern(u64);

impl Pattern {
    fn byte(&self, index: u64) -> u8 {
        ((index ^ self.0).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8
    }
}
