//! Files in memory.

use rdt_proto::files::{
    Answer, DATA_HEADER, Digest, Entry, FilePath, Kind, Metadata, Prefix, Request, Wish, data_header,
};
use rdt_proto::ftp::StorageError;
use std::collections::{BTreeMap, VecDeque};

/// A stand-in for BLAKE3 that tells the files of a test apart.
pub(crate) fn digest(content: &[u8]) -> Digest {
    let mut hash = [0x9e37_79b9_7f4a_7c15_u64; 4];
    for (index, &byte) in content.iter().enumerate() {
        let lane = &mut hash[index % 4];
        *lane = (*lane ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    }
    hash[0] ^= content.len() as u64;
    let mut bytes = [0; 32];
    for (place, lane) in bytes.chunks_mut(8).zip(hash) {
        place.copy_from_slice(&lane.to_le_bytes());
    }
    Digest(bytes)
}

fn prefix(content: &[u8]) -> Prefix {
    Prefix { length: content.len() as u64, digest: digest(content) }
}

/// The disk of one side.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// What interrupted transfers have left.
    pub(crate) parts: BTreeMap<String, Vec<u8>>,
    /// The requests and their main values, in order.
    pub(crate) log: Vec<String>,
    /// The request that fails, its error, and how often it succeeds before.
    pub(crate) fails: Option<(&'static str, StorageError, u32)>,
    /// The number of bytes that a write takes at most.
    pub(crate) write_at_most: Option<usize>,
    /// The file to send.
    outgoing: Vec<u8>,
    incoming: Option<Part>,
    /// Complete files that are not durable.
    pub(crate) queue: VecDeque<(String, Vec<u8>)>,
    /// The paths that the client will receive, in their order, with what it has of them.
    pub(crate) expected: VecDeque<(String, Vec<u8>)>,
    list: VecDeque<String>,
}

struct Part {
    path: String,
    content: Vec<u8>,
    is_resumable: bool,
}

impl Disk {
    pub(crate) fn with(files: &[(&str, &[u8])]) -> Self {
        let files = files.iter().map(|&(path, content)| (path.to_owned(), content.to_vec())).collect();
        Self { files, ..Self::default() }
    }

    /// Opens a file to send.
    pub(crate) fn open(&mut self, path: &str) -> u64 {
        self.outgoing = self.files[path].clone();
        self.outgoing.len() as u64
    }

    /// Makes the oldest queued file durable.
    pub(crate) fn commit(&mut self) -> Option<Result<(), StorageError>> {
        let (path, content) = self.queue.pop_front()?;
        Some(self.allows("durable").map(|()| drop(self.files.insert(path, content))))
    }

    fn allows(&mut self, verb: &str) -> Result<(), StorageError> {
        match &mut self.fails {
            Some((which, error, 0)) if *which == verb => Err(*error),
            Some((which, _, left)) if *which == verb => {
                *left -= 1;
                Ok(())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Answers a request. `unread` is the input of this side, and `out` takes its content.
    pub(crate) fn perform(&mut self, request: &Request<'_>, unread: &[u8], out: &mut Vec<u8>) -> Answer<'_> {
        let (verb, text) = describe(request);
        self.log.push(text);
        let received = if matches!(request, Request::Receive { .. }) { self.expected.pop_front() } else { None };
        if let Err(error) = self.allows(verb) {
            if matches!(request, Request::Write { .. }) {
                self.fails = None;
            }
            return Answer::Failed(error);
        }
        match *request {
            Request::Open { path, have } => self.open_for(path.as_str(), have),
            Request::Create { path, wish, .. } => self.create(path.as_str(), wish),
            Request::Receive { offset, .. } => self.receive(received.unwrap(), offset),
            Request::Compare { prefix: of_peer } => {
                let own = usize::try_from(of_peer.length).ok().and_then(|length| self.outgoing.get(..length));
                Answer::Compared(own.is_some_and(|own| prefix(own) == of_peer))
            }
            Request::Rewind => {
                self.incoming.as_mut().unwrap().content.clear();
                Answer::Rewound
            }
            Request::Read { offset, len } => self.read(offset, len, out),
            Request::Digest => Answer::Digest(digest(&self.outgoing)),
            Request::Write { offset, len } => {
                let part = self.incoming.as_mut().unwrap();
                assert_eq!(part.content.len() as u64, offset, "offsets are consecutive");
                let len = len.min(self.write_at_most.unwrap_or(usize::MAX));
                part.content.extend(&unread[..len]);
                Answer::Written(len)
            }
            Request::Commit { digest } => self.queue(digest),
            Request::Discard { may_resume } => {
                let part = self.incoming.take().expect("a file is discarded once");
                if may_resume && part.is_resumable {
                    self.parts.insert(part.path, part.content);
                }
                Answer::Discarded
            }
            Request::List { folder, .. } => {
                let inside = |path: &&String| folder.is_none_or(|folder| path.starts_with(folder.as_str()));
                self.list = self.files.keys().filter(inside).cloned().collect();
                Answer::Ready
            }
            Request::NextEntry => match self.list.pop_front() {
                Some(path) => self.entry(&path),
                None => Answer::NoMore,
            },
            Request::Describe { path, .. } => {
                if self.files.contains_key(path.as_str()) {
                    self.entry(path.as_str())
                } else {
                    Answer::Failed(StorageError::NoSuchFile)
                }
            }
            _ => Answer::Failed(StorageError::Failed),
        }
    }

    fn open_for(&mut self, path: &str, have: Prefix) -> Answer<'static> {
        let Some(content) = self.files.get(path) else { return Answer::Failed(StorageError::NoSuchFile) };
        self.outgoing.clone_from(content);
        let has = usize::try_from(have.length).ok().and_then(|length| content.get(..length));
        let offset = if has.is_some_and(|has| digest(has) == have.digest) { have.length } else { 0 };
        Answer::Opened { metadata: Metadata::default(), length: content.len() as u64, offset }
    }

    fn receive(&mut self, (path, mut content): (String, Vec<u8>), offset: u64) -> Answer<'static> {
        content.truncate(usize::try_from(offset).unwrap());
        assert_eq!(content.len() as u64, offset);
        self.incoming = Some(Part { path, content, is_resumable: true });
        Answer::Created(Prefix::default())
    }

    fn read(&self, offset: u64, len: u16, out: &mut Vec<u8>) -> Answer<'static> {
        let rest = self.outgoing.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let part = &rest[..rest.len().min(len.into())];
        let len = u16::try_from(part.len()).unwrap();
        if len > 0 {
            out.extend(data_header(len));
            out.extend(part);
        }
        Answer::Read(len)
    }

    fn queue(&mut self, whole: Digest) -> Answer<'static> {
        if digest(&self.incoming.as_ref().unwrap().content) != whole {
            return Answer::Failed(StorageError::DigestMismatch);
        }
        let part = self.incoming.take().unwrap();
        self.queue.push_back((part.path, part.content));
        Answer::Queued
    }

    fn create(&mut self, path: &str, wish: Wish) -> Answer<'static> {
        if self.files.contains_key(path) && !wish.contains(Wish::REPLACE) {
            return Answer::Failed(StorageError::Exists);
        }
        assert!(self.incoming.is_none(), "one file is open in each direction");
        let is_resumable = wish.contains(Wish::RESUME);
        let content = if is_resumable { self.parts.remove(path).unwrap_or_default() } else { Vec::new() };
        let has = prefix(&content);
        self.incoming = Some(Part { path: path.to_owned(), content, is_resumable });
        Answer::Created(if has.length > 0 { has } else { Prefix::default() })
    }

    fn entry(&self, path: &str) -> Answer<'_> {
        let (path, content) = self.files.get_key_value(path).unwrap();
        let (path, length) = (FilePath::new(path).unwrap(), content.len() as u64);
        Answer::Entry(Entry { kind: Kind::File, metadata: Metadata::default(), length, digest: digest(content), path })
    }

    /// Asserts that no file is open for writing or waits to be durable.
    pub(crate) fn expect_idle(&self) {
        assert!(self.incoming.is_none() && self.queue.is_empty(), "{:?}", self.log);
    }
}

/// The room that DATA with one byte needs.
pub(crate) const LEAST_ROOM: usize = DATA_HEADER + 1;

fn describe(request: &Request<'_>) -> (&'static str, String) {
    let (verb, values) = match *request {
        Request::Open { path, .. } => ("open", path.to_string()),
        Request::Create { path, .. } => ("create", path.to_string()),
        Request::Receive { offset, .. } => ("receive", format!("from {offset}")),
        Request::Compare { prefix } => ("compare", prefix.length.to_string()),
        Request::Rewind => ("rewind", String::new()),
        Request::Read { .. } => ("read", String::new()),
        Request::Digest => ("digest", String::new()),
        Request::Write { .. } => ("write", String::new()),
        Request::Commit { .. } => ("commit", String::new()),
        Request::Discard { may_resume } => ("discard", if may_resume { "kept".into() } else { String::new() }),
        Request::List { .. } => ("list", String::new()),
        Request::NextEntry => ("next", String::new()),
        Request::Describe { path, .. } => ("describe", path.to_string()),
        _ => ("?", String::new()),
    };
    (verb, format!("{verb} {values}").trim_end().to_owned())
}
