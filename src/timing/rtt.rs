//! Round-trip time and retransmission timeout (RFC 6298).

use super::backoff::backed_off;
use super::jitter::Jitter;
use crate::time::ShortDuration;
use crate::{Duration, Instant};

/// The timeout in µs before any round-trip time is known (RFC 6298 §2.1).
const INITIAL_RTO: u32 = 1_000_000;
/// The same in µs for the first interval with early repeats: three transmissions leave in the first second.
const EARLY_RTO: u32 = 250_000;
/// The least timeout in µs while only the round-trip time of the handshake is known.
///
/// On a slow link a full datagram takes longer than the small packets of the handshake.
const MIN_FIRST_RTO: u32 = 200_000;
/// The clock granularity G in µs: the timeout exceeds SRTT by at least G.
///
/// RFC 6298 §2.4 also raises the timeout to 1 s, which covers acknowledgements that the peer delays. Here the timeout
/// contains the longest such delay, so it needs no such floor.
const GRANULARITY: u32 = 1_000;
/// The largest jitter is the interval shifted right by this many bits: 1/16.
///
/// Jitter keeps peers that lost datagrams at the same time from retransmitting at the same time.
const JITTER_SHIFT: u32 = 4;
/// The copies of a small packet are a round trip shifted right by this many bits apart: 1/16.
const COPY_SHIFT: u32 = 4;
/// So many rounds of a small packet have the same interval.
const ROUNDS_WITHOUT_BACKOFF: u8 = 4;
/// The longest ceiling: half an hour, so that twice the ceiling fits into 32 bits.
const LONGEST_CEILING: Duration = Duration::from_secs(1_800);

/// The round-trip time estimate, and the retransmission timeout (RTO) derived from it (RFC 6298).
///
/// The sender counts its timeouts until the next sample (RFC 6298 §5.5, §5.7), and passes the count to
/// [`deadline`](Self::deadline). In extended mode every acknowledgement gives a sample, in base mode only that of a
/// packet that was sent once.
///
/// The estimate grows and shrinks by an eighth of the difference for each sample. A sample above the timeout replaces
/// it at once.
///
/// Times longer than 71 minutes count as 71 minutes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rtt {
    /// SRTT and RTTVAR. They derive from the handshake at first, later from samples. `None` before either.
    smoothed: Option<(ShortDuration, ShortDuration)>,
    /// The least sample. The round-trip time of the handshake does not count.
    min: Option<ShortDuration>,
    /// The longest time for which the peer delays an acknowledgement.
    ack_delay: ShortDuration,
    ceiling: ShortDuration,
    opening: Opening,
    /// Whether the last sample was above the timeout.
    was_late: bool,
    /// The bytes that the round trip of the handshake has carried one way; 0 if only small packets.
    handshake_bytes: u16,
    jitter: Jitter,
}

/// The timeout before the first sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Opening {
    /// It derives from the handshake if that gave a round-trip time.
    Handshake,
    /// As `Handshake`, and the first repeats come early.
    Early,
    /// It is 1 s, whatever the handshake took.
    OneSecond,
}

impl Rtt {
    /// An estimate without samples, whose timeout does not exceed `ceiling` (RFC 6298 §2.5), nor half an hour.
    #[must_use]
    pub fn new(ceiling: Duration, jitter: Jitter) -> Self {
        let (ack_delay, ceiling) = (ShortDuration::ZERO, ShortDuration::new(ceiling.min(LONGEST_CEILING)));
        Self {
            smoothed: None,
            min: None,
            ack_delay,
            ceiling,
            opening: Opening::Handshake,
            was_late: false,
            handshake_bytes: 0,
            jitter,
        }
    }

    /// Sets whether the first repeats come early: in extended mode, where each answer names what it answers.
    ///
    /// In this mode each answer also names the transmission that it answers, so that long samples are certain. In base
    /// mode the timeout is 1 s until the first sample. Only the [linger](Self::linger_rto) derives from the handshake:
    /// on a slow line its small packets are much faster than a full one, and base mode cannot find out.
    pub(crate) const fn repeat_early(&mut self, is_early: bool) {
        self.opening = if is_early { Opening::Early } else { Opening::OneSecond };
    }

    /// A random number below `count`, which must not be 0, from the generator of the jitter.
    pub(crate) fn random(&mut self, count: u32) -> u32 {
        u32::try_from(self.jitter.up_to(u64::from(count) - 1)).unwrap_or(0)
    }

    /// Sets the longest time for which the peer delays an acknowledgement.
    ///
    /// Every timeout that is derived from a sample contains this delay (RFC 8985 §7.2, RFC 9002 §6.2.1). The samples
    /// themselves must not contain the peer's delay.
    pub fn set_ack_delay(&mut self, delay: Duration) {
        self.ack_delay = ShortDuration::new(delay);
    }

    /// The longest time for which the peer delays an acknowledgement.
    #[must_use]
    pub fn ack_delay(&self) -> Duration {
        self.ack_delay.get()
    }

    pub(crate) const fn short_ack_delay(&self) -> ShortDuration {
        self.ack_delay
    }

    /// Forgets all samples: the peer has moved to another path (RFC 9000 §9.4).
    ///
    /// The smoothed time stays until the first sample, because a timeout of 1 s would be too long on most paths.
    pub(crate) fn start_path(&mut self) {
        self.min = None;
    }

    /// Takes the round-trip time of the handshake.
    ///
    /// The timeout derives from it until the first [`sample`](Self::sample). It has no other effect, because handshake
    /// packets are small and the peer's application may delay the answer.
    pub fn handshake_sample(&mut self, round_trip: Duration) {
        if self.smoothed.is_none() {
            let r = ShortDuration::new(round_trip).as_micros();
            self.smooth(r, r / 2);
        }
    }

    /// Takes a round-trip time, for which the transmission that arrived must be known.
    ///
    /// In base mode a retransmitted packet gives no sample, because its acknowledgement does not say which transmission
    /// arrived (Karn's algorithm, RFC 6298 §3).
    ///
    /// A sample above the timeout shows that the path has become slower than the timer. The estimate then starts again
    /// from this sample, as after a spurious timeout (RFC 4015). Smoothing alone would take many samples, and
    /// every packet before the last of them would be repeated needlessly.
    ///
    /// If the next sample is below half of that one, a single answer was late, and the estimate starts again from the
    /// next sample. Smoothing would keep the timeout high for some forty samples.
    pub fn sample(&mut self, round_trip: Duration) {
        self.update(ShortDuration::new(round_trip), false);
    }

    /// The round trip of a packet sent `since` ago, whose acknowledgement the peer says to have delayed by `delay`.
    ///
    /// The peer may be wrong, or lie to hide a queue (RFC 9002 §5.3). At most the delay that it was asked for counts,
    /// and none makes the time shorter than the least one before, nor the first one. A packet that was sent once is
    /// `certain`. Of one that was repeated, the peer may name a later transmission than arrived, so its time is never
    /// less than the least one.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn without_delay(&self, since: ShortDuration, delay: ShortDuration, certain: bool) -> ShortDuration {
        let waited = delay.as_micros().min(self.ack_delay.as_micros());
        let least = self.min.unwrap_or(since);
        let least = if certain { least.min(since) } else { least };
        least.max(ShortDuration::from_micros(since.as_micros().saturating_sub(waited)))
    }

    /// As [`sample`](Self::sample), but also takes the round-trip time of a packet that was repeated needlessly.
    ///
    /// Then the estimate also starts again if a probe after 2 SRTT (RFC 8985 §7.2) was sent too early.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn update(&mut self, sample: ShortDuration, was_needless: bool) {
        let r = sample.as_micros();
        let is_late = r > self.rto_micros();
        let was_late = core::mem::replace(&mut self.was_late, is_late);
        let restarts = |srtt| self.min.is_none() || is_late || was_needless && r / 2 > srtt || was_late && r < srtt / 2;
        let smoothed = self.smoothed.map(|(srtt, rttvar)| (srtt.as_micros(), rttvar.as_micros()));
        match smoothed.filter(|&(srtt, _)| !restarts(srtt)) {
            // §2.2: SRTT <- R, RTTVAR <- R/2
            None => self.smooth(r, r / 2),
            // §2.3, in this order: RTTVAR <- 3/4 RTTVAR + 1/4 |SRTT - R|, SRTT <- 7/8 SRTT + 1/8 R.
            // No overflow: each result lies between two numbers of 32 bits.
            Some((srtt, rttvar)) => {
                self.smooth(srtt - srtt / 8 + r / 8, rttvar - rttvar / 4 + srtt.abs_diff(r) / 4);
            }
        }
        self.min = Some(self.min.map_or(sample, |min| min.min(sample)));
    }

    fn smooth(&mut self, srtt: u32, rttvar: u32) {
        self.smoothed = Some((ShortDuration::from_micros(srtt), ShortDuration::from_micros(rttvar)));
    }

    /// The smoothed round-trip time (SRTT); `None` before the first [`sample`](Self::sample).
    #[must_use]
    pub fn srtt(&self) -> Option<Duration> {
        self.short_srtt().map(ShortDuration::get)
    }

    pub(crate) fn short_srtt(&self) -> Option<ShortDuration> {
        self.smoothed.filter(|_| self.min.is_some()).map(|(srtt, _)| srtt)
    }

    /// Sets the bytes that the round trip of the handshake has carried one way.
    pub(crate) const fn set_handshake_bytes(&mut self, bytes: u16) {
        self.handshake_bytes = bytes;
    }

    /// The round-trip time of the handshake, and the bytes that it has carried one way, 0 if only small packets.
    ///
    /// `None` if the handshake gave no time, and after the first [`sample`](Self::sample).
    pub(crate) fn handshake(&self) -> Option<(Duration, u16)> {
        let (srtt, _) = self.smoothed.filter(|_| self.min.is_none() && self.opening != Opening::OneSecond)?;
        Some((srtt.get(), self.handshake_bytes))
    }

    /// The least [`sample`](Self::sample) since the start; `None` before the first one.
    #[must_use]
    pub fn min(&self) -> Option<Duration> {
        self.min.map(ShortDuration::get)
    }

    pub(crate) const fn short_min(&self) -> Option<ShortDuration> {
        self.min
    }

    /// The retransmission timeout without backoff.
    ///
    /// It is SRTT + max(G, 4·RTTVAR) + the peer's acknowledgement delay. Before the first [`sample`](Self::sample) it
    /// is at least 200 ms, and 1 s without the round-trip time of the handshake. It is at
    /// most the ceiling. In extended mode samples may raise it to twice the ceiling, or to a quarter more than SRTT.
    #[must_use]
    pub fn rto(&self) -> Duration {
        Duration::from_micros(self.rto_micros().into())
    }

    /// The timeout from which the linger derives. It is shorter than [`rto`](Self::rto) on a side of base mode that has
    /// measured only the handshake.
    pub(crate) fn linger_rto(&self) -> Duration {
        Duration::from_micros(self.timeout(self.smoothed).into())
    }

    fn rto_micros(&self) -> u32 {
        let counts = self.min.is_some() || self.opening != Opening::OneSecond;
        self.timeout(self.smoothed.filter(|_| counts))
    }

    fn timeout(&self, smoothed: Option<(ShortDuration, ShortDuration)>) -> u32 {
        let rto = match smoothed {
            None => INITIAL_RTO,
            Some((srtt, rttvar)) => {
                let variation = rttvar.as_micros().saturating_mul(4).max(GRANULARITY);
                srtt.as_micros().saturating_add(variation).saturating_add(self.ack_delay.as_micros())
            }
        };
        let floor = self.min.map_or(MIN_FIRST_RTO, |_| 0);
        rto.max(floor).min(self.most().as_micros())
    }

    /// The longest timeout before backoff.
    ///
    /// In extended mode a sample belongs to one transmission. If samples show that the path is slower than the ceiling,
    /// each repeat after the ceiling would be needless, so twice the ceiling is the limit.
    fn most(&self) -> ShortDuration {
        if self.min.is_some() { self.largest() } else { self.ceiling }
    }

    /// The ceiling. In extended mode twice the ceiling, or a quarter more than SRTT if that is longer.
    ///
    /// A peer whose idle limit is short lowers the ceiling. A timeout below the round trip would repeat everything.
    fn largest(&self) -> ShortDuration {
        if self.opening != Opening::Early {
            return self.ceiling;
        }
        let srtt = self.smoothed.map_or(0, |(srtt, _)| srtt.as_micros());
        ShortDuration::from_micros((self.ceiling.as_micros() << 1).max(srtt.saturating_add(srtt / 4)))
    }

    /// Lowers the ceiling to `ceiling`.
    pub(crate) fn lower_ceiling(&mut self, ceiling: Duration) {
        self.ceiling = self.ceiling.min(ShortDuration::new(ceiling));
    }

    /// The least backoff with which the timeout covers `round_trip`.
    pub(crate) fn backoff_for(&self, round_trip: ShortDuration) -> u8 {
        let rto = self.rto_micros();
        (0..32).find(|&attempt| backed_off(rto, attempt) >= round_trip.as_micros()).unwrap_or(32)
    }

    /// The longest timeout, with backoff and without jitter.
    pub(crate) fn longest(&self) -> Duration {
        self.largest().get()
    }

    /// When to retransmit a packet that is sent `now`.
    ///
    /// `attempt` is the number of earlier transmissions of the packet. The interval is the timeout, doubled for each
    /// attempt (RFC 6298 §5.5), up to the ceiling. It is at most `limit`, and at least 1 ms. A random jitter of up to
    /// 1/16 of the interval is added.
    ///
    /// In extended mode the first repeats come early. Before the first [`sample`](Self::sample) each interval counts
    /// twice. The first interval is 250 ms without the round-trip time of the handshake.
    pub fn deadline(&mut self, now: Instant, attempt: u8, limit: Duration) -> Instant {
        self.deadline_within(attempt, now, ShortDuration::new(limit))
    }

    /// As [`deadline`](Self::deadline) without a limit. This order of arguments takes less code.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn deadline_after(&mut self, attempt: u8, now: Instant) -> Instant {
        self.deadline_within(attempt, now, ShortDuration::MAX)
    }

    /// When to repeat a small packet of extended mode, which no queue delays and whose answer is not delayed.
    ///
    /// It leaves in rounds of two to the power of `losses` copies, a sixteenth of a round trip apart, so that one burst
    /// of losses does not destroy all of them. `sent` is the number of earlier transmissions.
    ///
    /// A round follows the last copy of the one before after a probe timeout: the retransmission timeout, but at most
    /// two round trips (RFC 8985 §7.2). A few bytes are no load, so the first four rounds have no backoff. Later ones
    /// are at most `longest` apart.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn small_packet_deadline(
        &mut self,
        sent: u8,
        losses: u8,
        now: Instant,
        longest: ShortDuration,
    ) -> Instant {
        let (round, srtt) = (sent >> losses, self.smoothed.map(|(srtt, _)| srtt.as_micros()));
        let limit = match srtt {
            Some(srtt) if sent.wrapping_add(1) >> losses == round => ShortDuration::from_micros(srtt >> COPY_SHIFT),
            Some(srtt) if round < ROUNDS_WITHOUT_BACKOFF => {
                let probe = srtt.saturating_mul(2).saturating_add(self.ack_delay.as_micros());
                longest.min(ShortDuration::from_micros(probe))
            }
            Some(_) | None => longest,
        };
        self.deadline_within(round.saturating_sub(ROUNDS_WITHOUT_BACKOFF - 1), now, limit)
    }

    /// As [`deadline`](Self::deadline).
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn deadline_within(&mut self, attempt: u8, now: Instant, limit: ShortDuration) -> Instant {
        let is_early = self.opening == Opening::Early && self.min.is_none();
        let first = EARLY_RTO.min(self.ceiling.as_micros());
        let rto = if is_early && self.smoothed.is_none() { first } else { self.rto_micros() };
        let most = self.ceiling.as_micros().max(rto).min(limit.as_micros());
        let interval = backed_off(rto, attempt >> u8::from(is_early)).min(most).max(GRANULARITY);
        let jitter = self.jitter.up_to((interval >> JITTER_SHIFT).into());
        now + Duration::from_micros(u64::from(interval) + jitter)
    }
}

#[cfg(test)]
mod tests;
