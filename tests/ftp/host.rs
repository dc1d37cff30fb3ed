//! A driver of a session: streams and storage in memory. Storage answers at once or later.

use std::collections::BTreeMap;

use rdt_proto::Instant;
use rdt_proto::ftp::{
    Answer, Client, ClientConfig, FileEvent, Name, Outcome, Output, Request, Server, ServerConfig, Session,
    StorageError,
};

pub(crate) fn name(text: &str) -> Name<'_> {
    Name::new(text).unwrap()
}

/// The header of an upload.
pub(crate) fn upload(text: &str, length: u64) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(length.to_le_bytes());
    bytes.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    bytes.extend(text.bytes());
    bytes
}

/// The request for a download.
pub(crate) fn download(text: &str) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    bytes.extend(text.bytes());
    bytes
}

/// The header of a file, which answers the request for a download.
pub(crate) fn file(length: u64) -> Vec<u8> {
    [&[2][..], &length.to_le_bytes()].concat()
}

/// Files in memory. `log` lists the requests in order.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// The file that is being written, before its commit.
    pub(crate) part: Option<Vec<u8>>,
    pub(crate) log: Vec<String>,
    /// The request that fails, and its error.
    pub(crate) fails: Option<(&'static str, StorageError)>,
    /// Whether a commit gives the file its name, but not durably.
    pub(crate) is_not_durable: bool,
    /// The number of bytes that a file may have before storage is full.
    pub(crate) space: Option<usize>,
    /// The maximum number of bytes that one write takes.
    pub(crate) write_at_most: Option<usize>,
    /// The name of the open file.
    open: String,
}

impl Memory {
    fn failure(&self, verb: &str) -> Option<Answer> {
        self.fails.filter(|(which, _)| *which == verb).map(|(_, error)| Answer::Failed(error))
    }
}

/// A request that storage has not answered yet.
#[derive(Clone, Copy)]
enum Pending {
    Open,
    Create { exists: bool },
    Read { offset: usize, len: usize },
    Write { offset: usize, len: usize },
    Commit,
    Discard,
}

/// How a session ended its direction of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Closed,
    Aborted(u8),
}

/// A session with its streams and its storage.
pub(crate) struct Host<S> {
    pub(crate) session: S,
    pub(crate) now: Instant,
    /// Bytes from the peer that the session has not consumed.
    pub(crate) inbox: Vec<u8>,
    /// The peer closed its direction after the bytes of `inbox`.
    pub(crate) peer_closed: bool,
    /// Bytes for the peer, headers included.
    pub(crate) outbox: Vec<u8>,
    pub(crate) headers: Vec<Vec<u8>>,
    pub(crate) ended: Option<Ended>,
    pub(crate) events: Vec<FileEvent>,
    pub(crate) storage: Memory,
    /// The number of bytes that the session has consumed.
    pub(crate) taken: u64,
    /// Storage withholds its answers.
    pub(crate) hold: bool,
    /// The number of bytes of content that the outgoing stream takes at once.
    pub(crate) room: usize,
    pending: Option<Pending>,
}

pub(crate) fn server(config: ServerConfig) -> Host<Server> {
    Host::new(Server::new(config))
}

/// A server with these files.
pub(crate) fn serving(files: &[(&str, &[u8])]) -> Host<Server> {
    let mut host = server(ServerConfig::default());
    host.storage.files = files.iter().map(|(name, content)| ((*name).into(), content.to_vec())).collect();
    host
}

/// A client that uploads `content` under the name `text`.
pub(crate) fn uploading(text: &str, content: &[u8]) -> Host<Client> {
    let length = u64::try_from(content.len()).unwrap();
    let mut host = Host::new(Client::upload(ClientConfig::default(), name(text), length));
    host.storage.files.insert("local".into(), content.to_vec());
    host.storage.open = "local".into();
    host
}

/// A client that downloads the file `text`.
pub(crate) fn downloading(text: &str) -> Host<Client> {
    Host::new(Client::download(ClientConfig::default(), name(text)))
}

impl<S: Session> Host<S> {
    pub(crate) fn new(session: S) -> Self {
        Self {
            session,
            now: Instant::ZERO,
            inbox: Vec::new(),
            peer_closed: false,
            outbox: Vec::new(),
            headers: Vec::new(),
            ended: None,
            events: Vec::new(),
            storage: Memory::default(),
            taken: 0,
            hold: false,
            room: usize::MAX,
            pending: None,
        }
    }

    /// Delivers these bytes from the peer, and runs the session until nothing changes.
    pub(crate) fn hears(&mut self, bytes: &[u8]) -> &mut Self {
        self.inbox.extend(bytes);
        self.run()
    }

    pub(crate) fn peer_closes(&mut self) -> &mut Self {
        self.peer_closed = true;
        self.run()
    }

    /// Answers the pending storage request.
    pub(crate) fn storage_answers(&mut self) -> &mut Self {
        self.hold = false;
        self.run()
    }

    /// Runs the session until nothing changes.
    pub(crate) fn run(&mut self) -> &mut Self {
        while self.turn() {}
        self
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.events.iter().find_map(|event| match event {
            FileEvent::Done(outcome) => Some(*outcome),
            FileEvent::Requested(_) | FileEvent::Started { .. } => None,
        })
    }

    pub(crate) fn log(&self) -> Vec<&str> {
        self.storage.log.iter().map(String::as_str).collect()
    }

    /// Runs one round of the driver's loop. Returns whether anything happened.
    pub(crate) fn turn(&mut self) -> bool {
        let taken = self.session.handle_input(self.now, &self.inbox);
        self.inbox.drain(..taken);
        self.taken += u64::try_from(taken).unwrap();
        if self.peer_closed && self.inbox.is_empty() {
            self.session.handle_peer_closed();
        }
        let mut progress = taken > 0;
        if self.pending.is_none() {
            self.pending = self.session.poll_request(self.room).map(|request| self.storage.begin(request));
            progress |= self.pending.is_some();
        }
        if !self.hold
            && let Some(pending) = self.pending.take()
        {
            let answer = self.storage.work(pending, &self.inbox, &mut self.outbox);
            assert!(
                self.ended != Some(Ended::Closed) || !matches!(answer, Answer::Read(_)),
                "no content follows the close"
            );
            self.session.handle_answer(self.now, answer).unwrap();
            progress = true;
        }
        progress | self.outputs() | self.news()
    }

    fn outputs(&mut self) -> bool {
        match self.session.poll_output() {
            None => return false,
            Some(Output::Header(header)) => {
                self.headers.push(header.to_vec());
                self.outbox.extend(header);
                let len = header.len();
                self.session.header_sent(len).unwrap();
            }
            Some(Output::Close) => {
                assert_eq!(self.ended.replace(Ended::Closed), None);
            }
            Some(Output::Abort(code)) => self.ended = Some(Ended::Aborted(code.value())),
        }
        true
    }

    fn news(&mut self) -> bool {
        let event = self.session.poll_event();
        assert!(event.is_none() || self.outcome().is_none(), "no event follows `Done`");
        self.events.extend(event);
        event.is_some()
    }
}

impl Memory {
    fn begin(&mut self, request: Request<'_>) -> Pending {
        let (line, pending) = match request {
            Request::Open { name } => {
                self.open = name.as_str().into();
                (format!("open {name}"), Pending::Open)
            }
            Request::Create { name, length, replace } => {
                let exists = !replace && self.files.contains_key(name.as_str());
                self.open = name.as_str().into();
                (format!("create {name} {length}"), Pending::Create { exists })
            }
            Request::Read { offset, len } => {
                (format!("read {offset}+{len}"), Pending::Read { offset: usize::try_from(offset).unwrap(), len })
            }
            Request::Write { offset, len } => {
                (format!("write {offset}+{len}"), Pending::Write { offset: usize::try_from(offset).unwrap(), len })
            }
            Request::Commit => ("commit".into(), Pending::Commit),
            Request::Discard => ("discard".into(), Pending::Discard),
            other => panic!("unknown request: {other:?}"),
        };
        self.log.push(line);
        pending
    }

    fn work(&mut self, pending: Pending, inbox: &[u8], outbox: &mut Vec<u8>) -> Answer {
        match pending {
            Pending::Open => self.failure("open").unwrap_or_else(|| {
                self.files.get(&self.open).map_or(Answer::Failed(StorageError::NoSuchFile), |content| Answer::Opened {
                    length: u64::try_from(content.len()).unwrap(),
                })
            }),
            Pending::Create { exists: true } => Answer::Failed(StorageError::Exists),
            Pending::Create { exists: false } => self.failure("create").unwrap_or_else(|| {
                assert!(self.part.replace(Vec::new()).is_none());
                Answer::Created
            }),
            Pending::Read { offset, len } => self.failure("read").unwrap_or_else(|| {
                let rest = self.files[&self.open].get(offset..).unwrap_or_default();
                let piece = &rest[..len.min(rest.len())];
                outbox.extend(piece);
                Answer::Read(piece.len())
            }),
            Pending::Write { offset, len } => self.failure("write").unwrap_or_else(|| {
                let part = self.part.as_mut().unwrap();
                assert_eq!(part.len(), offset);
                let len = len.min(self.write_at_most.unwrap_or(len));
                if self.space.is_some_and(|space| offset + len > space) {
                    return Answer::Failed(StorageError::NoSpace);
                }
                part.extend(&inbox[..len]);
                Answer::Written(len)
            }),
            Pending::Commit => self.failure("commit").unwrap_or_else(|| {
                self.files.insert(self.open.clone(), self.part.take().unwrap());
                if self.is_not_durable { Answer::NotDurable(StorageError::Failed) } else { Answer::Committed }
            }),
            Pending::Discard => {
                assert!(self.part.take().is_some());
                Answer::Discarded
            }
        }
    }
}
