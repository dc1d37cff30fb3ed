//! Where the entries of a folder go.

use super::super::committer::Committer;
use super::super::destinations::{Destination, Destinations};
use super::super::exchange::SessionExchange;
use super::super::outcome::Speech;
use super::*;
use crate::disk::Disk;
use crate::files::{EntryBuf, Folder as Opened, Tree, TreeRules};
use rdt_proto::Duration;
use rdt_proto::files::{FileKind, FilePath, Metadata};
use rdt_proto::ftp::Transfer;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

const OPTIONS: FileOptions = FileOptions { skip: Skip::Nothing, preserves: true };
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 6_969);

/// A client that wants the folder `a/tree` as `copy`, with the entries of a list of the server.
fn wanting(entries: &[(&str, FileKind)]) -> (Get, tempfile::TempDir) {
    let here = tempfile::tempdir().unwrap();
    let tree = Tree::new(Opened::open(here.path()).unwrap(), TreeRules::default());
    let path = |path: &str| FilePathBox::from(FilePath::new(path).unwrap());
    let destination = Destination::File { tree, path: path("copy"), beneath: here.path().into() };
    let folder =
        Wanted { path: path("a/tree"), destination, entry: None, here: Here::Unknown, skip: Skip::Nothing, copy: None };
    let mut get = Get::new(Vec::new(), OPTIONS, Outcomes::new(Transfer::Download, "x".into(), false, Speech::Nothing));
    for (name, kind) in entries {
        let entry = EntryBuf { kind: *kind, metadata: Metadata::default(), length: 5, digest: None, path: path(name) };
        get.want(&folder, entry, SERVER);
    }
    (get, here)
}

/// The path at the server and the file here of all that is wanted.
fn wanted(get: &Get, here: &tempfile::TempDir) -> Vec<(String, String)> {
    let base = format!("{}/", here.path().display());
    let local = |wanted: &Wanted| wanted.destination.text().strip_prefix(&base).unwrap().to_owned();
    get.waiting.iter().map(|wanted| (wanted.path.to_string(), local(wanted))).collect()
}

#[test]
fn entries_keep_their_places_beneath_the_folder() {
    let (get, here) = wanting(&[("a/tree/b/c", FileKind::File), ("a/tree/d", FileKind::Link)]);
    let expected = [("a/tree/b/c", "copy/b/c")];
    assert_eq!(wanted(&get, &here), expected.map(|(one, other)| (one.to_owned(), other.to_owned())));
    assert_eq!((get.total, get.outcomes.count().total()), (5, 1), "the link is left out, and has a line");
}

/// Regression: a server that repeated an entry for ever was asked for ever, and a link to `..` led the files behind it
/// out of the folder.
#[test]
fn a_list_that_does_not_ascend_ends_the_session() {
    for (entries, is_valid) in [
        (&["a/tree/b", "a/tree/c"][..], true),
        (&["a/tree/b", "a/tree/b"], false),
        (&["a/tree/c", "a/tree/b"], false),
        (&["a/other"], false),
        (&[], false),
    ] {
        let (mut get, here) = wanting(&[]);
        let tree = Tree::new(Opened::open(here.path()).unwrap(), TreeRules::default());
        let path = |path: &str| FilePathBox::from(FilePath::new(path).unwrap());
        let destination = Destination::File { tree, path: path("copy"), beneath: here.path().into() };
        let folder = Wanted {
            path: path("a/tree"),
            destination,
            entry: None,
            here: Here::Unknown,
            skip: Skip::Nothing,
            copy: None,
        };
        get.open.insert(7, Open::List { folder, last: None, has_entry: false });
        for name in entries {
            let (metadata, path) = (Metadata::default(), path(name));
            get.handle_entry(7, EntryBuf { kind: FileKind::File, metadata, length: 5, digest: None, path }, SERVER);
        }
        get.handle_listed(7, true, SERVER);
        assert_eq!(get.has_invalid_list, !is_valid, "{entries:?}");
    }
}

/// A server may name what it likes.
#[test]
fn entries_elsewhere_are_ignored() {
    let elsewhere = ["a/treeb", "a/tree", "tree/b", "b", "copy/b", "a"];
    let (get, here) = wanting(&elsewhere.map(|path| (path, FileKind::File)));
    assert!(wanted(&get, &here).is_empty() && get.folders.are_made());
    let (get, here) = wanting(&elsewhere.map(|path| (path, FileKind::Folder)));
    assert!(wanted(&get, &here).is_empty() && get.folders.are_made());
}

#[test]
fn a_folder_is_made_and_not_fetched() {
    let (get, here) = wanting(&[("a/tree/b", FileKind::Folder)]);
    assert!(wanted(&get, &here).is_empty() && !get.folders.are_made() && !get.are_complete());
}

#[test]
fn an_entry_with_too_long_a_path_here_fails_alone() {
    let names: Vec<_> = (0..5).map(|_| "d".repeat(203)).collect();
    let long = format!("a/t/{}", names.join("/"));
    let here = tempfile::tempdir().unwrap();
    let tree = Tree::new(Opened::open(here.path()).unwrap(), TreeRules::default());
    let path = |path: &str| FilePathBox::from(FilePath::new(path).unwrap());
    let destination = Destination::File { tree, path: path("a longer name"), beneath: here.path().into() };
    let folder =
        Wanted { path: path("a/t"), destination, entry: None, here: Here::Unknown, skip: Skip::Nothing, copy: None };
    let mut get = Get::new(Vec::new(), OPTIONS, Outcomes::new(Transfer::Download, "x".into(), false, Speech::Nothing));
    for name in [&*long, "a/t/short"] {
        let entry =
            EntryBuf { kind: FileKind::File, metadata: Metadata::default(), length: 5, digest: None, path: path(name) };
        get.want(&folder, entry, SERVER);
    }
    assert_eq!((get.waiting.len(), get.outcomes.count().total()), (1, 1));
}

/// Regression: the refused list counted as a file, and its folder as one that is there.
#[test]
fn a_list_that_is_refused_fails_its_folder() {
    let poll = mio::Poll::new().unwrap();
    let (disk, _finished) = Disk::new(Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap()), 1);
    let (client, places) = (rdt_proto::files::FileClient::new(), Destinations::default());
    let mut exchange = SessionExchange::new(client, places, disk, Committer::default());
    let (mut get, here) = wanting(&[]);
    let tree = Tree::new(Opened::open(here.path()).unwrap(), TreeRules::default());
    let path = |path: &str| FilePathBox::from(FilePath::new(path).unwrap());
    let destination = Destination::File { tree, path: path("copy"), beneath: here.path().into() };
    let folder =
        Wanted { path: path("a/tree"), destination, entry: None, here: Here::Unknown, skip: Skip::Nothing, copy: None };
    let status = StatusBuf { kind: FileKind::Folder, ..StatusBuf::default() };
    get.handle_status(folder, None, &status, SERVER);
    let Some(Pending::List { folder, last }) = get.pending.pop_front() else { panic!("a list is due") };
    assert!(!get.folders.are_made());
    get.open.insert(7, Open::List { folder, last, has_entry: false });
    get.handle_refusal(&mut exchange, 7, ErrorCode::StorageFailed, SERVER);
    assert!(get.folders.are_made() && get.are_complete());
    assert_eq!(get.finish(Duration::ZERO, false), Err("1 of 1 folder was not transferred".into()));
}

/// Regression: files that the command named had a line each, and those in a folder had one.
#[test]
fn a_refusal_is_shared_whatever_was_asked() {
    let poll = mio::Poll::new().unwrap();
    let (disk, _finished) = Disk::new(Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap()), 1);
    let (client, places) = (rdt_proto::files::FileClient::new(), Destinations::default());
    let mut exchange = SessionExchange::new(client, places, disk, Committer::default());
    let (mut get, here) = wanting(&[]);
    let tree = Tree::new(Opened::open(here.path()).unwrap(), TreeRules::default());
    let path = |path: &str| FilePathBox::from(FilePath::new(path).unwrap());
    let wanted = |name: &str| {
        let destination = Destination::File { tree: tree.clone(), path: path(name), beneath: here.path().into() };
        Wanted { path: path(name), destination, entry: None, here: Here::Unknown, skip: Skip::Nothing, copy: None }
    };
    get.open.insert(1, Open::Get { wanted: wanted("a"), started: Instant::ZERO });
    get.open.insert(2, Open::Stat { wanted: wanted("b"), code: None });
    get.open.insert(3, Open::Stat { wanted: wanted("c"), code: Some(ErrorCode::Busy) });
    (1..=3).for_each(|number| get.handle_refusal(&mut exchange, number, ErrorCode::Busy, SERVER));
    get.handle_status(wanted("d"), Some(ErrorCode::Busy), &StatusBuf::default(), SERVER);
    assert_eq!((get.outcomes.count().files, get.outcomes.shown().len()), (4, 1), "{:?}", get.outcomes.shown());
}
