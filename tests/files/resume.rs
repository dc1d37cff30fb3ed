//! Interrupted transfers that go on where they stopped.

use crate::disk::Disk;
use crate::pair::{End, Pair};
use rdt_proto::files::{BLOCK_BYTES, FileSession, Flags};

const ONE: usize = 1 << 20;
const _: () = assert!(ONE as u64 == BLOCK_BYTES);

/// Seven blocks and a half.
fn content() -> Vec<u8> {
    (0..15 * ONE / 2).map(|index| (index / 7).to_le_bytes()[0] ^ (index / 99_991).to_le_bytes()[0]).collect()
}

fn large() -> Disk {
    Disk::with(&[("large", &content())])
}

fn pair(client: Disk, server: Disk) -> Pair {
    let mut pair = Pair::new(client, server);
    pair.room = 60_000;
    pair
}

/// Puts the file until the server has written `len` bytes of it. Then the connection is lost.
fn interrupted_put(flags: Flags, len: usize) -> Disk {
    let mut pair = pair(large(), Disk::with(&[("large", b"old")]));
    pair.put("large", flags);
    let mut sent = 0;
    while sent < len {
        assert!(pair.turn());
        sent = pair.server.disk.log.iter().filter(|request| *request == "write").count() * 59_995;
    }
    pair.client.lose();
    pair.server.lose();
    pair.run();
    assert_eq!(pair.events, ["ended: Lost(None), 1 unanswered"]);
    assert!(pair.client.session.is_done() && pair.server.session.is_done());
    assert_eq!(pair.server.disk.files["large"], b"old");
    pair.server.disk
}

#[test]
fn an_interrupted_put_goes_on_where_it_stopped() {
    let server = interrupted_put(Flags::REPLACE | Flags::KEEP, 7 * ONE + 100_000);
    let mut pair = pair(large(), server);
    pair.server.disk.log.clear();
    assert_eq!(pair.resume("large"), 7 * BLOCK_BYTES);
    pair.finish();
    assert_eq!(pair.events, ["0 is File 3", "1 confirmed"]);
    assert_eq!(pair.server.disk.files["large"], content());
    assert!(pair.server.disk.parts.is_empty());
    assert!(pair.server.disk.log.iter().filter(|request| *request == "write").count() < 12);
}

/// Only the blocks in front of the change are of use.
#[test]
fn a_file_that_has_changed_meanwhile_starts_at_the_last_common_border() {
    for (changed, offset) in [(6 * ONE + 5, 6), (4 * ONE + 5, 4), (5, 0)] {
        let server = interrupted_put(Flags::REPLACE | Flags::KEEP, 7 * ONE + 100_000);
        let mut content = content();
        content[changed] ^= 1;
        let mut pair = pair(Disk::with(&[("large", &content)]), server);
        assert_eq!(pair.resume("large"), offset * BLOCK_BYTES, "changed at {changed}");
        pair.finish();
        assert_eq!(pair.server.disk.files["large"], content);
    }
}

#[test]
fn without_the_flag_nothing_is_kept() {
    let server = interrupted_put(Flags::REPLACE, 2 * ONE);
    assert!(server.parts.is_empty());
}

/// The client was killed between the end of its content and CONFIRM.
#[test]
fn a_file_that_is_there_already_is_confirmed_without_its_content() {
    let mut pair = pair(large(), Disk::with(&[("large", &content()[..7 * ONE])]));
    assert_eq!(pair.resume("large"), 7 * BLOCK_BYTES);
    pair.finish();
    assert_eq!(pair.server.disk.files["large"], content());
}

/// Another client has taken the part since the STATUS. The client sends the whole file.
#[test]
fn a_part_that_is_gone_refuses_the_put_once() {
    let mut pair = pair(large(), Disk::default());
    pair.wait();
    let length = Some(pair.client.disk.open("large"));
    pair.put_as("large", length, BLOCK_BYTES, Flags::REPLACE);
    pair.wait();
    assert_eq!(pair.events, ["0 refused: what was there of the file is gone"]);
    pair.put_as("large", length, 0, Flags::REPLACE);
    pair.finish();
    assert_eq!(pair.events.last().unwrap(), "1 confirmed");
    assert_eq!(pair.server.disk.files["large"], content());
}

#[test]
fn an_interrupted_get_goes_on_where_it_stopped() {
    for (changed, offset) in [(None, 3), (Some(2 * ONE), 2), (Some(0), 0)] {
        let mut pair = pair(Disk::default(), large());
        pair.client.disk.parts.insert("large".into(), content()[..3 * ONE + 100].to_vec());
        if let Some(changed) = changed {
            pair.server.disk.files.get_mut("large").unwrap()[changed] ^= 1;
        }
        pair.get("large");
        pair.finish();
        assert_eq!(pair.events, ["0 received"]);
        assert_eq!(pair.client.disk.files, pair.server.disk.files);
        let reads = pair.server.disk.log.iter().filter(|request| *request == "read").count();
        let most = (15 * ONE / 2 - offset * ONE) / 59_000 + 2;
        assert!(reads <= most, "{reads} reads from block {offset} on");
    }
}

#[test]
fn what_arrived_of_a_lost_get_is_kept() {
    let mut pair = pair(Disk::default(), large());
    pair.get("large");
    while pair.client.disk.log.len() < 4 {
        assert!(pair.turn());
    }
    pair.client.lose();
    pair.server.lose();
    pair.run();
    assert!(pair.client.session.is_done() && pair.server.session.is_done());
    assert!(content().starts_with(&pair.client.disk.parts["large"]));
    assert_eq!(pair.events, ["0 not received: Ended", "ended: Lost(None), 0 unanswered"]);
}

/// A client that closes early has been stopped. What has arrived is kept for the next time.
#[test]
fn a_client_that_closes_in_the_midst_of_content_leaves_a_part() {
    let mut pair = pair(large(), Disk::default());
    pair.put("large", Flags::REPLACE | Flags::KEEP);
    for _ in 0..12 {
        pair.turn();
    }
    pair.server.ended = Some(End::Closed);
    let Pair { server, .. } = &mut pair;
    while server.turn(usize::MAX, 1_000, &mut Vec::new()).0 {}
    assert!(server.session.is_done() && !server.disk.parts["large"].is_empty());
}
