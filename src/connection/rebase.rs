//! Moving a connection to another clock.

use super::Connection;
use super::stage::Stage;
use crate::arq::Arq;
use crate::store::{RecvStore, SendStore};
use crate::{ClockShift, Duration, Instant};

impl<S: SendStore, R: RecvStore, A: Arq> Connection<S, R, A> {
    /// Moves the connection to another clock: it is `from` on the old one, and `to` on the new one. All stored times move by
    /// that difference. What follows is the same as without the call, at times that differ by that much.
    ///
    /// It serves two callers.
    ///
    /// - An endpoint whose clock starts again, say because a device slept and its counter was lost. All later calls name times
    ///   of the new clock.
    /// - A model checker, which compares connections (`Eq`, `Hash`): it moves each to one fixed time first. Times that lie too
    ///   far back to matter are no longer told apart then, nor are deadlines that have passed, and [statistics](Self::stats)
    ///   never are. So the states are finitely many.
    ///
    /// A time that would lie before [`Instant::ZERO`] becomes that. Let `to` lie further from it than a datagram stays in
    /// flight and than the [limits](super::Config) are long, or a wait that has begun becomes longer. It takes time in proportion
    /// to the window.
    pub fn rebase(&mut self, from: Instant, to: Instant) {
        self.advance(from);
        let shift = ClockShift::new(self.now, to);
        let heard = self.longest_silence();
        let (linger, longest_linger) = (self.linger(), self.longest_linger());
        self.silence.rebase(shift, heard);
        match &mut self.stage {
            Stage::Opening(handshake) => handshake.rebase(shift),
            Stage::Established { close, probe } => {
                close.rebase(shift, longest_linger);
                probe.rebase(shift);
            }
            Stage::Ended { ended, close } => {
                ended.at = shift.aged(ended.at, linger);
                ended.linger = shift.deadline(ended.linger);
                close.rebase(shift, longest_linger);
            }
        }
        self.storage.arq.rebase(shift);
        self.now = to;
    }

    /// For how long it matters when the peer was last heard, apart from what it owes.
    fn longest_silence(&self) -> Duration {
        let (extended, decided) = (self.dialect.is_extended(), self.stage.is_established());
        let quiet = Some(self.limits.quiet()).filter(|_| !extended);
        let keep_alive = Some(self.limits.keep_alive()).filter(|_| extended || !decided);
        // A limit that is lifted asks for nothing.
        let limits = [quiet, keep_alive].into_iter().flatten().filter(|&limit| limit != Duration::MAX);
        limits.max().unwrap_or_default()
    }
}
