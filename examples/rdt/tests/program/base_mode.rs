//! Files in base mode: they are read and stored under the rules of extended mode.

use crate::faults::{Faults, SystemCall};
use crate::runner::{Place, SLOW, content};
use std::fs;
use std::os::unix::fs::{FileExt, symlink};

const BASE: [&str; 2] = ["--profile", "rostov"];

/// Options of a client in base mode whose transfer is slow.
fn slow() -> Vec<&'static str> {
    [BASE, SLOW].concat()
}

/// The number of flushes with which a server stores a file.
fn flushes(profile: &[&str], replaces: bool) -> i32 {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve_with_faults(&faults, profile);
    fs::write(place.client("a"), "new").unwrap();
    if replaces {
        fs::write(place.server("a"), "old").unwrap();
    }
    place.put(&place.client("a"), &server.address, profile).expect_end(0, "stored");
    assert_eq!(fs::read_to_string(place.server("a")).unwrap(), "new");
    faults.seen(SystemCall::Fsync)
}

/// Regression: on ext4 without a journal, a file in base mode was not flushed again behind its name, and so a power
/// failure could take a confirmed one.
#[test]
fn both_modes_flush_a_file_alike() {
    for replaces in [false, true] {
        let [extended, base] = [&[][..], &BASE].map(|profile| flushes(profile, replaces));
        assert!(base == extended && base >= 2, "{base} flushes, and {extended} in extended mode");
    }
}

#[test]
fn a_file_overwritten_while_it_is_served_is_no_success() {
    let place = Place::new();
    let mut server = place.serve(&BASE);
    fs::write(place.server("a"), content(8 << 20)).unwrap();
    let mut client = place.get("a", &server.address, &slow());
    client.expect_progress();
    let file = fs::OpenOptions::new().write(true).open(place.server("a")).unwrap();
    file.write_all_at(b"other", (8 << 20) - 5).unwrap();
    client.expect_end(1, "closed before the end of \"a\": did the file change there? nothing was kept; try again");
    server.running.expect("the file changed while it was read");
    assert!(!place.client("a").exists());
}

#[test]
fn a_file_overwritten_while_it_is_sent_is_not_stored() {
    let place = Place::new();
    let mut server = place.serve(&BASE);
    fs::write(place.client("a"), content(8 << 20)).unwrap();
    let mut client = place.put(&place.client("a"), &server.address, &slow());
    client.expect_progress();
    let file = fs::OpenOptions::new().write(true).open(place.client("a")).unwrap();
    file.write_all_at(b"other", (8 << 20) - 5).unwrap();
    client.expect_end(1, "the file changed while it was read: it is not stored");
    server.running.expect("cancelled by the client");
    assert!(Place::names(&place.server("")).is_empty());
}

#[test]
fn no_target_of_a_link_is_sent_in_place_of_a_file() {
    let place = Place::new();
    let server = place.serve(&BASE);
    fs::write(place.server("a"), "content").unwrap();
    symlink("a", place.server("inside")).unwrap();
    place.get("inside", &server.address, &BASE).expect_end(0, "received");
    assert_eq!(fs::read_to_string(place.client("inside")).unwrap(), "content");
    symlink(place.client("inside"), place.server("outside")).unwrap();
    symlink("nothing", place.server("broken")).unwrap();
    fs::create_dir(place.server("folder")).unwrap();
    for name in ["outside", "broken", "folder"] {
        let (code, said) = place.get(name, &server.address, &BASE).end();
        assert!(code == 1 && said.contains(&format!("refused \"{name}\"")), "{code}: {said}");
        assert!(!place.client(name).exists());
    }
}

#[test]
fn an_interrupted_transfer_leaves_nothing() {
    let place = Place::new();
    let mut server = place.serve(&BASE);
    fs::write(place.client("up"), content(8 << 20)).unwrap();
    fs::write(place.server("down"), content(8 << 20)).unwrap();
    let mut put = place.put(&place.client("up"), &server.address, &slow());
    put.expect_progress();
    put.interrupt();
    put.expect_end(130, "of 8.00 MiB of \"up\" were transferred, and nothing of it is kept");
    server.running.expect("cancelled by the client");
    let mut get = place.get("down", &server.address, &slow());
    get.expect_progress();
    get.interrupt();
    get.expect_end(130, "of 8.00 MiB of \"down\" were transferred, and nothing of it is kept");
    let all = |folder| fs::read_dir(folder).unwrap().count();
    assert_eq!([all(place.server("")), all(place.client(""))], [1, 1], "the files that were there");
}

/// Regression: nothing named the possibility, on either side. The protocol has no answer for such a client.
#[test]
fn a_client_that_is_not_admitted_hears_of_the_possibility() {
    let place = Place::new();
    let mut server = place.serve(&[&BASE[..], &["--allow", "192.0.2.0/24"]].concat());
    let (code, said) = place.get("a", &server.address, &[&BASE[..], &["--timeout", "1"]].concat()).end();
    assert!(code == 1 && said.contains("cannot say that it does not admit this address (--allow)"), "{said}");
    server.running.expect("is not admitted (--allow) and gets no answer, since base mode has none");
}

#[test]
fn a_pattern_that_matches_no_name_is_said_to_be_none() {
    let place = Place::new();
    let server = place.serve(&BASE);
    fs::write(place.server("[a].txt"), "a").unwrap();
    place.get("[a].txt", &server.address, &BASE).expect_end(0, "received \"[a].txt\"");
    place.get("*.txt", &server.address, &BASE).expect_end(1, "(a server in base mode knows no patterns)");
}

/// Regression: nothing said that other clients get no answer.
#[test]
fn a_server_says_that_it_is_in_base_mode() {
    let place = Place::new();
    let base = "rdt: base mode: the server answers only programs in base mode";
    let line = place.serve(&BASE).running.expect_seen(base);
    assert!(line.contains("rdt put FILE ADDR --profile rostov"), "{line}");
    let other = place.serve(&[]);
    other.running.interrupt();
    let (_, said) = other.running.end();
    assert!(!said.contains(base), "{said}");
}
