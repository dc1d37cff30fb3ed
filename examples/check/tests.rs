//! The explorer finds each planted defect, and reports no violation for the shipped connections.

use crate::endpoint::Endpoint;
use crate::explore::{Outcome, explore};
use crate::scenario::{Mechanism, Repeating, Scenario, Waiting};
use rdt_proto::Instant;
use rdt_proto::connection::{CloseReason, Event, HandshakeParameters, Mode};

/// A scenario small enough for a build without optimization.
fn small(mode: Mode) -> Scenario {
    let mechanism = Mechanism::StopAndWait;
    Scenario { mechanism, mode, slots: 1, writes: [1, 0], aborts: false, faults: true, patience: 1 }
}

#[test]
fn shipped_connections_have_no_violation() {
    for mode in [Mode::Base, Mode::Extended] {
        let faultless = Scenario { faults: false, ..small(mode) };
        for outcome in [explore::<Waiting>(&small(mode)), explore::<Repeating>(&faultless)] {
            assert_eq!(outcome.violation.map(|violation| violation.to_string()), None);
            assert!(outcome.states > 100, "{} states", outcome.states);
        }
    }
}

/// A connection with the defect `DEFECT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Broken<const DEFECT: u8>(Waiting);

/// The values of `DEFECT`.
const DROPS_CLOSED: u8 = 0;
const DELIVERS_TWICE: u8 = 1;
const HIDES_DEADLINES: u8 = 2;
const DROPS_READABLE: u8 = 3;
const LOSES_ACKNOWLEDGED: u8 = 4;
const IGNORES_TIMEOUTS: u8 = 5;
const TIMES_OUT: u8 = 6;

impl<const DEFECT: u8> Endpoint for Broken<DEFECT> {
    fn open(scenario: &Scenario, now: Instant, parameters: Option<HandshakeParameters>) -> Option<Self> {
        Endpoint::open(scenario, now, parameters).map(Self)
    }

    fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        Endpoint::handle_datagram(&mut self.0, now, datagram);
        if DEFECT == LOSES_ACKNOWLEDGED {
            self.0.consume(1);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if DEFECT != IGNORES_TIMEOUTS {
            self.0.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        Endpoint::poll_transmit(&mut self.0, now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout().filter(|_| DEFECT != HIDES_DEADLINES)
    }

    fn poll_event(&mut self) -> Option<Event> {
        match self.0.poll_event()? {
            Event::Closed(_) if DEFECT == DROPS_CLOSED => None,
            Event::Closed(_) if DEFECT == TIMES_OUT => Some(Event::Closed(CloseReason::TimedOut)),
            Event::Readable if DEFECT == DROPS_READABLE => None,
            event => Some(event),
        }
    }

    fn write(&mut self, byte: u8) -> bool {
        self.0.write(byte)
    }

    fn read(&mut self) -> Vec<u8> {
        let read = self.0.read();
        if DEFECT == DELIVERS_TWICE { [read.as_slice(), read.as_slice()].concat() } else { read }
    }

    fn close(&mut self) {
        self.0.close();
    }

    fn abort(&mut self) {
        Endpoint::abort(&mut self.0);
    }

    fn rebase(&mut self, from: Instant, to: Instant) {
        self.0.rebase(from, to);
    }

    fn is_established(&self) -> bool {
        self.0.is_established()
    }

    fn ended(&self) -> Option<CloseReason> {
        self.0.ended().map(|reason| if DEFECT == TIMES_OUT { CloseReason::TimedOut } else { reason })
    }

    fn is_drained(&self) -> bool {
        self.0.is_drained()
    }

    fn is_readable(&self) -> bool {
        self.0.is_readable()
    }

    fn is_finished_reading(&self) -> bool {
        self.0.is_finished_reading()
    }

    fn is_all_acknowledged(&self) -> bool {
        self.0.is_all_acknowledged()
    }
}

/// The violation that the explorer reports for `DEFECT`.
fn found<const DEFECT: u8>() -> String {
    let Outcome { violation, .. } = explore::<Broken<DEFECT>>(&small(Mode::Extended));
    violation.expect("the explorer must find the defect").to_string()
}

#[test]
fn a_dropped_event_is_found() {
    let text = found::<DROPS_CLOSED>();
    assert!(text.ends_with("has ended, and no event has reported it"), "{text}");
    let text = found::<DROPS_READABLE>();
    assert!(text.ends_with("violated: the server has something to read, and no event has reported it"), "{text}");
}

#[test]
fn bytes_delivered_twice_are_found_with_their_trace() {
    let text = found::<DELIVERS_TWICE>();
    assert!(text.contains("client writes 0") && text.contains("server <-- INFO 0 [0]"), "{text}");
    assert!(text.contains("violated: "), "{text}");
}

#[test]
fn a_loss_of_acknowledged_bytes_is_found() {
    let text = found::<LOSES_ACKNOWLEDGED>();
    assert!(text.contains("violated: the client wrote 1 bytes, "), "{text}");
}

/// Regression: an end at the idle limit was excused in scenarios without aborts.
#[test]
fn an_end_at_the_idle_limit_is_found() {
    let text = found::<TIMES_OUT>();
    assert!(text.contains("violated: without an abort the client must finish, but it ended by: "), "{text}");
}

#[test]
fn an_unreported_deadline_is_found() {
    let text = found::<HIDES_DEADLINES>();
    assert!(text.ends_with("the client sent a datagram before poll_timeout was due"), "{text}");
}

#[test]
fn a_deadline_that_stays_due_is_found() {
    let text = found::<IGNORES_TIMEOUTS>();
    assert!(text.ends_with("is still due after handle_timeout and a drained poll_transmit"), "{text}");
}
