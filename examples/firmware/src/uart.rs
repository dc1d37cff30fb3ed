//! Datagrams over a serial line, in frames as in RFC 1055 (SLIP). A frame begins with the number of the node, and ends
//! with a CRC.

use crate::board;
use crate::link::Link;
use rdt_proto::{Duration, Instant};

const END: u8 = 0xc0;
const ESCAPE: u8 = 0xdb;
const ESCAPED_END: u8 = 0xdc;
const ESCAPED_ESCAPE: u8 = 0xdd;

/// The first serial line of the board.
#[derive(Default)]
pub struct Uart {
    now: Instant,
    ticks: u32,
    /// The number of bytes of the current frame that have arrived, without the node.
    length: usize,
    node: Option<u8>,
    crc: u16,
    is_escaped: bool,
}

impl Uart {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles a received byte. If it ends a valid frame, returns the node and the length of the datagram.
    ///
    /// The last two bytes of a frame are the CRC, which the length excludes.
    fn on_byte(&mut self, byte: u8, buf: &mut [u8]) -> Option<(u8, usize)> {
        if byte == END {
            let whole = Some((self.node?, self.length.checked_sub(2)?)).filter(|_| self.crc == 0);
            (self.length, self.node, self.crc, self.is_escaped) = (0, None, 0, false);
            return whole;
        }
        if byte == ESCAPE {
            self.is_escaped = true;
            return None;
        }
        let byte = match (core::mem::take(&mut self.is_escaped), byte) {
            (true, ESCAPED_END) => END,
            (true, ESCAPED_ESCAPE) => ESCAPE,
            (true | false, byte) => byte,
        };
        self.crc = crc(self.crc, byte);
        if self.node.is_none() {
            self.node = Some(byte);
        } else if let Some(place) = buf.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
        None
    }
}

impl Link for Uart {
    fn now(&mut self) -> Instant {
        self.now = self.now + Duration::from_micros(board::clock(&mut self.ticks).into());
        self.now
    }

    /// Makes pseudorandom bytes, because the machines of QEMU have no entropy source. A real chip must use its own.
    fn entropy<const N: usize>(&mut self) -> [u8; N] {
        let mut state = u32::from_le_bytes(*b"rdt\0") ^ self.ticks;
        core::array::from_fn(|_| {
            state = state.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            state.to_be_bytes()[0]
        })
    }

    fn send(&mut self, node: u8, datagram: &[u8]) {
        let sum = datagram.iter().fold(crc(0, node), |sum, &byte| crc(sum, byte)).to_be_bytes();
        for &byte in [node].iter().chain(datagram).chain(&sum) {
            let (first, second) = match byte {
                END => (ESCAPE, Some(ESCAPED_END)),
                ESCAPE => (ESCAPE, Some(ESCAPED_ESCAPE)),
                byte => (byte, None),
            };
            board::uart_put(first);
            second.into_iter().for_each(board::uart_put);
        }
        board::uart_put(END);
    }

    fn recv<'b>(&mut self, due: Option<Instant>, buf: &'b mut [u8]) -> Option<(u8, &'b [u8])> {
        loop {
            if let Some(byte) = board::uart_get() {
                if let Some((node, length)) = self.on_byte(byte, buf) {
                    return Some((node, buf.get(..length)?));
                }
            } else if due.is_some_and(|due| due <= self.now()) {
                return None;
            }
        }
    }
}

/// Adds a byte to a CRC-16/XMODEM. The CRC of a frame including its CRC is 0.
fn crc(sum: u16, byte: u8) -> u16 {
    (0..8).fold(sum ^ u16::from(byte) << 8, |sum, _| sum << 1 ^ if sum >> 15 == 1 { 0x1021 } else { 0 })
}
