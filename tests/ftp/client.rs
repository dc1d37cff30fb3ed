//! The client session: one upload or download, with scripted bytes of the server.

use crate::host::{Ended, Host, download, downloading, file, name, upload, uploading};
use rdt_proto::ftp::{Client, ClientConfig, ErrorCode, FileEvent, Outcome, Session, StorageError, TooLate};

#[test]
fn an_upload_sends_its_header_and_then_the_content() {
    let mut host = uploading("a", b"hello");
    host.room = 3;
    host.run();
    assert_eq!(host.headers, [upload("a", 5)]);
    assert_eq!(host.outbox, [&upload("a", 5)[..], b"hello"].concat());
    assert_eq!((host.log(), host.ended), (vec!["read 0+3", "read 3+2"], None));
    host.hears(&[3]);
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), Some(Outcome::Stored)));
    assert_eq!(host.events, [FileEvent::Started { length: 5 }, FileEvent::Done(Outcome::Stored)]);
}

#[test]
fn a_header_may_be_sent_in_parts_and_content_waits_for_it() {
    let mut client = Client::upload(ClientConfig::default(), name("a"), 5);
    for sent in 0..12 {
        let output = client.poll_output();
        assert_eq!(output, Some(rdt_proto::ftp::Output::Header(&upload("a", 5)[sent..])));
        assert_eq!(client.poll_request(100), None);
        assert!(client.header_sent(13 - sent).is_err());
        client.header_sent(1).unwrap();
    }
    assert_eq!(client.poll_output(), None);
    assert!(client.poll_request(100).is_some());
}

#[test]
fn an_error_stops_the_upload_at_once() {
    for (code, error) in [(2, ErrorCode::TooLarge), (5, ErrorCode::NoSpace), (77, ErrorCode::Other(77))] {
        let mut host = uploading("a", b"hello");
        host.room = 2;
        host.turn(); // sends the header
        host.turn(); // sends two bytes
        host.hears(&[4]); // the answer is not complete yet
        assert_eq!((host.log().len(), host.ended), (3, None));

        let mut host = uploading("a", b"hello");
        host.room = 2;
        host.turn();
        host.turn();
        host.hears(&[4, code, 1, 2, 3]);
        assert_eq!(host.log(), ["read 0+2"]);
        assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), Some(Outcome::Refused(error))));
        assert!(host.inbox.is_empty(), "bytes after the answer are ignored");
    }
}

#[test]
fn the_close_waits_for_a_pending_read() {
    let mut host = uploading("a", b"hello");
    host.turn();
    host.hold = true;
    host.room = 2;
    host.run();
    host.hears(&[4, 5]);
    assert_eq!((host.log(), host.ended, host.outcome()), (vec!["read 0+2"], None, None));
    host.storage_answers();
    assert_eq!((host.log(), host.ended), (vec!["read 0+2"], Some(Ended::Closed)));
    assert_eq!(host.outcome(), Some(Outcome::Refused(ErrorCode::NoSpace)));
}

#[test]
fn an_upload_without_confirm_is_not_reported_as_stored() {
    let mut host = uploading("a", b"hello");
    host.run().peer_closes();
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), Some(Outcome::Unconfirmed)));

    let mut host = uploading("a", b"hello");
    host.run().session.handle_lost();
    host.run();
    assert_eq!((host.ended, host.outcome()), (None, Some(Outcome::Lost)));

    let mut host = uploading("a", b"hello");
    host.run().session.handle_aborted(ErrorCode::StorageFailed);
    host.run();
    assert_eq!(host.outcome(), Some(Outcome::Aborted(ErrorCode::StorageFailed)));
}

#[test]
fn a_confirm_before_the_content_is_a_violation() {
    let mut host = uploading("a", b"hello");
    host.room = 0;
    host.run();
    host.hears(&[3]);
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Aborted(0)), Some(Outcome::Violation)));
}

#[test]
fn a_confirm_may_overtake_the_answer_of_the_last_read() {
    let mut host = uploading("a", b"hello");
    host.turn();
    host.hold = true;
    host.run().hears(&[3]);
    assert_eq!(host.ended, None);
    host.storage_answers();
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), Some(Outcome::Stored)));
}

#[test]
fn a_message_that_is_no_answer_is_a_violation() {
    for answer in [&file(5)[..], &[5], &upload("a", 5), &download("a"), &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let mut host = uploading("a", b"hello");
        host.run().hears(answer);
        assert_eq!((host.ended, host.outcome()), (Some(Ended::Aborted(0)), Some(Outcome::Violation)));
    }
    let mut host = downloading("a");
    host.run().hears(&[3]);
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Aborted(0)), Some(Outcome::Violation)));
}

/// A server sends no UPLOAD and no DOWNLOAD, so the rest of such a message need not be awaited.
#[test]
fn the_first_byte_of_a_request_from_a_server_is_a_violation() {
    for request in [&upload("a", 5)[..1], &download("a")[..1]] {
        let mut host = uploading("a", b"hello");
        host.run().hears(request);
        assert_eq!((host.ended, host.outcome()), (Some(Ended::Aborted(0)), Some(Outcome::Violation)));
    }
}

#[test]
fn a_local_file_that_shrinks_or_fails_cancels_the_upload() {
    let mut host = uploading("a", b"hello");
    host.storage.files.insert("local".into(), b"hel".to_vec());
    host.run();
    assert_eq!(host.outbox, [&upload("a", 5)[..], b"hel"].concat());
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), Some(Outcome::Shrunk)));

    let mut host = uploading("a", b"hello");
    host.storage.fails = Some(("read", StorageError::Failed));
    host.run();
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), Some(Outcome::StorageFailed(StorageError::Failed))));
}

#[test]
fn a_download_is_stored_and_committed() {
    let mut host = downloading("a");
    host.run();
    assert_eq!(host.outbox, download("a"));
    host.hears(&file(5)).hears(b"hel").hears(b"lo, and what is not part of it");
    assert_eq!(host.log(), ["create a 5", "write 0+3", "write 3+2", "commit"]);
    assert_eq!((host.storage.files["a"].as_slice(), host.inbox.len()), (&b"hello"[..], 0));
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), Some(Outcome::Received)));
    assert_eq!(host.events, [FileEvent::Started { length: 5 }, FileEvent::Done(Outcome::Received)]);
}

#[test]
fn an_empty_download_is_stored() {
    let mut host = downloading("a");
    host.run().hears(&file(0)).peer_closes();
    assert_eq!((host.log(), host.outcome()), (vec!["create a 0", "commit"], Some(Outcome::Received)));
}

#[test]
fn a_download_that_ends_early_is_discarded() {
    type End = fn(&mut Host<Client>);
    let ends: [(End, Outcome); 3] = [
        (|host| host.session.handle_peer_closed(), Outcome::CutShort),
        (|host| host.session.handle_aborted(ErrorCode::StorageFailed), Outcome::Aborted(ErrorCode::StorageFailed)),
        (|host| host.session.handle_lost(), Outcome::Lost),
    ];
    for (end, outcome) in ends {
        for heard in [&b""[..], &file(5), &[&file(5)[..], b"hell"].concat()] {
            let mut host = downloading("a");
            host.run().hears(heard);
            end(&mut host);
            host.run();
            assert_eq!(host.outcome(), Some(outcome));
            assert_eq!(host.log().iter().filter(|line| **line == "discard").count(), usize::from(!heard.is_empty()));
            assert!(host.storage.part.is_none() && host.storage.files.is_empty());
        }
    }
}

#[test]
fn a_complete_download_is_kept_if_the_connection_is_lost() {
    let mut host = downloading("a");
    host.run().hears(&file(5));
    host.hold = true;
    host.hears(b"hello").session.handle_lost();
    host.storage_answers();
    assert_eq!((host.log().last(), host.outcome()), (Some(&"commit"), Some(Outcome::Received)));
}

#[test]
fn a_download_above_the_length_limit_is_not_created() {
    let mut host = downloading("a");
    host.session = Client::download(ClientConfig { max_download_length: 4, ..ClientConfig::default() }, name("a"));
    host.run().hears(&file(5)).hears(b"hello");
    assert_eq!((host.log().len(), host.inbox.len(), host.ended), (0, 0, Some(Ended::Closed)));
    assert_eq!(host.outcome(), Some(Outcome::StorageFailed(StorageError::TooLarge)));
}

#[test]
fn a_download_replaces_only_if_allowed() {
    let mut host = downloading("a");
    host.session = Client::download(ClientConfig { allow_replace: false, ..ClientConfig::default() }, name("a"));
    host.storage.files.insert("a".into(), b"old".to_vec());
    host.run().hears(&file(1)).hears(b"x");
    assert_eq!((host.log(), host.ended), (vec!["create a 1"], Some(Ended::Closed)));
    assert_eq!(host.outcome(), Some(Outcome::StorageFailed(StorageError::Exists)));
}

#[test]
fn a_failed_write_or_commit_discards_the_file_once() {
    for (verb, request) in [("write", "write 0+5"), ("commit", "commit")] {
        let mut host = downloading("a");
        host.storage.fails = Some((verb, StorageError::Failed));
        host.run().hears(&file(5)).hears(b"hello");
        assert_eq!(host.log()[host.log().len() - 2..], [request, "discard"]);
        assert_eq!(host.outcome(), Some(Outcome::StorageFailed(StorageError::Failed)));
    }
}

#[test]
fn a_download_that_may_not_last_is_not_received() {
    let mut host = downloading("a");
    host.storage.is_not_durable = true;
    host.run().hears(&file(5)).hears(b"hello");
    assert_eq!(host.log(), ["create a 5", "write 0+5", "commit"]);
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), Some(Outcome::StorageFailed(StorageError::Failed))));
}

#[test]
fn cancel_closes_and_discards() {
    let mut host = downloading("a");
    host.run().hears(&file(5)).hears(b"he").session.cancel().unwrap();
    host.run();
    assert_eq!((host.log().last(), host.ended), (Some(&"discard"), Some(Ended::Closed)));
    assert_eq!((host.outcome(), host.session.cancel()), (Some(Outcome::Cancelled), Err(TooLate)));

    let mut host = uploading("a", b"hello");
    host.room = 0;
    host.run().session.cancel().unwrap();
    host.run();
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), Some(Outcome::Cancelled)));

    // After the whole content, a close does not cancel the upload, so the session aborts.
    let mut host = uploading("a", b"hello");
    host.run().session.cancel().unwrap();
    host.run();
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Aborted(10)), Some(Outcome::Cancelled)));
}

#[test]
fn progress_is_reported() {
    let mut host = downloading("a");
    assert_eq!((host.session.bytes_done(), host.session.length()), (0, None));
    host.run().hears(&file(5)).hears(b"he");
    assert_eq!((host.session.bytes_done(), host.session.length()), (2, Some(5)));
    assert_eq!(host.session.outcome(), None);
}
