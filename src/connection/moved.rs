//! The move of the peer to another address.
//!
//! ```text
//!  listener: moved     an acknowledgement and one probe leave at once; all else waits as before
//!      |
//!      v
//!  MOVED --SACK of what left after the move, or the old address is silent--> what left before is sent again, and
//!      |                                                                      the new path is measured
//!      +----the listener reverts---------------------------------------------> as if there had been no move
//! ```
//!
//! The new address may belong to an observer, which gets no data that nothing has asked for, and the estimates of the
//! old path survive the visit.

use super::state::{Remembered, State};
use super::{Connection, ConnectionTypes};
use crate::arq::Arq;
use crate::wire::{Sack, SackDelay};
use crate::{Instant, Seq};

impl<T: ConnectionTypes> Connection<T> {
    /// Records that the peer has moved to another address.
    ///
    /// The last acknowledgements went to the old address and are perhaps lost, so one is due at once.
    pub(crate) fn on_moved(&mut self, now: Instant) {
        self.advance(now);
        self.trace_moved();
        let counter = self.next_counter().to_be_bytes();
        if let State::Established { remembered, .. } = &mut self.state {
            *remembered = Remembered::Moved { counter };
            self.arq.request_ack();
            self.arq.probe();
        }
    }

    /// Records that the peer is back at the old address.
    pub(crate) fn on_reverted(&mut self, now: Instant) {
        self.advance(now);
        if let Some(remembered @ Remembered::Moved { .. }) = self.state.remembered_mut() {
            // The other path was never used.
            *remembered = Remembered::Nothing;
            self.trace_moved();
            self.arq.request_ack();
            self.arq.probe();
        } else {
            self.on_moved(now);
        }
    }

    /// Records that the old address is silent: the move is final.
    pub(crate) fn on_move_confirmed(&mut self, now: Instant) {
        self.advance(now);
        self.start_path(None);
    }

    /// Records that the peer has received the datagram with the counter of this SACK.
    ///
    /// After a move, the answer to what left before is no sample of the new path (RFC 9000 §9.4).
    pub(super) fn on_received_by_peer<'s>(&mut self, sack: &Sack<'s>) -> Sack<'s> {
        self.start_path(Some(sack.counter));
        match self.state.remembered_mut() {
            Some(Remembered::Moved { .. }) => Sack { delay: SackDelay::NO_SAMPLE, ..*sack },
            Some(Remembered::Nothing | Remembered::ResetToken(_)) | None => *sack,
        }
    }

    /// Starts to use the path after a move, if there was one. `received`: a counter that the peer has received.
    ///
    /// What is in flight on the old path is sent again, and the new path is measured (RFC 9000 §9.4). Another port of
    /// the same host may be another mapping of a NAT, or another path behind a relay: nothing tells which.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn start_path(&mut self, received: Option<u32>) {
        let Some(&mut Remembered::Moved { counter }) = self.state.remembered_mut() else { return };
        let counter = Seq::new(u32::from_be_bytes(counter));
        if received.is_some_and(|received| Seq::new(received).precedes(counter)) {
            return;
        }
        if let Some(remembered) = self.state.remembered_mut() {
            *remembered = Remembered::Nothing;
        }
        self.arq.abandon_flight(received);
        self.rtt.start_path();
        self.arq.start_path(self.now);
        self.search_new_path();
    }
}
