//! Requests and their answers.

use crate::disk::Disk;
use crate::pair::Pair;
use rdt_proto::files::{Access, FilePath, ServerConfig, Wish};
use rdt_proto::ftp::StorageError;

fn two() -> Disk {
    Disk::with(&[("a", b"first"), ("deep/b", &[7; 5_000])])
}

#[test]
fn puts_are_confirmed_in_their_order() {
    let mut pair = Pair::new(two(), Disk::default());
    for path in ["a", "deep/b", "a"] {
        pair.put(path, Wish::REPLACE);
    }
    pair.finish();
    assert_eq!(pair.events, ["confirmed", "confirmed", "confirmed"]);
    assert_eq!(pair.server.disk.files, pair.client.disk.files);
}

/// One flush serves many files: the next one arrives while the earlier ones are made durable.
#[test]
fn no_file_is_confirmed_before_it_is_durable_and_none_waits_for_it() {
    let mut pair = Pair::new(two(), Disk::default());
    for path in ["a", "deep/b"] {
        pair.put(path, Wish::REPLACE);
    }
    while pair.turn() {}
    assert_eq!(pair.server.disk.queue.len(), 2);
    assert!(pair.events.is_empty() && pair.server.disk.files.is_empty());
    assert!(pair.server.commit());
    while pair.turn() {}
    assert_eq!(pair.events, ["confirmed"]);
    pair.finish();
    assert_eq!(pair.events, ["confirmed", "confirmed"]);
}

#[test]
fn gets_lists_and_checks_are_answered_in_their_order() {
    let mut pair = Pair::new(Disk::default(), two());
    pair.get("deep/b");
    pair.get("missing");
    pair.get("a");
    pair.list();
    while !pair.client.session.is_ready() {
        pair.turn();
    }
    pair.client.session.check(FilePath::new("a").unwrap(), Wish::DIGEST).unwrap();
    pair.finish();
    let events = ["received", "refused: no such file", "received", "a 5", "deep/b 5000", "listed", "a 5"];
    assert_eq!(pair.events, events);
    assert_eq!(pair.client.disk.files, pair.server.disk.files);
}

#[test]
fn a_refused_put_ends_only_itself() {
    for (verb, after) in [("create", 0), ("write", 0), ("write", 2), ("commit", 0), ("durable", 0)] {
        let mut pair = Pair::new(two(), Disk::default());
        pair.server.disk.write_at_most = Some(1_000);
        pair.server.disk.fails = Some((verb, StorageError::NoSpace, after));
        pair.put("deep/b", Wish::REPLACE);
        pair.run();
        pair.server.disk.fails = None;
        pair.put("a", Wish::REPLACE);
        pair.finish();
        assert_eq!(pair.events, ["refused: no space left", "confirmed"], "{verb}");
        assert_eq!(pair.server.disk.files.keys().collect::<Vec<_>>(), ["a"], "{verb}");
    }
}

/// A refusal comes while the content of a large file still leaves. The client cuts it short.
#[test]
fn a_refusal_cuts_the_content_short() {
    let mut pair = Pair::new(Disk::with(&[("large", &[1; 100_000]), ("a", b"a")]), Disk::with(&[("large", b"old")]));
    pair.put("large", Wish::empty());
    pair.put("a", Wish::empty());
    pair.finish();
    assert_eq!(pair.events, ["refused: already exists", "confirmed"]);
    assert_eq!(pair.server.disk.files["large"], b"old");
    let reads = pair.client.disk.log.iter().filter(|request| *request == "read").count();
    assert!(reads < 20, "{reads} reads");
}

#[test]
fn content_that_changed_on_its_way_is_not_stored() {
    let mut pair = Pair::new(two(), Disk::default());
    pair.put("a", Wish::REPLACE);
    while !pair.server.input.ends_with(b"first") {
        let (most, room) = (usize::MAX, 1_000);
        pair.client.turn(most, room, &mut pair.server.input);
    }
    *pair.server.input.last_mut().unwrap() ^= 1;
    pair.finish();
    assert_eq!(pair.events, ["refused: content does not match its digest"]);
    assert!(pair.server.disk.files.is_empty());
}

#[test]
fn a_file_of_unknown_length_is_stored_at_its_end() {
    let mut pair = Pair::new(two(), Disk::default());
    pair.client.disk.open("deep/b");
    pair.client.session.put(FilePath::new("pipe").unwrap(), Default::default(), None, Wish::REPLACE).unwrap();
    pair.finish();
    assert_eq!(pair.events, ["confirmed"]);
    assert_eq!(pair.server.disk.files["pipe"], [7; 5_000]);
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_is_not_stored() {
    let mut pair = Pair::new(two(), Disk::default());
    pair.client.disk.open("deep/b");
    pair.client.session.put(FilePath::new("b").unwrap(), Default::default(), Some(6_000), Wish::REPLACE).unwrap();
    pair.put("a", Wish::REPLACE);
    pair.finish();
    assert_eq!(pair.events, ["refused: storage failed", "confirmed"]);
    assert_eq!(pair.server.disk.files.keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_storage_failure_of_the_client_ends_only_that_get() {
    for verb in ["receive", "write", "commit"] {
        let mut pair = Pair::new(Disk::default(), two());
        pair.client.disk.fails = Some((verb, StorageError::NoSpace, 0));
        pair.get("deep/b");
        pair.run();
        pair.client.disk.fails = None;
        pair.get("a");
        pair.finish();
        assert_eq!(pair.events, ["not received: Storage(NoSpace)", "received"], "{verb}");
        assert_eq!(pair.client.disk.files.keys().collect::<Vec<_>>(), ["a"], "{verb}");
    }
}

#[test]
fn access_is_limited_by_the_kind_of_request() {
    for (access, events) in [
        (Access::ReadOnly, &["refused: not permitted", "received", "there 5", "listed"][..]),
        (Access::WriteOnly, &["confirmed", "refused: not permitted", "refused: not permitted"]),
    ] {
        let config = ServerConfig { access, ..ServerConfig::default() };
        let mut pair = Pair::with(config, two(), Disk::with(&[("there", b"there")]));
        pair.put("a", Wish::REPLACE);
        pair.get("there");
        pair.list();
        pair.finish();
        assert_eq!(pair.events, events, "{access:?}");
    }
}

#[test]
fn a_file_beyond_the_limit_is_refused_at_once() {
    let config = ServerConfig { max_length: 4, ..ServerConfig::default() };
    for length in [Some(5), None] {
        let mut pair = Pair::with(config, two(), Disk::default());
        pair.client.disk.open("a");
        pair.client.session.put(FilePath::new("a").unwrap(), Default::default(), length, Wish::REPLACE).unwrap();
        pair.finish();
        assert_eq!(pair.events, ["refused: too large"]);
        assert!(pair.server.disk.files.is_empty());
    }
}
