//! What `rdt ls` shows, and names that no request may have.

use crate::interrupted::{Way, leave_part};
use crate::runner::{Place, content, run, run_in};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn a_list_shows_folders_patterns_and_objects() {
    let place = Place::new();
    // A server that starts removes a folder of parts that is empty.
    write(&place.server(".rdt/secret"), "x");
    let server = place.serve(&[]);
    for name in ["a.txt", "b.jpg", "photos/one.jpg", "photos/two.png", "photos/old/three.jpg"] {
        write(&place.server(name), "12345");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        fs::File::open(place.server(name)).unwrap().set_modified(time).unwrap();
    }
    let list = |path: &str, options: &[&str]| {
        let address = format!("{}{path}", server.address);
        let (code, said) = run(&[&["ls", &address], options].concat()).end();
        assert_eq!(code, 0, "{said}");
        let paths = said.lines().map(|line| line.rsplit("  ").next().unwrap().to_owned());
        (paths.collect::<Vec<_>>(), said)
    };
    assert_eq!(list("", &[]).0, ["a.txt", "b.jpg", "photos/"]);
    assert!(list("", &[]).1.contains("5 B  2001-09-09T01:46:40Z  a.txt"), "{}", list("", &[]).1);
    for path in ["/photos", "/photos/"] {
        assert_eq!(list(path, &[]).0, ["photos/old/", "photos/one.jpg", "photos/two.png"], "{path}");
    }
    let all = ["a.txt", "b.jpg", "photos/", "photos/old/", "photos/old/three.jpg", "photos/one.jpg", "photos/two.png"];
    assert_eq!(list("", &["-r"]).0, all);
    assert_eq!(list("/*.jpg", &[]).0, ["b.jpg"]);
    assert_eq!(list("/photos/*.jpg", &[]).0, ["photos/one.jpg"]);
    assert_eq!(list("/**/*.jpg", &[]).0, ["b.jpg", "photos/old/three.jpg", "photos/one.jpg"]);
    assert_eq!(list("/p*/*.png", &[]).0, ["photos/two.png"]);
    assert_eq!(list("/p*", &[]).0, ["photos/"]);
    // Regression: the option had no effect on a pattern.
    assert_eq!(list("/p*", &["-r"]).0, all[2..]);
    assert_eq!(list("/photos/*.jpg", &["-r"]).0, ["photos/one.jpg"]);
    let objects = list("/photos", &["--json"]).1;
    let objects: Vec<serde_json::Value> = objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 3);
    assert_eq!(
        objects[1],
        serde_json::json!({
            "type": "entry", "path": "photos/one.jpg", "kind": "file", "bytes": 5, "modified": "2001-09-09T01:46:40Z",
        })
    );
    run(&["ls", &format!("{}/none", server.address)]).expect_end(1, "no such file");
    run(&["ls", &format!("{}/.rdt", server.address)]).expect_end(1, "does not allow this name");
}

/// Regression: messages about `get .` said `*`, and a transfer of some milliseconds had a line of progress in a log.
#[test]
fn everything_is_called_as_the_user_calls_it() {
    let place = Place::new();
    let server = place.serve(&[]);
    write(&place.server("a"), &"a".repeat(300_000));
    let get = |options: &[&str]| run_in(&place.client(""), &[&["get", ".", &server.address], options].concat());
    let (code, said) = get(&[]).end();
    assert!(code == 0 && said.starts_with("received 1 file from ") && said.lines().count() == 1, "{said}");
    let mut slow = get(&["--rate", "1M"]);
    slow.expect("rdt: .: ");
    slow.interrupt();
    slow.expect_end(130, "of 292.97 KiB of \".\" were transferred");
}

/// Regression: `ls` of its name showed a part as if it were the file.
#[test]
fn a_list_shows_no_interrupted_upload() {
    let place = Place::new();
    let server = place.serve(&[]);
    fs::write(place.client("a"), content(32_000_000)).unwrap();
    leave_part(Way::Put, &place, &server);
    let list = || run(&["ls", &format!("{}/a", server.address)]);
    list().expect_end(1, "no such file");
    fs::write(place.server("a"), "old").unwrap();
    list().expect_end(0, " 3 B  ");
    place.put(&place.client("a"), &server.address, &[]).expect_end(0, "\"a\" goes on at");
}

/// Regression: `ls` ended with 0.
#[test]
fn a_pattern_without_a_match_is_an_error() {
    let place = Place::new();
    let server = place.serve(&[]);
    write(&place.server("photos/a.jpg"), "a");
    let output = place.client("");
    for pattern in ["*.jpg", "photos/*.png", "none/*", "**/b*"] {
        let none = format!("matches \"{pattern}\"");
        let expected = if pattern.contains("none") { "no such file" } else { &none };
        run(&["ls", &format!("{}/{pattern}", server.address)]).expect_end(1, expected);
        run(&["get", pattern, &server.address, "-o", output.to_str().unwrap()]).expect_end(1, expected);
    }
    assert!(Place::names(&output).is_empty());
    // An empty folder is a list.
    fs::create_dir(place.server("empty")).unwrap();
    run(&["ls", &format!("{}/empty", server.address)]).expect_end(0, "");
}

#[test]
fn a_get_takes_the_patterns_of_a_list() {
    let place = Place::new();
    let server = place.serve(&[]);
    let all = ["a.txt", "a1.txt", "a[1].txt", "logs/old/w.log", "logs/old/z.txt", "logs/x.txt", "other/x.txt"];
    all.iter().for_each(|name| write(&place.server(name), name));
    let files = |folder: &Path| {
        let files =
            walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap).filter(|entry| entry.path().is_file());
        let names = files.map(|file| file.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with(".rdt")).collect();
        names.sort();
        names
    };
    let output = place.client("out");
    let get = |words: &[&str]| {
        let _ = fs::remove_dir_all(&output);
        fs::create_dir(&output).unwrap();
        let (code, said) = run(&[&["get"], words, &[&server.address, "-o", output.to_str().unwrap()]].concat()).end();
        (code, files(&output), said)
    };
    for (words, expected) in [
        (&["logs/*.txt"][..], &["x.txt"][..]),
        (&["logs/**/*.txt"], &["old/z.txt", "x.txt"]),
        (&["*/x.txt", "a.txt"], &["a.txt", "logs/x.txt", "other/x.txt"]),
        (&["log*"], &["logs/old/w.log", "logs/old/z.txt", "logs/x.txt"]),
        (&["logs/**"], &["old/w.log", "old/z.txt", "x.txt"]),
        // A name may look like a pattern.
        (&["a[1].txt"], &["a1.txt", "a[1].txt"]),
        (&["[", "a?.txt"], &["a1.txt"]),
        (&["*"], &all),
        (&["."], &all),
    ] {
        let (code, found, said) = get(words);
        assert_eq!(
            (i32::from(words[0] == "["), found),
            (code, expected.iter().map(|name| (*name).into()).collect()),
            "{words:?} {said}"
        );
        if code == 0 {
            let count = if expected.len() == 1 { "1 file".into() } else { format!("{} files", expected.len()) };
            assert!(said.contains(&format!("received {count} from")), "{words:?} {said}");
        }
    }
    let (code, found, said) = get(&["logs/*.txt", "other/*.txt"]);
    assert!(code == 1 && found == ["x.txt"] && said.contains("becomes the same file on this machine"), "{said}");
    let verified = ["get", "*.txt", &server.address, "--verify", "-o", output.to_str().unwrap()];
    run(&verified).expect_end(0, "received 3 files");
    run(&verified).expect_end(0, "3 files: the same on both sides already");
    run(&["get", "*", &server.address, "-o", "-"]).expect_end(1, "the standard output takes one file");
}

#[test]
fn names_of_the_program_and_of_parents_are_refused_in_every_request() {
    let place = Place::new();
    // A server that starts removes a folder of parts that is empty.
    write(&place.server(".rdt/secret"), "x");
    write(&place.client("new"), "new");
    let server = place.serve(&[]);
    let file = place.client("new");
    let output = place.client("");
    let [file, address, output] = [file.to_str().unwrap(), &server.address, output.to_str().unwrap()];
    for name in [".rdt/secret", ".RDT/secret", "a/.rdt/b", ".rdt"] {
        run(&["put", file, address, "--name", name]).expect_end(1, "does not allow this name");
        run(&["get", name, address, "-o", output]).expect_end(1, "does not allow this name");
        run(&["ls", &format!("{address}/{name}")]).expect_end(1, "does not allow this name");
    }
    for name in ["../secret", "a/../../secret", "a/..", "./a", "."] {
        run(&["put", file, address, "--name", name]).expect_end(2, "has no place in a path");
        let (code, said) = run(&["get", name, address, "-o", "-"]).end();
        assert!(if name == "." { code == 1 } else { code == 2 && said.contains("has no place in a path") }, "{said}");
        let (code, said) = run(&["ls", &format!("{address}/{name}")]).end();
        assert!(code != 0, "{said}");
    }
    assert!(Place::names(&place.server("")).is_empty());
}
