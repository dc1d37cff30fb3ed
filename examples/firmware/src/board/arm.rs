//! The Stellaris LM3S6965 on its evaluation board: a Cortex-M3.

use super::stack_top;
use core::arch::{asm, global_asm};
use core::ptr;

/// The vector table, from which the processor reads its stack pointer and its entry point.
#[repr(C)]
struct Vectors {
    stack: *const u32,
    reset: unsafe extern "C" fn() -> !,
    faults: [unsafe extern "C" fn() -> !; 14],
}

// SAFETY: the table is never written.
unsafe impl Sync for Vectors {}

#[used]
#[unsafe(link_section = ".vectors")]
static VECTORS: Vectors = Vectors { stack: &raw const stack_top, reset: start, faults: [fault; 14] };

#[unsafe(no_mangle)]
unsafe extern "C" fn start() -> ! {
    // SAFETY: these registers belong to the system timer, a counter of 24 bits. It counts down at the processor clock,
    // and restarts after 0.
    unsafe {
        ptr::write_volatile(SYST_RVR, TICKS - 1);
        ptr::write_volatile(SYST_CSR, 0b101);
    }
    super::begin()
}

unsafe extern "C" fn fault() -> ! {
    super::exit(false)
}

// Memory is copied and filled a byte at a time. Those of `compiler_builtins`, which the linker takes otherwise, do so a
// word at a time, and are 400 bytes.
global_asm!(
    ".global __aeabi_memcpy, __aeabi_memcpy4, __aeabi_memcpy8",
    ".thumb_func",
    "__aeabi_memcpy:",
    ".thumb_func",
    "__aeabi_memcpy4:",
    ".thumb_func",
    "__aeabi_memcpy8:",
    "2:",
    "subs r2, #1",
    "itt pl",
    "ldrbpl r3, [r1, r2]",
    "strbpl r3, [r0, r2]",
    "bpl 2b",
    "bx lr",
    ".global __aeabi_memclr, __aeabi_memclr4, __aeabi_memclr8",
    ".thumb_func",
    "__aeabi_memclr:",
    ".thumb_func",
    "__aeabi_memclr4:",
    ".thumb_func",
    "__aeabi_memclr8:",
    "movs r2, #0",
    ".global __aeabi_memset, __aeabi_memset4, __aeabi_memset8",
    ".thumb_func",
    "__aeabi_memset:",
    ".thumb_func",
    "__aeabi_memset4:",
    ".thumb_func",
    "__aeabi_memset8:",
    "2:",
    "subs r1, #1",
    "it pl",
    "strbpl r2, [r0, r1]",
    "bpl 2b",
    "bx lr",
);

pub(super) fn semihosting(operation: usize, argument: usize) {
    // SAFETY: the debugger reads the memory that `argument` points to, and writes none.
    unsafe { asm!("bkpt 0xab", inout("r0") operation => _, in("r1") argument) };
}

const SYST_CSR: *mut u32 = 0xe000_e010 as *mut u32;
const SYST_RVR: *mut u32 = 0xe000_e014 as *mut u32;
const SYST_CVR: *mut u32 = 0xe000_e018 as *mut u32;
const TICKS: u32 = 1 << 24;
/// The rate of the internal oscillator, which is the processor clock after reset.
const TICKS_PER_MICROSECOND: u32 = 12;

const UART_DATA: *mut u32 = 0x4000_c000 as *mut u32;
const UART_FLAGS: *mut u32 = 0x4000_c018 as *mut u32;
const RECEIVE_EMPTY: u32 = 1 << 4;
const TRANSMIT_FULL: u32 = 1 << 5;

/// Returns the microseconds since the last call. The program must call it at least once a second.
///
/// `ticks` holds the timer value up to which microseconds were counted.
pub fn clock(ticks: &mut u32) -> u32 {
    // SAFETY: reading the timer changes nothing.
    let passed = ticks.wrapping_sub(unsafe { ptr::read_volatile(SYST_CVR) }) % TICKS;
    let micros = passed / TICKS_PER_MICROSECOND;
    *ticks = ticks.wrapping_sub(micros * TICKS_PER_MICROSECOND);
    micros
}

/// Returns the next byte that has arrived over the serial line.
pub fn uart_get() -> Option<u8> {
    // SAFETY: these are registers of the first UART.
    unsafe {
        let is_empty = ptr::read_volatile(UART_FLAGS) & RECEIVE_EMPTY != 0;
        (!is_empty).then(|| ptr::read_volatile(UART_DATA).to_le_bytes()[0])
    }
}

/// Sends a byte over the serial line.
pub fn uart_put(byte: u8) {
    // SAFETY: these are registers of the first UART.
    unsafe {
        while ptr::read_volatile(UART_FLAGS) & TRANSMIT_FULL != 0 {}
        ptr::write_volatile(UART_DATA, byte.into());
    }
}
