//! What `rdt ls` shows, and names that no request may have.

use crate::runner::{Place, run};
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
    for name in ["../secret", "a/../../secret", "a/..", "."] {
        run(&["put", file, address, "--name", name]).expect_end(2, "relative folder");
        run(&["get", name, address, "-o", "-"]).expect_end(2, "relative folder");
        let (code, said) = run(&["ls", &format!("{address}/{name}")]).end();
        assert!(code != 0, "{said}");
    }
    assert!(Place::names(&place.server("")).is_empty());
}
