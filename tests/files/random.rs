//! Random requests over streams that take and show few bytes at a time, with failures and lost connections.

use crate::disk::Disk;
use crate::pair::Pair;
use oorandom::Rand32;
use rdt_proto::files::{Session, Wish};
use rdt_proto::ftp::StorageError;
use std::collections::BTreeMap;

const PATHS: [&str; 4] = ["a", "b", "deep/c", "deep/er/d"];

fn content(rng: &mut Rand32) -> Vec<u8> {
    let len = if rng.rand_range(0..4) == 0 { 0 } else { rng.rand_range(1..3_000) };
    (0..len).map(|_| rng.rand_u32().to_le_bytes()[3]).collect()
}

fn disk(rng: &mut Rand32) -> Disk {
    let mut disk = Disk::default();
    for path in PATHS {
        if rng.rand_range(0..3) > 0 {
            disk.files.insert(path.into(), content(rng));
        }
    }
    if rng.rand_range(0..2) == 0 {
        disk.write_at_most = Some(rng.rand_range(1..500) as usize);
    }
    disk
}

/// A prefix of the file of the other side, or something else.
fn part(rng: &mut Rand32, files: &BTreeMap<String, Vec<u8>>, path: &str) -> Vec<u8> {
    let mut part = files.get(path).cloned().unwrap_or_default();
    part.truncate(rng.rand_range(0..3_001) as usize);
    if rng.rand_range(0..3) == 0 {
        part.push(1);
    }
    part
}

#[test]
fn every_file_is_stored_whole_or_not_at_all() {
    for seed in 0..3_000 {
        let mut rng = Rand32::new(seed);
        let rng = &mut rng;
        let mut pair = Pair::new(disk(rng), disk(rng));
        for path in PATHS {
            if rng.rand_range(0..2) == 0 {
                let kept = part(rng, &pair.client.disk.files, path);
                pair.server.disk.parts.insert(path.into(), kept);
            }
            if rng.rand_range(0..2) == 0 {
                let kept = part(rng, &pair.server.disk.files, path);
                pair.client.disk.parts.insert(path.into(), kept);
            }
        }
        let (of_client, of_server) = (pair.client.disk.files.clone(), pair.server.disk.files.clone());
        (pair.most, pair.room) = (rng.rand_range(1..2_000) as usize, rng.rand_range(4..2_000) as usize);
        let verb =
            ["create", "write", "commit", "durable", "open", "read", "digest", "none"][rng.rand_range(0..8) as usize];
        let fails = Some((verb, StorageError::Failed, rng.rand_range(0..4)));
        match rng.rand_range(0..3) {
            0 => pair.server.disk.fails = fails,
            1 => pair.client.disk.fails = fails,
            _ => {}
        }
        let lost_after = (rng.rand_range(0..3) == 0).then(|| rng.rand_range(0..400));
        let mut asked = 0;
        for _ in 0..rng.rand_range(0..8) {
            let mut turns = 0;
            while !pair.client.session.is_ready() && turns < 100_000 && (pair.turn() || pair.server.commit()) {
                turns += 1;
            }
            if !pair.client.session.is_ready() {
                break;
            }
            let path = PATHS[rng.rand_range(0..4) as usize];
            asked += 1;
            match rng.rand_range(0..4) {
                0 | 1 if of_client.contains_key(path) && pair.client.disk.files.contains_key(path) => {
                    let wish = [Wish::REPLACE, Wish::REPLACE | Wish::RESUME, Wish::empty()];
                    pair.put(path, wish[rng.rand_range(0..3) as usize]);
                }
                2 if of_server.contains_key(path) => pair.get(path),
                _ => pair.list(),
            }
        }
        if let Some(turns) = lost_after {
            for _ in 0..turns {
                pair.turn();
            }
            pair.client.lose();
            pair.server.lose();
        }
        // A GET that fails at the server takes no place at the client's disk.
        pair.client.session.finish();
        pair.run();
        let is_lost = lost_after.is_some();
        assert!(pair.client.session.is_done(), "seed {seed}: {:#?}", pair.client.session);
        assert!(pair.server.session.is_done(), "seed {seed}: {:#?}", pair.server.session);
        pair.client.disk.expect_idle();
        pair.server.disk.expect_idle();
        let answers = pair.events.iter().filter(|event| !event.starts_with("resumed") && !event.contains(' ')).count();
        let answers = answers
            + pair.events.iter().filter(|event| event.contains("refused") || event.contains("not received")).count();
        assert!(is_lost || answers == asked, "seed {seed}: {asked} requests, {:?}", pair.events);
        // A file is that of one side or of the other, whole.
        for files in [&pair.client.disk.files, &pair.server.disk.files] {
            for (path, content) in files {
                let is_whole = [&of_client, &of_server].iter().any(|side| side.get(path) == Some(content));
                assert!(is_whole, "seed {seed}: {path} has {} bytes", content.len());
            }
        }
    }
}
