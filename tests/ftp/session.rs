//! A client and a server over streams in memory that are split anywhere, with storage that answers at any time.
//!
//! Both sides are also compared with recorded bytes of another implementation.

use crate::host::{Ended, Host, downloading, serving, uploading};
use proptest::prelude::*;
use rdt_proto::ftp::{Answer, ErrorCode, Outcome, Session, StorageError};

/// Moves up to `len` bytes to the other side, and the end of the stream after the last byte.
///
/// Returns whether any byte was moved.
fn carry<A: Session, B: Session>(from: &mut Host<A>, to: &mut Host<B>, len: usize) -> bool {
    let len = len.min(from.outbox.len());
    to.inbox.extend(from.outbox.drain(..len));
    match from.ended {
        Some(Ended::Aborted(code)) => {
            from.outbox.clear();
            to.session.handle_aborted(ErrorCode::from(code));
        }
        Some(Ended::Closed) if from.outbox.is_empty() => to.peer_closed = true,
        Some(Ended::Closed) | None => {}
    }
    len > 0
}

/// Runs both sides, with room and answers for all requests, until nothing changes.
fn finish<A: Session, B: Session>(client: &mut Host<A>, server: &mut Host<B>) {
    client.hold = false;
    server.hold = false;
    (client.room, server.room) = (1_000, 1_000);
    loop {
        let mut progress = client.turn() | server.turn();
        progress |= carry(client, server, usize::MAX) | carry(server, client, usize::MAX);
        progress |= client.turn() | server.turn();
        if !progress {
            return;
        }
    }
}

/// One step of a schedule: the number of an action in [`play`], and a number of bytes.
type Step = (u8, usize);

fn schedule() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..6_u8, 0..80_usize), 0..400)
}

/// Performs the steps of the schedule: each moves bytes, or gives one side a turn.
fn play<A: Session, B: Session>(client: &mut Host<A>, server: &mut Host<B>, schedule: &[Step]) {
    for &(action, amount) in schedule {
        match action {
            0 => drop(carry(client, server, amount)),
            1 => drop(carry(server, client, amount)),
            2 | 3 => {
                client.room = amount;
                client.hold = action == 3;
                client.turn();
            }
            _ => {
                server.room = amount;
                server.hold = action == 5;
                server.turn();
            }
        }
    }
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(vec![]), Just(vec![7]), prop::collection::vec(any::<u8>(), 0..3_000)]
}

proptest! {
    #[test]
    fn uploads_arrive_complete(content in content(), schedule in schedule()) {
        let (mut client, mut server) = (uploading("a", &content), serving(&[]));
        play(&mut client, &mut server, &schedule);
        finish(&mut client, &mut server);
        prop_assert_eq!((client.outcome(), server.outcome()), (Some(Outcome::Stored), Some(Outcome::Stored)));
        prop_assert_eq!(&server.storage.files["a"], &content);
        prop_assert_eq!(client.session.bytes_done(), server.session.bytes_done());
    }

    #[test]
    fn downloads_arrive_complete(content in content(), schedule in schedule()) {
        let (mut client, mut server) = (downloading("a"), serving(&[("a", &content)]));
        play(&mut client, &mut server, &schedule);
        finish(&mut client, &mut server);
        prop_assert_eq!((client.outcome(), server.outcome()), (Some(Outcome::Received), Some(Outcome::Sent)));
        prop_assert_eq!(&client.storage.files["a"], &content);
    }

    #[test]
    fn a_full_disk_is_reported_at_any_time(content in content(), space in 0..3_000_usize, schedule in schedule()) {
        let (mut client, mut server) = (uploading("a", &content), serving(&[]));
        server.storage.space = Some(space);
        play(&mut client, &mut server, &schedule);
        finish(&mut client, &mut server);
        let outcome = if content.len() <= space { Outcome::Stored } else { Outcome::Refused(ErrorCode::NoSpace) };
        prop_assert_eq!((client.outcome(), server.outcome()), (Some(outcome), Some(outcome)));
        prop_assert_eq!(server.storage.files.contains_key("a"), content.len() <= space);
        prop_assert!(server.storage.part.is_none());
    }

    #[test]
    fn a_cancelled_transfer_leaves_nothing(content in content(), upload: bool, schedule in schedule()) {
        let (mut client, mut server) = if upload {
            (uploading("a", &content), serving(&[]))
        } else {
            (downloading("a"), serving(&[("a", &content)]))
        };
        play(&mut client, &mut server, &schedule);
        let cancelled = client.session.cancel().is_ok();
        finish(&mut client, &mut server);
        prop_assert!(client.outcome().is_some() && server.outcome().is_some());
        prop_assert_eq!(client.outcome() == Some(Outcome::Cancelled), cancelled);
        prop_assert!(client.storage.part.is_none() && server.storage.part.is_none());
        if upload {
            prop_assert_eq!(server.storage.files.contains_key("a"), server.outcome() == Some(Outcome::Stored));
        }
    }

    #[test]
    fn a_broken_connection_leaves_complete_files_or_none(content in content(), upload: bool, schedule in schedule()) {
        let (mut client, mut server) = if upload {
            (uploading("a", &content), serving(&[]))
        } else {
            (downloading("a"), serving(&[("a", &content)]))
        };
        play(&mut client, &mut server, &schedule);
        client.session.handle_lost();
        server.session.handle_lost();
        client.storage_answers();
        server.storage_answers();
        prop_assert!(client.outcome().is_some() && server.outcome().is_some());
        prop_assert!(client.storage.part.is_none() && server.storage.part.is_none());
        let stored = if upload { &server.storage } else { &client.storage };
        prop_assert!(stored.files.get("a").is_none_or(|stored| *stored == content));
        prop_assert!(client.outcome() != Some(Outcome::Stored) || server.outcome() == Some(Outcome::Stored));
    }
}

#[test]
fn both_sides_agree_on_every_refusal() {
    for (error, code) in [
        (StorageError::NoSuchFile, ErrorCode::NoSuchFile),
        (StorageError::TooLarge, ErrorCode::TooLarge),
        (StorageError::NameNotAllowed, ErrorCode::NameNotAllowed),
        (StorageError::Exists, ErrorCode::Exists),
        (StorageError::NoSpace, ErrorCode::NoSpace),
        (StorageError::Failed, ErrorCode::StorageFailed),
        (StorageError::Busy, ErrorCode::Busy),
        (StorageError::NotPermitted, ErrorCode::NotPermitted),
    ] {
        for verb in ["create", "write", "commit", "open"] {
            let upload = verb != "open";
            let mut client = if upload { uploading("a", b"hello") } else { downloading("a") };
            let mut server = serving(&[("a", b"old")]);
            server.storage.fails = Some((verb, error));
            finish(&mut client, &mut server);
            let refused = Some(Outcome::Refused(code));
            assert_eq!((client.outcome(), server.outcome()), (refused, refused), "{verb}");
            assert_eq!(server.storage.files["a"], b"old");
            assert!(server.storage.part.is_none());
        }
    }
}

#[test]
fn a_file_that_shrinks_ends_both_sessions() {
    let (mut client, mut server) = (downloading("a"), serving(&[("a", b"hello")]));
    client.turn();
    carry(&mut client, &mut server, usize::MAX);
    server.room = 0;
    server.run();
    server.storage.files.insert("a".into(), b"hel".to_vec());
    finish(&mut client, &mut server);
    assert_eq!(server.outcome(), Some(Outcome::Shrunk));
    assert_eq!(client.outcome(), Some(Outcome::Aborted(ErrorCode::StorageFailed)));
    assert!(client.storage.files.is_empty() && client.storage.part.is_none());
}

/// Recorded INFO bodies of a public implementation, without the empty INFO 0.
///
/// The bodies of a request come first, then those of its answer.
mod recorded {
    pub(crate) const UPLOAD: &[&str] =
        &["001b00000000000000090068656c6c6f2e747874", "68656c6c6f206f766572206c6f73737920646174616772616d730a"];
    pub(crate) const CONFIRM: &[&str] = &["03"];
    pub(crate) const DOWNLOAD: &[&str] = &["01090068656c6c6f2e747874"];
    pub(crate) const FILE: &[&str] = &["021b00000000000000", "68656c6c6f206f766572206c6f73737920646174616772616d730a"];
    pub(crate) const DOWNLOAD_OTHER: &[&str] = &["010b006e6f74686572652e747874"];
    pub(crate) const NO_SUCH_FILE: &[&str] = &["0401"];
}

const GREETING: &[u8] = b"hello over lossy datagrams\n";

fn bytes(bodies: &[&str]) -> Vec<Vec<u8>> {
    let byte = |body: &str, at: usize| u8::from_str_radix(&body[at..at + 2], 16).unwrap();
    bodies.iter().map(|body| (0..body.len()).step_by(2).map(|at| byte(body, at)).collect()).collect()
}

/// Feeds `theirs` to one side, and asserts that it sends the `expected` bytes.
fn replay<S: Session>(mut ours: Host<S>, theirs: &[&str], expected: &[&str]) -> Host<S> {
    ours.run();
    for body in bytes(theirs) {
        ours.hears(&body);
    }
    assert_eq!(ours.outbox, bytes(expected).concat());
    assert_eq!(ours.headers, [bytes(expected)[0].clone()], "the header is an output of its own");
    ours.peer_closes();
    ours
}

#[test]
fn an_upload_sends_the_recorded_bytes() {
    use recorded::{CONFIRM, UPLOAD};
    let client = replay(uploading("hello.txt", GREETING), CONFIRM, UPLOAD);
    assert_eq!(client.outcome(), Some(Outcome::Stored));
    let server = replay(serving(&[]), UPLOAD, CONFIRM);
    assert_eq!((server.outcome(), server.storage.files["hello.txt"].as_slice()), (Some(Outcome::Stored), GREETING));
}

#[test]
fn a_download_sends_the_recorded_bytes() {
    use recorded::{DOWNLOAD, FILE};
    let client = replay(downloading("hello.txt"), FILE, DOWNLOAD);
    assert_eq!((client.outcome(), client.storage.files["hello.txt"].as_slice()), (Some(Outcome::Received), GREETING));
    let server = replay(serving(&[("hello.txt", GREETING)]), DOWNLOAD, FILE);
    assert_eq!(server.outcome(), Some(Outcome::Sent));
}

#[test]
fn a_missing_file_is_refused_with_the_recorded_bytes() {
    use recorded::{DOWNLOAD_OTHER, NO_SUCH_FILE};
    let refused = Some(Outcome::Refused(ErrorCode::NoSuchFile));
    assert_eq!(replay(downloading("nothere.txt"), NO_SUCH_FILE, DOWNLOAD_OTHER).outcome(), refused);
    assert_eq!(replay(serving(&[]), DOWNLOAD_OTHER, NO_SUCH_FILE).outcome(), refused);
}

#[test]
fn unsolicited_answers_change_nothing() {
    let answers = [
        Answer::Opened { length: 1 },
        Answer::Created,
        Answer::Read(1),
        Answer::Written(1),
        Answer::Committed,
        Answer::Discarded,
        Answer::Failed(StorageError::Failed),
    ];
    let (client, server) = (uploading("a", b"x"), serving(&[]));
    for answer in answers {
        let (mut changed_client, mut changed_server) = (client.session.clone(), server.session.clone());
        assert!(changed_client.handle_answer(client.now, answer).is_err());
        assert!(changed_server.handle_answer(server.now, answer).is_err());
        assert_eq!((changed_client, changed_server), (client.session.clone(), server.session.clone()));
    }
}
