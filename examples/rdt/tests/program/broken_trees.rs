//! Trees whose transfer breaks in its midst, and that are sent or fetched again.

use crate::faults::{Faults, SystemCall};
use crate::runner::{Place, Running, content, program, run, wait_until};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

const FILES: usize = 400;

fn name(at: usize) -> String {
    format!("tree/d{}/f{at}", at % 20)
}

fn bytes(at: usize) -> Vec<u8> {
    content((at * 37) % 40_000)
}

fn write_tree(path: impl Fn(&str) -> std::path::PathBuf) {
    for at in 0..FILES {
        let path = path(&name(at));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes(at)).unwrap();
    }
}

/// Asserts that each file is whole, or not there. Returns how many are there.
fn count_whole(path: impl Fn(&str) -> std::path::PathBuf) -> usize {
    let there = (0..FILES).filter(|at| path(&name(*at)).exists());
    there.inspect(|at| assert!(fs::read(path(&name(*at))).unwrap() == bytes(*at), "{at} is not whole")).count()
}

/// What a program has left under temporary names.
fn leftovers(folder: &Path) -> usize {
    let entries = walkdir::WalkDir::new(folder).into_iter().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".rdt-")).count()
}

fn get(place: &Place, address: &str, options: &[&str]) -> Running {
    let output = place.client("copy");
    fs::create_dir_all(&output).unwrap();
    run(&[&["get", "tree", address, "--output", output.to_str().unwrap()], options].concat())
}

#[test]
fn a_tree_goes_on_after_a_kill_of_its_server() {
    let place = Place::new();
    write_tree(|name| place.client(name));
    let mut server = place.serve(&[]);
    let address = server.address.clone();
    for _ in 0..4 {
        let least = count_whole(|name| place.server(name)) + 20;
        let client = place.put(&place.client("tree"), &address, &["--update", "--rate", "8M"]);
        wait_until(|| count_whole(|name| place.server(name)) >= least);
        server.running.kill();
        client.expect_end(1, " % were sent: the same command goes on");
        assert!((least..FILES).contains(&count_whole(|name| place.server(name))));
        server = place.serve(&["--bind", &address]);
    }
    let (code, said) = place.put(&place.client("tree"), &address, &["--update"]).end();
    assert!(code == 0 && said.contains("were the same already"), "{said}");
    assert_eq!(count_whole(|name| place.server(name)), FILES);
    assert_eq!((leftovers(&place.server("")), place.server(".rdt").exists()), (0, false));
}

#[test]
fn a_tree_goes_on_after_kills_of_its_client() {
    let place = Place::new();
    write_tree(|name| place.server(name));
    let server = place.serve(&[]);
    let path = |name: &str| place.client("copy").join(name);
    for _ in 0..4 {
        let least = count_whole(path) + 20;
        let client = get(&place, &server.address, &["--update", "--rate", "8M"]);
        wait_until(|| count_whole(path) >= least);
        client.kill();
        assert!((least..FILES).contains(&count_whole(path)));
    }
    let (code, said) = get(&place, &server.address, &["--update"]).end();
    assert!(code == 0 && said.contains("were the same already"), "{said}");
    assert_eq!((count_whole(path), leftovers(&place.client("copy"))), (FILES, 0));
    assert!(!place.client("copy/.rdt").exists());
}

#[test]
fn a_tree_arrives_through_loss_both_ways() {
    let place = Place::new();
    write_tree(|name| place.client(name));
    let options = ["--segment", "1432", "--loss", "5"];
    let server = place.serve(&options);
    place.put(&place.client("tree"), &server.address, &options).expect_end(0, "stored 400 files");
    assert_eq!(count_whole(|name| place.server(name)), FILES);
    get(&place, &server.address, &options).expect_end(0, "received 400 files");
    assert_eq!(count_whole(|name| place.client("copy").join(name)), FILES);
}

/// Requests that come behind the signal are refused. Those before end.
#[test]
fn a_server_that_ends_finishes_the_files_that_it_has_begun() {
    let place = Place::new();
    write_tree(|name| place.client(name));
    let server = place.serve(&[]);
    let client = place.put(&place.client("tree"), &server.address, &["--rate", "4M", "--json"]);
    wait_until(|| count_whole(|name| place.server(name)) >= 20);
    server.running.terminate();
    server.running.expect_end(0, "put \"tree/d");
    let (code, said) = client.end();
    let stored = said.lines().filter(|line| line.contains(r#""type":"result""#)).count();
    assert_eq!(code, 1, "{said}");
    assert_eq!(count_whole(|name| place.server(name)), stored, "each stored file was confirmed: {said}");
    assert!(stored < FILES && said.contains("folders were not transferred"), "{said}");
    assert_eq!((leftovers(&place.server("")), place.server(".rdt").exists()), (0, false));
}

/// Regression: the sum had no time, and so a rate of terabytes.
#[test]
fn a_client_that_is_stopped_says_how_long_it_took() {
    let place = Place::new();
    write_tree(|name| place.client(name));
    let server = place.serve(&[]);
    let mut client = place.put(&place.client("tree"), &server.address, &["--rate", "4M", "--json"]);
    client.expect(r#""type":"result""#);
    client.interrupt();
    let (code, said) = client.end();
    assert_eq!(code, 130, "{said}");
    let sum = said.lines().find(|line| line.contains(r#""type":"sum""#)).unwrap();
    let sum: serde_json::Value = serde_json::from_str(sum).unwrap();
    assert!(sum["files"].as_u64() > Some(0) && sum["seconds"].as_f64() > Some(0.0), "{said}");
}

/// Regression: no folder was counted, nor a file that no request had come to.
#[test]
fn what_the_end_of_the_connection_leaves_is_counted() {
    for is_put in [true, false] {
        let place = Place::new();
        let at = |name: &str| if is_put { place.client(name) } else { place.server(name) };
        write_tree(at);
        let folders = walkdir::WalkDir::new(at("tree")).into_iter().filter(|entry| {
            let entry = entry.as_ref().unwrap();
            entry.file_type().is_dir()
        });
        let all = (FILES + folders.count()) as u64;
        let server = place.serve(&[]);
        let options = ["--rate", "4M", "--json"];
        let mut client = match is_put {
            true => place.put(&place.client("tree"), &server.address, &options),
            false => get(&place, &server.address, &options),
        };
        client.expect(r#""type":"result""#);
        server.running.kill();
        let (code, said) = client.end();
        let object = |kind: &str| -> serde_json::Value {
            let line = said.lines().find(|line| line.contains(&format!(r#""type":"{kind}""#))).unwrap();
            serde_json::from_str(line).unwrap()
        };
        let (sum, number) = (object("sum"), |field: &serde_json::Value| field.as_u64().unwrap());
        let [files, folders, failed] = ["files", "folders", "failed"].map(|name| number(&sum[name]));
        assert!(code == 1 && files > 0 && files + folders + failed == all, "{said}");
        assert!(object("error")["message"].as_str().unwrap().contains("its program has ended"), "{said}");
        assert!(said.contains("folders were not transferred"), "{said}");
    }
}

#[test]
fn files_that_vanish_or_change_fail_alone() {
    let place = Place::new();
    write_tree(|name| place.server(name));
    let server = place.serve(&[]);
    let path = |name: &str| place.client("copy").join(name);
    let client = get(&place, &server.address, &["--rate", "8M"]);
    wait_until(|| count_whole(path) >= 10);
    // The list has them, and some are gone when their turn comes.
    for at in (0..FILES).filter(|at| at % 20 == 9) {
        let _ = fs::remove_file(place.server(&name(at)));
    }
    sleep(Duration::from_millis(10));
    let (code, said) = client.end();
    assert!(code == 1 && said.contains("it has no such file; check the name"), "{said}");
    let count = count_whole(path);
    assert!((FILES - 20..FILES).contains(&count), "{count}");
    assert!(said.contains(&format!("received {count} files")), "{said}");
    assert!(said.contains(&format!("{} of 400 files were not transferred", FILES - count)), "{said}");
}

/// Regression: no file behind it was fetched or counted, since only the end of the connection stops such content.
#[test]
fn a_large_file_that_cannot_be_stored_fails_alone() {
    let place = Place::new();
    write_tree(|name| place.server(name));
    fs::File::create(place.server("tree/a")).unwrap().set_len(1 << 30).unwrap();
    fs::File::create(place.server("tree/b")).unwrap().set_len(15 << 40).unwrap();
    fs::create_dir_all(place.client("copy/tree/a/x")).unwrap();
    let server = place.serve(&[]);
    let (code, said) = get(&place, &server.address, &[]).end();
    assert!(code == 1 && said.contains("2 of 402 files were not transferred"), "{said}");
    assert!(said.contains("copy/tree/a on this machine: the existing entry is not a regular file"), "{said}");
    assert!(said.contains("copy/tree/b on this machine: 15.00 TiB do not fit: "), "{said}");
    assert_eq!(count_whole(|name| place.client("copy").join(name)), FILES);
}

/// Regression: the files behind it were not counted.
#[test]
fn the_files_behind_a_large_one_that_fails_are_counted() {
    let (place, faults) = (Place::new(), Faults::new());
    write_tree(|name| place.server(name));
    fs::File::create(place.server("tree/a")).unwrap().set_len(1 << 30).unwrap();
    // The command makes no folder, so it writes no record of one.
    fs::create_dir_all(place.client("copy/tree")).unwrap();
    let server = place.serve(&[]);
    let mut command = program();
    faults.apply(&mut command);
    command.args(["get", "tree", &server.address, "--output"]).arg(place.client("copy"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    faults.fail(SystemCall::Write, libc::EIO, 1);
    let (code, said) = Running::read(command.spawn().unwrap()).end();
    let count = count_whole(|name| place.client("copy").join(name));
    assert!(code == 1 && said.contains("copy/tree/a on this machine: input/output error"), "{said}");
    assert!(
        said.contains(&format!("{} of 401 files and 21 of 21 folders were not transferred", 401 - count)),
        "{count}: {said}"
    );
}

#[test]
fn several_clients_fill_the_same_folders() {
    let place = Place::new();
    write_tree(|name| place.client(name));
    let server = place.serve(&[]);
    let clients: Vec<_> = (0..4).map(|_| place.put(&place.client("tree"), &server.address, &[])).collect();
    for client in clients {
        client.expect_end(0, "stored 400 files");
    }
    assert_eq!(count_whole(|name| place.server(name)), FILES);
    assert_eq!(leftovers(&place.server("")), 0);
}
