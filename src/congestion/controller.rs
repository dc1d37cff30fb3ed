//! The choice of a controller at run time, and the list of all controllers.

use super::{Acknowledgement, BandwidthDelay, Congestion, Cubic, FixedWindow, Loss, NewReno, initial_window};
use crate::{ClockShift, Duration, Instant};
use core::fmt;
use core::str::FromStr;

/// Generates every item that depends on the list of controllers.
macro_rules! controllers {
    ($($(#[$doc:meta])* $name:ident, $word:literal, $new:expr;)*) => {
        /// A congestion controller, chosen at run time.
        ///
        /// A program that knows the controller at compile time uses its type directly.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Controller {
            $($(#[$doc])* $name($name),)*
        }

        /// The name of a congestion controller, for settings and command lines.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Algorithm {
            $($(#[$doc])* $name,)*
        }

        impl Algorithm {
            /// Every controller.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name in lower case, with hyphens.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// Makes the controller for datagrams of `datagram_bytes`.
            ///
            /// [`FixedWindow`] gets the size of an initial window (RFC 9002 §7.2). Call [`FixedWindow::new`] for
            /// another size.
            #[must_use]
            pub fn controller(self, datagram_bytes: u32) -> Controller {
                match self {
                    $(Self::$name => Controller::$name($new(datagram_bytes)),)*
                }
            }
        }

        $(impl From<$name> for Controller {
            fn from(controller: $name) -> Self {
                Self::$name(controller)
            }
        })*

        /// Calls the same method on each variant.
        macro_rules! dispatch {
            ($controller:expr, $it:ident => $call:expr) => {
                match $controller {
                    $(Controller::$name($it) => $call,)*
                }
            };
        }
    };
}

controllers! {
    /// A constant window.
    FixedWindow, "fixed-window", |datagram_bytes: u32| FixedWindow::new(initial_window(datagram_bytes.into()));
    /// RFC 9002 §7.
    NewReno, "new-reno", NewReno::new;
    /// RFC 9438.
    Cubic, "cubic", Cubic::new;
    /// A model of the path.
    BandwidthDelay, "bandwidth-delay", BandwidthDelay::new;
}

impl Controller {
    /// Makes the default controller, [`BandwidthDelay`], for datagrams of `datagram_bytes`.
    ///
    /// In simulation it is at least as fast as [`Cubic`] on every path (within a thousandth), and builds a shorter
    /// queue. On lossy paths, where each loss makes [`Cubic`] and [`NewReno`] slower, it keeps its goodput. A [`Cubic`]
    /// or [`NewReno`] flow that shares the link keeps a quarter of it or more, measured up to 100 Mbit/s and 100 ms
    /// with a queue of one bandwidth-delay product.
    #[must_use]
    pub fn new(datagram_bytes: u32) -> Self {
        Algorithm::default().controller(datagram_bytes)
    }
}

impl Congestion for Controller {
    fn on_handshake(&mut self, now: Instant, round_trip: Duration, bytes: u32) {
        dispatch!(self, it => it.on_handshake(now, round_trip, bytes));
    }

    fn on_sent(&mut self, now: Instant, bytes: u32, in_flight: u64) {
        dispatch!(self, it => it.on_sent(now, bytes, in_flight));
    }

    fn on_acknowledged(&mut self, ack: &Acknowledgement) {
        dispatch!(self, it => it.on_acknowledged(ack));
    }

    fn on_lost(&mut self, loss: &Loss) {
        dispatch!(self, it => it.on_lost(loss));
    }

    fn on_timeout(&mut self, now: Instant) {
        dispatch!(self, it => it.on_timeout(now));
    }

    fn on_spurious_loss(&mut self, now: Instant, bytes: u64) {
        dispatch!(self, it => it.on_spurious_loss(now, bytes));
    }

    fn window(&self) -> u64 {
        dispatch!(self, it => it.window())
    }

    fn pacing_rate(&self) -> Option<u64> {
        dispatch!(self, it => it.pacing_rate())
    }

    fn acknowledgements(&self) -> Option<u32> {
        dispatch!(self, it => it.acknowledgements())
    }

    fn phase(&self) -> &'static str {
        dispatch!(self, it => it.phase())
    }

    fn start_path(&mut self, now: Instant) {
        dispatch!(self, it => it.start_path(now));
    }

    fn rebase(&mut self, shift: ClockShift) {
        dispatch!(self, it => it.rebase(shift));
    }
}

impl Default for Algorithm {
    /// The algorithm of [`Controller::new`].
    fn default() -> Self {
        Self::BandwidthDelay
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name).ok_or(UnknownAlgorithm)
    }
}

/// The error for a name that no [`Algorithm`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("no such congestion controller")]
pub struct UnknownAlgorithm;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_controller_is_found_by_its_name() {
        for &algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
            assert!(algorithm.controller(1_200).window() >= 1_200);
        }
        assert_eq!("reno".parse::<Algorithm>(), Err(UnknownAlgorithm));
    }

    #[test]
    fn the_default_is_bandwidth_delay() {
        assert_eq!(Controller::new(1_200), BandwidthDelay::new(1_200).into());
    }
}
