//! Paths that lead elsewhere.

use super::*;
use std::os::unix::fs::symlink;

fn create(place: &Place, path: &str) -> io::Result<Incoming> {
    place.tree.create(&want(path, b"new"), None)
}

fn put_link(place: &Place, path: &str, target: &str) -> Result<(), StorageError> {
    let mut incoming =
        place.tree.create(&want_kind(path, FileKind::Link), None).map_err(|error| storage_error(&error))?;
    incoming.write(target.as_bytes()).unwrap();
    match incoming.seal(Some(digest(target.as_bytes()))) {
        Ok(sealed) => commit(vec![sealed]).pop().unwrap().map(|_| ()).map_err(|_| StorageError::Failed),
        Err(SealError::Io(error)) => Err(storage_error(&error)),
        Err(SealError::DigestMismatch) => Err(StorageError::DigestMismatch),
    }
}

#[test]
fn no_link_leads_out_of_the_tree() {
    let place = Place::new();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("file"), "secret").unwrap();
    symlink(outside.path(), place.path().join("out")).unwrap();
    symlink(outside.path().join("file"), place.path().join("file")).unwrap();
    assert!(create(&place, "out/new").is_err() && create(&place, "out/folder/new").is_err());
    assert!(place.tree.open(file_path("out/file"), Peaks::NONE).is_err());
    assert!(place.tree.list(Some(file_path("out")), None, Flags::empty()).is_err());
    assert!(place.tree.status(file_path("out/file"), Flags::DIGEST).is_err());
    // The link itself can be described and replaced, and its target stays as it is.
    assert_eq!(place.tree.status(file_path("file"), Flags::DIGEST).unwrap().kind, FileKind::Link);
    assert_eq!(place.tree.open(file_path("file"), Peaks::NONE).unwrap().kind(), FileKind::Link);
    place.put(&want("file", b"new"), b"new").unwrap();
    assert_eq!(std::fs::read_to_string(outside.path().join("file")).unwrap(), "secret");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn the_hidden_folder_cannot_be_named() {
    let place = Place::new();
    place.begin(&want("a", &content(2 * BLOCK))).kill();
    let part = format!(".rdt/{}", place.hidden()[0]);
    for path in [&*part, ".rdt", ".RDT/x", "a/.rdt/x"] {
        let path = file_path(path);
        assert_eq!(storage_error_of(create(&place, path.as_str())), StorageError::NameNotAllowed);
        assert_eq!(storage_error_of(place.tree.open(path, Peaks::NONE)), StorageError::NameNotAllowed);
        assert_eq!(storage_error_of(place.tree.status(path, Flags::empty())), StorageError::NameNotAllowed);
        assert_eq!(storage_error_of(place.tree.list(Some(path), None, Flags::empty())), StorageError::NameNotAllowed);
    }
    assert_eq!(put_link(&place, "l", ".rdt"), Err(StorageError::NotPermitted));
}

#[test]
fn a_hidden_folder_of_another_user_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let hidden = place.path().join(names::HIDDEN);
    std::fs::create_dir(&hidden).unwrap();
    std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o777)).unwrap();
    let content = content(2 * BLOCK);
    place.put(&want("a", &content), &content).unwrap();
    assert!(place.read("a") == content && place.hidden().is_empty());
}

#[test]
fn links_are_stored_and_stay_in_the_tree() {
    let place = Place::with(TreeRules { follow_links: false, ..TreeRules::default() });
    place.write("a/file", b"content");
    for (path, target) in [("l", "a/file"), ("a/l", "file"), ("a/l", "../a/file")] {
        assert_eq!(put_link(&place, path, target), Ok(()));
        assert_eq!(std::fs::read_link(place.path().join(path)).unwrap(), Path::new(target));
        let mut sent = place.tree.open(file_path(path), Peaks::NONE).unwrap();
        let mut buf = Vec::new();
        sent.read(100, &mut buf).unwrap();
        assert_eq!((sent.kind(), &*buf), (FileKind::Link, target.as_bytes()));
        assert_eq!(sent.digest().unwrap(), digest(target.as_bytes()));
    }
    for (path, target) in [("x", "/etc"), ("x", ".."), ("a/x", "../.."), ("a/x", "b/../../..")] {
        assert_eq!(put_link(&place, path, target), Err(StorageError::NotPermitted), "{target}");
    }
    // A path through a link has another depth than it seems.
    put_link(&place, "a/up", "..").unwrap();
    assert_eq!(put_link(&place, "a/up/x", "../.."), Err(StorageError::NotPermitted));
    place.write("folder/x", b"");
    assert!(place.tree.create(&want_kind("folder", FileKind::Link), None).is_err());
}

#[test]
fn a_link_to_a_file_is_that_file_if_links_are_followed() {
    let place = Place::new();
    place.write("a/file", b"content");
    symlink("a/file", place.path().join("l")).unwrap();
    let status = place.tree.status(file_path("l"), Flags::DIGEST).unwrap();
    assert_eq!((status.kind, status.length, status.digest), (FileKind::File, 7, Some(digest(b"content"))));
    assert_eq!(place.tree.open(file_path("l"), Peaks::NONE).unwrap().kind(), FileKind::File);
}

/// Regression: what a client fetched was written through links of its user.
#[test]
fn links_out_of_the_first_folder_are_followed_only_if_the_tree_permits_it() {
    for links_in_paths in [FollowedLinks::InTree, FollowedLinks::InFirstFolder] {
        let is_permitted = links_in_paths == FollowedLinks::InTree;
        let place = Place::with(TreeRules { links_in_paths, ..TreeRules::default() });
        place.write("a/there/file", b"old");
        place.write("a/.rdt/file", b"old");
        place.write("b/file", b"old");
        // The last one leads back, by way of another folder.
        let links = [("a/l", "../b"), ("a/hidden", ".rdt"), ("outer", "a"), ("b/back", "../a"), ("a/far", "../b/back")];
        links.iter().for_each(|(link, target)| symlink(target, place.path().join(link)).unwrap());
        for path in ["a/l/file", "a/l/new", "a/hidden/file", "outer/there/file", "outer/new/folder/file", "b/back/x"] {
            assert_eq!(create(&place, path).is_ok(), is_permitted, "{path}");
            let kind = if is_permitted { None } else { Some(ErrorKind::AlreadyExists) };
            assert_eq!(place.tree.check_room(file_path(path), 1).err().map(|error| error.kind()), kind, "{path}");
        }
        assert!(create(&place, "a/far/other").is_ok(), "it ends in the first folder");
        assert_eq!(place.path().join("a/new").exists(), is_permitted, "folders are made there, too");
        // The last component is replaced, and its target stays as it is.
        symlink("file", place.path().join("a/there/l")).unwrap();
        place.put(&want("a/there/l", b"new"), b"new").unwrap();
        assert_eq!((place.read("a/there/file"), place.read("a/there/l")), (b"old".to_vec(), b"new".to_vec()));
    }
}

#[test]
fn a_link_in_the_place_of_a_folder_stays_with_its_target_as_it_is() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    for links_in_paths in [FollowedLinks::InTree, FollowedLinks::InFirstFolder] {
        let rules = TreeRules { links_in_paths, preserve: true, ..TreeRules::default() };
        let place = Place::with(rules);
        place.write("b/file", b"old");
        place.write("a/file", b"old");
        symlink("../b", place.path().join("a/l")).unwrap();
        let state = || {
            let metadata = [place.path().join("b").metadata(), place.path().join("a/l").symlink_metadata()];
            metadata.map(|metadata| metadata.unwrap()).map(|there| (there.permissions().mode(), there.mtime_nsec()))
        };
        let before = state();
        let metadata = Metadata { mode: Some(0o700), modified: Some(7) };
        let folder = place.tree.create(&Wanted { metadata, ..want_kind("a/l", FileKind::Folder) }, None).unwrap();
        assert!(commit(vec![folder.seal(None).unwrap()]).pop().unwrap().is_ok());
        assert_eq!(state(), before);
    }
}

#[test]
fn unknown_kinds_and_devices_are_refused() {
    let place = Place::new();
    for kind in [FileKind::Nothing, FileKind::Other(9)] {
        let error = place.tree.create(&want_kind("x", kind), None).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    let pipe = place.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(create(&place, "pipe").is_err() && place.tree.open(file_path("pipe"), Peaks::NONE).is_err());
    assert_eq!(place.tree.status(file_path("pipe"), Flags::DIGEST).unwrap().kind, FileKind::Nothing);
    place.write("file", b"");
    assert_eq!(storage_error_of(create(&place, "file/x")), StorageError::Exists);
}
