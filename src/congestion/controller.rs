//! The choice of a controller at run time.

use super::{Acknowledgement, BandwidthDelay, Congestion, Cubic, Fixed, Loss, NewReno};
use crate::{ClockShift, Instant};

/// One of the controllers, chosen at run time. Whoever knows the choice at compile time uses the controller itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Controller {
    /// A constant window.
    Fixed(Fixed),
    /// RFC 9002 §7.
    NewReno(NewReno),
    /// RFC 9438.
    Cubic(Cubic),
    /// A model of the path.
    BandwidthDelay(BandwidthDelay),
}

impl Controller {
    /// The default: [`BandwidthDelay`], for datagrams of `segment` bytes. In simulation it is no slower than [`Cubic`] on any
    /// path (within a thousandth), keeps its goodput where each loss halves that of the others, builds the shorter queue, and
    /// leaves a flow of [`Cubic`] or [`NewReno`] beside it a quarter of the link or more, measured up to 100 Mbit/s and 100 ms.
    #[must_use]
    pub fn new(segment: u32) -> Self {
        Self::BandwidthDelay(BandwidthDelay::new(segment))
    }
}

/// Calls the same method of whichever controller it is.
macro_rules! dispatch {
    ($controller:expr, $it:ident => $call:expr) => {
        match $controller {
            Controller::Fixed($it) => $call,
            Controller::NewReno($it) => $call,
            Controller::Cubic($it) => $call,
            Controller::BandwidthDelay($it) => $call,
        }
    };
}

impl Congestion for Controller {
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

    fn rebase(&mut self, shift: ClockShift) {
        dispatch!(self, it => it.rebase(shift));
    }
}

macro_rules! from {
    ($($name:ident),*) => {$(
        impl From<$name> for Controller {
            fn from(controller: $name) -> Self {
                Self::$name(controller)
            }
        }
    )*};
}

from!(Fixed, NewReno, Cubic, BandwidthDelay);
