//! How a connection closes: FIN and FINACK each way, loss, lingering, abort.

use crate::states::states;
use harness::base::*;
use rdt_proto::Duration;
use rdt_proto::connection::{CloseReason, Config, Event, Handled, Ignored, SendError};
use rdt_proto::wire::Packet;

/// Regression: a FINACK counted as the answer to a FIN that had not been sent yet, so the FIN was never sent.
#[test]
fn a_finack_before_our_fin_answers_nothing() {
    let mut client = BaseTrace::established_client(Config::base());
    client.machine.close();
    client.ignores(FINACK, Ignored::State);
    client.expect(FIN);
    client.peer_sends(FINACK);
    client.expect_nothing();
}

/// Without an RTT sample, FIN is repeated every third of a second: three times within the default linger.
///
/// Regression: the first repetition followed after a second, when the linger of a peer with a short RTT had just ended.
#[test]
fn without_an_rtt_sample_a_fin_repeats_three_times_in_a_linger() {
    let mut server = BaseTrace::established_server(Config::base());
    server.peer_sends(FIN);
    server.expect(FINACK);
    server.machine.close();
    server.expect(FIN);
    for _ in 0..10 {
        server.sleep(333, 355);
        server.expect(FIN);
    }
}

/// Regression: `abort` has no time argument, so the quarantine began at the time of the previous call. It could be over
/// already.
#[test]
fn quarantine_after_abort_begins_when_the_fin_is_sent() {
    let mut client = BaseTrace::established_client(Config::base());
    client.now = client.now + Duration::from_secs(20);
    client.machine.abort(0);
    client.expect(FIN);
    assert_eq!(client.machine.quarantine_end(), Some(client.now + Duration::from_secs(1)));
}

#[test]
fn the_first_side_to_close_waits_for_the_peers_fin() {
    let mut client = BaseTrace::established_client(Config::base());
    assert_eq!(client.machine.send(b"bye"), Ok(3));
    client.machine.close();
    assert_eq!(client.machine.send(b"!"), Err(SendError::Closing));
    assert_eq!(client.machine.send_segment(b"!"), Err(SendError::Closing));
    assert_eq!(client.machine.send_slot(), Err(SendError::Closing));
    assert_eq!(client.machine.commit(1), Err(SendError::Closing));
    client.expect(info(1, b"bye"));
    client.expect_nothing();
    client.peer_sends(ack(1));
    client.expect(FIN);
    client.peer_sends(FINACK);
    client.expect_nothing();
    client.expect_no_event();
    client.peer_sends(FIN);
    client.expect_event(Event::PeerClosed);
    client.expect_event(Event::Closed(CloseReason::Finished));
    client.expect_no_event();
    client.expect(FINACK);
    client.expect_nothing();
    assert_eq!(client.machine.send(b"!"), Err(SendError::Closed));
    assert!(!client.machine.is_drained(), "the connection lingers");
}

#[test]
fn a_side_that_closes_long_after_the_peers_fin_does_not_linger() {
    let mut server = BaseTrace::established_server(Config::base());
    server.peer_sends(FIN);
    server.expect_event(Event::PeerClosed);
    server.expect(FINACK);
    assert!(server.machine.is_finished_reading());
    server.elapse(5_000);
    server.machine.close();
    server.expect(FIN);
    server.peer_sends(FINACK);
    server.expect_event(Event::Closed(CloseReason::Finished));
    server.expect_no_event();
    assert!(server.machine.is_drained());
    assert_eq!(server.machine.poll_timeout(), None);
}

#[test]
fn one_direction_closes_while_data_flows_the_other_way() {
    let mut server = BaseTrace::established_server(Config::base());
    server.machine.close();
    server.expect(FIN);
    server.peer_sends(FINACK);
    server.peer_sends(info(1, b"still"));
    server.expect(ack(1));
    server.elapse(20_000);
    server.peer_sends(info(2, b" here"));
    server.expect(ack(2));
    assert_eq!(server.read(), b"still here");
    server.peer_sends(FIN);
    server.expect(FINACK);

    let mut client = BaseTrace::established_client(Config::base());
    client.peer_sends(FIN);
    client.expect(FINACK);
    assert_eq!(client.machine.send(b"still"), Ok(5));
    client.expect(info(1, b"still"));
    client.ignores(info(0, b"after FIN"), Ignored::State);
    client.peer_sends(ack(1));
    client.machine.close();
    client.expect(FIN);
}

#[test]
fn both_sides_close_at_once() {
    let mut client = BaseTrace::established_client(Config::base());
    client.machine.close();
    client.expect(FIN);
    client.peer_sends(FIN);
    client.expect(FINACK);
    client.expect_event(Event::PeerClosed);
    client.expect_no_event();
    client.peer_sends(FINACK);
    client.expect_event(Event::Closed(CloseReason::Finished));
    client.expect_no_event();
    client.expect_nothing();
}

#[test]
fn a_pending_finack_is_sent_after_the_end() {
    let mut client = BaseTrace::established_client(Config::base());
    client.machine.close();
    client.expect(FIN);
    client.peer_sends(FIN);
    client.peer_sends(FINACK);
    assert_eq!(client.machine.ended(), Some(CloseReason::Finished));
    client.machine.handle_timeout(client.now);
    client.expect(FINACK);
    client.expect_nothing();
}

#[test]
fn a_lost_fin_is_repeated_until_it_is_answered() {
    let mut client = BaseTrace::established_client(Config::base());
    client.machine.close();
    client.expect(FIN);
    for doubled in [30, 60, 120, 240, 333, 333, 333] {
        client.sleep(doubled, doubled + doubled / 16 + 1);
        client.expect(FIN);
    }
    client.peer_sends(FINACK);
    client.ignores(FINACK, Ignored::State);
    client.expect_nothing();
}

#[test]
fn a_repeated_fin_is_answered_and_prolongs_the_linger() {
    let mut client = BaseTrace::established_client(Config::base());
    client.machine.close();
    client.expect(FIN);
    client.peer_sends(FINACK);
    client.peer_sends(FIN);
    client.expect(FINACK);
    for _ in 0..3 {
        client.elapse(900);
        assert!(!client.machine.is_drained());
        client.peer_sends(FIN);
        client.expect(FINACK);
        client.expect_nothing();
    }
    client.ignores(FINACK, Ignored::Closed);
    client.sleep(1_000, 1_000);
    assert!(client.machine.is_drained());
    client.ignores(FIN, Ignored::Closed);
    client.expect_nothing();
    assert_eq!(client.machine.poll_timeout(), None);
    client.expect_event(Event::PeerClosed);
    client.expect_event(Event::Closed(CloseReason::Finished));
    client.expect_no_event();
}

/// Expects FIN at each deadline until the connection ends. Returns the elapsed milliseconds.
fn repeat_fin_until_the_end(side: &mut BaseTrace) -> u64 {
    let start = side.now;
    side.expect(FIN);
    loop {
        side.sleep(1, 400);
        if side.machine.ended().is_some() {
            return side.now.saturating_since(start).as_millis();
        }
        side.expect(FIN);
    }
}

#[test]
fn a_fin_without_answer_times_out() {
    let mut client = BaseTrace::established_client(Config::base());
    client.machine.close();
    assert_eq!(repeat_fin_until_the_end(&mut client), 30_000);
    client.expect_event(Event::Closed(CloseReason::TimedOut));
    client.expect_no_event();
    assert!(client.machine.is_drained());
}

#[test]
fn an_unanswered_fin_ends_normally_after_the_peers_fin() {
    let mut server = BaseTrace::established_server(Config::base());
    server.peer_sends(FIN);
    server.expect(FINACK);
    server.expect_event(Event::PeerClosed);
    server.machine.close();
    // Regression: 30 s. After four lingers the peer is gone.
    assert_eq!(repeat_fin_until_the_end(&mut server), 4_000);
    server.expect_event(Event::Closed(CloseReason::Finished));
    assert!(server.machine.is_drained());
}

#[test]
fn unanswered_data_times_out_even_if_the_peer_has_closed() {
    let mut client = BaseTrace::established_client(Config::base());
    client.peer_sends(FIN);
    client.expect(FINACK);
    assert_eq!(client.machine.send(b"x"), Ok(1));
    client.machine.close();
    client.expect(info(1, b"x"));
    while client.machine.ended().is_none() {
        client.sleep(1, 8_000);
        if client.machine.ended().is_none() {
            client.expect(info(1, b"x"));
        }
    }
    client.expect_event(Event::PeerClosed);
    client.expect_event(Event::Closed(CloseReason::TimedOut));
}

#[test]
fn abort_sends_one_fin_and_nothing_else_ever() {
    let mut client = BaseTrace::established_client(Config::base());
    assert_eq!(client.machine.send(b"lost"), Ok(4));
    client.machine.abort(0);
    client.expect_event(Event::Closed(CloseReason::Aborted));
    client.expect_no_event();
    client.expect(FIN);
    client.expect_nothing();
    assert!(client.machine.is_drained());
    assert_eq!(client.machine.poll_timeout(), None);
    for packet in [FIN, FINACK, info(0, b"x"), ack(1), CONNACK] {
        client.ignores(packet, Ignored::Closed);
        client.expect_nothing();
    }
    client.machine.abort(0);
    client.machine.close();
    client.expect_nothing();
    client.expect_no_event();
    assert_eq!(client.machine.ended(), Some(CloseReason::Aborted));
}

#[test]
fn abort_after_close_sends_a_fin_again_unless_it_was_answered() {
    let mut client = BaseTrace::established_client(Config::base());
    client.machine.close();
    client.expect(FIN);
    client.machine.abort(0);
    client.expect(FIN);
    client.expect_nothing();
    assert_eq!(client.machine.poll_timeout(), None);

    let mut client = BaseTrace::established_client(Config::base());
    client.machine.close();
    client.expect(FIN);
    client.peer_sends(FINACK);
    client.machine.abort(0);
    client.expect_nothing();
    assert!(client.machine.is_drained());
}

#[test]
fn closing_twice_closes_once() {
    let mut client = BaseTrace::established_client(Config::base());
    client.machine.close();
    client.machine.close();
    client.expect(FIN);
    client.machine.close();
    client.expect_nothing();
    client.peer_sends(FINACK);
    client.machine.close();
    client.expect_nothing();
}

/// The table holds the reaction to each packet in each state.
///
/// `+` means that the packet is accepted, and the packets sent in answer follow. Otherwise an entry is the reason to
/// ignore the packet.
#[test]
fn every_packet_in_every_state() {
    let packets = [
        CONNECT,
        CONNACK,
        info(1, b"next"),
        info(0, b"old"),
        info(2, b"ahead"),
        ack(1),
        ack(0),
        FIN,
        FINACK,
        Packet::Reset { code: 0 },
    ];
    #[rustfmt::skip]
    let table = [
        //                      CONNECT        CONNACK   next           old       ahead          ACK 1        ACK 0     FIN       FINACK    RESET
        ("connecting",         ["Role",        "+Info",  "State",       "State",  "State",       "State",     "State",  "State",  "State",  "Mode"]),
        ("confirming",         ["+ConnAck",    "Role",   "BeyondWindow", "+Ack",  "BeyondWindow", "State",    "State",  "State",  "State",  "Mode"]),
        ("established client", ["Role",        "State",  "+Ack",        "+Ack",   "BeyondWindow", "NeverSent", "OldAck", "+FinAck", "State", "Mode"]),
        ("established server", ["LateConnect", "Role",   "+Ack",        "+Ack",   "BeyondWindow", "NeverSent", "OldAck", "+FinAck", "State", "Mode"]),
        ("outstanding",        ["Role",        "State",  "+Ack",        "+Ack",   "BeyondWindow", "+",        "OldAck", "+FinAck", "State", "Mode"]),
        ("closing",            ["Role",        "State",  "+Ack",        "+Ack",   "BeyondWindow", "+Fin",     "OldAck", "+FinAck", "State", "Mode"]),
        ("fin sent",           ["Role",        "State",  "+Ack",        "+Ack",   "BeyondWindow", "NeverSent", "OldAck", "+FinAck", "+",    "Mode"]),
        ("fin answered",       ["Role",        "State",  "+Ack",        "+Ack",   "BeyondWindow", "NeverSent", "OldAck", "+FinAck", "State", "Mode"]),
        ("peer closed",        ["LateConnect", "Role",   "State",       "State",  "State",       "NeverSent", "OldAck", "+FinAck", "State", "Mode"]),
        ("last fin",           ["LateConnect", "Role",   "State",       "State",  "State",       "NeverSent", "OldAck", "+FinAck", "+",     "Mode"]),
        ("lingering",          ["Closed",      "Closed", "Closed",      "Closed", "Closed",      "Closed",    "Closed", "+FinAck", "Closed", "Mode"]),
        ("drained",            ["Closed",      "Closed", "Closed",      "Closed", "Closed",      "Closed",    "Closed", "Closed", "Closed", "Mode"]),
        ("aborted",            ["Closed",      "Closed", "Closed",      "Closed", "Closed",      "Closed",    "Closed", "Closed", "Closed", "Mode"]),
    ];
    for (index, (name, row)) in table.into_iter().enumerate() {
        for (packet, expected) in packets.into_iter().zip(row) {
            let (state, mut side) = states().swap_remove(index);
            assert_eq!(state, name);
            let done = match side.receive(packet) {
                Handled::Ignored(reason) => format!("{reason:?}"),
                Handled::Accepted => side.drain_names().iter().fold("+".to_owned(), |all, sent| all + sent),
            };
            assert_eq!(done, expected, "{packet:?} while {name}");
            side.expect_nothing();
            // The connection drains after a second copy of the packet, an abort and a timeout.
            side.receive(packet);
            side.machine.abort(0);
            side.drain_names();
            side.machine.handle_timeout(side.now);
            side.elapse(5_000);
            assert!(side.machine.is_drained(), "{packet:?} while {name}");
        }
    }
}
