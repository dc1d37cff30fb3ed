//! Messages of the peer and answers of storage, from random values.

use arbitrary::Arbitrary;
use rdt_proto::files::{
    Digest, Encoded, Entry, FileKind, FilePath, Flags, Metadata, Peaks, SESSION_VERSION, SessionMessage, Status,
};
use rdt_proto::ftp::{ErrorCode, StorageError};

/// An answer of storage: one that fits the request, or any.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub(super) enum Reply<T> {
    Fits,
    Fails(StorageError),
    Any(T),
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub(super) enum SentSample {
    Opened { length: Option<u8>, offset: u8 },
    Read(u16),
    Digest(Digest),
    Status,
    Listing,
    Entry,
    NoEntry(bool),
}

/// A message of either side.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub(super) enum Sample {
    Version,
    Put { flags: u8, kind: FileKind, length: Option<u8>, offset: u8 },
    Get,
    Stat,
    List,
    Data,
    End(Digest),
    Cancel,
    Confirm(u8),
    Error(u8),
    File { number: u8, length: Option<u8>, offset: u8 },
    Status(u8),
    Entry(u8),
    Listed(u8),
    Leave,
    Working,
    Optional,
}

pub(super) fn path() -> FilePath<'static> {
    FilePath::new("a/b").unwrap_or_else(|error| panic!("{error}"))
}

pub(super) fn entry() -> Entry<'static> {
    Entry { kind: FileKind::File, metadata: Metadata::default(), length: 1, digest: None, path: path() }
}

pub(super) fn status() -> Status<'static> {
    let (kind, metadata, digest) = (FileKind::File, Metadata::default(), Some(Digest::default()));
    Status { kind, metadata, length: 1, digest, peaks: Peaks::NONE }
}

pub(super) fn message(sample: Sample, len: u8) -> Vec<u8> {
    let (metadata, code) = (Metadata::default(), ErrorCode::Busy);
    let message = match sample {
        Sample::Version => SessionMessage::Version { version: SESSION_VERSION },
        Sample::Put { flags, kind, length, offset } => SessionMessage::Put {
            flags: Flags::from_bits_retain(flags),
            kind,
            metadata,
            length: length.map(Into::into),
            offset: offset.into(),
            path: path().into(),
        },
        Sample::Get => SessionMessage::Get { flags: Flags::empty(), path: path().into(), have: Peaks::NONE },
        Sample::Stat => SessionMessage::Stat { flags: Flags::DIGEST, path: path().into() },
        Sample::List => SessionMessage::List { flags: Flags::empty(), folder: Some(path().into()), after: None },
        Sample::Data => SessionMessage::Data { len: len.into() },
        Sample::End(digest) => SessionMessage::End { digest },
        Sample::Cancel => SessionMessage::Cancel { code },
        Sample::Confirm(number) => SessionMessage::Confirm { number: number.into() },
        Sample::Error(number) => SessionMessage::Error { number: number.into(), code },
        Sample::File { number, length, offset } => SessionMessage::File {
            number: number.into(),
            kind: FileKind::File,
            metadata,
            length: length.map(Into::into),
            offset: offset.into(),
        },
        Sample::Status(number) => SessionMessage::Status { number: number.into(), status: status() },
        Sample::Entry(number) => SessionMessage::Entry { number: number.into(), entry: entry() },
        Sample::Listed(number) => SessionMessage::Listed { number: number.into(), has_more: false },
        Sample::Leave => SessionMessage::Leave { code },
        Sample::Working => SessionMessage::Working,
        Sample::Optional => return [&[200, len, 0, 0, 0][..], &vec![9; len.into()]].concat(),
    };
    Encoded::encode(&message).as_bytes().to_vec()
}
