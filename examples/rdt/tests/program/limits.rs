//! What a server refuses: by access, by length, by space. Sessions with one request and with many hear the same.

use crate::runner::{Place, SLOW, Server, content, run, run_with_input, wait_until};
use std::fs::{self, File};
use std::path::Path;

/// 25 MB/s.
const RATE: [&str; 2] = ["--rate", "200M"];

fn part_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder.join(".rdt")).into_iter().flatten().flatten();
    let parts = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "part"));
    parts.filter_map(|part| part.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Leaves a part of some 10 MB under the name `left`.
fn leave_part(place: &Place, server: &mut Server) {
    fs::write(place.client("left"), content(28 << 20)).unwrap();
    let client = place.put(&place.client("left"), &server.address, &RATE);
    wait_until(|| part_bytes(&place.server("")) >= 9 << 20);
    client.kill();
    server.running.expect("put \"left\": the client is gone");
    assert!((9 << 20..28 << 20).contains(&part_bytes(&place.server(""))));
}

fn write_empty(place: &Place, name: &str, length: u64) {
    File::create(place.client(name)).unwrap().set_len(length).unwrap();
}

/// No answer tells whether a name is there, or what is under it.
#[test]
fn a_drop_box_answers_every_question_alike() {
    let place = Place::new();
    let server = place.serve(&["--write-only"]);
    fs::create_dir_all(place.server("folder/sub")).unwrap();
    fs::write(place.server("there"), content(5 << 20)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.server("link")).unwrap();
    let output = place.client("").display().to_string();
    let names =
        ["there", "absent", "folder", "folder/absent", "absent/absent", "there/absent", "link", ".rdt", ".rdt/x"];
    let ask = |command: &[&str], name: &str| {
        let (code, said) = run(command).end();
        assert_eq!(code, 1, "{said}");
        said.replace(&format!("\"{name}\""), "NAME")
    };
    let get = |name: &str| ask(&["get", name, &server.address, "-o", &output], name);
    let list = |name: &str| ask(&["ls", "-r", &format!("{}/{name}", server.address)], name);
    let [first_get, first_list] = [get("absent"), list("absent")];
    let none = "gives neither files nor lists";
    assert!(first_get.contains(none) && first_list.contains(none));
    for name in names {
        assert_eq!(get(name), first_get, "get {name}");
        assert_eq!(list(name), first_list, "ls {name}");
    }
    run(&["ls", &server.address]).expect_end(1, none);
}

#[test]
fn a_drop_box_stores_what_asks_before() {
    let place = Place::new();
    let server = place.serve(&["--write-only"]);
    // STAT comes before each.
    let bytes = content(6 << 20);
    fs::write(place.client("large"), &bytes).unwrap();
    for _ in 0..2 {
        place.put(&place.client("large"), &server.address, &[]).expect_end(0, "stored \"large\"");
    }
    // The second has another name, since its own was taken.
    assert_eq!(Place::names(&place.server("")).len(), 2);
    assert!(fs::read(place.server("large")).unwrap() == bytes && !place.server(".rdt").exists());
}

/// Regression: the answers to folders, to names beneath a name, and to uploads that went on told what is there.
#[test]
fn a_drop_box_takes_no_folders() {
    let place = Place::new();
    let server = place.serve(&["--write-only"]);
    fs::write(place.server("file"), "old").unwrap();
    fs::create_dir(place.server("folder")).unwrap();
    fs::write(place.client("new"), "new").unwrap();
    fs::create_dir(place.client("empty")).unwrap();
    for name in ["file", "folder", "free"] {
        for (what, name) in [("new", format!("{name}/x")), ("empty", name.to_owned())] {
            let (code, said) = place.put(&place.client(what), &server.address, &["--name", &name]).end();
            assert!(code == 1 && said.contains("takes files, but no folders"), "{said}");
        }
    }
    assert_eq!(Place::names(&place.server("")), ["file", "folder"]);
    assert!(Place::names(&place.server("folder")).is_empty());
}

#[test]
fn a_read_only_server_stores_nothing_of_many_requests() {
    let place = Place::new();
    let server = place.serve(&["--read-only"]);
    fs::write(place.server("there"), "old").unwrap();
    fs::create_dir_all(place.client("tree/empty")).unwrap();
    for name in ["there", "large", "tree/a", "tree/b"] {
        fs::write(place.client(name), content(6 << 20)).unwrap();
    }
    for name in ["there", "large"] {
        place.put(&place.client(name), &server.address, &[]).expect_end(1, "takes no uploads");
    }
    let (code, said) = place.put(&place.client("tree"), &server.address, &[]).end();
    assert!(code == 1 && said.contains("2 of 2 files and 2 of 2 folders were not transferred"), "{said}");
    run_with_input(&["put", "-", &server.address, "--name", "x"], &place.client("large"))
        .expect_end(1, "takes no uploads");
    assert_eq!(Place::names(&place.server("")), ["there"]);
    assert!(!place.server(".rdt").exists());
    assert_eq!(fs::read(place.server("there")).unwrap(), b"old");
}

#[test]
fn a_server_that_replaces_nothing_adds_to_folders() {
    let place = Place::new();
    let server = place.serve(&["--no-replace"]);
    fs::create_dir_all(place.server("tree/sub")).unwrap();
    fs::create_dir_all(place.client("tree/sub")).unwrap();
    for (name, length) in
        [("tree/small", 10), ("tree/large", 6 << 20), ("tree/sub/new", 10), ("tree/sub/newer", 6 << 20)]
    {
        fs::write(place.client(name), content(length)).unwrap();
    }
    for name in ["tree/small", "tree/large"] {
        fs::write(place.server(name), "old").unwrap();
    }
    let (code, said) = place.put(&place.client("tree"), &server.address, &[]).end();
    assert!(code == 1 && said.contains("2 of 4 files were not transferred"), "{said}");
    let first = "refused \"tree/large\": it has a file of this name, and replaces none";
    let other = "also refused by the server (already exists, and no file is replaced): 1 file (\"tree/small\")";
    assert!(said.contains(first) && said.contains(other), "{said}");
    for name in ["tree/small", "tree/large"] {
        assert_eq!(fs::read(place.server(name)).unwrap(), b"old");
    }
    assert!(
        fs::read(place.server("tree/sub/newer")).unwrap() == content(6 << 20) && place.server("tree/sub/new").exists()
    );
}

#[test]
fn a_file_longer_than_permitted_is_refused_alone() {
    let place = Place::new();
    let server = place.serve(&["--max-size", "1M"]);
    fs::create_dir(place.client("tree")).unwrap();
    for (name, length) in [("tree/a", 1 << 20), ("tree/b", (1 << 20) + 1), ("tree/c", 100 << 20), ("tree/d", 5)] {
        write_empty(&place, name, length);
    }
    let (code, said) = place.put(&place.client("tree"), &server.address, &[]).end();
    assert!(code == 1 && said.contains("2 of 4 files were not transferred"), "{said}");
    assert_eq!(Place::names(&place.server("tree")), ["a", "d"]);
    write_empty(&place, "unknown", (1 << 20) + 1);
    run_with_input(&["put", "-", &server.address, "--name", "x"], &place.client("unknown"))
        .expect_end(1, "larger than it accepts");
    assert!(!place.server("x").exists() && !place.server(".rdt").exists());
}

#[test]
fn a_part_gives_way_to_an_upload_that_needs_its_space() {
    for restarts in [false, true] {
        let place = Place::new();
        let options = ["--max-unfinished", "40M", "--max-unfinished-per-host", "40M", "--timeout", "1"];
        let mut server = place.serve(&options);
        leave_part(&place, &mut server);
        if restarts {
            drop(server);
            server = place.serve(&options);
        }
        write_empty(&place, "other", 35 << 20);
        // While it fits beside the part, the part stays.
        write_empty(&place, "small", 10 << 20);
        place.put(&place.client("small"), &server.address, &[]).expect_end(0, "stored");
        assert!(part_bytes(&place.server("")) >= 9 << 20, "{restarts}");
        place.put(&place.client("other"), &server.address, &[]).expect_end(0, "stored");
        assert_eq!(part_bytes(&place.server("")), 0, "{restarts}");
        // The part itself goes on, or begins again.
        place.put(&place.client("left"), &server.address, &[]).expect_end(0, "stored");
        write_empty(&place, "larger", 41 << 20);
        place.put(&place.client("larger"), &server.address, &[]).expect_end(1, "it has no space left");
        assert!(!place.server(".rdt").exists(), "{restarts}");
    }
}

#[test]
fn a_part_that_is_written_gives_no_way() {
    let place = Place::new();
    let mut server = place.serve(&["--max-unfinished", "40M", "--max-unfinished-per-host", "40M"]);
    fs::write(place.client("first"), content(28 << 20)).unwrap();
    let mut first = place.put(&place.client("first"), &server.address, &SLOW);
    first.expect_progress();
    write_empty(&place, "other", 35 << 20);
    place.put(&place.client("other"), &server.address, &[]).expect_end(1, "it has no space left");
    server.running.expect("(35.00 MiB do not fit: 12.00 MiB left of --max-unfinished)");
    first.expect_end(0, "stored");
    place.put(&place.client("other"), &server.address, &[]).expect_end(0, "stored");
}

#[test]
fn content_of_unknown_length_counts_as_it_comes() {
    let place = Place::new();
    let mut server = place.serve(&["--max-unfinished", "40M", "--max-unfinished-per-host", "40M"]);
    write_empty(&place, "input", 100 << 20);
    run_with_input(&["put", "-", &server.address, "--name", "x"], &place.client("input"))
        .expect_end(1, "it has no space left");
    server.running.expect("left of --max-unfinished");
    assert!(!place.server("x").exists());
    write_empty(&place, "input", 15 << 20);
    // The space of the refused upload comes back when a thread has closed its file.
    let put = || run_with_input(&["put", "-", &server.address, "--name", "x"], &place.client("input")).end();
    let (code, said) = (0..100).map(|_| put()).find(|(_, said)| !said.contains("no space left")).unwrap();
    assert!(code == 0 && said.contains("stored"), "{said}");
    assert_eq!(fs::metadata(place.server("x")).unwrap().len(), 15 << 20);
}

/// Clients of both sessions, of a load test and of a measurement, at one server.
#[test]
fn clients_of_the_session_with_one_request_are_served() {
    let place = Place::new();
    let server = place.serve(&["--bench"]);
    fs::create_dir(place.client("tree")).unwrap();
    for at in 0..200 {
        fs::write(place.client(&format!("tree/{at}")), content(at * 10)).unwrap();
    }
    let load = run(&["load", &server.address, "--clients", "10", "--size", "100K"]);
    let bench = run(&["bench", &server.address, "--seconds", "1"]);
    let put = place.put(&place.client("tree"), &server.address, &[]);
    load.expect_end(0, "10 of 10");
    bench.expect_end(0, "");
    put.expect_end(0, "stored 200 files");
    run(&["ls", &server.address]).expect_end(0, "tree/");
}

/// Regression: an upload of the session with one request took the name of the hidden folder, and no part was kept then.
#[test]
fn no_session_stores_under_the_name_of_the_hidden_folder() {
    let place = Place::new();
    fs::write(place.client("new"), "new").unwrap();
    for profile in [&[][..], &["--profile", "rostov"]] {
        let server = place.serve(profile);
        for name in [".rdt", ".RDT", ".Rdt"] {
            let options = [profile, &["--name", name]].concat();
            place.put(&place.client("new"), &server.address, &options).expect_end(1, "it does not allow this name");
        }
    }
    assert!(Place::names(&place.server("")).is_empty() && !place.server(".rdt").exists());
}
