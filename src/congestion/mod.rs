//! Congestion control: how many bytes may be in flight, and how fast they may leave.
//!
//! The sender tells a controller what it sent, what was acknowledged and what was lost; the controller answers with a
//! [`window`](Congestion::window) and, if it wants its packets spread out, a [`pacing_rate`](Congestion::pacing_rate) for
//! the [`Pacer`]. A controller knows nothing of numbers and keeps nothing per packet: it is a few dozen integers.
//!
//! | controller | for |
//! |---|---|
//! | [`FixedWindow`] | serial lines, radios, private links: a constant window |
//! | [`NewReno`] | RFC 9002 §7, the reference for what is fair |
//! | [`Cubic`] | RFC 9438, what most of the Internet runs |
//! | [`BandwidthDelay`] | a model of the path, for long, fast or lossy ones |
//!
//! All count the same bytes: whatever the sender calls the size of a datagram, payload or with headers, as long as the
//! controller, every event and the window use one measure. Each but the first is made by `new(datagram_bytes)`, so that its
//! constructor can be handed over as a factory.
//!
//! To add a controller: a file with its type, which implements [`Congestion`], and a line in the list in `controller.rs`, from
//! which [`Controller`] and [`Algorithm`] are made.

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

pub use bandwidth_delay::BandwidthDelay;
pub use controller::{Algorithm, Controller, UnknownAlgorithm};
pub use cubic::Cubic;
pub use fixed_window::FixedWindow;
pub use new_reno::NewReno;
pub use pacer::Pacer;

use crate::{ClockShift, Duration, Instant};

/// Segments in the initial window of the loss-based controllers (RFC 6928 §2, RFC 9002 §7.2), which also counts at most
/// [`INITIAL_WINDOW_BYTES`], but not fewer than two segments.
const INITIAL_WINDOW_SEGMENTS: u64 = 10;
/// Bytes in the initial window, where ten segments would be more (RFC 9002 §7.2).
const INITIAL_WINDOW_BYTES: u64 = 14_720;
/// Segments in the smallest window (RFC 9002 §7.2).
const MINIMUM_WINDOW_SEGMENTS: u64 = 2;

/// What one SACK acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Acknowledgement {
    /// When it arrived.
    pub now: Instant,
    /// Bytes acknowledged for the first time.
    pub bytes: u64,
    /// When the newest of the packets acknowledged for the first time was (last) sent.
    pub newest_sent_at: Instant,
    /// The round-trip time this SACK measured, the peer's delay taken off; `None` where it is no clean sample (RFC 6298 §3).
    pub rtt: Option<Duration>,
    /// The smoothed round-trip time (RFC 6298 §2); zero before the first sample.
    pub srtt: Duration,
    /// Bytes in flight after it.
    pub in_flight: u64,
    /// Bytes acknowledged since the connection began, these included.
    pub delivered: u64,
    /// It acknowledges a packet sent after the previous round ended: one round trip of data has passed, and a new round
    /// begins.
    pub round_ended: bool,
    /// In this round the sender once had nothing to send, or only the peer's window held it back, while the controller
    /// would have allowed more.
    pub app_limited: bool,
}

/// What one look at the scoreboard judged lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loss {
    /// When it was judged lost.
    pub now: Instant,
    /// Bytes judged lost.
    pub bytes: u64,
    /// When the newest of the lost packets was (last) sent.
    pub newest_sent_at: Instant,
    /// Bytes in flight after it.
    pub in_flight: u64,
}

/// A congestion controller.
///
/// Any sequence of calls is legal. Time that goes backwards counts as no time.
pub trait Congestion {
    /// `bytes` have left for the first or another time; with them `in_flight` bytes are in flight.
    fn on_sent(&mut self, now: Instant, bytes: u32, in_flight: u64);

    /// A SACK acknowledged something new. One call for each SACK. If the same SACK also shows losses, this comes first.
    fn on_acknowledged(&mut self, ack: &Acknowledgement);

    /// Something was judged lost. One call for each time the sender looked, however many packets were lost.
    fn on_lost(&mut self, loss: &Loss);

    /// The retransmission timeout has passed without any acknowledgement. Everything in flight counts as lost; there is
    /// no call to [`on_lost`](Self::on_lost) for it.
    fn on_timeout(&mut self, now: Instant);

    /// A retransmission proved needless: `bytes` that had been judged lost were only late.
    fn on_spurious_loss(&mut self, now: Instant, bytes: u64) {
        let _ = (now, bytes);
    }

    /// Bytes that may be in flight.
    fn window(&self) -> u64;

    /// Bytes per second that may leave; `None` for no pacing. The sender asks at the start, and after acknowledgements, losses
    /// and timeouts; not after each datagram that it sends.
    fn pacing_rate(&self) -> Option<u64>;

    /// What the controller is doing, in its own words: for a trace.
    fn phase(&self) -> &'static str {
        "steady"
    }

    /// Moves every stored time to another clock.
    fn rebase(&mut self, shift: ClockShift);
}

/// The initial window for this segment (RFC 9002 §7.2): `min(10 × segment, max(14720, 2 × segment))`.
fn initial_window(segment: u64) -> u64 {
    let ceiling = INITIAL_WINDOW_BYTES.max(segment.saturating_mul(2));
    segment.saturating_mul(INITIAL_WINDOW_SEGMENTS).min(ceiling)
}

/// The smallest window for this segment (RFC 9002 §7.2).
const fn minimum_window(segment: u64) -> u64 {
    segment.saturating_mul(MINIMUM_WINDOW_SEGMENTS)
}
