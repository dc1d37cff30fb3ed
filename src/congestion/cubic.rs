//! CUBIC (RFC 9438).

use super::hystart::HyStart;
use super::math::{cube_root, mul_div};
use super::new_reno::paced;
use super::recovery::RecoveryPeriod;
use super::{ACKNOWLEDGEMENTS, Acknowledgement, Congestion, Loss, initial_window, minimum_window};
use crate::{ClockShift, Duration, Instant};

/// The upper bound of the time since the start of the epoch, in ms: about 17 minutes. Its cube fits in 64 bits.
const LONGEST_EPOCH_MS: u64 = 1 << 20;
/// Units of `W_est` per byte.
const W_EST_PARTS: u64 = 1_024;

/// CUBIC (RFC 9438), the most common controller on the Internet.
///
/// After a loss the window grows as a cubic function of time: fast towards its previous size, slowly around it, and
/// fast beyond. Slow start ends by `HyStart++` (RFC 9406).
///
/// CUBIC treats every loss as congestion, so its throughput collapses on lossy paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cubic {
    segment: u64,
    srtt: Duration,
    /// The arrival of the latest acknowledgement.
    last_ack: Instant,
    recovery: RecoveryPeriod,
    hystart: HyStart,
    state: State,
    /// The state before the last reduction. It is restored if the losses were spurious (§4.9).
    undo: Option<State>,
    /// Bytes declared lost since the last reduction, minus spurious losses.
    missing: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    /// `cwnd`.
    window: u64,
    /// `ssthresh`; `u64::MAX` before the first loss.
    threshold: u64,
    /// `W_max`: the window before the last reduction. Fast convergence lowers it (§4.7).
    w_max: u64,
    /// `W_est`: the window of Reno, in units of 1/1024 byte. In whole bytes, the small increments of a large window
    /// would round to 0.
    w_est: u64,
    /// `cwnd_prior`: the window before the last reduction.
    prior: u64,
    /// `K` in ms: the time from the start of the epoch until the window reaches `W_max` again.
    k_ms: u64,
    /// `t_epoch`: the start of the current congestion avoidance stage. `None` before that stage starts.
    epoch: Option<Instant>,
}

impl Cubic {
    /// Starts with the initial window (RFC 9002 §7.2) for datagrams of `datagram_bytes`.
    #[must_use]
    pub fn new(datagram_bytes: u32) -> Self {
        let segment = u64::from(datagram_bytes.max(1));
        let state = State {
            window: initial_window(segment),
            threshold: u64::MAX,
            w_max: 0,
            w_est: 0,
            prior: 0,
            k_ms: 0,
            epoch: None,
        };
        Self {
            segment,
            srtt: Duration::ZERO,
            last_ack: Instant::ZERO,
            recovery: RecoveryPeriod::default(),
            hystart: HyStart::new(),
            state,
            undo: None,
            missing: 0,
        }
    }

    /// §4.2: `W_cubic(t) = C·(t - K)³ + W_max` with C = 0.4 segments/s³, in bytes, at `t` after the start of the epoch.
    fn w_cubic(&self, t: Duration) -> u64 {
        let t = t.as_millis().min(LONGEST_EPOCH_MS);
        let distance = t.abs_diff(self.state.k_ms).min(LONGEST_EPOCH_MS);
        let change = mul_div(distance * distance * distance, self.segment * 4, 10_000_000_000);
        if t >= self.state.k_ms {
            self.state.w_max.saturating_add(change)
        } else {
            self.state.w_max.saturating_sub(change)
        }
    }

    /// The start of congestion avoidance (§4.2).
    fn begin_epoch(&mut self, now: Instant) -> Instant {
        let state = &mut self.state;
        if state.w_max < state.window {
            // §4.8, or slow start ended without a loss: K = 0, and W_max is the current window.
            state.w_max = state.window;
        }
        // K = cube root of (W_max - cwnd_epoch) / C
        state.k_ms = cube_root(mul_div(state.w_max - state.window, 2_500_000_000, self.segment));
        state.w_est = state.window.saturating_mul(W_EST_PARTS);
        state.epoch = Some(now);
        now
    }

    fn avoid_congestion(&mut self, ack: &Acknowledgement) {
        let epoch = self.state.epoch.unwrap_or_else(|| self.begin_epoch(ack.now));
        let elapsed = ack.now.saturating_since(epoch);
        let ahead = self.w_cubic(elapsed.saturating_add(ack.srtt));
        let present = self.w_cubic(elapsed);
        let state = &mut self.state;
        // §4.3: W_est grows by α segments per window, α = 3(1-β)/(1+β) = 9/17, or 1 once W_est reaches cwnd_prior.
        let (share, of) = if state.w_est / W_EST_PARTS < state.prior { (9, 17) } else { (1, 1) };
        let grown = mul_div(ack.bytes, self.segment * W_EST_PARTS * share, state.window.saturating_mul(of));
        state.w_est = state.w_est.saturating_add(grown);
        if present < state.w_est / W_EST_PARTS {
            // §4.3: the Reno-friendly region.
            state.window = state.window.max(state.w_est / W_EST_PARTS);
            return;
        }
        // §4.2, §4.4, §4.5: the window grows towards `W_cubic(t + RTT)`, limited to 1.5 times the window.
        let target = ahead.clamp(state.window, state.window.saturating_add(state.window / 2));
        let growth = mul_div(target - state.window, ack.bytes, state.window);
        state.window = state.window.saturating_add(growth);
    }

    /// Reduces the window (§4.6, §4.7).
    fn reduce(&mut self) {
        let state = &mut self.state;
        self.undo = Some(*state);
        state.prior = state.window;
        // §4.7, fast convergence: a window below `W_max` indicates a new flow. `W_max` is set to the window × (1+β)/2.
        state.w_max = if state.window < state.w_max { mul_div(state.window, 17, 20) } else { state.window };
        // §4.6: β = 0.7.
        state.threshold = mul_div(state.window, 7, 10).max(minimum_window(self.segment));
        state.window = state.threshold;
        state.epoch = None;
    }
}

impl Congestion for Cubic {
    fn on_sent(&mut self, _: Instant, _: u32, _: u64) {}

    fn on_acknowledged(&mut self, ack: &Acknowledgement) {
        self.srtt = ack.srtt;
        let since = ack.now.saturating_since(self.last_ack);
        self.last_ack = self.last_ack.max(ack.now);
        if ack.app_limited {
            // §5.8: the start of the epoch moves forward by the application-limited time.
            self.state.epoch = self.state.epoch.map(|epoch| epoch + since);
            return;
        }
        if self.recovery.covers(ack.newest_sent_at) {
            return;
        }
        if self.state.window >= self.state.threshold {
            self.avoid_congestion(ack);
        } else if self.state.threshold < u64::MAX {
            self.state.window = self.state.window.saturating_add(ack.bytes);
        } else {
            match self.hystart.growth(ack) {
                Some(growth) => self.state.window = self.state.window.saturating_add(growth),
                None => self.state.threshold = self.state.window,
            }
        }
    }

    fn on_lost(&mut self, loss: &Loss) {
        if self.recovery.enter(loss.now, loss.newest_sent_at) {
            self.reduce();
            self.missing = 0;
        }
        self.missing = self.missing.saturating_add(loss.bytes);
    }

    fn on_timeout(&mut self, _: Instant) {
        let minimum = minimum_window(self.segment);
        // Consecutive timeouts keep the threshold that the first one set (RFC 5681 §3.1).
        if self.state.window > minimum {
            self.reduce();
        }
        // §4.8: slow start begins at the minimum window. The next congestion avoidance stage starts with K = 0.
        self.state = State { window: minimum, w_max: 0, epoch: None, ..self.state };
        self.recovery.leave();
        // All packets in flight are lost, and their total size is unknown, so this reduction is never undone.
        (self.undo, self.missing) = (None, 0);
    }

    fn on_spurious_loss(&mut self, _: Instant, bytes: u64) {
        // §4.9.2: restores the state before the reduction, unless the window is already larger. This happens only once
        // all losses have proved spurious: a single spurious loss does not rule out congestion.
        self.missing = self.missing.saturating_sub(bytes);
        if self.missing > 0 {
            return;
        }
        if let Some(undo) = self.undo.take().filter(|undo| undo.window > self.state.window) {
            self.state = undo;
            self.recovery.leave();
        }
    }

    fn window(&self) -> u64 {
        self.state.window
    }

    fn pacing_rate(&self) -> Option<u64> {
        paced(self.state.window, self.srtt, self.state.window < self.state.threshold)
    }

    fn acknowledgements(&self) -> Option<u32> {
        // Slow start searches for the rate.
        (self.state.window >= self.state.threshold).then_some(ACKNOWLEDGEMENTS)
    }

    fn phase(&self) -> &'static str {
        if self.state.window >= self.state.threshold {
            "congestion avoidance"
        } else if self.hystart.is_conservative() {
            "conservative slow start"
        } else {
            "slow start"
        }
    }

    fn start_path(&mut self, _: Instant) {
        *self = Self::new(u32::try_from(self.segment).unwrap_or(u32::MAX));
    }

    fn rebase(&mut self, shift: ClockShift) {
        self.last_ack = shift.apply(self.last_ack);
        self.recovery.rebase(shift);
        for state in core::iter::once(&mut self.state).chain(&mut self.undo) {
            state.epoch = state.epoch.map(|epoch| shift.apply(epoch));
        }
    }
}
