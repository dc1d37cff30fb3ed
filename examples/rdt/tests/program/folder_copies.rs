//! A `get` of a folder under another name, which the same command goes on with.

use crate::folders::{tree, write};
use crate::interrupted::part_bytes;
use crate::runner::{Place, Running, Server, content, run_in, wait_until};
use std::fs;
use std::os::unix::fs::symlink;

/// A server with a folder of a small file and a large one.
fn serve(place: &Place) -> Server {
    write(&place.server("tree/a"), "a");
    write(&place.server("tree/b"), content(24 << 20));
    place.serve(&[])
}

fn get(place: &Place, arguments: &[&str]) -> Running {
    run_in(&place.client(""), &[&["get"], arguments].concat())
}

/// Fetches the folder as `copy`.
fn get_copy(place: &Place, server: &Server, options: &[&str]) -> Running {
    get(place, &[&["tree", &server.address, "--output", "copy"], options].concat())
}

/// Starts a command, and waits until some of the large file has arrived.
fn start(place: &Place, command: impl Fn(&[&str]) -> Running) -> Running {
    let running = command(&["--rate", "100M"]);
    wait_until(|| part_bytes(&place.client("")) >= 9 << 20);
    running
}

/// Regression: the same command stored a second copy in the folder of the first one, from its start.
#[test]
fn a_folder_under_another_name_goes_on_after_a_kill() {
    let place = Place::new();
    let server = serve(&place);
    for options in [&[][..], &["--update"], &["--verify"]] {
        start(&place, |slow| get_copy(&place, &server, slow)).kill();
        assert!(!place.client("copy/b").exists());
        let (code, said) = get_copy(&place, &server, options).end();
        assert!(code == 0 && said.contains("\"tree/b\" goes on at "), "{code}: {said}");
        assert!(said.contains("received 1 file from") && said.contains("; 1 was the same already"), "{said}");
        assert!(tree(&place.client("copy")) == tree(&place.server("tree")));
        fs::remove_dir_all(place.client("copy")).unwrap();
    }
}

/// Regression: see above.
#[test]
fn a_folder_under_another_name_goes_on_after_ctrl_c() {
    let place = Place::new();
    let server = serve(&place);
    let first = start(&place, |slow| get_copy(&place, &server, slow));
    first.interrupt();
    first.expect_end(130, "MiB of 24.00 MiB of \"tree\" were transferred: the same command goes on");
    get_copy(&place, &server, &[]).expect_end(0, "\"tree/b\" goes on at ");
    assert!(tree(&place.client("copy")) == tree(&place.server("tree")));
}

/// Regression: all of it was fetched once more, into `copy/tree`.
#[test]
fn a_whole_copy_is_brought_up_to_date() {
    let place = Place::new();
    let server = serve(&place);
    get_copy(&place, &server, &[]).expect_end(0, "received 2 files from");
    for option in ["--update", "--verify"] {
        get_copy(&place, &server, &[option]).expect_end(0, "2 files: the same on both sides already");
    }
    write(&place.server("tree/c"), "c");
    get_copy(&place, &server, &["--update"]).expect_end(0, "received 1 file from");
    // Without a reason to skip, all files come again.
    get_copy(&place, &server, &[]).expect_end(0, "received 3 files from");
    assert!(tree(&place.client("copy")) == tree(&place.server("tree")));
}

#[test]
fn any_other_folder_gets_the_folder_under_its_name() {
    let place = Place::new();
    let server = serve(&place);
    get_copy(&place, &server, &[]).expect_end(0, "received 2 files from");
    // With a slash at the end it is the folder to store it in.
    get(&place, &["tree", &server.address, "--output", "copy/"]).expect_end(0, "received 2 files");
    assert!(tree(&place.client("copy/tree")) == tree(&place.server("tree")));
    // Another one under the same name.
    fs::remove_dir_all(place.client("copy")).unwrap();
    fs::create_dir(place.client("copy")).unwrap();
    get_copy(&place, &server, &["--update"]).expect_end(0, "received 2 files from");
    assert_eq!(Place::names(&place.client("copy")), ["tree"]);
    // Another folder of the server.
    write(&place.server("other/x"), "x");
    fs::remove_dir_all(place.client("copy")).unwrap();
    get_copy(&place, &server, &[]).expect_end(0, "received 2 files from");
    get(&place, &["other", &server.address, "--output", "copy"]).expect_end(0, "received 1 file");
    assert_eq!(Place::names(&place.client("copy")), ["a", "b", "other"]);
}

/// Regression: what had arrived of the folder was fetched again.
#[test]
fn one_and_several_names_go_on_where_they_are() {
    let place = Place::new();
    let server = serve(&place);
    write(&place.server("z"), "z");
    for names in [&["tree"][..], &["tree", "z"]] {
        let get = |slow: &[&str]| get(&place, &[names, &[&server.address], slow].concat());
        start(&place, get).kill();
        let (code, said) = get(&[]).end();
        assert!(code == 0 && said.contains("\"tree/b\" goes on at ") && said.contains("; 1 was the same"), "{said}");
        assert!(tree(&place.client("tree")) == tree(&place.server("tree")));
        fs::remove_dir_all(place.client("tree")).unwrap();
    }
}

#[test]
fn a_file_under_another_name_goes_on() {
    let place = Place::new();
    let server = serve(&place);
    let get = |options: &[&str]| get(&place, &[&["tree/b", &server.address, "--output", "copy"], options].concat());
    start(&place, get).kill();
    get(&["--update"]).expect_end(0, "\"tree/b\" goes on at ");
    get(&["--update"]).expect_end(0, "\"tree/b\" is the same on both sides already");
    assert!(fs::read(place.client("copy")).unwrap() == content(24 << 20));
}

/// Regression: the folder with links that was sent could not be fetched over itself. What the links name was sent.
#[test]
fn a_folder_with_links_is_fetched_over_itself() {
    let place = Place::new();
    let server = place.serve(&[]);
    let here = |name: &str| place.client("here").join(name);
    for (path, content) in [("here/tree/file", "a"), ("here/tree/sub/file", "b"), ("here/outside/file", "c")] {
        fs::create_dir_all(place.client(path).parent().unwrap()).unwrap();
        fs::write(place.client(path), content).unwrap();
    }
    for (link, target) in [("to-file", "file"), ("to-folder", "sub"), ("out", "../outside")] {
        symlink(target, here("tree").join(link)).unwrap();
    }
    run_in(&here(""), &["put", "tree", &server.address]).expect_end(0, "stored 5 files");
    let get = |options: &[&str]| run_in(&here(""), &[&["get", "tree", &server.address], options].concat()).end();
    for options in [&["--update"][..], &["--verify"]] {
        let (code, said) = get(options);
        assert!(code == 0 && said.contains("5 files: the same on both sides already"), "{code}: {said}");
    }
    // What is new goes through a link that stays in the folder, and through no other one.
    for folder in ["sub", "to-folder", "out"] {
        fs::write(place.server("tree").join(folder).join("new"), folder).unwrap();
    }
    let (code, said) = get(&["--update"]);
    let why = "cannot write tree/out on this machine: it is a link that leads out of the folder, and is not followed";
    assert!(code == 1 && said.contains(why) && said.contains("1 of 8 files was not transferred"), "{code}: {said}");
    assert_eq!(Place::names(&here("outside")), ["file"]);
    assert_eq!(Place::names(&here("tree/sub")), ["file", "new"]);
    fs::remove_file(place.server("tree/out/new")).unwrap();
    let (code, said) = get(&["--verify"]);
    assert!(code == 0, "{code}: {said}");
    assert!(here("tree/out").is_symlink() && here("tree/to-folder").is_symlink(), "links to folders stay");
}

/// Regression: these were errors, with the answer that they do what is done anyway.
#[test]
fn the_options_of_scp_for_what_is_done_anyway_are_taken() {
    let place = Place::new();
    write(&place.client("tree/a"), "a");
    let server = place.serve(&["-q"]);
    let here = |words: &[&str]| run_in(&place.client(""), &[words, &[&server.address]].concat()).end();
    for (words, said) in [
        (&["put", "-rp", "tree"][..], "stored 1 file on"),
        (&["put", "-a", "--update", "tree"], "1 file: the same on both sides already"),
        (&["put", "-q", "tree"], ""),
        (&["get", "-ra", "tree"], "received 1 file from"),
        (&["get", "--recursive", "--preserve", "--archive", "tree", "--quiet"], ""),
        (&["ls", "-qr"], "tree/a"),
    ] {
        let (code, printed) = here(words);
        let is_right = if said.is_empty() { printed.is_empty() } else { printed.contains(said) };
        assert!(code == 0 && is_right, "{words:?}: {code} {printed}");
    }
}
