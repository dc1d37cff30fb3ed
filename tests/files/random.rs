//! Random requests over streams that take and show few bytes at a time, with failures and lost connections.

use crate::disk::Disk;
use crate::pair::Pair;
use oorandom::Rand32;
use rdt_proto::files::{FileSession, Flags};
use rdt_proto::ftp::StorageError;

const PATHS: [&str; 4] = ["a", "b", "deep/c", "deep/er/d"];
const VERBS: [&str; 8] = ["create", "write", "commit", "durable", "open", "read", "digest", "none"];
const FLAGS: [Flags; 3] = [Flags::REPLACE, Flags::REPLACE.union(Flags::KEEP), Flags::empty()];

fn disk(rng: &mut Rand32) -> Disk {
    let mut disk = Disk::default();
    for path in PATHS {
        if rng.rand_range(0..3) > 0 {
            let len = if rng.rand_range(0..4) == 0 { 0 } else { rng.rand_range(1..3_000) };
            disk.files.insert(path.into(), (0..len).map(|_| rng.rand_u32().to_le_bytes()[3]).collect());
        }
    }
    if rng.rand_range(0..2) == 0 {
        disk.write_at_most = Some(rng.rand_range(1..500) as usize);
    }
    disk
}

/// Makes random requests. Returns how many.
fn ask(pair: &mut Pair, rng: &mut Rand32) -> usize {
    let (of_client, of_server) = (pair.client.disk.files.clone(), pair.server.disk.files.clone());
    let mut asked = 0;
    for _ in 0..rng.rand_range(0..8) {
        let path = PATHS[rng.rand_range(0..4) as usize];
        match rng.rand_range(0..5) {
            0 | 1 if of_client.contains_key(path) => drop(pair.put(path, FLAGS[rng.rand_range(0..3) as usize])),
            2 if of_client.contains_key(path) => {
                pair.resume(path);
                asked += 1;
            }
            3 if of_server.contains_key(path) => drop(pair.get(path)),
            _ => drop(pair.list()),
        }
        asked += 1;
    }
    asked
}

#[test]
fn every_file_is_stored_whole_or_not_at_all() {
    for seed in 0..3_000 {
        let rng = &mut Rand32::new(seed);
        let mut pair = Pair::new(disk(rng), disk(rng));
        let (of_client, of_server) = (pair.client.disk.files.clone(), pair.server.disk.files.clone());
        (pair.most, pair.room) = (rng.rand_range(1..2_000) as usize, rng.rand_range(6..2_000) as usize);
        let fails = Some((VERBS[rng.rand_range(0..8) as usize], StorageError::Failed, rng.rand_range(0..4)));
        match rng.rand_range(0..3) {
            0 => pair.server.disk.fails = fails,
            1 => pair.client.disk.fails = fails,
            _ => {}
        }
        let lost_after = (rng.rand_range(0..3) == 0).then(|| rng.rand_range(0..400));
        let asked = ask(&mut pair, rng);
        if let Some(turns) = lost_after {
            for _ in 0..turns {
                pair.turn();
            }
            pair.client.lose();
            pair.server.lose();
        }
        pair.client.session.finish();
        pair.run();
        assert!(pair.client.session.is_done(), "seed {seed}: {:#?}", pair.client.session);
        assert!(pair.server.session.is_done(), "seed {seed}: {:#?}", pair.server.session);
        pair.client.disk.expect_idle();
        pair.server.disk.expect_idle();
        // Each request has one answer, or is counted as unanswered.
        let answers = pair.events.iter().filter(|event| !event.contains(" has ") && !event.contains("ended")).count();
        let last = pair.events.last().unwrap();
        let unanswered = asked - answers.min(asked);
        assert!(last.ends_with(&format!(" {unanswered} unanswered")), "seed {seed}: {asked}, {:?}", pair.events);
        assert!(unanswered == 0 || lost_after.is_some(), "seed {seed}: {:?}", pair.events);
        // A file is that of one side or of the other, whole.
        for (path, content) in pair.client.disk.files.iter().chain(&pair.server.disk.files) {
            let is_whole = [&of_client, &of_server].iter().any(|side| side.get(path) == Some(content));
            assert!(is_whole, "seed {seed}: {path} has {} bytes", content.len());
        }
    }
}
