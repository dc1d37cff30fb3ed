//! Files to whose end another program writes while they are transferred, as to a log.
//!
//! What arrives is the file as it was when its transfer began, as with `scp`.

use crate::faults::{Faults, SystemCall};
use crate::runner::{Place, Running, SLOW, content, program, wait_until};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

const LENGTH: usize = 8 << 20;
/// The options of a mode.
const MODES: [&[&str]; 2] = [&[], &["--profile", "rostov"]];

fn slow(mode: &[&'static str]) -> Vec<&'static str> {
    [mode, &SLOW].concat()
}

/// Writes to the end of a file, of which a part has left.
fn grow(client: &mut Running, file: &Path) -> File {
    client.expect_progress();
    let mut log = File::options().read(true).write(true).open(file).unwrap();
    std::io::Seek::seek(&mut log, std::io::SeekFrom::End(0)).unwrap();
    log.write_all(b"more").unwrap();
    log
}

/// Regression: nothing was stored of a log that grows.
#[test]
fn a_file_that_grows_is_stored_as_it_was() {
    for mode in MODES {
        let place = Place::new();
        let server = place.serve(mode);
        let file = place.client("log");
        fs::write(&file, content(LENGTH)).unwrap();
        let mut client = place.put(&file, &server.address, &slow(mode));
        grow(&mut client, &file);
        let (code, said) = client.end();
        let notes = said.lines().filter(|line| line.contains("grew")).collect::<Vec<_>>();
        let note =
            format!("rdt: {} on this machine grew while it was sent: its first 8.00 MiB are stored", file.display());
        assert!(code == 0 && said.contains("stored \"log\"") && notes == [&*note], "{code}: {said}");
        assert!(fs::read(place.server("log")).unwrap() == content(LENGTH));
    }
}

#[test]
fn quiet_leaves_the_note_about_growth_out() {
    // More than the client reads ahead.
    const LENGTH: usize = 24 << 20;
    for mode in MODES {
        let place = Place::new();
        let (there, here) = (Faults::new(), Faults::new());
        let server = place.serve_with_faults(&there, mode);
        let file = place.client("log");
        fs::write(&file, content(LENGTH)).unwrap();
        let mut command = program();
        here.apply(&mut command);
        let options = [mode, &["--rate", "60M", "--quiet", "--json"]].concat();
        let client = place.put_with(command, &file, &server.address, &options);
        // A part has arrived, and the client waits in the midst of the rest.
        wait_until(|| there.seen(SystemCall::Write) > 0);
        here.hold(SystemCall::Read);
        let before = here.seen(SystemCall::Read);
        wait_until(|| here.seen(SystemCall::Read) > before);
        File::options().append(true).open(&file).unwrap().write_all(b"more").unwrap();
        here.release(SystemCall::Read);
        let (code, said) = client.end();
        assert!(code == 0 && said.lines().count() == 1, "{code}: {said}");
        assert!(said.starts_with("{\"type\":\"result\"") && said.contains("\"bytes\":25165824"), "{said}");
        assert!(fs::read(place.server("log")).unwrap() == content(LENGTH));
    }
}

/// What grows may have changed before its end as well.
#[test]
fn a_file_that_grows_and_changes_is_not_stored() {
    for mode in MODES {
        let place = Place::new();
        let server = place.serve(mode);
        let file = place.client("log");
        fs::write(&file, content(LENGTH)).unwrap();
        let mut client = place.put(&file, &server.address, &slow(mode));
        grow(&mut client, &file).write_all_at(b"other", 5).unwrap();
        client.expect_end(1, "the file changed while it was read: it is not stored; send it again");
        assert!(Place::names(&place.server("")).is_empty());
    }
}

/// A log is copied and cut, and grows beyond its length again.
#[test]
fn a_file_that_is_cut_and_grows_again_is_not_stored() {
    let place = Place::new();
    let server = place.serve(&[]);
    let file = place.client("log");
    fs::write(&file, content(LENGTH)).unwrap();
    let mut client = place.put(&file, &server.address, &SLOW);
    let log = grow(&mut client, &file);
    log.set_len(0).unwrap();
    log.set_len(LENGTH as u64 + 4).unwrap();
    client.expect_end(1, "the file changed while it was read: it is not stored; send it again");
    assert!(Place::names(&place.server("")).is_empty());
}

/// Regression: a log of the server could not be fetched while it grew.
#[test]
fn a_file_of_the_server_that_grows_is_fetched_as_it_was() {
    for mode in MODES {
        let place = Place::new();
        let mut server = place.serve(&slow(mode));
        let file = place.server("log");
        fs::write(&file, content(LENGTH)).unwrap();
        let mut client = place.get("log", &server.address, mode);
        grow(&mut client, &file);
        client.expect_end(0, "received \"log\"");
        assert!(fs::read(place.client("log")).unwrap() == content(LENGTH));
        server.running.expect("sent; the file grew meanwhile, and arrived as it was before");
    }
}

/// The rest comes with the same command, and only the rest.
#[test]
fn what_has_grown_is_brought_up_to_date() {
    let place = Place::new();
    let server = place.serve(&[]);
    let file = place.client("log");
    fs::write(&file, content(LENGTH)).unwrap();
    let mut client = place.put(&file, &server.address, &SLOW);
    grow(&mut client, &file);
    client.expect_end(0, "grew while it was sent");
    for option in ["--update", "--verify"] {
        let (code, said) = place.put(&file, &server.address, &[option]).end();
        let what = if option == "--update" { "with the same content up to 99 %" } else { "is the same on both sides" };
        assert!(code == 0 && said.contains(what), "{option}: {said}");
        assert!(fs::read(place.server("log")).unwrap() == [&content(LENGTH)[..], b"more"].concat());
    }
}
