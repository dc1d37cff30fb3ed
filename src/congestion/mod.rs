//! Congestion control: how many bytes may be in flight, and how fast they may leave.
//!
//! The sender reports transmissions, acknowledgements and losses to a controller. The controller answers with a
//! [`window`](Congestion::window) and, if packets are to be spread out, a [`pacing_rate`](Congestion::pacing_rate) for
//! the [`Pacer`]. A controller knows no packet numbers and stores nothing per packet. Its state is some dozen integers.
//!
//! | controller | algorithm | use |
//! |---|---|---|
//! | [`FixedWindow`] | a constant window | serial lines, radios, private links |
//! | [`NewReno`] | RFC 9002 §7 | the reference for fairness |
//! | [`Cubic`] | RFC 9438 | the most common controller on the Internet |
//! | [`BandwidthDelay`] | a model of the path | long, fast or lossy paths |
//!
//! [`Unpaced`] takes the pacing from a controller, for small machines. [`RateLimited`] sets a maximum rate.
//!
//! Bytes may be payload or whole datagrams, if the controller, every event and the window use the same measure. Every
//! controller but [`FixedWindow`] has a constructor `new(datagram_bytes)`, which can serve as a factory.
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
mod rate_limited;
mod recovery;
mod unpaced;

pub use bandwidth_delay::BandwidthDelay;
pub use controller::{Algorithm, Controller, UnknownAlgorithm};
pub use cubic::Cubic;
pub use fixed_window::FixedWindow;
pub use new_reno::NewReno;
pub use pacer::Pacer;
pub use rate_limited::RateLimited;
pub use unpaced::Unpaced;

use crate::{ClockShift, Duration, Instant};

/// Segments in the initial window of the loss-based controllers (RFC 6928 §2, RFC 9002 §7.2).
const INITIAL_WINDOW_SEGMENTS: u64 = 10;
/// The largest initial window in bytes, unless two segments are larger (RFC 9002 §7.2).
const INITIAL_WINDOW_BYTES: u64 = 14_720;
/// Segments in the minimum window (RFC 9002 §7.2).
const MINIMUM_WINDOW_SEGMENTS: u64 = 2;

/// The acknowledgements that a pacing controller needs for what is in flight: 7.
///
/// A queue then shows within a seventh of a round trip. At 100 Mbit/s and 20 ms one SACK is for 24 packets.
const ACKNOWLEDGEMENTS: u32 = 7;

/// What one acknowledgement reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Acknowledgement {
    /// The arrival time of the acknowledgement.
    pub now: Instant,
    /// Bytes acknowledged for the first time.
    pub bytes: u64,
    /// The latest transmission time of the packets acknowledged for the first time.
    pub newest_sent_at: Instant,
    /// The round-trip sample, without the peer's delay; `None` if no packet gives an unambiguous one (RFC 6298 §3).
    pub rtt: Option<Duration>,
    /// The smoothed round-trip time (RFC 6298 §2); zero before the first sample.
    pub srtt: Duration,
    /// Bytes in flight after the acknowledgement.
    pub in_flight: u64,
    /// Bytes acknowledged since the start of the connection, `bytes` included.
    pub delivered: u64,
    /// Whether the acknowledgement ends a round: it is for a packet sent after the previous round ended.
    pub round_ended: bool,
    /// Whether the congestion window had room for more data at some time in this round, which the application did not
    /// have, or the peer's window did not admit (RFC 9002 §7.8).
    pub app_limited: bool,
}

/// The losses that one pass of loss detection has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loss {
    /// The time of the pass.
    pub now: Instant,
    /// Bytes declared lost.
    pub bytes: u64,
    /// The latest transmission time of the lost packets.
    pub newest_sent_at: Instant,
    /// Bytes in flight after the losses.
    pub in_flight: u64,
}

/// A congestion controller.
///
/// Any sequence of calls is legal. Time that goes backwards counts as no elapsed time.
pub trait Congestion {
    /// Whether there is ever a pacing rate. If not, the sender never calls the pacer.
    #[must_use]
    fn may_pace() -> bool
    where
        Self: Sized,
    {
        true
    }

    /// Takes the round-trip time of the handshake, before the first transmission.
    ///
    /// `bytes` is what this round trip has carried at least one way; 0 if only small packets. On a slow line a larger
    /// datagram takes longer, because its transmission does.
    fn on_handshake(&mut self, now: Instant, round_trip: Duration, bytes: u32) {
        let _ = (now, round_trip, bytes);
    }

    /// Records the transmission of `bytes`, new or repeated. `in_flight` includes them.
    fn on_sent(&mut self, now: Instant, bytes: u32, in_flight: u64);

    /// Processes an acknowledgement of at least one new byte: one call for each ACK or SACK.
    ///
    /// If the same SACK also reveals losses, this call comes before [`on_lost`](Self::on_lost).
    fn on_acknowledged(&mut self, ack: &Acknowledgement);

    /// Processes losses: one call for each pass of loss detection that finds any.
    fn on_lost(&mut self, loss: &Loss);

    /// Processes a retransmission timeout.
    ///
    /// Everything in flight counts as lost. [`on_lost`](Self::on_lost) is not called for it.
    fn on_timeout(&mut self, now: Instant);

    /// Processes a spurious loss: `bytes` that were declared lost are acknowledged after all.
    fn on_spurious_loss(&mut self, now: Instant, bytes: u64) {
        let _ = (now, bytes);
    }

    /// The congestion window: bytes that may be in flight.
    fn window(&self) -> u64;

    /// The pacing rate in bytes per second; `None` for no pacing.
    ///
    /// The sender reads it at the start and after acknowledgements, losses and timeouts, not after each transmission.
    fn pacing_rate(&self) -> Option<u64>;

    /// How many acknowledgements the controller needs for what is in flight, evenly spread.
    ///
    /// `None` for one of each second packet. A controller that does not pace needs it, because one acknowledgement of
    /// many packets would release a burst. The sender reads the value at the start and after acknowledgements.
    fn acknowledgements(&self) -> Option<u32> {
        None
    }

    /// The name of the controller's current phase, for traces.
    fn phase(&self) -> &'static str {
        "steady"
    }

    /// Starts again in the initial state, because the peer has moved to another path (RFC 9000 §9.4).
    ///
    /// Packets that were sent on the old path may still be in flight. Later acknowledgements and losses include them.
    fn start_path(&mut self, now: Instant) {
        let _ = now;
    }

    /// Translates every stored time to another clock.
    fn rebase(&mut self, shift: ClockShift);
}

/// The initial window of RFC 9002 §7.2: `min(10 × segment, max(14720, 2 × segment))`.
fn initial_window(segment: u64) -> u64 {
    initial_burst(segment, INITIAL_WINDOW_SEGMENTS, INITIAL_WINDOW_BYTES)
}

/// `segments` segments, but not more than `most` bytes or two segments, whichever is more.
fn initial_burst(segment: u64, segments: u64, most: u64) -> u64 {
    segment.saturating_mul(segments).min(most.max(segment.saturating_mul(2)))
}

/// The minimum window (RFC 9002 §7.2).
const fn minimum_window(segment: u64) -> u64 {
    segment.saturating_mul(MINIMUM_WINDOW_SEGMENTS)
}
