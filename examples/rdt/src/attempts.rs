//! The attempts of a client to connect, at each address of its server (RFC 8305) and again while the server is busy.
//!
//! ```text
//!          250 ms after the last start,
//!          or when an attempt fails                 CONNACK
//! Waiting ──────────────────────────────→ Trying ─────────────→ the connection of the client
//!                                          │  ↑
//!                               it is busy │  │ after 1 s
//!                                          ↓  │
//!                                         Pausing
//! Trying ── refused, silent, or busy for too long ──→ Failed
//! ```
//!
//! An attempt is a handshake and nothing else. The request begins on the first connection that is established, so no
//! other server gets any of it.

use crate::attempt_failure::Failure;
use crate::endpoint::Outgoing;
use crate::link::Link;
use crate::messages::error_text;
use crate::network_error::last_error;
use crate::patience::Patience;
use crate::settings::Settings;
use rdt_proto::ftp::ErrorCode;
use rdt_proto::{BufferTooSmall, Duration, Instant};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

/// The time from one attempt to the next (RFC 8305 §5, "Connection Attempt Delay").
const NEXT_AFTER: Duration = Duration::from_millis(250);
/// The number of addresses that are tried. Each takes the memory of a connection.
const MOST_ADDRESSES: usize = 16;

/// The attempts at the addresses of a server, in the order of their first start.
pub(crate) struct Attempts {
    attempts: Vec<Attempt>,
    settings: Settings,
    patience: Patience,
    /// The time at which the next waiting attempt starts.
    next_at: Instant,
    /// What the client sends first on the connection that is established.
    request: Vec<u8>,
}

struct Attempt {
    server: SocketAddr,
    state: State,
}

enum State {
    Waiting,
    Trying(Box<Link>),
    /// The server is busy, and is tried again at this time.
    Pausing(Instant),
    Failed(Failure),
}

impl Attempts {
    /// Creates the attempts. The families of addresses take turns, beginning with that of the first address.
    pub(crate) fn new(servers: &[SocketAddr], settings: Settings, patience: Patience) -> Self {
        let waiting = |server| Attempt { server, state: State::Waiting };
        let attempts = interleave(servers).into_iter().take(MOST_ADDRESSES).map(waiting).collect();
        Self { attempts, settings, patience, next_at: patience.start(), request: Vec::new() }
    }

    /// Writes `request` to each connection, so that it is in the first packet after the handshake. A connection that is
    /// abandoned never sends it.
    pub(crate) fn with_request(self, request: Vec<u8>) -> Self {
        Self { request, ..self }
    }

    /// The memory for the windows of the connection, in bytes.
    pub(crate) fn client_memory(&self) -> usize {
        self.settings.client_memory()
    }

    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }

    /// Takes the connection that is established, and abandons the others.
    pub(crate) fn take_established(&mut self) -> Option<(Link, Abandoned)> {
        self.attempts.iter().find(|attempt| attempt.is_established())?;
        let links = std::mem::take(&mut self.attempts).into_iter().filter_map(|attempt| match attempt.state {
            State::Trying(link) => Some(*link),
            State::Waiting | State::Pausing(_) | State::Failed(_) => None,
        });
        let (mut established, others): (Vec<_>, Vec<_>) = links.partition(|link| link.connection.is_established());
        Some((established.pop()?, Abandoned(others)))
    }

    /// Whether all attempts have failed.
    pub(crate) fn have_failed(&self) -> bool {
        self.attempts.iter().all(|attempt| matches!(attempt.state, State::Failed(_)))
    }

    /// The failure that says most about the server. `None` if there is none.
    pub(crate) fn worst(&self) -> Option<&Failure> {
        self.failures().map(|(_, failure)| failure).max_by_key(|failure| failure.weight())
    }

    fn failures(&self) -> impl Iterator<Item = (SocketAddr, &Failure)> {
        self.attempts.iter().filter_map(|attempt| match &attempt.state {
            State::Failed(failure) => Some((attempt.server, failure)),
            State::Waiting | State::Trying(_) | State::Pausing(_) => None,
        })
    }

    /// What the attempts say about the server and a `request`, such as `"name"`, and how the user can fix it.
    pub(crate) fn failure(&self, request: &str, network: Option<&io::Error>) -> String {
        let Some(most) = self.worst() else { return format!("no server was reached for {request}") };
        let list = |is_most| {
            let listed = self.failures().filter(|(_, failure)| (*failure == most) == is_most);
            listed.map(|(server, _)| server.to_string()).collect::<Vec<_>>().join(", ")
        };
        let network = last_error(network, (" (", ")"));
        let (text, others) = (most.text(&list(true), request, &network), list(false));
        if others.is_empty() { text } else { format!("{text} (also tried: {others})") }
    }

    pub(crate) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        for link in self.links_with(from) {
            link.handle_datagram(now, datagram, |_| 0);
        }
        self.advance(now);
    }

    pub(crate) fn handle_closed_port(&mut self, now: Instant, to: SocketAddr) {
        for link in self.links_with(to) {
            link.handle_closed_port(now);
        }
        self.handle_unreachable(now, to);
    }

    /// Handles the report that no datagram reaches `to`. It may pass, but the next attempt starts at once.
    pub(crate) fn handle_unreachable(&mut self, now: Instant, to: SocketAddr) {
        if self.links_with(to).next().is_some() {
            self.next_at = now;
        }
    }

    pub(crate) fn handle_datagram_too_large(&mut self, now: Instant, to: SocketAddr, len: usize) {
        for link in self.links_with(to) {
            link.connection.handle_datagram_too_large(now, len);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        for link in self.links() {
            link.handle_timeout(now);
        }
        self.advance(now);
    }

    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<Outgoing>, BufferTooSmall> {
        for link in self.links() {
            let polled = link.poll_transmit(now, max_datagrams, buf)?;
            if polled.is_some() {
                return Ok(polled);
            }
        }
        Ok(None)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let due = |attempt: &Attempt| match &attempt.state {
            State::Waiting => Some(self.next_at),
            State::Trying(link) => link.poll_timeout(),
            State::Pausing(until) => Some(*until),
            State::Failed(_) => None,
        };
        self.attempts.iter().filter_map(due).min()
    }

    fn links(&mut self) -> impl Iterator<Item = &mut Link> {
        self.attempts.iter_mut().filter_map(|attempt| match &mut attempt.state {
            State::Trying(link) => Some(&mut **link),
            State::Waiting | State::Pausing(_) | State::Failed(_) => None,
        })
    }

    fn links_with(&mut self, address: SocketAddr) -> impl Iterator<Item = &mut Link> {
        self.links().filter(move |link| link.is_with(address))
    }

    /// Records the attempts that have failed, and starts those that are due.
    fn advance(&mut self, now: Instant) {
        let is_base_mode = self.settings.config.framing.is_base_only();
        for index in 0..self.attempts.len() {
            let State::Trying(link) = &self.attempts[index].state else { continue };
            if let Some(failure) = Failure::of(link, is_base_mode) {
                self.next_at = now;
                self.attempts[index].state = self.after(now, link.server(), failure);
            }
        }
        for attempt in &mut self.attempts {
            let is_due = match attempt.state {
                State::Waiting => self.next_at <= now,
                State::Pausing(until) => until <= now,
                State::Trying(_) | State::Failed(_) => false,
            };
            if is_due {
                attempt.start(now, &self.settings, &self.request);
                self.next_at = if matches!(attempt.state, State::Trying(_)) { now + NEXT_AFTER } else { now };
            }
        }
    }

    /// The state after a failure. A busy server is tried again while there is time.
    fn after(&mut self, now: Instant, server: SocketAddr, failure: Failure) -> State {
        if failure == Failure::Refused(ErrorCode::Busy)
            && let Some(patience) = self.patience.after_busy(now, server)
        {
            self.patience = patience;
            return State::Pausing(patience.start());
        }
        State::Failed(failure)
    }
}

impl Attempt {
    fn start(&mut self, now: Instant, settings: &Settings, request: &[u8]) {
        self.state = match Link::connect(now, self.server, settings, request) {
            Ok(link) => State::Trying(Box::new(link)),
            Err(error) => State::Failed(Failure::NotStarted(error_text(&error))),
        };
    }

    fn is_established(&self) -> bool {
        matches!(&self.state, State::Trying(link) if link.connection.is_established())
    }
}

/// Connections that were not established first. They send nothing more, except RESET after a late CONNACK, so that the
/// server does not keep a connection.
pub(crate) struct Abandoned(Vec<Link>);

impl Abandoned {
    pub(crate) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        for link in self.0.iter_mut().filter(|link| link.is_with(from)) {
            link.handle_datagram(now, datagram, |_| 0);
            if link.connection.is_established() {
                link.connection.abort(ErrorCode::Cancelled.value());
            }
        }
    }

    pub(crate) fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Result<Option<Outgoing>, BufferTooSmall> {
        for link in self.0.iter_mut().filter(|link| link.connection.ended().is_some()) {
            let polled = link.poll_transmit(now, 1, buf)?;
            if polled.is_some() {
                return Ok(polled);
            }
        }
        Ok(None)
    }
}

/// The addresses, each once. Their families take turns (RFC 8305 §4).
fn interleave(servers: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut ordered: Vec<SocketAddr> = Vec::new();
    let mut left: VecDeque<_> = servers.iter().copied().collect();
    while let Some(&first) = left.front() {
        let is_other = |server: &SocketAddr| ordered.last().is_none_or(|last| last.is_ipv4() != server.is_ipv4());
        let index = left.iter().position(is_other).unwrap_or(0);
        let next = left.remove(index).unwrap_or(first);
        if !ordered.contains(&next) {
            ordered.push(next);
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVERS: [&str; 5] = ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.2:1", "[2001:db8::1]:1", "[2001:db8::2]:1"];

    fn parse(servers: &[&str]) -> Vec<SocketAddr> {
        servers.iter().map(|server| server.parse().unwrap()).collect()
    }

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    fn start(servers: &[&str]) -> Attempts {
        let settings = Settings::default();
        let mut attempts = Attempts::new(&parse(servers), settings, Patience::new(at(0), &settings, false));
        attempts.handle_timeout(at(0));
        attempts
    }

    /// The addresses to which something is sent at `now`, in order.
    fn sent(attempts: &mut Attempts, now: Instant) -> Vec<String> {
        let mut buf = [0; 2_048];
        let polled = std::iter::from_fn(|| attempts.poll_transmit(now, 1, &mut buf).unwrap());
        polled.map(|(to, _)| to.peer.to_string()).collect()
    }

    /// Runs all timers until `end`. Returns when something was sent, in ms, and to which address.
    fn run(attempts: &mut Attempts, end: Instant) -> Vec<(u64, String)> {
        let mut log = Vec::new();
        while let Some(due) = attempts.poll_timeout().filter(|due| *due <= end) {
            attempts.handle_timeout(due);
            log.extend(sent(attempts, due).into_iter().map(|to| (due.saturating_since(at(0)).as_millis(), to)));
        }
        log
    }

    #[test]
    fn rfc8305_4_the_families_take_turns() {
        let expected = ["192.0.2.1:1", "[2001:db8::1]:1", "192.0.2.2:1", "[2001:db8::2]:1"];
        assert_eq!(interleave(&parse(&SERVERS)), parse(&expected));
        assert_eq!(interleave(&parse(&SERVERS[..3])), parse(&SERVERS[..2]));
    }

    #[test]
    fn rfc8305_5_an_attempt_starts_each_250_ms_and_the_earlier_go_on() {
        let mut attempts = start(&SERVERS[..4]);
        let log = run(&mut attempts, at(1_200));
        let first = |server| log.iter().find(|(_, to)| to == server).map(|(ms, _)| *ms);
        assert_eq!([SERVERS[0], SERVERS[3], SERVERS[1]].map(first), [Some(0), Some(250), Some(500)]);
        assert!(log.iter().any(|(ms, to)| *ms > 500 && to == SERVERS[0]), "{log:?}");
    }

    #[test]
    fn a_failed_attempt_starts_the_next_at_once() {
        for report in [Attempts::handle_closed_port, Attempts::handle_unreachable] {
            let mut attempts = start(&SERVERS[..2]);
            assert_eq!(sent(&mut attempts, at(0)), SERVERS[..1]);
            report(&mut attempts, at(10), SERVERS[0].parse().unwrap());
            assert_eq!(attempts.poll_timeout(), Some(at(10)));
            attempts.handle_timeout(at(10));
            assert_eq!(sent(&mut attempts, at(10)), [SERVERS[1]]);
        }
    }

    #[test]
    fn the_failure_that_says_most_is_reported_with_all_addresses() {
        let mut attempts = start(&SERVERS[..4]);
        run(&mut attempts, at(600));
        assert!(!attempts.have_failed());
        attempts.handle_closed_port(at(700), SERVERS[1].parse().unwrap());
        run(&mut attempts, at(60_000));
        assert!(attempts.have_failed());
        let says = "nothing listens on 192.0.2.2:1: start the server there, or give its port";
        let expected = format!("{says} (also tried: 192.0.2.1:1, [2001:db8::1]:1)");
        assert_eq!(attempts.failure("the request", None), expected);
    }
}
