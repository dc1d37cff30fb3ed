//! Data without progress: the peer answers, but acknowledges nothing new.

use harness::extended::*;
use rdt_proto::Duration;
use rdt_proto::connection::{CloseReason, Config, Event, ProgressLimits};
use rdt_proto::wire::Packet;

/// Delivers `answer` at each interval of this length, until the connection ends or `most` have passed. Returns the
/// seconds that have passed.
fn answer_each(client: &mut ExtendedTrace, millis: u64, answer: Packet<'_>, most: u64) -> u64 {
    let start = client.now;
    for _ in 0..most {
        client.elapse_with_loss(millis);
        if client.machine.ended().is_some() {
            break;
        }
        client.peer_sends(answer);
    }
    client.now.saturating_since(start).as_secs()
}

/// The backoff reaches its maximum of 7.5 s at the fifth or sixth timeout.
#[test]
fn twenty_timeouts_without_progress_end_a_connection_whose_peer_answers() {
    let mut client = ExtendedTrace::established(Config::default());
    client.sends(1, 1);
    let seconds = answer_each(&mut client, 1_000, sack(1, 0, 1, &[]), 1_000);
    assert!((80..=130).contains(&seconds), "{seconds} s");
    client.expect_event(Event::Closed(CloseReason::NoProgress));
    client.expect_nothing();
}

#[test]
fn each_new_acknowledgement_restarts_the_count_of_timeouts() {
    let mut client = ExtendedTrace::established(Config::default());
    client.sends(1, 3);
    assert_eq!(answer_each(&mut client, 1_000, sack(1, 0, 1, &[]), 80), 80);
    // INFO 2 arrives, and later INFO 1.
    client.peer_sends(sack(1, 2, 2, &[1]));
    assert_eq!(answer_each(&mut client, 1_000, sack(1, 2, 2, &[1]), 60), 60);
    client.peer_sends(sack(3, 1, 3, &[]));
    let seconds = answer_each(&mut client, 1_000, sack(3, 1, 3, &[]), 1_000);
    // The sample of INFO 1 may have doubled the longest timeout.
    assert!((60..=320).contains(&seconds), "{seconds} s");
    client.expect_event(Event::Closed(CloseReason::NoProgress));
}

/// The application of the peer may be slow. PROBE and SACK show that the peer is alive.
#[test]
fn a_closed_window_does_not_count_as_missing_progress() {
    let mut client = ExtendedTrace::established(Config::default());
    client.sends(1, 32);
    client.peer_sends(closed(33));
    client.sends(33, 32);
    client.peer_sends(closed(65));
    assert_eq!(client.machine.send(b"later"), Ok(5));
    assert_eq!(answer_each(&mut client, 1_000, closed(65), 1_000), 1_000);
    assert_eq!(client.machine.ended(), None);
}

/// Regression: a peer that only kept the connection alive was heard each 15 s, and each packet permitted one timeout to
/// count. A path that dropped all data was found out after 300 s.
#[test]
fn a_peer_that_is_seldom_heard_leaves_no_more_time() {
    let mut client = ExtendedTrace::established(Config::default());
    client.sends(1, 1);
    let seconds = answer_each(&mut client, 15_000, sack(1, 0, 1, &[]), 1_000);
    assert!((100..=150).contains(&seconds), "{seconds} s");
    client.expect_event(Event::Closed(CloseReason::NoProgress));
}

/// With a long idle limit many timeouts fit into an outage. The first packet after it shows that nothing is over.
#[test]
fn an_outage_counts_as_two_timeouts() {
    let idle_limit = Duration::from_secs(7_200);
    let mut client = ExtendedTrace::established(Config { idle_limit, ..Config::default() });
    client.sends(1, 1);
    for outage in 0..9 {
        client.elapse_with_loss(3_000_000);
        assert_eq!(client.machine.ended(), None, "outage {outage}");
        client.peer_sends(sack(1, 0, 1, &[]));
    }
    client.elapse_with_loss(3_000_000);
    client.expect_event(Event::Closed(CloseReason::NoProgress));
}

#[test]
fn data_to_a_silent_peer_ends_at_the_idle_limit_with_its_reason() {
    let mut client = ExtendedTrace::established(Config::default());
    client.sends(1, 1);
    client.elapse_with_loss(30_000);
    client.expect_event(Event::Closed(CloseReason::TimedOut));
}

#[test]
fn without_an_idle_limit_no_wait_for_progress_ends() {
    let mut client = ExtendedTrace::established(Config { idle_limit: Duration::MAX, ..Config::default() });
    client.sends(1, 1);
    assert_eq!(answer_each(&mut client, 20_000, sack(1, 0, 1, &[]), 500), 10_000);
    assert_eq!(client.machine.ended(), None);
}

/// The limits of a server whose places are scarce.
fn limited() -> Config {
    let [first, span, close] = [10, 60, 15].map(Duration::from_secs);
    Config { progress: ProgressLimits { first, span, least: 1_000, close }, ..Config::default() }
}

/// A server with these limits, whose client has confirmed the handshake and sent no data.
fn limited_server() -> ExtendedTrace {
    let mut server = ExtendedTrace::server(limited(), PARAMETERS);
    server.learns_tag();
    server.peer_sends(info(0, b""));
    server.expect_event(Event::Connected);
    server
}

/// Delivers a PROBE each second, until the connection ends or `most` have passed. Returns the seconds that have passed.
fn probe_each_second(server: &mut ExtendedTrace, most: u64) -> u64 {
    answer_each(server, 1_000, Packet::Probe { nonce: 1, for_window: false, padding: &[] }, most)
}

#[test]
fn a_client_that_only_probes_is_ended_after_the_first_limit() {
    let mut server = limited_server();
    assert_eq!(probe_each_second(&mut server, 9), 9);
    server.expect(Packet::Echo { nonce: 1, counter: 9 });
    server.sleep(999, 1_000);
    server.expect(Packet::Reset { code: 0 });
    server.expect_event(Event::Closed(CloseReason::Stalled));
    assert!(server.machine.is_drained());
}

/// Regression: the span went on after FIN if there was no limit on the close.
#[test]
fn without_a_limit_on_the_close_no_span_follows_the_fin() {
    let progress = ProgressLimits { first: Duration::MAX, close: Duration::MAX, ..limited().progress };
    let mut server = ExtendedTrace::server(Config { progress, ..Config::default() }, PARAMETERS);
    server.learns_tag();
    server.peer_sends(info(0, b""));
    server.machine.close();
    server.drain();
    server.peer_sends(Packet::FinAck);
    assert_eq!(probe_each_second(&mut server, 1_000), 1_000);
    assert_eq!(server.machine.ended(), None);
}

#[test]
fn data_that_is_not_read_is_no_progress() {
    let mut server = limited_server();
    server.peer_sends(info(1, b"request"));
    assert_eq!(probe_each_second(&mut server, 1_000), 10);
}

#[test]
fn a_stalled_upload_ends_after_a_span() {
    let mut server = limited_server();
    for number in 1..=3 {
        server.peer_sends(info(number, &[7; 500]));
        server.machine.consume(500);
    }
    // The span begins at 10 s.
    assert_eq!(probe_each_second(&mut server, 1_000), 70);
    assert_eq!(server.machine.ended(), Some(CloseReason::Stalled));
}

#[test]
fn a_slow_upload_goes_on_as_long_as_each_span_has_its_least() {
    let mut server = limited_server();
    for number in 1..=20 {
        server.peer_sends(info(number, &[7; 500]));
        server.machine.consume(500);
        probe_each_second(&mut server, 25);
        assert_eq!(server.machine.ended(), None, "after {number} packets");
    }
    // The span that has begun has had one packet.
    server.peer_sends(info(21, &[7; 400]));
    server.machine.consume(400);
    assert!(probe_each_second(&mut server, 1_000) <= 120);
    assert_eq!(server.machine.ended(), Some(CloseReason::Stalled));
}

#[test]
fn a_stalled_download_ends_after_a_span() {
    let mut server = limited_server();
    server.peer_sends(info(1, b"get"));
    server.machine.consume(3);
    server.expect_sack(2, &[]);
    server.sends(0, 32);
    server.peer_sends(sack(10, 9, 10, &[]));
    // Acknowledged data counts in the first ten seconds. Later the peer keeps its window closed.
    assert_eq!(answer_each(&mut server, 1_000, closed(32), 1_000), 70);
    assert_eq!(server.machine.ended(), Some(CloseReason::Stalled));
}

#[test]
fn work_of_this_side_counts_as_progress_if_it_says_so() {
    let mut server = limited_server();
    server.peer_sends(info(1, b"last"));
    server.machine.consume(4);
    for _ in 0..10 {
        assert_eq!(probe_each_second(&mut server, 55), 55);
        server.machine.note_progress(server.now);
    }
    assert_eq!(server.machine.ended(), None);
    assert_eq!(probe_each_second(&mut server, 1_000), 60);
    assert_eq!(server.machine.ended(), Some(CloseReason::Stalled));
}

#[test]
fn a_client_that_never_answers_fin_is_ended_after_the_close_limit() {
    let mut server = limited_server();
    server.peer_sends(info(1, b"bye"));
    server.machine.consume(3);
    server.machine.close();
    server.expect_sack(2, &[]);
    server.expect(FIN);
    assert_eq!(probe_each_second(&mut server, 1_000), 15);
    assert_eq!(server.machine.ended(), Some(CloseReason::Stalled));
}

#[test]
fn without_limits_a_client_that_only_probes_stays() {
    let mut server = ExtendedTrace::server(Config::default(), PARAMETERS);
    server.learns_tag();
    server.peer_sends(info(0, b""));
    assert_eq!(probe_each_second(&mut server, 10_000), 10_000);
    assert_eq!(server.machine.ended(), None);
}
