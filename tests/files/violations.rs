//! Peers that break the protocol or leave early: nothing hangs, and nothing is left behind.

use crate::disk::Disk;
use crate::pair::{End, Pair, words};
use rdt_proto::files::{
    Digest, Encoded, FileKind, FilePath, FileServerConfig, FileSession, Flags, Metadata, Peaks, RawPath,
    SESSION_VERSION, SessionMessage,
};
use rdt_proto::ftp::ErrorCode;

const ABORTED: Option<End> = Some(End::Aborted(ErrorCode::Malformed));
const VERSION: SessionMessage<'_> = SessionMessage::Version { version: SESSION_VERSION };

fn path() -> RawPath<'static> {
    FilePath::new("a").unwrap().into()
}

fn put(length: Option<u64>) -> SessionMessage<'static> {
    let (kind, metadata, flags) = (FileKind::File, Metadata::default(), Flags::REPLACE);
    SessionMessage::Put { flags, kind, metadata, length, offset: 0, path: path() }
}

fn get() -> SessionMessage<'static> {
    SessionMessage::Get { flags: Flags::empty(), path: path(), have: Peaks::NONE }
}

fn file(offset: u64) -> SessionMessage<'static> {
    SessionMessage::File { number: 0, kind: FileKind::File, metadata: Metadata::default(), length: Some(3), offset }
}

fn bytes(messages: &[SessionMessage<'_>]) -> Vec<u8> {
    messages.iter().flat_map(|message| Encoded::encode(message).as_bytes().to_vec()).collect()
}

/// The end of a server that receives this, and what it has sent.
fn server_after(config: FileServerConfig, input: Vec<u8>) -> (Option<End>, Vec<u8>) {
    let mut pair = Pair::with(config, Disk::default(), Disk::default());
    pair.server.input = input;
    let (mut ended, mut sent) = (None, Vec::new());
    for _ in 0..50 {
        let (_, end) = pair.server.turn(usize::MAX, 1_000, &mut sent);
        ended = ended.or(end);
        pair.server.commit();
    }
    if matches!(ended, Some(End::Aborted(_))) {
        assert!(pair.server.session.is_done());
        pair.server.disk.expect_idle();
    }
    (ended, sent)
}

fn end_of_server(messages: &[SessionMessage<'_>]) -> Option<End> {
    server_after(FileServerConfig::default(), bytes(messages)).0
}

#[test]
fn a_server_aborts_what_is_no_request() {
    assert_eq!(server_after(FileServerConfig::default(), vec![0; 9]).0, ABORTED, "a request of the old session");
    assert_eq!(end_of_server(&[get()]), ABORTED, "VERSION comes first");
    assert_eq!(end_of_server(&[VERSION, VERSION]), ABORTED);
    assert_eq!(end_of_server(&[SessionMessage::Version { version: 0 }]), ABORTED);
    let end = SessionMessage::End { digest: Digest::default() };
    for message in [SessionMessage::Confirm { number: 0 }, file(0), end, SessionMessage::Data { len: 3 }] {
        assert_eq!(end_of_server(&[VERSION, message]), ABORTED, "{message:?}");
    }
    assert_eq!(end_of_server(&[VERSION, put(Some(3)), VERSION]), ABORTED);
    assert_eq!(end_of_server(&[VERSION, put(None), put(None)]), ABORTED, "regression: it waited for ever");
    assert_eq!(end_of_server(&[VERSION, get(), put(None), get()]), None);
}

#[test]
fn messages_of_later_versions_are_skipped_or_refused() {
    let optional = [&[200, 3, 0, 0, 0][..], b"new"].concat();
    let (ended, sent) =
        server_after(FileServerConfig::default(), [bytes(&[VERSION]), optional, bytes(&[get()])].concat());
    assert_eq!(
        (ended, sent),
        (None, bytes(&[VERSION, SessionMessage::Error { number: 0, code: ErrorCode::NoSuchFile }]))
    );
    let critical = Flags::from_bits_retain(0x80);
    let stat = SessionMessage::Stat { flags: critical, path: path() };
    let (ended, sent) = server_after(FileServerConfig::default(), bytes(&[VERSION, stat]));
    assert_eq!(
        (ended, sent),
        (None, bytes(&[VERSION, SessionMessage::Error { number: 0, code: ErrorCode::Malformed }]))
    );
}

/// Messages that only hold a place cost as much as content that trickles, and end at last.
#[test]
fn a_client_holds_its_place_by_working_for_a_limited_time() {
    let config = FileServerConfig { max_working: 2, ..FileServerConfig::default() };
    let end_after = |messages: &[SessionMessage<'_>]| server_after(config, bytes(messages)).0;
    let working = SessionMessage::Working;
    assert!(Encoded::encode(&working).as_bytes().len() > 1_024, "as much as a server demands as progress");
    assert_eq!(end_after(&[working]), ABORTED, "VERSION comes first");
    assert_eq!(end_after(&[VERSION, working, working]), None);
    assert_eq!(end_after(&[VERSION, working, working, get(), working, working]), None);
    assert_eq!(end_after(&[VERSION, get(), working, working, working]), ABORTED);
    let data = SessionMessage::Data { len: 0 };
    assert_eq!(end_after(&[VERSION, put(None), working, working, data, working, working]), None);
    assert_eq!(end_after(&[VERSION, put(None), data, working, working, working]), ABORTED);
}

#[test]
fn a_path_that_breaks_a_rule_ends_only_its_request() {
    let mut input = bytes(&[VERSION]);
    for message in [put(Some(0)), get(), SessionMessage::Stat { flags: Flags::empty(), path: path() }] {
        let mut bytes = bytes(&[message]);
        let place = bytes.iter().rposition(|&byte| byte == b'a').unwrap();
        bytes[place] = b'/';
        input.extend(bytes);
        if matches!(message, SessionMessage::Put { .. }) {
            input.extend(self::bytes(&[SessionMessage::End { digest: Digest::default() }]));
        }
    }
    input.extend(bytes(&[get()]));
    let refused = |number, code| SessionMessage::Error { number, code };
    let not_allowed = |number| refused(number, ErrorCode::NameNotAllowed);
    let sent = bytes(&[VERSION, not_allowed(0), not_allowed(1), not_allowed(2), refused(3, ErrorCode::NoSuchFile)]);
    assert_eq!(server_after(FileServerConfig::default(), input), (None, sent));
}

#[test]
fn content_of_another_length_is_refused() {
    let config = FileServerConfig { max_length: 3, ..FileServerConfig::default() };
    let cases =
        [(Some(3), 2, ErrorCode::Malformed), (Some(3), 4, ErrorCode::Malformed), (None, 4, ErrorCode::TooLarge)];
    for (length, len, code) in cases {
        let mut input = bytes(&[VERSION, put(length), SessionMessage::Data { len }]);
        input.extend(vec![1; len as usize]);
        input.extend(bytes(&[SessionMessage::End { digest: Digest::default() }, get()]));
        let sent = server_after(config, input).1;
        let refused = |number, code| SessionMessage::Error { number, code };
        let answers = [refused(0, code), refused(1, ErrorCode::NoSuchFile)];
        assert!(
            sent == bytes(&[VERSION, answers[0], answers[1]]) || sent == bytes(&[VERSION, answers[1], answers[0]]),
            "{len}: {sent:?}"
        );
    }
}

/// Regression: it was refused as if its content had another digest.
#[test]
fn a_folder_with_a_length_is_malformed() {
    for (length, offset, is_refused) in [(Some(0), 0, false), (None, 0, false), (Some(5), 0, true), (None, 5, true)] {
        let (flags, metadata) = (Flags::REPLACE, Metadata::default());
        let put = SessionMessage::Put { flags, kind: FileKind::Folder, metadata, length, offset, path: path() };
        let answer = match is_refused {
            true => SessionMessage::Error { number: 0, code: ErrorCode::Malformed },
            false => SessionMessage::Confirm { number: 0 },
        };
        let (ended, sent) = server_after(FileServerConfig::default(), bytes(&[VERSION, put]));
        assert_eq!((ended, sent), (None, bytes(&[VERSION, answer])), "{length:?} {offset}");
    }
}

/// A client that goes on after ERROR would be read for ever.
#[test]
fn the_content_of_a_refused_put_is_dropped_up_to_a_limit() {
    let config = FileServerConfig { max_length: 2, drain_limit: 1_000, ..FileServerConfig::default() };
    for (len, ended) in [(1_000, None), (1_001, Some(End::Aborted(ErrorCode::Cancelled)))] {
        let mut input = bytes(&[VERSION, put(Some(3)), SessionMessage::Data { len }]);
        input.extend(vec![1; len as usize]);
        assert_eq!(server_after(config, input).0, ended, "{len} bytes");
    }
}

/// What happens to a client with one open PUT or GET that receives this.
fn client_after(is_put: bool, input: &[SessionMessage<'_>], end: Option<End>) -> (Option<End>, Vec<String>) {
    let mut pair = Pair::new(Disk::with(&[("a", b"abc")]), Disk::default());
    if is_put {
        pair.put("a", Flags::REPLACE);
    } else {
        pair.get("a");
    }
    pair.client.input = bytes(&[&[VERSION][..], input].concat());
    pair.client.ended = end;
    let (mut ended, mut events) = (None, Vec::new());
    for _ in 0..50 {
        let (_, end) = pair.client.turn(usize::MAX, 1_000, &mut Vec::new());
        ended = ended.or(end);
        events.extend(pair.client.session.poll_event().map(words));
        pair.client.commit();
    }
    if events.last().is_some_and(|event| event.starts_with("ended")) {
        assert!(pair.client.session.is_done());
        pair.client.disk.expect_idle();
    }
    (ended, events)
}

#[test]
fn a_client_aborts_what_is_no_answer() {
    let listed = SessionMessage::Listed { number: 0, has_more: false };
    let end = SessionMessage::End { digest: Digest::default() };
    let confirm = |number| SessionMessage::Confirm { number };
    for message in [file(0), listed, put(None), confirm(1), end] {
        assert_eq!(client_after(true, &[message], None).0, ABORTED, "{message:?} instead of CONFIRM");
    }
    assert_eq!(client_after(true, &[confirm(0)], None).0, ABORTED, "CONFIRM before the content has left");
    for message in [confirm(0), SessionMessage::Data { len: 1 }, listed, file(1)] {
        assert_eq!(client_after(false, &[message], None).0, ABORTED, "{message:?} instead of FILE");
    }
    let busy = SessionMessage::Error { number: 0, code: ErrorCode::Busy };
    assert_eq!(client_after(false, &[file(0), busy], None).0, ABORTED, "ERROR after FILE");
    assert_eq!(client_after(false, &[busy, busy], None).0, ABORTED, "a second answer");
    assert_eq!(client_after(false, &[file(0), end], None), (None, vec!["0 not received: Length".into()]));
    assert_eq!(client_after(false, &[file(0), file(0)], None).0, ABORTED, "regression: it waited for ever");
    let events = client_after(false, &[file(0), confirm(0)], None).1;
    assert_eq!(events, ["0 not received: Ended", "ended: Violation, 0 unanswered"]);
}

/// Regression: the client waited for ever, or had ended without saying that a request had no answer.
#[test]
fn a_server_that_closes_or_is_lost_early_ends_the_client() {
    for end in [End::Closed, End::Lost, End::Aborted(ErrorCode::Busy)] {
        let how = match end {
            End::Closed => "ended: Closed".to_owned(),
            End::Lost => "ended: Lost(None)".to_owned(),
            End::Aborted(code) => format!("ended: Lost(Some({code:?}))"),
        };
        for (is_put, input) in [(true, &[][..]), (false, &[]), (false, &[file(0)])] {
            let (_, events) = client_after(is_put, input, Some(end));
            assert_eq!(events.last().unwrap().split(',').next().unwrap(), how, "{is_put}, {input:?}: {events:?}");
        }
    }
}
