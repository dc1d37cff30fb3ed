//! A load test: many clients use one server at once. It measures the capacity of the server, and the share of each
//! client.
//!
//! Each client has its own socket and connection, and all clients run on one thread. A client sends its own content,
//! fetches it again and compares each byte. The clients store nothing.

use crate::args::LoadArgs;
use crate::attempts::Attempts;
use crate::binding;
use crate::client::{FailureKind, FileClient};
use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::exchange::{Exchange, Failure, Storage, Task};
use crate::json::{self, Record, Spread};
use crate::local_failure::{at_start, of_network};
use crate::loss::Loss;
use crate::messages::{self, amount, counted, duration, error_text, to_stderr, to_stdout};
use crate::patience::Patience;
use crate::progress::Progress;
use crate::report::{Local, Report};
use crate::settings::{AnyStorage, Settings};
use crate::socket::{RecvBuf, Socket};
use crate::stop::{INTERRUPTED, Stop};
use mio::{Events, Poll, Token, Waker};
use rdt_proto::connection::Connection;
use rdt_proto::ftp::{Answer, Client, ClientConfig, NameBuf, Outcome, StorageError};
use rdt_proto::{Duration, Instant};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

/// The maximum number of batches that a client receives before the next client is served.
const BATCHES: usize = 8;
const STOP: Token = Token(usize::MAX);

pub(crate) fn run(args: &LoadArgs, stop: &Stop) -> Result<ExitCode, String> {
    let servers = args.server.resolve()?;
    args.common.start_trace()?;
    let size = usize::try_from(args.size).map_err(|_| "--size is more than fits into memory".to_owned())?;
    // The content of each client is an excerpt of these bytes. Each excerpt begins one byte after the previous one.
    let mut random = vec![0; size + args.clients];
    getrandom::fill(&mut random).map_err(|error| at_start(io::Error::other(error)))?;
    let fail = of_network;
    let poll = Poll::new().map_err(fail)?;
    stop.add_waker(Arc::new(Waker::new(poll.registry(), STOP).map_err(fail)?));
    let mut load = Load {
        args,
        servers,
        settings: args.common.settings(),
        random: &random,
        size,
        poll,
        clock: Clock::start(),
        recv_buf: RecvBuf::new(),
        clients: Vec::new(),
        failures: Vec::new(),
        deadlines: BTreeSet::new(),
        active: 0,
        ended: Instant::ZERO,
    };
    load.start()?;
    while load.active > 0 && stop.count() == 0 {
        load.turn().map_err(fail)?;
    }
    if stop.count() > 0 {
        load.stop();
        messages::fail("stopped", INTERRUPTED);
        return Ok(INTERRUPTED.into());
    }
    load.report()
}

/// The content that a client sends, and compares with the download.
struct Excerpt<'r> {
    content: &'r [u8],
    /// The number of bytes sent, or compared.
    done: usize,
}

impl Excerpt<'_> {
    fn from(&self, offset: usize) -> &[u8] {
        self.content.get(offset..).unwrap_or_default()
    }
}

impl Storage for Excerpt<'_> {
    fn perform(&mut self, task: &Task, connection: &mut Connection<AnyStorage>) -> Option<Result<Answer, Failure>> {
        let done = self.done;
        Some(match task {
            Task::Create { .. } => Ok(Answer::Created),
            Task::Read { len } => {
                let (content, slot) = (self.from(done), connection.send_slot().unwrap_or_default());
                let len = slot.len().min(content.len()).min(*len);
                slot[..len].copy_from_slice(&content[..len]);
                self.done += len;
                connection.commit(len).map(|()| Answer::Read(len)).map_err(|error| io::Error::other(error).into())
            }
            Task::Commit if done == self.content.len() => Ok(Answer::Committed),
            Task::Commit => Err(io::Error::other(format!("only {done} bytes")).into()),
            Task::Discard => Ok(Answer::Discarded),
            // A client does not serve downloads.
            Task::Open { .. } => Ok(Answer::Failed(StorageError::Failed)),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Option<Result<usize, Failure>> {
        let done = self.done;
        Some(if self.from(done).starts_with(bytes) {
            self.done += bytes.len();
            Ok(bytes.len())
        } else {
            Err(io::Error::other(format!("the content differs near byte {done}")).into())
        })
    }

    fn finish(&mut self) {}
}

/// The state of a client.
enum Member<'r> {
    Active(Box<Active<'r>>),
    /// The client has fetched the content that it sent. The upload and the download took this time.
    Equal(Duration),
    Failed,
}

struct Active<'r> {
    socket: Socket,
    client: FileClient<Excerpt<'r>>,
    deadline: Option<Instant>,
    /// The duration of the upload, once it is complete.
    uploaded: Option<Duration>,
}

/// Clients that failed in the same way.
struct Failures {
    kind: FailureKind,
    /// The first of them, counted from 1.
    first: usize,
    /// How many followed.
    more: u64,
}

struct Load<'r> {
    args: &'r LoadArgs,
    servers: Vec<SocketAddr>,
    settings: Settings,
    random: &'r [u8],
    size: usize,
    poll: Poll,
    clock: Clock,
    recv_buf: RecvBuf,
    clients: Vec<Member<'r>>,
    failures: Vec<Failures>,
    /// The next deadline of each client, with its index.
    deadlines: BTreeSet<(Instant, usize)>,
    active: usize,
    /// When the last result was known. The closes of connections do not count.
    ended: Instant,
}

impl<'r> Load<'r> {
    fn start(&mut self) -> Result<(), String> {
        for index in 0..self.args.clients {
            let patience = Patience::new(self.clock.now(), &self.settings, false);
            let active = self.connect(index, None, patience).map_err(|error| {
                let limit = error.raw_os_error().is_some();
                let advice = if limit { " (each client takes a socket: see `ulimit -n`)" } else { "" };
                format!("cannot start client {} of {}: {}{advice}", index + 1, self.args.clients, error_text(&error))
            })?;
            self.clients.push(Member::Active(Box::new(active)));
            // The first deadline of each client is due at once.
            self.deadlines.insert((Instant::ZERO, index));
        }
        self.active = self.clients.len();
        Ok(())
    }

    /// Connects a client for its upload. If `uploaded` has the duration of the upload, connects it for its download.
    fn connect(&self, index: usize, uploaded: Option<Duration>, patience: Patience) -> io::Result<Active<'r>> {
        let name = NameBuf::new(&name_of(index)).map_err(io::Error::other)?;
        let content = &self.random[index..index + self.size];
        let session = match uploaded {
            None => Client::upload(ClientConfig::default(), name.as_name(), self.size as u64),
            Some(_) => Client::download(ClientConfig::default(), name.as_name()),
        };
        let exchange = Exchange::new(session, Excerpt { content, done: 0 }).taking_at_most(self.settings.max_rate);
        // Each connection has its own seed, and so loses different datagrams.
        let seed = self.args.common.seed.wrapping_add(2 * index as u64 + u64::from(uploaded.is_some()));
        let (bytes, loss) = (self.settings.largest_config().max_datagram_len(), Loss::new(self.args.common.loss, seed));
        let bound = binding::bind_towards(&self.servers)?;
        let socket = Socket::new(self.poll.registry(), Token(index), bound, bytes, loss)?;
        socket.hear_icmp()?;
        let report = Report::new(Progress::Quiet, Local::Memory, false);
        let attempts = Attempts::new(&self.servers, self.settings, patience);
        let client = FileClient::new(attempts, self.settings, exchange, None, report);
        Ok(Active { socket, client, deadline: Some(Instant::ZERO), uploaded })
    }

    /// Waits for events or a deadline, and drives each client that has an event or is due.
    fn turn(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        let due = self.deadlines.first().map(|&(at, _)| at.saturating_since(self.clock.now()).into());
        match self.poll.poll(&mut events, due) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &events {
            if let Some(Member::Active(active)) = self.clients.get_mut(event.token().0)
                && event.is_writable()
            {
                active.socket.on_writable(self.poll.registry());
            }
            self.drive(event.token().0)?;
        }
        let now = self.clock.now();
        while let Some(&(_, index)) = self.deadlines.first().filter(|&&(at, _)| at <= now) {
            self.drive(index)?;
        }
        Ok(())
    }

    /// Receives, handles timeouts, and sends.
    fn drive(&mut self, index: usize) -> io::Result<()> {
        let Some(Member::Active(active)) = self.clients.get_mut(index) else { return Ok(()) };
        let Active { socket, client, deadline, .. } = &mut **active;
        let now = self.clock.now();
        // Datagrams are handled before timeouts. Otherwise an answer that arrived in time might count as late.
        for _ in 0..BATCHES {
            socket.receive(now, &mut self.recv_buf, client)?;
            if socket.is_drained() {
                break;
            }
        }
        if socket.is_drained() && client.poll_timeout().is_some_and(|due| due <= now) {
            client.handle_timeout(now);
        }
        socket.transmit(self.poll.registry(), &self.clock, client)?;
        let next = match client.poll_timeout() {
            // The poller reports when the socket has room, unless it did so in vain.
            _ if socket.is_blocked() => socket.pause().map(|pause| now + pause),
            _ if !socket.is_drained() => Some(now + Duration::from_micros(1)),
            due => due.into_iter().chain(socket.pause().map(|pause| now + pause)).min(),
        };
        if *deadline != next {
            deadline.map(|old| self.deadlines.remove(&(old, index)));
            self.deadlines.extend(next.map(|next| (next, index)));
            *deadline = next;
        }
        if client.is_finished() && !socket.is_blocked() {
            deadline.map(|old| self.deadlines.remove(&(old, index)));
            self.start_next(index)?;
        }
        Ok(())
    }

    /// After the end of a client's connection, starts its download or records the client's result.
    fn start_next(&mut self, index: usize) -> io::Result<()> {
        let Member::Active(active) = &self.clients[index] else { return Ok(()) };
        let now = self.clock.now();
        if let Some(patience) = active.client.turned_away(now) {
            let again = self.connect(index, active.uploaded, patience)?;
            self.deadlines.insert((Instant::ZERO, index));
            self.clients[index] = Member::Active(Box::new(again));
            return Ok(());
        }
        self.ended = active.client.result().map_or(now, |result| result.at).max(self.ended);
        let result = active.client.result().filter(|_| active.client.failure(active.socket.network_error()).is_none());
        self.clients[index] = match (result.map(|result| (result.outcome, result.took)), active.uploaded) {
            (Some((Outcome::Stored, took)), None) => {
                self.deadlines.insert((Instant::ZERO, index));
                let patience = Patience::new(now, &self.settings, false);
                Member::Active(Box::new(self.connect(index, Some(took), patience)?))
            }
            (Some((Outcome::Received, took)), Some(uploaded)) => Member::Equal(took.saturating_add(uploaded)),
            _ => {
                let failure = active.client.failure(active.socket.network_error()).unwrap_or_default();
                // One line for one kind, whatever the file is called and however far it has come.
                let kind = active.client.failure_kind();
                match self.failures.iter_mut().find(|failures| failures.kind == kind) {
                    Some(failures) => failures.more += 1,
                    None => {
                        to_stderr(format_args!("client {}: {failure}", index + 1));
                        self.failures.push(Failures { kind, first: index + 1, more: 0 });
                    }
                }
                if json::is_chosen() {
                    Record::ClientError { client: index + 1, message: &failure }.print();
                }
                Member::Failed
            }
        };
        if !matches!(self.clients[index], Member::Active(_)) {
            self.active -= 1;
        }
        Ok(())
    }

    /// Cancels all transfers, and sends the datagrams that notify the server.
    fn stop(&mut self) {
        let now = self.clock.now();
        for client in &mut self.clients {
            if let Member::Active(active) = client {
                active.client.handle_stop(now);
                let _ = active.socket.transmit(self.poll.registry(), &self.clock, &mut active.client);
            }
        }
    }

    fn report(&self) -> Result<ExitCode, String> {
        for Failures { first, more, .. } in self.failures.iter().filter(|failures| failures.more > 0) {
            to_stderr(format_args!("{} failed as client {first} did", counted(*more, "more client")));
        }
        let took = self.ended.saturating_since(Instant::ZERO);
        let times = self.clients.iter().filter_map(|client| match client {
            Member::Equal(took) => Some(*took),
            Member::Active(_) | Member::Failed => None,
        });
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        let (equal, all) = (times.len(), self.clients.len());
        let bytes = 2 * equal as u64 * self.size as u64;
        let spread = times.first().zip(times.last()).map(|(least, most)| {
            let [median, late] = [50, 99].map(|percent| times[(equal - 1) * percent / 100]);
            [*least, median, late, *most]
        });
        if json::is_chosen() {
            print_object(all, equal, bytes, took, spread);
        } else {
            print_text(all, equal, bytes, took, spread);
        }
        if equal == all {
            Ok(ExitCode::SUCCESS)
        } else {
            Err(format!("{} of {} failed", all - equal, counted(all as u64, "client")))
        }
    }
}

/// The name of a client's file at the server.
fn name_of(index: usize) -> String {
    format!("load-{index}")
}

/// Prints the result. `spread` is the least, the median, the 99th percentile and the most of the clients' times.
fn print_text(all: usize, equal: usize, bytes: u64, took: Duration, spread: Option<[Duration; 4]>) {
    let (clients, they) = (counted(all as u64, "client"), if all == 1 { "it" } else { "they" });
    to_stdout(format_args!("{equal} of {clients} got back what {they} had sent; in all {}", amount(bytes, took)));
    if let Some([least, median, late, most]) = spread {
        let hundredths = most.as_micros() * 100 / median.as_micros().max(1);
        to_stdout(format_args!(
            "time of each up and down: least {}, median {}, 99th percentile {}, most {}, {}.{:02} of the median",
            duration(least),
            duration(median),
            duration(late),
            duration(most),
            hundredths / 100,
            hundredths % 100,
        ));
    }
}

fn print_object(clients: usize, equal: usize, bytes: u64, took: Duration, spread: Option<[Duration; 4]>) {
    let client_seconds = spread.map(|spread| {
        let [least, median, percentile_99, most] = spread.map(json::seconds);
        Spread { least, median, percentile_99, most }
    });
    Record::Load { clients, equal, bytes, seconds: json::seconds(took), client_seconds }.print();
}
