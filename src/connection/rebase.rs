//! Moving a connection to another clock.

use super::state::State;
use super::{Connection, ConnectionTypes};
use crate::arq::Arq;
use crate::{ClockShift, Duration, Instant};

impl<T: ConnectionTypes> Connection<T> {
    /// Moves the connection to another clock.
    ///
    /// The present is `from` on the old clock and `to` on the new one. All stored times move by the difference. The
    /// connection then behaves as it would without the call, at times shifted by the difference. There are two uses:
    ///
    /// - The clock of an endpoint restarts, for example because a device loses its counter in deep sleep. All later
    ///   calls pass times of the new clock.
    /// - A model checker compares connections (`Eq`, `Hash`). It first moves each connection to the same fixed time.
    ///   Times that are too old to have an effect then become equal, and so do expired deadlines.
    ///   [Statistics](Self::stats) are never compared. The number of states is therefore finite.
    ///
    /// A stored time that would lie before [`Instant::ZERO`] becomes `Instant::ZERO`, and a wait that began then
    /// becomes longer. To prevent this, choose a `to` that exceeds the longest [limit](super::Config) and the longest
    /// time of a datagram in flight. The duration of the call is proportional to the window.
    pub fn rebase(&mut self, from: Instant, to: Instant) {
        self.advance(from);
        let shift = ClockShift::new(self.now, to);
        let heard = self.longest_idle();
        let (linger, longest_linger) = (self.linger(), self.limits.longest_linger(&self.rtt));
        self.idle.rebase(shift, heard);
        match &mut self.state {
            State::Opening(handshake) => handshake.rebase(shift),
            State::Established { close, probe, span, .. } => {
                span.rebase(shift, &self.limits.progress);
                close.rebase(shift, longest_linger);
                probe.rebase(shift);
            }
            State::Ended { ended, close } => {
                ended.at = shift.aged(ended.at, linger);
                ended.linger = shift.deadline(ended.linger);
                close.rebase(shift, longest_linger);
            }
        }
        self.arq.rebase(shift);
        self.now = to;
    }

    /// The maximum age at which the time of the peer's last packet has an effect, while no answer is awaited.
    fn longest_idle(&self) -> Duration {
        let (extended, decided) = (self.negotiation.is_extended(), self.state.is_established());
        let quiet = Some(self.limits.quiet.effective()).filter(|_| !extended);
        let keep_alive = Some(self.limits.keep_alive.effective()).filter(|_| extended || !decided);
        // A disabled limit never expires, so this time has no effect on it.
        let limits = [quiet, keep_alive].into_iter().flatten().filter(|&limit| limit != Duration::MAX);
        limits.max().unwrap_or_default()
    }
}
