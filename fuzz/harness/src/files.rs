//! File sessions with many requests: any bytes of the peer, any calls, any answers of storage.

use arbitrary::{Arbitrary, Unstructured};
use rdt_proto::files::{
    Answer, Client, Digest, Encoded, Entry, FilePath, Kind, Message, Metadata, Output, Prefix, Request, Server,
    ServerConfig, Session, Wish,
};
use rdt_proto::ftp::StorageError;

/// A call on a session.
#[derive(Arbitrary, Debug)]
enum Call<'a> {
    Input(&'a [u8]),
    /// The bytes of a valid message, and content.
    Message(Sample, u8),
    Closed,
    Lost,
    Answer(Reply),
    Committed(Result<(), StorageError>),
    Output(u8),
    Request(u16),
    /// A call on a client only.
    Start(Start),
}

/// A message of either side.
#[derive(Arbitrary, Debug, Clone, Copy)]
enum Sample {
    Put { wish: u8, length: Option<u8> },
    Get,
    List,
    Check,
    Start(u8),
    Data,
    End(Digest),
    Cancel,
    Resume(u8),
    Confirm,
    Error,
    File { length: u8, offset: u8 },
    Entry,
    Listed,
}

/// An answer of storage that need not fit the request.
#[derive(Arbitrary, Debug, Clone, Copy)]
enum Reply {
    Fits,
    Opened { length: u8, offset: u8 },
    Created(u8),
    Compared(bool),
    Rewound,
    Read(u16),
    Digest(Digest),
    Written(u16),
    Queued,
    Discarded,
    Ready,
    Entry,
    NoMore,
    Failed(StorageError),
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Start {
    Put { wish: u8, length: Option<u8> },
    Get,
    List,
    Check,
    Finish,
    Event,
}

/// What storage has been asked and has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Open,
    Prepare,
    Compare,
    Rewind,
    Read(u16),
    Digest,
    Write { offset: u64, len: usize },
    Commit,
    Discard,
    List,
    Entry,
    Describe,
}

/// A session, and what storage holds for it.
struct Host<S> {
    session: S,
    /// Input that the session has not consumed.
    input: Vec<u8>,
    asked: Option<Asked>,
    /// Whether storage holds an unfinished file, and its length.
    part: Option<u64>,
    queued: u32,
    /// The session has ended its direction.
    is_over: bool,
}

fn path() -> FilePath<'static> {
    FilePath::new("a/b").unwrap_or_else(|error| panic!("{error}"))
}

fn prefix(length: u8) -> Prefix {
    Prefix { length: length.into(), digest: Digest::default() }
}

fn entry() -> Entry<'static> {
    Entry { kind: Kind::File, metadata: Metadata::default(), length: 1, digest: Digest::default(), path: path() }
}

fn message(sample: Sample, len: u8) -> Encoded {
    let (path, metadata) = (path(), Metadata::default());
    let code = StorageError::Failed.into();
    Encoded::encode(&match sample {
        Sample::Put { wish, length } => {
            Message::Put { wish: Wish::from_bits_truncate(wish), metadata, length: length.map(Into::into), path }
        }
        Sample::Get => Message::Get { have: prefix(0), path },
        Sample::List => Message::List { wish: Wish::empty(), folder: Some(path) },
        Sample::Check => Message::Check { wish: Wish::DIGEST, path },
        Sample::Start(offset) => Message::Start { offset: offset.into() },
        Sample::Data => Message::Data { len: len.into() },
        Sample::End(digest) => Message::End { digest },
        Sample::Cancel => Message::Cancel { code },
        Sample::Resume(length) => Message::Resume(prefix(length)),
        Sample::Confirm => Message::Confirm,
        Sample::Error => Message::Error { code },
        Sample::File { length, offset } => {
            Message::File { metadata, length: length.into(), offset: offset.min(length).into() }
        }
        Sample::Entry => Message::Entry(entry()),
        Sample::Listed => Message::Listed,
    })
}

impl<S: Session> Host<S> {
    fn new(session: S) -> Self {
        Self { session, input: Vec::new(), asked: None, part: None, queued: 0, is_over: false }
    }

    fn read(&mut self) {
        let taken = self.session.handle_input(&self.input);
        assert!(taken <= self.input.len());
        if let Some(Asked::Write { len, .. }) = self.asked {
            assert!(taken == 0 && len <= self.input.len(), "the bytes of a write stay");
        }
        self.input.drain(..taken);
    }

    fn call(&mut self, call: &Call<'_>) {
        match *call {
            Call::Input(bytes) => {
                self.input.extend_from_slice(bytes);
                self.read();
            }
            Call::Message(sample, len) => {
                self.input.extend_from_slice(message(sample, len).as_bytes());
                if matches!(sample, Sample::Data) {
                    self.input.resize(self.input.len() + usize::from(len), 5);
                }
                self.read();
            }
            Call::Closed => self.session.handle_peer_closed(),
            Call::Lost => {
                self.session.handle_lost();
                self.is_over = true;
            }
            Call::Answer(reply) => self.answer(reply),
            Call::Committed(result) => {
                let is_asked = self.session.handle_committed(result).is_ok();
                assert_eq!(is_asked, self.queued > 0);
                self.queued = self.queued.saturating_sub(1);
            }
            Call::Output(most) => self.write(most.into()),
            Call::Request(room) => self.request(room.into()),
            Call::Start(_) => {}
        }
    }

    fn write(&mut self, most: usize) {
        let len = match self.session.poll_output() {
            None => return,
            Some(Output::Message(bytes)) => {
                assert!(!self.is_over, "a message after the end");
                bytes.len().min(most)
            }
            Some(Output::Close | Output::Abort(_)) => {
                assert!(!self.is_over, "a second end");
                self.is_over = true;
                return;
            }
        };
        assert_eq!(self.session.output_sent(len), Ok(()));
        assert!(self.session.output_sent(usize::MAX).is_err());
    }

    fn request(&mut self, room: usize) {
        let Some(request) = self.session.poll_request(room) else { return };
        assert_eq!(self.asked, None, "a second request: {request:?}");
        self.asked = Some(match request {
            Request::Open { .. } => Asked::Open,
            Request::Create { .. } | Request::Receive { .. } => {
                assert_eq!(self.part, None, "two unfinished files");
                Asked::Prepare
            }
            Request::Compare { .. } => Asked::Compare,
            Request::Rewind => Asked::Rewind,
            Request::Read { len, .. } => {
                assert!(len > 0 && usize::from(len) + 3 <= room);
                Asked::Read(len)
            }
            Request::Digest => Asked::Digest,
            Request::Write { offset, len } => {
                let is_next = self.part.is_some_and(|position| [offset, u64::MAX].contains(&position));
                assert!(len > 0 && len <= self.input.len() && is_next, "{offset}, {:?}", self.part);
                Asked::Write { offset, len }
            }
            Request::Commit { .. } => Asked::Commit,
            Request::Discard { .. } => Asked::Discard,
            Request::List { .. } => Asked::List,
            Request::NextEntry => Asked::Entry,
            Request::Describe { .. } => Asked::Describe,
            other => panic!("{other:?}"),
        });
    }

    /// The answer that fits the request.
    fn fitting(&self) -> Reply {
        match self.asked {
            None | Some(Asked::Commit) => Reply::Queued,
            Some(Asked::Open) => Reply::Opened { length: 9, offset: 0 },
            Some(Asked::Prepare) => Reply::Created(0),
            Some(Asked::Compare) => Reply::Compared(true),
            Some(Asked::Rewind) => Reply::Rewound,
            Some(Asked::Read(len)) => Reply::Read(len.min(5)),
            Some(Asked::Digest) => Reply::Digest(Digest::default()),
            Some(Asked::Write { len, .. }) => Reply::Written(u16::try_from(len).unwrap_or(u16::MAX)),
            Some(Asked::Discard) => Reply::Discarded,
            Some(Asked::List) => Reply::Ready,
            Some(Asked::Entry) => Reply::NoMore,
            Some(Asked::Describe) => Reply::Entry,
        }
    }

    fn answer(&mut self, reply: Reply) {
        let reply = if matches!(reply, Reply::Fits) { self.fitting() } else { reply };
        let answer = match reply {
            Reply::Fits | Reply::Queued => Answer::Queued,
            Reply::Opened { length, offset } => Answer::Opened {
                metadata: Metadata::default(),
                length: length.into(),
                offset: offset.min(length).into(),
            },
            Reply::Created(length) => Answer::Created(prefix(length)),
            Reply::Compared(equal) => Answer::Compared(equal),
            Reply::Rewound => Answer::Rewound,
            Reply::Read(len) => Answer::Read(len),
            Reply::Digest(digest) => Answer::Digest(digest),
            Reply::Written(len) => Answer::Written(len.into()),
            Reply::Discarded => Answer::Discarded,
            Reply::Ready => Answer::Ready,
            Reply::Entry => Answer::Entry(entry()),
            Reply::NoMore => Answer::NoMore,
            Reply::Failed(error) => Answer::Failed(error),
        };
        if self.session.handle_answer(answer).is_err() {
            return;
        }
        let asked = self.asked.take().unwrap_or_else(|| panic!("an answer that was not asked for: {reply:?}"));
        match (asked, reply) {
            // Where the content begins is seen at the first write.
            (Asked::Prepare, Reply::Created(_)) | (Asked::Rewind, Reply::Rewound) => self.part = Some(u64::MAX),
            (Asked::Write { offset, .. }, Reply::Written(len)) => self.part = Some(offset + u64::from(len)),
            (Asked::Commit, Reply::Queued) => {
                self.part = None;
                self.queued += 1;
            }
            (Asked::Discard, _) => self.part = None,
            _ => {}
        }
    }

    /// After the connection is lost and storage has answered everything, the session is over and storage idle.
    fn end(&mut self) {
        self.session.handle_lost();
        self.is_over = true;
        for _ in 0..20 {
            self.read();
            self.request(100);
            if self.asked.is_some() {
                self.answer(Reply::Fits);
            }
        }
        while self.queued > 0 {
            self.call(&Call::Committed(Ok(())));
        }
        self.write(9);
        assert_eq!((self.part, self.asked), (None, None), "an unfinished file is left");
    }
}

/// Makes any calls on a server.
///
/// # Panics
///
/// If a law does not hold.
pub fn server(bytes: &[u8]) {
    let Ok(calls) = Vec::<Call<'_>>::arbitrary_take_rest(Unstructured::new(bytes)) else { return };
    let mut host = Host::new(Server::new(ServerConfig { max_length: 200, ..ServerConfig::default() }));
    calls.iter().for_each(|call| host.call(call));
    host.end();
    assert!(host.session.is_done());
}

/// Makes any calls on a client.
///
/// # Panics
///
/// If a law does not hold.
pub fn client(bytes: &[u8]) {
    let Ok(calls) = Vec::<Call<'_>>::arbitrary_take_rest(Unstructured::new(bytes)) else { return };
    let mut host = Host::new(Client::new());
    for call in &calls {
        let Call::Start(start) = *call else {
            host.call(call);
            continue;
        };
        let was_ready = host.session.is_ready();
        let started = match start {
            Start::Put { wish, length } => {
                let wish = Wish::from_bits_truncate(wish);
                host.session.put(path(), Metadata::default(), length.map(Into::into), wish)
            }
            Start::Get => host.session.get(path(), prefix(0)),
            Start::List => host.session.list(None, Wish::empty()),
            Start::Check => host.session.check(path(), Wish::empty()),
            Start::Finish => {
                host.session.finish();
                continue;
            }
            Start::Event => {
                host.session.poll_event();
                continue;
            }
        };
        assert_eq!(started.is_ok(), was_ready);
    }
    host.end();
    while host.session.poll_event().is_some() {}
    host.end();
    assert!(host.session.poll_event().is_none() && host.session.is_done(), "{:?}", host.session);
}
