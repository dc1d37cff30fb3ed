//! Kills of a server at random moments and at each step of a commit: a name has the old or the new content, and the
//! next start removes what was left.

use crate::runner::{Place, Running, Server, content};
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// A commit that replaces a file: flush, link under a temporary name, rename.
const FLUSH: [i64; 2] = [libc::SYS_fsync; 2];
const LINK: [i64; 2] = [libc::SYS_linkat; 2];
/// Systems differ in the call that renames.
const RENAME: [i64; 2] = [RENAMEAT, libc::SYS_renameat2];
#[cfg(target_arch = "riscv64")]
const RENAMEAT: i64 = libc::SYS_renameat2;
#[cfg(not(target_arch = "riscv64"))]
const RENAMEAT: i64 = libc::SYS_renameat;

fn is_temporary(name: &str) -> bool {
    name.starts_with(".rdt-") && name.ends_with(".part")
}

/// Starts a server, and waits for it: then everything is removed that was left.
fn restart(place: &Place) -> Server {
    let server = place.serve(&[]);
    let names = Place::names(&place.server(""));
    assert!(!names.iter().any(|name| is_temporary(name)), "{names:?}");
    server
}

fn expect_one_of(file: &Path, contents: &[&[u8]]) {
    let found = fs::read(file).unwrap();
    assert!(contents.contains(&found.as_slice()), "{} bytes are neither old nor new", found.len());
}

#[test]
fn a_kill_at_each_step_of_a_commit_keeps_the_old_file() {
    for (call, leaves) in [(FLUSH, 0), (LINK, 0), (RENAME, 1)] {
        let place = Place::new();
        let (old, new) = (content(100_000), content(200_000));
        fs::write(place.server("a"), &old).unwrap();
        fs::write(place.client("a"), &new).unwrap();
        let server = place.serve_until(call, &[]);
        let client = place.put(&place.client("a"), &server.address, &["--timeout", "1"]);
        server.running.expect_killed();
        client.expect_end(1, "it may be stored there or not");
        let names = Place::names(&place.server(""));
        assert_eq!(names.iter().filter(|name| is_temporary(name)).count(), leaves, "{call:?}: {names:?}");
        let server = restart(&place);
        assert_eq!(Place::names(&place.server("")), ["a"]);
        assert!(fs::read(place.server("a")).unwrap() == old);
        place.put(&place.client("a"), &server.address, &[]).expect_end(0, "stored");
        assert!(fs::read(place.server("a")).unwrap() == new);
    }
}

/// Where a journal keeps the order, the only flush is that of the folder, behind the name.
#[test]
fn a_kill_at_the_first_flush_leaves_the_old_or_the_new_file() {
    let place = Place::new();
    let (old, new) = (content(100_000), content(200_000));
    fs::write(place.server("a"), &old).unwrap();
    fs::write(place.client("a"), &new).unwrap();
    let server = place.serve_writing_out_until(FLUSH);
    let client = place.put(&place.client("a"), &server.address, &["--timeout", "1"]);
    server.running.expect_killed();
    client.expect_end(1, "it may be stored there or not");
    expect_one_of(&place.server("a"), &[&old, &new]);
    let server = restart(&place);
    assert_eq!(Place::names(&place.server("")), ["a"]);
    place.put(&place.client("a"), &server.address, &[]).expect_end(0, "stored");
    assert!(fs::read(place.server("a")).unwrap() == new);
}

#[test]
fn a_kill_leaves_no_half_file_under_a_new_name() {
    let place = Place::new();
    fs::write(place.client("a"), content(200_000)).unwrap();
    // Without a file to replace, `--no-replace` links the file under its name in one step.
    let server = place.serve_until(LINK, &["--no-replace"]);
    let client = place.put(&place.client("a"), &server.address, &["--timeout", "1"]);
    server.running.expect_killed();
    client.expect_end(1, "it may be stored there or not");
    assert!(Place::names(&place.server("")).is_empty());
}

#[test]
fn a_hundred_kills_at_random_moments_keep_old_or_new() {
    let contents = [1_000, 60_000, 400_000].map(content);
    // A kill takes as long as the flush that the disk is executing, so several servers run at once.
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            let contents = contents.each_ref().map(Vec::as_slice);
            scope.spawn(move || kill_at_random_moments(seed, 25, contents));
        }
    });
}

fn kill_at_random_moments(seed: u64, kills: usize, contents: [&[u8]; 3]) {
    let place = Place::new();
    for (index, content) in contents.iter().enumerate() {
        fs::write(place.client(&index.to_string()), content).unwrap();
    }
    fs::write(place.server("a"), contents[0]).unwrap();
    let mut random = oorandom::Rand32::new(seed);
    for kill in 0..kills {
        let server = restart(&place);
        let clients = [kill % 3, (kill + 1) % 3].map(|index| {
            let file = place.client(&index.to_string());
            place.put(&file, &server.address, &["--name", "a", "--quiet"])
        });
        // A transfer takes some 20 ms, and its flushes as much or more.
        sleep(Duration::from_micros(random.rand_range(0..80_000).into()));
        server.running.kill();
        clients.into_iter().for_each(Running::kill);
        expect_one_of(&place.server("a"), &contents);
    }
    restart(&place);
    assert_eq!(Place::names(&place.server("")), ["a"], "seed {seed}");
}

#[test]
fn a_name_reserved_for_temporary_files_is_refused() {
    let place = Place::new();
    let server = place.serve(&[]);
    fs::write(place.client("a"), "a").unwrap();
    let name = format!(".rdt-{}.part", "0".repeat(32));
    place.put(&place.client("a"), &server.address, &["--name", &name]).expect_end(1, "does not allow this name");
    assert!(Place::names(&place.server("")).is_empty());
}
