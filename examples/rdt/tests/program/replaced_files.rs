//! The directory entries that the program `rdt` replaces when it stores a file.

use crate::runner::{Place, Server};
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

/// An address at which no server runs.
const NOWHERE: &str = "127.0.0.1:1";

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn is_pipe(path: &Path) -> bool {
    fs::symlink_metadata(path).unwrap().file_type().is_fifo()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn write_with_mode(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Starts a server. Its folder and the client's folder each have a file named "file".
fn with_file() -> (Place, Server) {
    let place = Place::new();
    let server = place.serve(&[]);
    fs::write(place.server("file"), "new").unwrap();
    fs::write(place.client("file"), "new").unwrap();
    (place, server)
}

#[test]
fn a_client_does_not_replace_pipes_or_links_to_devices() {
    let place = Place::new();
    make_pipe(&place.client("pipe"));
    symlink("pipe", place.client("to-pipe")).unwrap();
    symlink("/dev/null", place.client("to-device")).unwrap();
    for name in ["pipe", "to-pipe", "to-device"] {
        place.get(name, NOWHERE, &[]).expect_end(1, "is not a regular file, and is not replaced");
    }
    assert!(is_pipe(&place.client("pipe")));
    assert_eq!(Place::names(&place.client("")), ["pipe", "to-device", "to-pipe"]);
}

#[test]
fn a_server_does_not_replace_pipes_or_links_to_pipes() {
    let (place, server) = with_file();
    make_pipe(&place.server("pipe"));
    symlink("pipe", place.server("to-pipe")).unwrap();
    for name in ["pipe", "to-pipe"] {
        place.put(&place.client("file"), &server.address, &["--name", name]).expect_end(1, "does not replace");
    }
    assert!(is_pipe(&place.server("pipe")));
    assert_eq!(Place::names(&place.server("")), ["file", "pipe", "to-pipe"]);
}

#[test]
fn a_symbolic_link_is_replaced_and_its_target_is_kept() {
    let (place, server) = with_file();
    for name in ["there", "nowhere"] {
        fs::write(place.server(name), "new").unwrap();
    }
    fs::write(place.client("kept"), "old").unwrap();
    symlink("kept", place.client("there")).unwrap();
    symlink("none", place.client("nowhere")).unwrap();
    for name in ["there", "nowhere"] {
        place.get(name, &server.address, &[]).expect_end(0, "received");
        assert!(fs::symlink_metadata(place.client(name)).unwrap().is_file());
        assert_eq!(fs::read_to_string(place.client(name)).unwrap(), "new");
    }
    assert_eq!(fs::read_to_string(place.client("kept")).unwrap(), "old");
    assert_eq!(Place::names(&place.client("")), ["file", "kept", "nowhere", "there"]);
}

#[test]
fn a_link_out_of_the_server_folder_is_itself_replaced() {
    let (place, server) = with_file();
    fs::write(place.client("outside"), "old").unwrap();
    symlink(place.client("outside"), place.server("link")).unwrap();
    place.put(&place.client("file"), &server.address, &["--name", "link"]).expect_end(0, "stored");
    assert_eq!(fs::read_to_string(place.server("link")).unwrap(), "new");
    assert_eq!(fs::read_to_string(place.client("outside")).unwrap(), "old");
}

#[test]
fn without_others_a_replaced_file_keeps_its_permissions() {
    let (place, server) = with_file();
    for (old, kept) in [(0o600, 0o600), (0o640, 0o640), (0o444, 0o444), (0o4755, 0o755)] {
        write_with_mode(&place.client("file"), "old", old);
        place.get("file", &server.address, &["--no-preserve"]).expect_end(0, "received");
        assert_eq!(mode(&place.client("file")), kept);
        assert_eq!(fs::read_to_string(place.client("file")).unwrap(), "new");
        fs::remove_file(place.client("file")).unwrap();
    }
    fs::write(place.client("file"), "new").unwrap();
    write_with_mode(&place.server("private"), "old", 0o600);
    place.put(&place.client("file"), &server.address, &["--name", "private", "--no-preserve"]).expect_end(0, "stored");
    assert_eq!(mode(&place.server("private")), 0o600);
    assert_eq!(fs::read_to_string(place.server("private")).unwrap(), "new");
}
