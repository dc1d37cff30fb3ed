//! Interrupted transfers that go on: with what is there, and what is said of it.

use crate::faults::{Faults, SystemCall};
use crate::runner::{Place, Running, Server, content, program, run_in, wait_until, write_large};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

pub(crate) const MIB: u64 = 1 << 20;
/// 25 MB/s: so a file of some 32 MB is still in transfer when a test acts.
pub(crate) const RATE: [&str; 2] = ["--rate", "200M"];

/// The direction of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Put,
    Get,
}

impl Way {
    /// The file of the sender, and the file of the receiver.
    pub(crate) fn files(self, place: &Place) -> [PathBuf; 2] {
        let files = [place.client("a"), place.server("a")];
        match self {
            Self::Put => files,
            Self::Get => [files[1].clone(), files[0].clone()],
        }
    }

    pub(crate) fn start(self, place: &Place, server: &Server, options: &[&str]) -> Running {
        match self {
            Self::Put => place.put(&place.client("a"), &server.address, options),
            Self::Get => place.get("a", &server.address, options),
        }
    }
}

/// Random numbers, with a seed that a failure prints.
pub(crate) fn random() -> oorandom::Rand32 {
    let now = SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = std::env::var("SEED").map_or(u64::from(now.subsec_nanos()), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    oorandom::Rand32::new(seed)
}

/// The names in the hidden folder.
fn hidden(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join(".rdt")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The bytes of the parts in a folder.
pub(crate) fn part_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder.join(".rdt")).into_iter().flatten().flatten();
    let parts = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "part"));
    parts.filter_map(|part| part.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Asserts that the hidden folder of the receiver has nothing but remembered values.
pub(crate) fn expect_no_part(folder: &Path) {
    let names = hidden(folder);
    assert!(names.iter().all(|name| name.ends_with(".hash")), "{names:?}");
}

/// The bytes that moved, as the client prints them: "…: 1.25 MiB in …".
pub(crate) fn moved(said: &str) -> u64 {
    let line = said.lines().find(|line| line.starts_with("stored") || line.starts_with("received"));
    let line = line.unwrap_or_else(|| panic!("no result in {said}"));
    let amount = line.rsplit_once("\": ").unwrap_or_else(|| line.rsplit_once(": ").unwrap()).1;
    let amount = amount.rsplit_once(": ").map_or(amount, |(_, amount)| amount);
    let mut words = amount.split(' ');
    let (number, unit) = (words.next().unwrap().replace(',', ""), words.next().unwrap());
    let unit = ["B", "KiB", "MiB", "GiB"].iter().position(|known| *known == unit).unwrap();
    let scale = f64::from(1_u32 << (10 * unit));
    format!("{:.0}", number.parse::<f64>().unwrap() * scale).parse().unwrap()
}

/// Regression: no request could go on with content that was about to get its name, and all of it moved again.
#[test]
fn a_put_goes_on_while_its_first_attempt_is_flushed() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve_with_faults(&faults, &[]);
    let bytes = content(28 << 20);
    fs::write(place.client("a"), &bytes).unwrap();
    faults.delay(SystemCall::Fsync, 1_500);
    let client = Way::Put.start(&place, &server, &[]);
    wait_until(|| faults.seen(SystemCall::Fsync) == 1);
    client.kill();
    let (code, said) = Way::Put.start(&place, &server, &[]).end();
    assert!(code == 0 && said.contains("\"a\" is there already, with the same content"), "{said}");
    assert!(moved(&said) == 0 && fs::read(place.server("a")).unwrap() == bytes, "{said}");
    expect_no_part(&place.server(""));
}

/// Regression: a get fetched all of it again, and did not say why.
#[test]
fn a_file_that_is_there_already_hardly_moves_and_has_a_line() {
    for way in [Way::Put, Way::Get] {
        let place = Place::new();
        let server = place.serve(&[]);
        let [source, target] = way.files(&place);
        let mut bytes = content((8 << 20) + 5);
        fs::write(&source, &bytes).unwrap();
        way.start(&place, &server, &[]).expect_end(0, "\"a\"");
        let expect = |line: &str| {
            let (code, said) = way.start(&place, &server, &[]).end();
            assert!(code == 0 && said.contains(line) && moved(&said) <= MIB, "{way:?}: {said}");
        };
        expect("already, with the same length and time, and is stored again: --update skips such files");
        way.start(&place, &server, &["--update"]).expect_end(0, "\"a\" is the same on both sides already");
        fs::File::options().write(true).open(&source).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        expect("with the same content up to 99 %: the rest is sent");
        bytes.extend_from_slice(&[7; 500_000]);
        fs::write(&source, &bytes).unwrap();
        expect("with the same content up to 94 %: the rest is sent");
        assert!(fs::read(&target).unwrap() == bytes, "{way:?}");
        expect_no_part(target.parent().unwrap());
    }
}

/// Kills the client of a transfer once the receiver has some more than eight blocks, which are compared together.
pub(crate) fn leave_part(way: Way, place: &Place, server: &Server) {
    let [_, target] = way.files(place);
    let client = way.start(place, server, &RATE);
    wait_until(|| part_bytes(target.parent().unwrap()) >= 9 * MIB);
    client.kill();
}

/// Regression: "stopped: … was not transferred" was also said when most was.
#[test]
fn a_stopped_transfer_says_that_the_same_command_goes_on() {
    for way in [Way::Put, Way::Get] {
        let place = Place::new();
        let server = place.serve(&[]);
        let [source, target] = way.files(&place);
        fs::write(&source, content(32_000_000)).unwrap();
        let mut first = way.start(&place, &server, &RATE);
        first.expect_progress();
        wait_until(|| part_bytes(target.parent().unwrap()) >= 8 * MIB);
        first.interrupt();
        first.expect_end(130, "MiB of 30.52 MiB of \"a\" were transferred: the same command goes on");
        way.start(&place, &server, &[]).expect_end(0, "\"a\" goes on at");
    }
}

/// Regression: a file that was stored after Ctrl-C counted as one that had failed, or as perhaps stored.
#[test]
fn what_is_stored_after_ctrl_c_counts() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve(&[]);
    fs::write(place.server("a"), content(5_000)).unwrap();
    // All together less than the second that a client stays after Ctrl-C.
    [SystemCall::Fsync, SystemCall::Syncfs].into_iter().for_each(|call| faults.delay(call, 150));
    let mut command = program();
    faults.apply(&mut command);
    command.args(["get", "a", &server.address, "--output"]).arg(place.client("a"));
    let client = Running::read(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    wait_until(|| faults.seen(SystemCall::Fsync) + faults.seen(SystemCall::Syncfs) > 0);
    client.interrupt();
    client.expect_end(0, "received \"a\"");
    assert_eq!(Place::names(&place.client("")), ["a"]);
    let faults = Faults::new();
    let flushes = [SystemCall::Fsync, SystemCall::Syncfs];
    flushes.into_iter().for_each(|call| faults.hold(call));
    let server = place.serve_with_faults(&faults, &[]);
    fs::write(place.client("b"), content(5_000)).unwrap();
    write_large(&place.client("large"));
    let mut client = run_in(&place.client(""), &["put", "b", "large", &server.address, "--rate", "8M"]);
    wait_until(|| flushes.into_iter().any(|call| faults.seen(call) > 0));
    client.expect_progress();
    client.interrupt();
    flushes.into_iter().for_each(|call| faults.release(call));
    let (code, said) = client.end();
    assert!(code == 130 && said.contains("stored 1 file on"), "{code}: {said}");
}

/// Regression: the same command with --update was said to go on, and stored the first files once more.
#[test]
fn a_drop_box_is_not_said_to_go_on() {
    let shows_nothing = "the server shows no files, and the same command sends all of them again";
    // Of small files, no client asks what the server has.
    for (length, expected) in [(12 << 20, shows_nothing), (2 << 20, "unless the server shows no files (--write-only)")]
    {
        let place = Place::new();
        let server = place.serve(&["--write-only"]);
        for name in ["m1", "m2", "m3"] {
            fs::write(place.client(name), content(length)).unwrap();
        }
        let words = ["put", "m1", "m2", "m3", &server.address, "--rate", "40M"];
        let mut client = run_in(&place.client(""), &words);
        client.expect_progress();
        client.interrupt();
        client.expect_end(130, expected);
    }
}

#[test]
fn a_file_that_changed_meanwhile_starts_again_and_says_so() {
    for way in [Way::Put, Way::Get] {
        let place = Place::new();
        let server = place.serve(&[]);
        let [source, target] = way.files(&place);
        fs::write(&source, content(28 << 20)).unwrap();
        leave_part(way, &place, &server);
        let mut changed = content(28 << 20);
        changed[0] ^= 1;
        fs::write(&source, &changed).unwrap();
        let (code, said) = way.start(&place, &server, &[]).end();
        assert!(code == 0 && said.contains("\"a\" differs from what"), "{way:?}: {said}");
        assert!(said.contains("from its start"), "{way:?}: {said}");
        assert!(moved(&said) >= 27 * MIB && fs::read(&target).unwrap() == changed, "{said}");
        expect_no_part(target.parent().unwrap());
    }
}

#[test]
fn a_file_that_changed_in_its_middle_goes_on_before_the_change() {
    for way in [Way::Put, Way::Get] {
        let place = Place::new();
        let server = place.serve(&[]);
        let [source, target] = way.files(&place);
        let mut bytes = content(28 << 20);
        fs::write(&source, &bytes).unwrap();
        leave_part(way, &place, &server);
        bytes[8 << 20] ^= 1;
        bytes.truncate(20 << 20);
        fs::write(&source, &bytes).unwrap();
        let (code, said) = way.start(&place, &server, &[]).end();
        assert!(code == 0 && said.contains("\"a\" goes on at"), "{way:?}: {said}");
        assert!(fs::read(&target).unwrap() == bytes, "{way:?}: {said}");
        assert!((11 * MIB..=13 * MIB).contains(&moved(&said)), "{way:?}: {said}");
        expect_no_part(target.parent().unwrap());
    }
}

#[test]
fn a_server_that_keeps_no_parts_begins_again() {
    for option in ["--keep-parts=0", "--write-only"] {
        let place = Place::new();
        let mut server = place.serve(&[option, "--timeout", "1"]);
        fs::write(place.client("a"), content(28 << 20)).unwrap();
        let mut client = place.put(&place.client("a"), &server.address, &RATE);
        client.expect_progress();
        client.kill();
        assert!(hidden(&place.server("")).is_empty(), "{option}");
        server.running.expect("the client is gone");
        let (code, said) = place.put(&place.client("a"), &server.address, &[]).end();
        assert!(code == 0 && !said.contains("goes on"), "{option}: {said}");
        assert!(moved(&said) >= 27 * MIB, "{option}: {said}");
        assert!(hidden(&place.server("")).is_empty(), "{option}");
    }
}

#[test]
fn a_get_from_a_server_that_stores_nothing_goes_on() {
    let place = Place::new();
    let server = place.serve(&["--read-only"]);
    fs::write(place.server("a"), content(28 << 20)).unwrap();
    leave_part(Way::Get, &place, &server);
    Way::Get.start(&place, &server, &[]).expect_end(0, "\"a\" goes on at");
    assert!(fs::read(place.client("a")).unwrap() == content(28 << 20));
    assert!(hidden(&place.server("")).is_empty(), "the server writes nothing");
}

#[test]
fn two_clients_that_put_the_same_name_leave_one_whole_file() {
    let place = Place::new();
    let mut random = random();
    let server = place.serve(&[]);
    let contents = [content(20 << 20), content(21 << 20)[1 << 20..].to_vec()];
    for (name, content) in ["a", "b"].iter().zip(&contents) {
        fs::write(place.client(name), content).unwrap();
    }
    for _ in 0..3 {
        let put = |name| place.put(&place.client(name), &server.address, &["--name", "x", "--rate", "400M"]);
        let one = put("a");
        sleep(Duration::from_millis(random.rand_range(0..400).into()));
        let ends = [one, put("b")].map(Running::end);
        // The later one takes the part over. The earlier one is stored, or hears that the name is in use.
        assert!(ends.iter().any(|(code, _)| *code == 0), "{ends:?}");
        assert!(
            ends.iter().all(|(code, said)| *code == 0 || said.contains("another client has begun to store")),
            "{ends:?}"
        );
        let found = fs::read(place.server("x")).unwrap();
        assert!(contents.contains(&found), "{} bytes of neither", found.len());
        expect_no_part(&place.server(""));
        fs::remove_file(place.server("x")).unwrap();
    }
}
