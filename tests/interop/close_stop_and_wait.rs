//! The rules of closing a connection with the public implementation in stop-and-wait.
//!
//! Each side sends a FIN, and answers the FIN of the other side with one FINACK. The implementation counts an
//! unsolicited FINACK as the answer to its own FIN.

use crate::methods::*;
use harness::base::*;
use rdt_proto::connection::{CloseReason, Event, Ignored};

#[test]
fn each_fin_is_answered_by_one_finack() {
    // The peer closes first.
    for mut trace in established(stop_and_wait()) {
        trace.peer_sends(FIN);
        trace.expect_event(Event::PeerClosed);
        trace.expect(FINACK);
        trace.expect_nothing();
        let number = trace.next_of_ours();
        assert_eq!(trace.machine.send(b"more"), Ok(4), "our direction is still open");
        trace.expect(info(number, b"more"));
        trace.peer_sends(ack(number));
        trace.machine.close();
        trace.expect(FIN);
        trace.expect_nothing();
        trace.peer_sends(FINACK);
        trace.expect_nothing();
        assert_eq!(trace.machine.ended(), Some(CloseReason::Finished));
        trace.elapse(6_000);
        is_silent_for_ever(&mut trace);
    }
    // The machine closes first.
    for mut trace in closing(stop_and_wait()) {
        trace.peer_sends(FINACK);
        trace.expect_nothing();
        assert_eq!(trace.machine.ended(), None);
        let number = trace.next_of_peer();
        trace.peer_sends(info(number, b"more"));
        trace.expect(ack(number));
        trace.elapse(10_000);
        trace.peer_sends(FIN);
        trace.expect(FINACK);
        trace.expect_nothing();
        assert_eq!(trace.machine.ended(), Some(CloseReason::Finished));
        trace.elapse(6_000);
        is_silent_for_ever(&mut trace);
    }
}

#[test]
fn crossing_fins_are_answered_separately() {
    for mut trace in closing(stop_and_wait()) {
        trace.peer_sends(FIN);
        trace.expect(FINACK);
        trace.expect_nothing();
        trace.sleep(1_000, 1_000);
        trace.expect(FIN);
        trace.peer_sends(FINACK);
        trace.expect_nothing();
        assert_eq!(trace.machine.ended(), Some(CloseReason::Finished));
        trace.ignores(FINACK, Ignored::Closed);
        trace.expect_nothing();
        trace.elapse(6_000);
        is_silent_for_ever(&mut trace);
    }
}

#[test]
fn a_fin_repeated_every_two_seconds_is_answered_each_time() {
    for mut trace in established(stop_and_wait()) {
        for _ in 0..20 {
            trace.peer_sends(FIN);
            trace.expect(FINACK);
            trace.elapse(2_000);
        }
        trace.machine.close();
        trace.expect(FIN);
        trace.peer_sends(FINACK);
        for _ in 0..20 {
            trace.elapse(2_000);
            trace.peer_sends(FIN);
            trace.expect(FINACK);
            trace.expect_nothing();
        }
        trace.elapse(6_000);
        is_silent_for_ever(&mut trace);
    }
}
