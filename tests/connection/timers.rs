//! The names of the timers that run in each state.

use harness::extended::*;
use rdt_proto::connection::{Config, Handled, Ignored, Timer};
use rdt_proto::wire::{Framing, Packet};
use rdt_proto::{Duration, Instant};

/// The timers that run, the earliest first.
fn running(trace: &ExtendedTrace) -> Vec<Timer> {
    let mut running = Vec::new();
    trace.machine.for_each_deadline(|timer, at| running.push((at, timer)));
    running.sort_by_key(|&(at, _)| at);
    running.into_iter().map(|(_, timer)| timer).collect()
}

/// The earliest deadline of the running timers.
fn earliest(trace: &ExtendedTrace) -> Option<Instant> {
    let mut earliest: Option<Instant> = None;
    trace.machine.for_each_deadline(|_, at| earliest = Some(earliest.map_or(at, |earliest| earliest.min(at))));
    earliest
}

#[test]
fn connect_is_repeated_until_the_handshake_limit() {
    let mut client = ExtendedTrace::client(Config::default());
    assert_eq!(running(&client), [Timer::Handshake]);
    client.learns_tag();
    assert_eq!(running(&client), [Timer::RetransmitHandshake, Timer::Handshake, Timer::Idle]);
}

#[test]
fn data_in_flight_has_a_probe_timer_and_then_an_rto() {
    let mut client = ExtendedTrace::established(Config::default());
    assert_eq!(running(&client), []);
    client.machine.send(b"data").unwrap();
    client.expect(info(1, b"data"));
    assert_eq!(running(&client), [Timer::TailLossProbe, Timer::Retransmission, Timer::Idle]);
}

#[test]
fn an_arrival_starts_the_delayed_acknowledgement_timer() {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer_sends(info(0, b"data"));
    assert_eq!(running(&client), [Timer::AckDelay]);
}

/// Regression: the deadline that `handle_timeout` set was its own time.
#[test]
fn a_probe_that_is_late_after_an_ignored_info_is_due_at_once() {
    let config = Config { keep_alive: Duration::from_millis(100), ..Config::default() };
    let mut client = ExtendedTrace::established_with(config, storage(&config, 1, 1));
    client.peer_sends(info(0, b"unread"));
    client.elapse_with_loss(110);
    assert!(client.machine.poll_timeout().is_some_and(|due| due > client.now), "a PROBE was sent after 100 ms");
    // No room: the number is ignored, but the peer is heard.
    assert_eq!(client.receive(info(1, b"beyond")), Handled::Ignored(Ignored::NoRoom));
    client.now = client.now + Duration::from_millis(120);
    client.machine.handle_timeout(client.now);
    let probe = client.next_datagram().unwrap();
    assert!(matches!(Framing::tagged(PEER).decode(&probe), Ok(Packet::Probe { .. })));
    while client.next_datagram().is_some() {}
    assert!(client.machine.poll_timeout().is_some_and(|due| due > client.now));
}

#[test]
fn a_quiet_connection_runs_the_keep_alive_timer() {
    let client = ExtendedTrace::established(Config { keep_alive: Duration::from_secs(5), ..Config::default() });
    assert_eq!(running(&client), [Timer::KeepAlive]);
}

#[test]
fn a_sent_fin_runs_its_retransmit_timer_and_the_idle_timer() {
    let mut client = ExtendedTrace::established(Config::default());
    client.machine.close();
    client.expect(Packet::Fin);
    assert_eq!(running(&client), [Timer::RetransmitFin, Timer::Idle]);
}

#[test]
fn a_closed_connection_runs_the_linger_timer() {
    let mut client = ExtendedTrace::established(Config::default());
    client.machine.close();
    client.expect(Packet::Fin);
    client.peer_sends(Packet::FinAck);
    client.peer_sends(Packet::Fin);
    client.expect(Packet::FinAck);
    assert_eq!(running(&client), [Timer::Linger]);
}

#[test]
fn with_nothing_to_send_poll_timeout_is_the_earliest_deadline() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    while client.machine.ended().is_none() {
        assert_eq!(client.machine.poll_timeout(), earliest(&client));
        client.now = client.machine.poll_timeout().unwrap();
        client.machine.handle_timeout(client.now);
        client.drain();
    }
    assert_eq!((client.machine.poll_timeout(), earliest(&client)), (None, None));
}
