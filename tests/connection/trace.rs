//! The trace events for an observer, and the snapshot of the path.

use harness::extended::*;
use rdt_proto::connection::{CloseReason, Config, ConnectionState, Observer, PathSnapshot, TraceEvent};
use rdt_proto::{Duration, Instant};

/// A log with a line for each event but those of the path: the time in ms, and the event.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    paths: Vec<PathSnapshot>,
    paused: bool,
}

impl Observer for Log {
    fn is_enabled(&self) -> bool {
        !self.paused
    }

    fn observe(&mut self, now: Instant, event: &TraceEvent<'_>) {
        if let TraceEvent::Path(path) = event {
            self.paths.push(*path);
            return;
        }
        let millis = now.saturating_since(Instant::ZERO).as_millis();
        self.lines.push(format!("{millis} {event}"));
    }
}

/// A client opens, repeats a lost INFO 1, closes, and aborts.
#[test]
fn an_observer_sees_packets_losses_states_and_what_is_ignored() {
    let config = Config { segment: 1, ..Config::default() };
    let mut client = ExtendedTrace::client_with(config, storage(&config, 32, 32).observed(Log::default()));
    let start = client.now.saturating_since(Instant::ZERO).as_millis();
    client.learns_tag();
    client.peer_sends_connack(PARAMETERS);
    client.expect(info(0, b""));
    client.elapse(100);
    client.peer_sends(sack(1, 0, 1, &[]));
    client.machine.send(b"abcd").unwrap();
    for (number, body) in [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d")] {
        client.expect(info(number, body));
    }
    client.elapse(100);
    client.peer_sends(sack(1, 4, 2, &[0b111]));
    client.expect(info(1, b"a"));
    client.elapse(100);
    client.peer_sends(sack(5, 1, 5, &[]));
    client.machine.close();
    client.expect(FIN);
    client.ignores(rdt_proto::wire::Packet::Echo { nonce: 1, counter: 0 }, rdt_proto::connection::Ignored::NeverSent);
    client.machine.abort(3);
    let lines: Vec<String> = client.machine.observer().lines.iter().map(|line| relative(line, start)).collect();
    let expected = [
        "0 > CONNECT",
        "0 < CONNACK",
        "0 state: established",
        "0 > #0 INFO 0, length 0",
        "100 < #0 SACK 1,",
        "100 > #1 INFO 1, length 1",
        "100 > #2 INFO 2, length 1",
        "100 > #3 INFO 3, length 1",
        "100 > #4 INFO 4, length 1",
        "200 < #1 SACK 1,",
        "200 lost: INFO 1",
        "200 > #5 INFO 1, length 1",
        "300 < #2 SACK 5,",
        "300 state: closing",
        "300 > #6 FIN",
        "300 < #3 ECHO",
        "300 ignored: NeverSent",
        "300 state: ended, aborted",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line} instead of {expected}: {lines:#?}");
    }
}

/// Returns the line with its time in ms since `start`.
fn relative(line: &str, start: u64) -> String {
    let (millis, rest) = line.split_once(' ').unwrap();
    format!("{} {rest}", millis.parse::<u64>().unwrap() - start)
}

#[test]
fn an_observer_sees_a_timer_that_expires() {
    let config = Config::default();
    let mut client = ExtendedTrace::client_with(config, storage(&config, 32, 32).observed(Log::default()));
    client.next_datagram().unwrap();
    client.now = client.machine.poll_timeout().unwrap();
    client.machine.handle_timeout(client.now);
    let last = client.machine.observer().lines.last().unwrap();
    assert!(last.ends_with("timer: RetransmitHandshake"), "{last}");
}

#[test]
fn a_persist_timer_that_starts_is_not_reported_as_expired() {
    let config = Config::default();
    let mut client = ExtendedTrace::established_with(config, storage(&config, 64, 64).observed(Log::default()));
    client.sends(1, 64);
    client.peer_sends(closed(65));
    client.machine.send_segment(b"waits").unwrap();
    client.machine.handle_timeout(client.now);
    let timers = |log: &Log| log.lines.iter().filter(|line| line.contains("timer: Persist")).count();
    assert_eq!(timers(client.machine.observer()), 0);
    client.now = client.machine.poll_timeout().unwrap();
    client.machine.handle_timeout(client.now);
    assert_eq!(timers(client.machine.observer()), 1);
}

#[test]
fn an_observer_that_pauses_sees_nothing() {
    let config = Config::default();
    let mut client = ExtendedTrace::client_with(config, storage(&config, 32, 32).observed(Log::default()));
    client.machine.observer_mut().paused = true;
    client.next_datagram().unwrap();
    client.machine.abort(0);
    assert!(client.machine.observer().lines.is_empty());
}

#[test]
fn an_observer_sees_the_path_after_each_change() {
    let config = Config { segment: 1, ..Config::default() };
    let mut client = ExtendedTrace::established_with(config, storage(&config, 32, 32).observed(Log::default()));
    client.machine.send(b"abcd").unwrap();
    for (number, body) in [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d")] {
        client.expect(info(number, body));
        assert_eq!(client.machine.observer().paths.last(), Some(&client.machine.path()), "{number}");
    }
    let count = client.machine.observer().paths.len();
    client.machine.handle_timeout(client.now);
    assert_eq!(client.machine.observer().paths.len(), count, "nothing has changed");
    client.elapse(100);
    client.peer_sends(sack(1, 4, 2, &[0b111]));
    let last = *client.machine.observer().paths.last().unwrap();
    assert_eq!((last.in_flight, last.lost), (0, 1));
}

#[test]
fn an_observer_sees_every_number_that_is_lost_the_last_one_first() {
    let config = Config { segment: 1, ..Config::default() };
    let mut client = ExtendedTrace::established_with(config, storage(&config, 32, 32).observed(Log::default()));
    client.machine.send(b"abcdef").unwrap();
    for (number, body) in [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d"), (5, b"e"), (6, b"f")] {
        client.expect(info(number, body));
    }
    client.elapse(100);
    client.peer_sends(sack(1, 6, 1, &[0b11_1000]));
    let lost = |line: &String| line.split_once(" lost: ").map(|(_, what)| what.to_owned());
    let lost: Vec<_> = client.machine.observer().lines.iter().filter_map(lost).collect();
    assert_eq!(lost, ["INFO 3", "INFO 2", "INFO 1"]);
}

#[test]
fn a_snapshot_counts_what_is_in_flight_lost_and_delivered() {
    let config = Config::default();
    let mut client = ExtendedTrace::established(config);
    let before = client.machine.path();
    assert_eq!((before.state, before.in_flight, before.lost), (ConnectionState::Established, 0, 0));
    assert_eq!(before.srtt, Some(Duration::from_millis(100)));
    for (number, body) in [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d")] {
        client.machine.send_segment(body).unwrap();
        client.expect(info(number, body));
    }
    let datagram = client.machine.path().in_flight / 4;
    client.elapse(100);
    client.peer_sends(sack(1, 4, 2, &[0b111]));
    client.expect(info(1, b"a"));
    let path = client.machine.path();
    assert_eq!((path.in_flight, path.delivered - before.delivered), (datagram, 3 * datagram));
    assert_eq!((path.lost, path.retransmitted, path.spurious), (1, 1, 0));
    assert!(path.window.is_some() && path.rto >= Duration::from_millis(100) && path.min_rtt.is_some());
    client.machine.abort(0);
    assert_eq!(client.machine.path().state, ConnectionState::Ended(CloseReason::Aborted));
}
