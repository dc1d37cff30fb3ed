//! The limit on data without progress: the peer answers, but acknowledges nothing new.

use harness::extended::*;
use rdt_proto::connection::{CloseReason, Config, Event};

use rdt_proto::wire::Packet;

/// Delivers `answer` each second, until the connection ends or `seconds` have passed. Returns how many have passed.
fn answer_each_second(client: &mut ExtendedTrace, answer: Packet<'_>, seconds: u64) -> u64 {
    for second in 0..seconds {
        client.elapse_with_loss(1_000);
        if client.machine.ended().is_some() {
            return second + 1;
        }
        client.peer_sends(answer);
    }
    seconds
}

#[test]
fn data_without_progress_ends_after_four_idle_limits_although_the_peer_answers() {
    let mut client = ExtendedTrace::established(Config::default());
    client.sends(1, 1);
    // The timer starts with the first event after the transmission.
    assert_eq!(answer_each_second(&mut client, sack(1, 0, 1, &[]), 200), 121);
    client.expect_event(Event::Closed(CloseReason::NoProgress));
    client.expect_nothing();
}

#[test]
fn each_new_acknowledgement_restarts_the_limit_on_progress() {
    let mut client = ExtendedTrace::established(Config::default());
    client.sends(1, 3);
    assert_eq!(answer_each_second(&mut client, sack(1, 0, 1, &[]), 100), 100);
    // INFO 2 arrives, and later INFO 1.
    client.peer_sends(sack(1, 2, 2, &[1]));
    assert_eq!(answer_each_second(&mut client, sack(1, 2, 2, &[1]), 100), 100);
    client.peer_sends(sack(3, 1, 3, &[]));
    assert_eq!(answer_each_second(&mut client, sack(3, 1, 3, &[]), 200), 120);
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
    assert_eq!(answer_each_second(&mut client, closed(65), 200), 200);
    // The limit starts once the window opens.
    client.peer_sends(sack(65, 64, 65, &[]));
    assert_eq!(answer_each_second(&mut client, sack(65, 64, 65, &[]), 200), 120);
    client.expect_event(Event::Closed(CloseReason::NoProgress));
}

/// The idle limit decides about silence. The longest timeout of the sender is 7.5 s, so 25 s of silence count as 7.5 s.
#[test]
fn a_silence_counts_for_at_most_the_longest_timeout() {
    let mut client = ExtendedTrace::established(Config::default());
    client.sends(1, 1);
    assert_eq!(answer_each_second(&mut client, sack(1, 0, 1, &[]), 10), 10);
    client.elapse_with_loss(25_000);
    client.peer_sends(sack(1, 0, 1, &[]));
    assert_eq!(answer_each_second(&mut client, sack(1, 0, 1, &[]), 200), 103);
    client.expect_event(Event::Closed(CloseReason::NoProgress));
}

#[test]
fn data_to_a_silent_peer_ends_at_the_idle_limit_with_its_reason() {
    let mut client = ExtendedTrace::established(Config::default());
    client.sends(1, 1);
    client.elapse_with_loss(30_000);
    client.expect_event(Event::Closed(CloseReason::TimedOut));
}
