//! Transfers that a kill of a client or of a server interrupts at random moments, and that go on afterwards.

use crate::faults::{Faults, SystemCall};
use crate::runner::{Place, Running, Server, content, wait_until};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

pub(crate) const MIB: u64 = 1 << 20;
/// 25 MB/s: so a file of some 32 MB is still in transfer when a test acts.
pub(crate) const RATE: [&str; 2] = ["--rate", "200M"];

/// The direction of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Put,
    Get,
}

/// The program that is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    Client,
    Server,
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

    fn start(self, place: &Place, server: &Server, options: &[&str]) -> Running {
        match self {
            Self::Put => place.put(&place.client("a"), &server.address, options),
            Self::Get => place.get("a", &server.address, options),
        }
    }
}

/// Random numbers, with a seed that a failure prints.
fn random() -> oorandom::Rand32 {
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
fn expect_no_part(folder: &Path) {
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

/// One transfer that is interrupted, and the measurements of its second attempt.
struct Interrupted {
    /// The bytes that the receiver had at the kill.
    had: u64,
    /// The bytes that moved after it.
    moved: u64,
    /// The time from the start of the second attempt to the line that it goes on.
    until_resumed: Option<Duration>,
}

/// Interrupts a transfer at a random moment, and repeats it. The receiver has `old` under the name.
fn interrupt(
    random: &mut oorandom::Rand32,
    (way, killed): (Way, Killed),
    (place, server): (&Place, &mut Option<Server>),
    (old, new): (&[u8], &[u8]),
    rate: &[&str],
) -> Option<Interrupted> {
    let [source, target] = way.files(place);
    fs::write(&source, new).unwrap();
    fs::write(&target, old).unwrap();
    let folder = target.parent().unwrap();
    let running = server.take().unwrap();
    let first = way.start(place, &running, rate);
    let moment = u64::from(random.rand_range(0..1_000)) * new.len() as u64 / 1_000;
    let jitter = Duration::from_micros(random.rand_range(0..30_000).into());
    let is_whole = || fs::metadata(&target).is_ok_and(|metadata| metadata.len() == new.len() as u64);
    wait_until(|| part_bytes(folder) >= moment || is_whole());
    sleep(jitter);
    let address = running.address.clone();
    let running = match killed {
        Killed::Client => {
            first.kill();
            running
        }
        Killed::Server => {
            running.running.kill();
            let (code, said) = first.end();
            assert!(code == 0 || code == 1 && said.contains(&address), "{code}: {said}");
            place.serve(&["--bind", &address])
        }
    };
    let had = part_bytes(folder);
    let found = fs::read(&target).unwrap();
    assert!(found == old || found == new, "{} bytes are neither old nor new", found.len());
    let was_complete = found == new;
    let started = Instant::now();
    let mut second = way.start(place, &running, &[]);
    let line = second.expect_any(&["goes on at", "is there already", "stored \"a\"", "received \"a\"", "rdt: "]);
    // A kill after the last byte leaves a whole part, which the server may complete.
    let goes_on = line.contains("goes on at") || line.contains("is there already");
    let until_resumed = goes_on.then(|| started.elapsed());
    let (code, said) = second.end();
    assert_eq!(code, 0, "{said}");
    assert!(fs::read(&target).unwrap() == new, "the content is another");
    expect_no_part(folder);
    *server = Some(running);
    // A transfer that was complete before the kill has no part.
    (!was_complete && had >= 2 * MIB).then(|| {
        assert!(until_resumed.is_some(), "{had} bytes were there, and it did not go on: {said}");
        Interrupted { had, moved: moved(&said), until_resumed }
    })
}

/// At most 1 %, or 4 MiB, move again.
fn expect_little_again(interrupted: &Interrupted, length: u64) {
    let allowed = length.saturating_sub(interrupted.had) + (length / 100).max(4 * MIB);
    let Interrupted { had, moved, .. } = interrupted;
    assert!(*moved <= allowed, "{had} of {length} bytes were there, and {moved} moved");
}

fn interrupt_some(way: Way, killed: Killed) {
    let (place, mut random) = (Place::new(), random());
    let (old, mut new) = (content(3 << 20), content(28 << 20));
    let mut server = Some(place.serve(&[]));
    for round in 0..4 {
        // No block is one of the round before.
        new.iter_mut().step_by(1 << 18).for_each(|byte| *byte = byte.wrapping_add(1));
        let old = if round % 2 == 0 { &old[..] } else { b"old" };
        let found = interrupt(&mut random, (way, killed), (&place, &mut server), (old, &new), &RATE);
        if let Some(interrupted) = found {
            expect_little_again(&interrupted, new.len() as u64);
        }
    }
}

#[test]
fn a_put_goes_on_after_a_kill_of_its_client() {
    interrupt_some(Way::Put, Killed::Client);
}

#[test]
fn a_put_goes_on_after_a_kill_of_its_server() {
    interrupt_some(Way::Put, Killed::Server);
}

#[test]
fn a_get_goes_on_after_a_kill_of_its_client() {
    interrupt_some(Way::Get, Killed::Client);
}

#[test]
fn a_get_goes_on_after_a_kill_of_its_server() {
    interrupt_some(Way::Get, Killed::Server);
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
        assert!(ends.iter().all(|(code, said)| *code == 0 || said.contains("busy")), "{ends:?}");
        let found = fs::read(place.server("x")).unwrap();
        assert!(contents.contains(&found), "{} bytes of neither", found.len());
        expect_no_part(&place.server(""));
        fs::remove_file(place.server("x")).unwrap();
    }
}

/// The bar of the project: with 200 MB each way. `--ignored` runs it, and `RDT_ROUNDS` are its rounds.
#[test]
#[ignore = "takes many minutes"]
fn a_hundred_interrupted_transfers_of_200_mb_go_on() {
    let rounds = |default: u32| std::env::var("RDT_ROUNDS").map_or(default, |rounds| rounds.parse().unwrap());
    let mut random = random();
    for (way, killed, rounds) in [
        (Way::Put, Killed::Client, rounds(100)),
        (Way::Get, Killed::Client, rounds(100)),
        (Way::Put, Killed::Server, rounds(100).div_ceil(10)),
        (Way::Get, Killed::Server, rounds(100).div_ceil(10)),
    ] {
        let place = Place::new();
        let mut server = Some(place.serve(&[]));
        let mut new = content(200_000_000);
        let (mut times, mut again, mut complete) = (Vec::new(), Vec::new(), 0);
        for _ in 0..rounds {
            new.iter_mut().step_by(1 << 18).for_each(|byte| *byte = byte.wrapping_add(1));
            let (length, rate) = (new.len() as u64, ["--rate", "1600M"]);
            let files = (&b"old"[..], &new[..]);
            match interrupt(&mut random, (way, killed), (&place, &mut server), files, &rate) {
                None => complete += 1,
                Some(interrupted) => {
                    expect_little_again(&interrupted, length);
                    again.push((interrupted.moved + interrupted.had).saturating_sub(length));
                    times.extend(interrupted.until_resumed);
                }
            }
        }
        times.sort();
        again.sort_unstable();
        let middle = times.len() / 2;
        println!(
            "{way:?}, {killed:?} killed: {rounds} rounds, {complete} of them killed before or behind its content; moved \
             again: median {:?}, most {:?} bytes; until it goes on: median {:?}, most {:?}",
            again.get(middle),
            again.last(),
            times.get(middle),
            times.last(),
        );
    }
}
