//! The log file of a server, SIGHUP, and a log that cannot be written.

use crate::runner::{Place, Server, program, run, wait_until};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn put(place: &Place, server: &Server, name: &str) {
    std::fs::write(place.client(name), name).unwrap();
    place.put(&place.client(name), &server.address, &[]).expect_end(0, "stored");
}

/// A folder for a log, and the log in it.
fn log_in(place: &Place, folder: &str) -> (PathBuf, PathBuf) {
    let folder = place.client(folder);
    std::fs::create_dir(&folder).unwrap();
    (folder.clone(), folder.join("log"))
}

fn serve(place: &Place, log: &Path, options: &[&str]) -> Server {
    place.serve(&[&["--log", log.to_str().unwrap()], options].concat())
}

/// Waits until the log has this many lines.
fn lines(log: &Path, count: usize) -> Vec<String> {
    let read = || std::fs::read_to_string(log).unwrap_or_default();
    wait_until(|| read().matches('\n').count() >= count);
    read().lines().map(str::to_owned).collect()
}

#[test]
fn the_log_has_a_line_with_its_time_for_each_request() {
    let place = Place::new();
    let (_, log) = log_in(&place, "logs");
    std::fs::write(&log, "earlier\n").unwrap();
    let server = serve(&place, &log, &[]);
    put(&place, &server, "one");
    let seen = lines(&log, 2);
    assert_eq!(seen[0], "earlier");
    let (time, rest) = seen[1].split_once(' ').unwrap();
    assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z') && &time[10..11] == "T", "{time}");
    assert!(rest.starts_with("127.0.0.1:") && rest.contains("put \"one\": stored"), "{rest}");
    server.running.interrupt();
    let (code, said) = server.running.end();
    assert!(code == 0 && !said.contains("put \"one\""), "{said}");
}

/// Regression: --quiet emptied the log as well.
#[test]
fn a_quiet_server_has_a_full_log() {
    let place = Place::new();
    let (_, log) = log_in(&place, "logs");
    let server = serve(&place, &log, &["--quiet"]);
    put(&place, &server, "one");
    assert!(lines(&log, 1)[0].contains("put \"one\": stored"));
}

/// Regression: files that were stored within a second had the same time.
#[test]
fn files_of_one_put_have_times_of_their_own() {
    let place = Place::new();
    let (_, log) = log_in(&place, "logs");
    let server = serve(&place, &log, &[]);
    let files: Vec<_> = ["one", "two", "three"].map(|name| place.client(name)).into();
    files.iter().for_each(|file| std::fs::write(file, [7; 100_000]).unwrap());
    let paths = files.iter().map(|file| file.to_str().unwrap());
    let arguments: Vec<_> = ["put"].into_iter().chain(paths).chain([&*server.address, "--rate", "4M"]).collect();
    run(&arguments).expect_end(0, "stored 3 files");
    let mut times = lines(&log, 3);
    times.iter_mut().for_each(|line| line.truncate(24));
    assert!(times.is_sorted() && times[0] < times[2], "200 ms lie between two, and two may share a flush: {times:?}");
}

#[test]
fn sighup_opens_a_log_that_was_moved_again() {
    let place = Place::new();
    let (folder, log) = log_in(&place, "logs");
    let mut server = serve(&place, &log, &[]);
    let said = server.running.expect_seen("Landlock");
    assert!(said.contains("and append to its log") || said.contains("only the program itself"), "{said}");
    for round in 0..3 {
        put(&place, &server, &format!("before{round}"));
        lines(&log, 1);
        let moved = folder.join(format!("moved{round}"));
        std::fs::rename(&log, &moved).unwrap();
        // Until the signal, the lines go on into the same file.
        put(&place, &server, &format!("between{round}"));
        lines(&moved, 2);
        server.running.signal("-HUP");
        // The new file is there even without a request.
        wait_until(|| log.exists());
        put(&place, &server, &format!("after{round}"));
        assert!(lines(&log, 1)[0].contains(&format!("after{round}")));
        std::fs::remove_file(&log).unwrap();
        server.running.signal("-HUP");
        wait_until(|| log.exists());
    }
}

#[test]
fn a_log_that_cannot_be_written_is_reported_once_and_stops_nothing() {
    let place = Place::new();
    // A disk that is full.
    let server = serve(&place, Path::new("/dev/full"), &[]);
    (0..3).for_each(|number| put(&place, &server, &format!("file{number}")));
    server.running.interrupt();
    let (code, said) = server.running.end();
    assert_eq!(code, 0, "{said}");
    assert_eq!(said.matches("cannot write the log /dev/full: no space left on device").count(), 1, "{said}");
    // A folder that is removed.
    let (folder, log) = log_in(&place, "removed");
    let mut server = serve(&place, &log, &[]);
    put(&place, &server, "before");
    lines(&log, 1);
    std::fs::remove_dir_all(&folder).unwrap();
    server.running.signal("-HUP");
    server.running.expect("cannot write the log");
    put(&place, &server, "after");
}

#[test]
fn without_its_folder_a_log_goes_to_the_standard_output() {
    let place = Place::new();
    let mut server = serve(&place, &place.client("absent/log"), &[]);
    server.running.expect_seen("no such file or directory; its lines go to the standard output");
    put(&place, &server, "file");
    server.running.expect("put \"file\": stored");
}

/// Clients could replace it, and read who else was there.
#[test]
fn a_log_in_the_served_folder_is_refused() {
    let place = Place::new();
    let root = place.server("").display().to_string();
    let log = place.server("log").display().to_string();
    let server = run(&["serve", "--bind", "127.0.0.1:0", "--root", &root, "--log", &log]);
    server.expect_end(1, "clients could read and replace it");
    assert!(Place::names(&place.server("")).is_empty());
}

#[test]
fn sighup_without_a_log_changes_nothing() {
    let place = Place::new();
    let server = place.serve(&[]);
    server.running.signal("-HUP");
    put(&place, &server, "file");
    server.running.signal("-HUP");
    server.running.interrupt();
    server.running.expect_end(0, "put \"file\": stored");
}

/// The kernel sends SIGHUP then as well.
#[test]
fn a_server_ends_when_its_terminal_is_closed() {
    let place = Place::new();
    let (_, log) = log_in(&place, "logs");
    for options in [&[][..], &["--log", log.to_str().unwrap()]] {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let terminal: File = OpenOptions::new().read(true).write(true).open(name).unwrap();
        // `setsid --ctty` makes standard input the terminal that controls the program.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program().get_program()).args(["serve", "--bind", "127.0.0.1:0", "--root"]);
        command.arg(place.server("")).args(options).stdin(terminal).stdout(Stdio::piped()).stderr(Stdio::piped());
        let server = place.serve_as_it_is(&mut command);
        // A signal alone does not end it.
        server.running.signal("-HUP");
        put(&place, &server, "file");
        drop(command);
        drop(master);
        server.running.expect_end(0, "0 clients");
    }
}

#[test]
fn the_log_of_objects_has_one_a_line() {
    let place = Place::new();
    let (_, log) = log_in(&place, "logs");
    let mut server = serve(&place, &log, &["--no-replace"]);
    put(&place, &server, "text");
    server.running.interrupt();
    server.running.expect(" served; ");
    let root = place.server("").display().to_string();
    let log = log.display().to_string();
    let options = ["--json", "--log", &log, "--bind", "127.0.0.1:0", "--root", &root];
    let mut server = run(&[&["serve"], &options[..]].concat());
    let serving = server.expect("\"address\"");
    let address = serving.split("\"address\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    std::fs::write(place.client("object"), "object").unwrap();
    place.put(&place.client("object"), &address, &[]).expect_end(0, "stored");
    let seen = lines(Path::new(&log), 2);
    assert!(seen[1].starts_with("{\"type\":\"request\",\"time\":\"20") && seen[1].ends_with('}'), "{seen:?}");
}
