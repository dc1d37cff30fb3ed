//! Data without progress: the peer answers, but acknowledges nothing new.

use harness::extended::*;
use rdt_proto::Duration;
use rdt_proto::connection::{CloseReason, Config, Event};
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
    assert!((60..=260).contains(&seconds), "{seconds} s");
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
