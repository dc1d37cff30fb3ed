//! The machine `virt` of QEMU, with a 32-bit RISC-V processor.

use core::arch::{asm, global_asm};
use core::ptr;

global_asm!(".section .start, \"ax\"", ".global start", "start:", "la sp, stack_top", "tail {begin}",
    begin = sym super::begin);

pub(super) fn semihosting(operation: usize, argument: usize) {
    // SAFETY: the debugger recognizes the call by these three instructions, which must be on one page. It reads the
    // memory that `argument` points to, and writes none.
    unsafe {
        asm!(
            ".balign 16",
            ".option push",
            ".option norvc",
            "slli x0, x0, 0x1f",
            "ebreak",
            "srai x0, x0, 7",
            ".option pop",
            inout("a0") operation => _,
            in("a1") argument,
        );
    }
}

/// The low word of the timer, which counts at 10 MHz.
const MTIME: *const u32 = 0x0200_bff8 as *const u32;
const TICKS_PER_MICROSECOND: u32 = 10;

const UART_DATA: *mut u8 = 0x1000_0000 as *mut u8;
const UART_STATUS: *mut u8 = 0x1000_0005 as *mut u8;
const DATA_READY: u8 = 1;
const TRANSMIT_EMPTY: u8 = 1 << 5;

/// Returns the microseconds since the last call. The program must call it at least once in seven minutes.
///
/// `ticks` holds the timer value up to which microseconds were counted.
pub fn clock(ticks: &mut u32) -> u32 {
    // SAFETY: reading the timer changes nothing.
    let passed = unsafe { ptr::read_volatile(MTIME) }.wrapping_sub(*ticks);
    let micros = passed / TICKS_PER_MICROSECOND;
    *ticks = ticks.wrapping_add(micros * TICKS_PER_MICROSECOND);
    micros
}

/// Returns the next byte that has arrived over the serial line.
pub fn uart_get() -> Option<u8> {
    // SAFETY: these are registers of the UART.
    unsafe {
        let is_ready = ptr::read_volatile(UART_STATUS) & DATA_READY != 0;
        is_ready.then(|| ptr::read_volatile(UART_DATA))
    }
}

/// Sends a byte over the serial line.
pub fn uart_put(byte: u8) {
    // SAFETY: these are registers of the UART.
    unsafe {
        while ptr::read_volatile(UART_STATUS) & TRANSMIT_EMPTY == 0 {}
        ptr::write_volatile(UART_DATA, byte);
    }
}
