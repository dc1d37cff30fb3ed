//! Folders and many files: names, attributes, failures of some files.

use crate::runner::{Place, Running, Server, content, run, run_in};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What is under each path of a folder: the content of a file, the target of a link, or that it is a folder.
pub(crate) fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1) {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        if path.split('/').any(|name| name == ".rdt") {
            continue;
        }
        let what = match entry.file_type() {
            kind if kind.is_dir() => b"(folder)".to_vec(),
            kind if kind.is_symlink() => fs::read_link(entry.path()).unwrap().into_os_string().into_encoded_bytes(),
            kind if kind.is_file() => fs::read(entry.path()).unwrap(),
            _ => b"(other)".to_vec(),
        };
        all.insert(path, what);
    }
    all
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub(crate) fn put(place: &Place, server: &Server, options: &[&str]) -> Running {
    place.put(&place.client("tree"), &server.address, options)
}

/// Fetches a path into the folder `copy` of the client.
pub(crate) fn get(place: &Place, server: &Server, path: &str, options: &[&str]) -> Running {
    let copy = place.client("copy");
    fs::create_dir_all(&copy).unwrap();
    run(&[&["get", path, &server.address, "--output", copy.to_str().unwrap()], options].concat())
}

fn set_time(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    fs::File::open(path).unwrap().set_times(fs::FileTimes::new().set_modified(time)).unwrap();
}

#[test]
fn a_tree_of_odd_names_arrives_and_comes_back() {
    let place = Place::new();
    let server = place.serve(&[]);
    let root = place.client("tree");
    let deep = vec!["d"; 300].join("/");
    for (index, name) in [
        "empty",
        "with space",
        " leading and trailing ",
        "ünïcödé 日本 🦀",
        "a:b",
        "CON",
        "nul.txt",
        ".hidden",
        "..double",
        "...",
        "-",
        "--name",
        "*?[x]",
        "back\\slash",
        "new\nline",
        "quote\"'",
        &"x".repeat(255),
        &"é".repeat(127),
        "folder/file",
        "folder/.rdtx/file",
        &format!("{deep}/file"),
    ]
    .into_iter()
    .enumerate()
    {
        write(&root.join(name), content(index * 1_000));
    }
    fs::create_dir_all(root.join("empty folder/in an empty folder")).unwrap();
    put(&place, &server, &[]).expect_end(0, "stored 21 files on");
    let sent = tree(&root);
    assert_eq!(sent.len(), 21 + 300 + 4);
    let arrived = tree(&place.server("tree"));
    assert!(arrived == sent, "{:?}", sent.keys().filter(|path| !arrived.contains_key(*path)).collect::<Vec<_>>());
    get(&place, &server, "tree", &[]).expect_end(0, "received 21 files from");
    assert!(tree(&place.client("copy/tree")) == sent);
}

/// Regression: folders with files kept neither.
#[test]
fn times_and_permissions_are_kept_unless_they_are_not_wanted() {
    let place = Place::new();
    let server = place.serve(&[]);
    let root = place.client("tree");
    // One of the files takes a flush of its own.
    let files = [("tree/file", 3), ("tree/sub/script", 100_000), ("tree/sub/large", 3 << 20)];
    for (index, (name, length)) in files.iter().enumerate() {
        write(&place.client(name), content(*length));
        fs::set_permissions(place.client(name), fs::Permissions::from_mode([0o640, 0o755, 0o600][index])).unwrap();
        set_time(&place.client(name), 1_000_000_000 + index as u64);
    }
    fs::create_dir(root.join("empty")).unwrap();
    let folders = ["tree/empty", "tree/sub", "tree"];
    for (index, folder) in folders.iter().enumerate() {
        fs::set_permissions(place.client(folder), fs::Permissions::from_mode([0o750, 0o711, 0o700][index])).unwrap();
        set_time(&place.client(folder), 1_100_000_000 + index as u64);
    }
    let names: Vec<_> = files.iter().map(|(name, _)| *name).chain(folders).collect();
    let attributes = |folder: &dyn Fn(&str) -> std::path::PathBuf| {
        let metadata = names.iter().map(|name| (*name, fs::metadata(folder(name)).unwrap()));
        metadata.map(|(name, metadata)| (name, metadata.mtime(), metadata.mode() & 0o7777)).collect::<Vec<_>>()
    };
    let sent = attributes(&|name| place.client(name));
    put(&place, &server, &[]).expect_end(0, "stored 3 files");
    assert_eq!(attributes(&|name| place.server(name)), sent, "of a put");
    get(&place, &server, "tree", &[]).expect_end(0, "received 3 files");
    assert_eq!(attributes(&|name| place.client("copy").join(name)), sent, "of a get");

    fs::remove_dir_all(place.server("tree")).unwrap();
    fs::remove_dir_all(place.client("copy")).unwrap();
    put(&place, &server, &["--no-preserve"]).expect_end(0, "stored 3 files");
    let others = attributes(&|name| place.server(name));
    assert!(others.iter().zip(&sent).all(|(other, sent)| other.1 > sent.1 && other.2 & 0o600 == 0o600), "{others:?}");
    put(&place, &server, &[]).expect_end(0, "stored 3 files");
    get(&place, &server, "tree", &["--no-preserve"]).expect_end(0, "received 3 files");
    let others = attributes(&|name| place.client("copy").join(name));
    assert!(others.iter().zip(&sent).all(|(other, sent)| other.1 > sent.1), "{others:?}");
}

/// Regression: nothing was made.
#[test]
fn an_empty_folder_is_made() {
    let place = Place::new();
    let server = place.serve(&[]);
    fs::create_dir(place.client("tree")).unwrap();
    put(&place, &server, &[]).expect_end(0, &format!("stored 1 folder on {}, in \"tree\"\n", server.address));
    assert!(place.server("tree").is_dir());
    put(&place, &server, &["--json"]).expect_end(0, r#""files":0,"folders":1,"#);
    get(&place, &server, "tree", &[]).expect_end(0, "received 1 folder from");
    assert!(place.client("copy/tree").is_dir());
}

#[test]
fn a_server_that_keeps_no_attributes_sets_none() {
    let place = Place::new();
    let server = place.serve(&["--no-preserve"]);
    write(&place.client("tree/file"), "x");
    fs::set_permissions(place.client("tree/file"), fs::Permissions::from_mode(0o777)).unwrap();
    set_time(&place.client("tree/file"), 1_000_000_000);
    put(&place, &server, &[]).expect_end(0, "stored 1 file on");
    let metadata = fs::metadata(place.server("tree/file")).unwrap();
    assert!(metadata.mtime() > 1_500_000_000 && metadata.mode() & 0o111 == 0, "{metadata:?}");
}

#[test]
fn three_thousand_files_arrive_and_come_back() {
    let place = Place::new();
    let server = place.serve(&[]);
    for at in 0..3_000_usize {
        write(&place.client(&format!("tree/d{:02}/f{at}", at % 50)), content(at % 3_000));
    }
    put(&place, &server, &[]).expect_end(0, "stored 3000 files on");
    let sent = tree(&place.client("tree"));
    assert!(tree(&place.server("tree")) == sent);
    get(&place, &server, "tree", &[]).expect_end(0, "received 3000 files from");
    assert!(tree(&place.client("copy/tree")) == sent);
    assert!(Place::names(&place.server("")) == ["tree"]);
}

#[test]
fn special_files_are_left_out_with_a_line() {
    let place = Place::new();
    let server = place.serve(&[]);
    write(&place.client("tree/file"), "file");
    let pipe = place.client("tree/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(place.client("tree/socket")).unwrap();
    let (code, said) = put(&place, &server, &[]).end();
    for name in ["tree/pipe", "tree/socket"] {
        assert!(
            said.contains(&format!(
                "{name} on this machine: it is not a regular file: it is left out; move it elsewhere"
            )),
            "{said}"
        );
    }
    assert_eq!((code, tree(&place.server("tree")).len()), (1, 1), "{said}");
    // A server shows none.
    assert!(std::process::Command::new("mkfifo").arg(place.server("tree/pipe")).status().unwrap().success());
    get(&place, &server, "tree", &[]).expect_end(0, "received 1 file from");
    assert_eq!(tree(&place.client("copy/tree")).len(), 1);
    get(&place, &server, "tree/pipe", &[]).expect_end(1, "no such file");
}

#[test]
fn some_failures_leave_all_others() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let server = place.serve(&["--max-size", "1M"]);
    for at in 0..40 {
        write(&place.client(&format!("tree/f{at:02}")), content(at * 100));
    }
    write(&place.client("tree/f10-large"), content(2 << 20));
    symlink("nowhere", place.client("tree/f20-broken")).unwrap();
    fs::write(place.client("tree").join(std::ffi::OsStr::from_bytes(b"f30-\xff")), "x").unwrap();
    // A folder has the name of a file there.
    write(&place.server("tree/f05/file"), "x");
    let (code, said) = put(&place, &server, &[]).end();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&format!("{} refused \"tree/f10-large\": ", server.address)), "{said}");
    assert!(said.contains("tree/f20-broken on this machine: "), "{said}");
    assert!(said.contains("its name is not UTF-8: rename it"), "{said}");
    assert!(said.contains(&format!("{} refused \"tree/f05\": ", server.address)), "{said}");
    assert!(said.contains("stored 39 files on"), "{said}");
    assert!(said.contains("rdt: 4 of 43 files were not transferred\n"), "{said}");
    for at in (0..40).filter(|at| *at != 5) {
        assert!(fs::read(place.server(&format!("tree/f{at:02}"))).unwrap() == content(at * 100), "{at}");
    }
}

#[test]
fn some_failures_of_a_get_leave_all_others() {
    let place = Place::new();
    let server = place.serve(&[]);
    for at in 0..40 {
        write(&place.server(&format!("tree/f{at:02}")), content(at * 100));
    }
    // A folder has the name of a file here.
    write(&place.client("copy/tree/f05/file"), "x");
    let (code, said) = get(&place, &server, "tree", &[]).end();
    assert!(code == 1 && said.contains("received 39 files from"), "{said}");
    assert!(said.contains("rdt: 1 of 40 files was not transferred\n"), "{said}");
    assert!(said.contains("copy/tree/f05 on this machine: "), "{said}");
    for at in (0..40).filter(|at| *at != 5) {
        assert!(fs::read(place.client(&format!("copy/tree/f{at:02}"))).unwrap() == content(at * 100), "{at}");
    }
}

#[test]
fn files_with_the_same_time_or_content_are_skipped() {
    let place = Place::new();
    let server = place.serve(&[]);
    for name in ["tree/a", "tree/b", "tree/c/d"] {
        write(&place.client(name), name);
    }
    put(&place, &server, &[]).expect_end(0, "stored 3 files on");
    for option in ["--update", "--verify"] {
        put(&place, &server, &[option]).expect_end(0, "3 files: the same on both sides already");
    }
    // Another content with the same length and time, and another time with the same content.
    let time = fs::metadata(place.client("tree/a")).unwrap().modified().unwrap();
    write(&place.client("tree/a"), "TREE/A");
    fs::File::open(place.client("tree/a")).unwrap().set_modified(time).unwrap();
    set_time(&place.client("tree/b"), 1_000_000_000);
    put(&place, &server, &["--update"]).expect_end(0, "stored 1 file on");
    assert_eq!(fs::read(place.server("tree/a")).unwrap(), b"tree/a");
    put(&place, &server, &["--verify"]).expect_end(0, "stored 1 file on");
    assert_eq!(fs::read(place.server("tree/a")).unwrap(), b"TREE/A");

    get(&place, &server, "tree", &[]).expect_end(0, "received 3 files");
    for option in ["--update", "--verify"] {
        get(&place, &server, "tree", &[option]).expect_end(0, "3 files: the same on both sides already");
    }
    write(&place.server("tree/new"), "new");
    write(&place.client("copy/tree/a"), "tree!!");
    get(&place, &server, "tree", &["--verify"]).expect_end(0, "received 2 files");
    assert!(tree(&place.client("copy/tree")) == tree(&place.server("tree")));
}

#[test]
fn several_names_go_into_a_folder() {
    let place = Place::new();
    let server = place.serve(&[]);
    for name in ["one", "two", "tree/three"] {
        write(&place.client(name), name);
    }
    let client = place.client("");
    run_in(&client, &["put", "one", "two", "tree", &server.address, "--name", "into/here"])
        .expect_end(0, "stored 3 files on");
    assert_eq!(tree(&place.server("into/here")).len(), 4);
    let copy = place.client("copy");
    fs::create_dir(&copy).unwrap();
    run_in(&copy, &["get", "into/here/one", "into/here/tree", "into/here/two/", &server.address])
        .expect_end(0, "received 3 files from");
    assert!(tree(&copy) == tree(&place.server("into/here")));
    run_in(&client, &["get", "into/here/one", "into/here/none", &server.address, "-o", "copy"])
        .expect_end(1, "1 of 2 files was not transferred");
}

/// Regression: one message for all three.
#[test]
fn a_refusal_says_what_has_the_name() {
    let place = Place::new();
    let server = place.serve(&[]);
    write(&place.client("tree/file"), "x");
    write(&place.client("tree/folder/x"), "x");
    write(&place.server("tree/file/x"), "x");
    write(&place.server("tree/folder"), "x");
    let (code, said) = put(&place, &server, &[]).end();
    let refused = |path: &str| format!("rdt: {} refused \"tree/{path}\": it has a ", server.address);
    let [file, folder] = [refused("file"), refused("folder")];
    assert!(
        said.contains(&format!("{file}folder of this name, which no file replaces; choose another name\n")),
        "{said}"
    );
    assert!(said.contains(&format!("{folder}file of this name, which no folder replaces; choose")), "{code}: {said}");
}
