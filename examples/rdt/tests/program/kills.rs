//! Transfers that a kill of a client or of a server interrupts at random moments, and that go on afterwards.

use crate::interrupted::{MIB, RATE, Way, expect_no_part, moved, part_bytes, random};
use crate::runner::{Place, Server, content, wait_until};
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The program that is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    Client,
    Server,
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
