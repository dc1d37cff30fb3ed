//! Start, output and exit of the board. It is one of two machines of QEMU: `lm3s6965evb` (Cortex-M3) or `virt`
//! (RISC-V).

#[cfg(target_arch = "arm")]
#[path = "arm.rs"]
mod machine;
#[cfg(target_arch = "riscv32")]
#[path = "riscv.rs"]
mod machine;

pub use machine::{clock, uart_get, uart_put};

use machine::semihosting;
#[cfg(feature = "simulated")]
pub use stack::used as stack_used;

unsafe extern "Rust" {
    safe fn main() -> bool;
}

unsafe extern "C" {
    static mut data_start: u32;
    static data_end: u32;
    static data_load: u32;
    static mut bss_start: u32;
    static bss_end: u32;
    static stack_top: u32;
}

/// Prepares the RAM, and runs the program. The start code of each machine calls it.
///
/// The stack pointer is already set: on ARM from the vector table, on RISC-V by the start code.
extern "C" fn begin() -> ! {
    // SAFETY: the linker script aligns these symbols to words. Nothing else uses this RAM yet.
    unsafe {
        let words = (&raw const data_end).offset_from(&raw const data_start);
        (&raw mut data_start).copy_from_nonoverlapping(&raw const data_load, words.unsigned_abs());
        let words = (&raw const bss_end).offset_from(&raw const bss_start);
        (&raw mut bss_start).write_bytes(0, words.unsigned_abs());
    }
    #[cfg(feature = "simulated")]
    stack::paint();
    exit(main())
}

const SYS_WRITE0: usize = 0x04;
const SYS_EXIT: usize = 0x18;
const STOPPED: usize = 0x2_0026;
const FAILED: usize = 0x2_0023;

/// Ends the program. QEMU's exit status is 0 if `worked`, and 1 otherwise.
pub fn exit(worked: bool) -> ! {
    semihosting(SYS_EXIT, if worked { STOPPED } else { FAILED });
    loop {
        core::hint::spin_loop();
    }
}

/// Prints a text. Adds no newline.
pub fn print(text: &core::ffi::CStr) {
    semihosting(SYS_WRITE0, text.as_ptr().addr());
}

/// Prints a number with eight hexadecimal digits.
pub fn print_hex(number: u32) {
    let mut text = *b"00000000\0";
    for (place, shift) in text.iter_mut().zip((0..32).step_by(4).rev()) {
        let digit = (number >> shift & 0xf) as u8;
        *place = if digit < 10 { b'0' + digit } else { b'a' - 10 + digit };
    }
    if let Ok(text) = core::ffi::CStr::from_bytes_with_nul(&text) {
        print(text);
    }
}

/// Measures how much of the stack is used.
///
/// It fills the stack with a pattern at the start, and later looks for the changed part.
#[cfg(feature = "simulated")]
mod stack {
    use super::{bss_end, stack_top};

    const PAINT: u32 = 0x5041_494e;
    /// The number of words at the top of the stack that `paint` may use itself, and does not fill.
    const SPARED: usize = 64;

    fn words() -> usize {
        // SAFETY: the linker script puts the stack between these two symbols, after the data.
        unsafe { (&raw const stack_top).offset_from(&raw const bss_end) }.unsigned_abs()
    }

    #[inline(never)]
    pub(super) fn paint() {
        for at in 0..words() - SPARED {
            // SAFETY: nothing below the current frame is in use.
            unsafe { (&raw const bss_end).cast_mut().add(at).write_volatile(PAINT) };
        }
    }

    /// The number of bytes from the lowest changed word to the top of the stack.
    #[must_use]
    pub fn used() -> usize {
        // SAFETY: the word is within the stack, and is only read.
        let is_painted = |at: &usize| unsafe { (&raw const bss_end).add(*at).read_volatile() } == PAINT;
        (words() - (0..words()).take_while(is_painted).count()) * size_of::<u32>()
    }
}
