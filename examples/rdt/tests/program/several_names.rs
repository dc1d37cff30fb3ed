//! Several names in one command: the folder that takes them, and the one line of what stops them all.

use crate::folders::write;
use crate::runner::{Place, Server, content, run_in};
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

/// A server with two files, and a folder with two more and a folder.
fn serve(place: &Place) -> Server {
    for path in ["a", "b", "tree/c", "tree/d", "tree/below/e"] {
        write(&place.server(path), path);
    }
    place.serve(&[])
}

/// Runs a command in the client's folder. `{}` is the server.
fn say(place: &Place, server: &Server, command: &str) -> (i32, String) {
    let words: Vec<_> = command.split(' ').map(|word| if word == "{}" { &*server.address } else { word }).collect();
    run_in(&place.client(""), &words).end()
}

/// The lines of a failure without those of its results.
fn lines(said: &str) -> Vec<&str> {
    said.lines().filter(|line| line.starts_with("rdt: ")).collect()
}

/// Regression: the folder had to be there, and the advice was to give a file.
#[test]
fn the_folder_for_several_names_is_made() {
    let place = Place::new();
    let server = serve(&place);
    for (names, expected) in [
        ("a b", &["a", "b"][..]),
        (".", &["a", "b", "tree"]),
        ("tree/*", &["below", "c", "d"]),
        ("a tree", &["a", "tree"]),
    ] {
        // The second time it is there.
        for _ in 0..2 {
            let (code, said) = say(&place, &server, &format!("get {names} {{}} --output new"));
            assert!(code == 0 && lines(&said).is_empty(), "{said}");
            assert_eq!(Place::names(&place.client("new")), expected);
        }
        fs::remove_dir_all(place.client("new")).unwrap();
    }
}

#[test]
fn no_folder_is_left_if_nothing_came() {
    let place = Place::new();
    let server = serve(&place);
    for command in [
        "get x y {} --output new",
        "get x* {} --output new",
        "get a b 127.0.0.1:1 --output new",
        "get a/x b/x {} --output new",
    ] {
        let (code, said) = say(&place, &server, command);
        assert!(code == 1 && Place::names(&place.client("")).is_empty(), "{said}");
    }
    // A folder that was there stays.
    fs::create_dir(place.client("old")).unwrap();
    assert_eq!(say(&place, &server, "get x y {} --output old").0, 1);
    assert_eq!(Place::names(&place.client("")), ["old"]);
}

/// Regression: each file had a line, and so had each folder.
#[test]
fn what_is_in_the_place_of_a_folder_has_one_line() {
    let place = Place::new();
    let server = serve(&place);
    fs::write(place.client("file"), "").unwrap();
    write(&place.client("in/tree"), "");
    write(&place.client("deep/below"), "");
    fs::create_dir(place.client("linked")).unwrap();
    symlink("..", place.client("linked/tree")).unwrap();
    let file = "it is a file, and no folder takes its place: give another --output";
    let link = "it is a link that leads out of the folder, and is not followed: give another --output";
    let several = "it is not a folder: several files need a folder: give --output FOLDER";
    for (command, path, why, failed) in [
        ("get tree {} --output file", "file", file, None),
        ("get a b {} --output file", "file", several, None),
        ("get tree/* {} --output file", "file", several, None),
        ("get tree {} --output in", "in/tree", file, None),
        ("get a tree {} --output in", "in/tree", file, Some("1 of 1 folder was")),
        ("get t* {} --output in", "in/tree", file, Some("3 of 3 files and 2 of 2 folders were")),
        ("get tree/* {} --output deep", "deep/below", file, Some("1 of 3 files and 1 of 1 folder were")),
        ("get t* {} --output linked", "linked/tree", link, Some("3 of 3 files and 2 of 2 folders were")),
    ] {
        let (code, said) = say(&place, &server, command);
        let mut expected = vec![format!("rdt: cannot write {path} on this machine: {why}")];
        expected.extend(failed.map(|failed| format!("rdt: {failed} not transferred")));
        assert!(code == 1 && lines(&said) == expected, "{command}:\n{said}");
    }
}

/// Regression: as above, and for a file beneath another one the server had "something of this name".
#[test]
fn a_file_in_the_place_of_a_folder_of_the_server_has_one_line() {
    let place = Place::new();
    let server = serve(&place);
    for path in ["tree/c", "tree/below/e", "tree/below/deeper/f"] {
        write(&place.client(path), path);
    }
    let all = "rdt: 3 of 3 files and 3 of 3 folders were not transferred";
    for (command, failed) in [
        ("put tree {} --name a", Some(all)),
        ("put tree {} --name a/x/y", Some(all)),
        ("put tree/c {} --name a/x", None),
    ] {
        let (code, said) = say(&place, &server, command);
        let why = "it has a file of this name, which no folder replaces; choose another name";
        let mut expected = vec![format!("rdt: {} refused \"a\": {why}", server.address)];
        expected.extend(failed.map(str::to_owned));
        assert!(code == 1 && lines(&said) == expected, "{command}:\n{said}");
    }
}

/// Regression: a file that both sides had, with its time, was "there already, with the same content up to 83 %", also
/// with --quiet.
#[test]
fn a_file_that_is_there_whole_is_said_to_be_the_same() {
    const LENGTH: usize = 6 << 20;
    let place = Place::new();
    let server = serve(&place);
    let put_at = |seconds: u64, bytes: &[u8], options: &[&str]| {
        fs::write(place.client("large"), bytes).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::options().write(true).open(place.client("large")).unwrap().set_modified(time).unwrap();
        let arguments = [&["put", "large", &server.address], options].concat();
        let (code, said) = run_in(&place.client(""), &arguments).end();
        assert_eq!(code, 0, "{said}");
        assert!(fs::read(place.server("large")).unwrap() == bytes);
        lines(&said).iter().filter(|line| line.contains("there")).copied().collect::<String>()
    };
    let seconds = std::cell::Cell::new(1);
    let put = |bytes: &[u8], options: &[&str]| {
        seconds.set(seconds.get() + 1);
        put_at(seconds.get(), bytes, options)
    };
    let said = |what: &str| format!("rdt: \"large\" is there {what}");
    let again = |what: &str| said(&format!("already, with the same {what} skips such files"));
    // Only a whole last block of 1 MiB is compared.
    for (length, shared, same, touched) in [
        (LENGTH, 66, "content, and is stored again: --update", Some("content, and is stored again: --verify")),
        (LENGTH - 1, 83, "length and time, and is stored again: --update", None),
    ] {
        let mut bytes = content(length);
        put_at(1, &bytes, &[]);
        assert_eq!(put_at(1, &bytes, &[]), again(same));
        assert_eq!(put_at(1, &bytes, &["--update"]), "");
        // Of the subtrees of 4, 2 or 4, 1 blocks, the first ones are the same.
        let begins_so = said(&format!("with the same content up to {shared} %: the rest is sent"));
        let touched = touched.map_or(begins_so.clone(), again);
        assert_eq!([put(&bytes, &[]), put(&bytes, &["--update"])], [&*touched, &*touched]);
        assert_eq!([put(&bytes, &["--verify"]), put(&bytes, &["--quiet"])], ["", ""]);
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(put(&bytes, &[]), begins_so);
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(put(&bytes, &["--verify"]), begins_so);
        assert_eq!(put(&content(length)[1..], &["--quiet"]), "");
    }
}

/// Regression: each file had a line.
#[test]
fn files_that_are_stored_again_have_two_lines() {
    let place = Place::new();
    let server = place.serve(&[]);
    fs::create_dir(place.client("four")).unwrap();
    for name in ["a", "b", "c", "d"] {
        fs::write(place.client(&format!("four/{name}")), content(5 << 20)).unwrap();
    }
    for (command, at, json) in [("put", "there", ""), ("get", "here", " --json"), ("get", "here", "")] {
        let command = format!("{command} four {{}}{json}");
        assert_eq!(say(&place, &server, &command).0, 0);
        let (code, said) = say(&place, &server, &command);
        let lines = lines(&said);
        let first =
            format!("\" is {at} already, with the same content, and is stored again: --update skips such files");
        let rest = format!("rdt: 3 more files were {at} already, with the same content: --update skips such files");
        let about: Vec<_> = lines.iter().filter(|line| line.contains("already")).collect();
        assert!(code == 0 && about.len() == 2 && about[0].ends_with(&first) && *about[1] == rest, "{said}");
    }
    let (_, said) = say(&place, &server, "put four {} --quiet");
    assert_eq!(said, "");
}

/// Regression: one line said to get the others again, and another that the same command goes on.
#[test]
fn a_stopped_get_of_several_names_has_one_advice() {
    let place = Place::new();
    let server = serve(&place);
    for name in ["large", "larger"] {
        fs::write(place.server(name), content(16 << 20)).unwrap();
    }
    let names = ["get", "none", "large", "larger", &server.address, "--rate", "20M"];
    let mut client = run_in(&place.client(""), &names);
    client.expect_progress();
    client.interrupt();
    let (code, said) = client.end();
    let advice: Vec<_> = said.lines().filter(|line| line.contains("again") || line.contains("goes on")).collect();
    assert!(code == 130 && advice.len() == 1 && advice[0].contains("--update goes on"), "{said}");
}

/// Regression: nothing said under which name `.` was stored, or whether a folder went into another one.
#[test]
fn the_result_names_the_folder_that_was_stored_or_made() {
    let place = Place::new();
    let server = serve(&place);
    write(&place.client("mine/x"), "x");
    let at = &server.address;
    for (folder, arguments, expected) in [
        ("mine", &["put", "."][..], format!("stored 1 file on {at}, in \"mine\": 1 B in ")),
        ("", &["put", "mine", "--name", "up/here"], format!("stored 1 file on {at}, in \"up/here\": ")),
        ("", &["put", "mine", "mine/x", "--name", "both"], format!("stored 2 files on {at}, in \"both\": ")),
        ("", &["put", "mine/x", "mine"], format!("stored 2 files on {at}: ")),
        ("", &["get", "tree"], format!("received 3 files from {at}, in tree: ")),
        ("", &["get", "tree", "--output", "mine"], format!("received 3 files from {at}, in mine/tree: ")),
        ("", &["get", "tree", "--output", "other"], format!("received 3 files from {at}, in other: ")),
        ("", &["get", "a", "b", "--output", "new"], format!("received 2 files from {at}, in new: ")),
        ("", &["get", "a", "b"], format!("received 2 files from {at}: ")),
    ] {
        let words = arguments.iter().take_while(|word| !word.starts_with("--")).count();
        let arguments = [&arguments[..words], &[at], &arguments[words..]].concat();
        let (code, said) = run_in(&place.client(folder), &arguments).end();
        assert!(code == 0 && said.contains(&expected), "{arguments:?}: {said}");
    }
}

/// Regression: up to twenty lines had the same advice.
#[test]
fn a_cause_that_files_share_has_one_line_and_one_for_the_others() {
    let place = Place::new();
    for at in 0..30 {
        write(&place.client(&format!("tree/f{at:02}")), "x".repeat(at + 1));
    }
    let first = "it has a file of this name, and replaces none (--no-replace); choose another name";
    let replaces_none = "also refused by the server (already exists, and no file is replaced): 29 files";
    let full = "it has no space left; try again later, or tell its operator";
    for (options, first, others, failed) in [
        (&["--no-replace"][..], first, replaces_none, "30 of 30 files were"),
        (
            &["--max-unfinished", "1"],
            full,
            "also refused by the server (no space left): 28 files",
            "29 of 30 files were",
        ),
    ] {
        if options == ["--no-replace"] {
            let server = place.serve(&[]);
            say(&place, &server, "put tree {}");
        } else {
            fs::remove_dir_all(place.server("tree")).unwrap();
        }
        let server = place.serve(options);
        let (code, said) = say(&place, &server, "put tree {}");
        let lines = lines(&said);
        assert!(code == 1 && lines.len() == 3, "{code}: {said}");
        assert!(lines[0].ends_with(first) && lines[1].contains(others), "{said}");
        assert!(lines[1].ends_with("and 26 more)") || lines[1].ends_with("and 25 more)"), "{said}");
        assert_eq!(lines[2], format!("rdt: {failed} not transferred"));
    }
}
