//! What clients may do at a server, and which clients it admits.

use crate::runner::{Place, Server, run};

/// Stores `content` under the name `name`, and returns the line with the result.
fn put(place: &Place, server: &Server, name: &str, content: &str) -> String {
    std::fs::write(place.client(name), content).unwrap();
    let (code, said) = place.put(&place.client(name), &server.address, &[]).end();
    assert_eq!(code, 0, "{said}");
    said.lines().find(|line| line.starts_with("stored")).unwrap().to_owned()
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_says_at_its_start_what_reaches_it() {
    let place = Place::new();
    let root = place.server("").display().to_string();
    for (options, expected) in [
        (
            &[][..],
            format!(
                "rdt: only this machine reaches the server (--bind opens it to others): each of its users and programs can \
                 read, add and replace files in {root}"
            ),
        ),
        (
            &["--bind", "0.0.0.0:0"],
            format!(
                "rdt: anyone who reaches the port can read, add and replace files in {root}: there is no password and no encryption"
            ),
        ),
        (&["--bind", "0.0.0.0:0", "--read-only"], format!("anyone who reaches the port can read files in {root}")),
        (&["--bind", "[::]:0", "--write-only"], format!("anyone who reaches the port can add files to {root}")),
        (
            &["--bind", "0.0.0.0:0", "--no-replace", "--allow", "10.0.0.1/8"],
            format!("anyone with an address in 10.0.0.0/8 can read and add files in {root}"),
        ),
    ] {
        let said = place.serve(options).running.expect_seen(" can ");
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn a_drop_box_takes_files_and_gives_none() {
    let place = Place::new();
    std::fs::write(place.server("there"), "there").unwrap();
    let mut server = place.serve(&["--write-only"]);
    put(&place, &server, "new", "new");
    assert_eq!(std::fs::read_to_string(place.server("new")).unwrap(), "new");
    // The answer is the same whether the file exists or not.
    let say = |name: &str| {
        let (code, said) = place.get(name, &server.address, &[]).end();
        assert_eq!(code, 1, "{said}");
        said.replace(name, "NAME")
    };
    let there = say("there");
    assert!(there.contains("gives neither files nor lists (--write-only): ask its operator"), "{there}");
    assert_eq!(there, say("absent"));
    server.running.expect("get \"there\": refused: downloads not permitted (--write-only)");
}

#[test]
fn a_drop_box_replaces_nothing_and_reveals_no_name() {
    let place = Place::new();
    std::fs::write(place.server("report.pdf"), "first").unwrap();
    std::fs::create_dir(place.server("folder")).unwrap();
    let mut server = place.serve(&["--write-only"]);
    let say = |name: &str| put(&place, &server, name, "other").replace(name, "NAME");
    let (fresh, taken, folder) = (say("fresh"), say("report.pdf"), say("folder"));
    let without_time = |said: &str| said.split(" in ").next().unwrap().to_owned();
    assert_eq!(without_time(&fresh), without_time(&taken));
    assert_eq!(without_time(&fresh), without_time(&folder));
    assert_eq!(std::fs::read_to_string(place.server("report.pdf")).unwrap(), "first");
    let line = server.running.expect("put \"report.pdf\": stored as \"");
    let name = line.split('"').nth(3).unwrap();
    assert!(name.starts_with("report.") && name.ends_with(".pdf"), "{name}");
    assert_eq!(std::fs::read_to_string(place.server(name)).unwrap(), "other");
    assert!(std::fs::read_dir(place.server("folder")).unwrap().next().is_none());
}

/// Regression: each file had a line, which said that "it does not permit that".
#[test]
fn what_a_server_refuses_to_all_has_one_line() {
    let place = Place::new();
    let [read_only, drop_box] = ["--read-only", "--write-only"].map(|option| place.serve(&[option]));
    std::fs::create_dir(place.client("tree")).unwrap();
    for at in 0..100 {
        std::fs::write(place.client("tree").join(at.to_string()), "x").unwrap();
    }
    let tree = place.client("tree").display().to_string();
    let output = place.client("new").display().to_string();
    let (up, down) = ("takes no uploads (--read-only): ask its operator", "gives neither files nor lists");
    let folders = "takes files, but no folders (--write-only): put the files alone, under plain names";
    // Regression: the folder counted as a file.
    let tree_and_files = "100 of 100 files and 1 of 1 folder";
    for (arguments, server, why, sum) in [
        (&["put", &tree][..], &read_only, up, tree_and_files),
        (&["put", &tree, "--update"], &read_only, up, tree_and_files),
        (&["put", &tree], &drop_box, folders, tree_and_files),
        (&["get", "a", "b", "c"], &drop_box, down, "3 of 3 files"),
        (&["get", "a*", "b", "c/d"], &drop_box, down, "2 of 2 files and 1 of 1 pattern"),
        (&["get", "."], &drop_box, down, ""),
        (&["get", "a", "--verify", "--output", &output], &drop_box, down, ""),
        (&["ls"], &drop_box, down, ""),
    ] {
        let words = arguments.iter().take_while(|word| !word.starts_with("--")).count();
        let arguments = [&arguments[..words], &[&*server.address], &arguments[words..]].concat();
        let (code, said) = run(&arguments).end();
        let lines: Vec<_> = said.lines().collect();
        let is_first = lines.first().is_some_and(|line| line.starts_with(&format!("rdt: {} {why}", server.address)));
        let rest = if sum.is_empty() { vec![] } else { vec![format!("rdt: {sum} were not transferred")] };
        assert!(code == 1 && is_first && lines[1..] == rest, "{arguments:?}:\n{said}");
    }
    assert!(Place::names(&place.server("")).is_empty());
}

/// Regression: each such command stored all files once more, and ended with 0.
#[test]
fn a_drop_box_stores_nothing_that_is_to_be_compared() {
    let place = Place::new();
    let server = place.serve(&["--write-only"]);
    for name in ["a", "b", "c"] {
        std::fs::write(place.client(name), name).unwrap();
    }
    for option in ["--update", "--verify"] {
        let files = ["a", "b", "c"].map(|name| place.client(name).display().to_string());
        let [a, b, c] = files.each_ref().map(String::as_str);
        let (code, said) = run(&["put", a, b, c, &server.address, option]).end();
        let line = "shows no files (--write-only), so none can be skipped: leave out --update and --verify";
        assert!(code == 1 && said.matches(line).count() == 1, "{said}");
    }
    assert!(Place::names(&place.server("")).is_empty());
}

/// Regression: only each upload said so. Nothing makes a file in /sys, not even the superuser.
#[cfg(target_os = "linux")]
#[test]
fn a_server_says_at_its_start_that_it_cannot_store() {
    let serve = |options: &[&str]| {
        let mut server = run(&[&["serve", "--root", "/sys", "--bind", "127.0.0.1:0"], options].concat());
        server.expect("users and programs can");
        server.interrupt();
        server.end().1
    };
    let why = "rdt: no file can be stored directly in /sys on this machine: ";
    let said = serve(&[]);
    assert!(said.contains(why), "{said}");
    assert!(!serve(&["--read-only"]).contains("stored directly"));
}

#[test]
fn a_drop_box_contradicts_other_options() {
    for option in ["--read-only", "--no-replace"] {
        let (code, said) = run(&["serve", "--write-only", option]).end();
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("--write-only") && said.contains(option), "{said}");
    }
    run(&["serve", "--allow", "10.0.0.0/33"]).expect_end(2, "not a network, such as 192.168.0.0/16, or address");
}

#[test]
fn a_client_from_elsewhere_hears_that_it_is_not_admitted() {
    let place = Place::new();
    let mut server = place.serve(&["--allow", "192.0.2.0/24", "--allow", "2001:db8::1"]);
    std::fs::write(place.client("a"), "a").unwrap();
    for _ in 0..2 {
        place.put(&place.client("a"), &server.address, &[]).expect_end(
            1,
            &format!("{} does not admit the address of this machine (--allow): ask its operator", server.address),
        );
    }
    server.running.expect("is not admitted (--allow)");
    assert!(Place::names(&place.server("")).is_empty());
    #[cfg(unix)]
    {
        server.running.interrupt();
        let (code, said) = server.running.end();
        assert!(code == 0 && said.contains("0 clients, 0 waiting; 0 requests served"), "{said}");
        let count = said.split(" moved, ").nth(1).unwrap().split(" not admitted").next().unwrap();
        assert!(count.parse::<u32>().unwrap() >= 2, "{said}");
    }
}

#[test]
fn a_client_of_an_allowed_network_is_admitted() {
    let place = Place::new();
    // A socket of IPv6 sees the addresses of IPv4 as IPv4-mapped.
    for (bind, network) in [("127.0.0.1:0", "127.0.0.0/8"), ("[::]:0", "127.0.0.1"), ("[::]:0", "::ffff:127.0.0.0/104")]
    {
        let mut server = place.serve(&["--bind", bind, "--allow", "192.0.2.0/24", "--allow", network]);
        server.address = server.address.replace("[::]", "127.0.0.1");
        put(&place, &server, "a", "a");
    }
}
