//! The start of another path, on which the peer is now reached.

use super::scoreboard::{Flight, Memory};
use super::sender::Sender;
use super::timers::Timers;
use crate::congestion::Congestion;
use crate::{Instant, Seq};

impl<M: Memory, C: Congestion> Sender<M, C> {
    /// Makes a probe due at once, if something is outstanding.
    pub(super) fn probe(&mut self) {
        if self.scoreboard.outstanding() + self.scoreboard.lost() > 0 {
            self.timers = Timers::default();
            self.timers.on_probe_timeout();
        }
    }

    /// Declares lost what left before the datagram with the counter `received`, or all that is in flight.
    ///
    /// The peer has left its path. It fills no window of the new path and is no loss of it, so the controller does not
    /// hear of it (RFC 9000 §9.4).
    pub(super) fn abandon_flight(&mut self, received: Option<u32>) {
        let until = received.and_then(|counter| self.scoreboard.time_of(counter));
        for flight in [Flight::Originals, Flight::Retransmissions] {
            while let Some(number) = self.scoreboard.oldest(flight) {
                let sent_at = self.scoreboard.record(number).sent_at;
                if until.is_some_and(|until| sent_at >= until) {
                    break;
                }
                self.declare_oldest_lost(flight);
            }
        }
        self.recovery_end = Some(self.scoreboard.next());
        self.repeats_abandoned = true;
    }

    /// Whether `number` may have left on a path that the peer has left. It was not lost there, so an acknowledgement of
    /// an earlier transmission is no evidence of reordering.
    pub(super) fn may_be_abandoned(&self, number: Seq) -> bool {
        self.repeats_abandoned && self.recovery_end.is_some_and(|end| number.precedes(end))
    }

    /// Starts to measure another path.
    pub(super) fn start_path(&mut self, now: Instant) {
        self.largest_measured = 0;
        // The answers to larger datagrams of the earlier path are not awaited. 0 would announce the handshake again.
        self.largest_outstanding = self.largest_outstanding.min(1);
        self.congestion.start_path(now);
        self.update_rate(now);
    }
}

#[cfg(test)]
mod tests {
    use crate::Seq;
    use crate::arq::selective_repeat::fixtures::{at, extended, sack, send};
    use crate::arq::{Arq, Sending};

    /// Regression: what was in flight on the old path filled the window of the new one until a timeout.
    #[test]
    fn rfc9000_9_4_what_is_in_flight_on_the_old_path_is_sent_again_at_once() {
        let (mut machine, mut rtt) = extended(&[10]);
        let end = Seq::new(5);
        while send(&mut machine, at(0), end, &mut rtt).is_some() {}
        assert_eq!(machine.snapshot().in_flight, 500);
        machine.probe();
        assert_eq!(machine.next_info(at(20), end), Some(Seq::new(4)), "a probe repeats the last number");
        machine.on_info_sent(Sending { now: at(20), number: Seq::new(4), counter: 5, bytes: 100, end }, &mut rtt);
        machine.abandon_flight(Some(5));
        machine.start_path(at(30));
        assert_eq!((machine.snapshot().in_flight, machine.snapshot().lost), (100, 0));
        let again: std::vec::Vec<u32> =
            core::iter::from_fn(|| send(&mut machine, at(30), end, &mut rtt)).map(Seq::value).collect();
        assert_eq!(again, [0, 1, 2, 3]);
    }

    /// Regression: a late acknowledgement of what had arrived on the old path counted as proof of reordering, for the
    /// rest of the connection.
    #[test]
    fn what_had_arrived_on_the_old_path_is_no_spurious_loss() {
        for repeats in [0, 2] {
            let (mut machine, mut rtt) = extended(&[10]);
            let end = Seq::new(6);
            while send(&mut machine, at(0), Seq::new(5), &mut rtt).is_some() {}
            machine.abandon_flight(None);
            machine.start_path(at(20));
            for number in 0..repeats {
                assert_eq!(send(&mut machine, at(20), end, &mut rtt), Some(Seq::new(number)));
            }
            machine.handle_ack(at(25), &sack(4, 0, &[0b1_1111]), &mut rtt);
            assert_eq!(machine.snapshot().spurious, 0, "{repeats} repeats");
            // A loss of the new path counts again.
            assert_eq!(send(&mut machine, at(30), end, &mut rtt), Some(Seq::new(5)));
            assert!(!machine.sender.repeats_abandoned);
        }
    }
}
