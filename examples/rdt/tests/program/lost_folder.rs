//! A server whose folder is gone or may not be used any more, and what in it cannot be read.

use crate::runner::{Place, Running, Server, content, program, run, run_in, write_large};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// What a client says, with the address of the server in front.
const GONE: &str =
    "cannot use its folder any more (removed, its disk gone, or its permissions changed): tell its operator";

/// Every request fails for the same reason, which the log of the server has.
fn expect_gone(place: &Place, server: &mut Server, cause: &str) {
    let gone = format!("rdt: {} {GONE}", server.address);
    let address = server.address.clone();
    let log = |server: &mut Server, request: &str| {
        let line = server.running.expect(&format!(" {request}: "));
        assert!(line.contains(&format!("storage not available ({cause})")), "{line}");
    };
    for path in ["", "/folder", "/*"] {
        run(&["ls", &format!("{address}{path}")]).expect_end(1, &gone);
        log(server, if path == "/folder" { "ls \"folder\"" } else { "ls" });
    }
    for (name, request) in [("a", "get \"a\""), (".", "ls"), ("*", "ls"), ("none", "get \"none\"")] {
        run_in(&place.client(""), &["get", name, &address]).expect_end(1, &gone);
        log(server, request);
    }
    std::fs::write(place.client("small"), "small").unwrap();
    place.put(&place.client("small"), &address, &[]).expect_end(1, &gone);
    log(server, "put \"small\"");
    write_large(&place.client("large"));
    place.put(&place.client("large"), &address, &[]).expect_end(1, &gone);
    log(server, "stat \"large\"");
    place.put(&place.client("small"), &address, &["--update"]).expect_end(1, &gone);
}

/// Regression: `ls` printed nothing and ended with 0, and `put` was told "not permitted".
#[test]
fn a_removed_folder_fails_each_request_with_its_cause() {
    let place = Place::new();
    let mut server = place.serve(&[]);
    std::fs::write(place.server("a"), "a").unwrap();
    std::fs::remove_dir_all(place.server("")).unwrap();
    expect_gone(&place, &mut server, "the whole folder was removed");
    // Another folder of that name is not the one that is served.
    std::fs::create_dir(place.server("")).unwrap();
    run(&["ls", &server.address]).expect_end(1, GONE);
}

#[test]
fn a_folder_that_is_removed_meanwhile_fails_the_upload() {
    let place = Place::new();
    let mut server = place.serve(&[]);
    std::fs::write(place.client("a"), content(16 << 20)).unwrap();
    let mut client = place.put(&place.client("a"), &server.address, &["--rate", "100M"]);
    client.expect_progress();
    std::fs::remove_dir_all(place.server("")).unwrap();
    client.expect_end(1, GONE);
    server.running.expect("storage not available (the whole folder was removed)");
}

#[test]
fn a_removed_folder_is_a_failure_in_base_mode() {
    const BASE: [&str; 2] = ["--profile", "rostov"];
    let place = Place::new();
    let mut server = place.serve(&BASE);
    std::fs::remove_dir_all(place.server("")).unwrap();
    std::fs::write(place.client("small"), "small").unwrap();
    place.put(&place.client("small"), &server.address, &BASE).expect_end(1, "its storage failed");
    server.running.expect("put \"small\": refused: storage failed (the whole folder was removed)");
    place.get("a", &server.address, &BASE).expect_end(1, "its storage failed");
    server.running.expect("get \"a\": refused: storage failed (the whole folder was removed)");
}

/// The program without the rights of the superuser, who may use every folder.
fn program_without_rights(place: &Place) -> Command {
    let secret = place.client("secret");
    std::fs::write(&secret, "").unwrap();
    std::fs::set_permissions(&secret, Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&secret).is_err() {
        return program();
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(program().get_program());
    command
}

#[test]
fn a_folder_without_permission_fails_each_request() {
    let place = Place::new();
    let mut server = place.serve_with(program_without_rights(&place), &[]);
    std::fs::write(place.server("a"), "a").unwrap();
    std::fs::set_permissions(place.server(""), Permissions::from_mode(0o000)).unwrap();
    expect_gone(&place, &mut server, "the permissions of the whole folder have changed");
    std::fs::set_permissions(place.server(""), Permissions::from_mode(0o700)).unwrap();
    run(&["ls", &server.address]).expect_end(0, " a");
    // One file.
    std::fs::set_permissions(place.server("a"), Permissions::from_mode(0o000)).unwrap();
    place.get("a", &server.address, &[]).expect_end(1, "or the permissions of its files, do not permit that");
    server.running.expect("get \"a\": refused: not permitted (permission denied)");
}

/// Regression: the server started, and refused each list.
#[test]
fn a_folder_that_cannot_be_read_is_an_error_of_the_start() {
    let place = Place::new();
    let root = place.server("");
    let root = root.to_str().unwrap();
    let serve = |place: &Place, options: &[&str]| {
        let mut command = program_without_rights(place);
        command.args(["serve", "--bind", "127.0.0.1:0", "--root", root]).args(options);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::read(command.spawn().unwrap())
    };
    for mode in [0o000, 0o300] {
        std::fs::set_permissions(root, Permissions::from_mode(mode)).unwrap();
        let why = "on this machine: permission denied: give this user its permission, or another --root";
        serve(&place, &[]).expect_end(1, why);
    }
    // A drop box shows nothing.
    let mut drop_box = serve(&place, &["--write-only"]);
    drop_box.expect("serving ");
    std::fs::set_permissions(root, Permissions::from_mode(0o700)).unwrap();
}

/// Regression: a download of the folder above ended with 0, and lacked what could not be read, without a word.
#[test]
fn what_cannot_be_read_is_listed_and_reported() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    for folder in ["tree/closed", "tree/names-only", "tree/open"] {
        std::fs::create_dir_all(place.server(folder)).unwrap();
        std::fs::write(place.server(folder).join("a"), "a").unwrap();
    }
    let no_text = std::ffi::OsStr::from_bytes(b"tree/caf\xe9");
    std::fs::write(place.server("").join(no_text), "x").unwrap();
    for (folder, mode) in [("tree/closed", 0o000), ("tree/names-only", 0o644)] {
        std::fs::set_permissions(place.server(folder), Permissions::from_mode(mode)).unwrap();
    }
    let mut server = place.serve_with(program_without_rights(&place), &[]);
    let (code, said) = run(&["ls", "--recursive", &format!("{}/tree", server.address)]).end();
    let unreadable: Vec<_> = said.lines().filter(|line| line.starts_with("unreadable ")).collect();
    let names: Vec<_> = unreadable.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!((code, &*names), (0, &["tree/caf\\xE9", "tree/closed", "tree/names-only"][..]), "{said}");
    let (_, said) = run(&["ls", "--recursive", "--json", &format!("{}/tree", server.address)]).end();
    assert_eq!(said.matches("\"kind\":\"unreadable\"").count(), 3, "{said}");
    server.running.expect("ls \"tree\": listed; 3 entries cannot be read (permissions, or a name that is not UTF-8)");
    let (code, said) = run_in(&place.client(""), &["get", "tree", &server.address]).end();
    // Regression: a folder that cannot be read counted as a file. This server gives one file, and one of two names.
    let failed = "1 of 2 files and 2 of 4 folders were not transferred";
    assert!(code == 1 && said.contains(failed), "{said}");
    for name in names {
        assert!(
            said.contains(&format!("\"{name}\" at {} cannot be read there, since its permissions", server.address)),
            "{said}"
        );
    }
    assert_eq!(Place::names(&place.client("tree/open")), ["a"]);
    server.running.interrupt();
    // Lists are no requests.
    server.running.expect("; 1 request served; ");
    for folder in ["tree/closed", "tree/names-only"] {
        std::fs::set_permissions(place.server(folder), Permissions::from_mode(0o700)).unwrap();
    }
}

/// Regression: of twelve files, eight had no name in any line.
#[test]
fn each_file_that_may_not_be_read_has_its_name_in_a_line() {
    let place = Place::new();
    std::fs::create_dir(place.server("tree")).unwrap();
    let names: Vec<_> = (0..12).map(|at| format!("tree/f{at:02}")).collect();
    for name in &names {
        std::fs::write(place.server(name), "x").unwrap();
        std::fs::set_permissions(place.server(name), Permissions::from_mode(0o000)).unwrap();
    }
    let server = place.serve_with(program_without_rights(&place), &[]);
    let (code, said) = run_in(&place.client(""), &["get", "tree", &server.address]).end();
    assert!(code == 1 && names.iter().all(|name| said.contains(&format!("refused \"{name}\": "))), "{said}");
}
