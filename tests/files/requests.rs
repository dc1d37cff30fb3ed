//! Requests and their answers.

use crate::disk::Disk;
use crate::pair::Pair;
use rdt_proto::files::{Access, FileKind, FilePath, FileServerConfig, Flags, Metadata, PutRequest};
use rdt_proto::ftp::{ErrorCode, StorageError};

fn two() -> Disk {
    Disk::with(&[("a", b"first"), ("deep/b", &[7; 5_000])])
}

#[test]
fn files_and_folders_are_confirmed_once_they_are_durable() {
    let mut pair = Pair::new(two(), Disk::default());
    for path in ["a", "deep/b", "a"] {
        pair.put(path, Flags::REPLACE);
    }
    pair.wait();
    let (path, metadata) = (FilePath::new("empty").unwrap(), Metadata::default());
    let folder = PutRequest { path, kind: FileKind::Folder, metadata, length: None, offset: 0, flags: Flags::REPLACE };
    assert_eq!(pair.client.session.put(&folder), Ok(3));
    pair.finish();
    assert_eq!(pair.events, ["0 confirmed", "1 confirmed", "2 confirmed", "3 confirmed"]);
    assert_eq!(pair.server.disk.files, pair.client.disk.files);
    assert_eq!(pair.server.disk.folders, ["empty"]);
}

/// One flush serves many files: the next one arrives while the earlier ones are made durable. Reads do not wait either.
#[test]
fn no_file_is_confirmed_before_it_is_durable_and_nothing_waits_for_it() {
    let mut pair = Pair::new(two(), Disk::with(&[("there", b"there")]));
    pair.put("a", Flags::REPLACE);
    pair.put("deep/b", Flags::REPLACE);
    pair.get("there");
    while pair.turn() {}
    assert_eq!(pair.server.disk.queue.len(), 2);
    assert!(pair.client.commit());
    while pair.turn() {}
    assert_eq!(pair.events, ["2 received"]);
    assert!(pair.server.commit());
    while pair.turn() {}
    assert_eq!(pair.events, ["2 received", "0 confirmed"]);
    pair.finish();
    assert_eq!(pair.events, ["2 received", "0 confirmed", "1 confirmed"]);
}

/// The message that keeps a place comes between any two others, and changes nothing.
#[test]
fn a_client_that_works_says_so_in_the_midst_of_content() {
    let mut pair = Pair::new(two(), Disk::default());
    pair.get("missing");
    pair.put("deep/b", Flags::REPLACE);
    let (mut kept, mut is_content) = (0, false);
    while pair.turn() {
        let is_kept = kept < 5 && pair.client.session.keep_place().is_ok();
        is_content |= is_kept && pair.client.session.keep_place().is_err() && !pair.client.session.is_ready();
        kept += usize::from(is_kept);
    }
    assert!(kept == 5 && is_content);
    pair.finish();
    assert_eq!(pair.events, ["0 refused: no such file", "1 confirmed"]);
    assert_eq!(pair.server.disk.files["deep/b"], [7; 5_000]);
    assert!(pair.client.session.keep_place().is_err(), "no request follows");
}

#[test]
fn reads_are_answered_in_their_order() {
    let mut pair = Pair::new(Disk::default(), two());
    pair.get("deep/b");
    pair.get("missing");
    pair.get("a");
    pair.list();
    pair.wait();
    pair.client.session.stat(FilePath::new("a").unwrap(), Flags::DIGEST).unwrap();
    pair.wait();
    pair.client.session.stat(FilePath::new("b").unwrap(), Flags::DIGEST).unwrap();
    while pair.turn() {}
    while pair.client.commit() {}
    pair.finish();
    let answers = [
        "1 refused: no such file",
        "3 has a 5",
        "3 has deep/b 5000",
        "3 listed",
        "4 is File 5",
        "5 is Nothing 0",
        "0 received",
        "2 received",
    ];
    assert_eq!(pair.events, answers);
    assert_eq!(pair.client.disk.files, pair.server.disk.files);
}

/// An upload and a download in one session, both larger than what the streams hold.
#[test]
fn both_directions_are_used_at_once() {
    let mut pair = Pair::new(Disk::with(&[("up", &[1; 50_000])]), Disk::with(&[("down", &[2; 50_000])]));
    pair.get("down");
    pair.put("up", Flags::REPLACE);
    let mut turns = 0;
    while !(pair.server.disk.queue.len() == 1 && pair.client.disk.queue.len() == 1) {
        assert!(pair.turn());
        turns += 1;
    }
    assert!(turns < 70, "{turns} turns: one after the other take twice as many");
    pair.finish();
}

#[test]
fn a_refused_put_ends_only_itself() {
    for (verb, after) in [("create", 0), ("write", 0), ("write", 2), ("commit", 0), ("durable", 0)] {
        let mut pair = Pair::new(two(), Disk::default());
        pair.server.disk.write_at_most = Some(1_000);
        pair.server.disk.fails = Some((verb, StorageError::NoSpace, after));
        pair.put("deep/b", Flags::REPLACE);
        pair.run();
        pair.server.disk.fails = None;
        pair.put("a", Flags::REPLACE);
        pair.finish();
        assert_eq!(pair.events, ["0 refused: no space left", "1 confirmed"], "{verb}");
        assert_eq!(pair.server.disk.files.keys().collect::<Vec<_>>(), ["a"], "{verb}");
    }
}

/// A refusal comes while the content of a large file still leaves. The client cuts it short.
#[test]
fn a_refusal_cuts_the_content_short() {
    let mut pair = Pair::new(Disk::with(&[("large", &[1; 100_000]), ("a", b"a")]), Disk::with(&[("large", b"old")]));
    pair.put("large", Flags::empty());
    pair.put("a", Flags::empty());
    pair.finish();
    assert_eq!(pair.events, ["0 refused: already exists", "1 confirmed"]);
    assert_eq!(pair.server.disk.files["large"], b"old");
    let reads = pair.client.disk.log.iter().filter(|request| *request == "read").count();
    assert!(reads < 20, "{reads} reads");
}

#[test]
fn content_that_changed_on_its_way_is_not_stored() {
    let mut pair = Pair::new(two(), Disk::default());
    pair.put("a", Flags::REPLACE);
    while !pair.server.input.ends_with(b"first") {
        let (most, room) = (usize::MAX, 1_000);
        pair.client.turn(most, room, &mut pair.server.input);
    }
    *pair.server.input.last_mut().unwrap() ^= 1;
    pair.finish();
    assert_eq!(pair.events, ["0 refused: content does not match its digest"]);
    assert!(pair.server.disk.files.is_empty());
}

#[test]
fn a_file_of_unknown_length_is_stored_at_its_end() {
    let mut pair = Pair::new(two(), Disk::default());
    pair.wait();
    pair.client.disk.open("deep/b");
    pair.put_as("pipe", None, 0, Flags::REPLACE);
    pair.finish();
    assert_eq!(pair.events, ["0 confirmed"]);
    assert_eq!(pair.server.disk.files["pipe"], [7; 5_000]);
}

/// The client says which side has failed.
#[test]
fn a_file_that_shrinks_or_cannot_be_read_is_not_stored() {
    for verb in ["shrinks", "read", "digest"] {
        let mut pair = Pair::new(two(), Disk::default());
        pair.wait();
        pair.client.disk.open("deep/b");
        pair.client.disk.fails = Some((verb, StorageError::Failed, 0));
        pair.put_as("b", Some(if verb == "shrinks" { 6_000 } else { 5_000 }), 0, Flags::REPLACE);
        pair.run();
        pair.client.disk.fails = None;
        pair.put("a", Flags::REPLACE);
        pair.finish();
        assert_eq!(pair.events, ["0 not sent: storage failed", "1 confirmed"], "{verb}");
        assert_eq!(pair.server.disk.files.keys().collect::<Vec<_>>(), ["a"]);
    }
}

#[test]
fn a_storage_failure_of_the_client_ends_only_that_get() {
    for verb in ["create", "write", "commit", "durable"] {
        let mut pair = Pair::new(Disk::default(), two());
        pair.client.disk.fails = Some((verb, StorageError::NoSpace, 0));
        pair.get("deep/b");
        pair.run();
        pair.client.disk.fails = None;
        pair.get("a");
        pair.finish();
        assert_eq!(pair.events, ["0 not received: Storage(NoSpace)", "1 received"], "{verb}");
        assert_eq!(pair.client.disk.files.keys().collect::<Vec<_>>(), ["a"], "{verb}");
    }
}

#[test]
fn a_put_can_be_cancelled() {
    let mut pair = Pair::new(two(), Disk::default());
    pair.put("deep/b", Flags::REPLACE);
    pair.turn();
    pair.client.session.cancel_put(ErrorCode::Cancelled);
    pair.put("a", Flags::REPLACE);
    pair.finish();
    assert_eq!(pair.events, ["0 refused: cancelled", "1 confirmed"]);
}

#[test]
fn access_is_limited_by_the_kind_of_request() {
    for (access, events) in [
        (Access::ReadOnly, &["0 refused: uploads not permitted", "2 has there 5", "2 listed", "1 received"][..]),
        (
            Access::WriteOnly,
            &["1 refused: downloads not permitted", "2 refused: downloads not permitted", "0 confirmed"],
        ),
    ] {
        let config = FileServerConfig { access, ..FileServerConfig::default() };
        let mut pair = Pair::with(config, two(), Disk::with(&[("there", b"there")]));
        pair.put("a", Flags::REPLACE);
        pair.get("there");
        pair.list();
        while pair.turn() {}
        pair.finish();
        assert_eq!(pair.events, events, "{access:?}");
    }
}

#[test]
fn a_file_beyond_the_limit_is_refused_at_once() {
    let config = FileServerConfig { max_length: 4, ..FileServerConfig::default() };
    for length in [Some(5), None] {
        let mut pair = Pair::with(config, two(), Disk::default());
        pair.wait();
        pair.client.disk.open("a");
        pair.put_as("a", length, 0, Flags::REPLACE);
        pair.finish();
        assert_eq!(pair.events, ["0 refused: too large"]);
        assert!(pair.server.disk.files.is_empty());
    }
}

/// What has begun goes on, and what comes later is refused.
#[test]
fn a_server_that_leaves_says_so() {
    let mut pair = Pair::new(two(), Disk::default());
    pair.put("deep/b", Flags::REPLACE);
    while pair.server.disk.log.is_empty() {
        pair.turn();
    }
    pair.server.session.leave(ErrorCode::Busy);
    pair.put("a", Flags::REPLACE);
    pair.list();
    pair.finish();
    let events =
        ["leaving: busy, try later", "1 refused: busy, try later", "2 refused: busy, try later", "0 confirmed"];
    assert_eq!(pair.events, events);
}
