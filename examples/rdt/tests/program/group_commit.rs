//! Many files share a flush: it comes before their names, and those come before any confirmation.

use crate::faults::{Faults, SystemCall};
use crate::runner::{Place, Running, Server, content, wait_until};
use std::fs;
use std::path::PathBuf;

/// The number of files. More than four share a flush of their file system.
const FILES: usize = 60;
/// The most files of one batch that are flushed one by one.
const FEW: usize = 4;

fn name(at: usize) -> String {
    format!("tree/f{at:02}")
}

fn bytes(at: usize) -> Vec<u8> {
    content(500 + at * 20)
}

/// Starts to send a folder with many small files.
fn put(place: &Place, server: &Server, options: &[&str]) -> Running {
    for at in 0..FILES {
        fs::create_dir_all(place.client("tree")).unwrap();
        fs::write(place.client(&name(at)), bytes(at)).unwrap();
    }
    place.put(&place.client("tree"), &server.address, options)
}

/// The files that have a name at the server. Each is whole.
fn stored(place: &Place) -> Vec<usize> {
    let there = (0..FILES).filter(|at| place.server(&name(*at)).exists());
    let whole = there.inspect(|at| assert!(fs::read(place.server(&name(*at))).unwrap() == bytes(*at), "{at}"));
    whole.collect()
}

/// The number of files that a client with `--json` reports as stored.
fn reported(said: &str) -> usize {
    said.lines().filter(|line| line.contains(r#""type":"result""#)).count()
}

/// The leftovers in the folder of the files.
fn temporary(place: &Place) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.server("tree")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains(".rdt-")).collect()
}

/// The first files are flushed alone. Those that wait meanwhile share the next flush.
fn serve(place: &Place, faults: &Faults) -> Server {
    faults.delay(SystemCall::Fsync, 300);
    place.serve_with_faults(faults, &[])
}

#[test]
fn a_kill_during_a_common_flush_leaves_no_name_and_no_success() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = serve(&place, &faults);
    faults.hold(SystemCall::Syncfs);
    let client = put(&place, &server, &["--json", "--timeout", "2"]);
    wait_until(|| faults.seen(SystemCall::Syncfs) == 1);
    let flushed = stored(&place).len();
    assert!(flushed <= FEW, "{flushed} files have a name before their flush");
    server.running.kill();
    let (code, said) = client.end();
    assert_eq!(stored(&place).len(), flushed);
    assert!(code == 1 && reported(&said) <= flushed, "{flushed} files are stored: {said}");
    assert!(temporary(&place).is_empty());
    let server = place.serve(&[]);
    put(&place, &server, &[]).expect_end(0, "stored 60 files");
    assert_eq!(stored(&place).len(), FILES);
}

#[test]
fn a_kill_at_the_common_flush_leaves_no_name() {
    let place = Place::new();
    let server = place.serve_until([libc::SYS_syncfs; 2], &[]);
    let client = put(&place, &server, &["--json", "--timeout", "2"]);
    server.running.expect_killed();
    let (code, said) = client.end();
    assert!(code == 1 && reported(&said) <= stored(&place).len(), "{said}");
    assert!(stored(&place).len() < FILES && temporary(&place).is_empty());
}

#[test]
fn a_kill_before_the_folders_are_flushed_leaves_names_and_no_success() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = serve(&place, &faults);
    // Many folders are flushed together as well.
    for at in 0..FILES {
        fs::create_dir_all(place.client(&format!("tree/d{at:02}"))).unwrap();
        fs::write(place.client(&format!("tree/d{at:02}/file")), bytes(at)).unwrap();
    }
    faults.delay(SystemCall::Syncfs, 1_000);
    let client = place.put(&place.client("tree"), &server.address, &["--json", "--timeout", "2"]);
    let there = || (0..FILES).filter(|at| place.server(&format!("tree/d{at:02}/file")).exists());
    // The names come before the flush of their folders.
    wait_until(|| there().count() > FEW);
    faults.delay(SystemCall::Syncfs, 60_000);
    server.running.kill();
    let (code, said) = client.end();
    for at in there() {
        assert!(fs::read(place.server(&format!("tree/d{at:02}/file"))).unwrap() == bytes(at), "{at}");
    }
    assert!(code == 1 && reported(&said) < there().count(), "{said}");
}

#[test]
fn a_failed_common_flush_is_repeated_for_each_file() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = serve(&place, &faults);
    faults.fail(SystemCall::Syncfs, libc::EIO, -1);
    faults.delay(SystemCall::Fsync, 20);
    put(&place, &server, &[]).expect_end(0, "stored 60 files");
    assert_eq!(stored(&place).len(), FILES);
    assert!(faults.seen(SystemCall::Syncfs) > 0 && faults.seen(SystemCall::Fsync) > 60);
}

#[test]
fn files_whose_flushes_fail_have_no_names() {
    let (place, faults) = (Place::new(), Faults::new());
    let mut server = serve(&place, &faults);
    faults.fail(SystemCall::Syncfs, libc::EIO, -1);
    faults.fail(SystemCall::Fsync, libc::EIO, -1);
    faults.delay(SystemCall::Fsync, 1);
    let (code, said) = put(&place, &server, &[]).end();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("refused \"tree/f00\": its storage failed"), "{said}");
    assert!(stored(&place).is_empty() && temporary(&place).is_empty());
    server.running.expect("refused: storage failed (input/output error)");
    for call in [SystemCall::Syncfs, SystemCall::Fsync] {
        faults.fail(call, 0, 0);
    }
    put(&place, &server, &[]).expect_end(0, "stored 60 files");
    assert_eq!(stored(&place).len(), FILES);
}

#[test]
fn many_small_files_take_few_flushes() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve_with_faults(&faults, &[]);
    faults.delay(SystemCall::Fsync, 100);
    faults.delay(SystemCall::Syncfs, 100);
    put(&place, &server, &[]).expect_end(0, "stored 60 files");
    let flushes = faults.seen(SystemCall::Fsync) + faults.seen(SystemCall::Syncfs);
    assert!(flushes < 30, "{flushes} flushes");
}

/// Regression: a folder was not opened for a common flush, so each was flushed on its own.
#[test]
fn many_folders_take_few_flushes() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve_with_faults(&faults, &[]);
    faults.delay(SystemCall::Fsync, 100);
    faults.delay(SystemCall::Syncfs, 100);
    for at in 0..FILES {
        fs::create_dir_all(place.client(&format!("tree/d{at:02}"))).unwrap();
        fs::write(place.client(&format!("tree/d{at:02}/file")), bytes(at)).unwrap();
    }
    place.put(&place.client("tree"), &server.address, &["--no-preserve"]).expect_end(0, "stored 60 files");
    let flushes = faults.seen(SystemCall::Fsync) + faults.seen(SystemCall::Syncfs);
    assert!(flushes < 40, "{flushes} flushes");
}
