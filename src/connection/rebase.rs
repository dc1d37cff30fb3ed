//! Moving a connection to another clock.

use super::state::State;
use super::{Connection, ConnectionTypes};
use crate::arq::Arq;
use crate::{ClockShift, Duration, Instant};

impl<T: ConnectionTypes> Connection<T> {
    /// Moves the connection to another clock.
    ///
    /// The present is `from` on the old clock and `to` on the new one. All stored times move by the difference. The
    /// connection then behaves as without the call, at times that differ by that much. There are two uses:
    ///
    /// - An endpoint whose clock restarts, for example after a sleep that loses the counter of a device. All later
    ///   calls pass times of the new clock.
    /// - A model checker that compares connections (`Eq`, `Hash`). It first moves each one to a fixed time. Times that
    ///   are too old to matter then become equal, and so do expired deadlines; [statistics](Self::stats) are never
    ///   compared. So there are finitely many states.
    ///
    /// A time that would lie before [`Instant::ZERO`] becomes `Instant::ZERO`, which would lengthen a wait that has
    /// begun. To prevent this, let `to` be later than the longest [limit](super::Config) and the longest flight of a
    /// datagram. The call takes time in proportion to the window.
    pub fn rebase(&mut self, from: Instant, to: Instant) {
        self.advance(from);
        let shift = ClockShift::new(self.now, to);
        let heard = self.longest_idle();
        let (linger, longest_linger) = (self.linger(), self.limits.longest_linger(&self.rtt));
        self.idle.rebase(shift, heard);
        match &mut self.state {
            State::Opening(handshake) => handshake.rebase(shift),
            State::Established { close, probe } => {
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

    /// How long the time of the peer's last packet matters while no answer is awaited.
    fn longest_idle(&self) -> Duration {
        let (extended, decided) = (self.negotiation.is_extended(), self.state.is_established());
        let quiet = Some(self.limits.quiet.effective()).filter(|_| !extended);
        let keep_alive = Some(self.limits.keep_alive.effective()).filter(|_| extended || !decided);
        // A lifted limit does not depend on that time.
        let limits = [quiet, keep_alive].into_iter().flatten().filter(|&limit| limit != Duration::MAX);
        limits.max().unwrap_or_default()
    }
}
