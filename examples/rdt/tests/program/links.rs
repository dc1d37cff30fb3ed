//! Symbolic links in folders of both sides: what stands for a file, and that none leads out.

use crate::folders::{get, put, tree, write};
use crate::runner::{Place, run, run_in};
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn links_of_a_client_are_sent_as_what_they_name() {
    let place = Place::new();
    let server = place.serve(&[]);
    write(&place.client("tree/file"), "file");
    write(&place.client("outside/secret"), "outside");
    symlink("file", place.client("tree/to-file")).unwrap();
    symlink(place.client("outside"), place.client("tree/to-folder")).unwrap();
    symlink("nowhere", place.client("tree/broken")).unwrap();
    symlink(".", place.client("tree/circle")).unwrap();
    let (code, said) = put(&place, &server, &[]).end();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("tree/broken on this machine: it is a link to nowhere") && said.contains("circle"), "{said}");
    assert!(said.contains("rdt: 2 of 5 files were not transferred"), "{said}");
    let arrived = tree(&place.server("tree"));
    assert_eq!(arrived.get("to-file").unwrap(), b"file");
    assert_eq!(arrived.get("to-folder/secret").unwrap(), b"outside");
    assert!(arrived.keys().all(|path| !path.starts_with("broken") && !path.starts_with("circle")), "{arrived:?}");
}

#[test]
fn no_link_of_a_server_leads_out_of_its_folder() {
    let place = Place::new();
    let server = place.serve(&[]);
    write(&place.client("outside/secret"), "secret");
    write(&place.server("tree/file"), "file");
    symlink("file", place.server("tree/in")).unwrap();
    symlink(place.client("outside/secret"), place.server("tree/absolute")).unwrap();
    symlink("../../client/outside/secret", place.server("tree/relative")).unwrap();
    symlink(place.client("outside"), place.server("tree/folder")).unwrap();
    for path in ["tree/absolute", "tree/relative", "tree/folder/secret"] {
        let (code, said) = get(&place, &server, path, &[]).end();
        assert!(code == 1 && !place.client("copy/secret").exists(), "{path}: {said}");
        write(&place.client("new"), "new");
        let (code, said) = place.put(&place.client("new"), &server.address, &["--name", "tree/folder/secret"]).end();
        assert_eq!(code, 1, "{said}");
        assert_eq!(fs::read(place.client("outside/secret")).unwrap(), b"secret");
    }
    run(&["ls", &format!("{}/tree/folder", server.address)]).expect_end(0, "tree/folder");
    let (code, said) = get(&place, &server, "tree", &[]).end();
    let copied = tree(&place.client("copy/tree"));
    assert!(!copied.values().any(|content| content == b"secret"), "{copied:?}");
    assert_eq!(copied.get("in").map(Vec::as_slice), Some(&b"file"[..]), "{said}");
    // A link that leads out is not made here either.
    assert!(!place.client("copy/tree/absolute").exists(), "{code}: {said}");
    assert!(fs::symlink_metadata(place.client("copy/tree/relative")).is_err(), "{code}: {said}");
}

#[test]
fn a_put_through_a_link_of_the_server_stays_in_its_folder() {
    let place = Place::new();
    let server = place.serve(&[]);
    write(&place.client("outside/kept"), "kept");
    fs::create_dir(place.server("real")).unwrap();
    symlink("real", place.server("inner")).unwrap();
    symlink(place.client("outside"), place.server("outer")).unwrap();
    write(&place.client("f"), "new");
    place.put(&place.client("f"), &server.address, &["--name", "inner/f"]).expect_end(0, "stored");
    assert_eq!(fs::read(place.server("real/f")).unwrap(), b"new");
    place.put(&place.client("f"), &server.address, &["--name", "outer/f"]).expect_end(1, "refused");
    assert_eq!(Place::names(&place.client("outside")), ["kept"]);
}

/// Regression: files were stored through links that their user had in the folder.
#[test]
fn a_fetched_folder_is_stored_through_no_link_below_the_output() {
    let place = Place::new();
    let server = place.serve(&[]);
    for folder in [place.server("tree/sub"), place.client("real/tree"), place.client("real/other")] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(place.server("tree/sub/a"), "a").unwrap();
    fs::write(place.server("tree/b"), "b").unwrap();
    symlink("../other", place.client("real/tree/sub")).unwrap();
    // A link that the user names is followed.
    symlink("real", place.client("named")).unwrap();
    let get = || run_in(&place.client(""), &["get", "tree", &server.address, "--output", "named"]);
    let (code, said) = get().end();
    let why = "it is a link that leads out of the folder, and is not followed: give another --output";
    let line = format!("cannot write named/tree/sub on this machine: {why}");
    assert!(code == 1 && said.contains(&line), "{code}: {said}");
    assert_eq!(fs::read_to_string(place.client("real/tree/b")).unwrap(), "b");
    // Regression: these were said to lead out of the folder.
    fs::create_dir_all(place.client("real/tree/.rdt")).unwrap();
    for (target, where_to) in [("nowhere", "that leads to nothing"), (".rdt", "to a folder of this program")] {
        fs::remove_file(place.client("real/tree/sub")).unwrap();
        symlink(target, place.client("real/tree/sub")).unwrap();
        get().expect_end(1, &format!("named/tree/sub on this machine: it is a link {where_to}, and is not followed"));
    }
    fs::remove_dir_all(place.client("real/tree")).unwrap();
    symlink("other", place.client("real/tree")).unwrap();
    get().expect_end(1, "cannot write named/tree on this machine: it is a link to a folder, and is not followed");
    assert_eq!(fs::read_dir(place.client("real/other")).unwrap().count(), 0);
}
