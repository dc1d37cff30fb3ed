//! The close of a connection. Each direction closes independently.
//!
//! | outgoing | `close` | all acknowledged | FINACK | the last allowed FIN times out | `abort` |
//! |---|---|---|---|---|---|
//! | `Open` | `Closing` | | | | `Aborted`, FIN due |
//! | `Closing` | | `FinSent`, FIN due | | | `Aborted`, FIN due |
//! | `FinSent`, FIN repeated | | | `Closed`, if FIN was sent | `Closed` | `Aborted`, FIN due, but see `Close::abort` |
//! | `Closed` | | | | | `Aborted` |
//! | `Aborted` | | | | | |
//!
//! | incoming | FIN | FINACK is sent | FINACK from a rostov peer, selective repeat |
//! |---|---|---|---|
//! | (open) | `FinAckDue` | | `FinalFinAckDue`, if it answers our FIN |
//! | `FinAckDue` | `FinAckDue` | `FinAckSent` | `FinalFinAckDue` |
//! | `FinAckSent` | `FinAckDueAgain` | | `Gone` |
//! | `FinAckDueAgain` | `FinAckDueAgain` | `FinAckSent` | `Gone` |
//! | `Presumed` | `FinAckDue` | | `FinalFinAckDue` |
//! | `FinalFinAckDue` | ignored | `Gone` | ignored |
//! | `Gone` | ignored | | ignored |
//!
//! In extended mode FIN leaves in [rounds](Rtt::small_packet_deadline) of copies, as many as the losses need.
//!
//! A rostov peer, which runs the public Python implementation, needs other rules. Our FIN is sent at most 5 times, 1 s
//! apart, and then counts as answered. The linger is at least 5 s. If the peer uses selective repeat, three more rules
//! apply:
//!
//! - The peer's FIN closes our outgoing direction too. Afterwards this side sends only FINACK.
//! - When our last FIN counts as answered, the peer's FIN counts as received (`Presumed`).
//! - The peer's FINACK is its last packet. If this side has not sent a FINACK before, the peer still waits for one
//!   (`FinalFinAckDue`). Otherwise the peer has forgotten the connection (`Gone`).

use super::config::{DEFAULT_LINGER, Peer};
use crate::time::ShortDuration;
use crate::timing::{RetransmitTimer, Rtt};
use crate::{ClockShift, Duration, Instant};

/// How often a last FIN is sent, after the peer's: for about four default lingers, or twelve timeouts.
///
/// Copies of extended mode do not count.
const MOST_LAST_FINS: u8 = 13;

/// The state of the outgoing direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outgoing {
    Open,
    /// `close` was called, but some written data is not acknowledged yet.
    Closing,
    /// FIN is due, or was sent and awaits FINACK.
    FinSent(RetransmitTimer),
    Closed,
    /// `abort` was called. At most one more FIN is sent, and no FINACK is awaited.
    Aborted {
        fin_due: bool,
    },
}

/// The incoming direction after its end. There is none while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Incoming {
    /// The start of the linger: the arrival of the last FIN that is answered or of the final FINACK, or the time from
    /// which a FIN is presumed.
    since: Instant,
    state: IncomingState,
}

/// The state of the incoming direction after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum IncomingState {
    FinAckDue,
    /// As `FinAckDue`, but this side has sent a FINACK before.
    FinAckDueAgain,
    /// The peer waits for one FINACK, and then forgets the connection.
    FinalFinAckDue,
    FinAckSent,
    /// No FIN has arrived, but one counts as received. A FIN that arrives later is answered.
    Presumed,
    /// The peer has forgotten the connection. Nothing may be sent to it.
    Gone,
}

impl IncomingState {
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

    /// The state after the peer's final FINACK; `None` if the FINACK is a duplicate.
    const fn on_final_finack(self) -> Option<Self> {
        match self {
            Self::FinAckDue | Self::Presumed => Some(Self::FinalFinAckDue),
            // The peer has received our FINACK. A second FINACK would reach a peer that has forgotten the connection.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Close {
    peer: Peer,
    outgoing: Outgoing,
    incoming: Option<Incoming>,
}

impl Close {
    /// Starts with both directions open. If `closes` is set, the outgoing direction is closing already.
    pub(crate) fn new(peer: Peer, closes: bool) -> Self {
        let outgoing = if closes { Outgoing::Closing } else { Outgoing::Open };
        Self { peer, outgoing, incoming: None }
    }

    /// Whether the application may still send.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.outgoing, Outgoing::Open)
    }

    /// Whether our FIN is due or awaits FINACK.
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

    /// Aborts. One more FIN becomes due, unless the peer has acknowledged FIN.
    pub(crate) fn abort(&mut self) {
        let fin_due = match &self.outgoing {
            Outgoing::Open | Outgoing::Closing => true,
            // If the number of FINs is bounded, abort does not add another one.
            Outgoing::FinSent(fin) => self.peer.fin_tries().is_none() || fin.sent() == 0,
            Outgoing::Closed => false,
            Outgoing::Aborted { fin_due } => *fin_due,
        };
        self.outgoing = Outgoing::Aborted { fin_due };
    }

    /// Records that all written data is acknowledged. If the outgoing direction is closing, FIN becomes due.
    pub(crate) fn on_all_acknowledged(&mut self) {
        if matches!(self.outgoing, Outgoing::Closing) {
            let mut fin = RetransmitTimer::default();
            fin.request();
            self.outgoing = Outgoing::FinSent(fin);
        }
    }

    /// Handles a FIN. Returns whether it is answered.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn on_fin(&mut self, now: Instant) -> bool {
        let first = Some(IncomingState::FinAckDue);
        let Some(state) = self.incoming.map_or(first, |fin| fin.state.on_fin()) else { return false };
        if self.incoming.is_none()
            && self.peer.fin_tries().is_none()
            && let Outgoing::FinSent(fin) = &mut self.outgoing
        {
            // From now on our FIN is the last one.
            fin.count_again();
        }
        self.incoming = Some(Incoming { since: now, state });
        if self.peer.one_fin_closes_both() {
            self.outgoing = Outgoing::Closed;
        }
        true
    }

    /// Handles a FINACK. Returns whether it changes anything.
    pub(crate) fn on_finack(&mut self, now: Instant) -> bool {
        // A FINACK that arrives before our FIN is sent is a late copy from an earlier connection.
        let answers = matches!(&self.outgoing, Outgoing::FinSent(fin) if fin.sent() > 0);
        if answers {
            self.outgoing = Outgoing::Closed;
        }
        if !self.peer.one_fin_closes_both() || !(answers || self.is_incoming_closed()) {
            return answers;
        }
        let Some(fin) = &mut self.incoming else {
            self.incoming = Some(Incoming { since: now, state: IncomingState::FinalFinAckDue });
            return true;
        };
        let next = fin.state.on_final_finack();
        fin.state = next.unwrap_or(fin.state);
        next.is_some()
    }

    pub(crate) fn is_fin_due(&self) -> bool {
        match &self.outgoing {
            Outgoing::FinSent(fin) => fin.is_due(),
            Outgoing::Aborted { fin_due } => *fin_due,
            Outgoing::Open | Outgoing::Closing | Outgoing::Closed => false,
        }
    }

    pub(crate) fn is_finack_due(&self) -> bool {
        self.incoming.is_some_and(|fin| fin.state.is_due())
    }

    pub(crate) fn on_finack_sent(&mut self) {
        if let Some(fin) = &mut self.incoming {
            fin.state = fin.state.on_finack_sent();
        }
    }

    /// Records that FIN has left. `losses` is that of [`Arq`](crate::arq::Arq::losses); `None` in base mode.
    pub(crate) fn on_fin_sent(&mut self, now: Instant, rtt: &mut Rtt, losses: Option<u8>) {
        match &mut self.outgoing {
            Outgoing::FinSent(fin) => {
                // The backoff is bounded, so that the peer's linger does not end between two FINs.
                let longest = ShortDuration::new(longest_fin_interval(rtt));
                match (self.peer.fin_tries(), losses) {
                    (Some((_, interval)), _) => fin.on_sent(now + interval),
                    (None, None) => fin.back_off(rtt, now, longest),
                    (None, Some(losses)) => fin.on_sent(rtt.small_packet_deadline(fin.sent(), losses, now, longest)),
                }
            }
            Outgoing::Aborted { fin_due } => *fin_due = false,
            Outgoing::Open | Outgoing::Closing | Outgoing::Closed => {}
        }
    }

    /// Handles the retransmission timer of FIN. Returns whether it had expired. `losses` is that of
    /// [`on_fin_sent`](Self::on_fin_sent).
    pub(crate) fn handle_timeout(&mut self, now: Instant, losses: Option<u8>) -> bool {
        let Outgoing::FinSent(fin) = &mut self.outgoing else { return false };
        let expired = fin.handle_timeout(now);
        // A peer that answers anything but the last FIN would hold its place.
        let last = self.incoming.map(|_| MOST_LAST_FINS << losses.unwrap_or_default());
        let most = self.peer.fin_tries().map(|(tries, _)| tries).or(last);
        if expired && most.is_some_and(|most| fin.sent() >= most) {
            self.outgoing = Outgoing::Closed;
            if self.peer.one_fin_closes_both() {
                // From now on this side sends only FINACK, and only in answer to a FIN or FINACK.
                self.incoming = Some(Incoming { since: now, state: IncomingState::Presumed });
            }
        }
        expired
    }

    /// When FIN is due again.
    pub(crate) const fn fin_deadline(&self) -> Option<Instant> {
        match &self.outgoing {
            Outgoing::FinSent(fin) => fin.deadline(),
            Outgoing::Open | Outgoing::Closing | Outgoing::Closed | Outgoing::Aborted { .. } => None,
        }
    }

    /// When the linger expires; `None` while the incoming direction is open.
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

/// The longest interval between two FINs: a third of the default linger, or the measured RTO if that is longer.
///
/// The peer lingers for at least three of its own RTOs. A side that has only received data has no RTT sample. Its
/// initial RTO may be far longer than the peer's RTO, so only a measured RTO lengthens the interval.
fn longest_fin_interval(rtt: &Rtt) -> Duration {
    let shortest = Duration::from_micros(DEFAULT_LINGER.as_micros() / 3);
    rtt.srtt().map_or(shortest, |_| rtt.rto().max(shortest))
}
