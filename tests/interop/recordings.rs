//! Recorded sessions of the public implementation (`tests/vectors`), in which our machine takes one side.
//!
//! The other side's datagrams are delivered in the recorded order. Our side must send the recorded bytes at the
//! recorded place and nothing else, with two exceptions:
//!
//! - *One INFO in flight.* The recorded side sometimes sent an INFO before the previous one was acknowledged. Our side
//!   sends such an INFO right after this acknowledgement, and nothing else before it.
//! - *After the peer's FIN* (selective repeat) our side sends no FIN, and only answers the FIN of the peer. In the
//!   recorded upload both sides sent a FIN.

use harness::base::*;
use rdt_proto::connection::{CloseReason, Config, Event, Handled, Ignored, Method, Role};
use rdt_proto::wire::{Framing, Packet};
use rdt_proto::{Duration, Seq};
use std::collections::VecDeque;

const FILE: &[u8] = b"hello over lossy datagrams\n";

/// What one application writes: a header as one INFO, then the content.
#[derive(Clone, Copy)]
struct Script {
    header: &'static [u8],
    content: &'static [u8],
}

/// A recorded session, and what the applications do in it.
struct Session {
    recording: &'static str,
    method: Method,
    client: Script,
    server: Script,
    /// Whether the client closes after it has received the answer. The server always closes after its answer.
    client_closes: bool,
}

const SR_UPLOAD: Session = Session {
    recording: include_str!("../vectors/note_sr_upload.txt"),
    method: Method::SelectiveRepeat,
    client: Script { header: b"\x00\x1b\0\0\0\0\0\0\0\x09\0hello.txt", content: FILE },
    server: Script { header: b"\x03", content: b"" },
    client_closes: true,
};
const SR_DOWNLOAD: Session = Session {
    recording: include_str!("../vectors/note_sr_download.txt"),
    method: Method::SelectiveRepeat,
    client: Script { header: b"\x01\x09\0hello.txt", content: b"" },
    server: Script { header: b"\x02\x1b\0\0\0\0\0\0\0", content: FILE },
    client_closes: false,
};
const SR_MISSING_FILE: Session = Session {
    recording: include_str!("../vectors/note_sr_missing_file.txt"),
    method: Method::SelectiveRepeat,
    client: Script { header: b"\x01\x0b\0nothere.txt", content: b"" },
    server: Script { header: b"\x04\x01", content: b"" },
    client_closes: false,
};
const SAW_DOWNLOAD: Session = Session {
    recording: include_str!("../vectors/note_saw_download.txt"),
    method: Method::StopAndWait,
    client: Script { header: b"\x01\x09\0hello.txt", content: b"" },
    server: Script { header: b"\x02\x1b\0\0\0\0\0\0\0", content: FILE },
    client_closes: false,
};

#[test]
fn our_server_follows_the_recorded_upload() {
    let mut replay = Replay::new(SR_UPLOAD, Role::Server);
    replay.run();
    replay.finishes();
}

#[test]
fn our_client_follows_the_recorded_upload() {
    let mut replay = Replay::new(SR_UPLOAD, Role::Client);
    replay.run();
    replay.finishes();
}

#[test]
fn our_server_follows_the_recorded_download() {
    let mut replay = Replay::new(SR_DOWNLOAD, Role::Server);
    replay.run();
    replay.finishes();
}

#[test]
fn our_client_follows_the_recorded_download() {
    let mut replay = Replay::new(SR_DOWNLOAD, Role::Client);
    replay.run();
    replay.finishes();
}

#[test]
fn our_server_follows_the_recorded_missing_file() {
    let mut replay = Replay::new(SR_MISSING_FILE, Role::Server);
    replay.run();
    replay.finishes();
}

#[test]
fn our_client_follows_the_recorded_missing_file() {
    let mut replay = Replay::new(SR_MISSING_FILE, Role::Client);
    replay.run();
    replay.finishes();
}

#[test]
fn our_server_follows_the_recorded_stop_and_wait_download() {
    let mut replay = Replay::new(SAW_DOWNLOAD, Role::Server);
    replay.run();
    // The recording ends here. The test completes the close, with one FIN each way.
    replay.trace.elapse(2_000);
    replay.trace.peer_sends(FIN);
    replay.trace.expect(FINACK);
    replay.finishes();
}

#[test]
fn our_client_follows_the_recorded_stop_and_wait_download() {
    let mut replay = Replay::new(SAW_DOWNLOAD, Role::Client);
    replay.run();
    // The recording ends here. The test completes the close, with one FIN each way.
    replay.trace.machine.close();
    replay.trace.expect(FIN);
    replay.trace.expect_nothing();
    replay.trace.peer_sends(FINACK);
    replay.finishes();
}

/// A replay of a recording, in which the machine of the trace takes one side.
struct Replay {
    trace: BaseTrace,
    role: Role,
    session: Session,
    /// Whether the application has written its data.
    written: bool,
    received: Vec<u8>,
    /// Recorded INFO packets that wait for the ACK of an earlier INFO.
    held_back: VecDeque<Vec<u8>>,
    peer_closed: bool,
}

impl Replay {
    fn new(session: Session, role: Role) -> Self {
        let config = Config::rostov(session.method);
        let trace = match role {
            Role::Client => BaseTrace::client(config),
            Role::Server => BaseTrace::server(config),
        };
        Self { trace, role, session, written: false, received: vec![], held_back: VecDeque::new(), peer_closed: false }
    }

    fn run(&mut self) {
        let ours = if self.role == Role::Client { "C>S" } else { "S>C" };
        let mut sent_last = false;
        self.act();
        for line in self.session.recording.lines() {
            let (from, hex) = line.split_once(' ').unwrap();
            let datagram = unhex(hex);
            if from == ours {
                self.sends(datagram, line);
            } else {
                if sent_last {
                    // The recorded side had nothing more to send, either.
                    self.trace.expect_nothing();
                }
                self.receives(&datagram, line);
            }
            sent_last = from == ours;
        }
        assert!(self.held_back.is_empty(), "recorded INFOs were not sent: {:?}", self.held_back);
        self.trace.expect_nothing();
        let peer = if self.role == Role::Client { self.session.server } else { self.session.client };
        assert_eq!(self.received, [peer.header, peer.content].concat());
    }

    /// Expects this datagram, which the recorded side sent.
    fn sends(&mut self, datagram: Vec<u8>, line: &str) {
        let no_fin = self.session.method == Method::SelectiveRepeat && self.peer_closed;
        if no_fin && packet(&datagram) == Packet::Fin {
            return;
        }
        match self.poll() {
            Some(sent) => assert_eq!(hex(&sent), hex(&datagram), "instead of {line}"),
            None => {
                let Packet::Info { number, .. } = packet(&datagram) else { panic!("not sent: {line}") };
                assert!(number != Seq::ZERO && !self.trace.machine.is_all_acknowledged(), "not sent: {line}");
                self.held_back.push_back(datagram);
            }
        }
    }

    /// Delivers this datagram, which the other side sent.
    fn receives(&mut self, datagram: &[u8], line: &str) {
        self.trace.now = self.trace.now + Duration::from_millis(1);
        let handled = self.trace.machine.handle_datagram(self.trace.now, datagram);
        assert!(matches!(handled, Handled::Accepted | Handled::Ignored(Ignored::Closed)), "{handled:?}: {line}");
        self.peer_closed |= packet(datagram) == Packet::Fin;
        self.act();
        while let Some(expected) = self.held_back.front() {
            let mut buf = vec![0; 2_000];
            let Some(transmit) = self.trace.machine.poll_transmit(self.trace.now, &mut buf).unwrap() else { break };
            assert_eq!(hex(&buf[..transmit.len]), hex(expected), "an INFO that waited for an ACK");
            self.held_back.pop_front();
        }
    }

    fn poll(&mut self) -> Option<Vec<u8>> {
        let mut buf = vec![0; 2_000];
        let transmit = self.trace.machine.poll_transmit(self.trace.now, &mut buf).unwrap()?;
        buf.truncate(transmit.len);
        Some(buf)
    }

    /// Runs the application. A client writes its request at once, a server its answer after the whole request.
    fn act(&mut self) {
        self.received.extend(self.trace.read());
        let Session { client, server, client_closes, .. } = self.session;
        let (mine, theirs) = if self.role == Role::Client { (client, server) } else { (server, client) };
        let has_all = self.received.len() == theirs.header.len() + theirs.content.len();
        if !self.written && (self.role == Role::Client || has_all) {
            self.trace.machine.send_segment(mine.header).unwrap();
            assert_eq!(self.trace.machine.send(mine.content), Ok(mine.content.len()));
            self.written = true;
        }
        if has_all && (client_closes || self.role == Role::Server) {
            self.trace.machine.close();
        }
    }

    /// Asserts that the connection has finished and sends nothing more.
    fn finishes(&mut self) {
        assert_eq!(self.trace.machine.ended(), Some(CloseReason::Finished));
        while let Some(event) = self.trace.machine.poll_event() {
            assert!(!matches!(event, Event::Closed(reason) if reason != CloseReason::Finished), "{event:?}");
        }
        self.trace.elapse(120_000);
        assert!(self.trace.machine.is_drained());
    }
}

fn packet(datagram: &[u8]) -> Packet<'_> {
    Framing::ROSTOV.decode(datagram).unwrap()
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
