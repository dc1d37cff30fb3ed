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
    /// The number of bytes of the current frame that have arrived. It includes the bytes that the buffer cannot hold.
    length: usize,
    is_escaped: bool,
}

impl Uart {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles a received byte. If it ends a valid frame, returns the length of the frame, with node and CRC.
    ///
    /// The CRC is that of the bytes in `buf`, because the program may have changed `buf` between two bytes of the
    /// frame.
    fn on_byte(&mut self, byte: u8, buf: &mut [u8]) -> Option<usize> {
        let is_escaped = core::mem::take(&mut self.is_escaped);
        let byte = match byte {
            END => {
                let length = core::mem::take(&mut self.length);
                return Some(length)
                    .filter(|_| length >= 3 && buf.get(..length).is_some_and(|frame| crc(0, frame) == 0));
            }
            ESCAPE => {
                self.is_escaped = true;
                return None;
            }
            ESCAPED_END if is_escaped => END,
            ESCAPED_ESCAPE if is_escaped => ESCAPE,
            byte => byte,
        };
        if let Some(place) = buf.get_mut(self.length) {
            *place = byte;
        }
        self.length += 1;
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
        let sum = crc(crc(0, &[node]), datagram).to_be_bytes();
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
            // The clock is read even without a limit, because its timer restarts after about a second.
            let now = self.now();
            if let Some(byte) = board::uart_get() {
                if let Some(length) = self.on_byte(byte, buf) {
                    let [node, datagram @ .., _, _] = buf.get(..length)? else { return None };
                    return Some((*node, datagram));
                }
            } else if due.is_some_and(|due| due <= now) {
                return None;
            }
        }
    }
}

/// Adds bytes to a CRC-16/XMODEM. The CRC of a frame including its CRC is 0.
fn crc(sum: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(sum, |sum, &byte| {
        (0..8).fold(sum ^ u16::from(byte) << 8, |sum, _| sum << 1 ^ if sum >> 15 == 1 { 0x1021 } else { 0 })
    })
}
