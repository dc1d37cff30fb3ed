//! How a connection closes: each direction by itself.
//!
//! ```text
//! our direction    OPEN --close()--> CLOSING --all acknowledged--> FIN SENT --FINACK--> CLOSED
//!                                                                   | repeated
//! their direction  OPEN --FIN--> CLOSED           FINACK for each FIN, also while lingering
//! ```
//!
//! | the peer | differs so |
//! |---|---|
//! | rostov, both methods | our FIN is sent 5 times, 1 s apart, then counts as answered; linger at least 5 s |
//! | rostov, selective repeat | its FIN closes our direction too: from then on FINACK is all that is sent. When ours was answered and none of its has come, one unasked FINACK ends its waiting. Its own FINACK is its last word: it waits for ours if none has left yet, and otherwise is gone; no later FIN is answered |

use super::config::{DEFAULT_LINGER, Peer};
use super::repeat::Repeat;
use crate::arq::Rtt;
use crate::{ClockShift, Duration, Instant};

/// Our direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outgoing {
    Open,
    /// `close` was called; something is not acknowledged yet.
    Closing,
    FinSent,
    Closed,
    /// One FIN, whatever comes.
    Aborted,
}

/// The closing of both directions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Close {
    peer: Peer,
    outgoing: Outgoing,
    fin: Repeat,
    incoming_closed: bool,
    finack_due: bool,
    finack_sent: bool,
    /// Since when we wait for a FIN that is repeated: when the last one came that we answer.
    last_fin: Option<Instant>,
    /// The peer has finished and forgotten us: nothing may be sent to it any more.
    peer_gone: bool,
}

impl Close {
    /// `closes`: our direction was closed while the connection opened.
    pub(crate) fn new(peer: Peer, closes: bool) -> Self {
        Self {
            peer,
            outgoing: if closes { Outgoing::Closing } else { Outgoing::Open },
            fin: Repeat::default(),
            incoming_closed: false,
            finack_due: false,
            finack_sent: false,
            last_fin: None,
            peer_gone: false,
        }
    }

    /// Whether the application may still send.
    pub(crate) fn is_open(&self) -> bool {
        self.outgoing == Outgoing::Open
    }

    /// Whether a FIN of ours waits for its answer.
    pub(crate) fn is_outstanding(&self) -> bool {
        self.outgoing == Outgoing::FinSent
    }

    /// Whether the peer's direction has ended.
    pub(crate) const fn is_incoming_closed(&self) -> bool {
        self.incoming_closed
    }

    /// Whether both directions have ended.
    pub(crate) fn is_finished(&self) -> bool {
        self.incoming_closed && self.outgoing == Outgoing::Closed
    }

    /// The application closes our direction.
    pub(crate) fn close(&mut self) {
        if self.outgoing == Outgoing::Open {
            self.outgoing = Outgoing::Closing;
        }
    }

    /// The application gives up: one FIN, if the peer has not heard of that already, and no more.
    pub(crate) fn abort(&mut self) {
        self.fin.stop();
        // A peer that bounds how often a FIN is sent gets no further one.
        let told = self.outgoing == Outgoing::Closed || (self.peer.fin_tries().is_some() && self.fin.sent() > 0);
        self.outgoing = Outgoing::Aborted;
        if !told {
            self.fin.request();
        }
    }

    /// Everything that was written has been acknowledged.
    pub(crate) fn on_all_acknowledged(&mut self) {
        if self.outgoing == Outgoing::Closing {
            self.outgoing = Outgoing::FinSent;
            self.fin.request();
        }
    }

    /// A FIN has come. Returns whether it is answered.
    pub(crate) fn on_fin(&mut self, now: Instant) -> bool {
        if self.peer_gone {
            return false;
        }
        self.incoming_closed = true;
        self.finack_due = true;
        self.last_fin = Some(now);
        if self.peer.one_fin_closes_both() {
            self.close_outgoing();
        }
        true
    }

    /// A FINACK has come. Returns whether it answers anything.
    pub(crate) fn on_finack(&mut self, now: Instant) -> bool {
        // One that comes before our FIN has left is a late copy from an earlier connection.
        let answers = self.outgoing == Outgoing::FinSent && self.fin.sent() > 0;
        if answers {
            self.close_outgoing();
        }
        if !self.peer.one_fin_closes_both() || !(answers || self.incoming_closed) {
            return answers;
        }
        let first = !self.peer_gone;
        if first {
            self.peer_gone = true;
            // It waits for one of ours, or has got it: a second one might reach a peer that has finished.
            self.finack_due = !self.finack_sent;
            self.incoming_closed = true;
            self.last_fin.get_or_insert(now);
        }
        first
    }

    fn close_outgoing(&mut self) {
        self.outgoing = Outgoing::Closed;
        self.fin.stop();
    }

    pub(crate) fn is_fin_due(&self) -> bool {
        self.fin.is_due()
    }

    pub(crate) const fn is_finack_due(&self) -> bool {
        self.finack_due
    }

    pub(crate) fn on_finack_sent(&mut self) {
        self.finack_due = false;
        self.finack_sent = true;
    }

    pub(crate) fn on_fin_sent(&mut self, now: Instant, rtt: &mut Rtt) {
        if self.outgoing == Outgoing::Aborted {
            self.fin.stop();
            return;
        }
        let deadline = match self.peer.fin_tries() {
            Some((_, interval)) => now + interval,
            // Never so seldom that the peer's linger could end between two of them, whatever the backing off.
            None => rtt.deadline(now, self.fin.sent(), longest_fin_interval(rtt)),
        };
        self.fin.on_sent(deadline);
    }

    /// Returns whether the retransmission timer expired.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let expired = self.fin.handle_timeout(now);
        if expired && self.peer.fin_tries().is_some_and(|(tries, _)| self.fin.sent() >= tries) {
            self.close_outgoing();
            if self.peer.one_fin_closes_both() {
                // Silence from here on, but a FIN of its own that comes yet is answered.
                self.incoming_closed = true;
                self.last_fin = Some(now);
            }
        }
        expired
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.fin.poll_timeout()
    }

    /// How long to stay after the end, to answer a repeated FIN.
    pub(crate) fn linger_end(&self, linger: Duration) -> Option<Instant> {
        self.last_fin.map(|fin| fin + linger)
    }

    /// `longest`: the longest linger that is still possible.
    pub(crate) fn rebase(&mut self, shift: ClockShift, longest: Duration) {
        self.fin.rebase(shift);
        self.last_fin = self.last_fin.map(|at| shift.aged(at, longest));
    }
}

/// How long a FIN is answered after the last one: three timeouts, and `least`. The peer computes its own from its own
/// measurements; on one path they are alike.
pub(crate) fn linger(least: Duration, rtt: &Rtt) -> Duration {
    rtt.rto().saturating_mul(3).max(least)
}

/// The same, whatever will be measured yet.
pub(crate) fn longest_linger(least: Duration, rtt: &Rtt) -> Duration {
    rtt.ceiling().saturating_mul(3).max(least)
}

/// A third of how long a peer lingers at the least. Its own timeout may be far shorter than ours, which stands at its
/// initial value on a side that only received; so only a timeout that was measured lengthens the interval.
fn longest_fin_interval(rtt: &Rtt) -> Duration {
    let shortest = Duration::from_micros(DEFAULT_LINGER.as_micros() / 3);
    rtt.srtt().map_or(shortest, |_| rtt.rto().max(shortest))
}
