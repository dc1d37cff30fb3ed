//! Downloads a file from `rdt serve`: one connection with selective repeat, the session with one request, one blocking
//! socket. `rdt get` speaks the session with many requests, on an event loop, with progress and batches of datagrams.
//! Run: `cargo run --release --example get_file 127.0.0.1:6969 README.md copy.md`.

use rdt_proto::connection::{CloseReason, Config, Connection, HeapStorage, SendError, Storage};
use rdt_proto::ftp::{Answer, Client, ClientConfig, Name, Outcome, Output, Request, Session, StorageError, Unasked};
use rdt_proto::{Duration, Instant};
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;

/// The number of packets buffered each way.
const WINDOW: u32 = 1_024;
/// The time to answer the server's FIN after the outcome is known. It is three times the default linger.
const FAREWELL: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn Error>> {
    let args: Result<[String; 3], _> = std::env::args().skip(1).collect::<Vec<_>>().try_into();
    let [address, name, output] = args.map_err(|_| "usage: get_file ADDRESS NAME OUTPUT")?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(address)?;

    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)?;
    let started = std::time::Instant::now();
    let now = || Instant::ZERO + started.elapsed().into();
    let config = Config::default();
    let storage = Storage::on_heap(&config, WINDOW)?;
    let mut download = Download {
        connection: Connection::connect(now(), config, entropy, storage)?,
        session: Client::download(ClientConfig::default(), Name::new(&name)?),
        target: Target { part: format!("{output}.part").into(), path: output.into(), file: None, error: None },
    };

    let mut buf = [0; 2_048];
    let mut leave_at = None;
    loop {
        download.pump(now())?;
        while let Some(transmit) = download.connection.poll_transmit(now(), &mut buf)? {
            socket.send(&buf[..transmit.len]).ok(); // a datagram that fails counts as lost
        }
        if download.session.outcome().is_some() {
            leave_at.get_or_insert(now() + FAREWELL);
        }
        if download.connection.is_drained() || leave_at.is_some_and(|end| end <= now()) {
            return download.result();
        }
        let due = [download.connection.poll_timeout(), leave_at].into_iter().flatten().min();
        let wait = due.map(|due| due.saturating_since(now()).max(Duration::from_millis(1)));
        socket.set_read_timeout(wait.map(Into::into))?;
        match socket.recv(&mut buf) {
            Ok(len) => {
                download.connection.handle_datagram(now(), &buf[..len]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {} // a datagram may wait
            Err(error) if is_nothing(&error) => download.connection.handle_timeout(now()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the error only means that no datagram has arrived, or that no server listens yet. The limits of the
/// connection then decide when to give up.
fn is_nothing(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionRefused, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | ConnectionRefused)
}

struct Download {
    connection: Connection<HeapStorage>,
    session: Client,
    target: Target,
}

impl Download {
    /// Moves data between connection, session and file until none of them makes progress.
    fn pump(&mut self, now: Instant) -> Result<(), Unasked> {
        loop {
            let taken = self.session.handle_input(now, self.connection.recv_chunk());
            self.connection.consume(taken);
            self.report_end();
            let stored = self.store(now)?;
            if taken == 0 && !stored && !self.write()? {
                return Ok(());
            }
        }
    }

    /// Reports the end of the server's stream to the session, after all data was read.
    fn report_end(&mut self) {
        if self.connection.is_finished_reading() {
            match self.connection.ended() {
                None | Some(CloseReason::Finished | CloseReason::PeerLeft) => self.session.handle_peer_closed(),
                Some(CloseReason::Reset { code } | CloseReason::Refused { code }) => {
                    self.session.handle_aborted(code.into());
                }
                Some(_) => self.session.handle_lost(),
            }
        }
    }

    /// Executes a pending storage request. Returns whether there was one.
    fn store(&mut self, now: Instant) -> Result<bool, Unasked> {
        let Some(request) = self.session.poll_request(0) else { return Ok(false) };
        let answer = self.target.perform(request, self.connection.recv_chunk()).unwrap_or_else(|error| {
            let kind = error.kind();
            self.target.error = Some(error);
            Answer::Failed(StorageError::from(kind))
        });
        self.session.handle_answer(now, answer)?;
        Ok(true)
    }

    /// Passes a pending output of the session to the connection. Returns whether the session made progress.
    fn write(&mut self) -> Result<bool, Unasked> {
        match self.session.poll_output() {
            None => return Ok(false),
            Some(Output::Header(header)) => match self.connection.send_segment(header) {
                Ok(()) => {
                    let len = header.len();
                    self.session.header_sent(len)?;
                }
                Err(SendError::Full) => return Ok(false), // the session returns the header again
                Err(_) => self.session.handle_lost(),
            },
            Some(Output::Close) => self.connection.close(),
            Some(Output::Abort(code)) => self.connection.abort(code.value()),
        }
        Ok(true)
    }

    fn result(self) -> Result<(), Box<dyn Error>> {
        match (self.session.outcome(), self.connection.ended(), self.target.error) {
            (Some(Outcome::Received), ..) => Ok(()),
            (Some(Outcome::Refused(code)), ..) => Err(format!("the server refused: {code}").into()),
            (Some(Outcome::StorageFailed(_)), _, Some(error)) => Err(format!("cannot store it here: {error}").into()),
            (Some(Outcome::StorageFailed(error)), ..) => Err(format!("cannot store it here: {error}").into()),
            (Some(Outcome::Lost), Some(reason), _) => Err(format!("connection lost: {reason}").into()),
            (outcome, ..) => Err(format!("failed: {outcome:?}").into()),
        }
    }
}

/// A temporary file that gets its final name once it is complete.
struct Target {
    path: PathBuf,
    part: PathBuf,
    file: Option<File>,
    error: Option<io::Error>,
}

impl Target {
    /// Executes a storage request. Offsets are consecutive, so each write appends.
    fn perform(&mut self, request: Request<'_>, unread: &[u8]) -> io::Result<Answer> {
        match (request, &mut self.file) {
            (Request::Create { .. }, file) => {
                *file = Some(File::create(&self.part)?);
                Ok(Answer::Created)
            }
            (Request::Write { len, .. }, Some(file)) => Ok(Answer::Written(file.write(&unread[..len])?)),
            (Request::Commit, Some(file)) => {
                file.sync_all()?;
                fs::rename(&self.part, &self.path)?;
                Ok(Answer::Committed)
            }
            (Request::Discard, file) => {
                *file = None;
                fs::remove_file(&self.part)?;
                Ok(Answer::Discarded)
            }
            _ => Err(io::Error::other("unexpected storage request of a download")),
        }
    }
}
