//! Files in memory.

use rdt_proto::files::{
    BLOCK_BYTES, Cause, Committed, Digest, Entry, FileKind, FilePath, Flags, MESSAGE_HEADER, Metadata, Peaks,
    ReceiveAnswer, ReceiveRequest, SendAnswer, SendRequest, Status, Target, data_header,
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

/// The whole blocks of some content, and the values of their peaks.
pub(crate) fn peaks(content: &[u8]) -> (u64, Vec<u8>) {
    let blocks = content.len() as u64 / BLOCK_BYTES;
    let (mut left, mut at, mut values) = (blocks, 0, Vec::new());
    while left > 0 {
        let subtree = 1 << left.ilog2();
        let end = at + usize::try_from(subtree * BLOCK_BYTES).unwrap();
        values.extend(digest(&content[at..end]).0);
        (left, at) = (left - subtree, end);
    }
    (blocks, values)
}

/// How much of the content the peaks share.
pub(crate) fn common(content: &[u8], have: Peaks<'_>) -> u64 {
    let mut at = 0;
    for (end, value) in have.iter() {
        let end = usize::try_from(end * BLOCK_BYTES).unwrap();
        if content.get(at..end).is_none_or(|subtree| digest(subtree) != value) {
            break;
        }
        at = end;
    }
    at as u64
}

/// The disk of one side.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) folders: Vec<String>,
    /// What interrupted transfers have left.
    pub(crate) parts: BTreeMap<String, Vec<u8>>,
    /// The requests, in order.
    pub(crate) log: Vec<String>,
    /// The request that fails, its error, and how often it succeeds before.
    pub(crate) fails: Option<(&'static str, StorageError, u32)>,
    /// The number of bytes that a write takes at most.
    pub(crate) write_at_most: Option<usize>,
    /// The file to send.
    outgoing: Vec<u8>,
    incoming: Option<Part>,
    /// Complete files that are not durable.
    pub(crate) queue: VecDeque<Part>,
    /// What a GET with this number will store, and what there is of it.
    pub(crate) expected: BTreeMap<u32, (String, Vec<u8>)>,
    list: VecDeque<String>,
    peaks: Vec<u8>,
}

pub(crate) struct Part {
    path: String,
    kind: FileKind,
    content: Vec<u8>,
    is_kept: bool,
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
    pub(crate) fn commit(&mut self) -> Option<Committed> {
        let part = self.queue.pop_front()?;
        Some(match self.allows("durable") {
            Err(error) => Committed::Failed(error),
            Ok(()) if part.kind == FileKind::Folder => {
                self.folders.push(part.path);
                Committed::Durable
            }
            Ok(()) => {
                self.files.insert(part.path, part.content);
                Committed::Durable
            }
        })
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

    /// Answers a request of the receiving half. `unread` is the input of this side.
    pub(crate) fn receive(&mut self, request: &ReceiveRequest<'_>, unread: &[u8]) -> ReceiveAnswer {
        let verb = match request {
            ReceiveRequest::Create(_) => "create",
            ReceiveRequest::Write { .. } => "write",
            ReceiveRequest::Commit { .. } => "commit",
            ReceiveRequest::Discard(_) => "discard",
            _ => "?",
        };
        self.log.push(verb.into());
        let expected = match request {
            ReceiveRequest::Create(target) => self.expected.remove(&target.number),
            _ => None,
        };
        if let Err(error) = self.allows(verb) {
            return ReceiveAnswer::Failed(error);
        }
        match *request {
            ReceiveRequest::Create(target) => self.create(&target, expected),
            ReceiveRequest::Write { offset, len } => {
                let part = self.incoming.as_mut().unwrap();
                assert_eq!(part.content.len() as u64, offset, "offsets are consecutive");
                let len = len.min(self.write_at_most.unwrap_or(usize::MAX));
                part.content.extend(&unread[..len]);
                ReceiveAnswer::Written(len)
            }
            ReceiveRequest::Commit { digest: whole } => {
                let part = self.incoming.as_ref().unwrap();
                if whole.is_some_and(|whole| digest(&part.content) != whole) {
                    return ReceiveAnswer::Failed(StorageError::DigestMismatch);
                }
                self.queue.extend(self.incoming.take());
                ReceiveAnswer::Queued
            }
            ReceiveRequest::Discard(cause) => {
                let part = self.incoming.take().expect("a file is discarded once");
                if part.is_kept && cause != Cause::Invalid {
                    self.parts.insert(part.path, part.content);
                }
                ReceiveAnswer::Discarded
            }
            _ => ReceiveAnswer::Failed(StorageError::Failed),
        }
    }

    fn create(&mut self, target: &Target<'_>, expected: Option<(String, Vec<u8>)>) -> ReceiveAnswer {
        assert!(self.incoming.is_none(), "one file arrives at a time");
        let offset = usize::try_from(target.offset).unwrap();
        let (path, mut content, is_kept) = match target.path {
            None => {
                let (path, content) = expected.unwrap();
                (path, content, true)
            }
            Some(path) => {
                let path = path.as_str().to_owned();
                if self.files.contains_key(&path) && !target.flags.contains(Flags::REPLACE) {
                    return ReceiveAnswer::Failed(StorageError::Exists);
                }
                let of_file = self.files.get(&path).filter(|_| !self.parts.contains_key(&path)).cloned();
                let content = self.parts.remove(&path).or(of_file).unwrap_or_default();
                (path, content, target.flags.contains(Flags::KEEP))
            }
        };
        if offset > content.len() {
            return ReceiveAnswer::Failed(StorageError::PrefixGone);
        }
        content.truncate(offset);
        self.incoming = Some(Part { path, kind: target.kind, content, is_kept });
        ReceiveAnswer::Created
    }

    /// Answers a request of the sending half. `out` takes its content.
    pub(crate) fn send(&mut self, request: &SendRequest<'_>, out: &mut Vec<u8>) -> SendAnswer<'_> {
        let verb = match request {
            SendRequest::Open { .. } => "open",
            SendRequest::Read { .. } => "read",
            SendRequest::Digest => "digest",
            SendRequest::Stat { .. } => "stat",
            SendRequest::List { .. } => "list",
            SendRequest::NextEntry => "next",
            _ => "?",
        };
        self.log.push(verb.into());
        if let Err(error) = self.allows(verb) {
            return SendAnswer::Failed(error);
        }
        match *request {
            SendRequest::Open { path, have } => {
                let Some(content) = self.files.get(path.as_str()) else {
                    return SendAnswer::Failed(StorageError::NoSuchFile);
                };
                self.outgoing.clone_from(content);
                let (length, offset) = (Some(content.len() as u64), common(content, have));
                SendAnswer::Opened { kind: FileKind::File, metadata: Metadata::default(), length, offset }
            }
            SendRequest::Read { offset, len } => {
                let rest = self.outgoing.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
                let part = &rest[..rest.len().min(usize::try_from(len).unwrap())];
                let len = u32::try_from(part.len()).unwrap();
                if len > 0 {
                    out.extend(data_header(len));
                    out.extend(part);
                }
                SendAnswer::Read(len)
            }
            SendRequest::Digest => SendAnswer::Digest(digest(&self.outgoing)),
            SendRequest::Stat { path, .. } => self.stat(path.as_str()),
            SendRequest::List { folder, after, .. } => {
                let inside = |path: &&String| folder.is_none_or(|folder| path.starts_with(folder.as_str()));
                let behind = |path: &&String| after.is_none_or(|after| path.as_str() > after.as_str());
                self.list = self.files.keys().filter(inside).filter(behind).cloned().collect();
                SendAnswer::Listing
            }
            SendRequest::NextEntry => match self.list.pop_front() {
                Some(path) => {
                    let (path, content) = self.files.get_key_value(&path).unwrap();
                    let (path, length) = (FilePath::new(path).unwrap(), content.len() as u64);
                    SendAnswer::Entry(Entry {
                        kind: FileKind::File,
                        metadata: Metadata::default(),
                        length,
                        digest: None,
                        path,
                    })
                }
                None => SendAnswer::NoEntry { has_more: false },
            },
            _ => SendAnswer::Failed(StorageError::Failed),
        }
    }

    fn stat(&mut self, path: &str) -> SendAnswer<'_> {
        let file = self.files.get(path);
        let (kind, length) = file.map_or((FileKind::Nothing, 0), |content| (FileKind::File, content.len() as u64));
        let (blocks, values) = peaks(self.parts.get(path).or(file).map_or(&[][..], |content| content));
        self.peaks = values;
        let peaks = Peaks::new(blocks, &self.peaks).unwrap();
        SendAnswer::Status(Status {
            kind,
            metadata: Metadata::default(),
            length,
            digest: file.map(|content| digest(content)),
            peaks,
        })
    }

    /// Asserts that no file is open for writing or waits to be durable.
    pub(crate) fn expect_idle(&self) {
        assert!(self.incoming.is_none() && self.queue.is_empty(), "{:?}", self.log);
    }
}

/// The room that DATA with one byte needs.
pub(crate) const LEAST_ROOM: usize = MESSAGE_HEADER + 1;
