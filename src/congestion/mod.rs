//! Congestion control: how many bytes may be in flight, and how fast they may leave.
//!
//! The sender reports transmissions, acknowledgements and losses to a controller. The controller answers with a
//! [`window`](Congestion::window) and, if packets are to be spread out, a [`pacing_rate`](Congestion::pacing_rate) for
//! the [`Pacer`]. A controller knows no packet numbers and stores nothing per packet: it is a few dozen integers.
//!
//! | controller | for |
//! |---|---|
//! | [`FixedWindow`] | serial lines, radios, private links: a constant window |
//! | [`NewReno`] | RFC 9002 §7, the reference for fairness |
//! | [`Cubic`] | RFC 9438, the most common controller on the Internet |
//! | [`BandwidthDelay`] | a model of the path, for long, fast or lossy paths |
//! | [`Unpaced`] | any of them without pacing, for small machines |
//!
//! Bytes may be payload or whole datagrams, as long as the controller, every event and the window use one measure. All
//! but the first are made by `new(datagram_bytes)`, so that the constructor can serve as a factory.
//!
//! To add a controller, write a file with a type that implements [`Congestion`], and add a line to the list in
//! `controller.rs`, which generates [`Controller`] and [`Algorithm`].

mod bandwidth_delay;
mod controller;
mod cubic;
mod fixed_window;
mod hystart;
mod loss_meter;
mod math;
mod new_reno;
mod pacer;
mod phase;
mod recovery;
mod unpaced;

pub use bandwidth_delay::BandwidthDelay;
pub use controller::{Algorithm, Controller, UnknownAlgorithm};
pub use cubic::Cubic;
pub use fixed_window::FixedWindow;
pub use new_reno::NewReno;
pub use pacer::Pacer;
pub use unpaced::Unpaced;

use crate::{ClockShift, Duration, Instant};

/// Segments in the initial window of the loss-based controllers (RFC 6928 §2, RFC 9002 §7.2).
const INITIAL_WINDOW_SEGMENTS: u64 = 10;
/// The limit of the initial window in bytes, but never less than two segments (RFC 9002 §7.2).
const INITIAL_WINDOW_BYTES: u64 = 14_720;
/// Segments in the minimum window (RFC 9002 §7.2).
const MINIMUM_WINDOW_SEGMENTS: u64 = 2;

/// The news in one acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Acknowledgement {
    /// The time of its arrival.
    pub now: Instant,
    /// Bytes acknowledged for the first time.
    pub bytes: u64,
    /// The last transmission time of the newest packet acknowledged for the first time.
    pub newest_sent_at: Instant,
    /// The round-trip sample, without the peer's delay; `None` where no packet gives a clean sample (RFC 6298 §3).
    pub rtt: Option<Duration>,
    /// The smoothed round-trip time (RFC 6298 §2); zero before the first sample.
    pub srtt: Duration,
    /// Bytes in flight after it.
    pub in_flight: u64,
    /// Bytes acknowledged since the start of the connection, including these.
    pub delivered: u64,
    /// Whether it ends a round: it acknowledges a packet sent after the previous round ended.
    pub round_ended: bool,
    /// Whether, at some time in this round, the application or the peer's window was the limit and not the controller.
    pub app_limited: bool,
}

/// The losses that one pass over the numbers in flight has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loss {
    /// The time of the judgement.
    pub now: Instant,
    /// Bytes judged lost.
    pub bytes: u64,
    /// The last transmission time of the newest lost packet.
    pub newest_sent_at: Instant,
    /// Bytes in flight after it.
    pub in_flight: u64,
}

/// A congestion controller.
///
/// Any sequence of calls is legal. Time that goes backwards counts as no elapsed time.
pub trait Congestion {
    /// Whether there is ever a pacing rate. Where it is false, no code of the pacer is linked.
    const MAY_PACE: bool = true;

    /// Records the transmission of `bytes`, new or repeated. `in_flight` includes them.
    fn on_sent(&mut self, now: Instant, bytes: u32, in_flight: u64);

    /// Processes an acknowledgement of at least one new byte: one call for each ACK or SACK.
    ///
    /// If the same SACK also reveals losses, this call comes before [`on_lost`](Self::on_lost).
    fn on_acknowledged(&mut self, ack: &Acknowledgement);

    /// Processes losses: one call for each pass that finds any, however many packets are lost.
    fn on_lost(&mut self, loss: &Loss);

    /// Processes a retransmission timeout. Everything in flight counts as lost, without a call of
    /// [`on_lost`](Self::on_lost).
    fn on_timeout(&mut self, now: Instant);

    /// Processes a spurious loss: `bytes` that had been judged lost were only late.
    fn on_spurious_loss(&mut self, now: Instant, bytes: u64) {
        let _ = (now, bytes);
    }

    /// The congestion window: bytes that may be in flight.
    fn window(&self) -> u64;

    /// The pacing rate in bytes per second; `None` for no pacing.
    ///
    /// The sender reads it at the start and after acknowledgements, losses and timeouts, not after each transmission.
    fn pacing_rate(&self) -> Option<u64>;

    /// The name of the controller's current phase, for traces.
    fn phase(&self) -> &'static str {
        "steady"
    }

    /// Translates every stored time to another clock.
    fn rebase(&mut self, shift: ClockShift);
}

/// The initial window (RFC 9002 §7.2): `min(10 × segment, max(14720, 2 × segment))`.
fn initial_window(segment: u64) -> u64 {
    let ceiling = INITIAL_WINDOW_BYTES.max(segment.saturating_mul(2));
    segment.saturating_mul(INITIAL_WINDOW_SEGMENTS).min(ceiling)
}

/// The minimum window (RFC 9002 §7.2).
const fn minimum_window(segment: u64) -> u64 {
    segment.saturating_mul(MINIMUM_WINDOW_SEGMENTS)
}
