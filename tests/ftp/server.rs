//! The server session: one request, with scripted bytes of the client.

use crate::host::{Ended, download, file, server, serving, upload};
use rdt_proto::Instant;
use rdt_proto::ftp::{
    Answer, ErrorCode, FileEvent, Outcome, Server, ServerConfig, Session, StorageError, TooLate, Transfer,
};

fn refused(code: ErrorCode) -> Option<Outcome> {
    Some(Outcome::Refused(code))
}

#[test]
fn an_upload_is_stored_then_confirmed() {
    let mut host = server(ServerConfig::default());
    host.hears(&upload("a", 5)).hears(b"he").hears(b"llo");
    assert_eq!(host.log(), ["create a 5", "write 0+2", "write 2+3", "commit"]);
    assert_eq!(host.storage.files["a"], b"hello");
    assert_eq!(host.outbox, [3]);
    assert_eq!(host.ended, Some(Ended::Closed));
    assert_eq!(
        host.events,
        [FileEvent::Requested(Transfer::Upload), FileEvent::Started { length: 5 }, FileEvent::Done(Outcome::Stored)]
    );
    assert_eq!(host.session.name().unwrap().as_str(), "a");
}

#[test]
fn confirm_waits_for_the_commit() {
    let mut host = server(ServerConfig::default());
    host.hears(&upload("a", 1));
    host.hold = true;
    host.hears(b"x");
    assert_eq!((host.log(), host.inbox.len()), (vec!["create a 1", "write 0+1"], 1));
    host.hold = false;
    host.turn(); // storage answers the write
    host.hold = true;
    host.run();
    assert_eq!(host.log().last(), Some(&"commit"));
    assert_eq!((host.outbox.len(), host.inbox.len(), host.outcome()), (0, 0, None));
    host.storage_answers();
    assert_eq!((host.outbox.as_slice(), host.outcome()), (&[3][..], Some(Outcome::Stored)));
}

#[test]
fn content_stays_in_the_input_until_it_is_written() {
    let mut host = server(ServerConfig::default());
    host.storage.write_at_most = Some(2);
    host.hold = true;
    host.hears(&upload("a", 5)).hears(b"hello");
    assert_eq!(host.inbox, b"hello");
    host.storage_answers();
    assert_eq!(host.log(), ["create a 5", "write 0+5", "write 2+3", "write 4+1", "commit"]);
    assert_eq!(host.storage.files["a"], b"hello");
}

#[test]
fn an_empty_upload_is_stored() {
    let mut host = server(ServerConfig::default());
    host.hears(&upload("a", 0));
    assert_eq!(host.log(), ["create a 0", "commit"]);
    assert_eq!((host.outbox.as_slice(), host.outcome()), (&[3][..], Some(Outcome::Stored)));
}

#[test]
fn a_download_is_a_file_header_and_its_content() {
    let mut host = serving(&[("a", b"hello")]);
    host.room = 2;
    host.hears(&download("a"));
    assert_eq!(host.log(), ["open a", "read 0+2", "read 2+2", "read 4+1"]);
    assert_eq!(host.headers, [file(5)]);
    assert_eq!(host.outbox, [&file(5)[..], b"hello"].concat());
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), Some(Outcome::Sent)));
}

#[test]
fn an_empty_download_is_a_file_header_alone() {
    let mut host = serving(&[("a", b"")]);
    host.hears(&download("a"));
    assert_eq!((host.outbox.clone(), host.outcome()), (file(0), Some(Outcome::Sent)));
}

#[test]
fn every_storage_failure_has_its_code() {
    for (error, code) in [
        (StorageError::NoSuchFile, 1),
        (StorageError::TooLarge, 2),
        (StorageError::NameNotAllowed, 3),
        (StorageError::Exists, 4),
        (StorageError::NoSpace, 5),
        (StorageError::Failed, 6),
        (StorageError::Busy, 7),
        (StorageError::NotPermitted, 9),
        // Base mode has no codes for these.
        (StorageError::NoUploads, 9),
        (StorageError::NoDownloads, 9),
        (StorageError::NoFolders, 9),
    ] {
        for (verb, log) in [("open", vec!["open a"]), ("create", vec!["create a 1"])] {
            let mut host = serving(&[("a", b"x")]);
            host.storage.fails = Some((verb, error));
            host.hears(&if verb == "open" { download("a") } else { upload("a", 1) });
            assert_eq!((host.outbox.as_slice(), host.log(), host.outcome()), (&[4, code][..], log, None));
            host.peer_closes();
            assert_eq!(host.outcome(), refused(ErrorCode::from(code)));
        }
    }
}

#[test]
fn a_missing_file_is_error_1() {
    let mut host = serving(&[]);
    host.hears(&download("b")).peer_closes();
    assert_eq!((host.outbox.as_slice(), host.outcome()), (&[4, 1][..], refused(ErrorCode::NoSuchFile)));
}

#[test]
fn a_disk_that_fills_up_refuses_and_drops_the_rest() {
    let mut host = server(ServerConfig::default());
    host.storage.space = Some(3);
    host.hears(&upload("a", 9)).hears(b"abc").hears(b"def");
    assert_eq!(host.log(), ["create a 9", "write 0+3", "write 3+3", "discard"]);
    assert_eq!((host.outbox.as_slice(), host.ended), (&[4, 5][..], None));
    assert_eq!((host.inbox.len(), host.outcome()), (0, None));
    host.hears(b"ghi").peer_closes();
    assert_eq!((host.ended, host.inbox.len(), host.outcome()), (Some(Ended::Closed), 0, refused(ErrorCode::NoSpace)));
    assert!(host.storage.part.is_none() && host.storage.files.is_empty());
}

#[test]
fn a_failed_commit_is_refused_and_not_confirmed() {
    let mut host = server(ServerConfig::default());
    host.storage.fails = Some(("commit", StorageError::Failed));
    host.hears(&upload("a", 1)).hears(b"x").peer_closes();
    assert_eq!(host.log(), ["create a 1", "write 0+1", "commit", "discard"]);
    assert_eq!((host.outbox.as_slice(), host.outcome()), (&[4, 6][..], refused(ErrorCode::StorageFailed)));
}

#[test]
fn an_upload_too_long_is_refused_before_its_name_arrives() {
    let mut host = server(ServerConfig { max_upload_length: 4, ..ServerConfig::default() });
    host.hears(&upload("a", 5)[..9]);
    assert_eq!((host.outbox.as_slice(), host.log().len()), (&[4, 2][..], 0));
    host.hears(&upload("a", 5)[9..]).hears(b"hello").peer_closes();
    assert_eq!(
        (host.events.as_slice(), host.log().len()),
        (&[FileEvent::Done(refused(ErrorCode::TooLarge).unwrap())][..], 0)
    );
    let mut host = server(ServerConfig { max_upload_length: 4, ..ServerConfig::default() });
    host.hears(&upload("a", 4)).hears(b"four");
    assert_eq!(host.outcome(), Some(Outcome::Stored));
}

#[test]
fn a_read_only_server_refuses_uploads() {
    let mut host = serving(&[("a", b"x")]);
    host.session = Server::new(ServerConfig { read_only: true, ..ServerConfig::default() });
    host.hears(&upload("a", 1)).peer_closes();
    assert_eq!((host.outbox.as_slice(), host.outcome()), (&[4, 9][..], refused(ErrorCode::NotPermitted)));
    assert!(host.log().is_empty());
}

#[test]
fn a_file_is_replaced_only_if_allowed() {
    for (allow_replace, answer, kept) in [(true, &[3][..], b"new"), (false, &[4, 4][..], b"old")] {
        let mut host = serving(&[("a", b"old")]);
        host.session = Server::new(ServerConfig { allow_replace, ..ServerConfig::default() });
        host.hears(&upload("a", 3)).hears(b"new").peer_closes();
        assert_eq!((host.outbox.as_slice(), host.storage.files["a"].as_slice()), (answer, &kept[..]));
    }
}

#[test]
fn a_bad_name_is_error_3_and_storage_is_not_touched() {
    for request in [upload("../a", 1), download("../a"), download("nul.txt"), download(""), download(&"x".repeat(256))]
    {
        let mut host = server(ServerConfig::default());
        host.hears(&request).peer_closes();
        assert_eq!((host.outbox.as_slice(), host.outcome()), (&[4, 3][..], refused(ErrorCode::NameNotAllowed)));
        assert!(host.log().is_empty());
    }
}

#[test]
fn a_message_that_is_no_request_is_error_0() {
    for request in [&file(5)[..], &[3], &[4, 1], &[5], &[255, 1, 2]] {
        let mut host = server(ServerConfig::default());
        host.hears(request).peer_closes();
        assert_eq!((host.outbox.as_slice(), host.outcome()), (&[4, 0][..], refused(ErrorCode::Malformed)));
    }
}

#[test]
fn a_close_before_the_whole_content_cancels() {
    let mut host = server(ServerConfig::default());
    host.hears(&upload("a", 5)).hears(b"he").peer_closes();
    assert_eq!(host.log(), ["create a 5", "write 0+2", "discard"]);
    assert_eq!((host.outbox.len(), host.ended, host.outcome()), (0, Some(Ended::Closed), Some(Outcome::Cancelled)));

    let mut host = serving(&[("a", b"hello")]);
    host.room = 0;
    host.hears(&download("a")).peer_closes();
    assert_eq!((host.log(), host.outcome()), (vec!["open a"], Some(Outcome::Cancelled)));

    for request in [&upload("a", 5)[..11], &[]] {
        let mut host = server(ServerConfig::default());
        host.hears(request).peer_closes();
        assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), Some(Outcome::NoRequest)));
    }
}

#[test]
fn a_close_after_the_whole_content_cancels_nothing() {
    let mut host = server(ServerConfig::default());
    host.peer_closed = true;
    host.hold = true;
    host.hears(&[&upload("a", 5)[..], b"hello"].concat()).storage_answers();
    assert_eq!((host.outbox.as_slice(), host.outcome()), (&[3][..], Some(Outcome::Stored)));
}

#[test]
fn a_close_before_the_content_is_written_cancels_nothing() {
    let mut host = server(ServerConfig::default());
    host.hold = true;
    host.hears(&[&upload("a", 5)[..], b"hello"].concat());
    assert_eq!(host.inbox, b"hello");
    host.session.handle_peer_closed();
    host.storage_answers();
    assert_eq!((host.outbox.as_slice(), host.outcome()), (&[3][..], Some(Outcome::Stored)));
}

#[test]
fn an_empty_file_counts_as_sent_only_after_its_header() {
    let mut session = Server::new(ServerConfig::default());
    session.handle_input(Instant::ZERO, &download("a"));
    assert!(session.poll_request(0).is_some());
    session.handle_answer(Instant::ZERO, Answer::Opened { length: 0 }).unwrap();
    session.handle_lost();
    assert_eq!(session.outcome(), Some(Outcome::Lost));
}

#[test]
fn an_upload_lost_during_a_storage_request_is_discarded_once() {
    for (verb, content) in [("create a 5", &b""[..]), ("write 0+2", b"he")] {
        let mut host = server(ServerConfig::default());
        host.hears(&upload("a", 5)[..3]);
        host.hold = verb == "create a 5";
        host.hears(&upload("a", 5)[3..]);
        host.hold = true;
        host.hears(content);
        assert_eq!(host.log().last(), Some(&verb));
        host.session.handle_lost();
        host.run();
        assert_eq!(host.outcome(), None, "the outcome waits for the answer of storage");
        host.storage_answers();
        assert_eq!(host.log().iter().filter(|line| **line == "discard").count(), 1);
        assert_eq!(host.outcome(), Some(Outcome::Lost));
    }
}

#[test]
fn an_abort_during_the_commit_keeps_the_file() {
    let mut host = server(ServerConfig::default());
    host.hold = true;
    host.hears(&upload("a", 0));
    host.hold = false;
    host.turn(); // storage answers the create
    host.hold = true;
    host.run();
    assert_eq!(host.log(), ["create a 0", "commit"]);
    assert_eq!(host.session.refuse(Instant::ZERO, ErrorCode::Busy), Err(TooLate));
    host.session.handle_aborted(ErrorCode::Cancelled);
    host.storage_answers();
    assert_eq!((host.outbox.len(), host.ended, host.outcome()), (0, None, Some(Outcome::Stored)));
}

#[test]
fn a_file_that_shrinks_aborts_and_is_not_padded() {
    let mut host = serving(&[("a", b"hello")]);
    host.room = 0;
    host.hears(&download("a"));
    host.storage.files.insert("a".into(), b"hel".to_vec());
    host.room = 2;
    host.run();
    assert_eq!(host.log(), ["open a", "read 0+2", "read 2+2", "read 3+2"]);
    assert_eq!(host.outbox, [&file(5)[..], b"hel"].concat());
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Aborted(6)), Some(Outcome::Shrunk)));
}

#[test]
fn a_failed_read_aborts_the_download() {
    let mut host = serving(&[("a", b"hello")]);
    host.storage.fails = Some(("read", StorageError::Busy));
    host.hears(&download("a"));
    assert_eq!(host.outbox, file(5));
    assert_eq!(
        (host.ended, host.outcome()),
        (Some(Ended::Aborted(7)), Some(Outcome::StorageFailed(StorageError::Busy)))
    );
}

#[test]
fn a_commit_that_may_not_last_is_neither_confirmed_nor_refused() {
    let mut host = serving(&[]);
    host.storage.is_not_durable = true;
    host.hears(&upload("a", 5)).hears(b"hello");
    assert_eq!(host.log(), ["create a 5", "write 0+5", "commit"]);
    assert!(host.outbox.is_empty() && host.storage.files["a"] == b"hello");
    assert_eq!(
        (host.ended, host.outcome()),
        (Some(Ended::Aborted(6)), Some(Outcome::StorageFailed(StorageError::Failed)))
    );
}

#[test]
fn bytes_beyond_the_content_are_ignored() {
    let mut host = server(ServerConfig::default());
    host.hears(&[&upload("a", 5)[..], b"hello, and more"].concat()).hears(b"and more");
    assert_eq!((host.inbox.len(), host.storage.files["a"].as_slice()), (0, &b"hello"[..]));
    assert_eq!((host.outbox.as_slice(), host.outcome()), (&[3][..], Some(Outcome::Stored)));
    let mut host = serving(&[("a", b"x")]);
    host.hears(&[&download("a")[..], b"more"].concat());
    assert_eq!((host.inbox.len(), host.outcome()), (0, Some(Outcome::Sent)));
}

#[test]
fn a_server_session_takes_at_most_512_bytes() {
    assert!(size_of::<Server>() <= 512, "{}", size_of::<Server>());
}
