//! A disk that is slow or fails, and files that change while they are served.

use crate::faults::{Faults, SystemCall};
use crate::runner::{Place, Running, SLOW, content, program, wait_until, write_large};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs;
use std::os::unix::fs::FileExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn a_slow_flush_loses_no_client_and_delays_no_other() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve_with_faults(&faults, &[]);
    fs::write(place.client("slow"), "slow").unwrap();
    fs::write(place.server("other"), content(3 << 20)).unwrap();
    faults.hold(SystemCall::Fsync);
    let begin = Instant::now();
    let slow = place.put(&place.client("slow"), &server.address, &["--timeout", "2"]);
    wait_until(|| faults.seen(SystemCall::Fsync) == 1);
    for _ in 0..3 {
        place.get("other", &server.address, &[]).expect_end(0, "received");
    }
    assert!(!place.server("slow").exists() && faults.seen(SystemCall::Fsync) == 1, "the flush still runs");
    // Twice as long as a client with this option waits for a quiet server.
    thread::sleep(Duration::from_secs(8).saturating_sub(begin.elapsed()));
    faults.release(SystemCall::Fsync);
    slow.expect_end(0, "stored \"slow\"");
    assert_eq!(fs::read_to_string(place.server("slow")).unwrap(), "slow");
}

/// The client waits and sends nothing but answers to PROBE.
#[test]
fn a_flush_longer_than_the_limits_on_progress_ends_no_client() {
    let (place, faults) = (Place::new(), Faults::new());
    // The span is 2 s.
    let server = place.serve_with_faults(&faults, &["--timeout", "1"]);
    fs::write(place.client("slow"), "slow").unwrap();
    faults.delay(SystemCall::Fsync, 7_000);
    place.put(&place.client("slow"), &server.address, &["--timeout", "60"]).expect_end(0, "stored \"slow\"");
}

/// Regression: the server ended a client that needed longer than a span of the limits on progress to hash its file.
#[test]
fn a_client_that_hashes_for_longer_than_the_limits_on_progress_keeps_its_place() {
    let (place, faults) = (Place::new(), Faults::new());
    // The span is 2 s.
    let server = place.serve(&["--timeout", "1"]);
    let bytes = content(1 << 20);
    fs::write(place.client("a"), &bytes).unwrap();
    fs::write(place.server("a"), &bytes).unwrap();
    // Four reads of 256 KiB.
    faults.delay(SystemCall::Pread, 1_500);
    let mut command = program();
    faults.apply(&mut command);
    command.arg("put").arg(place.client("a")).args([&server.address, "--verify", "--timeout", "1"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::read(command.spawn().unwrap()).expect_end(0, "\"a\" is the same on both sides already");
    assert!(faults.seen(SystemCall::Pread) >= 4);
}

/// The server works, and its client waits.
#[test]
fn a_server_that_hashes_for_longer_than_all_limits_loses_no_client() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve_with_faults(&faults, &["--timeout", "1"]);
    let bytes = content(1 << 20);
    fs::write(place.client("a"), &bytes).unwrap();
    fs::write(place.server("a"), &bytes).unwrap();
    faults.delay(SystemCall::Pread, 1_500);
    let same = "\"a\" is the same on both sides already";
    place.put(&place.client("a"), &server.address, &["--verify", "--timeout", "1"]).expect_end(0, same);
    place.get("a", &server.address, &["--verify", "--timeout", "1"]).expect_end(0, same);
    assert!(faults.seen(SystemCall::Pread) >= 8);
}

#[test]
fn many_slow_flushes_hold_up_no_download() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve_with_faults(&faults, &[]);
    fs::write(place.client("slow"), "slow").unwrap();
    fs::write(place.server("other"), content(3 << 20)).unwrap();
    faults.hold(SystemCall::Fsync);
    let names: Vec<_> = (0..12).map(|number| format!("slow{number}")).collect();
    let put = |name: &String| place.put(&place.client("slow"), &server.address, &["--name", name, "--timeout", "2"]);
    let clients: Vec<_> = names.iter().map(put).collect();
    // The others wait to be flushed together.
    wait_until(|| faults.seen(SystemCall::Fsync) == 1);
    place.get("other", &server.address, &[]).expect_end(0, "received");
    assert_eq!((Place::names(&place.server("")).len(), faults.seen(SystemCall::Fsync)), (1, 1));
    faults.release(SystemCall::Fsync);
    clients.into_iter().for_each(|client| client.expect_end(0, "stored"));
}

#[test]
fn a_stop_does_not_wait_for_a_slow_flush() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve_with_faults(&faults, &[]);
    fs::write(place.server("slow"), "old").unwrap();
    fs::write(place.client("slow"), "new").unwrap();
    faults.hold(SystemCall::Fsync);
    let client = place.put(&place.client("slow"), &server.address, &["--timeout", "2"]);
    wait_until(|| faults.seen(SystemCall::Fsync) == 1);
    server.running.interrupt();
    server.running.expect_end(0, "");
    client.expect_end(1, "it may be stored there or not");
    assert_eq!(fs::read_to_string(place.server("slow")).unwrap(), "old");
    assert_eq!(Place::names(&place.server("")), ["slow"]);
}

#[test]
fn an_error_of_the_disk_ends_only_its_own_transfer() {
    let (place, faults) = (Place::new(), Faults::new());
    let mut server = place.serve_with_faults(&faults, &[]);
    fs::write(place.server("a"), "old").unwrap();
    fs::write(place.client("a"), "new").unwrap();
    write_large(&place.client("large"));
    for (error, to_client, here) in [
        (libc::ENOSPC, "it has no space left", "no space left (no space left on device)"),
        (libc::EDQUOT, "it has no space left", "no space left (disk quota exceeded)"),
        (libc::EIO, "its storage failed", "storage failed (input/output error)"),
    ] {
        faults.fail(SystemCall::Write, error, 1);
        place.put(&place.client("a"), &server.address, &[]).expect_end(1, to_client);
        server.running.expect(here);
        assert_eq!(fs::read_to_string(place.server("a")).unwrap(), "old");
    }
    let mut large = place.put(&place.client("large"), &server.address, &SLOW);
    large.expect_progress();
    fs::remove_file(place.client("a")).unwrap();
    faults.fail(SystemCall::Read, libc::EIO, 1);
    place.get("a", &server.address, &[]).expect_end(1, "ended the transfer of \"a\" (storage failed)");
    server.running.expect("failed here: storage failed (input/output error)");
    place.get("a", &server.address, &[]).expect_end(0, "received");
    server.running.interrupt();
    large.expect_end(1, "it was stopped there");
    assert_eq!(Place::names(&place.server("")), ["a"]);
}

#[test]
fn a_failed_flush_is_refused_and_keeps_the_old_file() {
    let (place, faults) = (Place::new(), Faults::new());
    let mut server = place.serve_with_faults(&faults, &[]);
    fs::write(place.client("a"), "new").unwrap();
    fs::write(place.server("a"), "old").unwrap();
    faults.fail(SystemCall::Fsync, libc::EIO, 1);
    place.put(&place.client("a"), &server.address, &[]).expect_end(1, "its storage failed");
    server.running.expect("refused: storage failed (input/output error)");
    assert_eq!(fs::read_to_string(place.server("a")).unwrap(), "old");
    place.put(&place.client("a"), &server.address, &[]).expect_end(0, "stored");
    assert_eq!(Place::names(&place.server("")), ["a"]);
}

#[test]
fn a_failed_flush_of_the_folder_is_no_refusal() {
    let (place, faults) = (Place::new(), Faults::new());
    let mut server = place.serve_with_faults(&faults, &[]);
    fs::write(place.client("a"), "new").unwrap();
    // The first flush is that of the content, and the second that of the name.
    let before = faults.seen(SystemCall::Fsync);
    faults.fail_behind(SystemCall::Fsync, before + 1, libc::EIO, 1);
    let client = place.put(&place.client("a"), &server.address, &[]);
    client.expect_end(1, "it may be stored there or not");
    server.running.expect("failed here: storage failed (input/output error)");
    assert_eq!(fs::read_to_string(place.server("a")).unwrap(), "new");
}

#[test]
fn a_file_overwritten_in_place_is_no_success() {
    let place = Place::new();
    let mut server = place.serve(&[]);
    let bytes = content(8 << 20);
    // The second write restores the length and the modification time.
    for (name, restores_time) in [("a", false), ("b", true)] {
        fs::write(place.server(name), &bytes).unwrap();
        let modified = fs::metadata(place.server(name)).unwrap().modified().unwrap();
        let mut client = place.get(name, &server.address, &SLOW);
        client.expect_progress();
        let file = fs::OpenOptions::new().write(true).open(place.server(name)).unwrap();
        file.write_all_at(b"other", (8 << 20) - 5).unwrap();
        if restores_time {
            file.set_modified(modified).unwrap();
        }
        client.expect_end(1, "ended the transfer of");
        server.running.expect("the file changed while it was read");
        assert!(!place.client(name).exists());
    }
}

#[test]
fn a_file_replaced_while_it_is_served_arrives_unchanged() {
    let place = Place::new();
    let server = place.serve(&[]);
    let bytes = content(8 << 20);
    fs::write(place.server("a"), &bytes).unwrap();
    fs::write(place.client("new"), "new").unwrap();
    let mut client = place.get("a", &server.address, &SLOW);
    client.expect_progress();
    place.put(&place.client("new"), &server.address, &["--name", "a"]).expect_end(0, "stored");
    client.expect_end(0, "received");
    assert!(fs::read(place.client("a")).unwrap() == bytes);
    assert_eq!(fs::read_to_string(place.server("a")).unwrap(), "new");
}

#[test]
fn a_file_swapped_for_a_pipe_holds_up_nothing() {
    let place = Place::new();
    let server = place.serve(&[]);
    let [file, pipe] = ["a", "b"].map(|name| place.server(name));
    fs::write(&file, "a").unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // The kind of the file changes between any two system calls of the server.
        scope.spawn(|| {
            let limit = Instant::now() + Duration::from_secs(60);
            while !done.load(Ordering::Relaxed) && Instant::now() < limit {
                renameat_with(CWD, &file, CWD, &pipe, RenameFlags::EXCHANGE).unwrap();
            }
        });
        // Of some 40 clients one meets a pipe that was a file a moment before. A file that is renamed while it is read
        // counts as changed.
        for _ in 0..4 {
            let clients: Vec<_> = (0..25).map(|_| place.get("a", &server.address, &[])).collect();
            for (code, said) in clients.into_iter().map(Running::end) {
                assert!(
                    code == 0 || said.contains("no such file") || said.contains("storage failed"),
                    "{code}: {said}"
                );
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}
