//! The bytes of each message.

use std::vec::Vec;

use super::*;
use crate::files::{FileKind, FilePath, Flags, PathError, SESSION_VERSION};
use crate::ftp::ErrorCode;

const NONE: Metadata = Metadata { modified: None, mode: None };
const ALL: Metadata = Metadata { modified: Some(-2), mode: Some(0o644) };
const NO_METADATA: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0xff];
const ALL_METADATA: &[u8] = &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xa4, 1];
const NUMBER: &[u8] = &[3, 0, 0, 0];
const LENGTH: &[u8] = &[2, 1, 0, 0, 0, 0, 0, 0];
const UNKNOWN: &[u8] = &[0xff; 8];
const NAME: &[u8] = b"\x03\0a/b";
const SEVENS: &[u8] = &[7; 32];
/// Five blocks: subtrees of four and of one.
const FIVE: &[u8] = &[5, 0, 0, 0, 0, 0, 0, 0];
const VALUES: &[u8] = &[9; 64];

fn path() -> FilePath<'static> {
    FilePath::new("a/b").unwrap()
}

/// A type and its fields as a message.
fn framed(message_type: u8, fields: &[&[u8]]) -> Vec<u8> {
    let fields = fields.concat();
    let len = u32::try_from(fields.len()).unwrap().to_le_bytes();
    [&[message_type][..], &len, &fields].concat()
}

/// One of each kind, with its bytes.
fn messages() -> Vec<(SessionMessage<'static>, Vec<u8>)> {
    let (number, length, digest) = (3, Some(0x0102), Digest([7; 32]));
    let peaks = Peaks::new(5, VALUES).unwrap();
    let entry = Entry { kind: FileKind::Folder, metadata: ALL, length: 0x0102, digest: None, path: path() };
    let status = Status { kind: FileKind::Nothing, metadata: NONE, length: 0x0102, digest: Some(digest), peaks };
    let (path, flags, metadata) = (RawPath::from(path()), Flags::KEEP, NONE);
    let put = SessionMessage::Put { flags, kind: FileKind::Link, metadata, length: None, offset: 0x0102, path };
    let code = ErrorCode::Busy;
    std::vec![
        (SessionMessage::Version { version: SESSION_VERSION }, framed(16, &[&[1, 0]])),
        (put, framed(17, &[&[4, 2], NO_METADATA, UNKNOWN, LENGTH, NAME])),
        (SessionMessage::Get { flags, path, have: peaks }, framed(18, &[&[4], NAME, FIVE, VALUES])),
        (SessionMessage::Get { flags, path, have: Peaks::NONE }, framed(18, &[&[4], NAME, &[0; 8]])),
        (SessionMessage::Stat { flags: Flags::DIGEST, path }, framed(19, &[&[2], NAME])),
        (SessionMessage::List { flags: Flags::RECURSIVE, folder: None, after: None }, framed(20, &[&[1, 0, 0, 0, 0]])),
        (SessionMessage::List { flags, folder: Some(path), after: Some(path) }, framed(20, &[&[4], NAME, NAME])),
        (SessionMessage::End { digest }, framed(25, &[SEVENS])),
        (SessionMessage::Cancel { code }, framed(26, &[&[7]])),
        (SessionMessage::Confirm { number }, framed(32, &[NUMBER])),
        (SessionMessage::Error { number, code }, framed(33, &[NUMBER, &[7]])),
        (
            SessionMessage::File { number, kind: FileKind::File, metadata: ALL, length, offset: 0x0102 },
            framed(34, &[NUMBER, &[0], ALL_METADATA, LENGTH, LENGTH]),
        ),
        (
            SessionMessage::Status { number, status },
            framed(35, &[NUMBER, &[255], NO_METADATA, LENGTH, &[1], SEVENS, FIVE, VALUES]),
        ),
        (
            SessionMessage::Entry { number, entry },
            framed(36, &[NUMBER, &[1], ALL_METADATA, LENGTH, &[0], &[0; 32], NAME]),
        ),
        (SessionMessage::Listed { number, has_more: true }, framed(37, &[NUMBER, &[1]])),
        (SessionMessage::Leave { code }, framed(40, &[&[7]])),
        (SessionMessage::Working, framed(128, &[&[0; 1_024]])),
    ]
}

#[test]
fn each_message_has_its_exact_bytes() {
    for (message, bytes) in messages() {
        assert_eq!(Encoded::encode(&message).as_bytes(), bytes, "{message:?}");
        for cut in 0..bytes.len() {
            let mut received = Encoded::new();
            assert_eq!(received.push(&bytes[..cut]), cut, "{message:?}");
            assert_eq!(received.message(), Ok(None), "{message:?} cut to {cut}");
            let rest = [&bytes[cut..], b"more"].concat();
            assert_eq!(received.push(&rest), bytes.len() - cut);
            assert_eq!(received.message(), Ok(Some(message)));
            assert_eq!(received.push(b"more"), 0);
        }
    }
}

#[test]
fn the_content_of_data_follows_its_header() {
    let header = data_header(0x0102_0304);
    assert_eq!(header, [24, 4, 3, 2, 1]);
    let mut received = Encoded::new();
    assert_eq!(received.push(&[&header[..], b"content"].concat()), MESSAGE_HEADER);
    assert_eq!(received.message(), Ok(Some(SessionMessage::Data { len: 0x0102_0304 })));
}

/// A later version may append fields, and send messages that may be ignored.
#[test]
fn later_fields_are_ignored_and_optional_messages_skipped() {
    for (message, bytes) in messages() {
        let fields = &bytes[MESSAGE_HEADER..];
        let mut received = Encoded::new();
        let longer = framed(bytes[0], &[fields, b"new"]);
        assert_eq!(received.push(&longer), longer.len());
        assert_eq!(received.message(), Ok(Some(message)));
    }
    let stream = [framed(129, &[b"optional"]), framed(255, &[]), framed(32, &[NUMBER])].concat();
    for cut in 0..=stream.len() {
        let mut received = Encoded::new();
        assert_eq!(received.push(&stream[..cut]) + received.push(&stream[cut..]), stream.len(), "cut at {cut}");
        assert_eq!(received.message(), Ok(Some(SessionMessage::Confirm { number: 3 })));
    }
}

#[test]
fn the_longest_message_fits() {
    let longest = [&*"x".repeat(255); 4].join("/");
    let path = FilePath::new(&longest).unwrap().into();
    let values = std::vec![1; MAX_PEAKS * 32];
    let have = Peaks::new((1 << MAX_PEAKS) - 1, &values).unwrap();
    let message = SessionMessage::Get { flags: Flags::empty(), path, have };
    let encoded = Encoded::encode(&message);
    assert_eq!(encoded.as_bytes().len(), MAX_SESSION_MESSAGE - 1);
    assert_eq!(encoded.message(), Ok(Some(message)));
}

#[test]
fn an_invalid_message_is_an_error_as_soon_as_its_header_shows_it() {
    for (bytes, taken, error) in [
        (framed(0, &[b"abc"]), MESSAGE_HEADER, MessageError::UnknownType(0)),
        (framed(32, &[&[0; MAX_SESSION_MESSAGE]]), MESSAGE_HEADER, MessageError::Length(32)),
        (framed(32, &[&[0; 3]]), 8, MessageError::Length(32)),
        (framed(18, &[&[0], NAME, FIVE, SEVENS]), 51, MessageError::Length(18)),
        (framed(18, &[&[0], NAME, UNKNOWN, &[0; 1_400]]), 1_419, MessageError::Length(18)),
    ] {
        let mut received = Encoded::new();
        assert_eq!((received.push(&bytes), received.message()), (taken, Err(error)), "{bytes:?}");
    }
    let bad_path = framed(36, &[NUMBER, &[0], NO_METADATA, LENGTH, &[0], &[0; 32], b"\x02\0.."]);
    let mut received = Encoded::new();
    received.push(&bad_path);
    assert_eq!(received.message(), Err(MessageError::Path(PathError::RelativeFolder)));
}
