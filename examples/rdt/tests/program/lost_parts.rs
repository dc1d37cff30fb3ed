//! Transfers that are about to go on with bytes which are gone by then, or are others.
//!
//! In each, one side compares what the receiver has. The test delays that comparison, and takes away meanwhile what the
//! receiver has.

use crate::faults::{Faults, SystemCall};
use crate::interrupted::{MIB, RATE, Way, leave_part, moved, part_bytes};
use crate::runner::{Place, Running, Server, content, program, run_in, wait_until};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// What the sender has.
const LENGTH: usize = 28 << 20;

/// What the user reads.
fn begins_again(way: Way) -> String {
    format!("\"a\" begins again: what was {} of it is gone", receiver(way))
}

fn receiver(way: Way) -> &'static str {
    match way {
        Way::Put => "there",
        Way::Get => "here",
    }
}

/// Removes what has arrived of all files, as a receiver does with parts that are too old.
fn remove_parts(folder: &Path) {
    for entry in fs::read_dir(folder.join(".rdt")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert_eq!(part_bytes(folder), 0);
}

/// Starts a transfer, and runs `change` while its sender compares what the receiver has.
fn go_on(way: Way, place: &Place, server: Server, change: impl FnOnce()) -> (i32, String, Server) {
    let faults = Faults::new();
    let (client, server) = match way {
        Way::Put => {
            faults.hold(SystemCall::Pread);
            let mut command = program();
            faults.apply(&mut command);
            (place.put_with(command, &place.client("a"), &server.address, &[]), server)
        }
        Way::Get => {
            let server = serve_slowly(place, server, &faults);
            (place.get("a", &server.address, &[]), server)
        }
    };
    let (code, said) = change_while(&faults, client, change);
    (code, said, server)
}

/// Starts a server anew, whose comparison takes long.
fn serve_slowly(place: &Place, server: Server, faults: &Faults) -> Server {
    let address = server.address.clone();
    server.running.kill();
    let server = place.serve_with_faults(faults, &["--bind", &address]);
    faults.hold(SystemCall::Pread);
    server
}

fn change_while(faults: &Faults, client: Running, change: impl FnOnce()) -> (i32, String) {
    wait_until(|| faults.seen(SystemCall::Pread) > 0);
    change();
    faults.release(SystemCall::Pread);
    client.end()
}

fn begin(way: Way, length: usize) -> (Place, Server, Vec<u8>) {
    let place = Place::new();
    let server = place.serve(&[]);
    let bytes = content(length);
    fs::write(&way.files(&place)[0], &bytes).unwrap();
    leave_part(way, &place, &server);
    (place, server, bytes)
}

/// Regression: "the content did not arrive as it was sent" was said, and nothing was stored.
#[test]
fn a_transfer_begins_again_if_its_part_is_gone() {
    for way in [Way::Put, Way::Get] {
        let (place, server, bytes) = begin(way, LENGTH);
        let [_, target] = way.files(&place);
        let (code, said, _server) = go_on(way, &place, server, || remove_parts(target.parent().unwrap()));
        assert!(code == 0 && said.contains(&begins_again(way)), "{way:?}, {code}: {said}");
        assert!(moved(&said) == LENGTH as u64 && fs::read(&target).unwrap() == bytes, "{way:?}: {said}");
        assert_eq!(part_bytes(target.parent().unwrap()), 0);
    }
}

/// The server is asked once more what it has.
#[test]
fn a_transfer_that_begins_again_goes_on_with_what_is_there_then() {
    let (place, server, bytes) = begin(Way::Put, LENGTH);
    let (code, said, _server) = go_on(Way::Put, &place, server, || {
        remove_parts(&place.server(""));
        fs::write(place.server("a"), &bytes[..2 << 20]).unwrap();
    });
    assert!(code == 0 && said.contains(&begins_again(Way::Put)), "{code}: {said}");
    assert!(said.contains("\"a\" is there with the same content up to 7 %: the rest is sent"), "{said}");
    assert!(moved(&said) == 26 * MIB && fs::read(place.server("a")).unwrap() == bytes, "{said}");
}

/// Regression: the bytes before the offset came from another file, and nothing was stored.
#[test]
fn a_transfer_begins_again_if_others_are_in_the_place_of_its_part() {
    for way in [Way::Put, Way::Get] {
        let (place, server, bytes) = begin(way, LENGTH);
        let [_, target] = way.files(&place);
        let differs = format!("\"a\" is sent again from its start: what was {} of it differs", receiver(way));
        let (code, said, _server) = go_on(way, &place, server, || {
            remove_parts(target.parent().unwrap());
            fs::write(&target, vec![7; LENGTH]).unwrap();
        });
        assert!(code == 0 && said.contains(&differs), "{way:?}, {code}: {said}");
        assert!(moved(&said) == LENGTH as u64 && fs::read(&target).unwrap() == bytes, "{way:?}: {said}");
    }
}

/// Regression: as above. So much content is not dropped: another connection serves the rest.
#[test]
fn a_get_of_a_large_file_begins_again_if_its_part_is_gone() {
    let length = 80 << 20;
    let (place, server, bytes) = begin(Way::Get, length);
    for name in ["0", "b"] {
        fs::write(place.server(name), name).unwrap();
    }
    let (code, said, server) = go_on(Way::Get, &place, server, || remove_parts(&place.client("")));
    assert!(code == 0 && said.contains(&begins_again(Way::Get)), "{code}: {said}");
    assert!(moved(&said) == length as u64 && fs::read(place.client("a")).unwrap() == bytes, "{said}");
    // With files before and behind it, which are not fetched twice.
    fs::remove_file(place.client("a")).unwrap();
    leave_part(Way::Get, &place, &server);
    let faults = Faults::new();
    let server = serve_slowly(&place, server, &faults);
    let client = run_in(&place.client(""), &["get", "*", &server.address]);
    let (code, said) = change_while(&faults, client, || remove_parts(&place.client("")));
    assert!(code == 0 && said.contains(&begins_again(Way::Get)), "{code}: {said}");
    assert!(said.contains("received 3 files"), "{said}");
    assert!(fs::read(place.client("a")).unwrap() == bytes);
    assert_eq!(["0", "b"].map(|name| fs::read_to_string(place.client(name)).unwrap()), ["0", "b"]);
}

/// Regression: the second one said that the content did not arrive as it was sent.
#[test]
fn two_gets_of_one_file_at_once_both_store_it() {
    let place = Place::new();
    let server = place.serve(&[]);
    let bytes = content(LENGTH);
    fs::write(place.server("a"), &bytes).unwrap();
    let first = place.get("a", &server.address, &RATE);
    wait_until(|| part_bytes(&place.client("")) >= 9 * MIB);
    let second = place.get("a", &server.address, &[]).end();
    let ends = [first.end(), second];
    assert!(ends.iter().all(|(code, said)| *code == 0 && moved(said) == LENGTH as u64), "{ends:?}");
    assert!(fs::read(place.client("a")).unwrap() == bytes);
    assert_eq!(part_bytes(&place.client("")), 0);
}

/// Regression: the thread that gives names waited until a file had its name, five seconds, and with it each other client.
#[test]
fn puts_of_one_file_that_is_there_wait_for_no_limit() {
    let place = Place::new();
    let server = place.serve(&[]);
    fs::write(place.client("a"), content(5 << 20)).unwrap();
    place.put(&place.client("a"), &server.address, &[]).expect_end(0, "stored");
    for _ in 0..6 {
        let begun = Instant::now();
        let clients = [(); 3].map(|()| place.put(&place.client("a"), &server.address, &[]));
        for client in clients {
            client.expect_end(0, "");
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

/// Regression: a server that was started with this option offered the parts of its predecessor, and used none.
#[test]
fn a_server_that_replaces_nothing_offers_no_part() {
    let (place, server, bytes) = begin(Way::Put, LENGTH);
    server.running.kill();
    let server = place.serve(&["--no-replace"]);
    let (code, said) = place.put(&place.client("a"), &server.address, &[]).end();
    assert!(code == 0 && !said.contains("goes on"), "{code}: {said}");
    assert!(fs::read(place.server("a")).unwrap() == bytes);
}

/// The time of a folder is set behind the files in it, also if one of them begins again.
#[test]
fn a_file_that_begins_again_comes_before_its_folder() {
    let place = Place::new();
    let server = place.serve(&[]);
    let folder = place.client("d");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a"), content(LENGTH)).unwrap();
    let time = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::open(&folder).unwrap().set_modified(time).unwrap();
    let client = place.put(&folder, &server.address, &RATE);
    wait_until(|| part_bytes(&place.server("")) >= 9 * MIB);
    client.kill();
    let faults = Faults::new();
    faults.hold(SystemCall::Pread);
    let mut command = program();
    faults.apply(&mut command);
    let client = place.put_with(command, &folder, &server.address, &[]);
    let (code, said) = change_while(&faults, client, || remove_parts(&place.server("")));
    assert!(code == 0 && said.contains("\"d/a\" begins again"), "{code}: {said}");
    assert_eq!(fs::metadata(place.server("d")).unwrap().modified().unwrap(), time);
    assert!(fs::read(place.server("d/a")).unwrap() == content(LENGTH));
}
