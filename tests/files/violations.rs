//! Peers that break the protocol: the session is aborted, and nothing is left behind.

use crate::disk::Disk;
use crate::pair::{Ended, Pair};
use rdt_proto::files::{Digest, Encoded, FilePath, Message, Metadata, Prefix, Session, Wish};
use rdt_proto::ftp::ErrorCode;

fn path() -> FilePath<'static> {
    FilePath::new("a").unwrap()
}

fn put(wish: Wish) -> Message<'static> {
    Message::Put { wish, metadata: Metadata::default(), length: Some(3), path: path() }
}

fn bytes(messages: &[Message<'_>]) -> Vec<u8> {
    messages.iter().flat_map(|message| Encoded::encode(message).as_bytes().to_vec()).collect()
}

/// The end of a server that receives this.
fn end_of_server(input: Vec<u8>) -> Option<Ended> {
    let mut pair = Pair::new(Disk::default(), Disk::default());
    pair.server.input = input;
    let mut ended = None;
    for _ in 0..50 {
        let (_, end) = pair.server.turn(usize::MAX, 1_000, &mut Vec::new());
        ended = ended.or(end);
        pair.server.commit();
    }
    if matches!(ended, Some(Ended::Aborted(_))) {
        assert!(pair.server.session.is_done());
        pair.server.disk.expect_idle();
    }
    ended
}

#[test]
fn a_server_aborts_what_is_no_request() {
    let aborted = Some(Ended::Aborted(ErrorCode::Malformed));
    assert_eq!(end_of_server(vec![0]), aborted, "a request of the old session");
    assert_eq!(end_of_server(vec![200]), aborted);
    for message in [Message::Confirm, Message::Listed, Message::Data { len: 3 }, Message::Start { offset: 0 }] {
        assert_eq!(end_of_server(bytes(&[message])), aborted, "{message:?}");
    }
    let mut bad_path = bytes(&[Message::Check { wish: Wish::empty(), path: path() }]);
    *bad_path.last_mut().unwrap() = b'/';
    assert_eq!(end_of_server(bad_path), aborted);
}

#[test]
fn a_server_aborts_what_is_no_content() {
    let aborted = Some(Ended::Aborted(ErrorCode::Malformed));
    let get = Message::Get { have: Prefix::default(), path: path() };
    for second in [get, put(Wish::empty()), Message::Start { offset: 0 }, Message::Confirm] {
        assert_eq!(end_of_server(bytes(&[put(Wish::empty()), second])), aborted, "{second:?}");
    }
    for second in [Message::Data { len: 1 }, Message::Start { offset: 1 }, Message::End { digest: Digest::default() }] {
        assert_eq!(end_of_server(bytes(&[put(Wish::RESUME), second])), aborted, "{second:?} instead of START");
    }
}

#[test]
fn content_of_another_length_is_refused() {
    for (len, refusal) in [(2, "refused: malformed or unknown request"), (4, "refused: too large")] {
        let mut pair = Pair::new(Disk::with(&[("a", &[1; 9])]), Disk::default());
        pair.client.disk.open("a");
        let wish = Wish::REPLACE;
        pair.client.session.put(path(), Metadata::default(), Some(3), wish).unwrap();
        // The content is replaced on its way.
        while pair.client.turn(usize::MAX, 1_000, &mut pair.server.input).0 {}
        pair.server.input = bytes(&[put(wish), Message::Data { len }]);
        pair.server.input.extend(vec![1; len.into()]);
        pair.server.input.extend(bytes(&[Message::End { digest: Digest::default() }]));
        pair.run();
        assert_eq!(pair.events, [refusal]);
    }
}

/// The end of a client with one open PUT or GET that receives this.
fn end_of_client(is_put: bool, input: &[Message<'_>]) -> Option<Ended> {
    let mut pair = Pair::new(Disk::with(&[("a", b"abc")]), Disk::default());
    if is_put {
        pair.put("a", Wish::REPLACE);
    } else {
        pair.get("a");
    }
    pair.client.input = bytes(input);
    let mut ended = None;
    for _ in 0..50 {
        let (_, end) = pair.client.turn(usize::MAX, 1_000, &mut Vec::new());
        ended = ended.or(end);
        pair.client.session.poll_event();
        pair.client.commit();
    }
    ended
}

#[test]
fn a_client_aborts_what_is_no_answer() {
    let aborted = Some(Ended::Aborted(ErrorCode::Malformed));
    let file = Message::File { metadata: Metadata::default(), length: 3, offset: 0 };
    for message in [file, Message::Listed, put(Wish::empty()), Message::Resume(Prefix::default())] {
        assert_eq!(end_of_client(true, &[message]), aborted, "{message:?} instead of CONFIRM");
    }
    // CONFIRM comes before the content has left.
    assert_eq!(end_of_client(true, &[Message::Confirm]), aborted);
    for message in [Message::Confirm, Message::Data { len: 1 }, Message::Listed] {
        assert_eq!(end_of_client(false, &[message]), aborted, "{message:?} instead of FILE");
    }
    assert_eq!(end_of_client(false, &[file, Message::Confirm]), aborted);
    assert_eq!(end_of_client(false, &[file, Message::End { digest: Digest::default() }]), None, "it is only short");
}
