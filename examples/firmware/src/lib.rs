//! What the three programs have in common: the board, the link, and the bytes that they move.
//!
//! Each program runs over any [`Link`]. An image for a board has a serial line; with the feature `simulated` it has the other
//! end as well, behind a lossy link in virtual time, and ends with a verdict.
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

/// The largest body of an INFO.
pub const SEGMENT: u16 = 128;
/// What all connections have in common.
pub const CONFIG: Config = Config { segment: SEGMENT, recv_segment: SEGMENT, ..Config::new() };
/// Room for every datagram: the longest is a SACK with a full bitmap.
pub const DATAGRAM: usize = 256;
/// How many bytes each program moves in each direction.
pub const LENGTH: u32 = 16 * 1024;

/// Makes `main` of a program that runs over a [`Link`] and says whether it worked. `$peer` is the other end in a simulation.
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

/// With the feature `never_panics` an image in which anything may panic does not link.
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
