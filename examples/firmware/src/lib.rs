//! The common parts of the three programs: the board, the link, and the data that they transfer.
//!
//! Each program runs over any [`Link`]. An image for a board uses the serial line. With the feature `simulated`, the
//! image also contains the other end, behind a lossy link in virtual time. The program then reports success or failure,
//! and exits.
#![no_std]
#![deny(clippy::indexing_slicing)]

pub mod board;
mod bytes;
mod link;
#[cfg(feature = "simulated")]
pub mod simulated;
#[cfg(not(feature = "simulated"))]
mod uart;

pub use bytes::{Check, byte_at, fill};
pub use link::{ECHO, Link, NODES};
#[cfg(not(feature = "simulated"))]
pub use uart::Uart;

use rdt_proto::connection::Config;

/// The largest body of an INFO, in bytes.
pub const SEGMENT: u16 = 128;
/// The config of all connections.
pub const CONFIG: Config = Config { segment: SEGMENT, recv_segment: SEGMENT, ..Config::new() };
/// A buffer size in bytes that fits every datagram. The longest is a SACK with a full bitmap.
pub const DATAGRAM: usize = 256;
/// The number of bytes that each client sends. An echo server returns as many.
pub const LENGTH: u32 = 16 * 1024;

/// Makes the function `main` of a program.
///
/// `$run` runs the program over a [`Link`], and returns whether it succeeded. `$peer` is the other end in a simulation.
#[macro_export]
macro_rules! main {
    ($run:ident, $peer:ident) => {
        #[unsafe(no_mangle)]
        fn main() -> bool {
            #[cfg(not(feature = "simulated"))]
            return $run(&mut $crate::Uart::new());
            #[cfg(feature = "simulated")]
            {
                use $crate::simulated::{self, Place, $peer};
                static PLACE: Place<$peer> = Place::new();
                simulated::run(&PLACE, |link| $run(link))
            }
        }
    };
}

/// Ends the program as failed. With the feature `never_panics`, linking fails instead if a panic is reachable.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    #[cfg(feature = "never_panics")]
    {
        unsafe extern "C" {
            safe fn a_panic_is_linked() -> !;
        }
        a_panic_is_linked()
    }
    #[cfg(not(feature = "never_panics"))]
    board::exit(false)
}
