//! The rules of closing a connection with the public implementation.
//!
//! The server of this implementation forgets the address of a client once the connection has finished. If a packet
//! other than CONNECT then arrives from this address, the server crashes for all clients. So our side must send nothing
//! after the peer has finished.

use crate::methods::*;
use harness::base::*;
use rdt_proto::Duration;
use rdt_proto::connection::{CloseReason, Config, Event, Ignored};

// The rules of both methods.

#[test]
fn a_fin_is_sent_five_times_and_then_counts_as_answered() {
    for mut trace in closing(selective_repeat()) {
        for _ in 0..4 {
            trace.sleep(1_000, 1_000);
            trace.expect(FIN);
        }
        trace.sleep(1_000, 1_000);
        assert_eq!(trace.machine.ended(), Some(CloseReason::Finished));
        trace.elapse(6_000);
        is_silent_for_ever(&mut trace);
    }
    for mut trace in closing(stop_and_wait()) {
        for _ in 0..4 {
            trace.sleep(1_000, 1_000);
            trace.expect(FIN);
        }
        trace.sleep(1_000, 1_000);
        trace.expect_nothing();
        assert_eq!(trace.machine.ended(), None, "the other direction has not ended");
        trace.elapse(20_000);
        trace.peer_sends(FIN);
        trace.expect(FINACK);
        assert_eq!(trace.machine.ended(), Some(CloseReason::Finished));
        trace.elapse(6_000);
        is_silent_for_ever(&mut trace);
    }
}

#[test]
fn a_finished_connection_lingers_for_5_s_after_the_last_fin() {
    for config in [selective_repeat(), stop_and_wait()] {
        for linger in [Duration::ZERO, Duration::from_secs(2)] {
            let mut trace = BaseTrace::established_server(Config { linger, ..config });
            trace.machine.close();
            trace.peer_sends(FIN);
            while trace.machine.poll_transmit(trace.now, &mut [0; 99]).unwrap().is_some() {}
            if trace.machine.ended().is_none() {
                trace.peer_sends(FINACK);
            }
            assert_eq!(trace.machine.ended(), Some(CloseReason::Finished));
            for _ in 0..3 {
                trace.elapse(4_999);
                assert!(!trace.machine.is_drained());
                trace.peer_sends(FIN);
                trace.expect(FINACK);
            }
            trace.sleep(5_000, 5_000);
            assert!(trace.machine.is_drained());
            trace.ignores(FIN, Ignored::Closed);
            trace.expect_nothing();
        }
    }
}

#[test]
fn abort_sends_no_second_fin() {
    for config in [selective_repeat(), stop_and_wait()] {
        for mut trace in closing(config) {
            trace.elapse(900);
            trace.machine.abort(0);
            trace.expect_event(Event::Closed(CloseReason::Aborted));
            is_silent_for_ever(&mut trace);
        }
        for mut trace in established(config) {
            trace.machine.abort(0);
            trace.expect(FIN);
            is_silent_for_ever(&mut trace);
        }
    }
}

#[test]
fn a_finack_before_our_fin_is_sent_is_ignored() {
    for config in [selective_repeat(), stop_and_wait()] {
        for mut trace in established(config) {
            trace.ignores(FINACK, Ignored::State);
            trace.machine.close();
            trace.ignores(FINACK, Ignored::State);
            trace.expect(FIN);
            trace.expect_nothing();
        }
    }
}

#[test]
fn a_fin_before_the_handshake_is_done_is_not_answered() {
    for config in [selective_repeat(), stop_and_wait()] {
        let mut client = BaseTrace::client(config);
        client.expect(CONNECT);
        client.ignores(FIN, Ignored::State);
        client.expect_nothing();
        client.machine.abort(0);
        is_silent_for_ever(&mut client);
        let mut server = BaseTrace::server(config);
        server.expect(CONNACK);
        server.ignores(FIN, Ignored::State);
        server.expect_nothing();
        server.machine.abort(0);
        is_silent_for_ever(&mut server);
    }
}

#[test]
fn nothing_is_sent_after_the_idle_limit() {
    for config in [selective_repeat(), stop_and_wait()] {
        for mut trace in established(config) {
            assert_eq!(trace.machine.send(b"x"), Ok(1));
            let mut sent = 0;
            while trace.machine.ended().is_none() {
                while trace.machine.poll_transmit(trace.now, &mut [0; 99]).unwrap().is_some() {
                    sent += 1;
                }
                trace.now = trace.machine.poll_timeout().unwrap();
                trace.machine.handle_timeout(trace.now);
            }
            assert!(sent > 3, "only {sent} datagrams were sent");
            assert_eq!(trace.machine.ended(), Some(CloseReason::TimedOut));
            is_silent_for_ever(&mut trace);
        }
    }
}

// The rules of selective repeat.

#[test]
fn sr_after_a_fin_of_the_peer_only_finacks_are_sent() {
    for mut trace in established(selective_repeat()) {
        // An ACK, an INFO and a FIN are pending.
        trace.peer_sends(info(trace.next_of_peer(), b"data"));
        assert_eq!(trace.machine.send(b"unsent"), Ok(6));
        trace.machine.close();
        trace.peer_sends(FIN);
        trace.expect(FINACK);
        trace.expect_nothing();
        assert_eq!(trace.machine.ended(), Some(CloseReason::PeerLeft));
        assert_eq!(trace.read(), b"data");
        for _ in 0..3 {
            trace.elapse(1_500);
            trace.peer_sends(FIN);
            trace.expect(FINACK);
            trace.expect_nothing();
        }
        trace.ignores(info(2, b"late"), Ignored::Closed);
        trace.elapse(5_000);
        is_silent_for_ever(&mut trace);
    }
}

#[test]
fn sr_a_fin_of_the_peer_stops_all_our_retransmissions() {
    for mut trace in closing(selective_repeat()) {
        trace.elapse(300);
        trace.peer_sends(FIN);
        trace.expect(FINACK);
        trace.elapse(4_000);
        assert_eq!(trace.machine.ended(), Some(CloseReason::Finished));
        trace.elapse(2_000);
        is_silent_for_ever(&mut trace);
    }
    for mut trace in closing(selective_repeat()) {
        // The timer of our FIN has expired already.
        trace.now = trace.machine.poll_timeout().unwrap();
        trace.machine.handle_timeout(trace.now);
        trace.peer_sends(FIN);
        trace.expect(FINACK);
        trace.elapse(6_000);
        is_silent_for_ever(&mut trace);
    }
    for mut trace in established(selective_repeat()) {
        assert_eq!(trace.machine.send(b"x"), Ok(1));
        let number = trace.next_of_ours();
        trace.expect(info(number, b"x"));
        trace.peer_sends(FIN);
        trace.expect(FINACK);
        trace.elapse(6_000);
        assert_eq!(trace.machine.ended(), Some(CloseReason::PeerLeft));
        is_silent_for_ever(&mut trace);
    }
}

#[test]
fn sr_a_finack_without_a_fin_is_answered_with_one_finack() {
    for mut trace in closing(selective_repeat()) {
        trace.elapse(40);
        trace.peer_sends(FINACK);
        trace.expect(FINACK);
        trace.expect_nothing();
        assert_eq!(trace.machine.ended(), Some(CloseReason::Finished));
        assert!(!trace.machine.is_drained(), "the connection lingers");
        trace.ignores(FIN, Ignored::Closed);
        trace.expect_nothing();
        trace.sleep(4_900, 5_000);
        is_silent_for_ever(&mut trace);
    }
}

#[test]
fn sr_after_a_finack_no_fin_is_answered() {
    // The peer has sent FIN, received our FINACK, sent FINACK, and finished. A FIN that arrives later was reordered.
    for mut trace in established(selective_repeat()) {
        trace.peer_sends(FIN);
        trace.expect(FINACK);
        trace.peer_sends(FINACK);
        trace.expect_nothing();
        trace.ignores(FIN, Ignored::Closed);
        trace.expect_nothing();
        is_silent_for_ever(&mut trace);
    }
}

#[test]
fn sr_a_finack_cancels_the_answer_to_a_repeated_fin() {
    // The peer repeated its FIN before our FINACK arrived. Its FINACK shows that our FINACK has arrived since then.
    for mut trace in established(selective_repeat()) {
        trace.peer_sends(FIN);
        trace.expect(FINACK);
        trace.elapse(1_500);
        trace.peer_sends(FIN);
        trace.peer_sends(FINACK);
        trace.expect_nothing();
        is_silent_for_ever(&mut trace);
    }
}

#[test]
fn sr_a_finack_cancels_an_answer_pending_after_the_linger() {
    // Nothing could be sent during the linger, because the driver was busy or the socket was blocked.
    for mut trace in established(selective_repeat()) {
        trace.peer_sends(FIN);
        trace.expect(FINACK);
        trace.peer_sends(FIN);
        trace.now = trace.now + Duration::from_secs(6);
        trace.machine.handle_timeout(trace.now);
        trace.peer_sends(FINACK);
        trace.expect_nothing();
        trace.elapse(6_000);
        is_silent_for_ever(&mut trace);
    }
}

#[test]
fn sr_if_fins_cross_a_finack_does_not_cancel_our_answer() {
    // As in the recorded upload, FIN and FINACK of the peer arrive together. The peer still waits for our FINACK.
    for mut trace in closing(selective_repeat()) {
        trace.peer_sends(FIN);
        trace.peer_sends(FINACK);
        trace.expect(FINACK);
        trace.expect_nothing();
        assert_eq!(trace.machine.ended(), Some(CloseReason::Finished));
        is_silent_for_ever(&mut trace);
    }
}

#[test]
fn sr_if_fins_cross_a_finack_may_overtake_the_fin() {
    for mut trace in closing(selective_repeat()) {
        trace.peer_sends(FINACK);
        trace.ignores(FIN, Ignored::Closed);
        trace.expect(FINACK);
        trace.expect_nothing();
        is_silent_for_ever(&mut trace);
    }
}

#[test]
fn sr_a_fin_after_our_fifth_fin_is_still_answered_once() {
    let given_up = || {
        closing(selective_repeat()).map(|mut trace| {
            for _ in 0..4 {
                trace.sleep(1_000, 1_000);
                trace.expect(FIN);
            }
            trace.sleep(1_000, 1_000);
            trace.elapse(500);
            trace
        })
    };
    for mut trace in given_up() {
        trace.peer_sends(FIN);
        trace.expect(FINACK);
        trace.peer_sends(FINACK);
        is_silent_for_ever(&mut trace);
    }
    for mut trace in given_up() {
        trace.peer_sends(FINACK);
        trace.expect(FINACK);
        is_silent_for_ever(&mut trace);
    }
}

#[test]
fn sr_a_fin_of_the_peer_cancels_the_fin_of_an_abort() {
    for mut trace in established(selective_repeat()) {
        trace.machine.abort(0);
        trace.peer_sends(FIN);
        trace.expect(FINACK);
        trace.expect_nothing();
        trace.elapse(6_000);
        is_silent_for_ever(&mut trace);
    }
}
