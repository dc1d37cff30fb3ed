//! How a connection closes: each direction by itself.
//!
//! | our direction | `close` | all acknowledged | FINACK | the last try expires | `abort` |
//! |---|---|---|---|---|---|
//! | `Open` | `Closing` | | | | `Aborted`, FIN due |
//! | `Closing` | | `FinSent`, FIN due | | | `Aborted`, FIN due |
//! | `FinSent`, repeated | | | `Closed`, once FIN has left | `Closed` | `Aborted`, FIN due unless the peer has it |
//! | `Closed` | | | | | `Aborted` |
//! | `Aborted` | | | | | |
//!
//! | their direction | FIN | FINACK has left | FINACK of rostov, selective repeat |
//! |---|---|---|---|
//! | `Open` | `FinAckDue` | | `LastFinAckDue`, if it answers our FIN |
//! | `FinAckDue` | `FinAckDue` | `FinAckSent` | `LastFinAckDue`; `Gone` if one had left before |
//! | `FinAckSent` | `FinAckDue` | | `Gone` |
//! | `Presumed` | `FinAckDue` | | `LastFinAckDue` |
//! | `LastFinAckDue` | ignored | `Gone` | ignored |
//! | `Gone` | ignored | | ignored |
//!
//! | the peer | differs so |
//! |---|---|
//! | rostov, both methods | our FIN is sent 5 times, 1 s apart, then counts as answered; linger at least 5 s |
//! | rostov, selective repeat | its FIN closes our direction too: from then on FINACK is all that is sent. When the last of our FINs counts as answered, so does the one that it has not sent (`Presumed`). Its own FINACK is its last word: it waits for ours if none has left yet, and otherwise is gone |

use super::config::{DEFAULT_LINGER, Peer};
use crate::timing::{RetransmitTimer, Rtt};
use crate::{Duration, Instant};

/// Our direction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Outgoing {
    Open,
    /// `close` was called; something is not acknowledged yet.
    Closing,
    /// FIN is sent until it is answered.
    FinSent(RetransmitTimer),
    Closed,
    /// One FIN, if the peer does not have it yet, whatever comes.
    Aborted {
        fin_due: bool,
    },
}

/// Their direction. `since`: when the last FIN came that is answered, or counts as come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Incoming {
    Open,
    FinAckDue {
        since: Instant,
        /// One has left before.
        again: bool,
    },
    FinAckSent {
        since: Instant,
    },
    /// Their FIN counts as come. One that comes is answered.
    Presumed {
        since: Instant,
    },
    /// The peer waits for one FINACK, and for nothing after it.
    LastFinAckDue {
        since: Instant,
    },
    /// The peer has forgotten this connection: nothing may be sent to it.
    Gone {
        since: Instant,
    },
}

impl Incoming {
    const fn since(self) -> Option<Instant> {
        match self {
            Self::Open => None,
            Self::FinAckDue { since, .. }
            | Self::FinAckSent { since }
            | Self::Presumed { since }
            | Self::LastFinAckDue { since }
            | Self::Gone { since } => Some(since),
        }
    }

    /// A FIN has come. `None` if it is not answered.
    const fn on_fin(self, now: Instant) -> Option<Self> {
        let again = match self {
            Self::Open | Self::Presumed { .. } => false,
            Self::FinAckDue { again, .. } => again,
            Self::FinAckSent { .. } => true,
            Self::LastFinAckDue { .. } | Self::Gone { .. } => return None,
        };
        Some(Self::FinAckDue { since: now, again })
    }

    /// The last word of the peer has come. `None` if it had come before.
    const fn on_last_word(self, now: Instant) -> Option<Self> {
        Some(match self {
            Self::Open => Self::LastFinAckDue { since: now },
            Self::FinAckDue { since, again: false } | Self::Presumed { since } => Self::LastFinAckDue { since },
            // It has got the one that left: a second one might reach a peer that has finished.
            Self::FinAckDue { since, again: true } | Self::FinAckSent { since } => Self::Gone { since },
            Self::LastFinAckDue { .. } | Self::Gone { .. } => return None,
        })
    }

    const fn on_finack_sent(self) -> Self {
        match self {
            Self::FinAckDue { since, .. } => Self::FinAckSent { since },
            Self::LastFinAckDue { since } => Self::Gone { since },
            Self::Open | Self::FinAckSent { .. } | Self::Presumed { .. } | Self::Gone { .. } => self,
        }
    }
}

/// The closing of both directions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Close {
    peer: Peer,
    outgoing: Outgoing,
    incoming: Incoming,
}

impl Close {
    /// `closes`: our direction was closed while the connection opened.
    pub(crate) fn new(peer: Peer, closes: bool) -> Self {
        let outgoing = if closes { Outgoing::Closing } else { Outgoing::Open };
        Self { peer, outgoing, incoming: Incoming::Open }
    }

    /// Whether the application may still send.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.outgoing, Outgoing::Open)
    }

    /// Whether a FIN of ours waits for its answer.
    pub(crate) const fn is_outstanding(&self) -> bool {
        matches!(self.outgoing, Outgoing::FinSent(_))
    }

    /// Whether the peer's direction has ended.
    pub(crate) const fn is_incoming_closed(&self) -> bool {
        !matches!(self.incoming, Incoming::Open)
    }

    /// Whether both directions have ended.
    pub(crate) const fn is_finished(&self) -> bool {
        self.is_incoming_closed() && matches!(self.outgoing, Outgoing::Closed)
    }

    /// The application closes our direction.
    pub(crate) fn close(&mut self) {
        if self.is_open() {
            self.outgoing = Outgoing::Closing;
        }
    }

    /// The application gives up: one FIN, if the peer does not have it already, and no more.
    pub(crate) fn abort(&mut self) {
        let fin_due = match &self.outgoing {
            Outgoing::Open | Outgoing::Closing => true,
            // A peer that bounds how often a FIN is sent gets no further one.
            Outgoing::FinSent(fin) => self.peer.fin_tries().is_none() || fin.sent() == 0,
            Outgoing::Closed => false,
            Outgoing::Aborted { fin_due } => *fin_due,
        };
        self.outgoing = Outgoing::Aborted { fin_due };
    }

    /// Everything that was written has been acknowledged.
    pub(crate) fn on_all_acknowledged(&mut self) {
        if matches!(self.outgoing, Outgoing::Closing) {
            let mut fin = RetransmitTimer::default();
            fin.request();
            self.outgoing = Outgoing::FinSent(fin);
        }
    }

    /// A FIN has come. Returns whether it is answered.
    pub(crate) fn on_fin(&mut self, now: Instant) -> bool {
        let Some(incoming) = self.incoming.on_fin(now) else { return false };
        self.incoming = incoming;
        if self.peer.one_fin_closes_both() {
            self.outgoing = Outgoing::Closed;
        }
        true
    }

    /// A FINACK has come. Returns whether it answers anything.
    pub(crate) fn on_finack(&mut self, now: Instant) -> bool {
        // One that comes before our FIN has left is a late copy from an earlier connection.
        let answers = matches!(&self.outgoing, Outgoing::FinSent(fin) if fin.sent() > 0);
        if answers {
            self.outgoing = Outgoing::Closed;
        }
        if !self.peer.one_fin_closes_both() || !(answers || self.is_incoming_closed()) {
            return answers;
        }
        let Some(incoming) = self.incoming.on_last_word(now) else { return false };
        self.incoming = incoming;
        true
    }

    pub(crate) fn is_fin_due(&self) -> bool {
        match &self.outgoing {
            Outgoing::FinSent(fin) => fin.is_due(),
            Outgoing::Aborted { fin_due } => *fin_due,
            Outgoing::Open | Outgoing::Closing | Outgoing::Closed => false,
        }
    }

    pub(crate) const fn is_finack_due(&self) -> bool {
        matches!(self.incoming, Incoming::FinAckDue { .. } | Incoming::LastFinAckDue { .. })
    }

    pub(crate) fn on_finack_sent(&mut self) {
        self.incoming = self.incoming.on_finack_sent();
    }

    pub(crate) fn on_fin_sent(&mut self, now: Instant, rtt: &mut Rtt) {
        match &mut self.outgoing {
            Outgoing::FinSent(fin) => fin.on_sent(match self.peer.fin_tries() {
                Some((_, interval)) => now + interval,
                // Never so seldom that the peer's linger could end between two of them, whatever the backing off.
                None => rtt.deadline(now, fin.sent(), longest_fin_interval(rtt)),
            }),
            Outgoing::Aborted { fin_due } => *fin_due = false,
            Outgoing::Open | Outgoing::Closing | Outgoing::Closed => {}
        }
    }

    /// Returns whether the retransmission timer expired.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let Outgoing::FinSent(fin) = &mut self.outgoing else { return false };
        let expired = fin.handle_timeout(now);
        if expired && self.peer.fin_tries().is_some_and(|(tries, _)| fin.sent() >= tries) {
            self.outgoing = Outgoing::Closed;
            if self.peer.one_fin_closes_both() {
                // No packet leaves from here on, but a FIN that comes yet is answered.
                self.incoming = Incoming::Presumed { since: now };
            }
        }
        expired
    }

    /// When FIN is repeated.
    pub(crate) const fn fin_deadline(&self) -> Option<Instant> {
        match &self.outgoing {
            Outgoing::FinSent(fin) => fin.deadline(),
            Outgoing::Open | Outgoing::Closing | Outgoing::Closed | Outgoing::Aborted { .. } => None,
        }
    }

    /// How long to stay after the end, to answer a repeated FIN.
    pub(crate) fn linger_end(&self, linger: Duration) -> Option<Instant> {
        self.incoming.since().map(|fin| fin + linger)
    }
}

/// A third of how long a peer lingers at the least. Its own timeout may be far shorter than ours, which stands at its
/// initial value on a side that only received; so only a timeout that was measured lengthens the interval.
fn longest_fin_interval(rtt: &Rtt) -> Duration {
    let shortest = Duration::from_micros(DEFAULT_LINGER.as_micros() / 3);
    rtt.srtt().map_or(shortest, |_| rtt.rto().max(shortest))
}
