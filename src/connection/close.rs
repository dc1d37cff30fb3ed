//! The close of a connection: each direction closes by itself.
//!
//! | outgoing | `close` | all acknowledged | FINACK | the last attempt expires | `abort` |
//! |---|---|---|---|---|---|
//! | `Open` | `Closing` | | | | `Aborted`, FIN due |
//! | `Closing` | | `FinSent`, FIN due | | | `Aborted`, FIN due |
//! | `FinSent`, repeated | | | `Closed`, if FIN has left | `Closed` | `Aborted`, FIN due, but see `Close::abort` |
//! | `Closed` | | | | | `Aborted` |
//! | `Aborted` | | | | | |
//!
//! | incoming | FIN | FINACK has left | FINACK of rostov, selective repeat |
//! |---|---|---|---|
//! | `Open` | `FinAckDue` | | `FinalFinAckDue`, if it answers our FIN |
//! | `FinAckDue` | `FinAckDue` | `FinAckSent` | `FinalFinAckDue`; `Gone` if a FINACK had left before |
//! | `FinAckSent` | `FinAckDue` | | `Gone` |
//! | `Presumed` | `FinAckDue` | | `FinalFinAckDue` |
//! | `FinalFinAckDue` | ignored | `Gone` | ignored |
//! | `Gone` | ignored | | ignored |
//!
//! A rostov peer differs. With both methods, our FIN is sent 5 times, 1 s apart, and then counts as answered; the
//! linger is at least 5 s. With selective repeat, three rules are added:
//!
//! - Its FIN closes the outgoing direction too: afterwards this side sends FINACK and nothing else.
//! - When the last of our FINs counts as answered, its own FIN counts as received (`Presumed`).
//! - Its FINACK is the last packet that it sends. If no FINACK of ours has left yet, it waits for one. Otherwise it has
//!   forgotten the connection (`Gone`).

use super::config::{DEFAULT_LINGER, Peer};
use crate::timing::{RetransmitTimer, Rtt};
use crate::{ClockShift, Duration, Instant};

/// The state of the outgoing direction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Outgoing {
    Open,
    /// `close` was called; written data is not acknowledged yet.
    Closing,
    /// FIN is due, or waits for its FINACK.
    FinSent(RetransmitTimer),
    Closed,
    /// `abort` was called: at most one more FIN leaves, and FINACK is ignored.
    Aborted {
        fin_due: bool,
    },
}

/// The FIN of the peer. Until there is one, the incoming direction is `Open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PeerFin {
    /// When the last FIN arrived that is answered or presumed.
    since: Instant,
    answer: Answer,
}

/// The state of the incoming direction after a FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    FinAckDue,
    /// As `FinAckDue`, and a FINACK has left before.
    FinAckDueAgain,
    /// The peer waits for one FINACK and forgets the connection then.
    FinalFinAckDue,
    FinAckSent,
    /// The peer's FIN counts as received. A FIN that arrives is answered.
    Presumed,
    /// The peer has forgotten the connection: nothing may be sent to it.
    Gone,
}

impl Answer {
    const fn is_due(self) -> bool {
        matches!(self, Self::FinAckDue | Self::FinAckDueAgain | Self::FinalFinAckDue)
    }

    /// The state after a further FIN; `None` if that FIN is not answered.
    const fn on_fin(self) -> Option<Self> {
        match self {
            Self::FinAckDue | Self::Presumed => Some(Self::FinAckDue),
            Self::FinAckDueAgain | Self::FinAckSent => Some(Self::FinAckDueAgain),
            Self::FinalFinAckDue | Self::Gone => None,
        }
    }

    /// The state after the peer's final FINACK; `None` if that FINACK has arrived before.
    const fn on_final_finack(self) -> Option<Self> {
        match self {
            Self::FinAckDue | Self::Presumed => Some(Self::FinalFinAckDue),
            // The FINACK that left has arrived. A second one could reach a peer that has forgotten the connection.
            Self::FinAckDueAgain | Self::FinAckSent => Some(Self::Gone),
            Self::FinalFinAckDue | Self::Gone => None,
        }
    }

    const fn on_finack_sent(self) -> Self {
        match self {
            Self::FinAckDue | Self::FinAckDueAgain => Self::FinAckSent,
            Self::FinalFinAckDue => Self::Gone,
            Self::FinAckSent | Self::Presumed | Self::Gone => self,
        }
    }
}

/// The close of both directions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Close {
    peer: Peer,
    outgoing: Outgoing,
    incoming: Option<PeerFin>,
}

impl Close {
    /// `closes`: `close` was called before the connection was established.
    pub(crate) fn new(peer: Peer, closes: bool) -> Self {
        let outgoing = if closes { Outgoing::Closing } else { Outgoing::Open };
        Self { peer, outgoing, incoming: None }
    }

    /// Whether the application may still send.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.outgoing, Outgoing::Open)
    }

    /// Whether our FIN is due or waits for its FINACK.
    pub(crate) const fn is_outstanding(&self) -> bool {
        matches!(self.outgoing, Outgoing::FinSent(_))
    }

    /// Whether the incoming direction is closed.
    pub(crate) const fn is_incoming_closed(&self) -> bool {
        self.incoming.is_some()
    }

    /// Whether both directions are closed.
    pub(crate) const fn is_finished(&self) -> bool {
        self.is_incoming_closed() && matches!(self.outgoing, Outgoing::Closed)
    }

    /// Closes the outgoing direction.
    pub(crate) fn close(&mut self) {
        if self.is_open() {
            self.outgoing = Outgoing::Closing;
        }
    }

    /// Aborts: at most one more FIN leaves, if the peer may lack it.
    pub(crate) fn abort(&mut self) {
        let fin_due = match &self.outgoing {
            Outgoing::Open | Outgoing::Closing => true,
            // A peer with a bound on the number of FINs receives no further one.
            Outgoing::FinSent(fin) => self.peer.fin_tries().is_none() || fin.sent() == 0,
            Outgoing::Closed => false,
            Outgoing::Aborted { fin_due } => *fin_due,
        };
        self.outgoing = Outgoing::Aborted { fin_due };
    }

    /// All written data is acknowledged: if the direction is closing, FIN is due.
    pub(crate) fn on_all_acknowledged(&mut self) {
        if matches!(self.outgoing, Outgoing::Closing) {
            let mut fin = RetransmitTimer::default();
            fin.request();
            self.outgoing = Outgoing::FinSent(fin);
        }
    }

    /// Handles a FIN. Returns whether it is answered.
    pub(crate) fn on_fin(&mut self, now: Instant) -> bool {
        let first = Some(Answer::FinAckDue);
        let Some(answer) = self.incoming.map_or(first, |fin| fin.answer.on_fin()) else { return false };
        self.incoming = Some(PeerFin { since: now, answer });
        if self.peer.one_fin_closes_both() {
            self.outgoing = Outgoing::Closed;
        }
        true
    }

    /// Handles a FINACK. Returns whether it changes anything.
    pub(crate) fn on_finack(&mut self, now: Instant) -> bool {
        // A FINACK that arrives before our FIN has left is a late copy from an earlier connection.
        let answers = matches!(&self.outgoing, Outgoing::FinSent(fin) if fin.sent() > 0);
        if answers {
            self.outgoing = Outgoing::Closed;
        }
        if !self.peer.one_fin_closes_both() || !(answers || self.is_incoming_closed()) {
            return answers;
        }
        let Some(fin) = &mut self.incoming else {
            self.incoming = Some(PeerFin { since: now, answer: Answer::FinalFinAckDue });
            return true;
        };
        let answer = fin.answer.on_final_finack();
        fin.answer = answer.unwrap_or(fin.answer);
        answer.is_some()
    }

    pub(crate) fn is_fin_due(&self) -> bool {
        match &self.outgoing {
            Outgoing::FinSent(fin) => fin.is_due(),
            Outgoing::Aborted { fin_due } => *fin_due,
            Outgoing::Open | Outgoing::Closing | Outgoing::Closed => false,
        }
    }

    pub(crate) fn is_finack_due(&self) -> bool {
        self.incoming.is_some_and(|fin| fin.answer.is_due())
    }

    pub(crate) fn on_finack_sent(&mut self) {
        if let Some(fin) = &mut self.incoming {
            fin.answer = fin.answer.on_finack_sent();
        }
    }

    pub(crate) fn on_fin_sent(&mut self, now: Instant, rtt: &mut Rtt) {
        match &mut self.outgoing {
            Outgoing::FinSent(fin) => fin.on_sent(match self.peer.fin_tries() {
                Some((_, interval)) => now + interval,
                // The bound on the backoff: the peer's linger must not end between two FINs.
                None => rtt.deadline(now, fin.sent(), longest_fin_interval(rtt)),
            }),
            Outgoing::Aborted { fin_due } => *fin_due = false,
            Outgoing::Open | Outgoing::Closing | Outgoing::Closed => {}
        }
    }

    /// Handles an expired retransmission timer of FIN. Returns whether it had expired.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let Outgoing::FinSent(fin) = &mut self.outgoing else { return false };
        let expired = fin.handle_timeout(now);
        if expired && self.peer.fin_tries().is_some_and(|(tries, _)| fin.sent() >= tries) {
            self.outgoing = Outgoing::Closed;
            if self.peer.one_fin_closes_both() {
                // No packet leaves unasked from now on, but a FIN that still arrives is answered.
                self.incoming = Some(PeerFin { since: now, answer: Answer::Presumed });
            }
        }
        expired
    }

    /// When FIN is sent again.
    pub(crate) const fn fin_deadline(&self) -> Option<Instant> {
        match &self.outgoing {
            Outgoing::FinSent(fin) => fin.deadline(),
            Outgoing::Open | Outgoing::Closing | Outgoing::Closed | Outgoing::Aborted { .. } => None,
        }
    }

    /// When the linger expires: `linger` after the peer's last FIN.
    pub(crate) fn linger_end(&self, linger: Duration) -> Option<Instant> {
        self.incoming.map(|fin| fin.since + linger)
    }

    /// Moves all times to another clock. `longest`: the longest linger that is still possible.
    pub(crate) fn rebase(&mut self, shift: ClockShift, longest: Duration) {
        match &mut self.outgoing {
            Outgoing::FinSent(fin) => fin.rebase(shift),
            Outgoing::Open | Outgoing::Closing | Outgoing::Closed | Outgoing::Aborted { .. } => {}
        }
        if let Some(fin) = &mut self.incoming {
            fin.since = shift.aged(fin.since, longest);
        }
    }
}

/// The longest interval between two FINs: a third of the peer's shortest linger, or a measured RTO that is longer.
///
/// The peer's linger follows its own RTO. Ours keeps its initial value on a side that only received, and may be far
/// longer. So only a measured RTO lengthens the interval.
fn longest_fin_interval(rtt: &Rtt) -> Duration {
    let shortest = Duration::from_micros(DEFAULT_LINGER.as_micros() / 3);
    rtt.srtt().map_or(shortest, |_| rtt.rto().max(shortest))
}
