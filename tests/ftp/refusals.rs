//! A server that refuses a request: ERROR, then input is dropped until the client closes.

use crate::host::{Ended, download, server, serving, upload};
use rdt_proto::ftp::{ErrorCode, Outcome, ServerConfig, Session, TooLate};
use rdt_proto::{Duration, Instant};

fn refused(code: ErrorCode) -> Option<Outcome> {
    Some(Outcome::Refused(code))
}

/// Regression: a close right behind ERROR ended the upload of the public implementation before its client read ERROR.
#[test]
fn a_refused_upload_is_closed_after_the_client_closes() {
    let mut host = server(ServerConfig { read_only: true, ..ServerConfig::default() });
    host.hears(&upload("a", 9)).hears(b"in flight");
    assert_eq!((host.outbox.as_slice(), host.ended, host.outcome()), (&[4, 9][..], None, None));
    host.peer_closes();
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), refused(ErrorCode::NotPermitted)));

    // A client that has closed already awaits nothing.
    let mut host = server(ServerConfig { read_only: true, ..ServerConfig::default() });
    host.peer_closed = true;
    host.hears(&upload("a", 9));
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), refused(ErrorCode::NotPermitted)));

    // The caller refuses before the request arrives.
    let mut host = server(ServerConfig::default());
    host.session.refuse(Instant::ZERO, ErrorCode::Busy).unwrap();
    host.run();
    assert_eq!((host.outbox.as_slice(), host.ended), (&[4, 7][..], None));
    host.hears(&upload("a", 1)).hears(&[1]);
    assert_eq!((host.ended, host.events.len()), (None, 0));
    host.peer_closes();
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), refused(ErrorCode::Busy)));
}

#[test]
fn a_refused_request_that_nothing_follows_is_closed_at_once() {
    for request in [download("b"), download("../a"), vec![9]] {
        let mut host = server(ServerConfig::default());
        host.hears(&request);
        assert_eq!((host.ended, host.outcome()), (Some(Ended::Closed), None), "{request:?}");
    }
    let mut host = server(ServerConfig::default());
    host.session.refuse(Instant::ZERO, ErrorCode::Busy).unwrap();
    host.hears(&download("a"));
    assert_eq!(host.ended, Some(Ended::Closed));
    assert!(host.events.is_empty() && host.log().is_empty());
}

#[test]
fn after_an_error_bytes_are_dropped_up_to_the_limit() {
    let config = ServerConfig { drain_limit_bytes: 10, read_only: true, ..ServerConfig::default() };
    let mut host = server(config);
    host.hears(&upload("a", 99)).hears(&[0; 10]);
    assert_eq!((host.ended, host.outcome()), (None, None));
    host.hears(&[0]);
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Aborted(9)), refused(ErrorCode::NotPermitted)));
    assert_eq!(host.session.poll_timeout(), None);
}

#[test]
fn after_an_error_the_client_has_until_the_limit_to_close() {
    let mut host = server(ServerConfig { drain_limit: Duration::from_secs(2), ..ServerConfig::default() });
    host.now = Instant::from_millis(500);
    assert_eq!(host.session.poll_timeout(), None);
    host.hears(&upload("..", 1));
    let deadline = Instant::from_millis(2_500);
    assert_eq!(host.session.poll_timeout(), Some(deadline));
    host.session.handle_timeout(deadline - Duration::from_micros(1));
    host.run();
    assert_eq!((host.ended, host.session.poll_timeout()), (None, Some(deadline)));
    host.session.handle_timeout(deadline);
    host.run();
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Aborted(3)), refused(ErrorCode::NameNotAllowed)));
    assert_eq!(host.session.poll_timeout(), None);

    let mut host = server(ServerConfig { drain_limit: Duration::MAX, ..ServerConfig::default() });
    host.hears(&[9]);
    assert_eq!((host.session.poll_timeout(), host.outcome()), (None, None));
}

#[test]
fn the_caller_may_refuse_before_or_during_a_transfer() {
    let mut host = server(ServerConfig::default());
    assert_eq!(host.session.refuse(Instant::ZERO, ErrorCode::Busy), Ok(()));
    assert_eq!(host.session.refuse(Instant::ZERO, ErrorCode::Busy), Err(TooLate));
    host.hears(&upload("a", 5)).peer_closes();
    assert_eq!((host.outbox.as_slice(), host.outcome()), (&[4, 7][..], refused(ErrorCode::Busy)));
    assert!(host.log().is_empty());

    // During an upload, while storage writes bytes of the input.
    let mut host = server(ServerConfig::default());
    host.hears(&upload("a", 5));
    host.hold = true;
    host.hears(b"he");
    host.session.refuse(Instant::ZERO, ErrorCode::Cancelled).unwrap();
    host.run();
    assert_eq!((host.inbox.as_slice(), host.outbox.as_slice()), (&b"he"[..], &[4, 10][..]));
    host.storage_answers().peer_closes();
    assert_eq!((host.log().last(), host.outcome()), (Some(&"discard"), refused(ErrorCode::Cancelled)));

    // During a download. After the header of the file, ERROR can no longer be sent.
    let mut host = serving(&[("a", b"hello")]);
    host.room = 0;
    host.hears(&download("a"));
    host.session.refuse(Instant::ZERO, ErrorCode::Cancelled).unwrap();
    host.run();
    assert_eq!((host.ended, host.outcome()), (Some(Ended::Aborted(10)), refused(ErrorCode::Cancelled)));
}
